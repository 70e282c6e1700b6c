/* Gathering the facts. */
#include "cli/doctor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "inference/cache.h"
#include "inference/cache_folder.h"

static void examine_folder(fm_doctor *d)
{
    struct statvfs space;
    if (!getcwd(d->folder, sizeof d->folder))
        d->folder[0] = '\0';
    d->folder_writable = access(".", W_OK) == 0;
    if (statvfs(".", &space) == 0)
        d->folder_free = (uint64_t)space.f_bavail * space.f_frsize;
}

static fm_status examine_machine(fm_doctor *d, fm_error *err)
{
    const fm_probes probes = fm_probes_real();
    (void)err;
    fm_machine_read(&d->machine);
    fm_host_read(probes.root, &d->host);
    fm_permissions_check(&probes, d->permissions);
    examine_folder(d);
    fmp_clock_describe(&d->clock);
    d->scope = fmp_scope_cost();
    return FM_OK;
}

/* What cannot be loaded is a finding and no failure, except for memory. */
static fm_status finding(const fm_error *found, fm_error *err)
{
    return found->status == FM_E_NO_MEMORY ? fm_fail(err, FM_E_NO_MEMORY, "%s", found->message) : FM_OK;
}

static fm_status examine_runtime(fm_doctor *d, fm_error *err)
{
    const fm_doctor_options *o = d->options;
    fm_runtime *runtime = NULL;
    fm_probe_library(d->library);
    fm_status status = fm_runtime_create(&runtime, NULL, NULL, &d->runtime_error);
    for (int i = 0; status == FM_OK && i < o->library_count; i++)
        if (fm_runtime_add_library(runtime, o->libraries[i], &d->plugins[i].error) == FM_OK)
            d->plugins[i].devices = fm_probe_plugin_devices(runtime, o->libraries[i]);
    if (status == FM_OK)
        fm_probe_providers(&d->providers, &d->provider_count, runtime, o->ep_options, o->ep_option_count,
                           &d->runtime_error);
    fm_runtime_destroy(&runtime);
    return finding(&d->runtime_error, err);
}

static fm_status examine_models(fm_doctor *d, fm_error *err)
{
    if (fm_pack_find(&d->pack, d->options->models, &d->pack_error) == FM_OK)
        for (int i = 0; i < d->pack->model_count; i++)
            fm_pack_check_file(&d->pack->models[i], &d->model_errors[i]);
    if (fm_cache_dir(d->cache))
        d->cache_entries = fm_cache_measure(d->cache, &d->cache_bytes);
    else
        d->cache[0] = '\0';
    const fm_status status = finding(&d->pack_error, err);
    return status == FM_OK ? fm_registry_list(&d->packs, &d->pack_count, err) : status;
}

static fm_status examine_video(fm_doctor *d, fm_error *err)
{
    (void)err;
    fm_survey_read(&d->video);
    d->encoder_count = fm_encoder_try_all(FM_DOCTOR_WIDTH, FM_DOCTOR_HEIGHT, d->encoders);
    return FM_OK;
}

fm_status fm_doctor_examine(fm_doctor **out, const fm_doctor_options *options, fm_error *err)
{
    static fm_status (*const parts[])(fm_doctor *, fm_error *) = {examine_machine, examine_runtime, examine_models,
                                                                  examine_video};
    *out = NULL;
    fm_doctor *d = calloc(1, sizeof *d);
    if (d)
        d->plugins = calloc((size_t)options->library_count + 1, sizeof *d->plugins);
    fm_status status = d && d->plugins ? FM_OK : fm_fail(err, FM_E_NO_MEMORY, "out of memory");
    if (d)
        d->options = options;
    for (size_t i = 0; status == FM_OK && i < sizeof parts / sizeof parts[0]; i++)
        status = parts[i](d, err);
    if (status != FM_OK) {
        fm_doctor_free(&d);
        return status;
    }
    fm_doctor_judge(d);
    *out = d;
    return FM_OK;
}

void fm_doctor_free(fm_doctor **doctor)
{
    fm_doctor *d = *doctor;
    if (!d)
        return;
    fm_pack_free(&d->pack);
    free(d->plugins);
    free(d->providers);
    free(d->packs);
    free(d);
    *doctor = NULL;
}

const fm_encoder_trial *fm_doctor_encoder(const fm_doctor *d)
{
    for (int i = 0; i < d->encoder_count; i++)
        if (d->encoders[i].works)
            return &d->encoders[i];
    return NULL;
}

int fm_doctor_accelerators(const fm_doctor *d)
{
    int count = 0;
    for (int i = 1; i < d->provider_count; i++) /* the first is the CPU */
        count += d->providers[i].state == FM_PROBE_WORKS;
    return count;
}
