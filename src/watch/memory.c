/* The memory facility: what is resident, from the system; what is taken and kept, from libfmprof-alloc.so. */
#include <errno.h>
#include <stdlib.h>

#include "fmprof/current.h"
#include "watch/alloc_client.h"
#include "watch/alloc_tables.h"
#include "watch/facility.h"
#include "watch/memory_process.h"
#include "watch/symbols.h"

#define ALLOCATIONS "allocations and leaks"

typedef struct memory_state {
    fmp_process_memory process;
    const fmp_alloc_calls *api; /* NULL: allocations are not recorded */
} memory_state;

static void says(fmp_tables *tables, fmp_facility_state state, const char *how, const char *remedy)
{
    fmp_facility_says(tables, FMP_SYSTEM_MEMORY, ALLOCATIONS, state, how, remedy);
}

static void says_why_not(fmp_tables *tables)
{
    const char *checker = fmp_alloc_checker(), *failure = fmp_alloc_preload_failure();
    if (checker) {
        says(tables, FMP_STATE_NOT_HERE, fmp_tables_text(tables, "the program's allocator is that of %s", checker),
             fmp_tables_text(tables, "run it without %s", checker));
        return;
    }
#ifdef __linux__
    says(tables, FMP_STATE_NOT_HERE,
         failure[0] ? fmp_tables_text(tables, "libfmprof-alloc.so is not preloaded: %s", failure)
                    : "libfmprof-alloc.so is not preloaded",
         "start it with LD_PRELOAD=libfmprof-alloc.so; \"facemirror run --system=memory\" does so by itself");
#else
    (void)failure;
    says(tables, FMP_STATE_NOT_HERE, "allocations are seen on Linux only",
         "Instruments' Allocations and Leaks show them");
#endif
}

/* What the profiler takes for itself is not the program's. */
static uint32_t operation_of_program(void)
{
    const uint32_t operation = fmp_current_operation();
    return operation & FMP_OPERATION_OWN ? FMP_ALLOC_ASIDE : operation;
}

/* NULL: not recorded; the table then says why. */
static const fmp_alloc_calls *start_recording(const fmp_system_options *options, fmp_tables *tables)
{
    const fmp_alloc_calls *api = fmp_alloc_checker() ? NULL : fmp_alloc_find();
    if (!api) {
        says_why_not(tables);
        return NULL;
    }
    if (!fmp_alloc_reached()) {
        says(tables, FMP_STATE_NOT_HERE, "an allocator of the program's own comes before libfmprof-alloc.so",
             "name libfmprof-alloc.so first in LD_PRELOAD, or link the program without that allocator");
        return NULL;
    }
    const fmp_alloc_options wanted = {.interval = options->allocation_interval, .operation = operation_of_program};
    const int error = api->start(&wanted);
    if (error)
        says(tables, FMP_STATE_NOT_HERE,
             error == EBUSY ? "another client of libfmprof-alloc.so records" : "no memory for its tables", "");
    return error ? NULL : api;
}

static void *start(const fmp_system_options *options, const fmp_watch_info *info, fmp_tables *tables)
{
    memory_state *state = calloc(1, sizeof *state);
    if (!state) {
        fmp_facility_says(tables, FMP_SYSTEM_MEMORY, "", FMP_STATE_NOT_HERE, "memory is out", "");
        return NULL;
    }
    fmp_process_memory_begin(&state->process, info->root);
    fmp_facility_says(tables, FMP_SYSTEM_MEMORY, "resident memory and page faults", FMP_STATE_ON,
                      "readings of the process, and getrusage", "");
    state->api = start_recording(options, tables);
    return state;
}

/* The last reading comes before any facility stops: what they take for that is not the program's. */
static void read_memory(void *opaque, const fmp_watch_info *info, uint64_t now_ns)
{
    (void)now_ns;
    memory_state *state = opaque;
    if (state->api && info->end_ns)
        state->api->stop();
    fmp_process_memory_read(&state->process);
}

static void says_what_was_recorded(const fmp_alloc_totals *t, fmp_tables *tables, bool stacks)
{
    const double mib = (double)t->memory / (1024 * 1024);
    const char *symbols = stacks ? fmp_symbols_source() : "none: memory is out";
    if (t->interval == 1)
        says(tables, FMP_STATE_ON,
             fmp_tables_text(tables,
                             "libfmprof-alloc.so, every allocation (%.1f MiB of its own); stacks: %s; symbols: %s", mib,
                             t->fast ? "libunwind" : "the compiler's unwinder, which is slow", symbols),
             "");
    else
        says(tables, FMP_STATE_ON,
             fmp_tables_text(tables,
                             "libfmprof-alloc.so: counts and bytes of operations are exact; stacks, live blocks and "
                             "peaks are estimated from %llu samples, one every %.0f KiB in the mean (%.1f MiB of its "
                             "own); symbols: %s",
                             (unsigned long long)t->samples, (double)t->interval / 1024, mib, symbols),
             "");
    if (t->dropped_stacks || t->dropped_live)
        fmp_facility_says(tables, FMP_SYSTEM_MEMORY, "allocations that were not kept", FMP_STATE_NOT_HERE,
                          fmp_tables_text(tables,
                                          "libfmprof-alloc.so has as much memory as it may have: %llu allocations are "
                                          "missing in stacks and leaks, %llu more in live blocks, peaks and leaks",
                                          (unsigned long long)t->dropped_stacks, (unsigned long long)t->dropped_live),
                          "a larger allocation interval");
}

static void stop(void *opaque, const fmp_watch_info *info, fmp_tables *tables)
{
    memory_state *state = opaque;
    if (state->api) {
        fmp_alloc_totals totals;
        state->api->stop();
        state->api->totals(&totals);
        if (totals.interval) {
            says_what_was_recorded(&totals, tables, fmp_alloc_tables(state->api, tables));
            state->api->clear();
        } else {
            says(tables, FMP_STATE_NOT_HERE, "a thread that was halted inside of the allocator kept the records", "");
        }
    }
    fmp_process_memory_end(&state->process, info, tables);
    free(state);
}

const fmp_facility_calls fmp_facility_memory = {FMP_SYSTEM_MEMORY, start, read_memory, stop, NULL};
