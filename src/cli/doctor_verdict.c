/* What the facts mean for a run. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "cli/doctor.h"

static void add_line(char (*list)[FM_DOCTOR_LINE_MAX], int *count, const char *format, va_list args)
{
    if (*count < FM_DOCTOR_ADVICE_MAX)
        vsnprintf(list[(*count)++], sizeof *list, format, args);
}

static void lack(fm_doctor *d, fm_status status, const char *format, ...) FM_PRINTF(3, 4);

/* The first that is missing gives the exit code. */
static void lack(fm_doctor *d, fm_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_line(d->lacks, &d->lack_count, format, args);
    va_end(args);
    d->verdict = d->verdict == FM_OK ? status : d->verdict;
}

static void advise(fm_doctor *d, const char *format, ...) FM_PRINTF(2, 3);

static void advise(fm_doctor *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_line(d->advice, &d->advice_count, format, args);
    va_end(args);
}

static bool has_model(const fm_doctor *d, fm_model_role role)
{
    for (int i = 0; i < d->pack->model_count; i++)
        if (d->pack->models[i].role == role && d->model_errors[i].status == FM_OK)
            return true;
    return false;
}

static void judge_needs(fm_doctor *d)
{
    if (d->runtime_error.status != FM_OK)
        lack(d, FM_E_RUNTIME, "%s", d->runtime_error.message);
    for (int i = 0; i < d->options->library_count; i++)
        if (d->plugins[i].error.status != FM_OK)
            lack(d, FM_E_RUNTIME, "%s", d->plugins[i].error.message);
    if (!fm_doctor_encoder(d))
        lack(d, FM_E_RUNTIME, "no H.264 encoder works: install an FFmpeg with libx264");
    if (!d->pack) {
        lack(d, FM_E_MODEL, "%s", d->pack_error.message);
        return;
    }
    for (int i = 0; i < d->pack->model_count; i++)
        if (d->model_errors[i].status != FM_OK)
            lack(d, FM_E_MODEL, "%s", d->model_errors[i].message);
    if (!has_model(d, FM_ROLE_DETECTOR) || !has_model(d, FM_ROLE_LANDMARKER))
        lack(d, FM_E_MODEL, "the pack '%s' has no sound detector and landmarker", d->pack->name);
}

static void judge_build(fm_doctor *d)
{
    if (*fm_build_sanitizers())
        advise(d, "this build has sanitizers (%s), which slow it down several times: take a release build",
               fm_build_sanitizers());
    else if (!fm_build_optimised())
        advise(d, "this build is not optimised: meson setup --buildtype=release");
    if (*d->clock.reason)
        advise(d, "the profiler reads %s, since %s", d->clock.name, d->clock.reason);
}

static void judge_accelerators(fm_doctor *d)
{
    const fm_encoder_trial *encoder = fm_doctor_encoder(d);
    if (d->runtime_error.status == FM_OK && fm_doctor_accelerators(d) == 0)
        advise(d, "models run on the CPU: no other execution provider works here (see above for what would bring one)");
    if (encoder && !encoder->hardware)
        advise(d, "%s encodes on the CPU: no hardware encoder works here", encoder->name);
}

static void judge_machine(fm_doctor *d)
{
    const fm_host *h = &d->host;
    if (d->machine.cpu_count > 0 && h->load > d->machine.cpu_count)
        advise(d, "the machine is busy (load %.1f on %d processor threads): a run is slower, and times vary", h->load,
               d->machine.cpu_count);
    if (h->cpu_limit > 0 && h->cpu_limit < d->machine.cpu_count)
        advise(d, "the container may use %.1f of %d processor threads: raise its limit",
               h->cpu_limit, d->machine.cpu_count);
    if (strcmp(h->governor, "powersave") == 0 || strcmp(h->governor, "conservative") == 0)
        advise(d, "the frequency governor is '%s'; for steady times: sudo cpupower frequency-set -g performance",
               h->governor);
    if (h->memory_available > 0 && h->memory_available < UINT64_C(1) << 30)
        advise(d, "less than 1 GiB of memory is available: end other programs");
    if (d->folder[0] && !d->folder_writable)
        advise(d, "this folder cannot be written: give a run -o DIR");
}

static void judge_measuring(fm_doctor *d)
{
    int denied = 0;
    for (int i = 0; i < FM_PERMISSIONS; i++)
        denied += d->permissions[i].state == FM_CHECK_DENIED;
    if (denied > 0)
        advise(d, "%d kinds of system measurements are not permitted; above stands how to permit each", denied);
}

void fm_doctor_judge(fm_doctor *d)
{
    judge_needs(d);
    judge_build(d);
    judge_accelerators(d);
    judge_machine(d);
    judge_measuring(d);
}
