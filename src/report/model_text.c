/* The MODELS section of the text report: what each model costs in its stage, and what runs where inside it. */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "export/figures.h"
#include "export/text.h"
#include "export/utf8.h"
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

static const char *text_or(const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

/* The operation of a model in a stage; NULL when it did not run there. */
static const fmp_operation *operation_of(const fmp_snapshot *snapshot, const stage *s, const fm_report_model *model)
{
    char name[256];
    const int length = snprintf(name, sizeof name, "%s%s_%s", s->prefix, text_or(model->name, ""), text_or(model->backend, ""));
    return length > 0 && (size_t)length < sizeof name ? find_operation(snapshot, name) : NULL;
}

static void percent(char out[FMP_TIME_TEXT_SIZE], double part, double whole)
{
    char figure[FMP_TIME_TEXT_SIZE];
    fmp_fixed(figure, 100 * fmp_ratio(part, whole), 1);
    snprintf(out, FMP_TIME_TEXT_SIZE, "%.24s%s", figure, strcmp(figure, "n/a") == 0 ? "" : "%");
}

static void milliseconds(char out[FMP_TIME_TEXT_SIZE], double seconds)
{
    char figure[FMP_TIME_TEXT_SIZE];
    fmp_fixed(figure, 1e3 * seconds, 1);
    snprintf(out, FMP_TIME_TEXT_SIZE, "%.24s%s", figure, strcmp(figure, "n/a") == 0 ? "" : " ms");
}

static void accelerator_lines(FILE *out, const fm_report_breakdown *b)
{
    char share[FMP_TIME_TEXT_SIZE];
    const int cpu = b->operators - b->accelerator;
    percent(share, b->accelerator, b->operators);
    fprintf(out, "    accelerator: %s of operators (%d of %d)\n", share, b->accelerator, b->operators);
    percent(share, cpu, b->operators);
    fprintf(out, "    CPU fallback: %s (%d)", share, cpu);
    for (size_t i = 0; i < b->fallback_count && i < FALLBACKS_SHOWN; i++) {
        fprintf(out, "%s%d ", i ? ", " : ": ", b->fallbacks[i].count);
        fmp_utf8_print(out, text_or(b->fallbacks[i].type, "?"));
    }
    if (b->fallback_count > FALLBACKS_SHOWN)
        fprintf(out, " and %zu more types", b->fallback_count - FALLBACKS_SHOWN);
    fprintf(out, "\n    partitions: %d (%s fragmentation), %s%d %s between devices\n", b->partitions,
            fm_report_fragmentation(b->partitions), b->crossings_known ? "" : "at least ", b->crossings,
            b->crossings == 1 ? "crossing" : "crossings");
}

void fm_text_breakdown(FILE *out, const fm_report_model *model)
{
    const fm_report_breakdown *b = &model->breakdown;
    if (!model->has_breakdown)
        return;
    if (b->accelerator > 0)
        accelerator_lines(out, b);
    else
        fprintf(out, "    CPU: all %d operators\n", b->operators);
    if (b->weight_bytes > 0)
        fprintf(out, "    weights: %.1f MiB (%" PRId64 " parameters)\n", (double)b->weight_bytes / (1024.0 * 1024.0),
                b->parameters);
    if (b->reason) {
        fputs("    asked for ", out);
        fmp_utf8_print(out, text_or(b->asked, "?"));
        fputs(": ", out);
        fmp_utf8_print(out, b->reason);
        fputc('\n', out);
    }
}

static void model_lines(FILE *out, const fm_report_model *model, const fmp_operation *op, double stage_ns, double frames)
{
    char share[FMP_TIME_TEXT_SIZE], each[FMP_TIME_TEXT_SIZE], first[FMP_TIME_TEXT_SIZE], median[FMP_TIME_TEXT_SIZE];
    percent(share, (double)op->total_ns, stage_ns);
    milliseconds(each, fmp_ratio((double)op->total_ns * 1e-9, frames));
    milliseconds(first, (double)op->first_ns * 1e-9);
    milliseconds(median, op->p50_ns * 1e-9);
    fputs("  ", out);
    fmp_utf8_print(out, op->operation);
    fprintf(out, ": %s of stage (%s per frame; first run %s, median %s)\n", share, each, first, median);
    fm_text_breakdown(out, model);
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
        const fmp_operation *op = operation_of(snapshot, s, &run->models[i]);
        models_ns += op ? (double)op->total_ns : 0;
    }
    if (models_ns <= 0)
        return;
    if (stage_ns < models_ns) /* a profile without the stage's own scope */
        stage_ns = models_ns;
    char each[FMP_TIME_TEXT_SIZE], rate[FMP_TIME_TEXT_SIZE];
    milliseconds(each, fmp_ratio(stage_ns * 1e-9, (double)run->frames));
    fmp_fixed(rate, fmp_ratio((double)run->frames, stage_ns * 1e-9), 1);
    fprintf(out, "%s: %s per frame (%s FPS)\n", s->title, each, rate);
    for (size_t i = 0; i < run->model_count; i++) {
        const fmp_operation *op = operation_of(snapshot, s, &run->models[i]);
        if (op)
            model_lines(out, &run->models[i], op, stage_ns, (double)run->frames);
    }
}

void fm_text_models(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run, bool utf8)
{
    if (!run || run->model_count == 0)
        return;
    fputs("MODELS\n", out);
    fmp_text_rule(out, true, utf8);
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        stage_lines(out, snapshot, run, &stages[i]);
    for (size_t i = 0; i < run->model_count; i++) {
        bool ran = false;
        for (size_t k = 0; k < sizeof stages / sizeof stages[0]; k++)
            ran = ran || operation_of(snapshot, &stages[k], &run->models[i]);
        if (ran)
            continue;
        fputs("  ", out);
        fmp_utf8_print(out, text_or(run->models[i].name, "?"));
        fputs(": loaded, not run\n", out);
        fm_text_breakdown(out, &run->models[i]);
    }
    fmp_text_rule(out, true, utf8);
}
