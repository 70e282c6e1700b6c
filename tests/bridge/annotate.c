/*
 * A small program that is to be watched: THREADS threads do ROUNDS rounds of a "decode" scope with two "infer" scopes
 * in it, the second with a "layer" scope in it. Prints what fmp_annotate says. With "own" as its argument it shows
 * that nothing was switched on: a bridge of its own is taken, which counts.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "fmprof/bridge.h"
#include "fmprof/current.h"

enum { THREADS = 3, ROUNDS = 20 };

static void *work(void *name)
{
    fmp_thread_name(name);
    for (int i = 0; i < ROUNDS; i++) {
        FMP_SCOPE("STAGE", "decode");
        {
            FMP_SCOPE("MODEL", "infer");
        }
        {
            FMP_SCOPE("MODEL", "infer");
            {
                FMP_SCOPE("MODEL", "layer \"1\"");
            }
        }
    }
    return NULL;
}

static void work_on_threads(void)
{
    static char names[THREADS][16];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        snprintf(names[i], sizeof names[i], "worker %d", i);
        if (pthread_create(&threads[i], NULL, work, names[i]))
            return;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static atomic_int counted;

static void count_begin(const char *category, const char *operation)
{
    (void)category;
    (void)operation;
    atomic_fetch_add(&counted, 1);
}

static void count_end(void)
{
}

int main(int argc, char **argv)
{
    static const fmp_bridge own = {count_begin, count_end};
    const bool before = argc > 1 && strcmp(argv[1], "taken") == 0;
    if (before && !fmp_bridge_set(&own))
        return 1;
    char message[512];
    const unsigned on = fmp_annotate(0, message, sizeof message);
    printf("on: %u\nmessage: %s\n", on, message);
    work_on_threads();
    if (on) { /* a pause, in which nothing is told; then one round more */
        fmp_annotate_pause();
        work_on_threads();
        if (fmp_annotate(on, NULL, 0) != on)
            return 1;
        work("main");
    }
    if (argc > 1 && strcmp(argv[1], "own") == 0) {
        printf("own bridge: %d\n", fmp_bridge_set(&own));
        work("main");
    }
    printf("counted: %d\n", atomic_load(&counted));
    return 0;
}
