/*
 * Opening a session where it was asked to run, or where it runs best, with the
 * CPU behind it. A provider is believed only after a run: one that loads may
 * still fail to compile, or find its device busy.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "inference/internal.h"

enum { TIMED_RUNS = 5 }; /* the shortest counts: noise only ever adds */

static void add_reason(fm_session *s, const char *format, ...) FM_PRINTF(2, 3);

static void add_reason(fm_session *s, const char *format, ...)
{
    size_t used = strlen(s->reason);
    if (used > 0 && used + 3 < sizeof s->reason) {
        memcpy(s->reason + used, "; ", 3);
        used += 2;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(s->reason + used, sizeof s->reason - used, format, args);
    va_end(args);
}

/* Whether the size of the input is known, so that a run can be tried. */
static bool can_try(const fm_session *s, const fm_session_options *o)
{
    if (s->input_count != 1)
        return false;
    for (int i = 1; i < s->inputs[0].rank && !o->input_dims; i++)
        if (s->inputs[0].dims[i] < 0)
            return false;
    return true;
}

/* One run to warm up and `timed` more. *seconds: the shortest of these. */
static fm_status time_runs(fm_binding *binding, int timed, double *seconds, fm_error *err)
{
    fm_status status = fm_binding_run(binding, err);
    for (int i = 0; status == FM_OK && i < timed; i++) {
        const double start = fm_ort_seconds();
        status = fm_binding_run(binding, err);
        const double took = fm_ort_seconds() - start;
        *seconds = i == 0 || took < *seconds ? took : *seconds;
    }
    return status;
}

/* Tries it; timed runs have the machine for themselves. *seconds: 0 when nothing was timed, or nothing can be tried. */
static fm_status try_runs(fm_session *s, const fm_session_options *o, int timed, double *seconds, fm_error *err)
{
    fm_binding *binding = NULL;
    *seconds = 0;
    if (!can_try(s, o))
        return FM_OK;
    fm_status status = o->input_dims ? fm_binding_create_sized(&binding, s, o->input_dims, o->input_rank, err)
                                     : fm_binding_create(&binding, s, err);
    if (status == FM_OK) {
        if (timed > 0)
            fm_ort_alone();
        else
            fm_ort_share();
        status = time_runs(binding, timed, seconds, err);
        fm_ort_leave();
    }
    fm_binding_destroy(&binding);
    return status;
}

/* Opens on a provider and sees whether it really runs there. */
static fm_status open_tried(fm_session **out, fm_runtime *runtime, const fm_source *from, const fm_session_options *o,
                            const char *full, int timed, double *seconds, fm_error *err)
{
    fm_status status = fm_ort_open(out, runtime, from, o, full, err);
    if (status == FM_OK)
        status = try_runs(*out, o, timed, seconds, err);
    if (status != FM_OK)
        fm_session_close(out);
    return status;
}

static fm_status open_named(fm_session **out, fm_runtime *runtime, const fm_source *from, const fm_session_options *o,
                            const char *full, fm_error *err)
{
    fm_error why = {0};
    double unused;
    const char *name = fm_provider_suffix(full);
    fm_status status = open_tried(out, runtime, from, o, full, 0, &unused, &why);
    if (status == FM_E_USAGE || status == FM_E_NO_MEMORY)
        return fm_fail(err, status, "%s", why.message);
    if (status == FM_OK) {
        const fm_breakdown *b = &(*out)->breakdown;
        if (b->accelerator == 0)
            add_reason(*out, "%s takes none of its %d operators", name, b->operators);
        else if (b->accelerator <= b->cpu)
            add_reason(*out, "%s takes only %d of its %d operators", name, b->accelerator, b->operators);
        return FM_OK;
    }
    status = fm_ort_open(out, runtime, from, o, FM_CPU_PROVIDER, err);
    if (status == FM_OK)
        add_reason(*out, "%s does not work here: %s", name, why.message);
    return status;
}

/* Puts a provider to the test against the best so far; *best and *best_seconds may be replaced. */
static void challenge(fm_session **best, double *best_seconds, const fm_source *from, const fm_session_options *o,
                      const char *full)
{
    fm_session *rival = NULL;
    fm_error why = {0};
    double seconds;
    const char *name = fm_provider_suffix(full);
    if (open_tried(&rival, (*best)->runtime, from, o, full, TIMED_RUNS, &seconds, &why) != FM_OK) {
        add_reason(*best, "%s does not work here: %s", name, why.message);
        return;
    }
    const bool takes_part = rival->breakdown.accelerator > 0;
    if (!takes_part)
        add_reason(*best, "%s takes none of its operators", name);
    else if (seconds >= *best_seconds && seconds > 0)
        add_reason(*best, "%s is slower: %.2f ms a run, and %s %.2f ms", name, 1e3 * seconds, (*best)->backend,
                   1e3 * *best_seconds);
    if (!takes_part || (seconds >= *best_seconds && seconds > 0)) {
        fm_session_close(&rival);
        return;
    }
    snprintf(rival->reason, sizeof rival->reason, "%s", (*best)->reason);
    if (seconds > 0)
        add_reason(rival, "%s is faster than %s: %.2f ms a run, and %.2f ms", name, (*best)->backend, 1e3 * seconds,
                   1e3 * *best_seconds);
    fm_session_close(best);
    *best = rival;
    *best_seconds = seconds;
}

static fm_status open_best(fm_session **out, fm_runtime *runtime, const fm_source *from, const fm_session_options *o,
                           fm_error *err)
{
    fm_session *best = NULL;
    double best_seconds = 0;
    bool timed = false;
    fm_status status = fm_ort_open(&best, runtime, from, o, FM_CPU_PROVIDER, err);
    for (size_t i = 0; status == FM_OK && i < fm_provider_kind_count; i++) {
        if (!fm_ort_offers(runtime, fm_provider_kinds[i].full))
            continue;
        if (!timed) /* not before there is something to compare with */
            status = try_runs(best, o, TIMED_RUNS, &best_seconds, err);
        timed = true;
        if (status == FM_OK)
            challenge(&best, &best_seconds, from, o, fm_provider_kinds[i].full);
    }
    if (status != FM_OK)
        fm_session_close(&best);
    *out = best;
    return status;
}

fm_status fm_ort_open_chosen(fm_session **out, fm_runtime *runtime, const fm_source *from,
                             const fm_session_options *options, fm_error *err)
{
    static const fm_session_options defaults = {0};
    options = options ? options : &defaults;
    const char *asked = options->provider.name ? options->provider.name : "cpu";
    *out = NULL;
    fm_status status;
    if (strcasecmp(asked, "auto") == 0)
        status = open_best(out, runtime, from, options, err);
    else if (strcmp(fm_provider_full_name(asked), FM_CPU_PROVIDER) == 0)
        status = fm_ort_open(out, runtime, from, options, FM_CPU_PROVIDER, err);
    else
        status = open_named(out, runtime, from, options, fm_provider_full_name(asked), err);
    if (status == FM_OK)
        snprintf((*out)->asked, sizeof (*out)->asked, "%s", asked);
    return status;
}

void fm_runtime_accelerators(const fm_runtime *runtime, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < fm_provider_kind_count && used < size; i++)
        if (fm_ort_offers(runtime, fm_provider_kinds[i].full))
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", fm_provider_kinds[i].name);
}

const char *fm_session_asked(const fm_session *session)
{
    return session->asked;
}

const char *fm_session_fallback_reason(const fm_session *session)
{
    return session->reason[0] ? session->reason : NULL;
}
