#include "inference/node_stream.h"

#include <string.h>

enum { ARGUMENTS_MAX = 1 << 16, KEY_MAX = 64, CANDIDATES_MAX = 16, DEPTH_MAX = 8 };

#define HEAD "{\"cat\" : \""
#define NAME_END "\",\"args\" : {"
#define KERNEL "_kernel_time"

/* --- pieces of text --------------------------------------------------------------- */

static bool starts(const char *at, const char *end, const char *text, size_t length)
{
    return (size_t)(end - at) >= length && memcmp(at, text, length) == 0;
}

static bool take(const char **at, const char *end, const char *text)
{
    const size_t length = strlen(text);
    if (!starts(*at, end, text, length))
        return false;
    *at += length;
    return true;
}

/* A whole number of 0 to FM_NODE_TIME_MAX. */
static bool take_number(const char **at, const char *end, uint64_t *out)
{
    const char *p = *at;
    uint64_t value = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        value = 10 * value + (uint64_t)(*p - '0');
        if (value > FM_NODE_TIME_MAX)
            return false;
    }
    if (p == *at)
        return false;
    *at = p;
    *out = value;
    return true;
}

static bool is_key_letter(char c)
{
    return (c >= 'a' && c <= 'z') || c == '_';
}

/* `"key" : ` */
static bool take_key(const char **at, const char *end, fm_view *key)
{
    const char *p = *at;
    if (!take(&p, end, "\""))
        return false;
    const char *first = p;
    while (p < end && p - first < KEY_MAX && is_key_letter(*p))
        p++;
    *key = (fm_view){first, (size_t)(p - first)};
    if (key->size == 0 || !take(&p, end, "\" : "))
        return false;
    *at = p;
    return true;
}

/* A list or an object, up to the bracket that closes it. Where there is none, *at says how far it was looked for. */
static bool take_brackets(const char **at, const char *end, fm_view *value)
{
    int depth = 0;
    const char *p = *at;
    for (; p < end && *p != '\n' && depth <= DEPTH_MAX; p++) {
        if (*p == '[' || *p == '{')
            depth++;
        else if (*p == ']' || *p == '}')
            depth--;
        if (depth == 0) {
            *value = (fm_view){*at, (size_t)(p + 1 - *at)};
            *at = p + 1;
            return true;
        }
    }
    *at = p;
    return false;
}

/*
 * Unescaped text in quotes: it ends at the first quote behind which the arguments go on, or end. Where there is none,
 * *at says how far it was looked for.
 */
static bool take_text(const char **at, const char *end, fm_view *value)
{
    const char *first = *at;
    for (const char *p = first; p < end && (p = memchr(p, '"', (size_t)(end - p))); p++) {
        const char *behind = p + 1;
        fm_view key;
        const bool ends = starts(behind, end, "}}", 2) || (take(&behind, end, ",") && take_key(&behind, end, &key));
        if (ends) {
            *value = (fm_view){first, (size_t)(p - first)};
            *at = p + 1;
            return true;
        }
    }
    *at = end;
    return false;
}

static bool is(fm_view text, const char *other)
{
    return fm_view_equal(text, (fm_view){other, strlen(other)});
}

/* --- an event ----------------------------------------------------------------------- */

/* `Node","pid" :1,"tid" :1,"dur" :152,"ts" :49,"ph" : "X","name" :"` behind HEAD. */
static bool take_head(const char **at, const char *end, fm_node_event *out)
{
    uint64_t ignored;
    const char *p = *at;
    if (take(&p, end, "Node\""))
        out->kind = FM_NODE_EVENT_NODE;
    else if (take(&p, end, "Session\"") || take(&p, end, "Kernel\"") || take(&p, end, "Api\""))
        out->kind = FM_NODE_EVENT_OTHER;
    else
        return false;
    const bool good = take(&p, end, ",\"pid\" :") && take_number(&p, end, &ignored) && take(&p, end, ",\"tid\" :") &&
                      take_number(&p, end, &ignored) && take(&p, end, ",\"dur\" :") &&
                      take_number(&p, end, &out->duration_us) && take(&p, end, ",\"ts\" :") &&
                      take_number(&p, end, &out->start_us) && take(&p, end, ",\"ph\" : \"X\",\"name\" :\"");
    *at = good ? p : *at;
    return good;
}

static bool take_argument(const char **at, const char *end, fm_node_event *out)
{
    fm_view key, value;
    if (!take_key(at, end, &key))
        return false;
    if (*at < end && (**at == '[' || **at == '{')) {
        if (!take_brackets(at, end, &value))
            return false;
    } else if (!take(at, end, "\"") || !take_text(at, end, &value)) {
        return false;
    }
    if (is(key, "op_name")) {
        out->op_type = value;
    } else if (is(key, "provider")) {
        out->provider = value;
    } else if (is(key, "input_type_shape")) {
        out->input_shapes = value;
    } else if (is(key, "output_type_shape")) {
        out->output_shapes = value;
    } else if (is(key, "node_index")) {
        uint64_t index;
        const char *digits = value.at;
        if (!take_number(&digits, value.at + value.size, &index) || index > INT32_MAX)
            return false;
        out->index = (int64_t)index;
    }
    return true;
}

/* `...}}` behind NAME_END, and then the next event or the end of the list. *at moves in any case. */
static bool take_arguments(const char **at, const char *end, fm_node_event *out)
{
    const char *limit = end - *at > ARGUMENTS_MAX ? *at + ARGUMENTS_MAX : end;
    *out = (fm_node_event){.kind = out->kind, .name = out->name, .start_us = out->start_us,
                           .duration_us = out->duration_us, .index = -1};
    if (*at < limit && **at != '}') {
        do {
            if (!take_argument(at, limit, out))
                return false;
        } while (take(at, limit, ","));
    }
    if (!take(at, end, "}}"))
        return false;
    if (out->kind == FM_NODE_EVENT_NODE && (out->op_type.size == 0 || out->provider.size == 0))
        return false;
    return starts(*at, end, ",\n" HEAD, 2 + strlen(HEAD)) || starts(*at, end, "\n]", 2);
}

static void spend(fm_node_stream *s, ptrdiff_t bytes)
{
    const uint64_t cost = (uint64_t)bytes;
    s->work -= cost < s->work ? cost : s->work;
}

/* The name, and the arguments behind it: those behind the first end of a name with which they can be read. */
static bool take_body(fm_node_stream *s, const char **at, fm_node_event *out)
{
    const char *first = *at;
    const char *limit = s->end - first > FM_NODE_NAME_MAX ? first + FM_NODE_NAME_MAX : s->end;
    int candidates = 0;
    for (const char *p = first; p < limit && (p = memchr(p, '"', (size_t)(limit - p))); p++) {
        const char *behind = p;
        if (!take(&behind, s->end, NAME_END))
            continue;
        if (++candidates > CANDIDATES_MAX || s->work == 0)
            break;
        out->name = (fm_view){first, (size_t)(p - first)};
        if (take_arguments(&behind, s->end, out)) {
            *at = behind;
            return true;
        }
        spend(s, behind - p);
    }
    spend(s, limit - first);
    return false;
}

static void finish(fm_node_event *event)
{
    const size_t length = strlen(KERNEL);
    fm_view *name = &event->name;
    if (event->kind == FM_NODE_EVENT_NODE) {
        if (name->size >= length && memcmp(name->at + name->size - length, KERNEL, length) == 0)
            name->size -= length;
    } else if (is(*name, "model_run")) {
        event->kind = FM_NODE_EVENT_RUN;
    }
}

/* --- the stream ------------------------------------------------------------------------ */

fm_node_stream fm_node_stream_of(const void *data, size_t size)
{
    const char *at = size > 0 ? data : "";
    return (fm_node_stream){.at = at, .end = at + size, .work = ((uint64_t)1 << 24) + 16 * (uint64_t)size};
}

/* Moves to the next line that begins an event; false when there is none. */
static bool find_event(fm_node_stream *s)
{
    for (const char *p = s->at; p && p < s->end;) {
        if (starts(p, s->end, HEAD, strlen(HEAD))) {
            s->at = p;
            return true;
        }
        if (*p == ']' && s->end - p <= 2) /* with the line's end behind it */
            s->whole = true;
        p = memchr(p, '\n', (size_t)(s->end - p));
        p = p ? p + 1 : NULL;
    }
    s->at = s->end;
    return false;
}

bool fm_node_stream_next(fm_node_stream *s, fm_node_event *out)
{
    while (s->work > 0 && find_event(s)) {
        *out = (fm_node_event){0};
        const char *p = s->at + strlen(HEAD);
        if (take_head(&p, s->end, out) && take_body(s, &p, out)) {
            finish(out);
            s->at = p + 1; /* at the line's end, or behind the comma before it */
            return true;
        }
        s->lost++;
        s->at += strlen(HEAD);
    }
    s->at = s->end;
    return false;
}

/* `{"float":[1,16,96,96]}` of `[{...},{...}]` */
bool fm_node_shape_next(fm_view *shapes, fm_node_shape *out)
{
    *out = (fm_node_shape){.rank = 0};
    if (shapes->size == 0)
        return false;
    const char *p = shapes->at, *end = p + shapes->size;
    if (!(take(&p, end, "[") || take(&p, end, ",")) || !take(&p, end, "{\""))
        return false;
    p = memchr(p, '"', (size_t)(end - p));
    if (!p || !take(&p, end, "\":["))
        return false;
    while (p < end && *p != ']') {
        uint64_t dim;
        if (out->rank == FM_NODE_DIMS_MAX || !take_number(&p, end, &dim))
            return false;
        out->dims[out->rank++] = (int64_t)dim;
        if (p < end && *p == ',')
            p++;
    }
    if (!take(&p, end, "]}"))
        return false;
    *shapes = (fm_view){p, (size_t)(end - p)};
    return true;
}
