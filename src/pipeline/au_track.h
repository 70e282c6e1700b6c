/*
 * The action units of one mirrored face over a clip: hands each frame to an
 * estimator, keeps the samples in frame order until the end, when the neutral
 * face is known, and writes the CSV.
 *
 * Thread-safety: Unsafe; one stage at a time.
 */
#ifndef FM_PIPELINE_AU_TRACK_H
#define FM_PIPELINE_AU_TRACK_H

#include "base/file.h"
#include "pipeline/au_estimator.h"
#include "pipeline/work.h"

typedef struct fm_au_track fm_au_track;

typedef struct fm_au_track_options {
    fm_side side;
    fm_neutral_kind neutral;
    double neutral_seconds;               /* with FM_NEUTRAL_TIME */
    const fm_au_features *neutral_features; /* with FM_NEUTRAL_IMAGE; copied */
    bool overwrite;
} fm_au_track_options;

/* Takes the estimator over, also when it fails: *estimator is NULL afterwards. */
fm_status fm_au_track_create(fm_au_track **out, fm_au_estimator **estimator, const char *csv_path,
                             const fm_au_track_options *options, fm_error *err);
void fm_au_track_destroy(fm_au_track **track);

/*
 * Measures one frame of which `mirrored` is the mirrored picture, which is not needed any more afterwards. Every
 * frame must be given, also those without a face.
 */
fm_status fm_au_track_frame(fm_au_track *track, const fm_work *work, const fm_image *mirrored,
                            fm_error *err);

/*
 * Writes the CSV, one row a frame, under its partial name. *used_clip_neutral
 * is set when another neutral was asked for and no face was found there.
 */
fm_status fm_au_track_finish(fm_au_track *track, bool *used_clip_neutral, fm_error *err);
fm_status fm_au_track_commit(fm_au_track *track, fm_error *err);

#endif
