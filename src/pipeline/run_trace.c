#include "pipeline/run_trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fmprof/export.h"
#include "fmprof/trace.h"
#include "report/report.h"

enum {
    TRACE_EVENTS = 1 << 17,  /* a thread: 3 MiB, some minutes of frames */
    COMPAT_EVENTS = 1 << 21, /* every sample is wanted: 48 MiB a thread, of which only the used part is real */
    TRACE_THREADS = 32
};

fm_status fm_run_trace_open(fm_outfile *file, const char *dir, const char *stem, fm_error *err)
{
    char path[FM_PATH_MAX];
    fm_status status = fm_path_output(path, dir, stem, "_trace.fmptrace", err);
    /* As the profile, it belongs to the run and replaces that of the run before. */
    return status == FM_OK ? fm_outfile_open(file, path, true, err) : status;
}

fm_status fm_run_trace_start(fm_outfile *file, const fm_run_options *options, fm_error *err)
{
    const fmp_trace_options trace = {
        .events_per_thread = options->profile.compat_json ? COMPAT_EVENTS : TRACE_EVENTS,
        .threads_max = TRACE_THREADS,
        .full = options->profile.compat_json ? FMP_TRACE_DROP_NEWEST : FMP_TRACE_DROP_OLDEST,
    };
    const int cause = fmp_trace_start(file->partial_path, &trace);
    if (cause != 0)
        fm_outfile_discard(file); /* nothing of ours is to be stopped at the end */
    if (cause == EBUSY)
        return fm_fail(err, FM_E_USAGE, "another run of this process is being traced; trace one at a time");
    if (cause != 0)
        return fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT), "cannot write '%s': %s",
                       file->final_path, strerror(cause));
    return FM_OK;
}

int64_t fm_run_trace_dropped(const fm_outfile *file)
{
    fmp_trace *trace = fmp_trace_read(file->partial_path, NULL, 0);
    const uint64_t dropped = trace ? trace->dropped : 0;
    fmp_trace_free(&trace);
    return dropped < INT64_MAX ? (int64_t)dropped : INT64_MAX;
}

typedef int print_trace(FILE *out, const fmp_trace *trace);

static fm_status print_to(const char *path, print_trace *print, const fmp_trace *trace, fm_error *err)
{
    fm_outfile file;
    FILE *stream;
    fm_status status = fm_outfile_open(&file, path, true, err);
    if (status == FM_OK)
        status = fm_outfile_stream(&file, &stream, err);
    if (status != FM_OK)
        return status;
    if (print(stream, trace) != 0)
        status = fm_outfile_failed(&file, err);
    return fm_outfile_end(&file, stream, status, err);
}

static int print_compat(FILE *out, const fmp_trace *trace)
{
    return fm_report_compat_json(out, trace, NULL, NULL) == FM_OK ? 0 : -1;
}

/* Each file by itself: what one lacks another need not. */
static void write_wanted(const fm_outfile *file, const char *dir, const char *stem,
                         const fm_profile_options *profile, fm_run_trace_files *written, fm_error *err)
{
    char message[256], path[FM_PATH_MAX];
    fmp_trace *trace = fmp_trace_read(file->partial_path, message, sizeof message);
    if (!trace) {
        fm_fail(err, FM_E_INTERNAL, "the event stream cannot be read back: %s", message);
        return;
    }
    if (profile->trace)
        written->json = fm_path_output(path, dir, stem, "_trace.json", err) == FM_OK &&
                        print_to(path, fmp_print_chrome_trace, trace, err) == FM_OK;
    if (profile->compat_json)
        written->compat = fm_path_output(path, dir, stem, "_profile_compat.json", err) == FM_OK &&
                          print_to(path, print_compat, trace, err) == FM_OK;
    fmp_trace_free(&trace);
}

fm_status fm_run_trace_finish(fm_outfile *file, const char *dir, const char *stem,
                              const fm_profile_options *profile, bool keep, fm_run_trace_files *written,
                              fm_error *err)
{
    *written = (fm_run_trace_files){0};
    fm_error local = {0};
    err = err ? err : &local;
    const int cause = fmp_trace_stop();
    if (cause != 0)
        fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT), "cannot write '%s': %s", file->final_path,
                strerror(cause));
    else if (keep)
        write_wanted(file, dir, stem, profile, written, err);
    if (cause == 0 && keep && profile->trace)
        written->stream = fm_outfile_commit(file, err) == FM_OK;
    fm_outfile_discard(file);
    return err->status;
}
