#include <errno.h>
#include <string.h>

#include "fmprof/export.h"
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
    int printed = fmp_print_text(out, snapshot, &tables);
    if (printed == 0) {
        fm_text_summary(out, snapshot, run, tables.utf8);
        fm_text_models(out, snapshot, run, tables.utf8);
        errno = 0;
        printed = fflush(out) != 0 || ferror(out) ? -1 : 0;
    }
    if (printed != 0) {
        int cause = errno ? errno : EIO;
        return fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT),
                       "Cannot write the report: %s; check where its output goes.",
                       strerror(cause));
    }
    return FM_OK;
}
