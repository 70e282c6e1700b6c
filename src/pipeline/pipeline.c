/* Starts the stages' threads, watches them, and stops them all when one fails. */
#include "pipeline/pipeline.h"

#include <string.h>
#include <time.h>

#define PROGRESS_INTERVAL_NS 100000000L

void fm_pipeline_fail(fm_pipeline *p, const fm_error *err)
{
    pthread_mutex_lock(&p->failure_lock);
    if (p->failure.status == FM_OK) {
        p->failure = *err;
        if (p->failure.status == FM_OK)
            fm_fail(&p->failure, FM_E_INTERNAL, "a stage failed without saying why");
    }
    pthread_mutex_unlock(&p->failure_lock);
    atomic_store(&p->failed, true);

    fm_work_pool_abort(p->pool);
    fm_queue_abort(p->decoded);
    for (int i = 0; i < FM_LANES; i++) {
        if (p->lane[i].in)
            fm_queue_abort(p->lane[i].in);
        if (p->lane[i].output)
            fm_output_abort(p->lane[i].output);
    }
}

int64_t fm_pipeline_frames_done(const fm_pipeline *p)
{
    int64_t done = INT64_MAX;
    for (int i = 0; i < FM_LANES; i++) {
        const fm_lane *lane = &p->lane[i];
        if (!lane->active)
            continue;
        int64_t frames = lane->output ? fm_output_frames(lane->output) : atomic_load(&lane->done);
        if (frames < done)
            done = frames;
    }
    return done == INT64_MAX ? 0 : done;
}

/* --- threads --------------------------------------------------------------- */

static void stage_ended(fm_pipeline *p)
{
    pthread_mutex_lock(&p->end_lock);
    p->stages_running--;
    pthread_cond_signal(&p->end_changed);
    pthread_mutex_unlock(&p->end_lock);
}

static void *read_main(void *pipeline)
{
    fm_stage_read(pipeline);
    stage_ended(pipeline);
    return NULL;
}

static void *analyse_main(void *pipeline)
{
    fm_stage_analyse(pipeline);
    stage_ended(pipeline);
    return NULL;
}

static void *draw_main(void *lane)
{
    fm_stage_draw(lane);
    stage_ended(((fm_lane *)lane)->pipeline);
    return NULL;
}

static void *encode_main(void *lane)
{
    fm_stage_encode(lane);
    stage_ended(((fm_lane *)lane)->pipeline);
    return NULL;
}

enum { STAGES_MAX = 2 + 2 * FM_LANES };

typedef struct stage_threads {
    pthread_t thread[STAGES_MAX];
    int count;
} stage_threads;

static void start(fm_pipeline *p, stage_threads *threads, void *(*body)(void *), void *argument)
{
    if (atomic_load(&p->failed))
        return;
    pthread_mutex_lock(&p->end_lock);
    p->stages_running++;
    pthread_mutex_unlock(&p->end_lock);
    int cause = pthread_create(&threads->thread[threads->count], NULL, body, argument);
    if (cause == 0) {
        threads->count++;
        return;
    }
    stage_ended(p);
    fm_error err = {0};
    fm_fail(&err, FM_E_NO_MEMORY, "cannot start a thread: %s", strerror(cause));
    fm_pipeline_fail(p, &err);
}

static void start_all(fm_pipeline *p, stage_threads *threads)
{
    /* Consumers first: a producer never meets a missing partner. */
    for (int i = 0; i < FM_LANES; i++) {
        fm_lane *lane = &p->lane[i];
        if (lane->output)
            start(p, threads, encode_main, lane);
        if (lane->active)
            start(p, threads, draw_main, lane);
    }
    start(p, threads, analyse_main, p);
    start(p, threads, read_main, p);
}

/* --- progress --------------------------------------------------------------- */

static double now_seconds(void)
{
    return (double)fmp_now() * 1e-9;
}

static void report_progress(fm_pipeline *p, double began)
{
    const fm_run_options *options = p->options;
    if (!options->on_progress)
        return;
    fm_progress progress = {
        .input = options->input,
        .frames = fm_pipeline_frames_done(p),
        .total_frames = fm_reader_info(p->reader)->frame_estimate,
        .elapsed = now_seconds() - began,
        .eta = -1,
    };
    if (options->max_frames > 0 &&
        (progress.total_frames == 0 || options->max_frames < progress.total_frames))
        progress.total_frames = options->max_frames;
    if (progress.elapsed > 0)
        progress.fps = (double)progress.frames / progress.elapsed;
    if (progress.total_frames >= progress.frames && progress.fps > 0 && progress.total_frames > 0)
        progress.eta = (double)(progress.total_frames - progress.frames) / progress.fps;
    pthread_mutex_lock(&p->callback_lock);
    options->on_progress(options->opaque, &progress);
    pthread_mutex_unlock(&p->callback_lock);
}

static void watch(fm_pipeline *p, double began)
{
    pthread_mutex_lock(&p->end_lock);
    while (p->stages_running > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PROGRESS_INTERVAL_NS;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&p->end_changed, &p->end_lock, &until);
        pthread_mutex_unlock(&p->end_lock);
        report_progress(p, began);
        pthread_mutex_lock(&p->end_lock);
    }
    pthread_mutex_unlock(&p->end_lock);
}

fm_status fm_pipeline_run(fm_pipeline *p, fm_error *err)
{
    const double began = now_seconds();
    stage_threads threads = {.count = 0};
    start_all(p, &threads);
    watch(p, began);
    for (int i = 0; i < threads.count; i++)
        pthread_join(threads.thread[i], NULL);
    fm_ledger_stop(p->ledger);
    if (!atomic_load(&p->failed))
        return FM_OK;
    return fm_fail(err, p->failure.status, "%s", p->failure.message);
}
