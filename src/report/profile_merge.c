#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report/profile_conditions.h"
#include "report/profile_fields.h"
#include "report/profile_memory.h"
#include "report/profile_nodes.h"
#include "report/profile_pipeline.h"
#include "report/profile_system.h"

typedef struct merging {
    const fm_profile *const *profiles;
    size_t count;
    fm_profile *out;
    const char **notes; /* room for all notes, and for one a fact */
    bool no_memory;
} merging;

enum { FACTS_MAX = 32 }; /* facts that may differ */

static const char *copy(merging *m, const char *text)
{
    const char *kept = fm_profile_copy(m->out, text);
    if (text && !kept)
        m->no_memory = true;
    return kept;
}

static void add_note(merging *m, const char *text)
{
    fm_report_run *run = &m->out->run;
    for (size_t i = 0; i < run->note_count; i++)
        if (fm_profile_same(run->notes[i], text))
            return;
    const char *kept = copy(m, text);
    if (kept)
        m->notes[run->note_count++] = kept;
}

/* The value of a field as text, for notes. */
static void value_text(char *out, size_t size, const fm_field *field, const void *object)
{
    const void *at = (const char *)object + field->offset;
    char whole[256];
    if (field->kind == FM_FIELD_INT)
        snprintf(whole, sizeof whole, "%d", *(const int *)at);
    else if (field->kind == FM_FIELD_BOOL)
        snprintf(whole, sizeof whole, "%s", *(const bool *)at ? "yes" : "no");
    else
        snprintf(whole, sizeof whole, "%s", *(const char *const *)at ? *(const char *const *)at : "not known");
    fm_text_cut(out, size, whole);
}

static bool same_value(const fm_field *field, const void *a, const void *b)
{
    const char *x = (const char *)a + field->offset, *y = (const char *)b + field->offset;
    if (field->kind == FM_FIELD_INT)
        return *(const int *)(const void *)x == *(const int *)(const void *)y;
    if (field->kind == FM_FIELD_BOOL)
        return *(const bool *)(const void *)x == *(const bool *)(const void *)y;
    return fm_profile_same(*(const char *const *)(const void *)x, *(const char *const *)(const void *)y);
}

static const void *part_of(const fm_profile *profile, size_t part)
{
    return (const char *)profile + part;
}

/* Says in a note that the runs differ in a field of the struct at `part` of each profile. */
static void note_difference(merging *m, const fm_field *field, size_t part, const char *whose)
{
    char first[80], other[80], note[256];
    const void *a = part_of(m->profiles[0], part), *b = a;
    for (size_t i = 1; i < m->count && same_value(field, a, b); i++)
        b = part_of(m->profiles[i], part);
    value_text(first, sizeof first, field, a);
    value_text(other, sizeof other, field, b);
    snprintf(note, sizeof note, "The merged runs differ in %s %s: %s and %s.", whose, field->key, first, other);
    add_note(m, note);
}

/* A field that all share is kept; one that differs becomes unknown, with a note where `whose` is given. */
static void merge_field(merging *m, const fm_field *field, size_t part, const char *whose)
{
    const void *first = part_of(m->profiles[0], part);
    bool differs = false, all = true;
    for (size_t i = 0; i < m->count; i++) {
        const void *one = part_of(m->profiles[i], part);
        differs = differs || !same_value(field, first, one);
        if (field->kind == FM_FIELD_BOOL)
            all = all && *(const bool *)(const void *)((const char *)one + field->offset);
    }
    const void *from = (const char *)first + field->offset;
    void *to = (char *)m->out + part + field->offset;
    if (field->kind == FM_FIELD_INT)
        *(int *)to = differs ? 0 : *(const int *)from;
    else if (field->kind == FM_FIELD_BOOL)
        *(bool *)to = all;
    else
        *(const char **)to = differs ? NULL : copy(m, *(const char *const *)from);
    if (differs && whose)
        note_difference(m, field, part, whose);
}

static int64_t add(int64_t a, int64_t b) /* neither is negative */
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static void merge_run(merging *m)
{
    static const fm_field kept[] = {
        {"status", FM_FIELD_FACT, offsetof(fm_report_run, status)},
        {"runtime", FM_FIELD_FACT, offsetof(fm_report_run, runtime)},
        {"encoder", FM_FIELD_FACT, offsetof(fm_report_run, encoder)},
        {"width", FM_FIELD_INT, offsetof(fm_report_run, width)},
        {"height", FM_FIELD_INT, offsetof(fm_report_run, height)},
        {"input", FM_FIELD_FACT, offsetof(fm_report_run, input)},
    };
    enum { NOTED = 3 }; /* that clips differ is why they are merged */
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        merge_field(m, &kept[i], offsetof(fm_profile, run), i < NOTED ? "their" : NULL);

    fm_report_run *sum = &m->out->run;
    for (size_t i = 0; i < m->count; i++) {
        const fm_report_run *run = &m->profiles[i]->run;
        sum->runs = add(sum->runs, run->runs > 0 ? run->runs : 1);
        sum->frames = add(sum->frames, run->frames);
        sum->frames_with_face = add(sum->frames_with_face, run->frames_with_face);
        sum->frames_damaged = add(sum->frames_damaged, run->frames_damaged);
        sum->wall_seconds += run->wall_seconds;
        sum->setup_seconds += run->setup_seconds;
        sum->covered_seconds += run->covered_seconds;
        if (run->peak_rss_bytes > sum->peak_rss_bytes)
            sum->peak_rss_bytes = run->peak_rss_bytes;
        if (run->threads > sum->threads)
            sum->threads = run->threads;
    }
    const char *first = m->profiles[0]->run.input, *others = " and others";
    if (!sum->input && first) {
        const size_t size = strlen(first) + strlen(others) + 1;
        char *input = fm_profile_allocate(m->out, size, 1);
        if (input)
            snprintf(input, size, "%s%s", first, strstr(first, others) ? "" : others);
        sum->input = input;
        m->no_memory = m->no_memory || !input;
    }
}

static void merge_table(merging *m, const fm_fields *fields, size_t part, const char *whose)
{
    for (size_t i = 0; i < fields->count; i++)
        merge_field(m, &fields->list[i], part, whose);
}

/* Where a model stands in a list; its length when it does not. */
static size_t find_model(const fm_report_model *models, size_t count, const fm_report_model *model)
{
    size_t i = 0;
    while (i < count && !(fm_profile_same(models[i].name, model->name) && fm_profile_same(models[i].file, model->file) &&
                          fm_profile_same(models[i].backend, model->backend)))
        i++;
    return i;
}

/* The breakdown of the first run that has the model: the same model on the same provider has the same. */
static void copy_breakdown(merging *m, fm_report_model *to, const fm_report_model *from)
{
    if (!from->has_breakdown)
        return;
    to->has_breakdown = true;
    to->breakdown = from->breakdown;
    fm_report_breakdown *b = &to->breakdown;
    b->asked = copy(m, b->asked);
    b->reason = copy(m, b->reason);
    fm_report_operator *list = fm_profile_allocate(m->out, b->fallback_count + 1, sizeof *list);
    m->no_memory = m->no_memory || !list;
    for (size_t i = 0; list && i < b->fallback_count; i++)
        list[i] = (fm_report_operator){.type = copy(m, b->fallbacks[i].type), .count = b->fallbacks[i].count};
    b->fallbacks = list;
    if (!list)
        b->fallback_count = 0;
}

/* Every model once; load times add up, as set-up times do. */
static void merge_models(merging *m)
{
    size_t room = 0, shared = m->profiles[0]->run.model_count;
    for (size_t i = 0; i < m->count; i++)
        room += m->profiles[i]->run.model_count;
    fm_report_model *models = fm_profile_allocate(m->out, room + 1, sizeof *models);
    if (!models) {
        m->no_memory = true;
        return;
    }
    size_t count = 0;
    bool differ = false;
    for (size_t i = 0; i < m->count; i++) {
        const fm_report_run *run = &m->profiles[i]->run;
        differ = differ || run->model_count != shared;
        for (size_t k = 0; k < run->model_count; k++) {
            const fm_report_model *model = &run->models[k];
            const size_t at = find_model(models, count, model);
            if (at == count) {
                models[count++] = (fm_report_model){.name = copy(m, model->name), .role = copy(m, model->role),
                                                    .file = copy(m, model->file), .backend = copy(m, model->backend)};
                copy_breakdown(m, &models[at], model);
                differ = differ || i > 0;
            }
            m->no_memory = m->no_memory || !fm_nodes_merge(m->out, &models[at], model);
            models[at].load_seconds += model->load_seconds;
        }
    }
    m->out->run.models = models;
    m->out->run.model_count = count;
    if (differ)
        add_note(m, "The merged runs differ in their models.");
}

/* True while calls and times stay in what the file holds, as of hostile files they may not; other sums saturate. */
static bool sums_fit(const fm_profile *const *profiles, size_t count)
{
    double calls = 0, total = 0, self = 0, cpu = 0, wall = 0;
    for (size_t i = 0; i < count; i++) {
        const fmp_snapshot *snapshot = profiles[i]->snapshot;
        for (size_t k = 0; k < snapshot->operation_count; k++) {
            const fmp_operation *op = &snapshot->operations[k];
            calls += (double)op->count;
            total += (double)op->total_ns;
            self += (double)op->self_ns;
            cpu += (double)op->cpu_ns;
        }
        wall += profiles[i]->run.wall_seconds + profiles[i]->run.setup_seconds + profiles[i]->run.covered_seconds +
                fm_pipeline_seconds(&profiles[i]->run);
    }
    const double most = 9e18;
    return calls < most && total < most && self < most && cpu < most && !(wall > FM_SECONDS_MAX); /* NaN: not known */
}

static void merge_pipelines(merging *m)
{
    bool told;
    if (!fm_pipeline_merge(m->out, m->profiles, m->count, &told))
        m->no_memory = true;
    bool some = false;
    for (size_t i = 0; i < m->count; i++)
        some = some || m->profiles[i]->run.pipeline;
    if (some && !told)
        add_note(m, "Some of the merged runs do not tell how their stages worked together, so the sum does not either.");
}

static void merge_systems(merging *m)
{
    if (!fm_system_merge(m->out, m->profiles, m->count))
        m->no_memory = true;
    bool some = false, all = true;
    for (size_t i = 0; i < m->count; i++) {
        some = some || m->profiles[i]->run.system;
        all = all && m->profiles[i]->run.system;
    }
    if (some && !all)
        add_note(m, "Some of the merged runs were not watched from the system's side: SYSTEM is of the others.");
}

static bool merge_snapshots(merging *m)
{
    for (size_t i = 1; i < m->count; i++)
        if (m->profiles[i]->snapshot->cost_subtracted != m->profiles[0]->snapshot->cost_subtracted)
            add_note(m, "The profiler's own cost was taken out of some of the merged runs and not of others.");
    const fmp_snapshot **snapshots = malloc((m->count + 1) * sizeof *snapshots);
    for (size_t i = 0; snapshots && i < m->count; i++)
        snapshots[i] = m->profiles[i]->snapshot;
    if (snapshots)
        m->out->snapshot = fmp_snapshot_merge(snapshots, m->count);
    free(snapshots);
    return m->out->snapshot != NULL;
}

fm_status fm_profile_merge(const fm_profile *const *profiles, size_t count, fm_profile **out, fm_error *err)
{
    *out = NULL;
    if (count == 0)
        return fm_fail(err, FM_E_USAGE, "there is no profile to merge");
    if (!sums_fit(profiles, count))
        return fm_fail(err, FM_E_BAD_INPUT, "the profiles add up to more than can be counted; leave out those that hold "
                                            "impossible figures");
    merging m = {.profiles = profiles, .count = count, .out = calloc(1, sizeof *m.out)};
    size_t notes = FACTS_MAX;
    for (size_t i = 0; i < count; i++)
        notes += profiles[i]->run.note_count;
    if (m.out)
        m.out->run.notes = m.notes = fm_profile_allocate(m.out, notes, sizeof *m.notes);
    if (m.notes) {
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < profiles[i]->run.note_count; k++)
                add_note(&m, profiles[i]->run.notes[k]);
        merge_run(&m);
        merge_table(&m, &fm_machine_fields, offsetof(fm_profile, machine), "their machines'");
        merge_table(&m, &fm_build_fields, offsetof(fm_profile, build), "their builds'");
        m.out->run.program_version = m.out->build.version;
        merge_models(&m);
        merge_pipelines(&m);
        merge_systems(&m);
        m.no_memory = !fm_conditions_merge(m.out, profiles, count) || m.no_memory;
    }
    if (!m.notes || !merge_snapshots(&m) || m.no_memory) {
        fm_profile_free(&m.out);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory merging profiles");
    }
    *out = m.out;
    return FM_OK;
}
