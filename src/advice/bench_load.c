/* Loads a bench document that may come from anywhere, as far as a comparison needs it. */
#include "advice/bench_fields.h"
#include "report/profile_reader.h"

static void read_object(fm_profile_reader *l, const json_t *root, const char *key, const fm_fields *fields, void *out)
{
    const json_t *object = fm_read_object(l, root, key);
    const size_t before = fm_read_enter(l, key);
    fm_read_fields(l, object, fields, out);
    fm_read_leave(l, before);
}

/* Zeroed elements of an array member, and what to do with each of them. */
static void *read_array(fm_profile_reader *l, const json_t *object, const char *key, size_t size, size_t *count,
                        void (*read)(fm_profile_reader *, const json_t *, void *))
{
    const json_t *array = fm_read_array(l, object, key, false);
    char *list = fm_read_room(l, array, size, count);
    const size_t before = fm_read_enter(l, key);
    for (size_t i = 0; i < *count && l->status == FM_OK; i++) {
        const size_t element = fm_read_enter_element(l, i);
        read(l, json_array_get(array, i), list + i * size);
        fm_read_leave(l, element);
    }
    fm_read_leave(l, before);
    return list;
}

static void read_operation(fm_profile_reader *l, const json_t *json, void *out)
{
    const fm_sample_operation *op = out;
    fm_read_fields(l, json, &fm_sample_operation_fields, out);
    if (l->status == FM_OK && !(op->self_seconds >= 0 && op->total_seconds >= 0))
        fm_read_bad(l, "self_seconds", "must be a number");
}

static void read_run(fm_profile_reader *l, const json_t *json, void *out)
{
    fm_bench_run *run = out;
    fm_read_fields(l, json, &fm_bench_run_fields, run);
    if (l->status == FM_OK && run->sample.frames == 0)
        fm_read_bad(l, "frames", "must be 1 or more");
    run->sample.operations = read_array(l, json, "operations", sizeof *run->sample.operations,
                                        &run->sample.operation_count, read_operation);
}

static void read_model(fm_profile_reader *l, const json_t *json, void *out)
{
    fm_report_model *model = out;
    model->name = fm_read_text(l, json, "name", true);
    model->file = fm_read_text(l, json, "file", true);
    model->backend = fm_read_text(l, json, "backend", true);
}

static void read_configuration(fm_profile_reader *l, const json_t *json, void *out)
{
    fm_bench_configuration *c = out;
    c->name = fm_read_text(l, json, "name", false);
    c->options = fm_read_text(l, json, "options", false);
    c->merged = fm_read_text(l, json, "merged_profile", true);
    c->tables = fm_read_text(l, json, "tables", true);
    c->steady = fm_read_bool(l, json, "steady");
    fm_read_fields(l, json, &fm_bench_facts_fields, &c->facts);
    c->facts.models = read_array(l, json, "models", sizeof *c->facts.models, &c->facts.model_count, read_model);
    c->runs = read_array(l, json, "runs", sizeof *c->runs, &c->run_count, read_run);
}

static void read_bench(fm_profile_reader *l, const json_t *root, fm_bench *bench)
{
    bench->status = fm_read_text(l, root, "status", false);
    read_object(l, root, "machine", &fm_machine_fields, &bench->machine);
    read_object(l, root, "build", &fm_build_fields, &bench->build);
    bench->sanitizers = fm_read_text(l, fm_read_object(l, root, "build"), "sanitizers", false);
    bench->configurations = read_array(l, root, "configurations", sizeof *bench->configurations,
                                       &bench->configuration_count, read_configuration);
    if (l->status == FM_OK && bench->configuration_count == 0)
        fm_read_bad(l, "configurations", "must not be empty");
    else if (bench->configuration_count > FM_BENCH_CONFIGURATIONS_MAX)
        fm_read_bad(l, "configurations", "must not hold more than %d elements", FM_BENCH_CONFIGURATIONS_MAX);
}

fm_status fm_bench_parse(const void *data, size_t size, const char *name, fm_bench **out, fm_error *err)
{
    fm_bench *bench;
    *out = NULL;
    if (fm_bench_create(&bench, err) != FM_OK)
        return FM_E_NO_MEMORY;
    fm_profile_reader l = {
        .name = name,
        .profile = bench->memory,
        .err = err,
        .what = "bench document",
        .maker = "facemirror bench",
    };
    json_t *root = fm_read_document(&l, data, size, FM_BENCH_SCHEMA);
    if (root)
        read_bench(&l, root, bench);
    json_decref(root);
    if (l.status == FM_OK)
        *out = bench;
    else
        fm_bench_free(&bench);
    return l.status;
}
