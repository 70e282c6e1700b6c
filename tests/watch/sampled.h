/* What tests of samples share: planted work in scopes, with its CPU time measured, and what the report says of it. */
#ifndef TEST_WATCH_SAMPLED_H
#define TEST_WATCH_SAMPLED_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fmprof/fmprof.h"
#include "fmprof/system.h"
#include "planted.h"

/* CPU time of the calling thread. */
static inline double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds of a thread in each planted function. */
typedef struct planted_seconds {
    double red, green, recursion, inlined, library, mathematics;
} planted_seconds;

/* Half to one and a half times as many: work that repeats itself falls in step with the ticks. */
static inline uint64_t about(uint64_t turns)
{
    static _Thread_local uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth, MMIX */
    return turns / 2 + (state >> 33) % turns;
}

/* A round of all that is planted, each kind with another part of the time; some milliseconds. */
static inline void planted_round(planted_seconds *spent)
{
    const double begin = thread_seconds();
    {
        FMP_SCOPE("planted", "warm");
        planted_red(about(500000));
    }
    const double red = thread_seconds();
    {
        FMP_SCOPE("planted", "cold");
        planted_green(about(1000000));
    }
    const double green = thread_seconds();
    {
        FMP_SCOPE("planted", "deep");
        planted_recursion(20, about(500000));
    }
    const double recursion = thread_seconds();
    {
        FMP_SCOPE("planted", "cold");
        planted_caller(about(500000));
    }
    const double inlined = thread_seconds();
    {
        FMP_SCOPE("planted", "far");
        planted_library_work(about(700000));
    }
    const double library = thread_seconds();
    {
        FMP_SCOPE("planted", "far");
        planted_mathematics(about(30000));
    }
    spent->red += red - begin;
    spent->green += green - red;
    spent->recursion += recursion - green;
    spent->inlined += inlined - recursion;
    spent->library += library - inlined;
    spent->mathematics += thread_seconds() - library;
}

static inline double planted_sum(const planted_seconds *s)
{
    return s->red + s->green + s->recursion + s->inlined + s->library + s->mathematics;
}

/* Rounds until so many seconds of CPU time are spent. */
static inline planted_seconds planted_rounds(double seconds)
{
    planted_seconds spent = {0};
    while (planted_sum(&spent) < seconds)
        planted_round(&spent);
    return spent;
}

/* The sum of a column over rows with these texts ("": any). */
static inline double figure(const fmp_system_report *report, const char *table, const char *column,
                            const char *operation, const char *function)
{
    const fmp_table *t = fmp_system_table(report, table);
    double sum = 0;
    for (size_t i = 0; t && i < t->row_count; i++) {
        const char *in = fmp_table_text(t, i, fmp_table_column(t, "operation"));
        const char *name = fmp_table_text(t, i, fmp_table_column(t, "function"));
        if ((!operation[0] || strcmp(in, operation) == 0) && (!function[0] || strcmp(name, function) == 0))
            sum += fmp_table_number(t, i, fmp_table_column(t, column));
    }
    return sum;
}

static inline bool has_frame(const fmp_stack *stack, const char *function)
{
    for (size_t i = 0; i < stack->frame_count; i++)
        if (strcmp(stack->frames[i], function) == 0)
            return true;
    return false;
}

/* Of an operation's stacks the seconds that have this function in them, at so many samples a second. */
static inline double inclusive(const fmp_system_report *report, unsigned hz, const char *operation,
                               const char *function)
{
    uint64_t count = 0;
    for (size_t i = 0; i < report->stack_count; i++)
        if (strcmp(report->stacks[i].operation, operation) == 0 && has_frame(&report->stacks[i], function))
            count += report->stacks[i].count;
    return (double)count / hz;
}

/* What the facility says of `what`: the column "how", "state" or "remedy"; "" when it does not. */
static inline const char *facility_says(const fmp_system_report *report, const char *what, const char *column)
{
    const fmp_table *t = fmp_system_table(report, "facilities");
    for (size_t i = 0; t && i < t->row_count; i++)
        if (strcmp(fmp_table_text(t, i, 0), "sample") == 0 && strcmp(fmp_table_text(t, i, 1), what) == 0)
            return fmp_table_text(t, i, fmp_table_column(t, column));
    return "";
}

static inline void print_report(const fmp_system_report *report)
{
    for (size_t i = 0; i < report->table_count; i++) {
        const fmp_table *t = &report->tables[i];
        for (size_t row = 0; row < t->row_count; row++) {
            printf("%s:", t->key);
            for (size_t c = 0; c < t->column_count; c++) {
                if (t->columns[c].kind == FMP_COLUMN_TEXT)
                    printf(" %s |", fmp_table_text(t, row, (int)c));
                else
                    printf(" %.4g |", fmp_table_number(t, row, (int)c));
            }
            printf("\n");
        }
    }
}

#endif
