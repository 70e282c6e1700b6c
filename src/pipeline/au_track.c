#include "pipeline/au_track.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fmprof/fmprof.h"
#include "pipeline/au_csv.h"
#include "pipeline/au_spool.h"

/* Frames this near to --neutral T count as neutral. */
#define NEUTRAL_WINDOW_SECONDS 0.1

/* Rows that may wait for a batch: frames without a face come between those of it, and keep their place. */
enum { PENDING_MAX = 4 * FM_AU_BATCH_MAX };

struct fm_au_track {
    fm_au_track_options options;
    fm_au_features given_neutral;
    fm_outfile csv;
    fm_au_spool *spool;
    fm_au_estimator *estimator;
    fm_au_neutral *clip_neutral, *time_neutral;
    fm_au_row pending[PENDING_MAX]; /* in frame order; empty, or the first one waits */
    int pending_count;
    fm_au_sample *waiting[FM_AU_BATCH_MAX]; /* those of them that the estimator has not completed */
    int waiting_count;
};

fm_status fm_au_track_create(fm_au_track **out, fm_au_estimator **estimator, const char *csv_path,
                             const fm_au_track_options *options, fm_error *err)
{
    *out = NULL;
    fm_au_track *t = calloc(1, sizeof *t);
    if (!t) {
        fm_au_estimator_destroy(estimator);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the table '%s'", csv_path);
    }
    t->estimator = *estimator;
    *estimator = NULL;
    t->options = *options;
    if (options->neutral_features)
        t->given_neutral = *options->neutral_features;
    t->options.neutral_features = NULL;
    fm_status status = fm_outfile_open(&t->csv, csv_path, options->overwrite, err);
    if (status == FM_OK)
        status = fm_au_spool_create(&t->spool, &t->csv, err);
    if (status == FM_OK)
        status = fm_au_neutral_create(&t->clip_neutral, err);
    if (status == FM_OK)
        status = fm_au_neutral_create(&t->time_neutral, err);
    if (status != FM_OK) {
        fm_au_track_destroy(&t);
        return status;
    }
    *out = t;
    return FM_OK;
}

void fm_au_track_destroy(fm_au_track **track)
{
    fm_au_track *t = *track;
    if (!t)
        return;
    fm_au_neutral_destroy(&t->time_neutral);
    fm_au_neutral_destroy(&t->clip_neutral);
    fm_au_estimator_destroy(&t->estimator);
    fm_au_spool_destroy(&t->spool);
    fm_outfile_discard(&t->csv);
    free(t);
    *track = NULL;
}

/* --- frames ---------------------------------------------------------------- */

static void note_neutral(fm_au_track *t, const fm_au_row *row)
{
    if (!row->sample.has_features)
        return;
    fm_au_neutral_add(t->clip_neutral, &row->sample.features);
    if (t->options.neutral == FM_NEUTRAL_TIME &&
        fabs(row->seconds - t->options.neutral_seconds) <= NEUTRAL_WINDOW_SECONDS)
        fm_au_neutral_add(t->time_neutral, &row->sample.features);
}

/* Completes what waits and moves all pending rows to the spool. */
static fm_status settle(fm_au_track *t, fm_error *err)
{
    fm_status status = FM_OK;
    if (t->waiting_count > 0)
        status = t->estimator->kind->run(t->estimator, t->waiting, t->waiting_count, err);
    for (int i = 0; i < t->pending_count && status == FM_OK; i++) {
        note_neutral(t, &t->pending[i]);
        status = fm_au_spool_add(t->spool, &t->pending[i], err);
    }
    t->pending_count = t->waiting_count = 0;
    return status;
}

fm_status fm_au_track_frame(fm_au_track *t, const fm_work *work, const fm_image *mirrored,
                            fm_error *err)
{
    fm_au_row *row = &t->pending[t->pending_count++];
    memset(row, 0, sizeof *row); /* its padding goes to the file, too */
    row->index = work->index;
    row->seconds = work->seconds;
    if (work->face.found && work->has_line && work->has_pose) {
        const fm_au_view view = {&work->face, &work->pose, &work->line, t->options.side, mirrored};
        bool waits = false;
        const fm_status status = t->estimator->kind->measure(t->estimator, &view, &row->sample, &waits, err);
        if (status != FM_OK)
            return status;
        if (waits)
            t->waiting[t->waiting_count++] = &row->sample;
    }
    const bool full = t->waiting_count == t->estimator->batch || t->pending_count == PENDING_MAX;
    return full || t->waiting_count == 0 ? settle(t, err) : FM_OK;
}

/* --- the table ------------------------------------------------------------- */

static bool choose_neutral(const fm_au_track *t, fm_au_features *neutral)
{
    if (t->options.neutral == FM_NEUTRAL_IMAGE) {
        *neutral = t->given_neutral;
        return true;
    }
    if (t->options.neutral == FM_NEUTRAL_TIME && fm_au_neutral_estimate(t->time_neutral, neutral))
        return true;
    memset(neutral, 0, sizeof *neutral);
    fm_au_neutral_estimate(t->clip_neutral, neutral); /* no face at all: no row uses it */
    return t->options.neutral == FM_NEUTRAL_CLIP;
}

static fm_status write_rows(fm_au_track *t, FILE *csv, const fm_au_features *neutral, fm_error *err)
{
    const fm_au_estimator *e = t->estimator;
    fm_au_csv_header(csv, e->tells_emotion);
    fm_au_row row;
    bool there = true;
    fm_status status = fm_au_spool_rewind(t->spool, err);
    while (status == FM_OK && (status = fm_au_spool_next(t->spool, &row, &there, err)) == FM_OK && there) {
        fm_au_result units = {{0}, {0}};
        if (row.sample.success)
            e->kind->units(e, &row.sample, neutral, &units);
        fm_au_csv_row(csv, &row, &units, e->tells_emotion);
    }
    return status;
}

fm_status fm_au_track_finish(fm_au_track *t, bool *used_clip_neutral, fm_error *err)
{
    *used_clip_neutral = false;
    fm_status status = settle(t, err);
    if (status != FM_OK)
        return status;
    FMP_SCOPE("AU_EXTRACTION", "au_write_csv");
    fm_au_features neutral;
    *used_clip_neutral = !choose_neutral(t, &neutral);
    FILE *csv;
    status = fm_outfile_stream(&t->csv, &csv, err);
    if (status != FM_OK)
        return status;
    status = write_rows(t, csv, &neutral, err);
    const bool failed = ferror(csv) != 0;
    if ((fclose(csv) != 0 || failed) && status == FM_OK)
        status = fm_outfile_failed(&t->csv, err);
    return status;
}

fm_status fm_au_track_commit(fm_au_track *t, fm_error *err)
{
    return fm_outfile_commit(&t->csv, err);
}
