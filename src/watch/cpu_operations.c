#include "watch/cpu_operations.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fmprof/current.h"

/* Two snapshots have the same operations in another order, and there are few hundred. */
static const fmp_operation *find(const fmp_snapshot *snapshot, const fmp_operation *like)
{
    for (size_t i = 0; snapshot && i < snapshot->operation_count; i++) {
        const fmp_operation *o = &snapshot->operations[i];
        if (strcmp(o->operation, like->operation) == 0 && strcmp(o->category, like->category) == 0)
            return o;
    }
    return NULL;
}

typedef struct spent {
    const fmp_operation *operation;
    double calls, wall, cpu; /* seconds */
} spent;

/*
 * A call that was open when CPU time began to be measured has none: of an
 * operation without any other the CPU time is not known. Durations that were
 * measured elsewhere (fmp_record) and marks have none either.
 */
static spent between(const fmp_operation *before, const fmp_operation *after)
{
    const fmp_operation none = {0};
    if (!before || before->count > after->count) /* the profiler was reset meanwhile */
        before = &none;
    const double calls = (double)(after->count - before->count);
    const double recorded = (double)after->recorded - (double)before->recorded;
    const bool measured = (after->measures & FMP_MEASURE_CPU) && calls > recorded;
    return (spent){.operation = after,
                   .calls = calls,
                   .wall = fmax(0, (double)after->total_ns - (double)before->total_ns) / 1e9,
                   .cpu = measured ? fmax(0, (double)after->cpu_ns - (double)before->cpu_ns) / 1e9 : (double)NAN};
}

static int by_wall(const void *left, const void *right)
{
    const spent *a = left, *b = right;
    if (a->wall != b->wall)
        return a->wall < b->wall ? 1 : -1;
    return strcmp(a->operation->operation, b->operation->operation);
}

/* As fmp_operation_text says it. */
static const char *name_of(const fmp_operation *operation, fmp_tables *tables)
{
    if (!fmp_operation_shares_name(operation->category, operation->operation))
        return fmp_tables_text(tables, "%s", operation->operation); /* the snapshot's own ends with it */
    return fmp_tables_text(tables, "%s (%s)", operation->operation, operation->category);
}

void fmp_cpu_operations_table(const fmp_snapshot *before, const fmp_snapshot *after, fmp_tables *tables)
{
    const size_t count = after ? after->operation_count : 0;
    spent *all = malloc((count + 1) * sizeof *all);
    fmp_table_begin(tables, "operations");
    if (!all)
        return;
    for (size_t i = 0; i < count; i++)
        all[i] = between(find(before, &after->operations[i]), &after->operations[i]);
    if (count > 0)
        qsort(all, count, sizeof *all, by_wall);
    for (size_t i = 0; i < count; i++) {
        const spent *s = &all[i];
        if (!(s->calls > 0))
            continue;
        fmp_table_row(tables, (fmp_cell[]){FMP_TEXT(name_of(s->operation, tables)), FMP_NUMBER(s->calls),
                                           FMP_NUMBER(s->wall), FMP_NUMBER(s->cpu),
                                           FMP_NUMBER(isnan(s->cpu) ? s->cpu : fmax(0, s->wall - s->cpu))});
    }
    free(all);
}
