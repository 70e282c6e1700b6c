/*
 * The demo clip: a still portrait brought to life with known motion, so that
 * the true place of each landmark is known in each frame.
 *
 * Smooth head motion (shift, turn in the plane, scale) plus local warps: both
 * eyes blink, both brows rise, one side smiles. The warp is an analytic
 * forward map p -> p'(t); frames are rendered by its inverse, truth is the
 * forward map of the still's landmarks.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_DEMO_DEMO_CLIP_H
#define FM_DEMO_DEMO_CLIP_H

#include "facemirror/error.h"
#include "facemirror/run.h"

typedef struct fm_demo_options {
    const char *portrait;   /* still with one face; NULL: the astronaut that the set-up unpacked */
    const char *output;     /* video file, required */
    const char *truth_csv;  /* NULL: none; columns frame,timestamp,phase,x_0,y_0,...: true landmarks in pixels */
    const char *models;     /* pack with the plain face mesh: name or folder; NULL: the default pack */
    double seconds;         /* 0: 6 */
    double fps;             /* 0: 30 */
    int width, height;      /* 0: 720 x 960; even */
    fm_side smile_side;     /* the patient's side that smiles; default FM_SIDE_LEFT */
    bool overwrite;
    /* Polled between frames; when it returns true the clip ends with FM_E_INTERRUPTED and no file. May be NULL. */
    bool (*should_stop)(void *opaque);
    void *opaque;
} fm_demo_options;

fm_status fm_demo_clip(const fm_demo_options *options, fm_error *err);

#endif
