/*
 * FFmpeg's error codes and log, seen from here.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_VIDEO_AV_ERROR_H
#define FM_VIDEO_AV_ERROR_H

#include <libavutil/error.h>

#include "facemirror/error.h"

/* FFmpeg's sentence for an AVERROR code, in a buffer that lives to the end of the caller's block. */
#define FM_AV_TEXT(code) av_make_error_string((char[AV_ERROR_MAX_STRING_SIZE]){0}, AV_ERROR_MAX_STRING_SIZE, (code))

/* FM_E_NO_SPACE, FM_E_NO_MEMORY and FM_E_INTERRUPTED where the code says so, else `otherwise`. */
fm_status fm_av_status(int code, fm_status otherwise);

#endif
