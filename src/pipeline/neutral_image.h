/*
 * Features of the neutral face from a still picture (--neutral-image): the
 * still goes through the same steps as a frame of the clip.
 *
 * Thread-safety: Safe on distinct outputs.
 */
#ifndef FM_PIPELINE_NEUTRAL_IMAGE_H
#define FM_PIPELINE_NEUTRAL_IMAGE_H

#include "face/action_units.h"
#include "facemirror/run.h"
#include "pipeline/face_models.h"

/* features[FM_SIDE_LEFT], features[FM_SIDE_RIGHT]: of the still's left- and right-mirrored face. FM_E_NO_FACE when it shows none. */
fm_status fm_neutral_image_measure(fm_face_models *models, const fm_run_options *options,
                                   fm_au_features features[2], fm_error *err);

#endif
