/*
 * Tickers: each thread of the process but the watching one is sent a signal
 * after every so much of its CPU time.
 *
 * By perf_event_open's software clock (cpu-clock), a counter for each thread
 * whose overflow sends the signal to that thread; no ring is mapped, the
 * signal needs none. Hardware counters would tick by cycles, which are no
 * time, and virtual machines have none. Where the kernel refuses it, refuses
 * to look at the time that it spends itself for the thread, or descriptors run
 * short, by a timer on the thread's CPU clock (timer_create), which ticks
 * no oftener than the kernel's own tick (CONFIG_HZ: 100 to 1000 a second).
 *
 * Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_TICKER_H
#define FMP_WATCH_TICKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fmp_tickers fmp_tickers;

typedef struct fmp_ticker_options {
    int signal; /* not a real-time one: those queue up, and at their limit perf_event_open sends a deadly SIGIO */
    uint64_t period_ns;
    bool timer_alone;
} fmp_ticker_options;

/* NULL when memory is out. */
fmp_tickers *fmp_tickers_create(const fmp_ticker_options *options);
/* No signal is sent after it. Figures are as they are, and no scan may follow. */
void fmp_tickers_stop(fmp_tickers *tickers);
/* Stops them too. NULL and *NULL are fine. */
void fmp_tickers_free(fmp_tickers **tickers);

/* Gives threads that are new in `root`/proc/self/task a ticker, but for `watcher`; takes away those of ended ones. */
void fmp_tickers_scan(fmp_tickers *tickers, const char *root, uint64_t watcher);

/* A sample of a thread was taken at `cpu_ns` of its CPU time: the CPU time that it stands for. */
uint64_t fmp_tickers_account(fmp_tickers *tickers, uint64_t thread, uint64_t cpu_ns);

typedef struct fmp_ticker_figures {
    size_t threads, by_timer, refused; /* given a ticker; those of them by timer; could not be given one */
    int perf_error;                    /* why perf_event_open did not serve, errno; 0: it did, or was not asked */
    int timer_error;                   /* the same of timer_create */
    uint64_t seen_ns;                  /* CPU time of their threads while they had one */
    uint64_t sampled_ns;               /* of it what samples stand for */
} fmp_ticker_figures;
fmp_ticker_figures fmp_tickers_figures(const fmp_tickers *tickers);

#endif
