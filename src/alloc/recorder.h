/*
 * What is made of the allocations of a program. The interposer tells of each;
 * alloc_api.h reads it.
 *
 * Counts and bytes by operation are always exact. Stacks, live blocks and peaks
 * are of all allocations, or of a sample: an allocation of s bytes is in it
 * with the probability 1 - exp(-(s + 1) / interval), and stands for the inverse
 * of that, so that the expectation of every sum is the true one.
 *
 * A recording's memory is used by whoever is busy (threads.h), is out of reach
 * when it stops, and goes when nobody is busy any more. No lock is held while
 * the allocator or the program is called.
 */
#ifndef FMP_ALLOC_RECORDER_H
#define FMP_ALLOC_RECORDER_H

#include "alloc/live.h"
#include "alloc/threads.h"

/* Once, before anything else. */
void fmp_alloc_set_up(void);

/*
 * Before the allocator is called for the program. False: nothing is to be told
 * of this call. The rest is called between enter and leave alone.
 */
static inline bool fmp_alloc_enter(void)
{
    if (fmp_alloc_self.inside)
        return false;
    fmp_alloc_self.inside = 1;
    return true;
}

static inline void fmp_alloc_leave(void)
{
    fmp_alloc_self.inside = 0;
}

/* A block was taken; `caller` is where the program's call returns to. errno stays. NULL is nothing. */
void fmp_alloc_took(const void *pointer, size_t size, uintptr_t caller);
/* A block will be given back. errno stays. NULL is nothing. */
void fmp_alloc_gives(const void *pointer);

/* A block that is about to move: out of the live ones until it is known how that went. errno stays. */
typedef struct fmp_alloc_lifted {
    struct fmp_alloc_recording *recording; /* NULL: it is not one that is known */
    fmp_live_entry entry;
} fmp_alloc_lifted;
void fmp_alloc_lift(fmp_alloc_lifted *lifted, const void *pointer);
/* gone: it was given back, else it stays what it was. */
void fmp_alloc_settle(fmp_alloc_lifted *lifted, bool gone);

/* As alloc_api.h says. */
int fmp_alloc_start(const fmp_alloc_options *options);
void fmp_alloc_stop(void);
void fmp_alloc_clear(void);
void fmp_alloc_aside(bool aside);
void fmp_alloc_read_totals(fmp_alloc_totals *out);
void fmp_alloc_each_operation(void (*visit)(const fmp_alloc_operation *one, void *context), void *context);
void fmp_alloc_each_stack(void (*visit)(const fmp_alloc_stack *one, void *context), void *context);

/* In a forked process: it records nothing of its own accord, and may start anew. */
void fmp_alloc_forked(void);

#endif
