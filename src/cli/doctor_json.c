/* The doctor's findings for programs; docs/cli.md describes the object. */
#include "cli/doctor.h"
#include "facemirror/version.h"
#include "report/json_writer.h"

static void text_or_null(fm_json *json, const char *key, const char *text)
{
    fm_json_text(json, key, text && *text ? text : NULL);
}

static void count_or_null(fm_json *json, const char *key, uint64_t value)
{
    if (value > 0)
        fm_json_count(json, key, value);
    else
        fm_json_null(json, key);
}

static void error_or_null(fm_json *json, const fm_error *e)
{
    fm_json_text(json, "error", e->status == FM_OK ? NULL : e->message);
}

static void write_program(fm_json *json)
{
    fm_json_text(json, "facemirror", FM_VERSION);
    fm_json_open(json, "build", '{');
    fm_json_bool(json, "optimised", fm_build_optimised());
    fm_json_bool(json, "assertions", fm_build_assertions());
    text_or_null(json, "sanitizers", fm_build_sanitizers());
    fm_json_text(json, "compiler", fm_build_compiler());
    fm_json_close(json, '}');
}

static void write_clock(fm_json *json, const fm_doctor *d)
{
    fm_json_open(json, "clock", '{');
    fm_json_text(json, "name", d->clock.name);
    text_or_null(json, "reason", d->clock.reason);
    fm_json_real(json, "resolution_ns", d->clock.resolution_ns);
    fm_json_real(json, "read_ns", d->clock.read_ns);
    fm_json_real(json, "scope_ns", d->scope.inside_ns + d->scope.outside_ns);
    fm_json_close(json, '}');
}

static void write_provider(fm_json *json, const fm_probe *p)
{
    const bool works = p->state == FM_PROBE_WORKS;
    fm_json_open(json, NULL, '{');
    fm_json_text(json, "name", p->name);
    fm_json_text(json, "full_name", p->full);
    fm_json_text(json, "state", fm_probe_state_name(p->state));
    fm_json_bool(json, "builtin", p->builtin);
    text_or_null(json, "reason", p->reason);
    text_or_null(json, "advice", p->advice);
    if (works) {
        fm_json_real(json, "load_seconds", p->load_seconds);
        fm_json_real(json, "run_seconds", p->run_seconds);
        fm_json_real(json, "difference", p->difference);
    } else {
        fm_json_null(json, "load_seconds");
        fm_json_null(json, "run_seconds");
        fm_json_null(json, "difference");
    }
    fm_json_open(json, "devices", '[');
    for (int i = 0; i < p->device_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "type", p->devices[i].type);
        text_or_null(json, "vendor", p->devices[i].vendor);
        fm_json_integer(json, "vendor_id", p->devices[i].vendor_id);
        fm_json_integer(json, "device_id", p->devices[i].device_id);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

static void write_runtime(fm_json *json, const fm_doctor *d)
{
    fm_json_open(json, "runtime", '{');
    fm_json_text(json, "version", fm_probe_version());
    text_or_null(json, "library", d->library);
    error_or_null(json, &d->runtime_error);
    fm_json_open(json, "plugins", '[');
    for (int i = 0; i < d->options->library_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "file", d->options->libraries[i]);
        error_or_null(json, &d->plugins[i].error);
        fm_json_integer(json, "devices", d->plugins[i].devices);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_open(json, "providers", '[');
    for (int i = 0; i < d->provider_count; i++)
        write_provider(json, &d->providers[i]);
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

static void write_pack(fm_json *json, const fm_doctor *d)
{
    fm_json_open(json, "pack", '{');
    text_or_null(json, "name", d->pack ? d->pack->name : NULL);
    text_or_null(json, "folder", d->pack ? d->pack->dir : NULL);
    error_or_null(json, &d->pack_error);
    fm_json_open(json, "models", '[');
    for (int i = 0; d->pack && i < d->pack->model_count; i++) {
        const fm_pack_model *m = &d->pack->models[i];
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "name", m->name);
        fm_json_text(json, "role", fm_model_role_name(m->role));
        text_or_null(json, "variant", m->variant);
        fm_json_text(json, "file", m->file);
        error_or_null(json, &d->model_errors[i]);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

static void write_models(fm_json *json, const fm_doctor *d)
{
    fm_json_open(json, "models", '{');
    write_pack(json, d);
    fm_json_open(json, "installed", '[');
    for (int i = 0; i < d->pack_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "name", d->packs[i].name);
        fm_json_text(json, "folder", d->packs[i].dir);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_open(json, "cache", '{');
    text_or_null(json, "folder", d->cache);
    fm_json_integer(json, "entries", d->cache_entries);
    fm_json_count(json, "bytes", d->cache_bytes);
    fm_json_close(json, '}');
    fm_json_close(json, '}');
}

static void write_video(fm_json *json, const fm_doctor *d)
{
    fm_json_open(json, "video", '{');
    fm_json_text(json, "ffmpeg", d->video.release);
    fm_json_open(json, "libraries", '{');
    for (int i = 0; i < FM_SURVEY_LIBRARIES; i++)
        fm_json_text(json, d->video.libraries[i].name, d->video.libraries[i].version);
    fm_json_close(json, '}');
    fm_json_open(json, "encoders", '[');
    for (int i = 0; i < d->encoder_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "name", d->encoders[i].name);
        fm_json_bool(json, "hardware", d->encoders[i].hardware);
        fm_json_bool(json, "works", d->encoders[i].works);
        text_or_null(json, "reason", d->encoders[i].reason);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_open(json, "decoders", '[');
    for (int i = 0; i < FM_SURVEY_DECODERS; i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "format", d->video.decoders[i].format);
        text_or_null(json, "name", d->video.decoders[i].name);
        text_or_null(json, "hardware", d->video.decoders[i].hardware);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    text_or_null(json, "audio_encoder", d->video.audio_encoder);
    fm_json_close(json, '}');
}

static void write_machine(fm_json *json, const fm_doctor *d)
{
    const fm_host *h = &d->host;
    fm_json_open(json, "machine", '{');
    text_or_null(json, "os", d->machine.os);
    text_or_null(json, "architecture", d->machine.architecture);
    text_or_null(json, "cpu_model", d->machine.cpu_model);
    fm_json_integer(json, "cpu_count", d->machine.cpu_count);
    text_or_null(json, "governor", h->governor);
    fm_json_real(json, "load", h->load);
    count_or_null(json, "memory_bytes", h->memory);
    count_or_null(json, "memory_available_bytes", h->memory_available);
    fm_json_count(json, "swap_bytes", h->swap);
    fm_json_count(json, "swap_free_bytes", h->swap_free);
    text_or_null(json, "container", h->container);
    text_or_null(json, "hypervisor", h->hypervisor);
    if (h->cpu_limit > 0)
        fm_json_real(json, "cpu_limit", h->cpu_limit);
    else
        fm_json_null(json, "cpu_limit");
    count_or_null(json, "memory_limit_bytes", h->memory_limit);
    text_or_null(json, "folder", d->folder);
    fm_json_bool(json, "folder_writable", d->folder_writable);
    fm_json_count(json, "folder_free_bytes", d->folder_free);
    fm_json_close(json, '}');
}

static void write_permissions(fm_json *json, const fm_doctor *d)
{
    fm_json_open(json, "permissions", '[');
    for (int i = 0; i < FM_PERMISSIONS; i++) {
        const fm_check *c = &d->permissions[i];
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "id", c->id);
        fm_json_text(json, "state", fm_check_state_name(c->state));
        fm_json_text(json, "detail", c->detail);
        text_or_null(json, "fix", c->fix);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
}

static void write_lines(fm_json *json, const char *key, const char (*list)[FM_DOCTOR_LINE_MAX], int count)
{
    fm_json_open(json, key, '[');
    for (int i = 0; i < count; i++)
        fm_json_text(json, NULL, list[i]);
    fm_json_close(json, ']');
}

static void write_verdict(fm_json *json, const fm_doctor *d)
{
    const fm_encoder_trial *encoder = fm_doctor_encoder(d);
    fm_json_open(json, "verdict", '{');
    fm_json_text(json, "status", fm_status_name(d->verdict));
    fm_json_integer(json, "exit_code", fm_exit_code(d->verdict));
    fm_json_text(json, "encoder", encoder ? encoder->name : NULL);
    fm_json_open(json, "providers", '[');
    for (int i = 0; i < d->provider_count; i++)
        if (d->providers[i].state == FM_PROBE_WORKS)
            fm_json_text(json, NULL, d->providers[i].name);
    fm_json_close(json, ']');
    write_lines(json, "lacks", d->lacks, d->lack_count);
    write_lines(json, "advice", d->advice, d->advice_count);
    fm_json_close(json, '}');
}

fm_status fm_doctor_write_json(FILE *out, const fm_doctor *d, fm_error *err)
{
    fm_json json = fm_json_begin(out);
    fm_json_open(&json, NULL, '{');
    write_program(&json);
    write_clock(&json, d);
    write_runtime(&json, d);
    write_models(&json, d);
    write_video(&json, d);
    write_machine(&json, d);
    write_permissions(&json, d);
    write_verdict(&json, d);
    fm_json_close(&json, '}');
    return fm_json_finish(&json, "the findings", err);
}
