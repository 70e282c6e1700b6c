/*
 * Timestamps that rise strictly, whatever the file says.
 *
 * Good timestamps pass unchanged. A missing one follows its predecessor by the
 * predecessor's duration; one that does not rise is put half a duration after
 * it, so that the next good one still rises and passes. A jump backwards by
 * more than half a second (more than any reordering of frames), or forwards by
 * more than an hour, is a discontinuity (joined recordings, a wrapped counter):
 * what follows is shifted to go on where the last one ended.
 *
 * Thread-safety: Unsafe.
 */
#ifndef FM_VIDEO_TIMELINE_H
#define FM_VIDEO_TIMELINE_H

#include <libavutil/rational.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct fm_timeline {
    int64_t second; /* ticks of a second, at least 1 */
    int64_t last, last_duration, shift;
    int64_t repaired;
    bool started;
} fm_timeline;

void fm_timeline_init(fm_timeline *timeline, AVRational time_base);

/* The pts to use for `pts` (AV_NOPTS_VALUE: missing); duration in ticks, at least 1. */
int64_t fm_timeline_place(fm_timeline *timeline, int64_t pts, int64_t duration);

#endif
