/*
 * What it costs to watch allocations: nanoseconds of a malloc with its free,
 * from a shallow and from a deep stack, in a program as it is, with
 * libfmprof-alloc.so preloaded but idle, sampling, and exact; and under
 * heaptrack, where that is installed.
 *
 * Each is a process of its own, since the library is preloaded at its start;
 * they take turns, and medians over the turns are shown.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/alloc_api.h"
#include "fmprof/current.h"
#include "timing.h"

enum { BATCHES = 101, PAIRS = 2000, ROUNDS = 7, SIZE = 64, SHALLOW = 1, DEEP = 25, MODES = 5 };

static const struct {
    const char *name, *title;
} modes[MODES] = {{"plain", "as it is"},
                  {"idle", "preloaded, nothing recorded"},
                  {"sampling", "sampling, every 512 KiB in the mean"},
                  {"exact", "every allocation"},
                  {"heaptrack", "under heaptrack"}};

/* --- in the process that is measured --------------------------------------------------- */

static double batch(void)
{
    const double start = clock_ms(CLOCK_MONOTONIC);
    for (int i = 0; i < PAIRS; i++) {
        void *volatile block = malloc(SIZE);
        free(block);
    }
    return (clock_ms(CLOCK_MONOTONIC) - start) * 1e6 / PAIRS;
}

static double at_depth(int depth)
{
    volatile double ns = depth > 1 ? at_depth(depth - 1) : batch(); /* volatile: no jump in place of the call */
    return ns;
}

static double median_at(int depth)
{
    double values[BATCHES];
    for (int i = 0; i < BATCHES; i++)
        values[i] = at_depth(depth);
    return median_of(values, BATCHES);
}

static int measure(const char *mode)
{
    const fmp_alloc_calls *api = dlsym(RTLD_DEFAULT, FMP_ALLOC_SYMBOL);
    const bool records = strcmp(mode, "sampling") == 0 || strcmp(mode, "exact") == 0;
    if ((records || strcmp(mode, "idle") == 0) && !api)
        return 1;
    if (records && api->start(&(fmp_alloc_options){.interval = strcmp(mode, "exact") == 0,
                                                   .operation = fmp_current_operation}) != 0)
        return 1;
    const double shallow = median_at(SHALLOW);
    printf("%.2f %.2f\n", shallow, median_at(DEEP));
    return 0;
}

/* --- and in the one that asks ------------------------------------------------------------ */

/* False: it could not be run. */
static bool ask(const char *program, const char *library, int mode, const char *scratch, double *shallow, double *deep)
{
    char command[3 * PATH_MAX];
    const char *name = modes[mode].name;
    if (strcmp(name, "heaptrack") == 0)
        snprintf(command, sizeof command, "heaptrack -o %s/h %s measure %s 2>/dev/null", scratch, program, name);
    else
        snprintf(command, sizeof command, "%s%s %s measure %s", strcmp(name, "plain") == 0 ? "" : "LD_PRELOAD=",
                 strcmp(name, "plain") == 0 ? "" : library, program, name);
    FILE *answer = popen(command, "r");
    if (!answer)
        return false;
    bool found = false;
    char line[256];
    while (fgets(line, sizeof line, answer))
        found = found || sscanf(line, "%lf %lf", shallow, deep) == 2;
    return pclose(answer) == 0 && found;
}

static void remove_scratch(const char *scratch)
{
    char path[PATH_MAX];
    static const char *const ends[] = {"h", "h.gz", "h.zst"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", scratch, ends[i]);
        unlink(path);
    }
    rmdir(scratch);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "measure") == 0)
        return measure(argv[2]);
    char program[PATH_MAX], scratch[] = "/tmp/alloc_cost_XXXXXX";
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (argc != 2 || length <= 0 || !mkdtemp(scratch)) {
        fprintf(stderr, "usage: %s PATH/libfmprof-alloc.so\n", argv[0]);
        return 2;
    }
    program[length] = '\0';
    double shallow[MODES][ROUNDS], deep[MODES][ROUNDS];
    int rounds[MODES] = {0};
    for (int round = 0; round < ROUNDS; round++)
        for (int mode = 0; mode < MODES; mode++)
            if (ask(program, argv[1], mode, scratch, &shallow[mode][rounds[mode]], &deep[mode][rounds[mode]]))
                rounds[mode]++;
    remove_scratch(scratch);
    printf("malloc(%d) and its free; nanoseconds, medians of %d processes\n\n%-36s  %4d frame  %4d frames\n", SIZE,
           ROUNDS, "", SHALLOW, DEEP);
    for (int mode = 0; mode < MODES; mode++) {
        if (rounds[mode] == 0)
            printf("%-36s  %10s  %11s\n", modes[mode].title, "not run", "not run");
        else
            printf("%-36s  %10.1f  %11.1f\n", modes[mode].title, median_of(shallow[mode], rounds[mode]),
                   median_of(deep[mode], rounds[mode]));
    }
    return rounds[0] && rounds[1] && rounds[2] && rounds[3] ? 0 : 1;
}
