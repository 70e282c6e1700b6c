#include "advice/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/profile_fields.h" /* fm_text_cut */
#include "report/profile_memory.h"

static fm_status no_memory(fm_error *err)
{
    return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the runs");
}

fm_status fm_samples_create(fm_samples **out, const char *name, fm_error *err)
{
    *out = NULL;
    fm_samples *s = calloc(1, sizeof *s);
    if (s)
        s->memory = calloc(1, sizeof *s->memory);
    if (s && s->memory)
        s->operations = calloc(FM_SAMPLES_OPERATIONS_MAX, sizeof *s->operations);
    if (!s || !s->operations) {
        fm_samples_free(&s);
        return no_memory(err);
    }
    fm_text_cut(s->name, sizeof s->name, name);
    s->others_share = (double)NAN;
    *out = s;
    return FM_OK;
}

void fm_samples_free(fm_samples **samples)
{
    if (!samples || !*samples)
        return;
    fm_profile_free(&(*samples)->memory);
    free((*samples)->operations);
    free(*samples);
    *samples = NULL;
}

static int order_of(const fm_samples_operation *a, const fm_sample_operation *b)
{
    const int order = strcmp(a->category, b->category);
    return order ? order : strcmp(a->name, b->name);
}

/* Where the operation stands or would stand. */
static size_t place_of(const fm_samples *s, const fm_sample_operation *op)
{
    size_t low = 0, high = s->operation_count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (order_of(&s->operations[middle], op) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static fm_status find_or_add(fm_samples *s, const fm_sample_operation *op, fm_samples_operation **out, fm_error *err)
{
    const size_t at = place_of(s, op);
    *out = &s->operations[at];
    if (at < s->operation_count && order_of(*out, op) == 0)
        return FM_OK;
    if (s->operation_count == FM_SAMPLES_OPERATIONS_MAX)
        return fm_fail(err, FM_E_BAD_INPUT, "the runs of '%s' have more than %d operations", s->name,
                       FM_SAMPLES_OPERATIONS_MAX);
    const fm_samples_operation made = {
        .category = fm_profile_copy(s->memory, op->category),
        .name = fm_profile_copy(s->memory, op->name),
        .self = fm_profile_allocate(s->memory, FM_STATS_MAX, sizeof(double)),
    };
    if (!made.category || !made.name || !made.self)
        return no_memory(err);
    memmove(*out + 1, *out, (s->operation_count - at) * sizeof **out);
    **out = made;
    s->operation_count++;
    return FM_OK;
}

fm_status fm_samples_add(fm_samples *s, const fm_sample *sample, fm_error *err)
{
    if (s->count == FM_STATS_MAX)
        return fm_fail(err, FM_E_BAD_INPUT, "'%s' has more than %d runs", s->name, FM_STATS_MAX);
    if (sample->frames <= 0)
        return fm_fail(err, FM_E_BAD_INPUT, "'%s' holds a run without frames, which says nothing", s->name);
    const double frames = (double)sample->frames;
    const size_t run = s->count;
    double work = 0;
    for (size_t i = 0; i < sample->operation_count; i++) {
        fm_samples_operation *op;
        const fm_status status = find_or_add(s, &sample->operations[i], &op, err);
        if (status != FM_OK)
            return status;
        op->self[run] = sample->operations[i].self_seconds / frames;
        work += op->self[run];
    }
    s->wall[run] = sample->wall_seconds / frames;
    s->cpu[run] = sample->cpu_seconds / frames;
    s->setup[run] = sample->setup_seconds;
    s->rss[run] = sample->peak_rss_bytes > 0 ? (double)sample->peak_rss_bytes : (double)NAN;
    s->work[run] = work;
    s->count++;
    return FM_OK;
}

/* --- facts ------------------------------------------------------------------ */

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_facts(const fm_samples *s, const fm_report_run *run, const fm_report_machine *machine,
                       const fm_report_build *build)
{
    return same_text(s->facts.input, run->input) && s->facts.frames == run->frames && s->facts.width == run->width &&
           s->facts.height == run->height && same_text(s->machine.cpu_model, machine->cpu_model) &&
           s->machine.cpu_count == machine->cpu_count && same_text(s->build.version, build->version) &&
           same_text(s->build.compiler, build->compiler) && s->build.optimised == build->optimised &&
           same_text(s->facts.runtime, run->runtime) && same_text(s->facts.encoder, run->encoder);
}

static fm_status copy_models(fm_samples *s, const fm_report_run *run, fm_error *err)
{
    fm_report_model *models = fm_profile_allocate(s->memory, run->model_count + 1, sizeof *models);
    if (!models)
        return no_memory(err);
    for (size_t i = 0; i < run->model_count; i++) {
        models[i] = (fm_report_model){
            .name = fm_profile_copy(s->memory, run->models[i].name),
            .file = fm_profile_copy(s->memory, run->models[i].file),
            .backend = fm_profile_copy(s->memory, run->models[i].backend),
        };
    }
    s->facts.models = models;
    s->facts.model_count = run->model_count;
    return FM_OK;
}

fm_report_run fm_samples_facts_of(fm_profile *memory, const fm_report_run *run)
{
    return (fm_report_run){
        .input = fm_profile_copy(memory, run->input),
        .runtime = fm_profile_copy(memory, run->runtime),
        .encoder = fm_profile_copy(memory, run->encoder),
        .width = run->width,
        .height = run->height,
        .frames = run->frames,
        .threads = run->threads,
    };
}

fm_status fm_samples_facts(fm_samples *s, const fm_report_run *run, const fm_report_machine *machine,
                           const fm_report_build *build, bool sanitized, fm_error *err)
{
    s->merged |= run->runs > 1;
    s->sanitized |= sanitized;
    if (s->count > 0) {
        s->mixed |= !same_facts(s, run, machine, build);
        return FM_OK;
    }
    fm_profile *memory = s->memory;
    s->facts = fm_samples_facts_of(memory, run);
    s->machine = (fm_report_machine){
        .os = fm_profile_copy(memory, machine->os),
        .architecture = fm_profile_copy(memory, machine->architecture),
        .cpu_model = fm_profile_copy(memory, machine->cpu_model),
        .cpu_count = machine->cpu_count,
    };
    s->build = *build;
    s->build.version = fm_profile_copy(memory, build->version);
    s->build.compiler = fm_profile_copy(memory, build->compiler);
    return copy_models(s, run, err);
}

/* --- profiles ------------------------------------------------------------ */

/* Of all threads; NAN when that of one is not known. */
static double cpu_of_threads(const fmp_snapshot *snapshot)
{
    double sum = 0;
    for (size_t i = 0; i < snapshot->thread_count; i++) {
        if (snapshot->threads[i].cpu_ns == 0 && snapshot->threads[i].busy_ns > 0)
            return (double)NAN;
        sum += (double)snapshot->threads[i].cpu_ns * 1e-9;
    }
    return snapshot->thread_count > 0 ? sum : (double)NAN;
}

fm_sample fm_sample_of_profile(const fm_profile *profile, fm_sample_operation *operations)
{
    const fmp_snapshot *snapshot = profile->snapshot;
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        const fmp_operation *op = &snapshot->operations[i];
        operations[i] = (fm_sample_operation){op->category, op->operation, op->count, (double)op->total_ns * 1e-9,
                                              (double)op->self_ns * 1e-9};
    }
    return (fm_sample){
        .frames = profile->run.frames,
        .wall_seconds = profile->run.wall_seconds,
        .setup_seconds = profile->run.setup_seconds,
        .cpu_seconds = cpu_of_threads(snapshot),
        .peak_rss_bytes = profile->run.peak_rss_bytes,
        .operations = operations,
        .operation_count = snapshot->operation_count,
    };
}

fm_status fm_samples_add_profile(fm_samples *s, const fm_profile *profile, fm_error *err)
{
    fm_sample_operation *operations = calloc(profile->snapshot->operation_count + 1, sizeof *operations);
    if (!operations)
        return no_memory(err);
    const fm_sample sample = fm_sample_of_profile(profile, operations);
    fm_status status =
        fm_samples_facts(s, &profile->run, &profile->machine, &profile->build, false, err);
    if (status == FM_OK)
        status = fm_samples_add(s, &sample, err);
    free(operations);
    return status;
}
