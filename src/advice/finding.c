#include "advice/finding.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* --- text ------------------------------------------------------------------------------ */

/* Texts stand one behind the other in few large pieces: a report with more to say must not cost more allocations. */
typedef struct piece {
    struct piece *next;
    size_t used, size;
    char text[];
} piece;

enum { PIECE_SIZE = 1 << 16 };

static char *room_for(fm_advice *a, size_t size)
{
    piece *last = a->texts;
    if (!last || last->size - last->used < size) {
        const size_t wanted = size > PIECE_SIZE ? size : PIECE_SIZE;
        piece *new_piece = malloc(sizeof *new_piece + wanted);
        if (!new_piece)
            return NULL;
        *new_piece = (piece){.next = last, .size = wanted};
        a->texts = last = new_piece;
    }
    char *room = last->text + last->used;
    last->used += size;
    return room;
}

static const char *keep(fm_advice *a, const char *format, va_list args) FM_PRINTF(2, 0);

static const char *keep(fm_advice *a, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length >= 0 ? room_for(a, (size_t)length + 1) : NULL;
    if (!text) {
        a->no_memory = true;
        return "";
    }
    vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

const char *fm_advice_text(fm_advice *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = keep(a, format, args);
    va_end(args);
    return text;
}

void fm_advice_caveat(fm_advice *a, const char *format, ...)
{
    va_list args;
    if (a->out.caveat_count == FM_CAVEATS_MAX)
        return;
    va_start(args, format);
    a->caveats[a->out.caveat_count++] = keep(a, format, args);
    va_end(args);
}

void fm_advice_free(fm_advice **pointer)
{
    if (!pointer || !*pointer)
        return;
    for (piece *at = (*pointer)->texts; at;) {
        piece *next = at->next;
        free(at);
        at = next;
    }
    free(*pointer);
    *pointer = NULL;
}

/* --- findings ----------------------------------------------------------------------------- */

fm_report_finding *fm_finding_add(fm_advice *a, const char *rule, const char *subject, fm_priority priority,
                                  const char *title, const char *evidence, const char *why)
{
    const size_t at = a->out.count < FM_FINDINGS_MAX - 1 ? a->out.count++ : FM_FINDINGS_MAX - 1;
    a->list[at] = (fm_report_finding){
        .priority = priority,
        .rule = rule,
        .subject = subject ? subject : "",
        .title = title,
        .evidence = evidence,
        .why = why,
        .gain_least = (double)NAN,
        .gain_most = (double)NAN,
        .gain = "the profile does not tell how long it would take without this",
    };
    return &a->list[at];
}

bool fm_finding_there(const fm_advice *a, const char *subject)
{
    for (size_t i = 0; i < a->out.count; i++)
        if (strcmp(a->list[i].subject, subject) == 0)
            return true;
    return false;
}

void fm_finding_fix(fm_report_finding *finding, const char *fix)
{
    if (finding->fix_count < FM_FINDING_FIXES_MAX)
        finding->fixes[finding->fix_count++] = fix;
}

/* --- gains ---------------------------------------------------------------------------------- */

static const char *part_text(fm_advice *a, double least, double most)
{
    if (most - least < 0.005)
        return most > 0.995 ? "with all of it gone" : fm_advice_text(a, "with %.0f %% of it gone", 100 * most);
    if (least > 0.495 && least < 0.505 && most > 0.995)
        return "with half to all of it gone";
    return fm_advice_text(a, "with %.0f to %.0f %% of it gone", 100 * least, 100 * most);
}

/* Without stages: what runs beside it is not known. */
static void gain_without_stages(fm_advice *a, fm_report_finding *finding, double seconds, double least, double most)
{
    const fm_facts *f = &a->facts;
    if (f->wall <= 0) {
        finding->gain = "the profile has no wall time";
        return;
    }
    const bool alone = f->snapshot->thread_count == 1;
    finding->gain_least = alone ? fmin(1, least * seconds / f->wall) : 0;
    finding->gain_most = fmin(1, most * seconds / f->wall);
    if (alone) {
        finding->gain = fm_advice_text(a, "one thread did everything, so its %.1f s count in full in the wall time of "
                                          "%.1f s; %s",
                                       seconds, f->wall, part_text(a, least, most));
        return;
    }
    finding->gain = fm_advice_text(a, "%s, its %.1f s over the wall time of %.1f s; nothing where a stage beside it "
                                      "takes "
                                      "longer, which this profile does not tell",
                                   part_text(a, most, most), seconds, f->wall);
}

/* What is then the limit: the stage with the most work left beside the one that limits now. */
static const char *next_text(fm_advice *a, const fm_removal *removal)
{
    const fm_facts *f = &a->facts;
    const fm_report_stage *next = NULL;
    double most = 0;
    for (size_t i = 0; i < f->stage_count; i++) {
        const double left = f->stages[i].busy_seconds - removal->stage[i];
        if (&f->stages[i] != f->busiest && isfinite(left) && left > most) {
            next = &f->stages[i];
            most = left;
        }
    }
    return next ? fm_advice_text(a, ", at most down to the next stage (%s, then at work %.1f %% of today's wall time)",
                                 next->name,
                                 100 * most / f->wall) : "";
}

static const char *stage_derivation(fm_advice *a, const char *what, double on_limit, const char *elsewhere,
                                    const char *part, const fm_removal *removal)
{
    const fm_facts *f = &a->facts;
    if (on_limit <= 0)
        return fm_advice_text(a, "%s is no part of the stage '%s', which limits the run%s%s", what, f->busiest->name,
                              elsewhere ? "; it runs beside it on " : "", elsewhere ? elsewhere : "");
    return fm_advice_text(a, "%s takes %.1f %% of the limiting stage's time; %s%s", what,
                          100 * on_limit / f->busiest->busy_seconds, part, next_text(a, removal));
}

void fm_finding_gains(fm_advice *a, fm_report_finding *finding, const fmp_operation *const *ops, size_t count,
                      const char *what, double least, double most)
{
    const fm_facts *f = &a->facts;
    fm_removal small = {.cpu = 0}, large = {.cpu = 0}, whole = {.cpu = 0};
    double seconds = 0;
    const fm_report_stage *elsewhere = NULL;
    for (size_t i = 0; i < count; i++) {
        fm_removal_add(f, &small, ops[i], least);
        fm_removal_add(f, &large, ops[i], most);
        fm_removal_add(f, &whole, ops[i], 1);
        const double one = fm_op_seconds(ops[i]) / (ops[i]->threads > 0 ? ops[i]->threads : 1);
        seconds = fm_op_encodes(ops[i]) ? fmax(seconds, one) : seconds + one; /* videos are encoded side by side */
        elsewhere = elsewhere ? elsewhere : fm_op_stage(f, ops[i]);
    }
    if (count > 0 && fm_op_encodes(ops[0])) { /* at most all threads that are no stages work for the encoders */
        large.cpu += most * f->helpers;
        whole.cpu += f->helpers;
    }
    if (f->limit == FM_LIMIT_UNKNOWN) {
        gain_without_stages(a, finding, seconds, least, most);
        return;
    }
    const char *part = part_text(a, least, most);
    finding->gain_least = f->limit == FM_LIMIT_WAITING ? 0 : fm_removal_gain(f, &small, false);
    finding->gain_most = fm_removal_gain(f, &large, true);
    if (f->limit == FM_LIMIT_STAGE)
        finding->gain = stage_derivation(a, what, whole.stage[f->busiest - f->stages], elsewhere ? elsewhere->name
                                         : NULL, part,
                                         &large);
    else if (f->limit == FM_LIMIT_PROCESSORS)
        finding->gain = fm_advice_text(a, "the processors are busy, so processor time counts: %s takes %s %.1f s of "
                                          "the run's "
                                          "%.1f s; %s", what, count > 0 && fm_op_encodes(ops[0]) ? "at most" : "about",
                                       whole.cpu, f->cpu, part);
    else
        finding->gain = fm_advice_text(a, "%s; no stage is at work all the time, so part of it may be lost in waiting",
                                       part);
    finding->priority = finding->gain_most >= fm_facts_share(f, FM_RULE_GAIN_HIGH)     ? FM_PRIORITY_HIGH
                        : finding->gain_most >= fm_facts_share(f, FM_RULE_GAIN_MEDIUM) ? FM_PRIORITY_MEDIUM
                                                                                  : FM_PRIORITY_LOW;
}

void fm_finding_gain(fm_advice *a, fm_report_finding *finding, const fmp_operation *op, double least, double most)
{
    const fmp_operation *ops[FM_RELATED_MAX];
    const size_t count = fm_op_related(&a->facts, op, ops);
    fm_finding_gains(a, finding, ops, count, fm_op_title(op), least, most);
}

/* --- fixes ------------------------------------------------------------------------------------ */

static void encoder_fixes(fm_advice *a, fm_report_finding *finding)
{
    const fm_report_conditions *c = a->facts.run->conditions;
    const char *encoder = a->facts.run->encoder;
    const bool software = encoder && fm_begins_with(encoder, "lib"); /* libx264, libopenh264: names of libraries */
    if (c && c->hardware_encoder && *c->hardware_encoder)
        fm_finding_fix(finding, fm_advice_text(a, "--encoder %s: encodes in hardware, and works here",
                                               c->hardware_encoder));
    for (size_t i = 0; i < a->facts.snapshot->operation_count; i++)
        if (fm_begins_with(a->facts.snapshot->operations[i].operation, "frame_write_debug")) {
            fm_finding_fix(finding, "--no-debug: one video fewer to draw and encode");
            break;
        }
    fm_finding_fix(finding, "--mode au: tables alone, where no video is wanted");
    if (software && !(c && c->hardware_encoder && *c->hardware_encoder))
        fm_finding_fix(finding, fm_advice_text(a, "a hardware encoder, which a run takes by itself%s: 'facemirror "
                                                  "doctor' says "
                                                  "what each of them lacks", c ? " (none works here)" : ""));
}

static void provider_fix(fm_advice *a, fm_report_finding *finding, const fm_report_model *model)
{
    const fm_report_conditions *c = a->facts.run->conditions;
    if (!model->backend || !fm_ends_with(model->backend, "_cpu"))
        return;
    if (c && c->accelerators && *c->accelerators)
        fm_finding_fix(finding, fm_advice_text(a, "--ep auto: takes the fastest of what works here (beside the CPU: "
                                                  "%s)",
                                               c->accelerators));
    else
        fm_finding_fix(finding, "--ep NAME: another execution provider; 'facemirror doctor' says which work here and "
                                "what "
                                "would bring one");
}

static double calls_a_frame(const fm_facts *f, const fmp_operation *op)
{
    return f->run->frames > 0 ? (double)op->count / (double)f->run->frames : 0;
}

static void model_fixes(fm_advice *a, fm_report_finding *finding, const fm_report_model *model, fm_use use,
                        const fmp_operation *op)
{
    const fm_facts *f = &a->facts;
    const char *role = model->role ? model->role : "";
    if (strcmp(role, "detector") == 0)
        fm_finding_fix(finding, "--detector-interval 0: looks for a face only when none is followed; or a larger "
                                "interval");
    if (strcmp(role, "landmarker") == 0 && use == FM_USE_ANALYSIS && calls_a_frame(f,
                                                                                op) > f->rules->value[FM_RULE_LOOKS])
        fm_finding_fix(finding, "--no-flip-average: one look a frame in place of two; the network's own left-right "
                                "bias then "
                                "stays in");
    if (strcmp(role, "landmarker") == 0 && model->file && strstr(model->file, "attention"))
        fm_finding_fix(finding, "--landmarks plain: 468 points in about half the network's time; lips and lids less "
                                "exact");
    if (strcmp(role, "au_estimator") == 0)
        fm_finding_fix(finding, "--au-batch N: more faces in one run, which take less time each (4 unless set)");
    provider_fix(a, finding, model);
    if (use == FM_USE_AU)
        fm_finding_fix(finding, "--mode mirror: videos without action units, where these are not wanted");
    if (!model->has_nodes)
        fm_finding_fix(finding, "--profile-ops: says which of its operators cost the time");
}

/* The model whose step the operation is: pre-processing and post-processing, too. */
static const fm_report_model *model_of_step(const fm_facts *f, const fmp_operation *op, fm_use *use)
{
    static const char *const steps[] = {"preprocess", "postprocess"};
    const fm_report_model *model = fm_op_model(f, op, use);
    for (size_t i = 0; !model && i < f->run->model_count; i++)
        for (int u = 0; u < FM_USES; u++)
            for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++)
                if (fm_model_op(f, &f->run->models[i], (fm_use)u, steps[s]) == op) {
                    *use = (fm_use)u;
                    model = &f->run->models[i];
                }
    return model;
}

void fm_finding_fixes_of(fm_advice *a, fm_report_finding *finding, const fmp_operation *op)
{
    fm_use use = FM_USE_ANALYSIS;
    const fm_report_model *model = model_of_step(&a->facts, op, &use);
    if (fm_op_encodes(op))
        encoder_fixes(a, finding);
    else if (fm_op_decodes(op))
        fm_finding_fix(finding, "--threads N: with more processor threads the decoder has more (8 at most)");
    else if (model)
        model_fixes(a, finding, model, use, op);
    else if (strcmp(op->operation, "debug_overlay") == 0 || strcmp(op->operation, "frame_copy") == 0)
        fm_finding_fix(finding, "--no-debug: no debug video");
    else if (fm_begins_with(op->operation, "mirror_"))
        fm_finding_fix(finding, "--mode au: tables alone, where no video is wanted");
    else if (strcmp(op->category, "MODEL_INFERENCE") == 0)
        fm_finding_fix(finding, "--ep NAME: another execution provider; 'facemirror doctor' says which work here");
    if (finding->fix_count == 0)
        fm_finding_fix(finding, "--trace: shows when it ran, and what it waited for");
}
