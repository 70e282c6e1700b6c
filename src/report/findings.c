/* Findings as the end of the text report and as JSON. */
#include "report/findings.h"

#include <math.h>

#include "export/figures.h"
#include "export/text.h"
#include "export/utf8.h"
#include "report/findings_show.h"

const char *fm_priority_name(fm_priority priority)
{
    static const char *const names[] = {"HIGH", "MEDIUM", "LOW"};
    return names[priority];
}

/* --- text -------------------------------------------------------------------------- */

enum { COLUMNS = 100, SHOWN_MAX = 10, HEAD_COLUMNS = 4, LABEL_COLUMNS = 10,
      BODY_COLUMN = HEAD_COLUMNS + LABEL_COLUMNS };

static void print_wrapped(FILE *out, const char *text, int column)
{
    fmp_text_wrapped(out, text, column, COLUMNS);
}

static void labelled(FILE *out, const char *label, const char *text)
{
    fprintf(out, "%*s%-*s", HEAD_COLUMNS, "", LABEL_COLUMNS, label);
    print_wrapped(out, text, BODY_COLUMN);
}

static void gain_text(char *out, size_t size, const fm_report_finding *f)
{
    const double least = 100 * f->gain_least, most = 100 * f->gain_most;
    if (!isfinite(least) || !isfinite(most))
        snprintf(out, size, "not known: %s", f->gain);
    else if (most < 0.5)
        snprintf(out, size, "nothing: %s", f->gain);
    else if (most - least < 0.5)
        snprintf(out, size, "about %.0f %% of the wall time: %s", most, f->gain);
    else
        snprintf(out, size, "%.0f to %.0f %% of the wall time: %s", least, most, f->gain);
}

static void finding(FILE *out, size_t number, const fm_report_finding *f)
{
    char text[1024];
    fprintf(out, "%2zu. ", number);
    snprintf(text, sizeof text, "%s: %s [%s]", fm_priority_name(f->priority), f->title, f->rule);
    print_wrapped(out, text, HEAD_COLUMNS);
    labelled(out, "Evidence", f->evidence);
    labelled(out, "Why", f->why);
    for (size_t i = 0; i < f->fix_count; i++)
        labelled(out, i ? "" : "Fix", f->fixes[i]);
    gain_text(text, sizeof text, f);
    labelled(out, "Gain", text);
    fputc('\n', out);
}

void fm_text_findings(FILE *out, const fm_report_findings *findings, bool utf8)
{
    if (!findings)
        return;
    fputs("FINDINGS\n", out);
    fmp_text_rule(out, true, utf8);
    if (!findings->confident)
        print_wrapped(out, "The figures do not carry much (see the notes at the top): nothing is called HIGH.", 0);
    if (findings->count == 0)
        fputs("Nothing stands out.\n", out);
    for (size_t i = 0; i < findings->count && i < SHOWN_MAX; i++)
        finding(out, i + 1, &findings->list[i]);
    if (findings->count > SHOWN_MAX) {
        fputs("And:", out);
        for (size_t i = SHOWN_MAX; i < findings->count; i++)
            fprintf(out, "%s %s (%s)", i > SHOWN_MAX ? "," : "", findings->list[i].rule,
                    fm_priority_name(findings->list[i].priority));
        fputc('\n', out);
    }
    if (findings->minor)
        print_wrapped(out, findings->minor, 0);
    for (size_t i = 0; i < findings->threshold_count; i++)
        fprintf(out, "%s %s = %g\n", i ? "          " : "Thresholds", findings->thresholds[i].name,
                findings->thresholds[i].value);
    fmp_text_rule(out, true, utf8);
}

/* --- JSON -------------------------------------------------------------------------- */

static void write_list(fm_json *json, const char *key, const char *const *list, size_t count)
{
    fm_json_open(json, key, '[');
    for (size_t i = 0; i < count; i++)
        fm_json_text(json, NULL, list[i]);
    fm_json_close(json, ']');
}

/* In six digits: the last ones of a double differ between the figures of a run and the same that were loaded. */
static void write_gain(fm_json *json, const char *key, double gain)
{
    fm_json_real(json, key, round(gain * 1e6) / 1e6);
}

static void write_finding(fm_json *json, const fm_report_finding *f)
{
    fm_json_open(json, NULL, '{');
    fm_json_text(json, "priority", fm_priority_name(f->priority));
    fm_json_text(json, "rule", f->rule);
    fm_json_text(json, "subject", f->subject);
    fm_json_text(json, "title", f->title);
    fm_json_text(json, "evidence", f->evidence);
    fm_json_text(json, "why", f->why);
    write_list(json, "fixes", f->fixes, f->fix_count);
    write_gain(json, "gain_least", f->gain_least);
    write_gain(json, "gain_most", f->gain_most);
    fm_json_text(json, "gain", f->gain);
    fm_json_close(json, '}');
}

void fm_findings_write(fm_json *json, const fm_report_findings *findings)
{
    if (!findings)
        return;
    fm_json_open(json, "findings", '{');
    fm_json_bool(json, "confident", findings->confident);
    write_list(json, "caveats", findings->caveats, findings->caveat_count);
    if (findings->bottleneck_operation) {
        fm_json_open(json, "bottleneck", '{');
        fm_json_text(json, "category", findings->bottleneck_category);
        fm_json_text(json, "operation", findings->bottleneck_operation);
        fm_json_close(json, '}');
    } else {
        fm_json_null(json, "bottleneck");
    }
    fm_json_open(json, "list", '[');
    for (size_t i = 0; i < findings->count; i++)
        write_finding(json, &findings->list[i]);
    fm_json_close(json, ']');
    fm_json_text(json, "minor", findings->minor);
    fm_json_open(json, "thresholds", '{');
    for (size_t i = 0; i < findings->threshold_count; i++)
        fm_json_real(json, findings->thresholds[i].name, findings->thresholds[i].value);
    fm_json_close(json, '}');
    fm_json_close(json, '}');
}
