#include "advice/simulate.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A wait of a frame that is shorter is none in which the thread sleeps, seconds. */
#define SLEEP_MIN 5e-4

/* What a stage is about. Each is left as soon as it can be, in this order, and then the next frame begins. */
typedef enum phase {
    WANT_FRAME,
    WANT_PICTURE,
    RUN,       /* needs a processor */
    SIT,       /* needs none */
    RISE,      /* it slept, and is to run again */
    WANT_HELP, /* the helpers have all the frames that they take */
    HAND_ON,
    WAKE,      /* what it waited for is there */
    FLUSH,     /* all frames are through; the helpers finish theirs */
    ENDED
} phase;

typedef struct actor {
    phase phase;
    phase resumes;        /* after WAKE */
    bool ending;          /* RUN and SIT are of the work after the last frame */
    bool sleeps;          /* in this SIT: it is long enough to be switched out */
    bool waited;          /* in this phase, for another stage */
    double wake;          /* seconds of WAKE or RISE to go */
    double left;          /* seconds of RUN or SIT to go */
    int taken, done;      /* frames taken from the queue; finished and handed on */
    int offered;          /* frames put into the queue before it */
    int lent;             /* pictures taken so far */
    int next;             /* of `behind`: where HAND_ON is */
    int behind[FM_SIM_STAGES_MAX], behind_count;   /* stages that it feeds */
    int holders[FM_SIM_STAGES_MAX], holder_count;  /* stages of which the last one gives a picture back */
    double helping[FM_SIM_HELPERS_MAX + 1];        /* seconds to go of the frames that the helpers have */
    int helping_count;
    const float *factor;  /* of each frame: its work over the mean */
} actor;

typedef struct simulation {
    const fm_sim_model *model;
    fm_sim_result *result;
    actor actors[FM_SIM_STAGES_MAX];
    int count, frames;
    float *factors;
    double rate[FM_SIM_STAGES_MAX], helper_rate; /* how fast threads run that want to, 0 to 1 */
} simulation;

/* --- chance ----------------------------------------------------------------- */

/* splitmix64 (Steele, Lea, Flood 2014; public domain). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double uniform(uint64_t *state) /* in (0, 1) */
{
    return ((double)(next_random(state) >> 11) + 0.5) * 0x1p-53;
}

/* Lognormal factors of the given coefficient of variation, whose mean is exactly 1. */
static void draw_factors(float *out, int count, double variation, uint64_t seed)
{
    const double pi = 3.14159265358979323846;
    const double sigma = sqrt(log1p(variation * variation));
    uint64_t state = seed;
    double sum = 0;
    for (int i = 0; i < count; i++) {
        const double radius = sqrt(-2 * log(uniform(&state)));
        out[i] = (float)exp(sigma * radius * cos(2 * pi * uniform(&state))); /* Box-Muller */
        sum += (double)out[i];
    }
    for (int i = 0; i < count; i++)
        out[i] = (float)((double)out[i] * count / sum);
}

/* --- set-up ----------------------------------------------------------------- */

static bool is_time(double seconds)
{
    return seconds >= 0 && seconds <= 1e9;
}

static bool is_sound(const fm_sim_model *m)
{
    if (m->stage_count < 1 || m->stage_count > FM_SIM_STAGES_MAX || !(m->processors > 0) ||
        !is_time(m->wake) || !(m->frames >= 1))
        return false;
    for (size_t i = 0; i < m->stage_count; i++) {
        const fm_sim_stage *s = &m->stages[i];
        if ((i == 0) != (s->after < 0) || s->after >= (int)i || s->queue < 0 || s->pictures < 0 || s->helpers < 0 ||
            !(s->weight >= 0 && s->weight <= 1e6) || !is_time(s->cpu) || !is_time(s->wait) || !is_time(s->spread) ||
            !is_time(s->helper) || !is_time(s->end))
            return false;
    }
    return true;
}

/* The stages behind `from` that are the last to hold a picture of it. */
static void find_holders(const simulation *s, int from, actor *owner)
{
    const actor *a = &s->actors[from];
    for (int i = 0; i < a->behind_count; i++) {
        const int stage = a->behind[i];
        if (s->model->stages[stage].pictures > 0 || s->actors[stage].behind_count == 0)
            owner->holders[owner->holder_count++] = stage;
        else
            find_holders(s, stage, owner);
    }
}

static void set_up(simulation *s)
{
    for (int i = 1; i < s->count; i++) {
        actor *feeder = &s->actors[s->model->stages[i].after];
        feeder->behind[feeder->behind_count++] = i;
    }
    for (int i = 0; i < s->count; i++) {
        const fm_sim_stage *stage = &s->model->stages[i];
        actor *a = &s->actors[i];
        find_holders(s, i, a);
        if (a->holder_count == 0)
            a->holders[a->holder_count++] = i;
        float *factor = s->factors + (size_t)i * (size_t)s->frames;
        const double work = stage->cpu + stage->wait;
        draw_factors(factor, s->frames, work > 0 ? fmin(stage->spread / work, 10) : 0, (uint64_t)i + 1);
        a->factor = factor;
    }
}

/* --- moves that take no time --------------------------------------------------- */

static bool picture_is_free(const simulation *s, int index)
{
    const actor *a = &s->actors[index];
    const int pictures = s->model->stages[index].pictures;
    if (pictures == 0)
        return true;
    int back = INT32_MAX;
    for (int i = 0; i < a->holder_count; i++) {
        const int done = s->actors[a->holders[i]].done;
        back = done < back ? done : back;
    }
    return a->lent - back < pictures;
}

static int helpers_of(const fm_sim_stage *stage)
{
    const int helpers = stage->helpers > 0 ? stage->helpers : 1;
    return helpers < FM_SIM_HELPERS_MAX ? helpers : FM_SIM_HELPERS_MAX;
}

static bool hand_on(simulation *s, actor *a)
{
    while (a->next < a->behind_count) {
        const int stage = a->behind[a->next];
        actor *b = &s->actors[stage];
        const int places = s->model->stages[stage].queue > 0 ? s->model->stages[stage].queue : 1;
        if (b->offered - b->taken >= places)
            return false;
        b->offered++;
        a->next++;
    }
    a->next = 0;
    a->done++;
    return true;
}

static void ask_help(const fm_sim_stage *stage, actor *a)
{
    if (stage->helper > 0)
        a->helping[a->helping_count++] = stage->helper * (double)a->factor[a->taken - 1];
}

/* Goes on to the next phase, and over being woken when it had to wait for another stage. */
static void go_on(simulation *s, actor *a, phase next)
{
    a->phase = next;
    if (!a->waited)
        return;
    a->waited = false;
    s->result->wakes++;
    if (s->model->wake > 0) {
        a->wake = s->model->wake;
        a->resumes = next;
        a->phase = WAKE;
    }
}

/* Seconds of the end, of which a frame has `seconds`. When not all frames are simulated it is as much shorter. */
static double end_of(const simulation *s, const fm_sim_stage *stage, double seconds)
{
    return stage->end * seconds * s->frames / s->model->frames;
}

/* Goes on to the next phase, if it can. */
static bool move(simulation *s, int index)
{
    const fm_sim_stage *stage = &s->model->stages[index];
    actor *a = &s->actors[index];
    switch (a->phase) {
    case WANT_FRAME:
        if (a->taken == s->frames) {
            a->ending = true;
            a->left = end_of(s, stage, stage->cpu);
            a->phase = RUN;
            return true;
        }
        if (index > 0 && a->offered == a->taken)
            return false;
        a->taken++;
        go_on(s, a, WANT_PICTURE);
        return true;
    case WANT_PICTURE:
        if (!picture_is_free(s, index))
            return false;
        a->lent++;
        a->left = stage->cpu * (double)a->factor[a->taken - 1];
        go_on(s, a, RUN);
        return true;
    case RUN:
        if (a->left > 0)
            return false;
        a->left = a->ending ? end_of(s, stage, stage->wait) : stage->wait * (double)a->factor[a->taken - 1];
        a->sleeps = a->left >= SLEEP_MIN;
        a->phase = SIT;
        return true;
    case SIT:
        if (a->left > 0)
            return false;
        if (!a->ending)
            ask_help(stage, a);
        a->wake = a->sleeps ? s->model->wake : 0;
        s->result->wakes += a->sleeps;
        a->phase = RISE;
        return true;
    case RISE:
        if (a->wake > 0)
            return false;
        a->phase = a->ending ? FLUSH : WANT_HELP;
        return true;
    case WANT_HELP:
        if (a->helping_count > helpers_of(stage))
            return false;
        a->phase = HAND_ON;
        return true;
    case HAND_ON:
        if (!hand_on(s, a))
            return false;
        go_on(s, a, WANT_FRAME);
        return true;
    case FLUSH:
        if (a->helping_count > 0)
            return false;
        a->phase = ENDED;
        return true;
    case WAKE:
        if (a->wake > 0)
            return false;
        a->phase = a->resumes;
        return true;
    case ENDED:
        break;
    }
    return false;
}

static bool settle(simulation *s)
{
    bool ended = true, moved = true;
    while (moved) {
        moved = false;
        for (int i = 0; i < s->count; i++) {
            while (move(s, i))
                moved = true;
        }
    }
    for (int i = 0; i < s->count; i++)
        ended = ended && s->actors[i].phase == ENDED;
    return ended;
}

/* --- time ----------------------------------------------------------------------- */

static int helpers_at_work(const simulation *s, int index)
{
    const int helpers = helpers_of(&s->model->stages[index]);
    const int count = s->actors[index].helping_count;
    return count < helpers ? count : helpers;
}

static double weight_of(const fm_sim_stage *stage)
{
    return stage->weight > 0 ? stage->weight : 1;
}

/* What a weight of one gets when `processors` are divided among those that do not run at full speed. */
static double part_of(const simulation *s, double processors, const bool *full)
{
    double weights = 0;
    for (int i = 0; i < s->count; i++) {
        if (s->actors[i].phase == RUN && !full[i])
            weights += weight_of(&s->model->stages[i]);
        weights += s->helper_rate < 1 ? helpers_at_work(s, i) : 0;
    }
    return weights > 0 ? processors / weights : 0;
}

/* Shares the processors out by weight. What would get more than one leaves the rest to the others. */
static void share_processors(simulation *s)
{
    bool full[FM_SIM_STAGES_MAX] = {false}, again = true;
    double processors = s->model->processors;
    s->helper_rate = 0;
    while (again) {
        again = false;
        const double part = part_of(s, processors, full);
        for (int i = 0; i < s->count; i++) {
            if (full[i] || s->actors[i].phase != RUN)
                continue;
            s->rate[i] = fmin(1, part * weight_of(&s->model->stages[i]));
            if (s->rate[i] >= 1) {
                full[i] = again = true;
                processors -= 1;
            }
        }
        if (s->helper_rate >= 1)
            continue;
        s->helper_rate = fmin(1, part);
        for (int i = 0; i < s->count && s->helper_rate >= 1; i++) {
            again = again || helpers_at_work(s, i) > 0;
            processors -= helpers_at_work(s, i);
        }
    }
}

/* Until something changes; infinite when nothing ever will. */
static double time_to_event(const simulation *s)
{
    double time = INFINITY;
    for (int i = 0; i < s->count; i++) {
        const actor *a = &s->actors[i];
        if (a->phase == RUN)
            time = fmin(time, a->left / s->rate[i]);
        else if (a->phase == SIT)
            time = fmin(time, a->left);
        else if (a->phase == WAKE || a->phase == RISE)
            time = fmin(time, a->wake);
        for (int h = 0; h < helpers_at_work(s, i); h++)
            time = fmin(time, a->helping[h] / s->helper_rate);
    }
    return time;
}

/* What is left after some of it is done; rounding must not leave a rest that never ends. */
static double rest(double left, double done)
{
    return left - done > 1e-12 ? left - done : 0;
}

static void help(simulation *s, int index, double work)
{
    actor *a = &s->actors[index];
    const int at_work = helpers_at_work(s, index);
    int kept = 0;
    for (int h = 0; h < a->helping_count; h++) {
        const double left = h < at_work ? rest(a->helping[h], work) : a->helping[h];
        s->result->cpu += h < at_work ? a->helping[h] - left : 0;
        if (left > 0)
            a->helping[kept++] = left;
    }
    a->helping_count = kept;
}

static void pass(simulation *s, double time)
{
    for (int i = 0; i < s->count; i++) {
        const double rate = s->rate[i];
        actor *a = &s->actors[i];
        fm_sim_figures *figures = &s->result->stages[i];
        switch (a->phase) {
        case WANT_FRAME:
            figures->starved += time;
            a->waited = true;
            break;
        case WANT_PICTURE:
        case HAND_ON:
            figures->blocked += time;
            a->waited = true;
            break;
        case WAKE:
            *(a->resumes == WANT_PICTURE ? &figures->starved : &figures->blocked) += time;
            a->wake = rest(a->wake, time);
            break;
        case RUN:
            figures->delayed += time * (1 - rate);
            s->result->cpu += time * rate;
            figures->busy += time;
            a->left = rest(a->left, time * rate);
            break;
        case SIT:
            a->left = rest(a->left, time);
            figures->busy += time;
            break;
        case RISE:
            figures->delayed += time;
            figures->busy += time;
            a->wake = rest(a->wake, time);
            break;
        case WANT_HELP:
        case FLUSH:
            figures->busy += time;
            break;
        case ENDED:
            break;
        }
        help(s, i, time * s->helper_rate);
    }
    s->result->seconds += time;
}

/* A run is longer than what is simulated of it. */
static void stretch(fm_sim_result *result, size_t stages, double by)
{
    result->seconds *= by;
    result->cpu *= by;
    result->wakes *= by;
    for (size_t i = 0; i < stages; i++) {
        result->stages[i].busy *= by;
        result->stages[i].delayed *= by;
        result->stages[i].starved *= by;
        result->stages[i].blocked *= by;
    }
}

bool fm_simulate(const fm_sim_model *model, fm_sim_result *out)
{
    memset(out, 0, sizeof *out);
    if (!is_sound(model))
        return false;
    simulation *s = calloc(1, sizeof *s);
    if (!s)
        return false;
    s->model = model;
    s->result = out;
    s->count = (int)model->stage_count;
    s->frames = (int)fmin(model->frames, FM_SIM_FRAMES_MAX);
    s->factors = malloc((size_t)s->count * (size_t)s->frames * sizeof *s->factors);
    bool good = s->factors != NULL;
    if (good)
        set_up(s);
    while (good && !settle(s)) {
        share_processors(s);
        const double time = time_to_event(s);
        good = isfinite(time);
        if (good)
            pass(s, time);
    }
    stretch(out, model->stage_count, model->frames / s->frames);
    free(s->factors);
    free(s);
    return good;
}
