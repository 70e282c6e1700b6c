#include "advice/compare.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report/profile_fields.h" /* fm_text_cut */

static void say(fm_compare_lines *lines, const char *format, ...) FM_PRINTF(2, 3);

static void say(fm_compare_lines *lines, const char *format, ...)
{
    char text[2 * FM_COMPARE_LINE];
    if (lines->count == FM_COMPARE_LINES_MAX)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fm_text_cut(lines->text[lines->count++], FM_COMPARE_LINE, text);
}

/* --- what may be compared ---------------------------------------------------- */

static const char *known(const char *text)
{
    return text && *text ? text : "not known";
}

static bool differ(const char *a, const char *b)
{
    return strcmp(known(a), known(b)) != 0;
}

static void refuse(fm_comparison *c, const char *what, const char *base, const char *now)
{
    say(&c->warnings, "The %s differ: '%.120s' and '%.120s'. The figures cannot be compared.", what, known(base),
        known(now));
    c->comparable = false;
}

static void check_clips(fm_comparison *c)
{
    const fm_report_run *a = &c->base->facts, *b = &c->now->facts;
    char sizes[2][64];
    snprintf(sizes[0], sizeof sizes[0], "%lld frames of %dx%d", (long long)a->frames, a->width, a->height);
    snprintf(sizes[1], sizeof sizes[1], "%lld frames of %dx%d", (long long)b->frames, b->width, b->height);
    if (differ(a->input, b->input))
        refuse(c, "clips", a->input, b->input);
    if (differ(sizes[0], sizes[1]))
        refuse(c, "lengths or sizes of the clips", sizes[0], sizes[1]);
    if (a->frames < FM_COMPARE_TINY_FRAMES || b->frames < FM_COMPARE_TINY_FRAMES)
        say(&c->warnings, "Fewer than %d frames: warm-up dominates such a clip; measure a longer one.",
            FM_COMPARE_TINY_FRAMES);
}

static void check_machines(fm_comparison *c)
{
    const fm_report_machine *a = &c->base->machine, *b = &c->now->machine;
    char text[2][400];
    snprintf(text[0], sizeof text[0], "%s, %s, %d threads", known(a->cpu_model), known(a->architecture), a->cpu_count);
    snprintf(text[1], sizeof text[1], "%s, %s, %d threads", known(b->cpu_model), known(b->architecture), b->cpu_count);
    if (differ(text[0], text[1]))
        refuse(c, "machines", text[0], text[1]);
    if (differ(a->os, b->os))
        say(&c->facts, "system: %s -> %s", known(a->os), known(b->os));
}

static const char *build_name(const fm_samples *s)
{
    return s->sanitized ? "sanitizer build" : s->build.optimised ? "release build" : "debug build";
}

static void check_builds(fm_comparison *c)
{
    const char *a = build_name(c->base), *b = build_name(c->now);
    if (differ(a, b))
        refuse(c, "kinds of build", a, b);
    else if (strcmp(a, "release build") != 0)
        say(&c->warnings, "Both sides are a %s: their times say nothing about a release build.", a);
    if (c->base->build.assertions != c->now->build.assertions)
        say(&c->warnings, "One side was built with assertions, the other without.");
    if (differ(c->base->build.version, c->now->build.version))
        say(&c->facts, "version: %s -> %s", known(c->base->build.version), known(c->now->build.version));
    if (differ(c->base->build.compiler, c->now->build.compiler))
        say(&c->facts, "compiler: %s -> %s", known(c->base->build.compiler), known(c->now->build.compiler));
}

static void list_models(const fm_report_run *run, char *out, size_t size)
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < run->model_count && length < size; i++)
        length += (size_t)snprintf(out + length, size - length, "%s%.40s on %.40s", i ? ", " : "",
                                   known(run->models[i].name), known(run->models[i].backend));
}

static void note_settings(fm_comparison *c)
{
    const fm_report_run *a = &c->base->facts, *b = &c->now->facts;
    char models[2][160];
    list_models(a, models[0], sizeof models[0]);
    list_models(b, models[1], sizeof models[1]);
    if (differ(models[0], models[1]))
        say(&c->facts, "models: %s -> %s", known(models[0]), known(models[1]));
    if (differ(a->runtime, b->runtime))
        say(&c->facts, "runtime: %s -> %s", known(a->runtime), known(b->runtime));
    if (differ(a->encoder, b->encoder))
        say(&c->facts, "encoder: %s -> %s", known(a->encoder), known(b->encoder));
    if (a->threads != b->threads)
        say(&c->facts, "threads: %d -> %d", a->threads, b->threads);
}

static void check_side(fm_comparison *c, const fm_samples *side)
{
    if (side->mixed) {
        say(&c->warnings, "The runs of '%.100s' differ among themselves in clip, machine, build or settings.",
            side->name);
        c->comparable = false;
    }
    if (side->others_share > FM_COMPARE_BUSY)
        say(&c->warnings, "Other programs took %.0f %% of the processors' time during the runs of '%.100s': wall time "
                          "and the times of operations hold waiting for a processor. CPU time does not.",
            side->others_share * 100, side->name);
    if (side->merged)
        say(&c->warnings, "'%.100s' has a profile of several runs that were added up: it counts as one run.",
            side->name);
}

static void check_sides(fm_comparison *c)
{
    c->comparable = true;
    check_side(c, c->base);
    check_side(c, c->now);
    check_clips(c);
    check_machines(c);
    check_builds(c);
    note_settings(c);
    c->enough = c->base->count >= FM_COMPARE_RUNS_MIN && c->now->count >= FM_COMPARE_RUNS_MIN;
    if (!c->enough)
        say(&c->warnings, "No verdict: %zu and %zu runs. It takes %d on each side to tell a change from chance.",
            c->base->count, c->now->count, FM_COMPARE_RUNS_MIN);
    if (c->base->cpu_of_process != c->now->cpu_of_process)
        say(&c->warnings, "CPU time is not compared: one side has that of the process, the other that of its profiled "
                          "threads.");
}

/* --- rows --------------------------------------------------------------------- */

static bool all_known(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

static fm_compare_verdict verdict_of(const fm_comparison *c, const fm_compare_row *row)
{
    /* A zero in some run leaves no ratio of pairs; that of the medians still says how much. */
    const double of_medians = row->base > 0 ? row->now / row->base : (double)INFINITY;
    const double ratio = isfinite(row->ratio.value) ? row->ratio.value : of_medians;
    if (!c->enough || !c->comparable || !isfinite(row->p))
        return FM_COMPARE_NONE;
    if (!(row->p < FM_COMPARE_P) || !(fabs(ratio - 1) > FM_COMPARE_CHANGE))
        return FM_COMPARE_SAME;
    const bool higher_is_better = row->unit == FM_COMPARE_RATE;
    return (ratio > 1) == higher_is_better ? FM_COMPARE_BETTER : FM_COMPARE_WORSE;
}

static fm_status fill_row(const fm_comparison *c, fm_compare_row *row, const double *base, const double *now,
                          fm_error *err)
{
    const size_t m = c->base->count, n = c->now->count;
    row->base = row->now = row->p = (double)NAN;
    row->ratio = (fm_interval){(double)NAN, (double)NAN, (double)NAN};
    row->verdict = FM_COMPARE_NONE;
    const bool base_known = all_known(base, m), now_known = all_known(now, n);
    row->base = base_known ? fm_stats_median(base, m) : (double)NAN;
    row->now = now_known ? fm_stats_median(now, n) : (double)NAN;
    if (!base_known || !now_known)
        return FM_OK;
    row->p = fm_stats_rank_test(now, n, base, m).p;
    const fm_status status = fm_stats_ratio(now, n, base, m, &row->ratio, err);
    row->verdict = verdict_of(c, row);
    return status;
}

static void invert(const double *from, double *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i] > 0 ? 1 / from[i] : (double)NAN;
}

static void forget(double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (double)NAN;
}

static fm_status make_totals(fm_comparison *c, fm_error *err)
{
    const fm_samples *a = c->base, *b = c->now;
    double rate[2][FM_STATS_MAX], none[FM_STATS_MAX];
    invert(a->wall, rate[0], a->count);
    invert(b->wall, rate[1], b->count);
    forget(none, FM_STATS_MAX);
    const bool cpu = a->cpu_of_process == b->cpu_of_process;
    const struct {
        const char *name;
        fm_compare_unit unit;
        const double *base, *now;
    } rows[FM_COMPARE_TOTALS] = {
        [FM_COMPARE_WALL] = {"wall time", FM_COMPARE_SECONDS, a->wall, b->wall},
        [FM_COMPARE_FPS] = {"frames a second", FM_COMPARE_RATE, rate[0], rate[1]},
        [FM_COMPARE_CPU] = {"CPU time", FM_COMPARE_SECONDS, cpu ? a->cpu : none, cpu ? b->cpu : none},
        [FM_COMPARE_WORK] = {"all operations", FM_COMPARE_SECONDS, a->work, b->work},
        [FM_COMPARE_SETUP] = {"set-up, once", FM_COMPARE_SECONDS, a->setup, b->setup},
        [FM_COMPARE_RSS] = {"peak memory", FM_COMPARE_BYTES, a->rss, b->rss},
    };
    fm_status status = FM_OK;
    for (int i = 0; i < FM_COMPARE_TOTALS && status == FM_OK; i++) {
        c->totals[i] = (fm_compare_row){.name = rows[i].name, .unit = rows[i].unit};
        status = fill_row(c, &c->totals[i], rows[i].base, rows[i].now, err);
    }
    return status;
}

static double change_of(const fm_compare_row *row)
{
    return row->now - row->base;
}

static int by_change(const void *a, const void *b)
{
    const double x = fabs(change_of(a)), y = fabs(change_of(b));
    if (x > y || x < y)
        return x < y ? 1 : -1;
    const fm_compare_row *r = a, *s = b;
    const int order = strcmp(r->category, s->category);
    return order ? order : strcmp(r->name, s->name);
}

static bool all_zero(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] > 0)
            return false;
    return true;
}

/* NULL: the side has no such operation. */
static fm_status make_operation(fm_comparison *c, const fm_samples_operation *base, const fm_samples_operation *now,
                                fm_error *err)
{
    static const double zeros[FM_STATS_MAX];
    fm_compare_row *row = &c->operations[c->operation_count++];
    const double *x = base ? base->self : zeros, *y = now ? now->self : zeros;
    *row = (fm_compare_row){.category = base ? base->category : now->category, .name = base ? base->name : now->name};
    const fm_status status = fill_row(c, row, x, y, err);
    const bool in_base = !all_zero(x, c->base->count), in_now = !all_zero(y, c->now->count);
    if (row->verdict == FM_COMPARE_BETTER || row->verdict == FM_COMPARE_WORSE)
        row->verdict = !in_base ? FM_COMPARE_NEW : !in_now ? FM_COMPARE_GONE : row->verdict;
    c->tested += row->verdict != FM_COMPARE_NONE;
    row->share = fmax(c->totals[FM_COMPARE_WORK].base > 0 ? row->base / c->totals[FM_COMPARE_WORK].base : 0,
                      c->totals[FM_COMPARE_WORK].now > 0 ? row->now / c->totals[FM_COMPARE_WORK].now : 0);
    return status;
}

/* Both lists are in the order of category and name. */
static fm_status make_operations(fm_comparison *c, fm_error *err)
{
    const fm_samples *a = c->base, *b = c->now;
    c->operations = calloc(a->operation_count + b->operation_count + 1, sizeof *c->operations);
    if (!c->operations)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the comparison");
    fm_status status = FM_OK;
    for (size_t i = 0, k = 0; status == FM_OK && (i < a->operation_count || k < b->operation_count);) {
        int order = i == a->operation_count ? 1 : k == b->operation_count ? -1 : 0;
        if (order == 0)
            order = strcmp(a->operations[i].category, b->operations[k].category);
        if (order == 0)
            order = strcmp(a->operations[i].name, b->operations[k].name);
        status = make_operation(c, order <= 0 ? &a->operations[i] : NULL, order >= 0 ? &b->operations[k] : NULL, err);
        i += order <= 0;
        k += order >= 0;
    }
    qsort(c->operations, c->operation_count, sizeof *c->operations, by_change);
    return status;
}

/* --- what follows ------------------------------------------------------------- */

static bool changed(const fm_compare_row *row)
{
    return row->verdict != FM_COMPARE_NONE && row->verdict != FM_COMPARE_SAME;
}

/* The operations with a verdict that moved as the work did, as long as each is a tenth of its change. */
static void find_causes(fm_comparison *c)
{
    const fm_compare_row *work = &c->totals[FM_COMPARE_WORK];
    const double whole = change_of(work);
    for (size_t i = 0; changed(work) && i < c->operation_count && c->cause_count < FM_COMPARE_CAUSES; i++) {
        const fm_compare_row *row = &c->operations[i];
        const double part = change_of(row) / whole;
        if (changed(row) && part >= 0.1)
            c->causes[c->cause_count++] = (fm_compare_cause){row, change_of(row), part};
    }
}

static void conclude(fm_comparison *c)
{
    const fm_compare_row *wall = &c->totals[FM_COMPARE_WALL], *work = &c->totals[FM_COMPARE_WORK];
    if (!c->enough || !c->comparable)
        return;
    if (!changed(wall))
        say(&c->conclusions, "No significant difference of the wall time.");
    else
        say(&c->conclusions, "The new side takes %.1f %% %s time than the base.", fabs(wall->ratio.value - 1) * 100,
            wall->verdict == FM_COMPARE_WORSE ? "more" : "less");
    for (size_t i = 0; i < c->cause_count; i++)
        say(&c->conclusions, "%s / %s explains %.0f %% of the change of all operations: %+.3f ms a frame%s.",
            c->causes[i].row->category, c->causes[i].row->name, c->causes[i].part * 100, c->causes[i].change * 1e3,
            c->causes[i].row->verdict == FM_COMPARE_NEW    ? " (the base does not have it)"
            : c->causes[i].row->verdict == FM_COMPARE_GONE ? " (the new side does not have it)"
                                                           : "");
    if (changed(work) && c->cause_count == 0)
        say(&c->conclusions, "No single operation explains the change: many moved a little.");
    if (changed(wall) && !changed(work))
        say(&c->conclusions, "The operations together did not change: look at waiting, at other programs, and at "
                             "time outside of all operations.");
    if (!changed(wall) && changed(work))
        say(&c->conclusions, "The work changed and the wall time did not: it is off the critical path, or too little.");
    if (c->tested >= 20)
        say(&c->conclusions, "%zu operations were tested: by chance alone some %zu would show p < 0.05.", c->tested,
            c->tested / 20);
}

fm_status fm_comparison_make(fm_comparison **out, const fm_samples *base, const fm_samples *now, fm_error *err)
{
    fm_comparison *c = calloc(1, sizeof *c);
    *out = NULL;
    if (!c)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the comparison");
    c->base = base;
    c->now = now;
    check_sides(c);
    fm_status status = make_totals(c, err);
    if (status == FM_OK)
        status = make_operations(c, err);
    if (status != FM_OK) {
        fm_comparison_free(&c);
        return status;
    }
    find_causes(c);
    conclude(c);
    *out = c;
    return FM_OK;
}

void fm_comparison_free(fm_comparison **comparison)
{
    if (!comparison || !*comparison)
        return;
    fm_shift_free(&(*comparison)->shift);
    free((*comparison)->operations);
    free(*comparison);
    *comparison = NULL;
}

static const fm_compare_row *first_above(const fm_comparison *c, double allowed)
{
    static const int judged[] = {FM_COMPARE_WALL, FM_COMPARE_CPU};
    for (size_t i = 0; i < sizeof judged / sizeof judged[0]; i++) {
        const fm_compare_row *row = &c->totals[judged[i]];
        if (row->verdict == FM_COMPARE_WORSE && row->ratio.value - 1 > allowed)
            return row;
    }
    for (size_t i = 0; i < c->operation_count; i++) {
        const fm_compare_row *row = &c->operations[i];
        if (row->verdict == FM_COMPARE_WORSE && row->share >= FM_COMPARE_SHARE && row->ratio.value - 1 > allowed)
            return row;
    }
    return NULL;
}

fm_status fm_comparison_judge(const fm_comparison *c, double allowed, fm_error *err)
{
    if (!c->comparable)
        return fm_fail(err, FM_E_BAD_INPUT, "--fail-above cannot be judged: the sides cannot be compared (see above)");
    if (!c->enough)
        return fm_fail(err, FM_E_BAD_INPUT,
                       "--fail-above cannot be judged: %zu and %zu runs, and it takes %d on each side", c->base->count,
                       c->now->count, FM_COMPARE_RUNS_MIN);
    const fm_compare_row *row = first_above(c, allowed);
    if (!row)
        return FM_OK;
    return fm_fail(err, FM_E_WORSE, "%s%s%s takes %.1f %% more time than the base (p = %.4f); %g %% is allowed",
                   row->category ? row->category : "", row->category ? " / " : "", row->name,
                   (row->ratio.value - 1) * 100, row->p, allowed * 100);
}

const char *fm_compare_verdict_name(fm_compare_verdict verdict)
{
    static const char *const names[] = {"none", "same", "better", "worse", "new", "gone"}; /* as fm_compare_verdict */
    return names[verdict];
}
