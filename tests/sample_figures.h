/* Synthetic figures whose report is known, for all tests that print them. Include it after cmocka.h. */
#ifndef SAMPLE_FIGURES_H
#define SAMPLE_FIGURES_H

#include <stdint.h>
#include <string.h>

#include "fmprof/fmprof.h"

#define SECONDS(s) ((uint64_t)((s) * 1e9 + 0.5))

#define OPERATION(category_, name_, count_, total_, self_, mean_, min_, max_)                      \
    {                                                                                              \
        .category = category_, .operation = name_, .count = count_, .total_ns = SECONDS(total_),   \
        .self_ns = SECONDS(self_), .mean_ns = (mean_) * 1e9, .min_ns = SECONDS(min_),              \
        .max_ns = SECONDS(max_), .first_ns = SECONDS(max_), .stddev_ns = 1.5e6,                    \
        .p50_ns = (mean_) * 1e9, .p90_ns = (max_) * 0.9e9, .p99_ns = (max_) * 1e9, .threads = 2    \
    }

static fmp_operation sample_operations[] = {
    OPERATION("MODEL_INFERENCE", "MTL_coreml", 1942, 112.345, 112.345, 0.0578, 0.0521, 0.0893),
    OPERATION("MODEL_INFERENCE", "STAR_coreml", 1942, 63.234, 63.234, 0.0326, 0.0301, 0.0512),
    OPERATION("MODEL_INFERENCE", "RetinaFace_coreml", 971, 22.655, 22.655, 0.0233, 0.0201, 0.0455),
    OPERATION("VIDEO_IO", "encode", 1942, 30.0, 20.0, 0.0154, 0.0100, 0.0300),
    OPERATION("VIDEO_IO", "decode", 972, 10.144, 10.144, 0.0104, 0.0000421, 0.0205),
    OPERATION("MIRRORING", "reflect", 1942, 7.1, 7.1, 0.00365, 0.000000042, 0.0049),
};

static fmp_thread sample_threads[] = {
    {.name = "infer", .busy_ns = SECONDS(198.234), .scopes = 4855},
    {.name = "encode left", .busy_ns = SECONDS(37.244), .scopes = 4856},
};

static inline fmp_snapshot sample_snapshot(void)
{
    fmp_snapshot snapshot = {
        .operations = sample_operations,
        .operation_count = sizeof sample_operations / sizeof sample_operations[0],
        .threads = sample_threads,
        .thread_count = 2,
    };
    for (size_t i = 0; i < snapshot.operation_count; i++) {
        snapshot.self_ns += snapshot.operations[i].self_ns;
        snapshot.scopes += snapshot.operations[i].count;
    }
    return snapshot;
}

/* The text has exactly that line. */
static inline void has_line(const char *text, const char *line)
{
    const char *found = text;
    size_t length = strlen(line);
    while ((found = strstr(found, line)) != NULL) {
        if ((found == text || found[-1] == '\n') && found[length] == '\n')
            return;
        found++;
    }
    print_message("%s", text);
    fail_msg("no line \"%s\"", line);
}

#endif
