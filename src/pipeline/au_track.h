/*
 * The action units of one mirrored face over a clip: measures features frame
 * by frame from the mirrored picture in memory, keeps them in an unlinked
 * spool file (memory does not grow with the clip), and writes the CSV at the
 * end, when the neutral face is known.
 *
 * Thread-safety: Unsafe; one stage at a time.
 */
#ifndef FM_PIPELINE_AU_TRACK_H
#define FM_PIPELINE_AU_TRACK_H

#include "base/file.h"
#include "face/action_units.h"
#include "pipeline/face_models.h"
#include "pipeline/work.h"

typedef struct fm_au_track fm_au_track;

typedef struct fm_au_track_options {
    fm_side side;
    fm_neutral_kind neutral;
    double neutral_seconds;               /* with FM_NEUTRAL_TIME */
    const fm_au_features *neutral_features; /* with FM_NEUTRAL_IMAGE; copied */
    bool overwrite;
} fm_au_track_options;

fm_status fm_au_track_create(fm_au_track **out, fm_face_models *models, const char *csv_path,
                             const fm_au_track_options *options, fm_error *err);
void fm_au_track_destroy(fm_au_track **track);

/* Measures one frame of which `mirrored` is the mirrored picture. Every frame must be given, also those without a face. */
fm_status fm_au_track_frame(fm_au_track *track, const fm_work *work, const fm_image *mirrored,
                            fm_error *err);

/*
 * Writes the CSV, one row a frame, under its partial name. *used_clip_neutral
 * is set when another neutral was asked for and no face was found there.
 */
fm_status fm_au_track_finish(fm_au_track *track, bool *used_clip_neutral, fm_error *err);
fm_status fm_au_track_commit(fm_au_track *track, fm_error *err);

/*
 * Features of one mirrored picture: the roi is where the mirrored face must
 * be, from the source landmarks, their pose and the midline. *confidence is the presence
 * score; *found says whether the features are valid.
 */
fm_status fm_au_measure_mirrored(fm_face_runner *runner, const fm_topology *topology,
                                 const fm_point3 *points, const fm_pose *pose,
                                 const fm_line *line, fm_side keep, const fm_image *mirrored,
                                 fm_au_features *features,
                                 float *confidence, bool *found, fm_error *err);

#endif
