/* The profile as JSON; docs/profile-json.md says what each member means. */
#include <stdlib.h>

#include "export/figures.h"
#include "export/utf8.h"
#include "report/findings_show.h"
#include "report/json_writer.h"
#include "report/machine.h"
#include "report/profile_conditions.h"
#include "report/profile_fields.h"
#include "report/profile_nodes.h"
#include "report/profile_pipeline.h"
#include "report/profile_system.h"

void fm_write_fields(fm_json *json, const fm_fields *fields, const void *object)
{
    for (size_t i = 0; i < fields->count; i++) {
        const fm_field *field = &fields->list[i];
        const void *at = (const char *)object + field->offset;
        switch (field->kind) {
        case FM_FIELD_TEXT: {
            const char *text = *(const char *const *)at;
            fm_json_text(json, field->key, text ? text : "");
            break;
        }
        case FM_FIELD_FACT:
            fm_json_text(json, field->key, *(const char *const *)at);
            break;
        case FM_FIELD_BOOL:
            fm_json_bool(json, field->key, *(const bool *)at);
            break;
        case FM_FIELD_INT:
            fm_json_integer(json, field->key, *(const int *)at);
            break;
        case FM_FIELD_COUNT:
            fm_json_count(json, field->key, *(const uint64_t *)at);
            break;
        case FM_FIELD_AMOUNT:
        case FM_FIELD_CHANGE:
            fm_json_integer(json, field->key, *(const int64_t *)at);
            break;
        case FM_FIELD_SECONDS:
            fm_json_seconds(json, field->key, *(const uint64_t *)at);
            break;
        case FM_FIELD_MEAN:
            /* 15 digits absorb the rounding of this division and of the loader's product. */
            fm_json_real(json, field->key, *(const double *)at / 1e9);
            break;
        case FM_FIELD_TIME:
        case FM_FIELD_REAL:
            fm_json_fact(json, field->key, *(const double *)at);
            break;
        }
    }
}

static double seconds(uint64_t nanoseconds)
{
    return (double)nanoseconds * 1e-9;
}

static void write_run(fm_json *json, const fm_report_run *run, const fmp_snapshot *snapshot)
{
    const double frames = (double)run->frames, wall = run->wall_seconds;
    const double self = snapshot ? seconds(snapshot->self_ns) : 0;
    const double parallelism = fmp_ratio(self, wall);
    fm_json_open(json, "run", '{');
    fm_write_fields(json, &fm_run_fields, run);
    fm_json_real(json, "covered_share", fmp_ratio(run->covered_seconds, wall));
    fm_json_seconds(json, "profiled_seconds", snapshot ? snapshot->self_ns : 0);
    fm_json_real(json, "effective_fps", fmp_ratio(frames, wall));
    fm_json_real(json, "seconds_per_frame", fmp_ratio(wall, frames));
    fm_json_real(json, "parallelism", parallelism);
    fm_json_real(json, "parallel_efficiency", fmp_ratio(parallelism, run->threads));
    fm_json_close(json, '}');
}

static void write_object(fm_json *json, const char *key, const fm_fields *fields, const void *object)
{
    fm_json_open(json, key, '{');
    fm_write_fields(json, fields, object);
    fm_json_close(json, '}');
}

static void write_breakdown(fm_json *json, const fm_report_model *model)
{
    const fm_report_breakdown *b = &model->breakdown;
    if (!model->has_breakdown) {
        fm_json_null(json, "breakdown");
        return;
    }
    fm_json_open(json, "breakdown", '{');
    fm_write_fields(json, &fm_breakdown_fields, b);
    fm_json_integer(json, "cpu", b->operators - b->accelerator);
    fm_json_real(json, "coverage", fmp_ratio(b->accelerator, b->operators));
    fm_json_text(json, "fragmentation", fm_report_fragmentation(b->partitions));
    fm_json_open(json, "fallbacks", '[');
    for (size_t i = 0; i < b->fallback_count; i++)
        write_object(json, NULL, &fm_operator_fields, &b->fallbacks[i]);
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

static void write_models(fm_json *json, const fm_report_run *run)
{
    fm_json_open(json, "models", '[');
    for (size_t i = 0; i < run->model_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_write_fields(json, &fm_model_fields, &run->models[i]);
        fm_json_text(json, "role", run->models[i].role);
        write_breakdown(json, &run->models[i]);
        fm_nodes_write(json, &run->models[i]);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
}

static void write_histogram(fm_json *json, const fmp_operation *op)
{
    fm_json_open_line(json, "histogram");
    for (size_t i = 0; i < op->histogram_count; i++) {
        fm_json_open_line(json, NULL);
        fm_json_integer(json, NULL, op->histogram[i].index);
        fm_json_count(json, NULL, op->histogram[i].count);
        fm_json_close_line(json);
    }
    fm_json_close_line(json);
}

static void write_operation(fm_json *json, const fmp_operation *op, const fmp_category *category)
{
    fm_json_open(json, NULL, '{');
    fm_write_fields(json, &fm_operation_fields, op);
    fm_json_real(json, "p50", op->p50_ns / 1e9);
    fm_json_real(json, "p90", op->p90_ns / 1e9);
    fm_json_real(json, "p99", op->p99_ns / 1e9);
    fm_json_real(json, "p999", op->p999_ns / 1e9);
    fm_json_real(json, "share", fmp_ratio((double)op->self_ns, (double)category->self_ns));
    if (op->measures & FMP_MEASURE_CPU)
        fm_json_seconds(json, "cpu_seconds", op->cpu_ns);
    else
        fm_json_null(json, "cpu_seconds");
    if (op->measures & FMP_MEASURE_MEMORY)
        write_object(json, "memory", &fm_change_fields, op);
    else
        fm_json_null(json, "memory");
    fm_json_open_line(json, "last");
    for (unsigned i = 0; i < op->last_count && i < FMP_LAST; i++)
        fm_json_seconds(json, NULL, op->last_ns[i]);
    fm_json_close_line(json);
    write_histogram(json, op);
    fm_json_close(json, '}');
}

static bool write_categories(fm_json *json, const fmp_snapshot *snapshot)
{
    size_t count = 0;
    fmp_category *categories = fmp_categories(snapshot, &count);
    if (!categories)
        return false;
    fm_json_open(json, "categories", '[');
    for (size_t i = 0; i < count; i++) {
        const fmp_category *category = &categories[i];
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "name", category->name);
        fm_json_seconds(json, "self_seconds", category->self_ns);
        fm_json_real(json, "share", fmp_ratio((double)category->self_ns, (double)snapshot->self_ns));
        fm_json_open(json, "operations", '[');
        for (size_t k = 0; k < category->count; k++)
            write_operation(json, &category->operations[k], category);
        fm_json_close(json, ']');
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    free(categories);
    return true;
}

static bool write_threads(fm_json *json, const fmp_snapshot *snapshot, double wall_seconds)
{
    fm_json_open(json, "threads", '[');
    for (size_t i = 0; snapshot && i < snapshot->thread_count; i++) {
        const fmp_thread *thread = &snapshot->threads[i];
        char name[sizeof thread->name];
        /* A name that was cut inside a character grows by its replacement: cut it to what is loaded. */
        char *valid = fmp_utf8_valid_copy(thread->name);
        if (!valid)
            return false;
        fm_text_cut(name, sizeof name, valid);
        free(valid);
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "name", name);
        fm_write_fields(json, &fm_thread_fields, thread);
        fm_json_real(json, "share_of_wall", fmp_ratio(seconds(thread->busy_ns), wall_seconds));
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    return true;
}

static void write_metrics(fm_json *json, const fmp_snapshot *snapshot)
{
    fm_json_open(json, "metrics", '[');
    for (size_t i = 0; snapshot && i < snapshot->metric_count; i++) {
        const fmp_metric_value *metric = &snapshot->metrics[i];
        fm_json_open(json, NULL, '{');
        fm_write_fields(json, &fm_metric_fields, metric);
        fm_json_text(json, "kind", metric->gauge ? "gauge" : "counter");
        fm_write_fields(json, metric->gauge ? &fm_gauge_fields : &fm_counter_fields, metric);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
}

static void write_profiler(fm_json *json, const fmp_snapshot *snapshot)
{
    static const fmp_snapshot none = {0};
    snapshot = snapshot ? snapshot : &none;
    fm_json_open(json, "profiler", '{');
    fm_json_text(json, "clock", snapshot->clock);
    fm_json_text(json, "clock_reason", snapshot->clock_reason);
    fm_write_fields(json, &fm_profiler_fields, snapshot);
    fm_json_real(json, "scope_cost_ns", snapshot->cost.inside_ns + snapshot->cost.outside_ns);
    fm_json_count(json, "scopes", snapshot->scopes);
    fm_json_real(json, "percentile_error", 0.01);
    fm_json_close(json, '}');
}

static void write_notes(fm_json *json, const fm_report_run *run)
{
    fm_json_open(json, "notes", '[');
    for (size_t i = 0; i < run->note_count; i++)
        fm_json_text(json, NULL, run->notes[i] ? run->notes[i] : "");
    fm_json_close(json, ']');
}

static fm_status write_document(FILE *out, const fm_report_run *run, const fm_report_machine *machine,
                                const fm_report_build *build, const fmp_snapshot *snapshot, fm_error *err)
{
    fm_json json = fm_json_begin(out);
    fm_json_open(&json, NULL, '{');
    fm_json_text(&json, "schema", FM_PROFILE_SCHEMA);
    fm_json_integer(&json, "runs", run->runs > 0 ? run->runs : 1);
    write_run(&json, run, snapshot);
    write_object(&json, "machine", &fm_machine_fields, machine);
    write_object(&json, "build", &fm_build_fields, build);
    fm_conditions_write(&json, run);
    write_models(&json, run);
    fm_pipeline_write(&json, run);
    fm_system_write(&json, run->system);
    if (!write_categories(&json, snapshot) || !write_threads(&json, snapshot, run->wall_seconds))
        return fm_fail(err, FM_E_NO_MEMORY, "cannot write the profile: out of memory; close other programs");
    write_metrics(&json, snapshot);
    fm_json_open(&json, "memory", '{');
    fm_json_integer(&json, "peak_rss_bytes", run->peak_rss_bytes);
    fm_json_close(&json, '}');
    write_profiler(&json, snapshot);
    write_notes(&json, run);
    fm_findings_write(&json, run->findings);
    fm_json_close(&json, '}');
    return fm_json_finish(&json, "the profile", err);
}

fm_status fm_profile_write(FILE *out, const fm_profile *profile, fm_error *err)
{
    return write_document(out, &profile->run, &profile->machine, &profile->build, profile->snapshot, err);
}

fm_status fm_report_json(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run, fm_error *err)
{
    static const fm_report_run no_run = {0};
    run = run ? run : &no_run;
    fm_machine here;
    fm_machine_read(&here);
    const fm_report_machine machine = {
        .os = here.os,
        .architecture = here.architecture,
        .cpu_model = here.cpu_model[0] ? here.cpu_model : NULL,
        .cpu_count = here.cpu_count,
    };
    const fm_report_build build = {
        .version = run->program_version,
        .compiler = fm_build_compiler(),
        .optimised = fm_build_optimised(),
        .assertions = fm_build_assertions(),
    };
    return write_document(out, run, &machine, &build, snapshot, err);
}
