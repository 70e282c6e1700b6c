#include "pipeline/work.h"

#include <stdlib.h>

struct fm_work_pool {
    fm_queue *idle;
    size_t count;
    fm_work *works;
};

fm_status fm_work_pool_create(fm_work_pool **out, size_t count, fm_error *err)
{
    *out = NULL;
    fm_work_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the frame pool");
    fm_status status = fm_queue_create(&pool->idle, count, NULL, err);
    pool->works = calloc(count, sizeof *pool->works);
    if (status == FM_OK && !pool->works)
        status = fm_fail(err, FM_E_NO_MEMORY, "out of memory for %zu frames", count);
    for (size_t i = 0; status == FM_OK && i < count; i++) {
        fm_work *work = &pool->works[i];
        pool->count = i + 1;
        work->pool = pool;
        work->frame = av_frame_alloc();
        if (!work->frame)
            status = fm_fail(err, FM_E_NO_MEMORY, "out of memory for %zu frames", count);
        else
            fm_queue_push(pool->idle, work);
    }
    if (status != FM_OK) {
        fm_work_pool_destroy(&pool);
        return status;
    }
    *out = pool;
    return FM_OK;
}

void fm_work_pool_destroy(fm_work_pool **pool)
{
    fm_work_pool *p = *pool;
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        av_frame_free(&p->works[i].frame);
    fm_queue_destroy(&p->idle);
    free(p->works);
    free(p);
    *pool = NULL;
}

fm_work *fm_work_acquire(fm_work_pool *pool)
{
    fm_work *work = fm_queue_pop(pool->idle);
    if (work) {
        atomic_store(&work->references, 1);
        work->has_line = work->has_pose = false;
        work->face.found = false;
        work->face.count = 0;
        work->trip = NULL;
    }
    return work;
}

void fm_work_retain(fm_work *work)
{
    atomic_fetch_add(&work->references, 1);
}

void fm_work_release(fm_work *work)
{
    if (!work || atomic_fetch_sub(&work->references, 1) != 1)
        return;
    av_frame_unref(work->frame);
    /* After an abort the push is refused; the pool still owns the work. */
    fm_queue_push(work->pool->idle, work);
}

void fm_work_pool_abort(fm_work_pool *pool)
{
    fm_queue_abort(pool->idle);
}
