/*
 * The profiler's clock: a tick counter that is cheap to read, and its
 * conversion to nanoseconds.
 *
 * Sources, best first: the invariant time-stamp counter on x86-64 (only where
 * the kernel itself keeps time with it), the generic timer on arm64,
 * clock_gettime(CLOCK_MONOTONIC) with one tick a nanosecond. The time-stamp
 * counter's rate is measured against CLOCK_MONOTONIC over two milliseconds
 * when the clock starts, and again over the whole run whenever a snapshot is
 * taken.
 *
 * Thread-safety: Safe once fmp_clock_init has returned on some thread and the
 * caller is ordered after that; fmp_clock_set_for_tests is Unsafe.
 */
#ifndef FMP_CLOCK_H
#define FMP_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

/* FMP_NO_COUNTER: compile for clock_gettime alone, as on machines without a known counter. */
#if defined(FMP_NO_COUNTER)
#define FMP_CLOCK_HAS_COUNTER 0
#elif defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define FMP_CLOCK_HAS_COUNTER 1
#define FMP_READ_COUNTER() ((uint64_t)__builtin_ia32_rdtsc())
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
#define FMP_CLOCK_HAS_COUNTER 1
static inline uint64_t fmp_read_generic_timer(void)
{
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
}
#define FMP_READ_COUNTER() fmp_read_generic_timer()
#else
#define FMP_CLOCK_HAS_COUNTER 0
#endif
#if !FMP_CLOCK_HAS_COUNTER
#define FMP_READ_COUNTER() ((uint64_t)0) /* never used */
#endif

typedef enum fmp_clock_kind {
    FMP_CLOCK_SYSTEM = 0, /* clock_gettime */
    FMP_CLOCK_COUNTER,    /* FMP_READ_COUNTER */
    FMP_CLOCK_TEST        /* a function of a test */
} fmp_clock_kind;

/* Shared by all threads, written before the first scope only (and by tests). */
extern FMP_HIDDEN _Atomic(int) fmp_clock_kind_in_use;
extern FMP_HIDDEN uint64_t fmp_clock_rate; /* nanoseconds of 2^32 ticks, as fmp_clock_ns_per_tick */

/* Picks and calibrates the clock. Called once, by the registry. Blocks about 2 ms. */
void fmp_clock_init(void);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t fmp_clock_monotonic_ns(void);

/* The sources that are not worth inlining. */
uint64_t fmp_clock_ticks_slow(void);

/* Is the counter in use, so that FMP_READ_COUNTER() is the time? */
static inline bool fmp_clock_is_counter(void)
{
    return FMP_CLOCK_HAS_COUNTER &&
           atomic_load_explicit(&fmp_clock_kind_in_use, memory_order_relaxed) == FMP_CLOCK_COUNTER;
}

static inline uint64_t fmp_clock_ticks(void)
{
    if (!FMP_UNLIKELY(!fmp_clock_is_counter()))
        return FMP_READ_COUNTER();
    return fmp_clock_ticks_slow();
}

/* Whole nanoseconds of a duration below 2^63 ticks, by one multiplication: the way of every scope. */
static inline uint64_t fmp_clock_quick_ns(uint64_t ticks)
{
#if defined(FMP_UINT128)
    return (uint64_t)(((FMP_UINT128)ticks * fmp_clock_rate + ((uint64_t)1 << 31)) >> 32);
#elif !FMP_CLOCK_HAS_COUNTER
    return ticks;
#else
#error "a counter needs a product of 128 bits"
#endif
}

/* The ticks at a time of fmp_now; the nearest that the clock has for one before its start. */
uint64_t fmp_clock_ticks_at(uint64_t nanoseconds);

/* Nanoseconds of a tick as measured at the start: never changes, so that fmp_now is monotonic. */
double fmp_clock_ns_per_tick(void);

/* The same measured from the start until now: the longer the run, the more exact. */
double fmp_clock_refined_ns_per_tick(void);

/* Is a test's clock in use? */
bool fmp_clock_is_for_tests(void);

/*
 * FOR TESTS ONLY. Replaces the clock by `ticks` (one tick a nanosecond), or
 * puts the real one back when it is NULL. Call it while no scope is open.
 */
void fmp_clock_set_for_tests(uint64_t (*ticks)(void));

#endif
