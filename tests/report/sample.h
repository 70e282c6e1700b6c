/* A synthetic snapshot and run whose report is known. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmprof/fmprof.h"
#include "report/report.h"

#include "../sample_figures.h"

/* With what a recorder says of itself. */
static inline fmp_snapshot sample_of_run(void)
{
    fmp_snapshot snapshot = sample_snapshot();
    snapshot.cost = (fmp_cost){.inside_ns = 3.5, .outside_ns = 12};
    strcpy(snapshot.clock, "tsc");
    snapshot.clock_resolution_ns = 0.5;
    snapshot.clock_read_ns = 7.25;
    return snapshot;
}

static const fm_report_operator sample_fallbacks[] = {{"Pad", 14}, {"Resize", 9}};
static const fm_report_node_group sample_providers[] = {
    {"coreml", 28, 4500000000, 0}, {"onnx_cpu", 161, 2000000000, 2000000000}};
static const fm_report_node_group sample_types[] = {
    {FM_REPORT_COMPILED, 28, 4500000000, 0}, {"Pad", 14, 1200000000, 1200000000}, {"Resize", 9, 800000000, 800000000}};
static const fm_report_node sample_nodes[] = {
    {"CoreML_0", FM_REPORT_COMPILED, "coreml", 60, 2500000000, 40000000, 45000000},
    {"pad \"1\"}}\n", "Pad", "onnx_cpu", 60, 900000000, 10000000, 20000000}};
static const fm_report_boundary sample_causes[] = {
    {"Pad", 14, 1200000000, 360000000}, {"Resize", 9, 800000000, 140000000}};
static const fm_report_model sample_models[] = {
    {.name = "MTL", .role = "au_estimator", .file = "mtl.onnx", .backend = "coreml", .load_seconds = 0.0421, .has_breakdown = true,
     .breakdown = {.asked = "coreml", .operators = 520, .accelerator = 359, .partitions = 28, .crossings = 54,
                   .crossings_known = true, .parameters = 4012345, .weight_bytes = 16049380,
                   .fallbacks = sample_fallbacks, .fallback_count = 2},
     .has_nodes = true,
     .nodes = {.every = 32, .samples = 60, .lost_runs = 1, .lost_events = 2, .nodes = 189, .run_ns = 7200000000,
               .node_ns = 6500000000, .cpu_ns = 2000000000, .boundaries = 3240, .boundary_ns = 500000000,
               .base_ns = 240000, .base_known = true, .providers = sample_providers, .provider_count = 2,
               .types = sample_types, .type_count = 3, .costliest = sample_nodes, .costliest_count = 2,
               .causes = sample_causes, .cause_count = 2}},
    {.name = "BlazeFace", .file = "face_detection_short_range.onnx", .backend = "onnx_cpu", .load_seconds = 0.0102},
};
static const fm_report_stage sample_stages[] = {
    {.name = "reader", .pictures = 8, .frames = 971, .busy_seconds = 4.5, .blocked_seconds = 110.25, .cpu_seconds = 4.125,
     .service_mean = 0.0046, .service_stddev = 0.001, .service_p99 = 0.0123, .held = 2},
    {.name = "analysis", .after = "reader", .queue = 3, .frames = 971, .busy_seconds = 118.5, .starved_seconds = 1.0 / 3,
     .blocked_seconds = 0.5, .cpu_seconds = 101.5, .ready_seconds = 2.25, .service_mean = 0.122, .service_stddev = 0.02,
     .service_p99 = 0.25, .held = 900},
    {.name = "left mirror", .after = "analysis", .queue = 3, .pictures = 4, .frames = 970, .busy_seconds = 30,
     .starved_seconds = 88, .blocked_seconds = 1, .cpu_seconds = 29, .service_mean = 0.03, .service_stddev = 0.004,
     .service_p99 = 0.05, .held = 69},
};
static const fm_report_outlier sample_outliers[] = {
    {.frame = 0, .timestamp = 0, .seconds = 0.61, .stage = "analysis", .stage_seconds = 0.55, .faces = 1, .face_size = 0.21,
     .detected = true},
    {.frame = 612, .timestamp = 61.23456, .seconds = 0.4, .stage = "left mirror", .stage_seconds = 0.3},
};
static const fm_report_pipeline sample_pipeline = {
    .stages = sample_stages,
    .stage_count = 3,
    .outliers = sample_outliers,
    .outlier_count = 2,
    .processors = 6,
    .process_cpu_seconds = 312.5,
    .frame_p50 = 0.15,
    .frame_p99 = 0.3,
    .frame_bytes_copied = 5 * 1024 * 1024,
    .allocations = 3,
    .allocation_frames = 875,
    .rss_first = 200 * 1024 * 1024,
    .rss_last = 201 * 1024 * 1024,
    .rss_frames = 875,
    .frames_converted = 971,
    .frames_cropped_again = 2,
    .content = {[FM_CONTENT_NO_FACE] = {11, 0.5}, [FM_CONTENT_ONE_FACE] = {960, 144}, [FM_CONTENT_LARGE] = {960, 144},
                [FM_CONTENT_FOLLOWED] = {905, 126.7}, [FM_CONTENT_DETECTED] = {66, 17.8}},
    .detections = {.searching = 1, .lost = 1, .checking = 64, .confirmed = 63},
};
static const char *const sample_notes[] = {"This is a debug build: times mean little."};

static const fm_report_conditions sample_conditions = {
    .optimised = true, .sanitizers = "", .hypervisor = "KVM", .governor = "performance", .cpu_count = 6, .load_before = 0.25,
    .others_share = 0.125, .steal_share = 0, .throttled = 2, .quota_wait_seconds = (double)NAN, .dropped_events = 17,
    .accelerators = "coreml, xnnpack", .hardware_encoder = "h264_videotoolbox"};

static inline fm_report_run sample_run(void)
{
    return (fm_report_run){
        .program_version = "0.1.0",
        .input = "patient.mov",
        .status = "ok",
        .runtime = "ONNX Runtime 1.29.0",
        .encoder = "libx264",
        .width = 1080,
        .height = 1920,
        .frames = 971,
        .frames_with_face = 960,
        .frames_damaged = 3,
        .wall_seconds = 120.0,
        .setup_seconds = 1.25,
        .covered_seconds = 118.8,
        .peak_rss_bytes = 256 * 1024 * 1024,
        .threads = 6,
        .models = sample_models,
        .model_count = 2,
        .pipeline = &sample_pipeline,
        .conditions = &sample_conditions,
        .notes = sample_notes,
        .note_count = 1,
    };
}

/* What `write` put into the stream, malloc'ed. */
static inline char *capture_text(const fmp_snapshot *snapshot, const fm_report_run *run, bool utf8)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    fm_error err = {0};
    fm_report_options options = {.utf8 = utf8};
    assert_int_equal(fm_report_text(out, snapshot, run, &options, &err), FM_OK);
    fclose(out);
    return text;
}

/* A rich snapshot as one that was recorded: with histograms, measures and metrics. Free it. */
static inline fmp_snapshot *sample_recorded(void)
{
    static const uint64_t durations[] = {57, 1200, 1201, 48000, 48001, 999999, 5000000000, 52100000, 57800001, 3};
    enum { DURATIONS = sizeof durations / sizeof durations[0], OPERATIONS = 6 };
    fmp_bucket buckets[OPERATIONS][DURATIONS];
    fmp_operation operations[OPERATIONS];
    for (size_t i = 0; i < OPERATIONS; i++) {
        const size_t count = 4 + i;
        double sum = 0, squares = 0;
        fmp_operation op = {.category = sample_operations[i].category, .operation = sample_operations[i].operation,
                            .count = count, .min_ns = UINT64_MAX, .first_ns = durations[0], .threads = (int)i + 1,
                            .children = 3 * i, .inner = 5 * i, .histogram = buckets[i], .histogram_count = count, .last_count = (unsigned)count,
                            .measures = (unsigned)i % 4, .cpu_ns = i % 4 & FMP_MEASURE_CPU ? 123456789 * i : 0};
        for (size_t k = 0; k < count; k++) {
            const uint64_t d = durations[k];
            buckets[i][k] = (fmp_bucket){.index = fmp_bucket_of(d), .count = 1};
            op.total_ns += d;
            op.last_ns[count - 1 - k] = d;
            op.min_ns = d < op.min_ns ? d : op.min_ns;
            op.max_ns = d > op.max_ns ? d : op.max_ns;
            sum += (double)d;
            squares += (double)d * (double)d;
        }
        op.self_ns = op.total_ns - i;
        op.mean_ns = sum / (double)count;
        op.stddev_ns = sqrt(squares / (double)count - op.mean_ns * op.mean_ns);
        if (op.measures & FMP_MEASURE_MEMORY) {
            op.rss_change = -4096 * (int64_t)i;
            op.rss_peak_change = 8192;
            op.live_change = INT64_C(1) << 40;
        }
        operations[i] = op;
    }
    const fmp_metric_value metrics[] = {
        {.category = "QUEUE", .name = "depth \xC3\xA9", .unit = "frames", .gauge = true, .count = 7, .last = -3, .min = -5,
         .max = 12, .mean = 10.0 / 3},
        {.category = "IO", .name = "bytes", .unit = "B", .count = 2, .sum = INT64_MAX},
    };
    fmp_snapshot *snapshot =
        fmp_snapshot_make(operations, OPERATIONS, sample_threads, sizeof sample_threads / sizeof sample_threads[0],
                          metrics, sizeof metrics / sizeof metrics[0]);
    assert_non_null(snapshot);
    snapshot->cost = (fmp_cost){.inside_ns = 3.5, .outside_ns = 12.1};
    snapshot->clock_resolution_ns = 1 / 3.0;
    snapshot->clock_read_ns = 7.25;
    snapshot->lost = 5;
    snprintf(snapshot->clock, sizeof snapshot->clock, "clock_gettime");
    snprintf(snapshot->clock_reason, sizeof snapshot->clock_reason, "the counter is not invariant");
    return snapshot;
}

#endif
