#include "registry.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "measure.h"
#include "recorder.h"
#include "site.h"
#include "thread_clock.h"
#include "trace_record.h"

fmp_registry fmp_the_registry = {.mutex = PTHREAD_MUTEX_INITIALIZER, .generation = 1};

_Atomic(bool) fmp_switched_off;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    pthread_mutex_lock(&fmp_the_registry.mutex);
    fmp_trace_before_fork();
}

static void after_fork_in_parent(void)
{
    fmp_trace_after_fork_in_parent();
    pthread_mutex_unlock(&fmp_the_registry.mutex);
}

/*
 * The figures so far are the parent's: a child that kept them would report
 * them twice. The other threads do not exist here, and may have been stopped
 * in the middle of an update. Only memory is written: nothing else is allowed
 * between fork and exec.
 */
static void after_fork_in_child(void)
{
    fmp_trace_after_fork_in_child();
    fmp_measure_forget();
    fmp_thread_clock_forget();
    fmp_recorder_forget_others();
    atomic_fetch_add_explicit(&fmp_the_registry.generation, 1, memory_order_relaxed);
    atomic_store_explicit(&fmp_the_registry.lost, 0, memory_order_relaxed);
    pthread_mutex_unlock(&fmp_the_registry.mutex);
}

/* FMP_OFF=1 in the environment: off until the program itself calls fmp_enable(true). */
static void heed_environment(void)
{
    const char *off = getenv("FMP_OFF");
    if (off && strcmp(off, "1") == 0)
        atomic_store_explicit(&fmp_switched_off, true, memory_order_relaxed);
}

static void start(void)
{
    heed_environment();
    fmp_clock_init();
    fmp_site_init();
    fmp_recorder_init();
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void fmp_registry_init(void)
{
    pthread_once(&once, start);
}

void fmp_enable(bool on)
{
    fmp_registry_init(); /* so that the environment has had its say before */
    atomic_store_explicit(&fmp_switched_off, !on, memory_order_relaxed);
}

/* Owners clear their blocks themselves when they see the new generation. */
void fmp_reset(void)
{
    fmp_registry_init();
    pthread_mutex_lock(&fmp_the_registry.mutex);
    atomic_fetch_add_explicit(&fmp_the_registry.generation, 1, memory_order_relaxed);
    atomic_store_explicit(&fmp_the_registry.lost, 0, memory_order_relaxed);
    fmp_recorder_free_ended();
    fmp_recorder_restart_cpu();
    pthread_mutex_unlock(&fmp_the_registry.mutex);
}
