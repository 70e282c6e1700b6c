#include <errno.h>

#include "fmprof/export.h"
#include "report/json_writer.h"
#include "summary.h"

fm_status fm_report_text(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run,
                         const fm_report_options *options, fm_error *err)
{
    static const fm_report_options defaults = {0};
    options = options ? options : &defaults;
    fmp_text_options tables = {
        .utf8 = options->utf8,
        .percentiles = options->percentiles,
        .self = options->self,
        .sort = options->sort,
    };
    if (run) {
        tables.wall_seconds = run->wall_seconds;
        tables.covered_seconds = run->covered_seconds;
        tables.notes = run->notes;
        tables.note_count = run->note_count;
    }
    if (fmp_print_text(out, snapshot, &tables) != 0)
        return fm_stream_failed("the report", err);
    errno = 0;
    fm_text_summary(out, snapshot, run, tables.utf8);
    fm_text_models(out, snapshot, run, tables.utf8);
    fm_text_pipeline(out, run, tables.utf8);
    return fm_stream_status(out, "the report", err);
}
