/*
 * The first picture of a file: a still, or the first frame of a clip.
 *
 * Thread-safety: Safe on distinct frames.
 */
#ifndef FM_VIDEO_STILL_H
#define FM_VIDEO_STILL_H

#include <libavutil/frame.h>

#include "facemirror/error.h"

/* Reads it into `frame` (upright yuv420p; blank when called, the caller's afterwards). Errors as fm_reader_open, and FM_E_BAD_INPUT when no picture can be decoded. */
fm_status fm_still_read(const char *path, AVFrame *frame, fm_error *err);

#endif
