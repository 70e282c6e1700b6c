/*
 * Encoder choice: H.264 in the order VideoToolbox, NVENC, Quick Sync, VAAPI,
 * libx264 (then any other H.264 encoder FFmpeg has), each really tried on a
 * few frames of the size in question before it is believed.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_VIDEO_ENCODER_H
#define FM_VIDEO_ENCODER_H

#include <stdbool.h>

#include "facemirror/error.h"

typedef struct fm_encoder_choice {
    char name[64];  /* FFmpeg's encoder name */
    bool hardware;
    char tried[512]; /* why those before it were not taken: "h264_nvenc: ...; ..." */
} fm_encoder_choice;

/*
 * Picks an encoder that works for width x height. `forced` (NULL: none) names
 * the only one to try: an FFmpeg name, or "videotoolbox", "nvenc", "qsv",
 * "vaapi", "x264". FM_E_RUNTIME names each encoder tried and its error.
 */
fm_status fm_encoder_choose(const char *forced, int width, int height, fm_encoder_choice *out,
                            fm_error *err);

enum { FM_ENCODER_TRIALS_MAX = 16, FM_ENCODER_REASON_MAX = 192 };

/* What became of one encoder. */
typedef struct fm_encoder_trial {
    char name[64]; /* FFmpeg's */
    bool hardware, works;
    char reason[FM_ENCODER_REASON_MAX]; /* why it does not work, in FFmpeg's words; "": it does */
} fm_encoder_trial;

/*
 * Tries all of them, those behind the first that works too, in the order of fm_encoder_choose. Returns how many.
 * FFmpeg's log goes to its own callback again afterwards. Thread-safety: Unsafe beside other users of FFmpeg's log.
 */
int fm_encoder_try_all(int width, int height, fm_encoder_trial out[FM_ENCODER_TRIALS_MAX]);

#endif
