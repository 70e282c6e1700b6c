/*
 * Reads ONNX Runtime's profiling stream of one run, event by event, in place:
 *
 *     [
 *     {"cat" : "Node","pid" :1,"tid" :1,"dur" :152,"ts" :49,"ph" : "X","name" :"conv_kernel_time","args" : {...}},
 *     {"cat" : "Session","pid" :1,"tid" :1,"dur" :90821,"ts" :0,"ph" : "X","name" :"model_run","args" : {}}
 *     ]
 *
 * It is not JSON: the runtime (1.25 to 1.29) writes names as they stand in the
 * model, so a name may hold quotes, braces, line breaks, or what looks like
 * the end of an event. Hence an event is what has the runtime's exact head and
 * arguments which can be read up to the head of the next event; everything
 * else is passed over and counted. A name that holds a whole event with all
 * its arguments is taken for one.
 *
 * Times are whole microseconds since the run began. Events stand in the order
 * in which they ended.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_INFERENCE_NODE_STREAM_H
#define FM_INFERENCE_NODE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/outline.h" /* fm_view */

enum {
    FM_NODE_STREAM_MAX = 256 << 20,  /* bytes of a stream; about half a million events */
    FM_NODE_NAME_MAX = 4096,         /* bytes of a name; an event with a longer one is lost */
    FM_NODE_DIMS_MAX = 8
};
#define FM_NODE_TIME_MAX ((uint64_t)1 << 40) /* microseconds, 12 days; beyond, a time is taken for nonsense */

typedef enum fm_node_event_kind {
    FM_NODE_EVENT_NODE,    /* an operator, or a piece that a provider has compiled */
    FM_NODE_EVENT_RUN,     /* the whole run: "model_run" */
    FM_NODE_EVENT_OTHER    /* the executor's own and a device's */
} fm_node_event_kind;

/* Views point into the stream. What is below `duration_us` is there for nodes only. */
typedef struct fm_node_event {
    fm_node_event_kind kind;
    fm_view name;           /* without the runtime's "_kernel_time" */
    uint64_t start_us, duration_us;
    int64_t index;          /* in its graph; with the name it tells nodes apart */
    fm_view op_type, provider; /* "Conv", "CPUExecutionProvider" */
    fm_view input_shapes, output_shapes; /* for fm_node_shape_next; inputs that are left out have none */
} fm_node_event;

typedef struct fm_node_stream {
    const char *at, *end;
    uint64_t lost;  /* beginnings of events that could not be read */
    bool whole;     /* the end of the list was seen */
    uint64_t work;  /* bytes that may still be read in vain, so that the time stays in proportion to the size */
} fm_node_stream;

fm_node_stream fm_node_stream_of(const void *data, size_t size);
/* The next event that can be read. False at the end. */
bool fm_node_stream_next(fm_node_stream *stream, fm_node_event *out);

typedef struct fm_node_shape {
    int64_t dims[FM_NODE_DIMS_MAX];
    int rank;
} fm_node_shape;

/* Takes the first shape off the list of an event. False when none is left, or it is not as the runtime writes it. */
bool fm_node_shape_next(fm_view *shapes, fm_node_shape *out);

#endif
