#include "watch/waits.h"

#include <stdlib.h>
#include <string.h>

#include "watch/facility.h"

/* Numbers are dense; far beyond what a program registers. */
enum { OPERATIONS_MAX = 1 << 20 };

static bool room_for(fmp_waits *waits, uint32_t operation)
{
    if (operation < waits->room)
        return true;
    if (operation >= OPERATIONS_MAX)
        return false;
    const size_t room = (size_t)operation + operation / 2 + 64;
    void *grown = realloc(waits->seconds, room * sizeof *waits->seconds);
    if (!grown)
        return false;
    waits->seconds = grown;
    memset(&waits->seconds[waits->room], 0, (room - waits->room) * sizeof *waits->seconds);
    waits->room = room;
    return true;
}

static fmp_thread_doing doing_of(const fmp_threads *threads, uint64_t id)
{
    fmp_watched *thread = fmp_threads_find(threads, id);
    if (thread)
        return fmp_thread_source_doing(threads->source, id, &thread->files);
    fmp_thread_files files = FMP_NO_THREAD_FILES; /* so new that it is not among them */
    const fmp_thread_doing doing = fmp_thread_source_doing(threads->source, id, &files);
    fmp_thread_source_close(threads->source, &files);
    return doing;
}

static void add_seen(fmp_waits *waits, double seconds)
{
    for (size_t i = 0; i < waits->seen_count; i++)
        if (room_for(waits, waits->seen[i].operation))
            waits->seconds[waits->seen[i].operation][waits->seen[i].doing] += seconds;
}

static bool room_to_see(fmp_waits *waits, size_t count)
{
    if (count <= waits->seen_room)
        return true;
    fmp_wait_seen *grown = realloc(waits->seen, 2 * count * sizeof *grown);
    if (!grown)
        return false;
    waits->seen = grown;
    waits->seen_room = 2 * count;
    return true;
}

void fmp_waits_read(fmp_waits *waits, const fmp_threads *threads, double seconds)
{
    add_seen(waits, seconds / 2);
    waits->seen_count = 0;
    if (!room_to_see(waits, threads->current_count))
        return;
    for (size_t i = 0; i < threads->current_count; i++) {
        const fmp_thread_current *current = &threads->current[i];
        if (current->operation == 0)
            continue;
        const fmp_thread_doing doing = doing_of(threads, current->id);
        waits->seen[waits->seen_count++] =
            (fmp_wait_seen){current->operation, doing == FMP_DOING_UNKNOWN ? FMP_DOING_OTHER : doing};
    }
    add_seen(waits, seconds / 2);
}

typedef struct waited {
    uint32_t operation;
    double seconds;
} waited;

static int by_seconds(const void *left, const void *right)
{
    const waited *a = left, *b = right;
    if (a->seconds != b->seconds)
        return a->seconds < b->seconds ? 1 : -1;
    return (a->operation > b->operation) - (a->operation < b->operation);
}

void fmp_waits_table(const fmp_waits *waits, fmp_tables *tables)
{
    waited *all = malloc((waits->room + 1) * sizeof *all);
    size_t count = 0;
    for (size_t i = 0; all && i < waits->room; i++) {
        double sum = 0;
        for (int d = 0; d < FMP_DOING_COUNT; d++)
            sum += waits->seconds[i][d];
        if (sum > 0)
            all[count++] = (waited){(uint32_t)i, sum};
    }
    if (count > 0)
        qsort(all, count, sizeof *all, by_seconds);
    fmp_table_begin(tables, "waits");
    for (size_t i = 0; i < count; i++) {
        const double *s = waits->seconds[all[i].operation];
        fmp_table_row(tables, (fmp_cell[]){FMP_TEXT(fmp_operation_text(tables, all[i].operation)),
                                           FMP_NUMBER(all[i].seconds), FMP_NUMBER(s[FMP_DOING_RUNNING]),
                                           FMP_NUMBER(s[FMP_DOING_LOCK]), FMP_NUMBER(s[FMP_DOING_SLEEP]),
                                           FMP_NUMBER(s[FMP_DOING_IO]), FMP_NUMBER(s[FMP_DOING_POLL]),
                                           FMP_NUMBER(s[FMP_DOING_OTHER])});
    }
    free(all);
}

void fmp_waits_free(fmp_waits *waits)
{
    free(waits->seconds);
    free(waits->seen);
    *waits = (fmp_waits){0};
}
