#include "pipeline/ledger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fmprof/fmprof.h"
#include "system/process.h"

enum { NO_FRAME = -1 };

/* Durations: their mean and spread exactly, percentiles to the profiler's bucket. */
typedef struct durations {
    int64_t count;
    double mean, squares; /* Welford: sum of squared distances from the mean */
    uint32_t bucket[FMP_HISTOGRAM_BUCKETS];
} durations;

struct fm_stage {
    fm_ledger *ledger;
    const char *name;
    const fm_stage *after;
    int index, queue, pictures;
    bool last;             /* of its branch */
    fm_slow slow;

    fm_stage_state state;
    uint64_t since_ns;     /* of the state */
    uint64_t spent_ns[FM_STAGE_STATES];
    uint64_t settled_ns;   /* of the busy time: already given to a frame */
    double cpu_began, ready_began;
    double cpu_seconds, ready_seconds;
    durations service;
    int64_t held, bytes_copied, allocations;
};

struct fm_ledger {
    uint64_t (*now)(void);
    fm_stage stages[FM_LEDGER_STAGES];
    int stage_count, branches;
    fm_trip trips[FM_LEDGER_TRIPS];
    durations frames;
    fm_report_outlier outliers[FM_LEDGER_OUTLIERS]; /* slowest first */
    size_t outlier_count;
    fm_report_cost content[FM_CONTENTS];
    int64_t frames_opened, rss_first, rss_last, rss_frames;
    double cpu_began, cpu_seconds;

    /*
     * Whoever makes `inside` leave 0 takes its time off, whoever makes it 0 adds its own: these two follow each other
     * strictly, so the sum is that of all spans. (Modulo 2^64 while one is open.)
     */
    atomic_int inside;
    atomic_ullong covered_ns;

    fm_report_stage reported[FM_LEDGER_STAGES];
};

/* --- durations -------------------------------------------------------------- */

static void add_duration(durations *d, uint64_t ns)
{
    const double value = (double)ns, from_mean = value - d->mean;
    d->count++;
    d->mean += from_mean / (double)d->count;
    d->squares += from_mean * (value - d->mean);
    d->bucket[fmp_bucket_of(ns)]++;
}

/* Nearest rank, in seconds; 0 when there is none. */
static double quantile(const durations *d, double share)
{
    const int64_t rank = (int64_t)ceil(share * (double)d->count);
    int64_t below = 0;
    for (unsigned i = 0; i < FMP_HISTOGRAM_BUCKETS; i++) {
        below += d->bucket[i];
        if (below >= rank && below > 0)
            return fmp_bucket_value(i) * 1e-9;
    }
    return 0;
}

/* --- set-up ------------------------------------------------------------------ */

fm_status fm_ledger_create(fm_ledger **out, uint64_t (*now)(void), fm_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the record of the stages");
    (*out)->now = now ? now : fmp_now;
    for (int i = 0; i < FM_LEDGER_TRIPS; i++)
        (*out)->trips[i].frame = NO_FRAME;
    return FM_OK;
}

void fm_ledger_destroy(fm_ledger **ledger)
{
    if (!ledger)
        return;
    free(*ledger);
    *ledger = NULL;
}

fm_stage *fm_ledger_add(fm_ledger *l, const char *name, const fm_stage *after, int queue, int pictures)
{
    fm_stage *stage = &l->stages[l->stage_count];
    *stage = (fm_stage){.ledger = l, .name = name, .after = after, .index = l->stage_count, .queue = queue,
                        .pictures = pictures, .last = true, .state = FM_STAGE_ENDED, .slow = fm_slow_of(name)};
    if (after)
        l->stages[after->index].last = false;
    l->stage_count++;
    return stage;
}

void fm_ledger_start(fm_ledger *l)
{
    const uint64_t now = l->now();
    l->cpu_began = fm_process_cpu_seconds();
    l->branches = 0;
    for (int i = 0; i < l->stage_count; i++) {
        fm_stage *stage = &l->stages[i];
        stage->state = stage->after ? FM_STAGE_STARVED : FM_STAGE_BLOCKED;
        stage->since_ns = now;
        l->branches += stage->last;
    }
}

void fm_ledger_stop(fm_ledger *l)
{
    l->cpu_seconds = fm_process_cpu_seconds() - l->cpu_began;
}

/* --- the time in which something is at work ---------------------------------- */

static void cover_from(fm_ledger *l, uint64_t now)
{
    if (atomic_fetch_add(&l->inside, 1) == 0)
        atomic_fetch_sub(&l->covered_ns, now);
}

static void cover_until(fm_ledger *l, uint64_t now)
{
    if (atomic_fetch_sub(&l->inside, 1) == 1)
        atomic_fetch_add(&l->covered_ns, now);
}

void fm_ledger_work_begins(fm_ledger *l)
{
    cover_from(l, l->now());
}

void fm_ledger_work_ends(fm_ledger *l)
{
    cover_until(l, l->now());
}

double fm_ledger_covered_seconds(const fm_ledger *l)
{
    const uint64_t closed = atomic_load(&l->covered_ns);
    return (double)(atomic_load(&l->inside) > 0 ? closed + l->now() : closed) * 1e-9;
}

/* --- stages -------------------------------------------------------------------- */

void fm_stage_borrow(fm_stage *stage)
{
    stage->cpu_began = fm_thread_cpu_seconds();
    stage->ready_began = fm_thread_ready_seconds();
}

void fm_stage_give_back(fm_stage *stage)
{
    stage->cpu_seconds += fm_thread_cpu_seconds() - stage->cpu_began;
    stage->ready_seconds += fm_thread_ready_seconds() - stage->ready_began;
    fm_stage_enter(stage, FM_STAGE_BLOCKED);
}

void fm_stage_attach(fm_stage *stage)
{
    fmp_thread_name(stage->name);
    fm_stage_borrow(stage);
}

void fm_stage_detach(fm_stage *stage)
{
    fm_stage_give_back(stage);
    fm_stage_enter(stage, FM_STAGE_ENDED);
}

void fm_stage_enter(fm_stage *stage, fm_stage_state state)
{
    if (state == stage->state)
        return;
    const uint64_t now = stage->ledger->now();
    stage->spent_ns[stage->state] += now - stage->since_ns;
    stage->since_ns = now;
    if (stage->state == FM_STAGE_BUSY)
        cover_until(stage->ledger, now);
    if (state == FM_STAGE_BUSY)
        cover_from(stage->ledger, now);
    stage->state = state;
}

void fm_stage_finish(fm_stage *stage, fm_trip *trip, fm_stage_state next)
{
    fm_stage_enter(stage, next);
    const uint64_t busy = stage->spent_ns[FM_STAGE_BUSY], service = busy - stage->settled_ns;
    stage->settled_ns = busy;
    if (!trip)
        return;
    add_duration(&stage->service, service);
    trip->service_ns[stage->index] = service;
    if (stage->last)
        atomic_fetch_sub_explicit(&trip->open, 1, memory_order_acq_rel);
}

void fm_stage_slow_down(const fm_stage *stage)
{
    fm_slow_down(&stage->slow);
}

void fm_stage_copied(fm_stage *stage, size_t bytes)
{
    stage->bytes_copied += (int64_t)bytes;
}

void fm_stage_allocated(fm_stage *stage, int64_t frame)
{
    stage->allocations += frame >= FM_LEDGER_WARM_UP;
}

/* --- trips ---------------------------------------------------------------------- */

/* The way to the end of the slowest branch: its time, and the stage that took most of it. */
static void find_way(const fm_ledger *l, const fm_trip *trip, uint64_t *ns, int *slowest)
{
    *ns = 0;
    *slowest = 0;
    for (int i = 0; i < l->stage_count; i++) {
        uint64_t sum = 0;
        int most = i;
        if (!l->stages[i].last)
            continue;
        for (const fm_stage *at = &l->stages[i]; at; at = at->after) {
            sum += trip->service_ns[at->index];
            if (trip->service_ns[at->index] >= trip->service_ns[most])
                most = at->index;
        }
        if (sum >= *ns) {
            *ns = sum;
            *slowest = most;
        }
    }
}

static void keep_outlier(fm_ledger *l, const fm_trip *trip, uint64_t ns, int stage)
{
    const double seconds = (double)ns * 1e-9;
    size_t at = l->outlier_count;
    while (at > 0 && l->outliers[at - 1].seconds < seconds)
        at--;
    if (at == FM_LEDGER_OUTLIERS)
        return;
    if (l->outlier_count < FM_LEDGER_OUTLIERS)
        l->outlier_count++;
    memmove(&l->outliers[at + 1], &l->outliers[at], (l->outlier_count - 1 - at) * sizeof l->outliers[0]);
    l->outliers[at] = (fm_report_outlier){
        .frame = trip->frame,
        .timestamp = trip->seconds,
        .seconds = seconds,
        .stage = l->stages[stage].name,
        .stage_seconds = (double)trip->service_ns[stage] * 1e-9,
        .faces = trip->faces,
        .face_size = trip->face_size,
        .detected = trip->detected,
    };
}

static void add_cost(fm_ledger *l, const fm_trip *trip, uint64_t ns)
{
    const fm_report_content kinds[] = {
        trip->faces > 1 ? FM_CONTENT_FACES : trip->faces == 1 ? FM_CONTENT_ONE_FACE : FM_CONTENT_NO_FACE,
        trip->detected ? FM_CONTENT_DETECTED : FM_CONTENT_FOLLOWED,
        trip->face_size < FM_CONTENT_SMALL_BELOW ? FM_CONTENT_SMALL
        : trip->face_size < FM_CONTENT_LARGE_FROM ? FM_CONTENT_MIDDLE
                                                  : FM_CONTENT_LARGE,
    };
    for (int i = 0; i < (trip->face_size > 0 ? 3 : 2); i++) {
        l->content[kinds[i]].frames++;
        l->content[kinds[i]].seconds += (double)ns * 1e-9;
    }
}

/* Adds up a frame that came through; one that an abort left on its way is forgotten. */
static void settle(fm_ledger *l, fm_trip *trip)
{
    uint64_t ns;
    int slowest;
    if (trip->frame == NO_FRAME || atomic_load_explicit(&trip->open, memory_order_acquire) != 0)
        return;
    find_way(l, trip, &ns, &slowest);
    l->stages[slowest].held++;
    add_duration(&l->frames, ns);
    keep_outlier(l, trip, ns, slowest);
    add_cost(l, trip, ns);
    trip->frame = NO_FRAME;
}

fm_trip *fm_ledger_open_trip(fm_ledger *l, int64_t frame, double seconds)
{
    fm_trip *trip = &l->trips[frame % FM_LEDGER_TRIPS];
    settle(l, trip);
    if (frame == FM_LEDGER_WARM_UP)
        l->rss_first = fm_process_resident_bytes();
    l->frames_opened++;
    if (trip->frame != NO_FRAME)
        return NULL;
    memset(trip, 0, sizeof *trip);
    trip->frame = frame;
    trip->seconds = seconds;
    atomic_init(&trip->open, l->branches);
    return trip;
}

void fm_ledger_end_trips(fm_ledger *l)
{
    if (l->frames_opened <= FM_LEDGER_WARM_UP)
        return;
    l->rss_last = fm_process_resident_bytes();
    l->rss_frames = l->frames_opened - FM_LEDGER_WARM_UP;
}

/* --- the report ------------------------------------------------------------------ */

static fm_report_stage describe(const fm_stage *stage)
{
    const durations *d = &stage->service;
    return (fm_report_stage){
        .name = stage->name,
        .after = stage->after ? stage->after->name : NULL,
        .queue = stage->queue,
        .pictures = stage->pictures,
        .frames = d->count,
        .busy_seconds = (double)stage->spent_ns[FM_STAGE_BUSY] * 1e-9,
        .cpu_seconds = stage->cpu_seconds,
        .starved_seconds = (double)stage->spent_ns[FM_STAGE_STARVED] * 1e-9,
        .blocked_seconds = (double)stage->spent_ns[FM_STAGE_BLOCKED] * 1e-9,
        .ready_seconds = stage->ready_seconds,
        .service_mean = d->mean * 1e-9,
        .service_stddev = d->count > 0 ? sqrt(d->squares / (double)d->count) * 1e-9 : 0,
        .service_p99 = quantile(d, 0.99),
        .held = stage->held,
    };
}

void fm_ledger_report(fm_ledger *l, fm_report_pipeline *out)
{
    for (int i = 0; i < FM_LEDGER_TRIPS; i++)
        settle(l, &l->trips[i]);
    int64_t copied = 0, allocations = 0;
    for (int i = 0; i < l->stage_count; i++) {
        l->reported[i] = describe(&l->stages[i]);
        copied += l->stages[i].bytes_copied;
        allocations += l->stages[i].allocations;
    }
    const int64_t frames = l->frames_opened, warm = frames > FM_LEDGER_WARM_UP ? frames - FM_LEDGER_WARM_UP : 0;
    *out = (fm_report_pipeline){
        .stages = l->reported,
        .stage_count = (size_t)l->stage_count,
        .outliers = l->outliers,
        .outlier_count = l->outlier_count,
        .processors = fm_process_processors(),
        .process_cpu_seconds = l->cpu_seconds,
        .frame_p50 = quantile(&l->frames, 0.5),
        .frame_p99 = quantile(&l->frames, 0.99),
        .frame_bytes_copied = frames > 0 ? copied / frames : 0,
        .allocations = allocations,
        .allocation_frames = warm,
        .rss_first = l->rss_first,
        .rss_last = l->rss_last,
        .rss_frames = l->rss_frames,
    };
    memcpy(out->content, l->content, sizeof out->content);
}
