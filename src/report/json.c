/* The profile as JSON; docs/profile-json.md says what each member means. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/figures.h"
#include "export/utf8.h"
#include "machine.h"
#include "report.h"

/* Nanoseconds in double-precision seconds need no more: 15 digits are what a double holds. */
#define PROFILE_JSON_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(15))

static const char schema[] = "facemirror-profile/1";

/* Members are added through these; a failed allocation is noted once, for the end. */
typedef struct builder {
    bool failed;
} builder;

static void put(builder *b, json_t *object, const char *key, json_t *value)
{
    if (!value || json_object_set_new(object, key, value) != 0) /* both take over `value` */
        b->failed = true;
}

static void append(builder *b, json_t *array, json_t *value)
{
    if (!value || json_array_append_new(array, value) != 0)
        b->failed = true;
}

static void put_text(builder *b, json_t *object, const char *key, const char *text)
{
    if (!text) {
        put(b, object, key, json_null());
        return;
    }
    char *valid = fmp_utf8_valid_copy(text);
    put(b, object, key, valid ? json_string(valid) : NULL);
    free(valid);
}

/* JSON knows neither NaN nor infinity: null says that there is no such figure. */
static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void put_real(builder *b, json_t *object, const char *key, double value)
{
    put(b, object, key, real(value));
}

static void put_seconds(builder *b, json_t *object, const char *key, double nanoseconds)
{
    put_real(b, object, key, nanoseconds * 1e-9);
}

static void put_count(builder *b, json_t *object, const char *key, uint64_t value)
{
    put(b, object, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

static void put_integer(builder *b, json_t *object, const char *key, int64_t value)
{
    put(b, object, key, json_integer(value));
}

static json_t *new_object(builder *b)
{
    json_t *object = json_object();
    if (!object)
        b->failed = true;
    return object;
}

static json_t *run_object(builder *b, const fmp_snapshot *snapshot, const fm_report_run *run)
{
    json_t *o = new_object(b);
    double frames = (double)run->frames, wall = run->wall_seconds;
    double self = snapshot ? (double)snapshot->self_ns * 1e-9 : 0;
    put_text(b, o, "input", run->input);
    put_text(b, o, "status", run->status);
    put_text(b, o, "runtime", run->runtime);
    put_text(b, o, "encoder", run->encoder);
    put_integer(b, o, "width", run->width);
    put_integer(b, o, "height", run->height);
    put_integer(b, o, "frames", run->frames);
    put_integer(b, o, "frames_with_face", run->frames_with_face);
    put_integer(b, o, "frames_damaged", run->frames_damaged);
    put_real(b, o, "wall_seconds", wall);
    put_real(b, o, "setup_seconds", run->setup_seconds);
    put_real(b, o, "covered_seconds", run->covered_seconds);
    put_real(b, o, "covered_share", fmp_ratio(run->covered_seconds, wall));
    put_real(b, o, "profiled_seconds", self);
    put_real(b, o, "effective_fps", fmp_ratio(frames, wall));
    put_real(b, o, "seconds_per_frame", fmp_ratio(wall, frames));
    put_real(b, o, "parallelism", fmp_ratio(self, wall));
    put_integer(b, o, "peak_rss_bytes", run->peak_rss_bytes);
    put_integer(b, o, "threads", run->threads);
    return o;
}

static json_t *machine_object(builder *b)
{
    fm_machine machine;
    fm_machine_read(&machine);
    json_t *o = new_object(b);
    put_text(b, o, "os", machine.os);
    put_text(b, o, "architecture", machine.architecture);
    put_integer(b, o, "cpu_count", machine.cpu_count);
    put_text(b, o, "cpu_model", machine.cpu_model[0] ? machine.cpu_model : NULL);
    return o;
}

static json_t *build_object(builder *b, const fm_report_run *run)
{
    json_t *o = new_object(b);
    put_text(b, o, "version", run->program_version);
    put_text(b, o, "compiler", fm_build_compiler());
    put(b, o, "optimised", json_boolean(fm_build_optimised()));
    put(b, o, "assertions", json_boolean(fm_build_assertions()));
    return o;
}

static json_t *models_array(builder *b, const fm_report_run *run)
{
    json_t *array = json_array();
    for (size_t i = 0; i < run->model_count; i++) {
        json_t *o = new_object(b);
        put_text(b, o, "name", run->models[i].name);
        put_text(b, o, "file", run->models[i].file);
        put_text(b, o, "backend", run->models[i].backend);
        put_real(b, o, "load_seconds", run->models[i].load_seconds);
        append(b, array, o);
    }
    return array;
}

static json_t *operation_object(builder *b, const fmp_operation *op, const fmp_category *category)
{
    json_t *o = new_object(b);
    put_text(b, o, "name", op->operation);
    put_count(b, o, "count", op->count);
    put_seconds(b, o, "total_seconds", (double)op->total_ns);
    put_seconds(b, o, "self_seconds", (double)op->self_ns);
    put_seconds(b, o, "avg_seconds", op->mean_ns);
    put_seconds(b, o, "min", (double)op->min_ns);
    put_seconds(b, o, "max", (double)op->max_ns);
    put_seconds(b, o, "first", (double)op->first_ns);
    put_seconds(b, o, "stddev", op->stddev_ns);
    put_seconds(b, o, "p50", op->p50_ns);
    put_seconds(b, o, "p90", op->p90_ns);
    put_seconds(b, o, "p99", op->p99_ns);
    put_real(b, o, "share", fmp_ratio((double)op->self_ns, (double)category->self_ns));
    put_integer(b, o, "threads", op->threads);
    return o;
}

static json_t *categories_array(builder *b, const fmp_snapshot *snapshot)
{
    size_t count = 0;
    fmp_category *categories = fmp_categories(snapshot, &count);
    json_t *array = json_array();
    if (!categories)
        b->failed = true;
    for (size_t i = 0; i < count; i++) {
        const fmp_category *category = &categories[i];
        json_t *o = new_object(b), *operations = json_array();
        put_text(b, o, "name", category->name);
        put_seconds(b, o, "self_seconds", (double)category->self_ns);
        put_real(b, o, "share", fmp_ratio((double)category->self_ns, (double)snapshot->self_ns));
        for (size_t k = 0; k < category->count; k++)
            append(b, operations, operation_object(b, &category->operations[k], category));
        put(b, o, "operations", operations);
        append(b, array, o);
    }
    free(categories);
    return array;
}

static json_t *threads_array(builder *b, const fmp_snapshot *snapshot, double wall_seconds)
{
    json_t *array = json_array();
    for (size_t i = 0; snapshot && i < snapshot->thread_count; i++) {
        const fmp_thread *thread = &snapshot->threads[i];
        json_t *o = new_object(b);
        put_text(b, o, "name", thread->name);
        put_seconds(b, o, "busy_seconds", (double)thread->busy_ns);
        put_real(b, o, "share_of_wall", fmp_ratio((double)thread->busy_ns * 1e-9, wall_seconds));
        put_count(b, o, "scopes", thread->scopes);
        append(b, array, o);
    }
    return array;
}

static json_t *profiler_object(builder *b, const fmp_snapshot *snapshot)
{
    json_t *o = new_object(b);
    put_text(b, o, "clock", snapshot ? snapshot->clock : NULL);
    put_real(b, o, "scope_cost_ns",
             snapshot ? snapshot->cost.inside_ns + snapshot->cost.outside_ns : (double)NAN);
    put_count(b, o, "scopes", snapshot ? snapshot->scopes : 0);
    put_count(b, o, "lost", snapshot ? snapshot->lost : 0);
    put_real(b, o, "percentile_error", 0.01);
    return o;
}

static json_t *notes_array(builder *b, const fm_report_run *run)
{
    json_t *array = json_array();
    for (size_t i = 0; i < run->note_count; i++) {
        char *valid = fmp_utf8_valid_copy(run->notes[i] ? run->notes[i] : "");
        append(b, array, valid ? json_string(valid) : NULL);
        free(valid);
    }
    return array;
}

fm_status fm_report_json(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run,
                         fm_error *err)
{
    static const fm_report_run no_run = {0};
    run = run ? run : &no_run;
    builder b = {false};
    json_t *root = new_object(&b);
    put_text(&b, root, "schema", schema);
    put(&b, root, "run", run_object(&b, snapshot, run));
    put(&b, root, "machine", machine_object(&b));
    put(&b, root, "build", build_object(&b, run));
    put(&b, root, "models", models_array(&b, run));
    put(&b, root, "categories", categories_array(&b, snapshot));
    put(&b, root, "threads", threads_array(&b, snapshot, run->wall_seconds));
    put(&b, root, "profiler", profiler_object(&b, snapshot));
    put(&b, root, "notes", notes_array(&b, run));

    fm_status status = FM_OK;
    if (b.failed) {
        status = fm_fail(err, FM_E_NO_MEMORY,
                         "Cannot write the profile: out of memory; close other programs.");
    } else {
        errno = 0;
        int dumped = json_dumpf(root, out, PROFILE_JSON_FLAGS);
        if (dumped != 0 || fputc('\n', out) == EOF || fflush(out) != 0 || ferror(out)) {
            int cause = errno ? errno : EIO;
            status = fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT),
                             "Cannot write the profile: %s; check the output folder.",
                             strerror(cause));
        }
    }
    json_decref(root);
    return status;
}
