#include "pipeline/queue.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct fm_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed_room, changed_items;
    void (*drop)(void *item);
    size_t capacity, first, count;
    bool closed, aborted;
    const fmp_metric *gauge; /* NULL: nobody watches */
    void *items[];
};

fm_status fm_queue_create(fm_queue **out, size_t capacity, void (*drop)(void *item), fm_error *err)
{
    *out = NULL;
    fm_queue *q = calloc(1, sizeof *q + capacity * sizeof q->items[0]);
    if (!q)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for a queue of %zu items", capacity);
    q->capacity = capacity;
    q->drop = drop;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->changed_room, NULL);
    pthread_cond_init(&q->changed_items, NULL);
    *out = q;
    return FM_OK;
}

void fm_queue_destroy(fm_queue **queue)
{
    fm_queue *q = *queue;
    if (!q)
        return;
    for (size_t i = 0; i < q->count; i++) {
        if (q->drop)
            q->drop(q->items[(q->first + i) % q->capacity]);
    }
    pthread_cond_destroy(&q->changed_items);
    pthread_cond_destroy(&q->changed_room);
    pthread_mutex_destroy(&q->lock);
    free(q);
    *queue = NULL;
}

void fm_queue_watch(fm_queue *q, const char *stage, const char *unit)
{
    char name[96];
    snprintf(name, sizeof name, "%s queue", stage);
    q->gauge = fmp_gauge_get("QUEUES", name, unit);
}

static void tell_length(const fm_queue *q)
{
    if (q->gauge)
        fmp_gauge_set(q->gauge, (int64_t)q->count);
}

bool fm_queue_push(fm_queue *q, void *item)
{
    pthread_mutex_lock(&q->lock);
    while (q->count == q->capacity && !q->closed)
        pthread_cond_wait(&q->changed_room, &q->lock);
    bool taken = !q->closed;
    if (taken) {
        q->items[(q->first + q->count) % q->capacity] = item;
        q->count++;
        tell_length(q);
        pthread_cond_signal(&q->changed_items);
    }
    pthread_mutex_unlock(&q->lock);
    return taken;
}

void *fm_queue_pop(fm_queue *q)
{
    void *item = NULL;
    pthread_mutex_lock(&q->lock);
    while (q->count == 0 && !q->closed)
        pthread_cond_wait(&q->changed_items, &q->lock);
    if (q->count > 0 && !q->aborted) {
        item = q->items[q->first];
        q->first = (q->first + 1) % q->capacity;
        q->count--;
        tell_length(q);
        pthread_cond_signal(&q->changed_room);
    }
    pthread_mutex_unlock(&q->lock);
    return item;
}

static void end(fm_queue *q, bool abort_now)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    q->aborted = q->aborted || abort_now;
    pthread_cond_broadcast(&q->changed_room);
    pthread_cond_broadcast(&q->changed_items);
    pthread_mutex_unlock(&q->lock);
}

void fm_queue_close(fm_queue *q)
{
    end(q, false);
}

void fm_queue_abort(fm_queue *q)
{
    end(q, true);
}

bool fm_queue_aborted(fm_queue *q)
{
    pthread_mutex_lock(&q->lock);
    const bool aborted = q->aborted;
    pthread_mutex_unlock(&q->lock);
    return aborted;
}
