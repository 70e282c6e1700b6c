#include "thread_clock.h"

#include <stdatomic.h>

#include "clock.h"
#include "fmprof/current.h"
#include "measure.h"
#include "registry.h"
#include "switch_mark.h"

/* So often in a row the system must say that the thread had less than 7/8 of the time before it is believed. */
enum { DOUBTS_MAX = 4 };

/* What is known of the calling thread. */
typedef struct thread_clock {
    bool tried; /* to get a mark */
    unsigned char doubts;
    uint64_t ticks, ns; /* the counter and the CPU time when the mark was set */
    uint64_t trust;     /* so many ticks after it; 0: the mark is not set */
    uint64_t last;      /* what was told last */
    uint64_t calls;
    fmp_switch_mark mark;
} thread_clock;

static _Thread_local thread_clock this_clock FMP_TLS_INITIAL_EXEC = {.mark = {.reason = ""}};
static _Atomic(unsigned) permitted = FMP_THREAD_CLOCK_ALL;

static void find_mark(thread_clock *c)
{
    c->tried = fmp_clock_is_counter(); /* a test's clock is for a while */
    c->trust = 0;
    c->doubts = 0;
    c->mark = (fmp_switch_mark){.reason = "the profiler's own clock is no counter"};
    if (c->tried)
        fmp_switch_mark_find(&c->mark, atomic_load_explicit(&permitted, memory_order_relaxed));
}

/*
 * The thread kept its processor for `ticks`, says the mark, and had `ns` of it,
 * says the system. Less is time that a hypervisor gave to others, or a mark
 * that is never taken away (perf events can be switched off from outside).
 */
static void doubt(thread_clock *c, uint64_t ticks, uint64_t ns)
{
    const uint64_t passed = fmp_clock_quick_ns(ticks);
    c->doubts = ns + passed / 8 < passed ? (unsigned char)(c->doubts + 1) : 0;
    if (c->doubts < DOUBTS_MAX)
        return;
    fmp_switch_mark_drop(&c->mark);
    c->mark.reason = "what the kernel says of switches does not agree with its CPU clock (another guest of the "
                     "machine has the processor, or perf events were switched off)";
}

/* Sets the mark first: a switch during the system call takes it away, and the next reading asks again. */
static FMP_NOINLINE uint64_t read_system(thread_clock *c)
{
    if (!c->tried)
        find_mark(c);
    const bool kept = c->trust != 0 && fmp_switch_mark_holds(&c->mark);
    if (c->mark.way)
        fmp_switch_mark_set(&c->mark);
    const uint64_t ns = fmp_thread_cpu_ns(), ticks = FMP_READ_COUNTER();
    c->calls++;
    if (!c->mark.way || !fmp_clock_is_counter()) {
        c->trust = 0;
        return ns;
    }
    if (kept && ticks - c->ticks >= c->trust && ticks > c->ticks)
        doubt(c, ticks - c->ticks, ns > c->ns ? ns - c->ns : 0);
    c->ticks = ticks;
    c->ns = ns;
    c->trust = 0;
    if (c->mark.way && fmp_switch_mark_holds(&c->mark))
        c->trust = (uint64_t)(FMP_THREAD_CLOCK_TRUST_NS / fmp_clock_ns_per_tick());
    return ns;
}

/*
 * The counter comes before the look at the mark: whatever switch lies before
 * the reading has then taken the mark away. The processor keeps that order, as
 * an interrupt falls between two instructions; the compiler is told to.
 */
uint64_t fmp_thread_clock_read(void)
{
    thread_clock *c = &this_clock;
    uint64_t ns = 0;
    const uint64_t passed = FMP_READ_COUNTER() - c->ticks;
    atomic_signal_fence(memory_order_seq_cst);
    if (passed < c->trust && fmp_clock_is_counter() && fmp_switch_mark_holds(&c->mark))
        ns = c->ns + fmp_clock_quick_ns(passed);
    else
        ns = read_system(c);
    if (ns > c->last)
        c->last = ns;
    return c->last;
}

void fmp_thread_clock_end(void)
{
    fmp_switch_mark_drop(&this_clock.mark);
    this_clock.tried = false;
    this_clock.trust = 0;
}

/* The child's CPU clock begins at 0, and a page of perf events is not in its memory. */
void fmp_thread_clock_forget(void)
{
    this_clock = (thread_clock){.mark = {.reason = ""}};
}

void fmp_thread_clock_permit_for_tests(unsigned ways)
{
    atomic_store_explicit(&permitted, ways, memory_order_relaxed);
    fmp_thread_clock_end();
}

unsigned fmp_thread_clock_way(void)
{
    return this_clock.mark.way;
}

uint64_t fmp_thread_clock_calls(void)
{
    return this_clock.calls;
}

const char *fmp_cpu_clock(const char **reason)
{
    fmp_registry_init();
    if (!this_clock.tried)
        fmp_thread_clock_read();
    *reason = this_clock.mark.reason;
    switch (this_clock.mark.way) {
    case FMP_THREAD_CLOCK_RSEQ:
        return "rseq";
    case FMP_THREAD_CLOCK_PERF:
        return "perf";
    default:
        return "system call";
    }
}
