/*
 * Times empty scopes of several instrumentation libraries side by side:
 *
 *     peers FOLDER ROUNDS BATCH PEER.so...
 *
 * Every round runs one batch of every case, so that a busy machine disturbs
 * all alike; a batch is shorter than a time slice. Prints one line for each
 * case, tab-separated: name, nanoseconds for one scope (median and lower
 * quartile over the rounds), and the ratio to a clock reading of the same
 * round (median). The first case of the first peer is that clock reading. A
 * peer that cannot run prints "skip", its file and the reason.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peer.h"

enum { CASES_MAX = 64, WARM_UP_ROUNDS = 3 };

typedef struct timing {
    const peer_case *what;
    double *ns; /* one a round */
} timing;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double time_batch(const peer_case *c, int batch)
{
    if (c->before)
        c->before();
    int64_t start = now_ns();
    c->batch(batch);
    int64_t end = now_ns();
    if (c->after)
        c->after();
    return (double)(end - start) / batch;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts. */
static double quantile(double *values, int count, double q)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[(int)(q * (count - 1) + 0.5)];
}

/* Adds the cases of a shared object; says why when there are none. */
static int load(const char *path, const char *folder, timing *timings, int count, int rounds)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const peer *p = library ? dlsym(library, "the_peer") : NULL;
    const char *reason = !library ? dlerror() : !p ? "it has no the_peer" : p->open ? p->open(folder) : NULL;
    if (reason) {
        printf("skip\t%s\t%s\n", path, reason);
        return count;
    }
    for (const peer_case *c = p->cases; c->name && count < CASES_MAX; c++) {
        timings[count].what = c;
        timings[count].ns = calloc((size_t)rounds, sizeof(double));
        if (!timings[count++].ns) {
            fprintf(stderr, "peers: memory is out\n");
            exit(1);
        }
    }
    return count;
}

static void print(timing *timings, int count, int rounds)
{
    double *ratio = calloc((size_t)rounds, sizeof(double));
    double *clock = calloc((size_t)rounds, sizeof(double));
    if (!ratio || !clock)
        exit(1);
    memcpy(clock, timings[0].ns, (size_t)rounds * sizeof(double));
    for (int i = 0; i < count; i++) {
        for (int r = 0; r < rounds; r++)
            ratio[r] = timings[i].ns[r] / clock[r];
        double median = quantile(timings[i].ns, rounds, 0.5);
        double quartile = quantile(timings[i].ns, rounds, 0.25);
        printf("case\t%s\t%.2f\t%.2f\t%.3f\n", timings[i].what->name, median, quartile,
               quantile(ratio, rounds, 0.5));
    }
    free(ratio);
    free(clock);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: peers FOLDER ROUNDS BATCH PEER.so...\n");
        return 2;
    }
    int rounds = atoi(argv[2]), batch = atoi(argv[3]), count = 0;
    if (rounds < 1 || batch < 1) {
        fprintf(stderr, "peers: rounds and batch must be above 0\n");
        return 2;
    }
    timing timings[CASES_MAX] = {{NULL, NULL}};
    for (int i = 4; i < argc; i++)
        count = load(argv[i], argv[1], timings, count, rounds);
    if (!count)
        return 1;
    for (int r = -WARM_UP_ROUNDS; r < rounds; r++)
        for (int i = 0; i < count; i++) {
            double ns = time_batch(timings[i].what, batch);
            if (r >= 0)
                timings[i].ns[r] = ns;
        }
    print(timings, count, rounds);
    fflush(stdout);
    return 0;
}
