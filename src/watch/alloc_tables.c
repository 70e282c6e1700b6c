#include "watch/alloc_tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "watch/facility.h"
#include "watch/memory_process.h"
#include "watch/symbols.h"

/*
 * Rows of a table of stacks; of so many the symbols are looked up, since those
 * whose lines are all the same become one row.
 */
enum { ROWS = 20, LOOKED_UP = 200, STACK_SIZE = 8 * 1024, FRAME_SIZE = 512 };

typedef struct stack_list {
    fmp_alloc_stack *stacks;
    size_t count, capacity;
    bool failed;
} stack_list;

/* What becomes a row. */
typedef struct place {
    const char *operation, *stack;
    uint64_t count, bytes, peak, late_count, late_bytes;
    double late_seen; /* of the late ones: whose stack was taken, about */
} place;

/* Fewer late samples than this are chance, however many blocks they stand for. */
enum { LATE_SEEN_LEAST = 3 };

static const char *operation_text(fmp_tables *tables, uint32_t operation)
{
    return operation < FMP_ALLOC_OPERATIONS - 1 ? fmp_operation_text(tables, operation) : "(other operations)";
}

static void add_operation(const fmp_alloc_operation *one, void *opaque)
{
    fmp_tables *tables = opaque;
    fmp_table_add(tables, "allocations",
                  (fmp_cell[]){FMP_TEXT(operation_text(tables, one->operation)), FMP_NUMBER(one->count),
                               FMP_NUMBER(one->bytes), FMP_NUMBER(one->live_count), FMP_NUMBER(one->live_bytes),
                               FMP_NUMBER(one->peak_bytes)});
}

static void keep_stack(const fmp_alloc_stack *one, void *opaque)
{
    stack_list *list = opaque;
    if (list->count == list->capacity) {
        const size_t more = list->capacity ? list->capacity * 2 : 1024;
        fmp_alloc_stack *all = realloc(list->stacks, more * sizeof *all);
        if (!all) {
            list->failed = true;
            return;
        }
        list->stacks = all;
        list->capacity = more;
    }
    list->stacks[list->count++] = *one;
}

/* --- a stack as text ------------------------------------------------------------------ */

typedef struct text {
    char at[STACK_SIZE];
    size_t used;
} text;

/* A line; false when it does not fit, which the last line then says. */
static bool add_line(text *t, const char *line)
{
    static const char more[] = "\n...";
    const size_t length = strlen(line), newline = t->used != 0;
    if (t->used + newline + length + sizeof more > sizeof t->at) {
        memcpy(t->at + t->used, more, sizeof more);
        return false;
    }
    if (newline)
        t->at[t->used++] = '\n';
    memcpy(t->at + t->used, line, length + 1);
    t->used += length;
    return true;
}

/* What called main is the same for every program, and told of none. */
static const char *stack_text(fmp_tables *tables, fmp_symbols *symbols, const fmp_alloc_stack *stack, text *t)
{
    t->used = 0;
    t->at[0] = '\0';
    for (size_t i = 0; i < stack->frame_count; i++) {
        const fmp_symbol *symbol = fmp_symbols_find(symbols, stack->frames[i], FMP_ADDRESS_RETURN);
        for (size_t j = 0; j < symbol->count; j++) {
            char line[FRAME_SIZE];
            if (!add_line(t, fmp_symbol_text(line, sizeof line, &symbol->frames[j])))
                return fmp_tables_text(tables, "%s", t->at);
            if (strcmp(symbol->frames[j].function, "main") == 0)
                return fmp_tables_text(tables, "%s", t->at);
        }
    }
    return fmp_tables_text(tables, "%s", t->at);
}

/* --- the largest ------------------------------------------------------------------------ */

static int by_bytes(const void *a, const void *b)
{
    const fmp_alloc_stack *x = a, *y = b;
    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

/* What goes on being taken comes first. */
static int by_live(const void *a, const void *b)
{
    const fmp_alloc_stack *x = a, *y = b;
    if (x->late_bytes != y->late_bytes)
        return x->late_bytes < y->late_bytes ? 1 : -1;
    return (x->live_bytes < y->live_bytes) - (x->live_bytes > y->live_bytes);
}

static int place_by_bytes(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->late_bytes != y->late_bytes)
        return x->late_bytes < y->late_bytes ? 1 : -1;
    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

/* Calls from several places of a line look the same. Peaks of such do not add up: the largest is shown. */
static size_t add_place(place *places, size_t count, const place *one)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(places[i].operation, one->operation) != 0 || strcmp(places[i].stack, one->stack) != 0)
            continue;
        places[i].count += one->count;
        places[i].bytes += one->bytes;
        places[i].late_count += one->late_count;
        places[i].late_bytes += one->late_bytes;
        places[i].late_seen += one->late_seen;
        if (one->peak > places[i].peak)
            places[i].peak = one->peak;
        return count;
    }
    places[count] = *one;
    return count + 1;
}

/* The first of the list, by their texts; live: what is left of them. Returns how many. */
static size_t find_places(fmp_tables *tables, fmp_symbols *symbols, const stack_list *list, bool live, place *places)
{
    static text room; /* one watch at a time, whose start and stop are on one thread */
    size_t count = 0;
    for (size_t i = 0; i < list->count && i < LOOKED_UP; i++) {
        const fmp_alloc_stack *s = &list->stacks[i];
        const place one = {.operation = operation_text(tables, s->operation),
                           .stack = stack_text(tables, symbols, s, &room),
                           .count = live ? s->live_count : s->count,
                           .bytes = live ? s->live_bytes : s->bytes,
                           .peak = s->peak_bytes,
                           .late_count = live ? s->late_count : 0,
                           .late_bytes = live ? s->late_bytes : 0,
                           .late_seen = s->count ? (double)s->late_count * (double)s->samples / (double)s->count : 0};
        if (one.count != 0 || one.bytes != 0)
            count = add_place(places, count, &one);
    }
    qsort(places, count, sizeof *places, place_by_bytes);
    return count < ROWS ? count : ROWS;
}

/* Not known where a sample or two would have to tell it. */
static double late_count(const place *p)
{
    const bool estimated = p->late_seen < 0.99 * (double)p->late_count;
    return estimated && p->late_seen < LATE_SEEN_LEAST - 0.5 ? (double)NAN : (double)p->late_count;
}

static void add_stacks(fmp_tables *tables, fmp_symbols *symbols, stack_list *list)
{
    place places[LOOKED_UP];
    if (list->count)
        qsort(list->stacks, list->count, sizeof *list->stacks, by_bytes);
    size_t count = find_places(tables, symbols, list, false, places);
    for (const place *p = places; p < places + count; p++)
        fmp_table_add(tables, "allocation_stacks",
                      (fmp_cell[]){FMP_TEXT(p->operation), FMP_NUMBER(p->count), FMP_NUMBER(p->bytes),
                                   FMP_NUMBER(p->peak), FMP_TEXT(p->stack)});
    if (list->count)
        qsort(list->stacks, list->count, sizeof *list->stacks, by_live);
    count = find_places(tables, symbols, list, true, places);
    for (const place *p = places; p < places + count; p++)
        fmp_table_add(tables, "leaks",
                      (fmp_cell[]){FMP_TEXT(p->operation), FMP_NUMBER(p->count), FMP_NUMBER(late_count(p)),
                                   FMP_NUMBER(p->bytes), FMP_TEXT(p->stack)});
}

bool fmp_alloc_tables(const fmp_alloc_calls *api, fmp_tables *tables)
{
    fmp_alloc_totals totals;
    api->totals(&totals);
    fmp_table_add(tables, "heap",
                  (fmp_cell[]){FMP_TEXT(fmp_process_name()), FMP_NUMBER(totals.count), FMP_NUMBER(totals.bytes),
                               FMP_NUMBER(totals.live_count), FMP_NUMBER(totals.live_bytes),
                               FMP_NUMBER(totals.peak_bytes)});
    api->each_operation(add_operation, tables);
    stack_list list = {0};
    api->each_stack(keep_stack, &list);
    fmp_symbols *symbols = list.failed ? NULL : fmp_symbols_create();
    if (symbols) {
        fmp_symbols_refresh(symbols);
        add_stacks(tables, symbols, &list);
    }
    const bool done = symbols != NULL;
    fmp_symbols_free(&symbols);
    free(list.stacks);
    return done;
}
