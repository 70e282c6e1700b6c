#include "watch/sample_tables.h"

#include <stdlib.h>
#include <string.h>

#define FMP_OPERATION_SHARE 0.05

/* A stack by names. */
typedef struct named {
    const char *operation;
    const fmp_symbol_frame **frames; /* into the symboliser; inlined ones too */
    size_t count;
    uint64_t samples, ns;
} named;

/* A function of an operation. */
typedef struct function {
    const char *operation, *name, *module; /* each text is there once: pointers tell */
    uint64_t samples, self_ns, total_ns;
    size_t last_stack; /* + 1: a function counts once in a stack, however often it called itself */
} function;

typedef struct work {
    fmp_symbols *symbols;
    named *stacks;
    size_t stack_count;
    const fmp_symbol_frame **frames; /* all stacks' */
    function *functions;
    size_t function_count, function_capacity;
    uint32_t *table; /* of functions: index + 1 */
    uint64_t period_ns;
} work;

static const fmp_symbol_frame deeper = {.function = "(deeper)", .module = "", .file = ""};

/* --- names ------------------------------------------------------------------------------ */

/* Several numbers may have one name: rows are by name. The text is the same pointer for equal names. */
static const char *operation_of(work *w, fmp_tables *tables, uint32_t number)
{
    const char *name = fmp_operation_text(tables, number);
    for (size_t i = w->stack_count; i-- > 0;)
        if (w->stacks[i].operation == name || strcmp(w->stacks[i].operation, name) == 0)
            return w->stacks[i].operation;
    return name;
}

static const fmp_symbol *symbol_at(work *w, const fmp_seen_stack *stack, size_t i)
{
    return fmp_symbols_find(w->symbols, stack->pc[i], i == 0 ? FMP_ADDRESS_EXACT : FMP_ADDRESS_RETURN);
}

static size_t frames_of(work *w, const fmp_seen_stack *stack)
{
    size_t count = stack->cut;
    for (size_t i = 0; i < stack->count; i++)
        count += symbol_at(w, stack, i)->count;
    return count;
}

/* All stacks by names, in `w`. False: memory is out. */
static bool name_stacks(work *w, fmp_tables *tables, const fmp_seen_stack *all, size_t count)
{
    size_t frames = 0;
    for (size_t i = 0; i < count; i++)
        frames += frames_of(w, &all[i]);
    w->stacks = calloc(count + 1, sizeof *w->stacks);
    w->frames = calloc(frames + 1, sizeof *w->frames);
    if (!w->stacks || !w->frames)
        return false;
    size_t at = 0;
    uint32_t last = 0;
    const char *operation = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!operation || all[i].operation != last)
            operation = operation_of(w, tables, all[i].operation);
        last = all[i].operation;
        named *n = &w->stacks[i];
        *n = (named){.operation = operation, .frames = &w->frames[at], .samples = all[i].samples, .ns = all[i].ns};
        for (size_t f = 0; f < all[i].count; f++) {
            const fmp_symbol *symbol = symbol_at(w, &all[i], f);
            for (size_t s = 0; s < symbol->count; s++)
                n->frames[n->count++] = &symbol->frames[s];
        }
        if (all[i].cut)
            n->frames[n->count++] = &deeper;
        at += n->count;
        w->stack_count++;
    }
    return true;
}

/* --- functions ------------------------------------------------------------------------- */

static size_t place_of(const work *w, const function *f)
{
    const size_t mask = w->function_capacity * 2 - 1;
    uint64_t hash = (uint64_t)(uintptr_t)f->operation;
    hash = (hash ^ (uint64_t)(uintptr_t)f->name) * 0x9E3779B97F4A7C15u; /* Fibonacci hashing */
    hash = (hash ^ hash >> 29 ^ (uint64_t)(uintptr_t)f->module) * 0x9E3779B97F4A7C15u;
    size_t at = (size_t)(hash >> 32) & mask;
    for (uint32_t index; (index = w->table[at]) != 0; at = (at + 1) & mask) {
        const function *g = &w->functions[index - 1];
        if (g->operation == f->operation && g->name == f->name && g->module == f->module)
            break;
    }
    return at;
}

static bool grow_functions(work *w)
{
    const size_t capacity = w->function_capacity ? w->function_capacity * 2 : 512;
    uint32_t *table = calloc(capacity * 2, sizeof *table);
    function *bigger = table ? realloc(w->functions, capacity * sizeof *bigger) : NULL;
    if (!bigger) {
        free(table);
        return false;
    }
    free(w->table);
    w->table = table;
    w->functions = bigger;
    w->function_capacity = capacity;
    for (size_t i = 0; i < w->function_count; i++)
        table[place_of(w, &bigger[i])] = (uint32_t)i + 1;
    return true;
}

/* NULL: memory is out. */
static function *function_of(work *w, const char *operation, const fmp_symbol_frame *frame)
{
    if (w->function_count == w->function_capacity && !grow_functions(w))
        return NULL;
    const function what = {.operation = operation, .name = frame->function, .module = frame->module};
    const size_t at = place_of(w, &what);
    if (w->table[at] == 0) {
        w->functions[w->function_count++] = what;
        w->table[at] = (uint32_t)w->function_count;
    }
    return &w->functions[w->table[at] - 1];
}

static bool count_functions(work *w)
{
    for (size_t i = 0; i < w->stack_count; i++) {
        const named *n = &w->stacks[i];
        for (size_t f = 0; f < n->count; f++) {
            if (n->frames[f] == &deeper)
                continue;
            function *g = function_of(w, n->operation, n->frames[f]);
            if (!g)
                return false;
            if (f == 0) {
                g->samples += n->samples;
                g->self_ns += n->ns;
            }
            if (g->last_stack != i + 1)
                g->total_ns += n->ns;
            g->last_stack = i + 1;
        }
    }
    return true;
}

static int by_self(const void *left, const void *right)
{
    const function *a = left, *b = right;
    if (a->self_ns != b->self_ns)
        return a->self_ns < b->self_ns ? 1 : -1;
    if (a->total_ns != b->total_ns)
        return a->total_ns < b->total_ns ? 1 : -1;
    return strcmp(a->name, b->name);
}

/* --- tables ------------------------------------------------------------------------------- */

/* What an operation adds up to. */
typedef struct sum {
    const char *operation;
    uint64_t samples, ns;
    size_t rows; /* of functions that were printed */
} sum;

typedef struct sums {
    sum *all;
    size_t count;
    uint64_t ns;
} sums;

static int by_time(const void *left, const void *right)
{
    const sum *a = left, *b = right;
    if (a->ns != b->ns)
        return a->ns < b->ns ? 1 : -1;
    return strcmp(a->operation, b->operation);
}

static sum *sum_of(sums *s, const char *operation)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->all[i].operation == operation)
            return &s->all[i];
    return NULL;
}

static bool sum_up(const work *w, sums *s)
{
    s->all = calloc(w->stack_count + 1, sizeof *s->all);
    if (!s->all)
        return false;
    for (size_t i = 0; i < w->stack_count; i++) {
        const named *n = &w->stacks[i];
        sum *of = sum_of(s, n->operation);
        if (!of) {
            of = &s->all[s->count++];
            of->operation = n->operation;
        }
        of->samples += n->samples;
        of->ns += n->ns;
        s->ns += n->ns;
    }
    qsort(s->all, s->count, sizeof *s->all, by_time);
    return true;
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void samples_table(fmp_tables *tables, const sums *s)
{
    fmp_table_begin(tables, "samples");
    for (size_t i = 0; i < s->count; i++)
        fmp_table_row(tables, (fmp_cell[]){FMP_TEXT(s->all[i].operation), FMP_NUMBER(s->all[i].samples),
                                           FMP_NUMBER(seconds(s->all[i].ns))});
}

static void functions_table(fmp_tables *tables, const work *w, sums *s)
{
    fmp_table_begin(tables, "functions");
    for (size_t i = 0; i < w->function_count && w->functions[i].self_ns > 0; i++) {
        const function *f = &w->functions[i];
        sum *of = sum_of(s, f->operation);
        const bool big = (double)of->ns >= FMP_OPERATION_SHARE * (double)s->ns;
        if (i >= FMP_FUNCTION_ROWS && !(big && of->rows < FMP_FUNCTION_ROWS_EACH))
            continue;
        of->rows++;
        fmp_table_row(tables,
                      (fmp_cell[]){FMP_TEXT(f->operation), FMP_NUMBER(f->samples), FMP_NUMBER(seconds(f->self_ns)),
                                   FMP_NUMBER(seconds(f->total_ns)), FMP_TEXT(f->name), FMP_TEXT(f->module)});
    }
}

/* --- stacks of the report ---------------------------------------------------------------------- */

static int by_names(const void *left, const void *right)
{
    const named *a = left, *b = right;
    if (a->operation != b->operation)
        return strcmp(a->operation, b->operation);
    const size_t least = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < least; i++) /* each name is there once: its place tells as well as its letters, and sooner */
        if (a->frames[i]->function != b->frames[i]->function)
            return (uintptr_t)a->frames[i]->function < (uintptr_t)b->frames[i]->function ? -1 : 1;
    return a->count < b->count ? -1 : a->count > b->count;
}

/* Equal names are one stack. */
static void merge_stacks(work *w)
{
    if (w->stack_count == 0)
        return;
    qsort(w->stacks, w->stack_count, sizeof *w->stacks, by_names);
    size_t kept = 0;
    for (size_t i = 1; i < w->stack_count; i++) {
        if (by_names(&w->stacks[kept], &w->stacks[i]) == 0) {
            w->stacks[kept].samples += w->stacks[i].samples;
            w->stacks[kept].ns += w->stacks[i].ns;
        } else {
            w->stacks[++kept] = w->stacks[i];
        }
    }
    w->stack_count = kept + 1;
}

/* By time within operations, of which the first of all are shown. */
static int by_operation_and_time(const void *left, const void *right)
{
    const named *a = left, *b = right;
    if (a->operation != b->operation)
        return strcmp(a->operation, b->operation);
    return a->ns == b->ns ? 0 : a->ns < b->ns ? 1 : -1;
}

static uint64_t periods(const work *w, uint64_t ns)
{
    const uint64_t count = (ns + w->period_ns / 2) / w->period_ns;
    return count > 0 ? count : 1;
}

static bool add_stack(fmp_tables *tables, const work *w, const named *n)
{
    const char **frames = calloc(n->count + 1, sizeof *frames);
    if (!frames)
        return false;
    for (size_t i = 0; i < n->count; i++)
        frames[i] = n->frames[i]->function;
    fmp_stack_add(tables, &(fmp_stack){.operation = n->operation,
                                       .frames = frames,
                                       .frame_count = n->count,
                                       .count = periods(w, n->ns)});
    free(frames);
    return true;
}

static bool add_stacks(fmp_tables *tables, work *w, const sums *s)
{
    static const fmp_symbol_frame others = {.function = "(others)", .module = "", .file = ""};
    const fmp_symbol_frame *only = &others;
    merge_stacks(w);
    qsort(w->stacks, w->stack_count, sizeof *w->stacks, by_operation_and_time);
    const size_t share = FMP_STACKS_MAX / (s->count > 0 ? s->count : 1);
    size_t of_operation = 0;
    named rest = {.frames = &only, .count = 1};
    bool fine = true;
    for (size_t i = 0; fine && i < w->stack_count; i++) {
        const named *n = &w->stacks[i];
        of_operation = i > 0 && w->stacks[i - 1].operation == n->operation ? of_operation + 1 : 0;
        const bool last = i + 1 == w->stack_count || w->stacks[i + 1].operation != n->operation;
        const bool shown = w->stack_count <= FMP_STACKS_MAX || of_operation < share;
        rest.operation = n->operation;
        rest.ns += shown ? 0 : n->ns;
        fine = !shown || add_stack(tables, w, n);
        if (last && rest.ns > 0)
            fine = fine && add_stack(tables, w, &rest);
        if (last)
            rest.ns = 0;
    }
    return fine;
}

bool fmp_sample_tables(fmp_tables *tables, fmp_symbols *symbols, const fmp_seen_stacks *stacks, uint64_t period_ns)
{
    size_t count;
    const fmp_seen_stack *all = fmp_seen_stacks_all(stacks, &count);
    work w = {.symbols = symbols, .period_ns = period_ns};
    sums s = {0};
    fmp_symbols_refresh(symbols);
    const bool fine = name_stacks(&w, tables, all, count) && count_functions(&w) && sum_up(&w, &s);
    if (fine) {
        if (w.function_count > 0)
            qsort(w.functions, w.function_count, sizeof *w.functions, by_self);
        samples_table(tables, &s);
        functions_table(tables, &w, &s);
    }
    const bool all_fine = fine && add_stacks(tables, &w, &s);
    free(s.all);
    free(w.table);
    free(w.functions);
    free(w.frames);
    free(w.stacks);
    return all_fine;
}
