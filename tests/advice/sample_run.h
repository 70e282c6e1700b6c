/* A run as the pipeline would record it, made by the simulation, so that the truth behind it is known. */
#ifndef TESTS_ADVICE_SAMPLE_RUN_H
#define TESTS_ADVICE_SAMPLE_RUN_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "advice/simulate.h"
#include "report/report.h"

enum { STAGES = 8, FRAMES = 300 };

static const struct {
    const char *name, *after;
    int queue, pictures;
} structure[STAGES] = {
    {"reader", NULL, 0, 8},
    {"analysis", "reader", 3, 0},
    {"left mirror", "analysis", 3, 4},
    {"right mirror", "analysis", 3, 4},
    {"debug", "analysis", 3, 4},
    {"left encoder", "left mirror", 20, 0},
    {"right encoder", "right mirror", 20, 0},
    {"debug encoder", "debug", 20, 0},
};

/* A run as the pipeline would record it, and the model that it came from. */
typedef struct sample {
    fm_sim_model truth;
    fm_report_stage stages[STAGES];
    fm_report_pipeline pipeline;
    fm_report_run run;
    fm_report_model model;
    fmp_operation operations[12];
    fmp_snapshot snapshot;
} sample;

static inline int find(const char *name)
{
    int i = 0;
    while (strcmp(structure[i].name, name) != 0)
        i++;
    return i;
}

/* Seconds a frame: ordinary work of all stages, analysis half of it waiting. */
static inline fm_sim_model usual_truth(double processors)
{
    fm_sim_model m = {.stage_count = STAGES, .processors = processors, .frames = FRAMES};
    static const double cpu[STAGES] = {0.001, 0.006, 0.005, 0.005, 0.001, 0.002, 0.002, 0.002};
    for (int i = 0; i < STAGES; i++)
        m.stages[i] = (fm_sim_stage){.after = structure[i].after ? find(structure[i].after) : -1,
                                     .queue = structure[i].queue, .pictures = structure[i].pictures, .cpu = cpu[i],
                                     .spread = 0.3 * cpu[i]};
    m.stages[1].wait = 0.006;
    return m;
}

static inline void add_operation(sample *s, const char *category, const char *name, double calls, double seconds)
{
    const uint64_t ns = (uint64_t)(seconds * 1e9);
    s->operations[s->snapshot.operation_count++] = (fmp_operation){
        .category = category, .operation = name, .count = (uint64_t)calls, .total_ns = ns, .self_ns = ns};
}

/* Operations that make up the stages: half of the analysis is its network, all of the lanes' time the action units'. */
static inline void record(sample *s, const fm_sim_model *truth, bool ready_known)
{
    *s = (sample){.truth = *truth};
    fm_sim_result r;
    assert_true(fm_simulate(truth, &r));
    double cpu = 0;
    for (int i = 0; i < STAGES; i++) {
        const fm_sim_stage *stage = &truth->stages[i];
        s->stages[i] = (fm_report_stage){
            .name = structure[i].name, .after = structure[i].after, .queue = structure[i].queue,
            .pictures = structure[i].pictures, .frames = FRAMES, .busy_seconds = r.stages[i].busy,
            .cpu_seconds = stage->cpu * FRAMES, .starved_seconds = r.stages[i].starved,
            .blocked_seconds = r.stages[i].blocked, .ready_seconds = ready_known ? r.stages[i].delayed : 0,
            .service_mean = r.stages[i].busy / FRAMES,
            .service_stddev = stage->spread / (stage->cpu + stage->wait) * r.stages[i].busy / FRAMES,
        };
        cpu += (stage->cpu + stage->helper) * FRAMES;
    }
    s->pipeline = (fm_report_pipeline){.stages = s->stages, .stage_count = STAGES,
                                       .processors = (int)truth->processors, .process_cpu_seconds = cpu};
    s->snapshot.operations = s->operations;
    add_operation(s, "MODEL_INFERENCE", "FaceMesh_onnx_cpu", 2 * FRAMES, 0.5 * r.stages[1].busy);
    add_operation(s, "MODEL_INFERENCE", "AU_MTL_onnx_cpu", 2 * FRAMES, r.stages[2].busy + r.stages[3].busy);
    add_operation(s, "PREPROCESSING", "FaceMesh_preprocess", 2 * FRAMES, 0.1 * r.stages[1].busy);
    add_operation(s, "MEMORY_OPERATIONS", "frame_read", FRAMES, r.stages[0].busy);
    add_operation(s, "MEMORY_OPERATIONS", "frame_write_left_mirrored", FRAMES, r.stages[5].busy);
    add_operation(s, "AU_EXTRACTION", "au_write_csv", 2, 0.25);
    s->model = (fm_report_model){.name = "FaceMesh", .backend = "onnx_cpu"};
    s->run = (fm_report_run){.frames = FRAMES, .wall_seconds = r.seconds + 0.5, .threads = (int)truth->processors,
                             .encoder = "libx264", .pipeline = &s->pipeline, .models = &s->model, .model_count = 1};
}

static inline void assert_near(double value, double expected, double share)
{
    if (!(fabs(value - expected) <= share * fabs(expected)))
        fail_msg("%g, expected %g within %g %%", value, expected, share * 100);
}

#endif
