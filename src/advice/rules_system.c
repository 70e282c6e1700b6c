/* What the system's side shows (fmprof/system.h): waiting, page faults, blocks that are kept, where CPU time goes. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "advice/finding.h"

static const fmp_table *table_of(const fm_advice *a, const char *key)
{
    const fmp_system_report *system = a->facts.run->system;
    return system ? fmp_system_table(system, key) : NULL;
}

static double number(const fmp_table *table, size_t row, const char *key)
{
    return fmp_table_number(table, row, fmp_table_column(table, key));
}

static const char *text(const fmp_table *table, size_t row, const char *key)
{
    return fmp_table_text(table, row, fmp_table_column(table, key));
}

/* What is not known counts as nothing. */
static double sum(const fmp_table *table, const char *key)
{
    double all = 0;
    for (size_t i = 0; table && i < table->row_count; i++) {
        const double one = number(table, i, key);
        all += isfinite(one) ? one : 0;
    }
    return all;
}

/* What happens outside of all scopes, above all while models are opened, is of no operation. */
static bool in_scope(const char *operation)
{
    return operation[0] != '(';
}

/* The innermost frames of a stack, which stand in lines, in one. */
static const char *top_of(fm_advice *a, const char *stack)
{
    char out[200];
    size_t used = 0;
    for (int frames = 0; *stack && frames < 3; frames++) {
        const size_t length = strcspn(stack, "\n");
        const int written = snprintf(out + used, sizeof out - used, "%s%.*s", frames ? " < " : "",
                                     (int)(length < 80 ? length : 80), stack);
        used += written > 0 && (size_t)written < sizeof out - used ? (size_t)written : 0;
        stack += length + (stack[length] == '\n');
    }
    out[used] = '\0';
    return fm_advice_text(a, "%s", out);
}

static fm_report_finding *without_gain(fm_report_finding *finding, const char *why)
{
    finding->gain = why;
    return finding;
}

/* --- trust ------------------------------------------------------------------------ */

void fm_rules_watched(fm_advice *a)
{
    const fmp_table *facilities = table_of(a, "facilities");
    for (size_t i = 0; facilities && i < facilities->row_count; i++) {
        if (strcmp(text(facilities, i, "state"), "on") != 0)
            continue;
        if (strcmp(text(facilities, i, "facility"), "syscalls") == 0) {
            fm_advice_caveat(a, "System calls were traced, which makes each of them slower: compare the times of this "
                                "run with no other.");
            return;
        }
    }
}

/* --- processor -------------------------------------------------------------------- */

static void run_queue(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const fmp_table *threads = table_of(a, "threads");
    const double ready = sum(threads, "ready_seconds"), cpu = sum(threads, "cpu_seconds");
    if (!(cpu > 0) || ready <= fm_facts_share(f, FM_RULE_RUN_QUEUE) * cpu)
        return;
    size_t most = 0;
    for (size_t i = 1; i < threads->row_count; i++)
        if (number(threads, i, "ready_seconds") > number(threads, most, "ready_seconds"))
            most = i;
    fm_report_finding *finding = fm_finding_add(
        a, "run-queue", text(threads, most, "thread"), FM_PRIORITY_LOW,
        fm_advice_text(a, "threads waited %.1f s for a free processor", ready),
        fm_advice_text(a, "They ran for %.1f s. '%s' waited longest, %.1f s.", cpu, text(threads, most, "thread"),
                       number(threads, most, "ready_seconds")),
        "More threads were ready to run than there are processors, in this program or in others beside it.");
    fm_finding_fix(finding, "--no-debug, --mode au: fewer threads at work; or a machine with more processors");
    without_gain(finding, "shorter ways for single frames; the whole gains only where processors are left");
}

/* Time that an operation's threads spend in one kind of waiting. */
typedef struct wait_kind {
    const char *column, *rule, *title, *why, *fix;
    fm_threshold threshold;
} wait_kind;

static const wait_kind wait_kinds[] = {
    {"lock_seconds", "lock-wait", "waits for other threads",
     "A thread that waits for a lock or a condition does nothing meanwhile; another one holds what it needs.",
     "--trace: shows which thread ran meanwhile; --system=cpu,sample: where that one spent its time",
     FM_RULE_LOCK_WAIT},
    {"sleep_seconds", "sleep-wait", "sleeps", "A thread that sleeps waits for a time and not for work.",
     "--system=sample and --trace: find who sleeps; our own code never does", FM_RULE_SLEEP_WAIT},
    {"io_seconds", "io-wait", "waits for files or devices",
     "Reading and writing took longer than the memory that stands between: a slow disk, a network folder.",
     "keep the clip and the outputs on a local disk", FM_RULE_IO_WAIT},
};

static void waits(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const fmp_table *table = table_of(a, "waits");
    for (size_t i = 0; table && f->wall > 0 && i < table->row_count; i++) {
        for (size_t k = 0; k < sizeof wait_kinds / sizeof wait_kinds[0]; k++) {
            const wait_kind *kind = &wait_kinds[k];
            const double seconds = number(table, i, kind->column);
            if (!(seconds > fm_facts_share(f, kind->threshold) * f->wall))
                continue;
            const char *operation = text(table, i, "operation");
            fm_report_finding *finding = fm_finding_add(
                a, kind->rule, operation, FM_PRIORITY_LOW, fm_advice_text(a, "%s %s", operation, kind->title),
                fm_advice_text(a, "About %.2f s of the %.2f s in which it was the innermost scope.", seconds,
                               number(table, i, "seconds")),
                kind->why);
            fm_finding_fix(finding, kind->fix);
            finding->gain_least = 0;
            finding->gain_most = fmin(1, seconds / f->wall);
            finding->gain = "none where another stage limits the run, all of that time where this one does";
        }
    }
}

static bool same_function(const fmp_table *functions, size_t a, size_t b)
{
    return strcmp(text(functions, a, "function"), text(functions, b, "function")) == 0 &&
           strcmp(text(functions, a, "module"), text(functions, b, "module")) == 0;
}

/* A function's own time in all operations, of which `row` is the first in the table; 0: it was in an earlier row. */
static double time_in_all(const fmp_table *functions, size_t row, int *operations)
{
    double self = 0;
    *operations = 0;
    for (size_t i = 0; i < functions->row_count; i++) {
        if (!same_function(functions, i, row))
            continue;
        if (i < row)
            return 0;
        self += number(functions, i, "self_seconds");
        ++*operations;
    }
    return self;
}

static void hot_functions(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const fmp_table *functions = table_of(a, "functions");
    const double all = sum(table_of(a, "samples"), "seconds");
    for (size_t i = 0; functions && all > 0 && i < functions->row_count; i++) {
        int operations;
        const double self = time_in_all(functions, i, &operations);
        if (!(self > fm_facts_share(f, FM_RULE_HOT_FUNCTION) * all))
            continue;
        const char *function = text(functions, i, "function"), *operation = text(functions, i, "operation");
        const char *others = operations > 1 ? fm_advice_text(a, " and %d more", operations - 1) : "";
        fm_report_finding *finding = fm_finding_add(
            a, "hot-function", function, FM_PRIORITY_LOW,
            fm_advice_text(a, "%s takes %.0f %% of the CPU time", function, 100 * self / all),
            fm_advice_text(a, "About %.2f s of %.2f s that were sampled, in %s%s; it is in %s.", self, all, operation,
                           others, text(functions, i, "module")),
            "Whatever makes this one function faster, or calls it less, is felt in the whole run.");
        fm_finding_fix(finding, "the flame graph of the samples shows who calls it");
        without_gain(finding, "at most its share, where the processors limit the run");
    }
}

/* --- system calls ------------------------------------------------------------------- */

static void chatty(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const fmp_table *calls = table_of(a, "syscalls");
    for (size_t i = 0; calls && f->run->frames > 0 && i < calls->row_count; i++) {
        const double each = number(calls, i, "count") / (double)f->run->frames;
        const char *operation = text(calls, i, "operation"), *call = text(calls, i, "call");
        if (!(each > f->rules->value[FM_RULE_SYSCALL_RATE]) || !in_scope(operation))
            continue;
        fm_report_finding *finding = fm_finding_add(
            a, "syscall-rate", operation, FM_PRIORITY_LOW,
            fm_advice_text(a, "%s calls %s %.0f times a frame", operation, call, each),
            fm_advice_text(a, "%.0f calls, %.3f s.", number(calls, i, "count"), number(calls, i, "seconds")),
            "A call into the kernel costs a fraction of a microsecond at least, however little it does: fewer and "
            "larger ones do the same.");
        fm_finding_fix(finding, "--system=sample: the flame graph shows who makes them");
        without_gain(finding, "at most the time of the calls");
    }
}

/* --- memory ------------------------------------------------------------------------- */

/* What goes on being kept while frames come is no cache: those are filled in the first half of a run. */
static void kept_blocks(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const fmp_table *leaks = table_of(a, "leaks");
    const double frames = (double)f->run->frames;
    if (!leaks || frames < f->rules->value[FM_RULE_TINY_FRAMES])
        return;
    for (size_t i = 0; i < leaks->row_count; i++) {
        const double count = number(leaks, i, "count"), late = number(leaks, i, "late_count");
        if (!(late > f->rules->value[FM_RULE_KEPT_BLOCKS] * frames / 2))
            continue;
        const char *operation = text(leaks, i, "operation");
        fm_report_finding *finding = fm_finding_add(
            a, "kept-blocks", operation, FM_PRIORITY_MEDIUM,
            fm_advice_text(a, "%s keeps %.1f blocks a frame that are not given back", operation, count / frames),
            fm_advice_text(a, "%.0f blocks, %.1f KiB in all, %.0f of them in the second half of the time, by %s.",
                           count, number(leaks, i, "bytes") / 1024, late, top_of(a, text(leaks, i, "stack"))),
            "What grows with the frames is a leak: a long clip ends without memory.");
        fm_finding_fix(finding, "--system=memory --system-alloc exact: every block, by call stack");
        without_gain(finding, "memory costs time only when it is out");
    }
}

static void allocation_rate(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const fmp_table *table = table_of(a, "allocations");
    for (size_t i = 0; table && f->run->frames > 0 && i < table->row_count; i++) {
        const double each = number(table, i, "count") / (double)f->run->frames;
        const char *operation = text(table, i, "operation");
        if (!(each > f->rules->value[FM_RULE_ALLOCATION_RATE]) || !in_scope(operation))
            continue;
        fm_report_finding *finding = fm_finding_add(
            a, "allocation-rate", operation, FM_PRIORITY_LOW,
            fm_advice_text(a, "%s allocates %.0f times a frame", operation, each),
            fm_advice_text(a, "%.0f blocks, %.1f MiB in all.", number(table, i, "count"),
                           number(table, i, "bytes") / 1048576),
            "An allocation costs some tens of nanoseconds where memory is at hand, and far more where it has to be "
            "had from the system.");
        fm_finding_fix(finding, "--system=memory --system-alloc exact: by call stack");
        without_gain(finding, "the time of the allocations, which is a part of the operation's");
    }
}

static void major_faults(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const double faults = sum(table_of(a, "memory"), "major_faults");
    if (!(faults > f->rules->value[FM_RULE_MAJOR_FAULTS]))
        return;
    fm_report_finding *finding = fm_finding_add(
        a, "major-faults", "", FM_PRIORITY_MEDIUM,
        fm_advice_text(a, "%.0f times a thread waited until memory was read from the disk", faults),
        "Major page faults, as the kernel counts them.",
        "Either the program and its models were read for the first time since the machine started, or memory is short "
        "and was swapped out.");
    fm_finding_fix(finding, "run it again: when the number stays, close other programs, or add memory");
    without_gain(finding, "a fault costs from 0.1 ms on a fast disk to 10 ms on a slow one");
}

void fm_rules_system(fm_advice *a)
{
    run_queue(a);
    waits(a);
    hot_functions(a);
    chatty(a);
    kept_blocks(a);
    allocation_rate(a);
    major_faults(a);
}
