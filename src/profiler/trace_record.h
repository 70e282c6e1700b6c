/*
 * What the recorder calls to put events into the running trace (trace.h).
 *
 * A thread keeps, beside its recorder, the generation it last saw and its
 * ring. For every event it compares fmp_trace_generation (one relaxed load, 0
 * when no trace runs) with the generation it has; when they differ and the
 * new one is not 0 it attaches, once, whatever comes back:
 *
 *     uint32_t generation = atomic_load_explicit(&fmp_trace_generation, memory_order_relaxed);
 *     if (FMP_UNLIKELY(generation != 0)) {
 *         if (recorder->trace_generation != generation) {
 *             recorder->ring = fmp_trace_attach(generation, recorder->name);
 *             recorder->trace_generation = generation;
 *         }
 *         fmp_trace_put(recorder->ring, start, duration, site->index, FMP_EVENT_SCOPE);
 *     }
 *
 * A trace may end between the load and the put: the ring stays valid memory
 * until its thread attaches to another trace or detaches, and what is written
 * there then goes nowhere.
 *
 * Locking: the functions below the hot path take the trace's own mutex and
 * call nothing of the registry under it, so they may be called with the
 * registry locked.
 */
#ifndef FMP_TRACE_RECORD_H
#define FMP_TRACE_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "trace_format.h"

/* 0: no trace runs; each trace has another one. */
extern FMP_HIDDEN _Atomic(uint32_t) fmp_trace_generation;

struct fmp_trace_session;

/* The calling thread's own: the first line is all that the hot path touches beside the slot. */
struct fmp_trace_ring {
    fmp_trace_file_event *events; /* in the mapped file */
    fmp_trace_file_ring *file;    /* NULL: no room, every event is dropped */
    uint64_t head;
    uint32_t next, end; /* slot of the next event; where to turn round or stop */
    bool wraps;

    struct fmp_trace_session *session;
    struct fmp_trace_ring *next_of_session;
    uint64_t mapping_size;
};

/*
 * The calling thread's ring in the trace of that generation. A thread that
 * comes when there is no room gets a ring that counts what it drops. NULL when
 * that trace has ended or memory is out; putting into NULL does nothing. Slow.
 */
struct fmp_trace_ring *fmp_trace_attach(uint32_t generation, const char *thread_name);

/*
 * The calling thread ends: its events stay in the file, its ring is freed and
 * must not be used any more. Without a ring: nothing.
 */
void fmp_trace_detach(void);

/* The calling thread has another name now. Without a ring: nothing. */
void fmp_trace_thread_named(const char *name);

/*
 * Tells the name behind a number that events will use. Once for each number,
 * before its first event, also when no trace runs. Numbers need not be dense.
 * The strings (unit may be NULL) must live as long as the process.
 */
void fmp_trace_define_name(uint32_t name, const char *category, const char *operation,
                           const char *unit);

/* Around a fork, with pthread_atfork. The child has no trace; the parent's file is left alone. */
void fmp_trace_before_fork(void);
void fmp_trace_after_fork_in_parent(void);
void fmp_trace_after_fork_in_child(void);

/* The ring's end is reached: true when it goes round, false when the event counts as dropped. */
bool fmp_trace_ring_end(struct fmp_trace_ring *ring);

/*
 * Stores an event. `value` is in ticks for a scope, else as fmp_event says.
 *
 * The head follows the event: a thread that is killed anywhere in here leaves
 * at most a slot that the head does not count yet. A processor stops a thread
 * between two instructions, with all stores before it done and none after it,
 * so only the compiler has to be kept from moving the stores of the next event
 * above the head.
 */
static inline void fmp_trace_put(struct fmp_trace_ring *ring, uint64_t start_ticks, uint64_t value,
                                 uint32_t name, uint32_t kind)
{
    if (FMP_UNLIKELY(!ring))
        return;
    uint32_t slot = ring->next;
    if (FMP_UNLIKELY(slot == ring->end)) {
        if (!fmp_trace_ring_end(ring))
            return;
        slot = 0;
    }
    ring->events[slot] = (fmp_trace_file_event){start_ticks, value, name, kind};
    ring->next = slot + 1;
    ring->head++;
    atomic_store_explicit(&ring->file->head, ring->head, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
}

#endif
