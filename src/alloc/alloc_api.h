/*
 * Between libfmprof-alloc.so, which stands before the allocator of a program
 * when it is preloaded, and whoever reads what it counts: libfmprof-system, or
 * any other library in that program.
 *
 *     const fmp_alloc_calls *api = dlsym(RTLD_DEFAULT, FMP_ALLOC_SYMBOL);
 *     if (api && api->version == FMP_ALLOC_VERSION)
 *         api->start(&(fmp_alloc_options){.interval = 1});
 *     ...
 *     api->stop();
 *     api->each_stack(visit, context);
 *     api->clear();
 *
 * All numbers are of what was taken while it recorded: a block from before is
 * not there, nor is giving it back. Thread-safety: start, stop, clear and the
 * readings by one thread at a time; set_aside by any thread.
 */
#ifndef FMP_ALLOC_API_H
#define FMP_ALLOC_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FMP_ALLOC_SYMBOL "fmp_alloc_api"
enum { FMP_ALLOC_VERSION = 2, FMP_ALLOC_DEPTH = 32, FMP_ALLOC_OPERATIONS = 4096 };

#define FMP_ALLOC_ASIDE UINT32_MAX

typedef struct fmp_alloc_options {
    uint64_t interval;           /* bytes between samples in the mean; 0: 512 KiB; 1: every allocation, exactly */
    uint32_t (*operation)(void); /* what is open on the calling thread, 0: nothing; NULL: always 0. It may be called
                                    at any allocation, so it must not wait; what it allocates itself is not counted.
                                    FMP_ALLOC_ASIDE: nor is this allocation, which is not the program's */
    uint64_t memory_max;         /* bytes for stacks and live blocks; 0: 256 MiB */
    uint64_t seed;               /* of the sampling; 0: another one each time */
} fmp_alloc_options;

/* Numbers of live blocks and peaks are estimates when it samples. */
typedef struct fmp_alloc_totals {
    uint64_t interval;        /* 1: exact */
    uint64_t count, bytes;    /* allocations, always exact; a realloc is one, and gives back the block before it */
    uint64_t samples;         /* allocations whose stack was taken */
    uint64_t live_count, live_bytes;
    uint64_t peak_bytes;      /* the most that was live at one moment */
    uint64_t memory;          /* bytes that recording took for itself */
    uint64_t dropped_stacks;   /* samples without a stack, as memory_max was reached: in the totals alone */
    uint64_t dropped_live;     /* samples with a stack that are in no live figure and peak, likewise */
    uint64_t other_operations; /* allocations under operations from FMP_ALLOC_OPERATIONS - 1 on, counted as one */
    bool fast;                 /* stacks are walked by libunwind, and not by the compiler's unwinder, which is slow */
} fmp_alloc_totals;

typedef struct fmp_alloc_operation {
    uint32_t operation;    /* FMP_ALLOC_OPERATIONS - 1: all from there on */
    uint64_t count, bytes; /* always exact */
    uint64_t live_count, live_bytes, peak_bytes;
} fmp_alloc_operation;

typedef struct fmp_alloc_stack {
    uint32_t operation;
    size_t frame_count;
    const uintptr_t *frames; /* where calls return to, innermost first, none in this library; until clear */
    uint64_t samples;        /* allocations whose stack was taken: an estimate is off by about 1/sqrt(samples) */
    uint64_t count, bytes, live_count, live_bytes, peak_bytes;
    uint64_t late_count, late_bytes; /* of the live ones, what was taken in the second half of the recording's time */
} fmp_alloc_stack;

typedef struct fmp_alloc_calls {
    uint32_t version; /* FMP_ALLOC_VERSION; another has another struct from here on */
    /* 0, or EBUSY (it records), ENOMEM. What was recorded before is gone. */
    int (*start)(const fmp_alloc_options *options);
    /* Recording ends, in all threads. Fine when it does not record. */
    void (*stop)(void);
    /* Gives back the memory of what was recorded, unless it records. */
    void (*clear)(void);
    /* The calling thread's allocations are not the program's from here until it is called with false; nests. */
    void (*set_aside)(bool aside);
    /* Readings, after stop; without a recording all is 0. */
    void (*totals)(fmp_alloc_totals *out);
    void (*each_operation)(void (*visit)(const fmp_alloc_operation *one, void *context), void *context);
    void (*each_stack)(void (*visit)(const fmp_alloc_stack *one, void *context), void *context);
} fmp_alloc_calls;

#endif
