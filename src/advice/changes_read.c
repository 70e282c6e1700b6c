#include <math.h>
#include <string.h>
#include <strings.h>

#include "advice/changes_match.h"

/* --- text -------------------------------------------------------------------- */

/* A plain decimal number, with a point whatever the locale; the length that it takes, 0: none. */
static size_t read_number(const char *text, size_t length, double *out)
{
    double value = 0, digit = 1;
    size_t at = 0, digits = 0;
    for (bool fraction = false; at < length && digits < 15; at++) {
        if (text[at] == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (text[at] < '0' || text[at] > '9')
            break;
        digits++;
        if (fraction)
            value += (digit /= 10) * (text[at] - '0');
        else
            value = value * 10 + (text[at] - '0');
    }
    *out = value;
    return digits > 0 ? at : 0;
}

static bool equals(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncmp(text, word, length) == 0;
}

/* What stands behind the number makes it a factor or a time; false: neither. */
static bool take_unit(fm_change *c, const char *unit, size_t length, char sign)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}};
    if (equals(unit, length, "x")) {
        c->how = FM_CHANGE_FASTER;
        return !sign && c->amount >= 1e-3 && c->amount <= 1e6;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!equals(unit, length, units[i].name))
            continue;
        c->amount *= units[i].seconds;
        c->how = sign == '+' ? FM_CHANGE_LONGER : sign == '-' ? FM_CHANGE_SHORTER : FM_CHANGE_TO;
        return c->amount <= 3600;
    }
    return false;
}

static bool read_nature(const char *text, size_t *length, fm_change *c)
{
    const char *colon = memchr(text, ':', *length);
    if (!colon)
        return true;
    const size_t rest = *length - (size_t)(colon + 1 - text);
    *length = (size_t)(colon - text);
    if (equals(colon + 1, rest, "cpu"))
        c->nature = FM_TIME_CPU;
    else if (equals(colon + 1, rest, "wait"))
        c->nature = FM_TIME_WAIT;
    return c->nature != FM_TIME_AS_STAGE;
}

static bool read_value(const char *text, size_t length, fm_change *c)
{
    if (!read_nature(text, &length, c))
        return false;
    if (equals(text, length, "off")) {
        c->how = FM_CHANGE_OFF;
        return true;
    }
    const char sign = length > 0 && (*text == '+' || *text == '-') ? *text : 0;
    text += sign != 0;
    length -= sign != 0;
    const size_t number = read_number(text, length, &c->amount);
    return number > 0 && take_unit(c, text + number, length - number, sign);
}

static fm_status read_change(const char *text, size_t length, fm_change *c, fm_error *err)
{
    *c = (fm_change){.amount = 0};
    const char *equals_sign = memchr(text, '=', length);
    const size_t name = equals_sign ? (size_t)(equals_sign - text) : 0;
    if (name == 0 || name >= sizeof c->name || !read_value(equals_sign + 1, length - name - 1, c))
        return fm_fail(err, FM_E_USAGE, "'%.*s' is no change: write NAME=2x, NAME=0.5x, NAME=off, NAME=+3ms, NAME=-3ms "
                       "or NAME=5ms, with ':cpu' or ':wait' behind it if need be", length < 100 ? (int)length : 100,
                       text);
    memcpy(c->name, text, name);
    return FM_OK;
}

/* --- names ------------------------------------------------------------------- */

/* A model has an inference; other operations whose names begin alike make none. */
static bool finds(const fm_change *c, const fmp_operation *op)
{
    return fm_change_is_operation(c, op) && (c->kind != FM_OF_MODEL || fm_change_is_inference(op));
}

/* The most special first: what is a stage and a category, too, is taken as the stage. */
static bool find(fm_change *c, const fm_report_run *run, const fmp_snapshot *snapshot)
{
    for (int any_case = 0; any_case < 2; any_case++) {
        for (fm_change_kind kind = FM_OF_STAGE; kind <= FM_OF_CATEGORY; kind++) {
            c->kind = kind;
            c->any_case = any_case;
            bool found = false;
            for (size_t i = 0; kind == FM_OF_STAGE && i < run->pipeline->stage_count; i++)
                found = found || fm_change_is_stage(c, run->pipeline, i);
            for (size_t i = 0; kind != FM_OF_STAGE && i < snapshot->operation_count; i++)
                found = found || finds(c, &snapshot->operations[i]);
            if (found)
                return true;
        }
    }
    return false;
}

typedef struct list {
    char text[FM_ERROR_MESSAGE_MAX / 2];
    size_t used;
} list;

static void add_name(list *l, const char *name)
{
    const size_t length = strlen(name);
    static const char more[] = ", ...";
    if (l->used + length + 2 + sizeof more > sizeof l->text) {
        if (l->used >= sizeof more && strcmp(l->text + l->used + 1 - sizeof more, more) != 0) {
            memcpy(l->text + l->used, more, sizeof more);
            l->used += sizeof more - 1;
        }
        return;
    }
    if (l->used > 0) {
        memcpy(l->text + l->used, ", ", 2);
        l->used += 2;
    }
    memcpy(l->text + l->used, name, length + 1);
    l->used += length;
}

static fm_status no_such_name(const fm_change *c, const fm_report_run *run, const fmp_snapshot *snapshot, fm_error *err)
{
    list l = {.used = 0};
    for (size_t i = 0; i < run->pipeline->stage_count; i++)
        add_name(&l, run->pipeline->stages[i].name);
    for (size_t i = 0; i < run->model_count; i++)
        add_name(&l, run->models[i].name);
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        if (i == 0 || strcmp(snapshot->operations[i].category, snapshot->operations[i - 1].category) != 0)
            add_name(&l, snapshot->operations[i].category);
    }
    for (size_t i = 0; i < snapshot->operation_count; i++)
        add_name(&l, snapshot->operations[i].operation);
    return fm_fail(err, FM_E_USAGE, "the run has no stage, model, operation or category '%s', but these: %s", c->name,
                   l.text);
}

fm_status fm_changes_read(const char *text, const fm_report_run *run, const fmp_snapshot *snapshot, fm_changes *out,
                          fm_error *err)
{
    out->count = 0;
    for (bool more = true; more;) {
        const size_t length = strcspn(text, ",");
        if (out->count == FM_CHANGES_MAX)
            return fm_fail(err, FM_E_USAGE, "more than %d changes at once", FM_CHANGES_MAX);
        fm_change *c = &out->list[out->count];
        const fm_status status = read_change(text, length, c, err);
        if (status != FM_OK)
            return status;
        if (!find(c, run, snapshot))
            return no_such_name(c, run, snapshot, err);
        if (c->kind == FM_OF_CATEGORY && c->how != FM_CHANGE_FASTER && c->how != FM_CHANGE_OFF)
            return fm_fail(err, FM_E_USAGE, "'%s' is a category, and its operations take different times: write %s=2x "
                           "or %s=off, or name an operation, a model or a stage", c->name, c->name, c->name);
        out->count++;
        more = text[length] == ',';
        text += length + more;
    }
    return FM_OK;
}
