/* Writes profiling streams as ONNX Runtime does, for the tests that read them. Include it after cmocka.h. */
#ifndef NODE_EVENTS_H
#define NODE_EVENTS_H

#include <stdio.h>
#include <string.h>

#include "inference/node_stream.h"

#define CPU "CPUExecutionProvider"
#define CUDA "CUDAExecutionProvider"

enum { EVENTS_SIZE = 1 << 16 };

typedef struct events {
    char text[EVENTS_SIZE];
    size_t size;
    int count;
} events;

static inline void put(events *list, const char *text)
{
    const size_t length = strlen(text);
    assert_true(list->size + length < EVENTS_SIZE);
    memcpy(list->text + list->size, text, length);
    list->size += length;
}

static inline void put_head(events *list, const char *category, const char *name, int start_us, int duration_us)
{
    char head[160];
    snprintf(head, sizeof head,
             "%s{\"cat\" : \"%s\",\"pid\" :1,\"tid\" :1,\"dur\" :%d,\"ts\" :%d,\"ph\" : \"X\",\"name\" :\"",
             list->count++ ? ",\n" : "", category, duration_us, start_us);
    put(list, head);
    put(list, name); /* unescaped, as the runtime does */
}

static inline void begin_events(events *list)
{
    *list = (events){.size = 0};
    put(list, "[\n");
}

static inline void add_node(events *list, const char *name, const char *type, const char *provider, int start_us,
                            int duration_us)
{
    put_head(list, "Node", name, start_us, duration_us);
    put(list, "_kernel_time\",\"args\" : {\"node_index\" : \"1\",\"thread_scheduling_stats\" : \"\","
              "\"output_type_shape\" : [{\"float\":[1,16]}],\"provider\" : \"");
    put(list, provider);
    put(list, "\",\"op_name\" : \"");
    put(list, type);
    put(list, "\",\"input_type_shape\" : [{\"float\":[1,8]},{\"float\":[8,16]}]}}");
}

static inline void end_events(events *list, int run_us)
{
    put_head(list, "Session", "SequentialExecutor::Execute", 0, run_us);
    put(list, "\",\"args\" : {}}");
    put_head(list, "Session", "model_run", 0, run_us);
    put(list, "\",\"args\" : {}}\n]\n");
}

#endif
