/* The doctor's findings for people: one line each, aligned, long ones wrapped. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "cli/doctor.h"
#include "facemirror/version.h"

enum { NAME_COLUMNS = 20, LINE_COLUMNS = 110, INDENT = 2 + 5 + NAME_COLUMNS + 1 };

typedef enum mark { MARK_OK, MARK_ABSENT, MARK_WRONG } mark;

static const char *const marks[] = {"[ok]", "[--]", "[!!]"};

/* Words of `text`, wrapped, for lines that begin at column `indent`, where the first one stands already. */
static void print_wrapped(FILE *out, const char *text, int indent)
{
    int column = indent;
    for (const char *word = text; *word;) {
        const size_t size = strcspn(word, " ");
        const int length = (int)size;
        if (column > indent && column + 1 + length > LINE_COLUMNS) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", length, word);
        column += length;
        word += size + strspn(word + size, " ");
    }
    fputc('\n', out);
}

static void row(FILE *out, mark m, const char *name, const char *format, ...) FM_PRINTF(4, 5);

static void row(FILE *out, mark m, const char *name, const char *format, ...)
{
    char text[FM_PATH_MAX + FM_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(out, "  %s %-*s ", marks[m], NAME_COLUMNS, name);
    if (strlen(name) > NAME_COLUMNS)
        fprintf(out, "\n%*s", INDENT, "");
    print_wrapped(out, text, INDENT);
}

/* What to do about the line above. */
static void hint(FILE *out, const char *text)
{
    if (!*text)
        return;
    fprintf(out, "%*s-> ", INDENT, "");
    print_wrapped(out, text, INDENT + 3);
}

static void section(FILE *out, const char *title)
{
    fprintf(out, "\n%s\n", title);
}

static double gib(uint64_t bytes)
{
    return (double)bytes / (1 << 30);
}

/* --- sections ------------------------------------------------------------------------ */

static void print_program(FILE *out, const fm_doctor *d)
{
    section(out, "Program");
    const bool good = fm_build_optimised() && !*fm_build_sanitizers();
    row(out, good ? MARK_OK : MARK_WRONG, "facemirror " FM_VERSION, "%s build%s%s%s, %s",
        fm_build_optimised() ? "optimised" : "debug", fm_build_assertions() ? " with assertions" : "",
        *fm_build_sanitizers() ? ", sanitizers: " : "", fm_build_sanitizers(), fm_build_compiler());
    row(out, MARK_OK, "profiler's clock", "%s%s: tick %.2f ns, reading %.1f ns; a scope costs %.1f ns", d->clock.name,
        strcmp(d->clock.name, "tsc") == 0 ? " (invariant time-stamp counter)" : "", d->clock.resolution_ns,
        d->clock.read_ns, d->scope.inside_ns + d->scope.outside_ns);
    hint(out, d->clock.reason);
}

static void print_devices(FILE *out, const fm_probe *p)
{
    for (int i = 0; i < p->device_count; i++) {
        const fm_probe_device *v = &p->devices[i];
        fprintf(out, "%*sdevice=%s: %s", INDENT, "", v->type, v->vendor[0] ? v->vendor : "vendor not told");
        if (v->vendor_id || v->device_id)
            fprintf(out, " (%04" PRIx32 ":%04" PRIx32 ")", v->vendor_id, v->device_id);
        fputc('\n', out);
    }
}

static void print_provider(FILE *out, const fm_probe *p, bool is_cpu)
{
    switch (p->state) {
    case FM_PROBE_WORKS:
        if (is_cpu)
            row(out, MARK_OK, p->name, "runs a small network in %.3f ms", 1e3 * p->run_seconds);
        else
            row(out, MARK_OK, p->name, "%s; runs a small network in %.3f ms, results within %.2g%% of the CPU's",
                p->builtin ? "built in" : "plug-in", 1e3 * p->run_seconds, 100 * p->difference);
        break;
    case FM_PROBE_FAILS:
        row(out, MARK_WRONG, p->name, "does not work: %s", p->reason);
        break;
    case FM_PROBE_NOT_BUILT:
    case FM_PROBE_NEEDS_PLUGIN:
        row(out, MARK_ABSENT, p->name, "%s (%s)",
            p->state == FM_PROBE_NOT_BUILT ? "not in this build" : "needs a plug-in", p->advice);
        break;
    }
    if (!is_cpu)
        print_devices(out, p);
}

static void print_runtime(FILE *out, const fm_doctor *d)
{
    char name[64];
    section(out, "Inference");
    snprintf(name, sizeof name, "ONNX Runtime %s", fm_probe_version());
    const bool good = d->runtime_error.status == FM_OK;
    row(out, good ? MARK_OK : MARK_WRONG, name, "%s", d->library[0] ? d->library : "the library's path is not known");
    if (!good)
        hint(out, d->runtime_error.message);
    for (int i = 0; i < d->options->library_count; i++) {
        const fm_doctor_plugin *p = &d->plugins[i];
        if (p->error.status != FM_OK)
            row(out, MARK_WRONG, "plug-in", "%s", p->error.message);
        else
            row(out, p->devices > 0 ? MARK_OK : MARK_WRONG, "plug-in", "%s%s", d->options->libraries[i],
                p->devices > 0 ? "" : ": loaded, but it offers no device of this machine");
    }
    for (int i = 0; i < d->provider_count; i++)
        print_provider(out, &d->providers[i], i == 0);
}

static void print_models(FILE *out, const fm_doctor *d)
{
    section(out, "Models");
    if (!d->pack) {
        row(out, MARK_WRONG, d->options->models ? "pack" : "default pack", "%s", d->pack_error.message);
    } else {
        row(out, MARK_OK, d->options->models ? "pack" : "default pack", "%s, in %s", d->pack->name, d->pack->dir);
        for (int i = 0; i < d->pack->model_count; i++) {
            const fm_pack_model *m = &d->pack->models[i];
            if (d->model_errors[i].status == FM_OK)
                row(out, MARK_OK, m->name, "%s%s%s: %s, hash right", fm_model_role_name(m->role),
                    m->variant[0] ? ", " : "", m->variant, m->file);
            else
                row(out, MARK_WRONG, m->name, "%s", d->model_errors[i].message);
        }
    }
    for (int i = 0; i < d->pack_count; i++)
        row(out, MARK_OK, "installed pack", "%s, in %s", d->packs[i].name, d->packs[i].dir);
    if (d->cache[0])
        row(out, MARK_OK, "optimised graphs", "%d, %.1f MiB, in %s", d->cache_entries,
            (double)d->cache_bytes / (1 << 20), d->cache);
    else
        row(out, MARK_ABSENT, "optimised graphs", "are not kept: no cache folder is known (HOME is not set)");
}

static void print_decoders(FILE *out, const fm_survey *v)
{
    char text[1024];
    size_t used = 0;
    bool all = true;
    for (int i = 0; i < FM_SURVEY_DECODERS && used < sizeof text; i++) {
        const fm_survey_decoder *d = &v->decoders[i];
        const bool same = strcmp(d->name, d->format) == 0;
        all = all && d->name[0];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s%s", i ? ", " : "", d->format,
                                 same ? "" : d->name[0] ? " by " : ": none", same ? "" : d->name);
    }
    row(out, all ? MARK_OK : MARK_WRONG, "decoders", "%s", text);
    for (int i = 0; i < FM_SURVEY_DECODERS; i++)
        if (v->decoders[i].hardware[0])
            fprintf(out, "%*s%s in hardware: %s\n", INDENT, "", v->decoders[i].format, v->decoders[i].hardware);
}

static void print_video(FILE *out, const fm_doctor *d)
{
    char text[256] = "";
    const fm_survey *v = &d->video;
    const fm_encoder_trial *chosen = fm_doctor_encoder(d);
    section(out, "Video");
    for (int i = 0; i < FM_SURVEY_LIBRARIES; i++) {
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s %s", i ? ", " : "", v->libraries[i].name,
                 v->libraries[i].version);
    }
    row(out, MARK_OK, "FFmpeg", "%s (%s)", v->release, text);
    for (int i = 0; i < d->encoder_count; i++) {
        const fm_encoder_trial *e = &d->encoders[i];
        const char *where = e->hardware ? "hardware" : "on the CPU";
        if (e->works)
            row(out, MARK_OK, e->name, "encodes %dx%d (%s)%s", FM_DOCTOR_WIDTH, FM_DOCTOR_HEIGHT, where,
                e == chosen ? "; a run takes it" : "");
        else
            row(out, MARK_ABSENT, e->name, "%s", e->reason);
    }
    print_decoders(out, v);
    row(out, v->audio_encoder[0] ? MARK_OK : MARK_WRONG, "sound", "%s",
        v->audio_encoder[0] ? "copied, or encoded by FFmpeg's aac" : "copied only: this FFmpeg has no AAC encoder");
}

static void print_machine(FILE *out, const fm_doctor *d)
{
    const fm_host *h = &d->host;
    const bool busy = d->machine.cpu_count > 0 && h->load > d->machine.cpu_count;
    section(out, "Machine");
    const bool named = h->hypervisor[0] && strcmp(h->hypervisor, "yes") != 0;
    row(out, MARK_OK, "system", "%s, %s%s%s%s%s%s", d->machine.os, d->machine.architecture,
        h->container[0] ? ", in a container: " : "", h->container, h->hypervisor[0] ? ", in a virtual machine" : "",
        named ? ": " : "", named ? h->hypervisor : "");
    char load[32];
    snprintf(load, sizeof load, isnan(h->load) ? "not told" : "%.1f", h->load);
    row(out, busy ? MARK_WRONG : MARK_OK, "processor", "%s, %d threads%s%s, load %s",
        d->machine.cpu_model[0] ? d->machine.cpu_model : "model not told", d->machine.cpu_count,
        h->governor[0] ? ", governor " : "", h->governor, load);
    if (h->cpu_limit > 0)
        row(out, MARK_OK, "processor limit", "%.1f threads", h->cpu_limit);
    if (h->memory_available == 0)
        row(out, MARK_ABSENT, "memory", "%.1f GiB; what is free is not told", gib(h->memory));
    else
        row(out, MARK_OK, "memory", "%.1f GiB, %.1f available; swap %.1f GiB, %.1f free", gib(h->memory),
            gib(h->memory_available), gib(h->swap), gib(h->swap_free));
    if (h->memory_limit > 0)
        row(out, MARK_OK, "memory limit", "%.1f GiB", gib(h->memory_limit));
    row(out, d->folder_writable ? MARK_OK : MARK_WRONG, "this folder", "%s, %.1f GiB free",
        d->folder_writable ? "can be written" : "cannot be written", gib(d->folder_free));
}

static mark mark_of(fm_check_state state)
{
    return state == FM_CHECK_OK ? MARK_OK : state == FM_CHECK_ABSENT ? MARK_ABSENT : MARK_WRONG;
}

static void print_permissions(FILE *out, const fm_doctor *d)
{
    section(out, "Measuring the system");
    for (int i = 0; i < FM_PERMISSIONS; i++) {
        const fm_check *c = &d->permissions[i];
        row(out, mark_of(c->state), c->name, "%s", c->detail);
        hint(out, c->fix);
    }
}

static void print_list(FILE *out, const char (*list)[FM_DOCTOR_LINE_MAX], int count)
{
    for (int i = 0; i < count; i++) {
        fputs("  - ", out);
        print_wrapped(out, list[i], 4);
    }
}

static void print_verdict(FILE *out, const fm_doctor *d)
{
    section(out, "Verdict");
    if (d->verdict != FM_OK) {
        fputs("  A run is not possible here:\n", out);
        print_list(out, d->lacks, d->lack_count);
        return;
    }
    fputs("  A run is possible: ", out);
    if (fm_doctor_accelerators(d) == 0) {
        fputs("models on the CPU", out);
    } else {
        fputs("each model on the fastest of cpu", out);
        for (int i = 1; i < d->provider_count; i++)
            if (d->providers[i].state == FM_PROBE_WORKS)
                fprintf(out, ", %s", d->providers[i].name);
        fputs(" (by a trial)", out);
    }
    fprintf(out, ", videos by %s.\n", fm_doctor_encoder(d)->name);
    if (d->advice_count > 0)
        fputs("  What would make it faster or better:\n", out);
    print_list(out, d->advice, d->advice_count);
}

void fm_doctor_print(FILE *out, const fm_doctor *d)
{
    fputs("[ok] works   [--] is not here   [!!] is wrong\n", out);
    print_program(out, d);
    print_runtime(out, d);
    print_models(out, d);
    print_video(out, d);
    print_machine(out, d);
    print_permissions(out, d);
    print_verdict(out, d);
}
