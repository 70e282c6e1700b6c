#include <math.h>

#include "advice/what_if_internal.h"
#include "export/figures.h"
#include "export/text.h"
#include "export/utf8.h"

enum { LABEL_COLUMNS = 14, WIDTH = 80 };

static void label(FILE *out, const char *text)
{
    fprintf(out, "%-*s", LABEL_COLUMNS, text);
}

static void print_time(FILE *out, double seconds)
{
    char text[FMP_TIME_TEXT_SIZE];
    fmp_time_text(text, seconds);
    fputs(text, out);
}

static void print_limit(FILE *out, const fm_what_if_limit *limit)
{
    if (limit->processors)
        fprintf(out, "the processors (with one for each thread %.2f times as fast); ", limit->gain_of_processors);
    fmp_utf8_print(out, limit->stage);
    fprintf(out, " works %.0f%% of the time\n", 100 * limit->busy);
}

static void print_base(FILE *out, const fm_what_if_base *base)
{
    label(out, "Recorded:");
    fprintf(out, "%.1f fps, %.0f frames in ", base->fps, base->frames);
    print_time(out, base->wall_seconds);
    fprintf(out, ", %d processor %s\n", base->processors, base->processors == 1 ? "thread" : "threads");
    label(out, "Limit:");
    print_limit(out, &base->limit);
    label(out, "Model error:");
    fprintf(out, "%.1f%% (the simulation of the run as it was; taken out below)\n", fabs(100 * base->model_error));
}

static const char *more_or_less(const fm_change_effect *effect)
{
    return effect->added > effect->removed ? "more" : "less";
}

static void print_change(FILE *out, const fm_report_run *run, const fm_change *change, const fm_change_effect *effect)
{
    char stages[160];
    fm_what_if_stages(run, effect, stages, sizeof stages);
    label(out, "");
    fmp_utf8_print(out, change->name);
    fprintf(out, " (%s): ", fm_change_kind_name(change->kind));
    print_time(out, effect->seconds);
    fprintf(out, " in %.0f %s on ", effect->calls, change->kind == FM_OF_STAGE ? "frames" : "calls");
    fmp_utf8_print(out, stages);
    fputs("; ", out);
    print_time(out, fabs(effect->added - effect->removed));
    fprintf(out, " %s\n", more_or_less(effect));
}

static void print_answer(FILE *out, const fm_what_if_answers *answers, const fm_what_if_answer *a)
{
    const fm_what_if_prediction *p = &a->prediction;
    fputc('\n', out);
    fmp_utf8_print(out, a->question);
    fputc('\n', out);
    for (int i = 0; i < a->changes.count; i++)
        print_change(out, answers->run, &a->changes.list[i], &a->effects[i]);
    label(out, "  Before:");
    fprintf(out, "%.1f fps, ", answers->base.fps);
    print_time(out, answers->base.wall_seconds);
    fputc('\n', out);
    label(out, "  After:");
    fprintf(out, "%.1f fps (%.1f to %.1f), ", p->fps, p->fps_low, p->fps_high);
    print_time(out, p->wall_seconds);
    fprintf(out, ", %.2f times as fast\n", p->speedup);
    label(out, "  Limit:");
    print_limit(out, &p->limit);
}

/* Words of a sentence, in lines of the report's width. */
static void print_wrapped(FILE *out, const char *text)
{
    int column = 2;
    fputs("- ", out);
    for (const char *word = text; *word;) {
        int length = 0;
        while (word[length] && word[length] != ' ')
            length++;
        if (column > 2 && column + 1 + length > WIDTH) {
            fputs("\n  ", out);
            column = 2;
        } else if (column > 2) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", length, word);
        column += length;
        word += length + (word[length] == ' ');
    }
    fputc('\n', out);
}

void fm_what_if_text(FILE *out, const fm_what_if_answers *answers, bool utf8)
{
    fmp_text_rule(out, true, utf8);
    fputs("WHAT IF\n", out);
    fmp_text_rule(out, true, utf8);
    print_base(out, &answers->base);
    for (size_t i = 0; i < answers->count; i++)
        print_answer(out, answers, &answers->list[i]);
    fm_assumptions assumptions;
    fm_what_if_assume(answers, &assumptions);
    fputs("\nAssumed:\n", out);
    for (int i = 0; i < assumptions.count; i++)
        print_wrapped(out, assumptions.list[i]);
    fmp_text_rule(out, true, utf8);
}
