/*
 * A bounded first-in-first-out queue of pointers between two stages.
 *
 * A full queue makes the producer wait, an empty one the consumer: that is
 * what bounds the memory of a run. Two ways to end: close (no more comes; the
 * consumer drains what is there) and abort (both sides return at once).
 *
 * Ownership: pointers pass through untouched; what is left after an abort is
 * handed to `drop` by fm_queue_destroy. Thread-safety: Safe, except destroy.
 */
#ifndef FM_PIPELINE_QUEUE_H
#define FM_PIPELINE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "facemirror/error.h"
#include "fmprof/fmprof.h"

typedef struct fm_queue fm_queue;

/* `drop` (may be NULL) frees an item that nobody took. */
fm_status fm_queue_create(fm_queue **out, size_t capacity, void (*drop)(void *item), fm_error *err);
void fm_queue_destroy(fm_queue **queue);

/* Waits for room. False: the queue was closed or aborted and the item is still the caller's. */
bool fm_queue_push(fm_queue *queue, void *item);
/* Waits for an item. NULL: closed and empty, or aborted. */
void *fm_queue_pop(fm_queue *queue);

/*
 * From now on the gauge "<stage> queue" of the profiler is told the queue's
 * length, counted in `unit`, whenever it changes. Call it before the queue is shared.
 */
void fm_queue_watch(fm_queue *queue, const char *stage, const char *unit);

void fm_queue_close(fm_queue *queue);
void fm_queue_abort(fm_queue *queue);
/* Tells a consumer that got NULL which of both it was. */
bool fm_queue_aborted(fm_queue *queue);

#endif
