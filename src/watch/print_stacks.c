/* Stacks of samples for flame graphs: collapsed, and in speedscope's format. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/writer.h"
#include "fmprof/system.h"

static const char *name_or(const char *name, const char *instead)
{
    return name && name[0] ? name : instead;
}

static const char *operation_name(const fmp_stack *stack)
{
    return name_or(stack->operation, "(no scope)");
}

int fmp_print_system_folded(FILE *out, const fmp_system_report *report)
{
    fmp_writer w;
    fmp_writer_open(&w, out);
    for (size_t i = 0; report && i < report->stack_count; i++) {
        const fmp_stack *stack = &report->stacks[i];
        fmp_write_line(&w, operation_name(stack), ';', '_');
        for (size_t f = stack->frame_count; f-- > 0;) {
            fmp_write_char(&w, ';');
            fmp_write_line(&w, name_or(stack->frames[f], "(no name)"), ';', '_');
        }
        fmp_write_char(&w, ' ');
        fmp_write_u64(&w, stack->count);
        fmp_write_char(&w, '\n');
    }
    return fmp_writer_close(&w);
}

/* --- speedscope -------------------------------------------------------------------- */

/* All names, sorted, each once: a frame's number is its place. */
typedef struct names {
    const char **all;
    size_t count;
} names;

static int by_letters(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool collect(names *n, const fmp_system_report *report)
{
    size_t count = 0;
    for (size_t i = 0; i < report->stack_count; i++)
        count += report->stacks[i].frame_count;
    n->all = calloc(count + 1, sizeof *n->all);
    if (!n->all)
        return false;
    for (size_t i = 0; i < report->stack_count; i++)
        for (size_t f = 0; f < report->stacks[i].frame_count; f++)
            n->all[n->count++] = name_or(report->stacks[i].frames[f], "(no name)");
    qsort(n->all, n->count, sizeof *n->all, by_letters);
    size_t kept = 0;
    for (size_t i = 0; i < n->count; i++)
        if (kept == 0 || strcmp(n->all[kept - 1], n->all[i]) != 0)
            n->all[kept++] = n->all[i];
    n->count = kept;
    return true;
}

static size_t number_of(const names *n, const char *name)
{
    const char *wanted = name_or(name, "(no name)");
    const char **found = bsearch(&wanted, n->all, n->count, sizeof *n->all, by_letters);
    return (size_t)(found - n->all); /* all were collected */
}

static void frames(fmp_writer *w, const names *n)
{
    for (size_t i = 0; i < n->count; i++) {
        fmp_write_text(w, i == 0 ? "\n{\"name\":" : ",\n{\"name\":");
        fmp_write_json(w, n->all[i]);
        fmp_write_char(w, '}');
    }
}

static int by_operation(const void *left, const void *right)
{
    return strcmp(operation_name(*(const fmp_stack *const *)left), operation_name(*(const fmp_stack *const *)right));
}

static void samples(fmp_writer *w, const names *n, const fmp_stack *const *stacks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fmp_write_text(w, i == 0 ? "\n[" : ",\n[");
        for (size_t f = stacks[i]->frame_count; f-- > 0;) { /* outermost first */
            fmp_write_u64(w, number_of(n, stacks[i]->frames[f]));
            if (f > 0)
                fmp_write_char(w, ',');
        }
        fmp_write_char(w, ']');
    }
}

/* The stacks of one operation. */
static void profile(fmp_writer *w, const names *n, bool first, const fmp_stack *const *stacks, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += stacks[i]->count;
    fmp_write_text(w, first ? "\n{\"type\":\"sampled\",\"name\":" : ",\n{\"type\":\"sampled\",\"name\":");
    fmp_write_json(w, count > 0 ? operation_name(stacks[0]) : "(no samples)");
    fmp_write_text(w, ",\"unit\":\"none\",\"startValue\":0,\"endValue\":");
    fmp_write_u64(w, sum);
    fmp_write_text(w, ",\n\"samples\":[");
    samples(w, n, stacks, count);
    fmp_write_text(w, "],\n\"weights\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            fmp_write_char(w, ',');
        fmp_write_u64(w, stacks[i]->count);
    }
    fmp_write_text(w, "]}");
}

/* The stacks that lie together after sorting are one profile. */
static void profiles(fmp_writer *w, const names *n, const fmp_stack *const *stacks, size_t count)
{
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && by_operation(&stacks[begin], &stacks[end]) == 0; end++) {
        }
        profile(w, n, begin == 0, stacks + begin, end - begin);
    }
    if (count == 0) /* speedscope wants a profile */
        profile(w, n, true, NULL, 0);
}

int fmp_print_system_speedscope(FILE *out, const fmp_system_report *report, const char *title)
{
    static const fmp_system_report nothing = {0};
    report = report ? report : &nothing;
    names n = {0};
    fmp_writer w;
    fmp_writer_open(&w, out);
    const fmp_stack **stacks = calloc(report->stack_count + 1, sizeof *stacks);
    if (!stacks || !collect(&n, report)) {
        fmp_writer_fail(&w, ENOMEM);
    } else {
        for (size_t i = 0; i < report->stack_count; i++)
            stacks[i] = &report->stacks[i];
        qsort(stacks, report->stack_count, sizeof *stacks, by_operation);
        fmp_write_text(&w, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
                           "\"exporter\":\"libfmprof-system\",\"name\":");
        fmp_write_json(&w, name_or(title, "samples"));
        fmp_write_text(&w, ",\"activeProfileIndex\":0,\"shared\":{\"frames\":[");
        frames(&w, &n);
        fmp_write_text(&w, "\n]},\"profiles\":[");
        profiles(&w, &n, stacks, report->stack_count);
        fmp_write_text(&w, "\n]}\n");
    }
    free(stacks);
    free(n.all);
    return fmp_writer_close(&w);
}
