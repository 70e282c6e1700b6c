#include "timeline.h"

#include <libavutil/avutil.h>
#include <libavutil/common.h>
#include <libavutil/mathematics.h>

enum { FORWARD_LIMIT_SECONDS = 3600 };

void fm_timeline_init(fm_timeline *timeline, AVRational time_base)
{
    const int64_t second = av_rescale_q(1, (AVRational){1, 1}, time_base);
    *timeline = (fm_timeline){.second = second > 0 ? second : 1};
}

static int64_t repair(fm_timeline *timeline, int64_t pts)
{
    const int64_t next = av_sat_add64(timeline->last, timeline->last_duration);
    timeline->repaired++;
    if (pts == AV_NOPTS_VALUE)
        return next;
    const int64_t placed = av_sat_add64(pts, timeline->shift);
    const int64_t ahead = av_sat_sub64(placed, timeline->last);
    if (ahead < -FFMAX(timeline->second / 2, 1) || ahead > 0) {
        timeline->shift = av_sat_add64(timeline->shift, av_sat_sub64(next, placed));
        return next;
    }
    return av_sat_add64(timeline->last, FFMAX(timeline->last_duration / 2, 1));
}

int64_t fm_timeline_place(fm_timeline *timeline, int64_t pts, int64_t duration)
{
    int64_t placed = pts == AV_NOPTS_VALUE ? AV_NOPTS_VALUE : av_sat_add64(pts, timeline->shift);
    if (!timeline->started) {
        if (pts == AV_NOPTS_VALUE) {
            placed = 0;
            timeline->repaired++;
        }
        timeline->started = true;
    } else {
        const int64_t ahead =
            placed == AV_NOPTS_VALUE ? 0 : av_sat_sub64(placed, timeline->last);
        if (ahead <= 0 || ahead / timeline->second > FORWARD_LIMIT_SECONDS)
            placed = repair(timeline, pts);
    }
    timeline->last = placed;
    timeline->last_duration = FFMAX(duration, 1);
    return placed;
}
