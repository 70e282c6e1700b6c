/* The MODELS section of the text report: what each model costs in its stage, and what runs where inside it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "export/text.h"
#include "export/utf8.h"
#include "report/model_figures.h"
#include "summary.h"

enum { LOW_BELOW = 10, MODERATE_BELOW = 20, FALLBACKS_SHOWN = 6 };

const char *fm_report_fragmentation(int partitions)
{
    if (partitions <= 0)
        return "none";
    return partitions < LOW_BELOW ? "low" : partitions < MODERATE_BELOW ? "moderate" : "high";
}

/*
 * A stage. Its models' operations are named PREFIX + MODEL + "_" + BACKEND. Its time is that of the operation which
 * encloses it, or else the self time of all operations whose names begin with the prefix, in either case.
 */
typedef struct stage {
    const char *title, *prefix, *enclosing; /* enclosing may be NULL */
} stage;

static const stage stages[] = {
    {"AU Extraction", "AU_", NULL},
    {"Face Analysis", "", "analyse_frame"},
};

static const fmp_operation *find_operation(const fmp_snapshot *snapshot, const char *name)
{
    for (size_t i = 0; snapshot && i < snapshot->operation_count; i++)
        if (strcmp(snapshot->operations[i].operation, name) == 0)
            return &snapshot->operations[i];
    return NULL;
}

static const fmp_operation *operation_named(const fmp_snapshot *snapshot, const stage *s, const fm_report_model *model,
                                            const char *what)
{
    char name[256];
    const int length = snprintf(name, sizeof name, "%s%s_%s", s->prefix, fm_figure_text(model->name, ""), what);
    return length > 0 && (size_t)length < sizeof name ? find_operation(snapshot, name) : NULL;
}

/*
 * What a model cost in a stage as if none of its runs had been sampled: a sampled run is slower, so it counts as a
 * plain one.
 */
typedef struct model_share {
    const fmp_operation *plain;  /* NULL: it did not run there */
    const fmp_operation *sample; /* NULL: none was sampled */
    double runs;
    double total_ns;
    double extra_ns; /* what sampling added to the stage's time */
} model_share;

static model_share share_of(const fmp_snapshot *snapshot, const stage *s, const fm_report_model *model)
{
    model_share of = {.plain = operation_named(snapshot, s, model, fm_figure_text(model->backend, ""))};
    if (!of.plain)
        return of;
    of.sample = operation_named(snapshot, s, model, FM_REPORT_SAMPLE);
    const double samples = of.sample ? (double)of.sample->count : 0;
    const double estimate = samples * fmp_ratio((double)of.plain->total_ns, (double)of.plain->count);
    of.runs = (double)of.plain->count + samples;
    of.total_ns = (double)of.plain->total_ns + estimate;
    of.extra_ns = of.sample ? (double)of.sample->total_ns - estimate : 0;
    return of;
}

/*
 * ", 74.0 ms" of the model's time where its nodes' times are known. Profiling makes every node some microseconds
 * longer, so what the sampled runs give is the share, and the time is that of plain runs.
 */
static void time_behind(FILE *out, const fm_report_model *model, uint64_t nanoseconds, double seconds)
{
    const fm_report_nodes *n = &model->nodes;
    char time[FMP_TIME_TEXT_SIZE];
    if (!model->has_nodes || n->samples == 0)
        return;
    const double share = fmp_ratio((double)nanoseconds, (double)n->node_ns + (double)fm_nodes_gap_ns(n));
    fmp_fixed(time, 1e3 * seconds * share, seconds < 0.01 ? 3 : 1); /* parts of a small whole */
    fprintf(out, ", %s%s", time, strcmp(time, "n/a") == 0 ? "" : " ms");
}

static void accelerator_lines(FILE *out, const fm_report_model *model, double seconds)
{
    const fm_report_breakdown *b = &model->breakdown;
    char share[FMP_TIME_TEXT_SIZE];
    const int cpu = b->operators - b->accelerator;
    fm_figure_percent(share, b->accelerator, b->operators);
    fprintf(out, "    accelerator: %s of operators (%d of %d)", share, b->accelerator, b->operators);
    time_behind(out, model, model->nodes.node_ns - model->nodes.cpu_ns, seconds);
    fm_figure_percent(share, cpu, b->operators);
    fprintf(out, "\n    CPU fallback: %s (%d)", share, cpu);
    time_behind(out, model, model->nodes.cpu_ns, seconds);
    for (size_t i = 0; i < b->fallback_count && i < FALLBACKS_SHOWN; i++) {
        fprintf(out, "%s%d ", i ? ", " : ": ", b->fallbacks[i].count);
        fmp_utf8_print(out, fm_figure_text(b->fallbacks[i].type, "?"));
    }
    if (b->fallback_count > FALLBACKS_SHOWN)
        fprintf(out, " and %zu more types", b->fallback_count - FALLBACKS_SHOWN);
    fprintf(out, "\n    partitions: %d (%s fragmentation), %s%d %s between devices", b->partitions,
            fm_report_fragmentation(b->partitions), b->crossings_known ? "" : "at least ", b->crossings,
            b->crossings == 1 ? "crossing" : "crossings");
    time_behind(out, model, fm_nodes_gap_ns(&model->nodes), seconds);
    fputc('\n', out);
}

void fm_text_breakdown(FILE *out, const fm_report_model *model, double seconds)
{
    const fm_report_breakdown *b = &model->breakdown;
    if (!model->has_breakdown)
        return;
    if (b->accelerator > 0) {
        accelerator_lines(out, model, seconds);
    } else {
        fprintf(out, "    CPU: all %d operators", b->operators);
        time_behind(out, model, model->nodes.cpu_ns, seconds);
        fputc('\n', out);
    }
    if (b->weight_bytes > 0)
        fprintf(out, "    weights: %.1f MiB (%" PRId64 " parameters)\n", (double)b->weight_bytes / (1024.0 * 1024.0),
                b->parameters);
    if (b->reason) {
        fputs("    asked for ", out);
        fmp_utf8_print(out, fm_figure_text(b->asked, "?"));
        fputs(": ", out);
        fmp_utf8_print(out, b->reason);
        fputc('\n', out);
    }
}

static void sampling_line(FILE *out, const model_share *of)
{
    char each[FMP_TIME_TEXT_SIZE], plain[FMP_TIME_TEXT_SIZE], extra[FMP_TIME_TEXT_SIZE];
    fm_figure_ms(each, of->sample->mean_ns * 1e-9);
    fm_figure_ms(plain, of->plain->mean_ns * 1e-9);
    fm_figure_ms(extra, of->extra_ns * 1e-9);
    fprintf(out, "    sampled: %" PRIu64 " of %.0f runs, %s each and not %s: %s in all, left out above\n",
            of->sample->count, of->runs, each, plain, extra);
}

static void model_lines(FILE *out, const fm_report_model *model, const model_share *of, double stage_ns, double frames)
{
    char part[FMP_TIME_TEXT_SIZE], each[FMP_TIME_TEXT_SIZE], first[FMP_TIME_TEXT_SIZE], median[FMP_TIME_TEXT_SIZE];
    fm_figure_percent(part, of->total_ns, stage_ns);
    fm_figure_ms(each, fmp_ratio(of->total_ns * 1e-9, frames));
    fm_figure_ms(first, (double)of->plain->first_ns * 1e-9);
    fm_figure_ms(median, of->plain->p50_ns * 1e-9);
    fputs("  ", out);
    fmp_utf8_print(out, of->plain->operation);
    fprintf(out, ": %s of stage (%s per frame; first run %s, median %s)\n", part, each, first, median);
    fm_text_breakdown(out, model, fmp_ratio(of->total_ns * 1e-9, frames));
    if (of->sample)
        sampling_line(out, of);
}

static double stage_time(const fmp_snapshot *snapshot, const stage *s)
{
    const fmp_operation *around = s->enclosing ? find_operation(snapshot, s->enclosing) : NULL;
    double sum = 0;
    for (size_t i = 0; !s->enclosing && snapshot && i < snapshot->operation_count; i++)
        if (strncasecmp(snapshot->operations[i].operation, s->prefix, strlen(s->prefix)) == 0)
            sum += (double)snapshot->operations[i].self_ns;
    return around ? (double)around->total_ns : sum;
}

static void stage_lines(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run, const stage *s)
{
    double stage_ns = stage_time(snapshot, s), models_ns = 0;
    for (size_t i = 0; i < run->model_count; i++) {
        const model_share of = share_of(snapshot, s, &run->models[i]);
        models_ns += of.total_ns;
        stage_ns -= of.extra_ns;
    }
    if (models_ns <= 0)
        return;
    if (stage_ns < models_ns) /* a profile without the stage's own scope */
        stage_ns = models_ns;
    char each[FMP_TIME_TEXT_SIZE], rate[FMP_TIME_TEXT_SIZE];
    fm_figure_ms(each, fmp_ratio(stage_ns * 1e-9, (double)run->frames));
    fmp_fixed(rate, fmp_ratio((double)run->frames, stage_ns * 1e-9), 1);
    fprintf(out, "%s: %s per frame (%s FPS)\n", s->title, each, rate);
    for (size_t i = 0; i < run->model_count; i++) {
        const model_share of = share_of(snapshot, s, &run->models[i]);
        if (of.plain)
            model_lines(out, &run->models[i], &of, stage_ns, (double)run->frames);
    }
}

static void not_run_lines(FILE *out, const fmp_snapshot *snapshot, const fm_report_model *model)
{
    for (size_t k = 0; k < sizeof stages / sizeof stages[0]; k++)
        if (share_of(snapshot, &stages[k], model).plain)
            return;
    fputs("  ", out);
    fmp_utf8_print(out, fm_figure_text(model->name, "?"));
    fputs(": loaded, not run\n", out);
    fm_text_breakdown(out, model, 0);
}

void fm_text_models(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run, bool utf8)
{
    if (!run || run->model_count == 0)
        return;
    fputs("MODELS\n", out);
    fmp_text_rule(out, true, utf8);
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        stage_lines(out, snapshot, run, &stages[i]);
    for (size_t i = 0; i < run->model_count; i++)
        not_run_lines(out, snapshot, &run->models[i]);
    for (size_t i = 0; i < run->model_count; i++) {
        if (!run->models[i].has_nodes)
            continue;
        fputs("Inside ", out);
        fmp_utf8_print(out, fm_figure_text(run->models[i].name, "?"));
        fputs(":\n", out);
        fm_text_nodes(out, &run->models[i].nodes);
    }
    fmp_text_rule(out, true, utf8);
}
