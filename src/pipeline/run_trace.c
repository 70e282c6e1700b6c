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

static fm_status path_of(char *path, const char *dir, const char *stem, const char *suffix,
                         fm_error *err)
{
    char name[FM_PATH_MAX];
    int n = snprintf(name, sizeof name, "%s%s", stem, suffix);
    if (n < 0 || n >= FM_PATH_MAX || !fm_path_join(path, dir, name))
        return fm_fail(err, FM_E_OUTPUT, "the output path in '%.200s...' is too long", dir);
    return FM_OK;
}

fm_status fm_run_trace_open(fm_outfile *file, const char *dir, const char *stem, fm_error *err)
{
    char path[FM_PATH_MAX];
    fm_status status = path_of(path, dir, stem, "_trace.fmptrace", err);
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
    if (cause == EBUSY)
        return fm_fail(err, FM_E_USAGE, "another run of this process is being traced; trace one at a time");
    if (cause != 0)
        return fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT), "cannot write '%s': %s",
                       file->final_path, strerror(cause));
    return FM_OK;
}

typedef int print_trace(FILE *out, const fmp_trace *trace);

static fm_status print_to(const char *path, print_trace *print, const fmp_trace *trace, fm_error *err)
{
    fm_outfile file;
    fm_status status = fm_outfile_open(&file, path, true, err);
    if (status != FM_OK)
        return status;
    FILE *stream = fopen(file.partial_path, "w");
    bool good = stream && print(stream, trace) == 0;
    if (stream && fclose(stream) != 0)
        good = false;
    if (!good) {
        status = fm_fail(err, fm_status_from_errno(errno, FM_E_OUTPUT), "cannot write '%s': %s", path,
                         strerror(errno));
        fm_outfile_discard(&file);
        return status;
    }
    return fm_outfile_commit(&file, err);
}

static int print_compat(FILE *out, const fmp_trace *trace)
{
    return fm_report_compat_json(out, trace, NULL, NULL) == FM_OK ? 0 : -1;
}

static fm_status write_wanted(const fm_outfile *file, const char *dir, const char *stem,
                              const fm_profile_options *profile, fm_error *err)
{
    char message[256], path[FM_PATH_MAX];
    fmp_trace *trace = fmp_trace_read(file->partial_path, message, sizeof message);
    if (!trace)
        return fm_fail(err, FM_E_INTERNAL, "the event stream cannot be read back: %s", message);
    fm_status status = FM_OK;
    if (profile->trace) {
        status = path_of(path, dir, stem, "_trace.json", err);
        if (status == FM_OK)
            status = print_to(path, fmp_print_chrome_trace, trace, err);
    }
    if (status == FM_OK && profile->compat_json) {
        status = path_of(path, dir, stem, "_profile_compat.json", err);
        if (status == FM_OK)
            status = print_to(path, print_compat, trace, err);
    }
    fmp_trace_free(&trace);
    return status;
}

fm_status fm_run_trace_finish(fm_outfile *file, const char *dir, const char *stem,
                              const fm_profile_options *profile, bool keep, fm_error *err)
{
    const int cause = fmp_trace_stop();
    fm_status status = FM_OK;
    if (cause != 0)
        status = fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT), "cannot write '%s': %s",
                         file->final_path, strerror(cause));
    if (status == FM_OK && keep)
        status = write_wanted(file, dir, stem, profile, err);
    if (status == FM_OK && keep && profile->trace)
        return fm_outfile_commit(file, err);
    fm_outfile_discard(file);
    return status;
}
