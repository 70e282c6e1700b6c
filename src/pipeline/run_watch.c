#include "pipeline/run_watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void fm_run_watch_start(fm_run_state *run)
{
    const fm_run_options *o = run->p.options;
    if (!o->watch_system)
        return;
    run->watch = fmp_system_start(&o->system);
    if (run->watch)
        return;
    char text[200];
    if (errno == EBUSY)
        snprintf(text, sizeof text, "another run of this process is watched from the system's side; this one is not");
    else
        snprintf(text, sizeof text, "the system's side of the run is not watched: %s", strerror(errno));
    fm_run_warn(run, text);
}

void fm_run_watch_stop(fm_run_state *run)
{
    if (!run->watch)
        return;
    run->watched = fmp_system_stop(&run->watch, (uint64_t)run->summary.frames_written);
    if (!run->watched)
        fm_run_warn(run, "what was watched of the system's side is lost: out of memory");
}

typedef int print_stacks(FILE *out, const fmp_system_report *report, const char *title);

static int print_folded(FILE *out, const fmp_system_report *report, const char *title)
{
    (void)title;
    return fmp_print_system_folded(out, report);
}

static void write_stacks(fm_run_state *run, print_stacks *print, const char *kind, const char *suffix)
{
    char path[FM_PATH_MAX];
    fm_outfile file;
    FILE *stream;
    fm_error err = {0};
    fm_status status = fm_path_output(path, run->dir, run->stem, suffix, &err);
    if (status == FM_OK)
        status = fm_outfile_open(&file, path, true, &err); /* as the profile, it replaces that of the run before */
    if (status == FM_OK)
        status = fm_outfile_stream(&file, &stream, &err);
    if (status == FM_OK) {
        if (print(stream, run->watched, fm_path_name(run->p.options->input)) != 0)
            status = fm_outfile_failed(&file, &err);
        status = fm_outfile_end(&file, stream, status, &err);
    }
    if (status == FM_OK)
        fm_run_add_output(run, kind, suffix, FM_OK, NULL);
    else
        fm_run_warn(run, err.message);
}

void fm_run_watch_write(fm_run_state *run)
{
    if (run->watched->stack_count == 0)
        return;
    write_stacks(run, print_folded, "samples_folded", "_samples.folded");
    write_stacks(run, fmp_print_system_speedscope, "samples_speedscope", "_samples.speedscope.json");
}
