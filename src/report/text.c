#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fmprof/export.h"
#include "report/findings_show.h"
#include "report/json_writer.h"
#include "summary.h"
#include "watch/print_text.h"

/* The run's notes and the findings' caveats, malloc'ed. NULL when memory is out. */
static const char **all_notes(const fm_report_run *run, size_t *count)
{
    const fm_report_findings *findings = run->findings;
    const size_t own = run->note_count, more = findings ? findings->caveat_count : 0;
    const char **notes = calloc(own + more + 1, sizeof *notes);
    *count = own + more;
    for (size_t i = 0; notes && i < own; i++)
        notes[i] = run->notes[i];
    for (size_t i = 0; notes && i < more; i++)
        notes[own + i] = findings->caveats[i];
    return notes;
}

static fm_status print_tables(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run,
                              fmp_text_options *tables, fm_error *err)
{
    const fm_report_findings *findings = run->findings;
    const char **notes = all_notes(run, &tables->note_count);
    if (!notes)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the report");
    const fmp_text_mark mark = {
        .category = findings ? findings->bottleneck_category : NULL,
        .operation = findings ? findings->bottleneck_operation : NULL,
        .text = "<-- BOTTLENECK",
    };
    tables->wall_seconds = run->wall_seconds;
    tables->covered_seconds = run->covered_seconds;
    tables->notes = notes;
    tables->marks = &mark;
    tables->mark_count = mark.operation ? 1 : 0;
    const int printed = fmp_print_text(out, snapshot, tables);
    free(notes);
    return printed == 0 ? FM_OK : fm_stream_failed("the report", err);
}

fm_status fm_report_text(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run,
                         const fm_report_options *options, fm_error *err)
{
    static const fm_report_options defaults = {0};
    static const fm_report_run nothing = {0};
    options = options ? options : &defaults;
    fmp_text_options tables = {
        .utf8 = options->utf8,
        .percentiles = options->percentiles,
        .self = options->self,
        .sort = options->sort,
    };
    const fm_status status = print_tables(out, snapshot, run ? run : &nothing, &tables, err);
    if (status != FM_OK)
        return status;
    errno = 0;
    fm_text_summary(out, snapshot, run, tables.utf8);
    fm_text_models(out, snapshot, run, tables.utf8);
    fm_text_pipeline(out, run, tables.utf8);
    if (run && run->system)
        fmp_text_system(out, run->system, tables.utf8);
    fm_text_findings(out, run ? run->findings : NULL, tables.utf8);
    return fm_stream_status(out, "the report", err);
}
