/*
 * A mark that holds until the kernel runs another thread in the place of the
 * calling one (thread_clock.h says by which means). It may be gone for no
 * reason; it never holds across a switch, except where doubt() in
 * thread_clock.c finds that out.
 */
#ifndef FMP_SWITCH_MARK_H
#define FMP_SWITCH_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fmp_switch_mark {
    unsigned way;                /* FMP_THREAD_CLOCK_RSEQ, FMP_THREAD_CLOCK_PERF; 0: there is none */
    const volatile uint64_t *at; /* what the kernel changes: a pointer, or a sequence number and its neighbour */
    uint64_t value;              /* which stands there while the mark holds */
    const char *reason;          /* why there is no better one, "" where there is; static */
} fmp_switch_mark;

/* Finds one of the permitted ways for the calling thread, which the others are no use to. */
void fmp_switch_mark_find(fmp_switch_mark *mark, unsigned permitted);
void fmp_switch_mark_set(fmp_switch_mark *mark);
void fmp_switch_mark_drop(fmp_switch_mark *mark);

/* Of a mark that was set. */
static inline bool fmp_switch_mark_holds(const fmp_switch_mark *mark)
{
    return *mark->at == mark->value;
}

#endif
