/*
 * Call stacks where CPU time goes. Threads are sent a signal after so much of
 * their CPU time (ticker.h); its handler copies registers and stack
 * (sample_slots.h); the watching thread finds the calls (unwind.h) and
 * counts them (sample_stacks.h); names are looked up at the end (symbols.h).
 *
 * A sample stands for the CPU time of its thread since the sample before, not
 * for a period: a signal that waits while the kernel works for the thread, or
 * that found the pool full, takes nothing from the sum.
 */
#include "watch/facility.h"

#include "watch/sample_slots.h"

#ifdef FMP_CAN_SAMPLE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "watch/sample_stacks.h"
#include "watch/sample_tables.h"
#include "watch/symbols.h"
#include "watch/ticker.h"
#include "watch/unwind.h"

/* CPU time that unwinding may take at once, and of a second; samples beyond keep their innermost function. */
enum { UNWIND_GRACE_NS = 300000000, UNWIND_SHARE_PERCENT = 20 };

typedef struct sampler {
    fmp_tickers *tickers;
    fmp_symbols *symbols;
    fmp_unwinder *unwinder;
    fmp_seen_stacks *stacks;
    uint64_t period_ns;
    uint64_t unwind_ns; /* spent so far */
    uint64_t process_ns; /* CPU time of the process at the start */
    uint64_t taken, shallow, cut, outside, searched, shortened;
    bool lost_signal; /* the program took it for itself */
    const fmp_sample *full[FMP_SAMPLE_SLOTS_MAX];
} sampler;

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void says(fmp_tables *tables, const char *what, fmp_facility_state state, const char *how, const char *remedy)
{
    fmp_facility_says(tables, FMP_SYSTEM_SAMPLE, what, state, how, remedy);
}

static void destroy(sampler *s)
{
    fmp_seen_stacks_free(&s->stacks);
    fmp_unwinder_free(&s->unwinder);
    fmp_symbols_free(&s->symbols);
    fmp_tickers_free(&s->tickers);
    free(s);
}

/* --- start ----------------------------------------------------------------------------- */

/*
 * A signal that the program does not use; 0: there is none. SIGPROF is for
 * this; the other one was for a coprocessor's stack that no machine has.
 */
static int free_signal(void)
{
    static const int candidates[] = {SIGPROF,
#ifdef SIGSTKFLT
                                     SIGSTKFLT
#endif
    };
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++)
        if (fmp_slots_signal_is_free(candidates[i]))
            return candidates[i];
    return 0;
}

/* Four times what should come between two readings: the watching thread may be late. */
static size_t slots_for(const fmp_system_options *options)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const uint64_t each = 4u * (uint64_t)options->samples_hz / options->readings_hz + 4;
    const uint64_t all = each * (uint64_t)(processors > 0 ? processors : 1);
    return all < 64 ? 64 : all > FMP_SAMPLE_SLOTS_MAX ? FMP_SAMPLE_SLOTS_MAX : (size_t)all;
}

static const char *paranoid_text(fmp_tables *tables, const char *root)
{
    char path[4096];
    int value;
    snprintf(path, sizeof path, "%.4000s/proc/sys/kernel/perf_event_paranoid", root);
    FILE *file = fopen(path, "re");
    const bool known = file && fscanf(file, "%d", &value) == 1;
    if (file)
        fclose(file);
    return known ? fmp_tables_text(tables, ", kernel.perf_event_paranoid is %d", value) : "";
}

static const char *const stack_texts[] = {"", ", stacks by /proc/self/mem since process_vm_readv was refused",
                                          ", stacks cut at a page's end since both ways to read them were refused"};

static void say_mechanism(const sampler *s, const fmp_system_options *options, const fmp_watch_info *info,
                          fmp_tables *tables, const char *signal_text)
{
    const fmp_ticker_figures figures = fmp_tickers_figures(s->tickers);
    const double milliseconds = (double)s->period_ns / 1e6;
    const char *rest = fmp_tables_text(tables, "every %.3g ms of a thread's CPU time, %s%s; names by %s", milliseconds,
                                       signal_text, stack_texts[fmp_slots_stack_reading()], fmp_symbols_source());
    if (figures.by_timer == 0)
        says(tables, "call stacks", FMP_STATE_ON, fmp_tables_text(tables, "perf_event_open (cpu-clock), %s", rest), "");
    else if (options->sample_by_timer)
        says(tables, "call stacks", FMP_STATE_ON, fmp_tables_text(tables, "timer_create, as asked for, %s", rest), "");
    else if (figures.perf_error == EMFILE || figures.perf_error == ENFILE)
        says(tables, "call stacks", FMP_STATE_ON,
             fmp_tables_text(tables, "perf_event_open (cpu-clock), for %zu of %zu threads timer_create, %s",
                             figures.by_timer, figures.threads, rest),
             "more open files: ulimit -n");
    else
        says(tables, "call stacks", FMP_STATE_ON,
             fmp_tables_text(tables, "timer_create at the kernel's tick, since perf_event_open said: %s%s; %s",
                             strerror(figures.perf_error), paranoid_text(tables, info->root), rest),
             figures.perf_error == EACCES || figures.perf_error == EPERM
                 ? "sysctl kernel.perf_event_paranoid=1, or CAP_PERFMON; in a container its seccomp profile as well"
                 : "");
}

static void *start(const fmp_system_options *options, const fmp_watch_info *info, fmp_tables *tables)
{
    const int number = free_signal();
    if (number == 0) {
        says(tables, "call stacks", FMP_STATE_NOT_PERMITTED, "the program handles SIGPROF itself, and SIGSTKFLT too",
             "start watching before the program sets its handler, or leave one of them alone");
        return NULL;
    }
    sampler *s = calloc(1, sizeof *s);
    if (!s) {
        says(tables, "call stacks", FMP_STATE_NOT_HERE, "memory is out", "");
        return NULL;
    }
    s->period_ns = 1000000000u / options->samples_hz;
    s->symbols = fmp_symbols_create();
    s->unwinder = s->symbols ? fmp_unwinder_create(s->symbols) : NULL;
    s->stacks = fmp_seen_stacks_create();
    s->tickers = fmp_tickers_create(&(fmp_ticker_options){
        .signal = number, .period_ns = s->period_ns, .timer_alone = options->sample_by_timer});
    const int failure = s->unwinder && s->stacks && s->tickers ? fmp_slots_open(number, slots_for(options)) : ENOMEM;
    if (failure) {
        says(tables, "call stacks", FMP_STATE_NOT_HERE, fmp_tables_text(tables, "%s", strerror(failure)), "");
        destroy(s);
        return NULL;
    }
    s->process_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    fmp_tickers_scan(s->tickers, info->root, info->watcher);
    const fmp_ticker_figures figures = fmp_tickers_figures(s->tickers);
    if (figures.threads == 0) {
        says(tables, "call stacks", FMP_STATE_NOT_PERMITTED,
             fmp_tables_text(tables, "perf_event_open said: %s; timer_create: %s", strerror(figures.perf_error),
                             strerror(figures.timer_error)),
             "permit one of these system calls in the seccomp profile");
        fmp_tickers_free(&s->tickers);
        fmp_slots_close();
        destroy(s);
        return NULL;
    }
    say_mechanism(s, options, info, tables, number == SIGPROF ? "SIGPROF" : "SIGSTKFLT since SIGPROF is the program's");
    return s;
}

/* --- readings ---------------------------------------------------------------------------- */

static int by_thread_and_time(const void *left, const void *right)
{
    const fmp_sample *a = *(const fmp_sample *const *)left, *b = *(const fmp_sample *const *)right;
    if (a->thread != b->thread)
        return a->thread < b->thread ? -1 : 1;
    return a->cpu_ns < b->cpu_ns ? -1 : a->cpu_ns > b->cpu_ns;
}

/* The calls of a sample; when there is no time for it the innermost alone. */
static void find_calls(sampler *s, const fmp_sample *sample, bool in_time, fmp_calls *calls)
{
    if (in_time) {
        fmp_unwind(s->unwinder, sample, calls);
        s->cut += calls->cut;
        s->outside += calls->outside;
        s->searched += calls->searched;
        return;
    }
    *calls = (fmp_calls){.count = 1, .cut = true};
    calls->pc[0] = sample->pc;
    s->shallow++;
}

static void drain(sampler *s, uint64_t allowed_ns)
{
    const size_t count = fmp_slots_full(s->full);
    if (count == 0)
        return;
    fmp_unwinder_refresh(s->unwinder);
    qsort(s->full, count, sizeof s->full[0], by_thread_and_time);
    const uint64_t before = s->unwind_ns, begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (size_t i = 0; i < count; i++) {
        fmp_calls calls;
        find_calls(s, s->full[i], s->unwind_ns <= allowed_ns, &calls);
        const uint64_t ns = fmp_tickers_account(s->tickers, s->full[i]->thread, s->full[i]->cpu_ns);
        if (!fmp_seen_stacks_add(s->stacks, s->full[i]->operation, &calls, ns))
            s->shortened++;
        fmp_slots_free(s->full[i]);
        s->unwind_ns = before + clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
    }
    s->taken += count;
}

static void read_samples(void *state, const fmp_watch_info *info, uint64_t now_ns)
{
    sampler *s = state;
    if (s->lost_signal)
        return;
    if (!fmp_slots_hold_signal()) {
        s->lost_signal = true; /* it was set by the program: what is sent from now on would go to its handler */
        fmp_tickers_stop(s->tickers);
    }
    const uint64_t elapsed = now_ns > info->start_ns ? now_ns - info->start_ns : 0;
    drain(s, UNWIND_GRACE_NS + elapsed / 100 * UNWIND_SHARE_PERCENT);
    if (!s->lost_signal)
        fmp_tickers_scan(s->tickers, info->root, info->watcher);
}

/* --- stop ---------------------------------------------------------------------------------- */

static const char *counted(fmp_tables *tables, uint64_t count, const char *what)
{
    return count > 0 ? fmp_tables_text(tables, "; %llu %s", (unsigned long long)count, what) : "";
}

static void say_figures(const sampler *s, fmp_tables *tables, uint64_t process_ns)
{
    const fmp_ticker_figures figures = fmp_tickers_figures(s->tickers);
    const uint64_t missed = figures.seen_ns - figures.sampled_ns;
    const char *text = fmp_tables_text(
        tables, "%llu samples of %zu threads for %.3g s of the process's %.3g s of CPU time%s%s%s%s%s%s%s%s",
        (unsigned long long)s->taken, figures.threads, (double)figures.sampled_ns / 1e9, (double)process_ns / 1e9,
        missed > 2 * s->period_ns * figures.threads
            ? fmp_tables_text(tables, "; %.3g s of threads that block the signal or ended early", (double)missed / 1e9)
            : "",
        counted(tables, fmp_slots_dropped(), "dropped since the pool was full, their time went to the next ones"),
        counted(tables, s->shallow, "with the innermost function alone, since finding the others took too long"),
        counted(tables, s->shortened, "with the innermost function alone, since there were too many different stacks"),
        counted(tables, s->searched,
                "in code without unwinding tables, whose callers were found by looking for return addresses"),
        counted(tables, s->cut, "whose outermost calls were not found: \"(deeper)\""),
        counted(tables, s->outside, "of them since more stack was in use than is copied"),
        counted(tables, figures.refused, "threads that could not be given a ticker"));
    says(tables, "samples", FMP_STATE_ON, text, "");
    if (s->lost_signal)
        says(tables, "samples until the end", FMP_STATE_NOT_PERMITTED,
             "the program set a handler of its own for the signal while it was watched",
             "set it before the watch starts: another signal is used then");
}

static void stop(void *state, const fmp_watch_info *info, fmp_tables *tables)
{
    (void)info;
    sampler *s = state;
    const uint64_t process_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - s->process_ns;
    fmp_tickers_stop(s->tickers);
    fmp_slots_close();
    say_figures(s, tables, process_ns);
    if (!fmp_sample_tables(tables, s->symbols, s->stacks, s->period_ns))
        says(tables, "functions", FMP_STATE_NOT_HERE, "memory is out", "");
    destroy(s);
}

const fmp_facility_calls fmp_facility_sample = {FMP_SYSTEM_SAMPLE, start, read_samples, stop, NULL};
#else
static void *start(const fmp_system_options *options, const fmp_watch_info *info, fmp_tables *tables)
{
    (void)options;
    (void)info;
    fmp_facility_says(tables, FMP_SYSTEM_SAMPLE, "call stacks", FMP_STATE_NOT_HERE,
                      "written for Linux on x86-64 and arm64", "use the system's profiler: Instruments, perf");
    return NULL;
}

static void stop(void *state, const fmp_watch_info *info, fmp_tables *tables)
{
    (void)state;
    (void)info;
    (void)tables;
}

const fmp_facility_calls fmp_facility_sample = {FMP_SYSTEM_SAMPLE, start, NULL, stop, NULL};
#endif
