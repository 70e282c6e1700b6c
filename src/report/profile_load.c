/*
 * Loads a profile that may come from anywhere. Two steps: fm_read_document
 * checks the bytes and parses them; the members are checked where each is
 * read, with its path for the error.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/json_writer.h"
#include "report/profile_conditions.h"
#include "report/profile_fields.h"
#include "report/profile_memory.h"
#include "report/profile_nodes.h"
#include "report/profile_pipeline.h"
#include "report/profile_reader.h"
#include "report/profile_system.h"

/* --- the facts ------------------------------------------------------------- */

static void read_object(fm_profile_reader *l, const json_t *root, const char *key, const fm_fields *fields, void *out)
{
    const json_t *object = fm_read_object(l, root, key);
    const size_t before = fm_read_enter(l, key);
    fm_read_fields(l, object, fields, out);
    fm_read_leave(l, before);
}

/* Absent in profiles that an earlier version wrote. */
static void read_breakdown(fm_profile_reader *l, const json_t *model, fm_report_model *out)
{
    const json_t *value = l->status == FM_OK ? json_object_get(model, "breakdown") : NULL;
    if (!value || json_is_null(value))
        return;
    fm_report_breakdown *b = &out->breakdown;
    const json_t *object = fm_read_object(l, model, "breakdown");
    const size_t before = fm_read_enter(l, "breakdown");
    fm_read_fields(l, object, &fm_breakdown_fields, b);
    if (b->accelerator > b->operators)
        fm_read_bad(l, "accelerator", "must not be more than the operators");
    const json_t *array = fm_read_array(l, object, "fallbacks", false);
    fm_report_operator *list = fm_read_room(l, array, sizeof *list, &b->fallback_count);
    b->fallbacks = list;
    const size_t inside = fm_read_enter(l, "fallbacks");
    for (size_t i = 0; i < b->fallback_count; i++) {
        const size_t element = fm_read_enter_element(l, i);
        fm_read_fields(l, json_array_get(array, i), &fm_operator_fields, &list[i]);
        fm_read_leave(l, element);
    }
    fm_read_leave(l, inside);
    fm_read_leave(l, before);
    out->has_breakdown = l->status == FM_OK;
}

/* Absent in profiles that an earlier version wrote. */
static void read_role(fm_profile_reader *l, const json_t *model, fm_report_model *out)
{
    if (l->status == FM_OK && json_object_get(model, "role"))
        out->role = fm_read_text(l, model, "role", true);
}

static void read_models(fm_profile_reader *l, const json_t *root)
{
    const json_t *array = fm_read_array(l, root, "models", false);
    fm_report_run *run = &l->profile->run;
    fm_report_model *models = fm_read_room(l, array, sizeof *models, &run->model_count);
    run->models = models;
    const size_t before = fm_read_enter(l, "models");
    for (size_t i = 0; i < run->model_count; i++) {
        const size_t element = fm_read_enter_element(l, i);
        fm_read_fields(l, json_array_get(array, i), &fm_model_fields, &models[i]);
        read_role(l, json_array_get(array, i), &models[i]);
        read_breakdown(l, json_array_get(array, i), &models[i]);
        fm_nodes_read(l, json_array_get(array, i), &models[i]);
        fm_read_leave(l, element);
    }
    fm_read_leave(l, before);
}

static void read_notes(fm_profile_reader *l, const json_t *root)
{
    const json_t *array = fm_read_array(l, root, "notes", true);
    fm_report_run *run = &l->profile->run;
    const char **notes = fm_read_room(l, array, sizeof *notes, &run->note_count);
    run->notes = notes;
    for (size_t i = 0; i < run->note_count && l->status == FM_OK; i++) {
        const json_t *value = json_array_get(array, i);
        if (!json_is_string(value))
            fm_read_bad(l, "notes", "must hold text, and element %zu is none", i);
        else if (!(notes[i] = fm_profile_copy(l->profile, json_string_value(value))))
            fm_read_no_memory(l);
    }
}

static void read_facts(fm_profile_reader *l, const json_t *root)
{
    fm_profile *profile = l->profile;
    profile->run.runs = fm_read_integer(l, root, "runs", 1, INT64_MAX);
    read_object(l, root, "run", &fm_run_fields, &profile->run);
    read_object(l, root, "machine", &fm_machine_fields, &profile->machine);
    read_object(l, root, "build", &fm_build_fields, &profile->build);
    profile->run.program_version = profile->build.version;
    fm_conditions_read(l, root);
    read_models(l, root);
    fm_pipeline_read(l, root, &profile->run);
    fm_system_read(l, root);
    read_notes(l, root);
    const json_t *memory = fm_read_object(l, root, "memory");
    const size_t before = fm_read_enter(l, "memory");
    profile->run.peak_rss_bytes = memory ? fm_read_integer(l, memory, "peak_rss_bytes", 0, INT64_MAX) : 0;
    fm_read_leave(l, before);
}

/* --- the snapshot ------------------------------------------------------------ */

static void read_last(fm_profile_reader *l, const json_t *object, fmp_operation *op)
{
    const json_t *array = fm_read_array(l, object, "last", true);
    const size_t count = json_array_size(array);
    if (count > FMP_LAST)
        fm_read_bad(l, "last", "must not hold more than %d durations", FMP_LAST);
    for (size_t i = 0; i < count && l->status == FM_OK; i++) {
        const json_t *value = json_array_get(array, i);
        const double seconds = json_number_value(value);
        if (!json_is_number(value) || !(seconds >= 0 && seconds <= FM_SECONDS_MAX))
            fm_read_bad(l, "last", "must hold seconds, and element %zu is none", i);
        else
            op->last_ns[op->last_count++] = fm_json_nanoseconds(seconds);
    }
}

static void read_histogram(fm_profile_reader *l, const json_t *object, fmp_operation *op)
{
    const json_t *array = fm_read_array(l, object, "histogram", true);
    if (json_array_size(array) > FMP_HISTOGRAM_BUCKETS)
        fm_read_bad(l, "histogram", "must not hold more than %d buckets", FMP_HISTOGRAM_BUCKETS);
    size_t count;
    fmp_bucket *buckets = fm_read_room(l, array, sizeof *buckets, &count);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(array, i);
        const json_t *index = json_array_get(pair, 0), *calls = json_array_get(pair, 1);
        const json_int_t at = json_integer_value(index), n = json_integer_value(calls);
        if (json_array_size(pair) != 2 || !json_is_integer(index) || !json_is_integer(calls) || n < 1 || at < 0 ||
            at >= FMP_HISTOGRAM_BUCKETS || (i > 0 && at <= buckets[i - 1].index)) {
            fm_read_bad(l, "histogram", "must hold pairs [bucket, calls], buckets below %d and rising, "
                                        "and element %zu is none", FMP_HISTOGRAM_BUCKETS, i);
            return;
        }
        buckets[i] = (fmp_bucket){.index = (uint32_t)at, .count = (uint64_t)n};
        sum += buckets[i].count; /* below 2^64: the sum before is at most the count, below 2^63 */
        if (sum > op->count)
            break;
    }
    if (sum != op->count)
        fm_read_bad(l, "histogram", "must add up to the count, %llu", (unsigned long long)op->count);
    op->histogram = buckets;
    op->histogram_count = count;
}

static void read_measures(fm_profile_reader *l, const json_t *object, fmp_operation *op)
{
    const json_t *cpu = fm_read_member(l, object, "cpu_seconds");
    if (cpu && !json_is_null(cpu)) {
        op->cpu_ns = fm_read_seconds(l, object, "cpu_seconds");
        op->measures |= FMP_MEASURE_CPU;
    }
    const json_t *memory = fm_read_member(l, object, "memory");
    if (memory && !json_is_null(memory)) {
        memory = fm_read_object(l, object, "memory");
        const size_t before = fm_read_enter(l, "memory");
        fm_read_fields(l, memory, &fm_change_fields, op);
        fm_read_leave(l, before);
        op->measures |= FMP_MEASURE_MEMORY;
    }
}

static void read_operation(fm_profile_reader *l, const json_t *object, fmp_operation *op)
{
    fm_read_fields(l, object, &fm_operation_fields, op);
    read_measures(l, object, op);
    read_last(l, object, op);
    read_histogram(l, object, op);
    if (l->status != FM_OK)
        return;
    if (op->count == 0)
        fm_read_bad(l, "count", "must be 1 or more");
    else if (op->min_ns > op->max_ns)
        fm_read_bad(l, "min", "must not be above max");
    else if (op->mean_ns > 1 + (1 + 1e-12) * (double)op->max_ns) /* it may be below min, with the cost subtracted */
        fm_read_bad(l, "avg_seconds", "must not be above max");
    else if (op->recorded > op->count)
        fm_read_bad(l, "recorded", "must not be above count");
}

typedef struct operations {
    fmp_operation *list;
    size_t count, room;
} operations;

static void read_category(fm_profile_reader *l, const json_t *category, operations *all)
{
    const char *name = fm_read_text(l, category, "name", false);
    const json_t *array = fm_read_array(l, category, "operations", false);
    const size_t before = fm_read_enter(l, "operations");
    for (size_t i = 0; i < json_array_size(array) && l->status == FM_OK; i++) {
        const size_t element = fm_read_enter_element(l, i);
        fmp_operation *op = &all->list[all->count++];
        op->category = name;
        read_operation(l, json_array_get(array, i), op);
        fm_read_leave(l, element);
    }
    fm_read_leave(l, before);
}

static int by_name(const void *a, const void *b)
{
    const fmp_operation *x = *(const fmp_operation *const *)a, *y = *(const fmp_operation *const *)b;
    const int order = strcmp(x->category, y->category);
    return order ? order : strcmp(x->operation, y->operation);
}

/* Each operation stands once, and sums of all stay in the range of what is derived from them. */
static void check_operations(fm_profile_reader *l, const operations *all)
{
    const fmp_operation **sorted = malloc((all->count + 1) * sizeof *sorted);
    if (!sorted) {
        fm_read_no_memory(l);
        return;
    }
    double calls = 0, self = 0;
    for (size_t i = 0; i < all->count; i++) {
        sorted[i] = &all->list[i];
        calls += (double)all->list[i].count;
        self += (double)all->list[i].self_ns;
    }
    qsort(sorted, all->count, sizeof *sorted, by_name);
    for (size_t i = 1; i < all->count; i++)
        if (by_name(&sorted[i - 1], &sorted[i]) == 0)
            fm_read_bad(l, "categories", "must not hold the operation '%.40s' of '%.40s' twice", sorted[i]->operation,
                        sorted[i]->category);
    if (calls > 9e18 || self > 9e18)
        fm_read_bad(l, "categories", "must not add up to more than 9e18 calls or nanoseconds");
    free(sorted);
}

static operations read_categories(fm_profile_reader *l, const json_t *root)
{
    const json_t *array = fm_read_array(l, root, "categories", false);
    operations all = {0};
    for (size_t i = 0; i < json_array_size(array); i++)
        all.room += json_array_size(json_object_get(json_array_get(array, i), "operations"));
    if (all.room > FM_READ_ITEMS_MAX)
        fm_read_bad(l, "categories", "must not hold more than %d operations", FM_READ_ITEMS_MAX);
    else
        all.list = fm_profile_allocate(l->profile, all.room + 1, sizeof *all.list);
    if (!all.list) {
        fm_read_no_memory(l);
        return all;
    }
    const size_t before = fm_read_enter(l, "categories");
    for (size_t i = 0; i < json_array_size(array) && l->status == FM_OK; i++) {
        const size_t element = fm_read_enter_element(l, i);
        read_category(l, json_array_get(array, i), &all);
        fm_read_leave(l, element);
    }
    fm_read_leave(l, before);
    if (l->status == FM_OK)
        check_operations(l, &all);
    return all;
}

static fmp_thread *read_threads(fm_profile_reader *l, const json_t *root, size_t *count)
{
    const json_t *array = fm_read_array(l, root, "threads", false);
    fmp_thread *threads = fm_read_room(l, array, sizeof *threads, count);
    const size_t before = fm_read_enter(l, "threads");
    for (size_t i = 0; i < *count && l->status == FM_OK; i++) {
        const size_t element = fm_read_enter_element(l, i);
        const json_t *object = json_array_get(array, i);
        fm_read_short_text(l, object, "name", threads[i].name, sizeof threads[i].name);
        fm_read_fields(l, object, &fm_thread_fields, &threads[i]);
        if (l->status == FM_OK && threads[i].scopes == 0)
            fm_read_bad(l, "scopes", "must be 1 or more");
        fm_read_leave(l, element);
    }
    fm_read_leave(l, before);
    return threads;
}

static void read_metric(fm_profile_reader *l, const json_t *object, fmp_metric_value *metric)
{
    fm_read_fields(l, object, &fm_metric_fields, metric);
    const char *kind = fm_read_text(l, object, "kind", false);
    if (!kind)
        return;
    metric->gauge = strcmp(kind, "gauge") == 0;
    if (!metric->gauge && strcmp(kind, "counter") != 0)
        fm_read_bad(l, "kind", "must be \"counter\" or \"gauge\"");
    fm_read_fields(l, object, metric->gauge ? &fm_gauge_fields : &fm_counter_fields, metric);
    if (l->status == FM_OK && metric->count == 0)
        fm_read_bad(l, "updates", "must be 1 or more");
}

static fmp_metric_value *read_metrics(fm_profile_reader *l, const json_t *root, size_t *count)
{
    const json_t *array = fm_read_array(l, root, "metrics", false);
    fmp_metric_value *metrics = fm_read_room(l, array, sizeof *metrics, count);
    const size_t before = fm_read_enter(l, "metrics");
    for (size_t i = 0; i < *count && l->status == FM_OK; i++) {
        const size_t element = fm_read_enter_element(l, i);
        read_metric(l, json_array_get(array, i), &metrics[i]);
        fm_read_leave(l, element);
    }
    fm_read_leave(l, before);
    return metrics;
}

static void read_snapshot(fm_profile_reader *l, const json_t *root)
{
    size_t thread_count, metric_count;
    const operations all = read_categories(l, root);
    const fmp_thread *threads = read_threads(l, root, &thread_count);
    const fmp_metric_value *metrics = read_metrics(l, root, &metric_count);
    if (l->status != FM_OK)
        return;
    fmp_snapshot *snapshot =
        fmp_snapshot_make(all.list, all.count, threads, thread_count, metrics, metric_count);
    if (!snapshot) {
        fm_read_no_memory(l);
        return;
    }
    l->profile->snapshot = snapshot;
    const json_t *profiler = fm_read_object(l, root, "profiler");
    const size_t before = fm_read_enter(l, "profiler");
    fm_read_short_text(l, profiler, "clock", snapshot->clock, sizeof snapshot->clock);
    fm_read_short_text(l, profiler, "clock_reason", snapshot->clock_reason, sizeof snapshot->clock_reason);
    fm_read_fields(l, profiler, &fm_profiler_fields, snapshot);
    fm_read_leave(l, before);
}

/* --- the file ------------------------------------------------------------- */

fm_status fm_profile_parse(const void *data, size_t size, const char *name, fm_profile **out, fm_error *err)
{
    *out = NULL;
    fm_profile *profile = calloc(1, sizeof *profile);
    fm_profile_reader l = {.name = name, .profile = profile, .err = err};
    if (!profile)
        fm_read_no_memory(&l);
    json_t *root = fm_read_document(&l, data, size, FM_PROFILE_SCHEMA);
    if (root)
        read_facts(&l, root);
    if (l.status == FM_OK)
        read_snapshot(&l, root);
    json_decref(root);
    if (l.status == FM_OK)
        *out = profile;
    else
        fm_profile_free(&profile);
    return l.status;
}

fm_status fm_profile_load(const char *path, fm_profile **out, fm_error *err)
{
    uint8_t *data;
    size_t size;
    *out = NULL;
    fm_status status = fm_file_read(path, FM_PROFILE_BYTES_MAX, &data, &size, err);
    if (status == FM_OK)
        status = fm_profile_parse(data, size, path, out, err);
    free(data);
    return status;
}
