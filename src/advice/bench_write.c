/* The bench document as JSON; docs/bench-json.md says what each member means. */
#include <math.h>

#include "advice/bench_fields.h"
#include "report/json_writer.h"

#define FIELDS(table) {table, sizeof table / sizeof table[0]}

static const fm_field run_table[] = {
    {"position", FM_FIELD_INT, offsetof(fm_bench_run, position)},
    {"warm_up", FM_FIELD_BOOL, offsetof(fm_bench_run, warm_up)},
    {"frames", FM_FIELD_AMOUNT, offsetof(fm_bench_run, sample.frames)},
    {"wall_seconds", FM_FIELD_TIME, offsetof(fm_bench_run, sample.wall_seconds)},
    {"setup_seconds", FM_FIELD_TIME, offsetof(fm_bench_run, sample.setup_seconds)},
    {"process_seconds", FM_FIELD_TIME, offsetof(fm_bench_run, process_seconds)},
    {"cpu_seconds", FM_FIELD_TIME, offsetof(fm_bench_run, sample.cpu_seconds)},
    {"peak_rss_bytes", FM_FIELD_AMOUNT, offsetof(fm_bench_run, sample.peak_rss_bytes)},
    {"others_share", FM_FIELD_TIME, offsetof(fm_bench_run, others_share)},
    {"temperature", FM_FIELD_TIME, offsetof(fm_bench_run, temperature)},
    {"profile", FM_FIELD_FACT, offsetof(fm_bench_run, profile)},
};
const fm_fields fm_bench_run_fields = FIELDS(run_table);

static const fm_field sample_operation_table[] = {
    {"category", FM_FIELD_TEXT, offsetof(fm_sample_operation, category)},
    {"name", FM_FIELD_TEXT, offsetof(fm_sample_operation, name)},
    {"count", FM_FIELD_COUNT, offsetof(fm_sample_operation, count)},
    {"total_seconds", FM_FIELD_TIME, offsetof(fm_sample_operation, total_seconds)},
    {"self_seconds", FM_FIELD_TIME, offsetof(fm_sample_operation, self_seconds)},
};
const fm_fields fm_sample_operation_fields = FIELDS(sample_operation_table);

static const fm_field facts_table[] = {
    {"input", FM_FIELD_FACT, offsetof(fm_report_run, input)},
    {"width", FM_FIELD_INT, offsetof(fm_report_run, width)},
    {"height", FM_FIELD_INT, offsetof(fm_report_run, height)},
    {"runtime", FM_FIELD_FACT, offsetof(fm_report_run, runtime)},
    {"encoder", FM_FIELD_FACT, offsetof(fm_report_run, encoder)},
    {"threads", FM_FIELD_INT, offsetof(fm_report_run, threads)},
};
const fm_fields fm_bench_facts_fields = FIELDS(facts_table);

static const char *fact(const char *text)
{
    return text && *text ? text : NULL;
}

static void write_object(fm_json *json, const char *key, const fm_fields *fields, const void *object)
{
    fm_json_open(json, key, '{');
    fm_write_fields(json, fields, object);
    fm_json_close(json, '}');
}

static void write_environment(fm_json *json, const fm_bench_environment *e)
{
    fm_json_open(json, "environment", '{');
    fm_json_text(json, "governor", fact(e->governor));
    fm_json_text(json, "hypervisor", fact(e->hypervisor));
    fm_json_text(json, "container", fact(e->container));
    fm_json_real(json, "cpu_limit", e->cpu_limit > 0 ? e->cpu_limit : (double)NAN);
    fm_json_real(json, "load", e->load);
    fm_json_real(json, "temperature", e->temperature);
    fm_json_count(json, "memory_bytes", e->memory);
    fm_json_count(json, "memory_available_bytes", e->memory_available);
    fm_json_close(json, '}');
}

static void write_interval(fm_json *json, const char *key, fm_interval interval)
{
    fm_json_open(json, key, '{');
    fm_json_real(json, "median", interval.value);
    fm_json_real(json, "low", interval.low);
    fm_json_real(json, "high", interval.high);
    fm_json_close(json, '}');
}

static void write_summary(fm_json *json, const fm_bench_configuration *c)
{
    const fm_bench_summary s = fm_bench_summarise(c);
    fm_json_open(json, "summary", '{');
    fm_json_count(json, "measured", s.measured);
    fm_json_count(json, "warm_up", s.warm_up);
    write_interval(json, "wall_seconds", s.wall);
    write_interval(json, "fps", s.fps);
    write_interval(json, "cpu_seconds", s.cpu);
    write_interval(json, "setup_seconds", s.setup);
    write_interval(json, "peak_rss_bytes", s.rss);
    fm_json_real(json, "spread", s.spread);
    fm_json_real(json, "shortest_seconds", s.shortest);
    fm_json_real(json, "longest_seconds", s.longest);
    fm_json_real(json, "first_run", s.first_run);
    fm_json_real(json, "average_of_three_seconds", s.average_of_three);
    fm_json_real(json, "others_share", s.others_share);
    fm_json_real(json, "drift", s.drift);
    fm_json_close(json, '}');
}

static void write_models(fm_json *json, const fm_bench_configuration *c)
{
    fm_json_open(json, "models", '[');
    for (size_t i = 0; i < c->facts.model_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "name", c->facts.models[i].name);
        fm_json_text(json, "file", c->facts.models[i].file);
        fm_json_text(json, "backend", c->facts.models[i].backend);
        fm_json_text(json, "sha256", c->hashes ? c->hashes[i] : NULL);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
}

static void write_run(fm_json *json, const fm_bench_run *run)
{
    fm_json_open(json, NULL, '{');
    fm_write_fields(json, &fm_bench_run_fields, run);
    fm_json_real(json, "fps", run->sample.wall_seconds > 0 ? (double)run->sample.frames / run->sample.wall_seconds
                                                           : (double)NAN);
    fm_json_open(json, "operations", '[');
    for (size_t i = 0; i < run->sample.operation_count; i++)
        write_object(json, NULL, &fm_sample_operation_fields, &run->sample.operations[i]);
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

static void write_configuration(fm_json *json, const fm_bench_configuration *c)
{
    fm_json_open(json, NULL, '{');
    fm_json_text(json, "name", c->name);
    fm_json_text(json, "options", c->options);
    fm_write_fields(json, &fm_bench_facts_fields, &c->facts);
    write_models(json, c);
    fm_json_bool(json, "steady", c->steady);
    fm_json_text(json, "merged_profile", c->merged);
    fm_json_text(json, "tables", c->tables);
    write_summary(json, c);
    fm_json_open(json, "runs", '[');
    for (size_t i = 0; i < c->run_count; i++)
        write_run(json, &c->runs[i]);
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

fm_status fm_bench_write(FILE *out, const fm_bench *bench, fm_error *err)
{
    fm_json json = fm_json_begin(out);
    fm_json_open(&json, NULL, '{');
    fm_json_text(&json, "schema", FM_BENCH_SCHEMA);
    fm_json_text(&json, "status", bench->status);
    fm_json_open(&json, "asked", '{');
    fm_json_integer(&json, "runs", bench->runs);
    if (bench->warm_up >= 0)
        fm_json_integer(&json, "warm_up", bench->warm_up);
    else
        fm_json_text(&json, "warm_up", "auto");
    fm_json_close(&json, '}');
    write_object(&json, "machine", &fm_machine_fields, &bench->machine);
    fm_json_open(&json, "build", '{');
    fm_write_fields(&json, &fm_build_fields, &bench->build);
    fm_json_text(&json, "sanitizers", bench->sanitizers);
    fm_json_close(&json, '}');
    write_environment(&json, &bench->environment);
    fm_json_open(&json, "notes", '[');
    for (size_t i = 0; i < bench->note_count; i++)
        fm_json_text(&json, NULL, bench->notes[i]);
    fm_json_close(&json, ']');
    fm_json_open(&json, "configurations", '[');
    for (size_t i = 0; i < bench->configuration_count; i++)
        write_configuration(&json, &bench->configurations[i]);
    fm_json_close(&json, ']');
    fm_json_close(&json, '}');
    return fm_json_finish(&json, "the bench document", err);
}
