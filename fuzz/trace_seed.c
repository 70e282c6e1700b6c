/* trace_seed FILE [left-open]: writes a small trace with every kind of event as a seed. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fmprof/fmprof.h"
#include "fmprof/trace.h"

int main(int argc, char **argv)
{
    const fmp_trace_options options = {.events_per_thread = 40, .threads_max = 2};
    if (argc < 2 || fmp_trace_start(argv[1], &options) != 0) {
        fprintf(stderr, "Usage: trace_seed FILE [left-open]\n");
        return 1;
    }
    fmp_thread_name("main");
    const fmp_metric *frames = fmp_counter_get("SEED", "frames", "frames");
    const fmp_metric *depth = fmp_gauge_get("SEED", "queue \"depth\"", "\xc2\xb5");
    const fmp_site *frame = fmp_site_get("SEED", "frame");
    for (unsigned i = 0; i < 12; i++) {
        FMP_SCOPE("SEED", "outer");
        fmp_flow(frame, i, i % 3 == 0 ? FMP_FLOW_BEGIN : i % 3 == 1 ? FMP_FLOW_STEP : FMP_FLOW_END);
        {
            FMP_SCOPE("SEED", "inner");
            fmp_counter_add(frames, 1);
        }
        fmp_gauge_set(depth, (int64_t)i - 5);
        fmp_mark(frame);
    }
    if (argc > 2 && strcmp(argv[2], "left-open") == 0)
        _exit(0); /* as a crash would */
    return fmp_trace_stop() == 0 ? 0 : 1;
}
