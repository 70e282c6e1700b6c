#include "advice/what_if_print.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "advice/what_if_internal.h"
#include "report/json_writer.h"

static void assume(fm_assumptions *a, const char *format, ...) FM_PRINTF(2, 3);
static void assume(fm_assumptions *a, const char *format, ...)
{
    if (a->count == FM_ASSUMPTIONS_MAX)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(a->list[a->count++], FM_ASSUMPTION_LENGTH, format, args);
    va_end(args);
}

static bool changes_any(const fm_what_if_answers *answers, bool (*fits)(const fm_change *change))
{
    for (size_t i = 0; i < answers->count; i++) {
        for (int c = 0; c < answers->list[i].changes.count; c++) {
            if (fits(&answers->list[i].changes.list[c]))
                return true;
        }
    }
    return false;
}

static bool is_of_no_nature(const fm_change *change)
{
    return change->nature == FM_TIME_AS_STAGE;
}

static bool is_off(const fm_change *change)
{
    return change->how == FM_CHANGE_OFF;
}

static double helper_seconds(const fm_calibration *c)
{
    double sum = 0;
    for (size_t i = 0; i < c->model.stage_count; i++)
        sum += c->model.stages[i].helper;
    return sum;
}

void fm_what_if_assume(const fm_what_if_answers *answers, fm_assumptions *out)
{
    const fm_calibration *c = answers->recorded;
    out->count = 0;
    assume(out, "All other operations do the same work as before, on the same machine.");
    if (changes_any(answers, is_off))
        assume(out, "What is off is only not done: what needs its results is not asked whether it can do without.");
    if (changes_any(answers, is_of_no_nature))
        assume(out, "Where ':cpu' or ':wait' was not given, an operation's time is divided between processor and "
                    "waiting as its stage's is, and on an accelerator all waiting; the range covers both ends.");
    if (!c->cpu_known)
        assume(out, "The profile does not tell the CPU time of the stages: all their work counts as a processor's.");
    else if (!c->ready_known)
        assume(out, "The profile does not tell how long threads were without a processor: other programs count as "
                    "idle.");
    if (c->model.processors < 0.97 * c->processors)
        assume(out, "Other programs go on as they did: they left about %.0f %% of the processors.",
               100 * c->model.processors / c->processors);
    const double helpers = helper_seconds(c);
    if (helpers > 1e-4)
        assume(out, "CPU time of decoder's and encoders' own threads (%.1f ms a frame) is divided among them by a "
                    "fixed ratio, 1 to 4 for each encoder.", 1e3 * helpers);
    if (c->outside_seconds > 0.001 * answers->run->wall_seconds)
        assume(out, "%.2f s of the run were before and after its stages, and stay.", c->outside_seconds);
}

void fm_what_if_stages(const fm_report_run *run, const fm_change_effect *effect, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < run->pipeline->stage_count; i++) {
        if (!effect->on[i])
            continue;
        const int n = snprintf(out + used, size - used, "%s%s", used ? ", " : "", run->pipeline->stages[i].name);
        if (n < 0 || (size_t)n >= size - used) {
            snprintf(out + used, size - used, "...");
            return;
        }
        used += (size_t)n;
    }
    if (used == 0)
        snprintf(out, size, "no stage");
}

static fm_status answer(const fm_what_if *w, const fm_report_run *run, const fmp_snapshot *snapshot,
                        const char *question, fm_what_if_answer *out, fm_error *err)
{
    out->question = question;
    fm_status status = fm_changes_read(question, run, snapshot, &out->changes, err);
    if (status == FM_OK)
        status = fm_what_if_predict(w, question, &out->prediction, err);
    const fm_calibration *recorded = fm_what_if_calibration(w);
    for (int i = 0; status == FM_OK && i < out->changes.count; i++) {
        fm_sim_model model = recorded->model;
        double outside = recorded->outside_seconds;
        fm_change_apply(&out->changes.list[i], FM_TIME_AS_STAGE, run, snapshot, recorded, &model, &outside,
                        &out->effects[i]);
    }
    return status;
}

fm_status fm_what_if_print(FILE *out, const fm_report_run *run, const fmp_snapshot *snapshot,
                           const char *const *questions, size_t count, const fm_what_if_options *options,
                           fm_error *err)
{
    fm_what_if *w;
    fm_status status = fm_what_if_open(&w, run, snapshot, err);
    if (status != FM_OK)
        return status;
    fm_what_if_answers answers = {.run = run, .base = fm_what_if_recorded(w), .count = count,
                                  .recorded = fm_what_if_calibration(w)};
    answers.list = calloc(count + 1, sizeof *answers.list);
    if (!answers.list)
        status = fm_fail(err, FM_E_NO_MEMORY, "out of memory for %zu predictions", count);
    for (size_t i = 0; i < count && status == FM_OK; i++)
        status = answer(w, run, snapshot, questions[i], &answers.list[i], err);
    errno = 0;
    if (status == FM_OK && options->json) {
        status = fm_what_if_json(out, &answers, err);
    } else if (status == FM_OK) {
        fm_what_if_text(out, &answers, options->utf8);
        status = fm_stream_status(out, "the prediction", err);
    }
    free(answers.list);
    fm_what_if_close(&w);
    return status;
}
