/* The machine that a bench ran on, and what a reader of its figures must know first. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "advice/compare.h"
#include "cli/bench.h"
#include "facemirror/version.h"
#include "report/machine.h"
#include "report/profile_memory.h"
#include "system/activity.h"
#include "system/host.h"

/* Other programs that take more than this of the processors' time make times longer and uneven. */
#define BUSY_SHARE 0.05
#define WIDE_SPREAD 0.1

static fm_status no_memory(fm_error *err)
{
    return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the notes of a bench");
}

static fm_status note(fm_bench *bench, fm_error *err, const char *format, ...) FM_PRINTF(3, 4);

/* Each note stands once. */
static fm_status note(fm_bench *bench, fm_error *err, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (size_t i = 0; i < bench->note_count; i++)
        if (strcmp(bench->notes[i], text) == 0)
            return FM_OK;
    if (bench->note_count == FM_BENCH_NOTES_MAX)
        return FM_OK;
    bench->notes[bench->note_count] = fm_profile_copy(bench->memory, text);
    return bench->notes[bench->note_count++] ? FM_OK : no_memory(err);
}

static void describe_machine(fm_bench *bench)
{
    fm_machine here;
    fm_machine_read(&here);
    bench->machine = (fm_report_machine){
        .os = fm_profile_copy(bench->memory, here.os),
        .architecture = fm_profile_copy(bench->memory, here.architecture),
        .cpu_model = here.cpu_model[0] ? fm_profile_copy(bench->memory, here.cpu_model) : NULL,
        .cpu_count = here.cpu_count,
    };
    bench->build = (fm_report_build){
        .version = FM_VERSION,
        .compiler = fm_build_compiler(),
        .optimised = fm_build_optimised(),
        .assertions = fm_build_assertions(),
    };
    bench->sanitizers = fm_build_sanitizers();
}

static fm_status note_environment(fm_bench *bench, fm_error *err)
{
    const fm_bench_environment *e = &bench->environment;
    fm_status status = FM_OK;
    if (bench->machine.cpu_count > 0 && e->load > 0.5 * bench->machine.cpu_count)
        status = note(bench, err, "The machine was busy before the first run (load %.1f on %d processor threads): "
                                  "times are longer and vary.", e->load, bench->machine.cpu_count);
    if (status == FM_OK && e->hypervisor[0])
        status = note(bench, err, "This is a virtual machine%s%s: its neighbours show in the times.",
                      strcmp(e->hypervisor, "yes") == 0 ? "" : " of ",
                      strcmp(e->hypervisor, "yes") == 0 ? "" : e->hypervisor);
    if (status == FM_OK && (strcmp(e->governor, "powersave") == 0 || strcmp(e->governor, "conservative") == 0))
        status = note(bench, err, "The frequency governor is '%s'; for steady times: sudo cpupower frequency-set -g "
                                  "performance", e->governor);
    if (status == FM_OK && e->cpu_limit > 0 && e->cpu_limit < bench->machine.cpu_count)
        status = note(bench, err, "The container may use %.1f of %d processor threads: runs are halted when it has "
                                  "used them up.", e->cpu_limit, bench->machine.cpu_count);
    return status;
}

fm_status fm_bench_note_machine(fm_bench_job *job, fm_error *err)
{
    fm_bench *bench = job->bench;
    fm_host host;
    bench->notes = fm_profile_allocate(bench->memory, FM_BENCH_NOTES_MAX, sizeof *bench->notes);
    if (!bench->notes)
        return no_memory(err);
    describe_machine(bench);
    fm_host_read("", &host);
    bench->environment = (fm_bench_environment){
        .cpu_limit = host.cpu_limit,
        .load = host.load,
        .temperature = fm_temperature(""),
        .memory = host.memory,
        .memory_available = host.memory_available,
    };
    snprintf(bench->environment.governor, sizeof bench->environment.governor, "%s", host.governor);
    snprintf(bench->environment.hypervisor, sizeof bench->environment.hypervisor, "%s", host.hypervisor);
    snprintf(bench->environment.container, sizeof bench->environment.container, "%s", host.container);
    if (job->runs < FM_COMPARE_RUNS_MIN) {
        const fm_status status = note(bench, err, "Fewer than %d runs: no interval, and no verdict on differences.",
                                      FM_COMPARE_RUNS_MIN);
        if (status != FM_OK)
            return status;
    }
    return note_environment(bench, err);
}

fm_status fm_bench_note_run(fm_bench_job *job, fm_bench_run *run, const fm_profile *profile, fm_error *err)
{
    run->temperature = fm_temperature("");
    fm_status status = FM_OK;
    for (size_t i = 0; i < profile->run.note_count && status == FM_OK; i++)
        status = note(job->bench, err, "%s", profile->run.notes[i]);
    return status;
}

static fm_status note_configuration(fm_bench *bench, const fm_bench_configuration *c, fm_error *err)
{
    const fm_bench_summary s = fm_bench_summarise(c);
    fm_status status = FM_OK;
    if (!c->steady)
        status = note(bench, err, "'%s' was still getting faster after %zu warm-up runs: its times may not be steady.",
                      c->name, s.warm_up);
    if (status == FM_OK && isfinite(s.drift))
        status = note(bench, err, "'%s' drifted: the second half of its runs took %+.1f %% against the first.", c->name,
                      (s.drift - 1) * 100);
    if (status == FM_OK && s.others_share > BUSY_SHARE)
        status = note(bench, err, "Other programs took %.0f %% of the processors' time during the runs of '%s'.",
                      s.others_share * 100, c->name);
    if (status == FM_OK && s.spread > WIDE_SPREAD)
        status = note(bench, err, "The runs of '%s' spread widely (half of them over %.0f %% of the median): only "
                                  "large differences will show.", c->name, s.spread * 100);
    return status;
}

fm_status fm_bench_note_result(fm_bench_job *job, fm_error *err)
{
    fm_bench *bench = job->bench;
    fm_status status = FM_OK;
    if (job->stopped)
        status = note(bench, err, "The bench was stopped: the figures are of the runs before.");
    for (size_t i = 0; i < bench->configuration_count && status == FM_OK; i++)
        status = note_configuration(bench, &bench->configurations[i], err);
    return status;
}
