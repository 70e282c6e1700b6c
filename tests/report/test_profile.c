/* Profiles as documents: what is written is loaded, what is loaded is written, and several add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "document.h"

static void same_real(double a, double b)
{
    if (fabs(a - b) > 1e-14 * fabs(a))
        fail_msg("%.17g is not %.17g", a, b);
}

static void same_operation(const fmp_operation *a, const fmp_operation *b)
{
    assert_string_equal(a->category, b->category);
    assert_string_equal(a->operation, b->operation);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->total_ns, b->total_ns);
    assert_int_equal(a->self_ns, b->self_ns);
    assert_int_equal(a->recorded, b->recorded);
    assert_int_equal(a->children, b->children);
    assert_int_equal(a->inner, b->inner);
    assert_int_equal(a->min_ns, b->min_ns);
    assert_int_equal(a->max_ns, b->max_ns);
    assert_int_equal(a->first_ns, b->first_ns);
    same_real(a->mean_ns, b->mean_ns);
    same_real(a->stddev_ns, b->stddev_ns);
    assert_true(a->p50_ns == b->p50_ns && a->p90_ns == b->p90_ns);
    assert_true(a->p99_ns == b->p99_ns && a->p999_ns == b->p999_ns);
    assert_int_equal(a->threads, b->threads);
    assert_int_equal(a->histogram_count, b->histogram_count);
    for (size_t i = 0; i < a->histogram_count; i++) {
        assert_int_equal(a->histogram[i].index, b->histogram[i].index);
        assert_int_equal(a->histogram[i].count, b->histogram[i].count);
    }
    assert_int_equal(a->last_count, b->last_count);
    assert_memory_equal(a->last_ns, b->last_ns, a->last_count * sizeof a->last_ns[0]);
    assert_int_equal(a->measures, b->measures);
    if (a->measures & FMP_MEASURE_CPU)
        assert_int_equal(a->cpu_ns, b->cpu_ns);
    if (a->measures & FMP_MEASURE_MEMORY) {
        assert_true(a->rss_change == b->rss_change && a->rss_peak_change == b->rss_peak_change);
        assert_true(a->live_change == b->live_change && a->live_peak_change == b->live_peak_change);
    }
}

static void same_snapshot(const fmp_snapshot *a, const fmp_snapshot *b)
{
    assert_int_equal(a->operation_count, b->operation_count);
    for (size_t i = 0; i < a->operation_count; i++)
        same_operation(&a->operations[i], &b->operations[i]);
    assert_int_equal(a->thread_count, b->thread_count);
    for (size_t i = 0; i < a->thread_count; i++) {
        assert_string_equal(a->threads[i].name, b->threads[i].name);
        assert_int_equal(a->threads[i].busy_ns, b->threads[i].busy_ns);
        assert_int_equal(a->threads[i].cpu_ns, b->threads[i].cpu_ns);
        assert_int_equal(a->threads[i].scopes, b->threads[i].scopes);
    }
    assert_int_equal(a->metric_count, b->metric_count);
    for (size_t i = 0; i < a->metric_count; i++) {
        const fmp_metric_value *x = &a->metrics[i], *y = &b->metrics[i];
        assert_string_equal(x->category, y->category);
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->unit, y->unit);
        assert_true(x->gauge == y->gauge && x->count == y->count);
        if (x->gauge)
            assert_true(x->last == y->last && x->min == y->min && x->max == y->max);
        else
            assert_true(x->sum == y->sum);
        same_real(x->mean, y->mean);
    }
    assert_int_equal(a->self_ns, b->self_ns);
    assert_int_equal(a->scopes, b->scopes);
    assert_int_equal(a->lost, b->lost);
    assert_string_equal(a->clock, b->clock);
    assert_string_equal(a->clock_reason, b->clock_reason);
    same_real(a->clock_resolution_ns, b->clock_resolution_ns);
    same_real(a->clock_read_ns, b->clock_read_ns);
    same_real(a->cost.inside_ns, b->cost.inside_ns);
    same_real(a->cost.outside_ns, b->cost.outside_ns);
    assert_int_equal(a->cost_subtracted, b->cost_subtracted);
}

static void loading_gives_what_was_written(void **state)
{
    (void)state;
    fmp_snapshot *snapshot = sample_recorded();
    const fm_report_run run = sample_run();
    char *text = written(snapshot, &run);
    fm_profile *profile = loaded(text);
    same_snapshot(snapshot, profile->snapshot);
    const fm_report_run *r = &profile->run;
    assert_string_equal(r->program_version, run.program_version);
    assert_string_equal(r->input, run.input);
    assert_string_equal(r->status, run.status);
    assert_string_equal(r->runtime, run.runtime);
    assert_string_equal(r->encoder, run.encoder);
    assert_true(r->runs == 1 && r->width == 1080 && r->height == 1920 && r->threads == 6);
    assert_true(r->frames == 971 && r->frames_with_face == 960 && r->frames_damaged == 3);
    assert_true(r->wall_seconds == 120 && r->setup_seconds == 1.25 && r->covered_seconds == 118.8);
    assert_int_equal(r->peak_rss_bytes, run.peak_rss_bytes);
    const fm_report_breakdown *b = &r->models[0].breakdown;
    assert_true(r->models[0].has_breakdown);
    assert_false(r->models[1].has_breakdown);
    assert_string_equal(b->asked, "coreml");
    assert_null(b->reason);
    assert_int_equal(b->operators, 520);
    assert_int_equal(b->accelerator, 359);
    assert_int_equal(b->weight_bytes, 16049380);
    assert_int_equal(b->fallback_count, 2);
    assert_string_equal(b->fallbacks[1].type, "Resize");
    assert_int_equal(b->fallbacks[1].count, 9);
    assert_int_equal(r->model_count, 2);
    assert_string_equal(r->models[1].file, sample_models[1].file);
    assert_true(r->models[0].load_seconds == 0.0421);
    const fm_report_nodes *n = &r->models[0].nodes;
    assert_true(r->models[0].has_nodes && !r->models[1].has_nodes);
    assert_true(n->every == 32 && n->samples == 60 && n->nodes == 189 && n->boundaries == 3240 && n->base_known);
    assert_int_equal(n->boundary_ns, 500000000);
    assert_int_equal(n->type_count, 3);
    assert_string_equal(n->types[0].name, FM_REPORT_COMPILED);
    assert_int_equal(n->costliest_count, 2);
    assert_string_equal(n->costliest[1].name, sample_nodes[1].name);
    assert_int_equal(n->costliest[1].max_ns, 20000000);
    assert_int_equal(n->causes[1].boundary_ns, 140000000);
    assert_int_equal(r->note_count, 1);
    assert_string_equal(r->notes[0], sample_notes[0]);
    assert_true(profile->machine.cpu_count > 0);
    assert_non_null(profile->machine.os);
    assert_non_null(profile->build.compiler);

    char *again = rewritten(profile);
    assert_string_equal(text, again);
    free(again);
    free(text);
    fm_profile_free(&profile);
    assert_null(profile);
    fm_profile_free(&profile);
    fmp_snapshot_free(&snapshot);
}

static void a_real_recording_survives(void **state)
{
    (void)state;
    fmp_reset();
    fmp_thread_name("a name of 31 bytes, cut in \xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC");
    const fmp_metric *depth = fmp_gauge_get("QUEUE", "depth", "frames");
    const fmp_site *odd = fmp_site_get_measuring("odd \" \\ \x01 \xC3\xA9", "\t\n", FMP_MEASURE_CPU | FMP_MEASURE_MEMORY);
    for (int i = 0; i < 1000; i++) {
        FMP_SCOPE("REAL", "outer");
        FMP_SCOPE_SITE(odd);
        fmp_gauge_set(depth, i % 17);
        fmp_record(fmp_site_get("REAL", "elsewhere"), (uint64_t)i * 1000003u);
    }
    fmp_counter_add(fmp_counter_get("IO", "bytes", "B"), 123);
    fmp_snapshot *snapshot = fmp_snapshot_take();
    assert_non_null(snapshot);
    char *text = written(snapshot, NULL);
    fm_profile *profile = loaded(text);
    assert_int_equal(snapshot->operation_count, 3);
    /* The name of the thread was cut inside a character: it is replaced. */
    assert_int_equal(profile->snapshot->thread_count, 1);
    memcpy(snapshot->threads[0].name, profile->snapshot->threads[0].name, sizeof snapshot->threads[0].name);
    same_snapshot(snapshot, profile->snapshot);
    char *again = rewritten(profile);
    assert_string_equal(text, again);
    free(again);
    free(text);
    fm_profile_free(&profile);
    fmp_snapshot_free(&snapshot);
}

/* Large times: nanoseconds are kept as far as a double of seconds holds them, and texts settle at once. */
static void long_times_settle(void **state)
{
    (void)state;
    const uint64_t day = UINT64_C(86400) * 1000000000;
    const uint64_t times[] = {0, 1, 999999999, 1000000000, 49 * day + 1, 52 * day - 1, 60 * day + 1, 97 * day + 7,
                              105 * day + 1, 400 * day + 3, 100000 * day + 11};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        fmp_bucket bucket = {.index = fmp_bucket_of(times[i]), .count = 1};
        fmp_operation op = {.category = "LONG", .operation = "run", .count = 1, .total_ns = times[i], .self_ns = times[i],
                            .min_ns = times[i], .max_ns = times[i], .first_ns = times[i], .mean_ns = (double)times[i],
                            .histogram = &bucket, .histogram_count = 1, .last_ns = {times[i]}, .last_count = 1};
        fmp_snapshot *snapshot = fmp_snapshot_make(&op, 1, NULL, 0, NULL, 0);
        char *text = written(snapshot, NULL);
        fm_profile *profile = loaded(text);
        const uint64_t back = profile->snapshot->operations[0].total_ns;
        const uint64_t off = back > times[i] ? back - times[i] : times[i] - back;
        assert_true(off <= (times[i] < (uint64_t)1 << 52 ? 0 : times[i] >> 52));
        char *again = rewritten(profile);
        assert_string_equal(text, again);
        free(again);
        free(text);
        fm_profile_free(&profile);
        fmp_snapshot_free(&snapshot);
    }
}

/* What is derived from a time is derived from the time that stands in the file. */
static void derived_figures_agree_with_the_file(void **state)
{
    (void)state;
    fmp_snapshot *snapshot = sample_recorded();
    snapshot->cost = (fmp_cost){.inside_ns = 100.0 / 3, .outside_ns = 1e-3 / 7};
    for (int i = 1; i < 2000; i++) {
        const fm_report_run run = {.wall_seconds = i / 7.0, .covered_seconds = i / 9.0, .frames = 3 * i, .threads = 3};
        char *text = written(snapshot, &run);
        fm_profile *profile = loaded(text);
        char *again = rewritten(profile);
        assert_string_equal(text, again);
        free(again);
        free(text);
        fm_profile_free(&profile);
    }
    fmp_snapshot_free(&snapshot);
}

static void unknown_figures_stay_unknown(void **state)
{
    (void)state;
    const fm_report_run run = {.wall_seconds = (double)NAN, .covered_seconds = (double)INFINITY, .setup_seconds = -0.0};
    char *text = written(NULL, &run);
    fm_profile *profile = loaded(text);
    assert_true(isnan(profile->run.wall_seconds) && isnan(profile->run.covered_seconds));
    assert_null(profile->run.input);
    assert_int_equal(profile->snapshot->operation_count, 0);
    char *again = rewritten(profile);
    assert_string_equal(text, again);
    free(again);
    free(text);
    fm_profile_free(&profile);
}

static void the_text_of_a_loaded_profile_is_the_same(void **state)
{
    (void)state;
    fmp_snapshot *snapshot = sample_recorded();
    const fm_report_run run = sample_run();
    char *json = written(snapshot, &run);
    fm_profile *profile = loaded(json);
    char *first = capture_text(snapshot, &run, true);
    char *second = capture_text(profile->snapshot, &profile->run, true);
    assert_string_equal(first, second);
    free(second);
    free(first);
    free(json);
    fm_profile_free(&profile);
    fmp_snapshot_free(&snapshot);
}

static void merging_with_itself_doubles(void **state)
{
    (void)state;
    fmp_snapshot *snapshot = sample_recorded();
    const fm_report_run run = sample_run();
    char *text = written(snapshot, &run);
    fm_profile *one = loaded(text), *two = NULL;
    const fm_profile *const both[] = {one, one};
    fm_error err = {0};
    assert_int_equal(fm_profile_merge(both, 2, &two, &err), FM_OK);
    assert_true(two->run.runs == 2 && two->run.frames == 2 * 971 && two->run.wall_seconds == 240);
    assert_true(two->run.setup_seconds == 2.5 && two->run.threads == 6);
    assert_int_equal(two->run.peak_rss_bytes, run.peak_rss_bytes);
    assert_string_equal(two->run.input, "patient.mov");
    assert_string_equal(two->machine.os, one->machine.os);
    assert_string_equal(two->run.program_version, "0.1.0");
    assert_int_equal(two->run.note_count, 1); /* the same note once, and nothing differs */
    assert_int_equal(two->run.model_count, 2);
    assert_int_equal(two->run.models[0].breakdown.partitions, 28);
    assert_string_equal(two->run.models[0].breakdown.fallbacks[0].type, "Pad");
    assert_true(two->run.models[0].load_seconds == 2 * 0.0421);
    const fm_report_nodes *n = &two->run.models[0].nodes;
    assert_true(n->every == 32 && n->samples == 120 && n->nodes == 189 && n->lost_runs == 2 && n->base_known);
    assert_int_equal(n->type_count, 3);
    assert_int_equal(n->types[1].total_ns, 2400000000);
    assert_int_equal(n->types[1].nodes, 14);
    assert_int_equal(n->costliest_count, 2);
    assert_int_equal(n->costliest[0].count, 120);
    assert_int_equal(n->costliest[0].min_ns, 40000000);
    assert_int_equal(n->causes[0].boundary_ns, 720000000);
    assert_int_equal(two->snapshot->operation_count, snapshot->operation_count);
    assert_int_equal(two->snapshot->self_ns, 2 * snapshot->self_ns);
    assert_int_equal(two->snapshot->lost, 2 * snapshot->lost);
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        const fmp_operation *a = &snapshot->operations[i], *b = &two->snapshot->operations[i];
        assert_string_equal(a->operation, b->operation);
        assert_int_equal(b->count, 2 * a->count);
        assert_int_equal(b->total_ns, 2 * a->total_ns);
        assert_true(a->p50_ns == b->p50_ns && a->p90_ns == b->p90_ns && a->p99_ns == b->p99_ns);
        assert_true(fabs(a->mean_ns - b->mean_ns) < 1e-12 * a->mean_ns);
        assert_int_equal(b->histogram_count, a->histogram_count);
        for (size_t k = 0; k < a->histogram_count; k++)
            assert_int_equal(b->histogram[k].count, 2 * a->histogram[k].count);
    }
    /* What was merged is a profile like any other. */
    char *merged = rewritten(two);
    fm_profile *again = loaded(merged);
    same_snapshot(two->snapshot, again->snapshot);
    char *same = rewritten(again);
    assert_string_equal(merged, same);
    free(same);
    free(merged);
    free(text);
    fm_profile_free(&again);
    fm_profile_free(&two);
    fm_profile_free(&one);
    fmp_snapshot_free(&snapshot);
}

static bool has_note(const fm_profile *profile, const char *text)
{
    for (size_t i = 0; i < profile->run.note_count; i++)
        if (strstr(profile->run.notes[i], text))
            return true;
    return false;
}

static void differences_are_noted(void **state)
{
    (void)state;
    fmp_snapshot *snapshot = sample_recorded();
    fm_report_run run = sample_run(), other = sample_run();
    static const fm_report_model one_model[] = {
        {.name = "RetinaFace", .file = "retina.onnx", .backend = "onnx_cpu", .load_seconds = 0.5}};
    other.input = "second.mp4";
    other.encoder = "h264_nvenc";
    other.width = 640;
    other.models = one_model;
    other.model_count = 1;
    other.peak_rss_bytes = 2 * run.peak_rss_bytes;
    other.program_version = "0.2.0";
    char *a = written(snapshot, &run), *b = written(snapshot, &other);
    fm_profile *first = loaded(a), *second = loaded(b), *merged = NULL;
    second->machine.cpu_model = "another processor";
    second->build.optimised = !first->build.optimised;
    fmp_snapshot_subtract_cost(second->snapshot);
    const fm_profile *const both[] = {first, second, first};
    fm_error err = {0};
    assert_int_equal(fm_profile_merge(both, 3, &merged, &err), FM_OK);
    assert_int_equal(merged->run.runs, 3);
    assert_string_equal(merged->run.input, "patient.mov and others");
    assert_null(merged->run.encoder);
    assert_true(merged->run.width == 0 && merged->run.height == 1920);
    assert_int_equal(merged->run.peak_rss_bytes, other.peak_rss_bytes);
    assert_null(merged->machine.cpu_model);
    assert_non_null(merged->machine.os);
    assert_null(merged->run.program_version);
    assert_false(merged->build.optimised);
    assert_int_equal(merged->run.model_count, 3);
    assert_true(has_note(merged, "differ in their encoder: libx264 and h264_nvenc."));
    assert_true(has_note(merged, "another processor"));
    assert_true(has_note(merged, "differ in their builds' version: 0.1.0 and 0.2.0."));
    assert_true(has_note(merged, "differ in their models"));
    assert_true(has_note(merged, "own cost was taken out of some"));
    assert_false(has_note(merged, "input"));

    /* Once more with one of them: names do not grow. */
    const fm_profile *const more[] = {merged, first};
    fm_profile *all = NULL;
    assert_int_equal(fm_profile_merge(more, 2, &all, &err), FM_OK);
    assert_int_equal(all->run.runs, 4);
    assert_string_equal(all->run.input, "patient.mov and others");
    char *text = rewritten(all);
    fm_profile *again = loaded(text);
    free(text);
    fm_profile_free(&again);
    fm_profile_free(&all);
    fm_profile_free(&merged);
    fm_profile_free(&second);
    fm_profile_free(&first);
    free(b);
    free(a);
    fmp_snapshot_free(&snapshot);
}

static void what_cannot_be_merged_is_an_error(void **state)
{
    (void)state;
    fmp_bucket bucket = {.index = 1, .count = INT64_MAX / 2 + 1};
    fmp_operation op = {.category = "A", .operation = "a", .count = bucket.count, .min_ns = 1, .max_ns = 1, .mean_ns = 1,
                        .histogram = &bucket, .histogram_count = 1};
    fmp_snapshot *snapshot = fmp_snapshot_make(&op, 1, NULL, 0, NULL, 0);
    char *text = written(snapshot, NULL);
    fm_profile *one = loaded(text), *none = NULL;
    const fm_profile *const both[] = {one, one};
    fm_error err = {0};
    assert_int_equal(fm_profile_merge(both, 0, &none, &err), FM_E_USAGE);
    assert_null(none);
    err = (fm_error){0};
    assert_int_equal(fm_profile_merge(both, 2, &none, &err), FM_E_BAD_INPUT);
    assert_null(none);
    assert_non_null(strstr(err.message, "add up to more"));
    free(text);
    fm_profile_free(&one);
    fmp_snapshot_free(&snapshot);
}

static void files_are_loaded(void **state)
{
    (void)state;
    char path[] = "/tmp/fm_profile_XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");
    fmp_snapshot *snapshot = sample_recorded();
    fm_error err = {0};
    assert_int_equal(fm_report_json(out, snapshot, NULL, &err), FM_OK);
    fclose(out);
    fm_profile *profile = NULL;
    assert_int_equal(fm_profile_load(path, &profile, &err), FM_OK);
    same_snapshot(snapshot, profile->snapshot);
    fm_profile_free(&profile);
    unlink(path);
    assert_int_equal(fm_profile_load(path, &profile, &err), FM_E_NOT_FOUND);
    assert_null(profile);
    assert_non_null(strstr(err.message, path));
    fmp_snapshot_free(&snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_gives_what_was_written),
        cmocka_unit_test(a_real_recording_survives),
        cmocka_unit_test(long_times_settle),
        cmocka_unit_test(derived_figures_agree_with_the_file),
        cmocka_unit_test(unknown_figures_stay_unknown),
        cmocka_unit_test(the_text_of_a_loaded_profile_is_the_same),
        cmocka_unit_test(merging_with_itself_doubles),
        cmocka_unit_test(differences_are_noted),
        cmocka_unit_test(what_cannot_be_merged_is_an_error),
        cmocka_unit_test(files_are_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
