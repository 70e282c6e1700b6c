#include "report/profile_reader.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "export/utf8.h"
#include "report/json_writer.h"
#include "report/profile_memory.h"

/* One line of UTF-8, whatever stands in the file. */
static void make_readable(char *text)
{
    for (const char *at = text; *at;) {
        const char *begin = at;
        const int32_t c = fmp_utf8_next(&at);
        if (c < 0x20 || c == 0x7F)
            text[begin - text] = '?';
    }
}

void fm_read_bad(fm_profile_reader *l, const char *key, const char *format, ...)
{
    char what[160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    make_readable(what);
    if (l->status != FM_OK)
        return;
    const char *dot = *l->path && *key ? "." : "", *space = *l->path || *key ? " " : "";
    l->status = fm_fail(l->err, FM_E_BAD_INPUT, "'%s' is no whole %s: %s%s%s%s%s; write it anew with '%s'", l->name,
                        l->what ? l->what : "profile", l->path, dot, key, space, what,
                        l->maker ? l->maker : "facemirror run");
}

void fm_read_no_memory(fm_profile_reader *l)
{
    if (l->status == FM_OK)
        l->status = fm_fail(l->err, FM_E_NO_MEMORY, "out of memory loading '%s'", l->name);
}

size_t fm_read_enter(fm_profile_reader *l, const char *key)
{
    const size_t before = strlen(l->path);
    snprintf(l->path + before, sizeof l->path - before, "%s%s", before ? "." : "", key);
    return before;
}

size_t fm_read_enter_element(fm_profile_reader *l, size_t index)
{
    const size_t before = strlen(l->path);
    snprintf(l->path + before, sizeof l->path - before, "[%zu]", index);
    return before;
}

void fm_read_leave(fm_profile_reader *l, size_t before)
{
    l->path[before] = '\0';
}

const json_t *fm_read_member(fm_profile_reader *l, const json_t *object, const char *key)
{
    const json_t *value = l->status == FM_OK ? json_object_get(object, key) : NULL;
    if (!value)
        fm_read_bad(l, key, "is missing");
    return value;
}

const char *fm_read_text(fm_profile_reader *l, const json_t *object, const char *key, bool nullable)
{
    const json_t *value = fm_read_member(l, object, key);
    if (!value || (nullable && json_is_null(value)))
        return NULL;
    if (!json_is_string(value)) {
        fm_read_bad(l, key, "must be text");
        return NULL;
    }
    const char *copy = fm_profile_copy(l->profile, json_string_value(value));
    if (!copy)
        fm_read_no_memory(l);
    return copy;
}

void fm_read_short_text(fm_profile_reader *l, const json_t *object, const char *key, char *out, size_t size)
{
    const json_t *value = fm_read_member(l, object, key);
    const char *text = json_string_value(value);
    if (value && (!text || strlen(text) >= size))
        fm_read_bad(l, key, "must be text of at most %zu bytes", size - 1);
    else if (value)
        memcpy(out, text, strlen(text) + 1);
}

int64_t fm_read_integer(fm_profile_reader *l, const json_t *object, const char *key, int64_t min, int64_t max)
{
    const json_t *value = fm_read_member(l, object, key);
    if (!value)
        return 0;
    const json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < min || number > max) {
        if (max == INT64_MAX)
            fm_read_bad(l, key, min < 0 ? "must be a whole number" : "must be a whole number, %lld or more", (long long)min);
        else
            fm_read_bad(l, key, "must be a whole number from %lld to %lld", (long long)min, (long long)max);
        return 0;
    }
    return number;
}

double fm_read_real(fm_profile_reader *l, const json_t *object, const char *key, double min, double max, bool nullable)
{
    const json_t *value = fm_read_member(l, object, key);
    if (!value || (nullable && json_is_null(value)))
        return (double)NAN;
    const double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= min && number <= max)) {
        fm_read_bad(l, key, "must be a number from %g to %g", min, max);
        return (double)NAN;
    }
    return number;
}

bool fm_read_bool(fm_profile_reader *l, const json_t *object, const char *key)
{
    const json_t *value = fm_read_member(l, object, key);
    if (value && !json_is_boolean(value))
        fm_read_bad(l, key, "must be true or false");
    return json_is_true(value);
}

uint64_t fm_read_seconds(fm_profile_reader *l, const json_t *object, const char *key)
{
    const double seconds = fm_read_real(l, object, key, 0, FM_SECONDS_MAX, false);
    return l->status == FM_OK ? fm_json_nanoseconds(seconds) : 0;
}

static void read_field(fm_profile_reader *l, const json_t *json, const fm_field *field, void *object)
{
    void *at = (char *)object + field->offset;
    switch (field->kind) {
    case FM_FIELD_TEXT:
    case FM_FIELD_FACT:
        *(const char **)at = fm_read_text(l, json, field->key, field->kind == FM_FIELD_FACT);
        break;
    case FM_FIELD_BOOL:
        *(bool *)at = fm_read_bool(l, json, field->key);
        break;
    case FM_FIELD_INT:
        *(int *)at = (int)fm_read_integer(l, json, field->key, 0, INT32_MAX);
        break;
    case FM_FIELD_COUNT:
        *(uint64_t *)at = (uint64_t)fm_read_integer(l, json, field->key, 0, INT64_MAX);
        break;
    case FM_FIELD_AMOUNT:
        *(int64_t *)at = fm_read_integer(l, json, field->key, 0, INT64_MAX);
        break;
    case FM_FIELD_CHANGE:
        *(int64_t *)at = fm_read_integer(l, json, field->key, INT64_MIN, INT64_MAX);
        break;
    case FM_FIELD_SECONDS:
        *(uint64_t *)at = fm_read_seconds(l, json, field->key);
        break;
    case FM_FIELD_MEAN:
        *(double *)at = fm_read_real(l, json, field->key, 0, FM_SECONDS_MAX, false) * 1e9;
        break;
    case FM_FIELD_TIME:
        *(double *)at = fm_read_real(l, json, field->key, 0, FM_SECONDS_MAX, true);
        break;
    case FM_FIELD_REAL:
        *(double *)at = fm_read_real(l, json, field->key, -1e300, 1e300, false);
        break;
    }
}

void fm_read_fields(fm_profile_reader *l, const json_t *json, const fm_fields *fields, void *object)
{
    for (size_t i = 0; i < fields->count && l->status == FM_OK; i++)
        read_field(l, json, &fields->list[i], object);
}

const json_t *fm_read_object(fm_profile_reader *l, const json_t *object, const char *key)
{
    const json_t *value = fm_read_member(l, object, key);
    if (value && !json_is_object(value))
        fm_read_bad(l, key, "must be an object");
    return l->status == FM_OK ? value : NULL;
}

const json_t *fm_read_array(fm_profile_reader *l, const json_t *object, const char *key, bool plain)
{
    const json_t *value = fm_read_member(l, object, key);
    if (value && !json_is_array(value))
        fm_read_bad(l, key, "must be an array");
    else if (json_array_size(value) > FM_READ_ITEMS_MAX && !plain)
        fm_read_bad(l, key, "must not hold more than %d elements", FM_READ_ITEMS_MAX);
    for (size_t i = 0; !plain && l->status == FM_OK && i < json_array_size(value); i++)
        if (!json_is_object(json_array_get(value, i)))
            fm_read_bad(l, key, "must hold objects, and element %zu is none", i);
    return l->status == FM_OK ? value : NULL;
}

void *fm_read_room(fm_profile_reader *l, const json_t *array, size_t size, size_t *count)
{
    *count = l->status == FM_OK ? json_array_size(array) : 0;
    void *room = fm_profile_allocate(l->profile, *count + 1, size);
    if (!room) {
        *count = 0;
        fm_read_no_memory(l);
    }
    return room;
}
