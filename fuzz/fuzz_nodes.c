/* libFuzzer target of the reader of profiling streams and of the sums over them; see README.md. */
#include <stdint.h>
#include <stdlib.h>

#include "inference/macs.h"
#include "inference/node_stream.h"
#include "inference/node_times.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int condition)
{
    if (!condition)
        abort();
}

static void check_view(fm_view view, const uint8_t *data, size_t size)
{
    if (view.size == 0)
        return;
    const uint8_t *at = (const uint8_t *)view.at;
    demand(at >= data && view.size <= size && at <= data + size - view.size);
}

static void check_stream(const uint8_t *data, size_t size)
{
    fm_node_stream stream = fm_node_stream_of(data, size);
    fm_node_event event;
    fm_macs macs = {0};
    size_t events = 0;
    while (fm_node_stream_next(&stream, &event)) {
        fm_node_shape shape;
        events++;
        check_view(event.name, data, size);
        check_view(event.op_type, data, size);
        check_view(event.provider, data, size);
        demand(event.name.size <= FM_NODE_NAME_MAX);
        demand(event.start_us <= FM_NODE_TIME_MAX && event.duration_us <= FM_NODE_TIME_MAX);
        fm_macs_add(&macs, &event);
        for (fm_view shapes = event.input_shapes; fm_node_shape_next(&shapes, &shape);)
            demand(shape.rank >= 0 && shape.rank <= FM_NODE_DIMS_MAX);
    }
    demand(events + stream.lost <= size / 10); /* an event has a head */
}

/* What nodes are said to take is within the runs, each of which is counted. */
static void check_times(const uint8_t *data, size_t size)
{
    fm_node_times *times = fm_node_times_create();
    fm_error err = {0};
    demand(times != NULL);
    for (int run = 0; run < 2; run++)
        demand(fm_node_times_add(times, data, size, &err) == FM_OK);
    const fm_node_totals t = fm_node_times_totals(times);
    demand(t.samples + t.lost_runs == 2 && t.node_us <= t.run_us && t.copy_us <= t.node_us);
    uint64_t sum = 0;
    for (size_t i = 0; i < t.node_count; i++) {
        const fm_node_time *node = &t.nodes[i];
        sum += node->total_us;
        demand(node->count == 0 || (node->min_us <= node->max_us && node->max_us <= node->total_us));
    }
    demand(sum == t.node_us);
    for (size_t i = 0; i < t.moment_count; i++) {
        demand(t.moments[i].node < t.node_count);
        demand(i == 0 || t.moments[i].start_us >= t.moments[i - 1].start_us + t.moments[i - 1].duration_us);
    }
    fm_node_times_destroy(&times);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_stream(data, size);
    check_times(data, size);
    return 0;
}
