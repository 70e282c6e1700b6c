#include "timeline.h"

#include <math.h>

static const double pi = 3.14159265358979323846;
static const double cycle_seconds = 6.0;
static const double smile_rest = -1.0, smile_full = 0.6;

typedef enum expression { BLINK, BROW_RAISE, SMILE } expression;

/* One expression: rises over `rise` from `start`, holds, falls over `fall`; seconds of a 6 s cycle. */
typedef struct cue {
    expression what;
    double start, rise, hold, fall;
} cue;

/* Lids close faster than they open (closing about 0.1 s, opening about twice that). */
static const cue score[] = {
    {BLINK, 0.90, 0.10, 0.07, 0.18},
    {BROW_RAISE, 1.60, 0.35, 0.45, 0.35},
    {BLINK, 2.95, 0.10, 0.07, 0.18},
    {SMILE, 3.50, 0.45, 0.75, 0.50},
};
enum { CUES = sizeof score / sizeof score[0] };

static const char *phase_name(expression what, fm_side smile_side)
{
    switch (what) {
    case BLINK: return "blink";
    case BROW_RAISE: return "brow_raise";
    case SMILE: break;
    }
    return smile_side == FM_SIDE_LEFT ? "smile_left" : "smile_right";
}

/* 0..1..0 with no jump in speed. */
static double envelope(const cue *c, double t)
{
    const double since = t - c->start;
    const double left = c->rise + c->hold + c->fall - since;
    if (since <= 0.0 || left <= 0.0)
        return 0.0;
    const double part = fmin(fmin(since / c->rise, left / c->fall), 1.0);
    return part * part * (3.0 - 2.0 * part);
}

/* Slow sines that are whole in a cycle; their speeds differ so that the path does not look mechanical. */
static fm_head_motion head_at(double phase)
{
    const double w = 2.0 * pi * phase;
    return (fm_head_motion){
        .turn = 6.0 * pi / 180.0 * sin(w),
        .dx = 0.04 * sin(2.0 * w),
        .dy = 0.02 * sin(3.0 * w),
        .scale = 1.0 + 0.03 * sin(w + pi / 3.0),
    };
}

fm_moment fm_timeline_at(double seconds, double duration, fm_side smile_side)
{
    const double cycles = fmax(1.0, round(duration / cycle_seconds));
    double phase = seconds / duration * cycles;
    phase -= floor(phase);
    const double t = phase * cycle_seconds;

    fm_moment moment = {.phase = "rest", .amount.smile = {smile_rest, smile_rest}, .head = head_at(phase)};
    for (int i = 0; i < CUES; i++) {
        const double amount = envelope(&score[i], t);
        if (amount <= 0.0)
            continue;
        moment.phase = phase_name(score[i].what, smile_side);
        if (score[i].what == BLINK)
            moment.amount.blink = amount;
        else if (score[i].what == BROW_RAISE)
            moment.amount.brow = amount;
        else
            moment.amount.smile[smile_side] += amount * (smile_full - smile_rest);
    }
    return moment;
}
