/*
 * Two sides of measured runs against each other: what became slower or faster,
 * how sure that is, and which operation explains it. Runs, not frames, are the
 * samples: frames of one run follow each other and are not independent.
 *
 * A verdict needs FM_COMPARE_RUNS_MIN runs on each side, p below
 * FM_COMPARE_P of a two-sided rank test (stats.h), and a change of more than
 * FM_COMPARE_CHANGE; without these there are figures and no verdict.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_ADVICE_COMPARE_H
#define FM_ADVICE_COMPARE_H

#include <stdio.h>

#include "advice/samples.h"
#include "advice/shift.h"

#define FM_COMPARE_SCHEMA "facemirror-compare/1"
#define FM_COMPARE_P 0.05
#define FM_COMPARE_CHANGE 0.01
#define FM_COMPARE_BUSY 0.1   /* of the processors' time: other programs that take more are warned of */
#define FM_COMPARE_SHARE 0.05 /* of the work: operations below are not judged by a limit */

enum { FM_COMPARE_RUNS_MIN = 6, FM_COMPARE_TINY_FRAMES = 60 };

typedef enum fm_compare_verdict {
    FM_COMPARE_NONE,   /* too few runs, sides that cannot be compared, or no figures */
    FM_COMPARE_SAME,   /* no significant difference */
    FM_COMPARE_BETTER,
    FM_COMPARE_WORSE,
    FM_COMPARE_NEW,    /* an operation of the new side alone */
    FM_COMPARE_GONE    /* of the base alone */
} fm_compare_verdict;

typedef enum fm_compare_unit { FM_COMPARE_SECONDS, FM_COMPARE_RATE, FM_COMPARE_BYTES } fm_compare_unit;

typedef struct fm_compare_row {
    const char *category;      /* NULL: a total */
    const char *name;
    fm_compare_unit unit;
    double base, now;          /* medians; NAN: not known */
    fm_interval ratio;         /* new over base; NAN: not known, or a side has a 0 */
    double p;                  /* NAN: not known */
    fm_compare_verdict verdict;
    double share;              /* of an operation in the work: the larger of both sides */
} fm_compare_row;

/* Of all runs; times but the set-up are per frame. Work: the self time of all operations, on all threads. */
enum {
    FM_COMPARE_WALL, FM_COMPARE_FPS, FM_COMPARE_CPU, FM_COMPARE_WORK, FM_COMPARE_SETUP, FM_COMPARE_RSS,
    FM_COMPARE_TOTALS
};

enum { FM_COMPARE_LINES_MAX = 24, FM_COMPARE_LINE = 400, FM_COMPARE_CAUSES = 3 };

typedef struct fm_compare_lines {
    char text[FM_COMPARE_LINES_MAX][FM_COMPARE_LINE];
    size_t count;
} fm_compare_lines;

typedef struct fm_compare_cause {
    const fm_compare_row *row;
    double change; /* seconds a frame */
    double part;   /* of the change of the work */
} fm_compare_cause;

typedef struct fm_comparison {
    const fm_samples *base, *now;
    bool enough;                 /* runs for a verdict */
    bool comparable;             /* same clip, machine and kind of build */
    fm_compare_lines warnings;   /* what a reader must know first */
    fm_compare_lines facts;      /* in what the sides differ, as is meant to be compared: versions, models... */
    fm_compare_row totals[FM_COMPARE_TOTALS];
    fm_compare_row *operations;  /* largest change in seconds first */
    size_t operation_count, tested;
    fm_compare_cause causes[FM_COMPARE_CAUSES]; /* of a change of the work that has a verdict */
    size_t cause_count;
    fm_compare_lines conclusions;
    fm_shift shift;              /* of the results, filled by the caller of fm_comparison_make; zeros: not compared */
} fm_comparison;

/* Both sides stay the caller's and outlive it; they have a run or more. FM_E_NO_MEMORY. */
fm_status fm_comparison_make(fm_comparison **out, const fm_samples *base, const fm_samples *now, fm_error *err);
void fm_comparison_free(fm_comparison **comparison); /* NULL and *NULL are fine */

/*
 * FM_E_WORSE when wall time, CPU time or an operation of FM_COMPARE_SHARE of the work has the verdict "worse" and is
 * more than `allowed` (0.05: 5 %) above the base; FM_E_BAD_INPUT when there can be no verdict. The error says why.
 */
fm_status fm_comparison_judge(const fm_comparison *comparison, double allowed, fm_error *err);

const char *fm_compare_verdict_name(fm_compare_verdict verdict); /* for JSON: "worse" */

fm_status fm_comparison_text(FILE *out, const fm_comparison *comparison, bool utf8, fm_error *err);
fm_status fm_comparison_markdown(FILE *out, const fm_comparison *comparison, fm_error *err);
fm_status fm_comparison_json(FILE *out, const fm_comparison *comparison, fm_error *err);

#endif
