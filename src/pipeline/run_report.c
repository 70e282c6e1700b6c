#include "pipeline/run_report.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "advice/advice.h"
#include "facemirror/version.h"
#include "pipeline/node_facts.h"

/* Fewer frames than this say more about warm-up than about speed. */
enum { TINY_CLIP_FRAMES = 60 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FM_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define FM_SANITIZED 1
#endif
#endif

#if defined(__GNUC__) && !defined(__OPTIMIZE__)
#define FM_UNOPTIMISED 1
#endif

enum { NOTES_MAX = 8, NOTE_LENGTH = 400 };

typedef struct notes {
    char text[NOTES_MAX][NOTE_LENGTH];
    const char *list[NOTES_MAX];
    size_t count;
} notes;

static void note(notes *n, const char *text)
{
    if (n->count == NOTES_MAX)
        return;
    snprintf(n->text[n->count], NOTE_LENGTH, "%s", text);
    n->list[n->count] = n->text[n->count];
    n->count++;
}

/* What would make a reader draw wrong conclusions from the figures. */
static void collect_notes(notes *n, const fm_run_summary *summary, fm_status run_status)
{
    char text[NOTE_LENGTH];
#ifdef FM_SANITIZED
    note(n, "This is a sanitizer build: its times say nothing about a normal one.");
#elif defined(FM_UNOPTIMISED)
    note(n, "This is a debug build without optimisation: its times say nothing about a release build.");
#endif
    if (fm_slow_text()) {
        snprintf(text, sizeof text, "FACEMIRROR_SLOW made stages slower on purpose (%.200s): the times say nothing about this program.",
                 fm_slow_text());
        note(n, text);
    }
    if (summary->frames_written < TINY_CLIP_FRAMES) {
        snprintf(text, sizeof text,
                 "Only %lld frames: warm-up dominates; take a clip of %d frames or more before you compare.",
                 (long long)summary->frames_written, TINY_CLIP_FRAMES);
        note(n, text);
    }
    if (summary->frames_damaged > 0) {
        snprintf(text, sizeof text, "Damaged frames of the input that were skipped: %lld.",
                 (long long)summary->frames_damaged);
        note(n, text);
    }
    if (run_status != FM_OK && run_status != FM_E_DAMAGED) {
        snprintf(text, sizeof text, "The run ended early (%s): the figures cover the part before.",
                 fm_status_name(run_status));
        note(n, text);
    }
}

/* A model on the CPU that was asked for elsewhere by name. ("auto" may choose the CPU.) */
static void note_fallbacks(notes *n, const fm_report_model *models, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const fm_report_breakdown *b = &models[i].breakdown;
        char text[NOTE_LENGTH];
        if (!b->reason || strcasecmp(b->asked, "auto") == 0)
            continue;
        snprintf(text, sizeof text, "%s was asked for on %s and runs on %s: %s", models[i].name, b->asked,
                 models[i].backend, b->reason);
        note(n, text);
    }
}

static fm_status write_json(const char *path, const fmp_snapshot *snapshot, const fm_report_run *run,
                            fm_error *err)
{
    fm_outfile file;
    FILE *stream;
    fm_status status = fm_outfile_open(&file, path, true, err);
    if (status == FM_OK)
        status = fm_outfile_stream(&file, &stream, err);
    if (status != FM_OK)
        return status;
    status = fm_report_json(stream, snapshot, run, err);
    return fm_outfile_end(&file, stream, status, err);
}

/* Writes text and JSON of a snapshot. */
static fm_status write_report(const fm_run_options *o, const fmp_snapshot *snapshot, const fm_report_run *run,
                              const char *json_path, bool *json_written, fm_error *err)
{
    fm_status status = FM_OK;
    if (o->report) {
        const fm_report_options options = {
            .utf8 = o->report_utf8,
            .sort = o->profile.sort,
            .percentiles = o->profile.percentiles,
            .self = o->profile.self,
        };
        status = fm_report_text(o->report, snapshot, run, &options, err);
    }
    if (json_path) {
        const fm_status written = write_json(json_path, snapshot, run, err);
        *json_written = written == FM_OK;
        status = status == FM_OK ? written : status;
    }
    return status;
}

/* A copy that owns what it points to, of the facts and of the profiler's figures. */
static fm_status keep(const fm_report_run *run, bool subtract_cost, fm_profile **out, fm_error *err)
{
    fm_profile facts = {.run = *run, .snapshot = fmp_snapshot_take()};
    if (!facts.snapshot)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the profile");
    if (subtract_cost)
        fmp_snapshot_subtract_cost(facts.snapshot);
    const fm_profile *const one = &facts;
    const fm_status status = fm_profile_merge(&one, 1, out, err);
    fmp_snapshot_free(&facts.snapshot);
    return status;
}

fm_status fm_run_report_take(const fm_pipeline *p, const fm_run_summary *summary, fm_status run_status,
                             double setup_seconds, int threads, const fm_run_conditions *conditions,
                             fm_profile **out, fm_error *err)
{
    *out = NULL;
    fm_report_model models[FM_ROLES];
    notes n = {.count = 0};
    collect_notes(&n, summary, run_status);
    const int model_count = fm_face_models_describe(p->models, models);
    note_fallbacks(&n, models, (size_t)model_count);

    fm_report_pipeline pipeline;
    fm_ledger_report(p->ledger, &pipeline);
    pipeline.frames_converted = fm_reader_info(p->reader)->converted ? p->frames_read : 0;
    pipeline.frames_cropped_again = p->frames_cropped_again;
    pipeline.detections = p->detections;
    const fm_report_run run = {
        .program_version = FM_VERSION,
        .input = fm_path_name(p->options->input),
        .status = fm_status_name(run_status),
        .runtime = fm_face_models_runtime(p->models),
        .encoder = summary->encoder,
        .width = summary->width,
        .height = summary->height,
        .frames = summary->frames_written,
        .frames_with_face = summary->frames_with_face,
        .frames_damaged = summary->frames_damaged,
        .wall_seconds = summary->wall_seconds,
        .setup_seconds = setup_seconds,
        .covered_seconds = fm_ledger_covered_seconds(p->ledger),
        .peak_rss_bytes = conditions->peak_rss_bytes,
        .threads = threads,
        .models = models,
        .model_count = (size_t)model_count,
        .pipeline = &pipeline,
        .conditions = &conditions->out,
        .notes = n.list,
        .note_count = n.count,
    };
    fm_status status = fm_face_models_add_nodes(p->models, models, model_count, err);
    if (status == FM_OK)
        status = keep(&run, p->options->profile.subtract_cost, out, err);
    fm_face_models_free_nodes(models, model_count);
    return status;
}

fm_status fm_run_report_write(fm_profile *profile, const fm_run_options *options, const fm_advice_rules *rules,
                              const char *json_path, bool *json_written, fm_error *err)
{
    *json_written = false;
    fm_advice *advice = NULL;
    fm_status status = fm_advise(profile->snapshot, &profile->run, rules, &advice, err);
    if (status == FM_OK) {
        profile->run.findings = fm_advice_findings(advice);
        status = write_report(options, profile->snapshot, &profile->run, json_path, json_written, err);
        profile->run.findings = NULL;
    }
    fm_advice_free(&advice);
    return status;
}
