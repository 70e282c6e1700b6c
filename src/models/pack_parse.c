/* Manifest text -> fm_pack. The first error stops everything: all functions then do nothing. */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "models/pack_contract.h"
#include "models/pack_text.h"

enum { UNIT_MAX = 99 }; /* FACS numbers its units in two digits */

static const double size_min = 1e-6, size_max = 1e6; /* of the figures of a normalisation */

typedef struct manifest {
    const char *dir;
    fm_error *err;
    fm_status status;
    char path[96]; /* of the object being read: "models[1].input" */
} manifest;

/* One line, whatever stands in the file. */
static void make_readable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
}

FM_PRINTF(3, 4) static void bad(manifest *m, const char *key, const char *format, ...)
{
    if (m->status != FM_OK)
        return;
    char what[320];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    make_readable(what);
    const char *dot = *m->path && *key ? "." : "", *space = *m->path || *key ? " " : "";
    const char *slash = *m->dir && m->dir[strlen(m->dir) - 1] == '/' ? "" : "/";
    m->status = fm_fail(m->err, FM_E_MODEL, "'%s%s" FM_PACK_MANIFEST "': %s%s%.64s%s%s", m->dir, slash, m->path, dot,
                        key, space, what);
}

/* --- members of a kind ------------------------------------------------------------- */

/* All members must be known: a misspelt one would silently not count. `known` ends with NULL. */
static void expect_keys(manifest *m, const json_t *object, const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        int i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i]) {
            bad(m, "", "has a member '%.64s', which is not known here", key);
            return;
        }
    }
}

static const json_t *member(manifest *m, const json_t *object, const char *key)
{
    const json_t *value = m->status == FM_OK ? json_object_get(object, key) : NULL;
    if (!value)
        bad(m, key, "is missing");
    return value;
}

/* Also those from 0x80 to 0x9F, which some terminals obey; the text is UTF-8. */
static bool is_control(const char *c)
{
    const unsigned char first = (unsigned char)c[0], second = (unsigned char)c[1];
    return first < 0x20 || first == 0x7F || (first == 0xC2 && second >= 0x80 && second < 0xA0);
}

/* One line of 1 to size - 1 bytes, without control characters. */
static void text_value(manifest *m, const json_t *value, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(value);
    bool fits = text && *text && strlen(text) < size && json_string_length(value) == strlen(text);
    for (const char *c = text; fits && *c; c++)
        fits = !is_control(c);
    if (!value)
        return;
    if (!fits)
        bad(m, key, "must be text on one line, of 1 to %zu bytes", size - 1);
    else
        memcpy(out, text, strlen(text) + 1);
}

static void text(manifest *m, const json_t *object, const char *key, char *out, size_t size)
{
    text_value(m, member(m, object, key), key, out, size);
}

/* Text of letters, digits, and `also`; "" when it is not there and `optional`. */
static void word(manifest *m, const json_t *object, const char *key, char *out, size_t size, const char *also,
                 bool optional)
{
    out[0] = '\0';
    if (optional && !json_object_get(object, key))
        return;
    text(m, object, key, out, size);
    if (m->status == FM_OK && !fm_text_is_plain(out, also))
        bad(m, key, "must consist of letters, digits and %s, not '%.64s'", *also == '.' ? "'.', '_', '-'" : "'_', '-'",
            out);
}

static bool matches(manifest *m, const json_t *object, const char *key, const char *wanted, const char *why)
{
    const json_t *value = member(m, object, key);
    const char *is = json_string_value(value);
    if (value && (!is || strcmp(is, wanted) != 0))
        bad(m, key, "must be \"%s\"%s", wanted, why);
    return m->status == FM_OK;
}

static int whole(manifest *m, const json_t *value, const char *key, int min, int max)
{
    const json_int_t number = json_integer_value(value);
    if (value && (!json_is_integer(value) || number < min || number > max))
        min == max ? bad(m, key, "must be %d", min) : bad(m, key, "must be a whole number from %d to %d", min, max);
    return m->status == FM_OK ? (int)number : 0;
}

static float real(manifest *m, const json_t *value, const char *key, double min, double max)
{
    const double number = json_number_value(value);
    if (value && (!json_is_number(value) || !(number >= min && number <= max)))
        bad(m, key, "must be a number from %g to %g", min, max);
    return m->status == FM_OK ? (float)number : 0;
}

static void three(manifest *m, const json_t *object, const char *key, double min, float out[3])
{
    const json_t *list = json_object_get(object, key);
    if (!list)
        return;
    if (!json_is_array(list) || json_array_size(list) != 3)
        bad(m, key, "must be a list of three numbers: of red, green and blue");
    for (size_t i = 0; i < 3 && m->status == FM_OK; i++)
        out[i] = real(m, json_array_get(list, i), key, min, size_max);
}

static const json_t *object_of(manifest *m, const json_t *object, const char *key)
{
    const json_t *value = member(m, object, key);
    if (value && !json_is_object(value))
        bad(m, key, "must be an object");
    return m->status == FM_OK ? value : NULL;
}

/* --- one model ------------------------------------------------------------------------ */

static void read_size(manifest *m, const json_t *json, const fm_contract *contract, fm_pack_input *out)
{
    const struct { const char *key; int fixed; int *out; } sides[] = {
        {"width", contract->input.width, &out->width}, {"height", contract->input.height, &out->height}};
    for (int i = 0; i < 2; i++) {
        const bool any = contract->any_size;
        *sides[i].out = whole(m, member(m, json, sides[i].key), sides[i].key, any ? 0 : sides[i].fixed,
                              any ? FM_PACK_SIDE_MAX : sides[i].fixed);
    }
    if ((out->width == 0) != (out->height == 0))
        bad(m, "width", "and height must both be 0 (any size) or neither");
}

static void read_input(manifest *m, const json_t *json, const fm_contract *contract, fm_pack_input *out)
{
    static const char *const of_points[] = {"name", NULL};
    static const char *const of_picture[] = {"name", "layout", "width", "height", "colour", "scale", "bias", "mean",
                                             "deviation", NULL};
    expect_keys(m, json, contract->points ? of_points : of_picture);
    text(m, json, "name", out->name, sizeof out->name);
    out->deviation[0] = out->deviation[1] = out->deviation[2] = 1;
    out->scale = 1;
    if (contract->points)
        return;
    matches(m, json, "layout", "NCHW", "");
    read_size(m, json, contract, out);
    const char *colour = json_string_value(member(m, json, "colour"));
    if (!colour || (strcmp(colour, "RGB") != 0 && strcmp(colour, "BGR") != 0))
        bad(m, "colour", "must be \"RGB\" or \"BGR\"");
    out->bgr = colour && colour[0] == 'B';
    out->scale = real(m, member(m, json, "scale"), "scale", size_min, size_max);
    out->bias = real(m, json_object_get(json, "bias"), "bias", -size_max, size_max);
    three(m, json, "mean", -size_max, out->mean);
    three(m, json, "deviation", size_min, out->deviation);
}

/* All keys of the decoding, and no others. */
static void read_outputs(manifest *m, const json_t *json, const fm_contract *contract, fm_pack_model *out)
{
    const char *known[FM_PACK_OUTPUTS_MAX + 1] = {NULL};
    for (int i = 0; contract->outputs[i].key; i++)
        known[i] = contract->outputs[i].key;
    expect_keys(m, json, known);
    for (int i = 0; known[i] && m->status == FM_OK; i++) {
        fm_pack_output *output = &out->outputs[out->output_count++];
        memcpy(output->key, known[i], strlen(known[i]) + 1);
        text(m, json, known[i], output->tensor, sizeof output->tensor);
        if (m->status == FM_OK && output->tensor[0] == '@' && strcmp(output->tensor, FM_PACK_LAST_OUTPUT) != 0)
            bad(m, known[i], "must be a tensor's name or \"" FM_PACK_LAST_OUTPUT "\"");
    }
}

static void read_units(manifest *m, const json_t *json, const fm_contract *contract, fm_pack_model *out)
{
    const json_t *list = json_object_get(json, "units");
    if (contract->unit_count == 0) {
        if (list)
            bad(m, "units", "is for an au_estimator only");
        return;
    }
    const size_t count = json_array_size(list);
    if (count < 1 || count > FM_PACK_UNITS_MAX) {
        bad(m, "units", "must be a list of 1 to %d FACS numbers, one for each of the model's values",
            FM_PACK_UNITS_MAX);
        return;
    }
    for (int i = 0; i < (int)count && m->status == FM_OK; i++) {
        const int unit = whole(m, json_array_get(list, (size_t)i), "units", 1, UNIT_MAX);
        for (int k = 0; k < i; k++)
            if (out->units[k] == unit)
                bad(m, "units", "holds %d twice", unit);
        out->units[out->unit_count++] = unit;
    }
}

static const fm_contract *read_decoding(manifest *m, const json_t *json, fm_pack_model *out)
{
    char name[32] = "", known[200] = "";
    text(m, json, "decoding", name, sizeof name);
    for (int i = 0; m->status == FM_OK && i < FM_DECODINGS; i++) {
        const fm_contract *contract = fm_decoding_contract((fm_decoding)i);
        if (strcmp(contract->name, name) == 0) {
            out->decoding = (fm_decoding)i;
            out->role = contract->role;
            return contract;
        }
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", contract->name);
    }
    bad(m, "decoding", "must be one of %s, not '%s'", known, name);
    return NULL;
}

static void read_file(manifest *m, const json_t *json, fm_pack_model *out)
{
    word(m, json, "file", out->file, sizeof out->file, "._-", false);
    const size_t length = strlen(out->file);
    /* No folders, no hidden files: a pack holds its models beside its manifest, and removing it removes these. */
    if (m->status == FM_OK &&
        (!fm_text_is_letter(out->file[0]) || length < 6 || strcmp(out->file + length - 5, ".onnx") != 0))
        bad(m, "file", "must be a file name that ends in .onnx and begins with a letter or digit, not '%.64s'",
            out->file);
    if (m->status == FM_OK && !fm_path_join(out->path, m->dir, out->file))
        bad(m, "file", "lies too deep: its path is too long");
    text(m, json, "sha256", out->sha256, sizeof out->sha256);
    if (m->status == FM_OK && (strlen(out->sha256) != 64 || strspn(out->sha256, "0123456789abcdef") != 64))
        bad(m, "sha256", "must be 64 hexadecimal digits in lower case");
}

static void read_model(manifest *m, const json_t *json, fm_pack_model *out)
{
    static const char *const known[] = {"name", "role", "decoding", "variant", "file", "sha256", "topology", "input",
                                        "outputs", "units", NULL};
    if (!json_is_object(json)) {
        bad(m, "", "must be an object");
        return;
    }
    expect_keys(m, json, known);
    word(m, json, "name", out->name, sizeof out->name, "_-", false);
    const fm_contract *contract = read_decoding(m, json, out);
    if (!contract)
        return;
    char why[64];
    snprintf(why, sizeof why, ", which is what %s decodes", contract->name);
    matches(m, json, "role", fm_model_role_name(contract->role), why);
    word(m, json, "variant", out->variant, sizeof out->variant, "_-", true);
    read_file(m, json, out);
    if (*contract->topology && matches(m, json, "topology", contract->topology, why))
        memcpy(out->topology, contract->topology, strlen(contract->topology) + 1);
    else if (json_object_get(json, "topology") && !*contract->topology)
        bad(m, "topology", "is for a landmarker only");
    read_units(m, json, contract, out);

    const json_t *input = object_of(m, json, "input"), *outputs = object_of(m, json, "outputs");
    const size_t end = strlen(m->path);
    if (input) {
        snprintf(m->path + end, sizeof m->path - end, ".input");
        read_input(m, input, contract, &out->input);
    }
    if (m->status == FM_OK) {
        snprintf(m->path + end, sizeof m->path - end, ".outputs");
        read_outputs(m, outputs, contract, out);
    }
}

/* --- the whole ------------------------------------------------------------------------- */

/* Names of operations, files, and roles must tell the models apart. */
static void expect_distinct(manifest *m, const fm_pack *pack, int index)
{
    const fm_pack_model *b = &pack->models[index];
    for (int i = 0; i < index; i++) {
        const fm_pack_model *a = &pack->models[i];
        if (strcmp(a->file, b->file) == 0)
            bad(m, "file", "is that of models[%d], too; each model needs its own", i);
        if (a->role != b->role && strcmp(a->name, b->name) == 0)
            bad(m, "name", "is that of models[%d], too, which has another role", i);
        if (a->role == b->role && (!*a->variant || !*b->variant || strcmp(a->variant, b->variant) == 0))
            bad(m, "variant", "must be there and differ from that of models[%d], which has the same role", i);
    }
}

static void read_models(manifest *m, const json_t *root, fm_pack *pack)
{
    const json_t *list = member(m, root, "models");
    const size_t count = json_array_size(list);
    if (list && (!json_is_array(list) || count < 1 || count > FM_PACK_MODELS_MAX))
        bad(m, "models", "must be a list of 1 to %d models", FM_PACK_MODELS_MAX);
    for (int i = 0; m->status == FM_OK && i < (int)count; i++) {
        snprintf(m->path, sizeof m->path, "models[%d]", i);
        read_model(m, json_array_get(list, (size_t)i), &pack->models[i]);
        pack->model_count++;
        snprintf(m->path, sizeof m->path, "models[%d]", i);
        if (m->status == FM_OK)
            expect_distinct(m, pack, i);
    }
    m->path[0] = m->status == FM_OK ? '\0' : m->path[0];
}

static void read_pack(manifest *m, const json_t *root, fm_pack *pack)
{
    static const char *const known[] = {"format", "name", "description", "licence", "models", NULL};
    if (!json_is_object(root)) {
        bad(m, "", "must be an object");
        return;
    }
    /* A later format may have other members, so it is told first. */
    const json_t *format = member(m, root, "format");
    if (format && json_integer_value(format) != FM_PACK_FORMAT)
        bad(m, "format", "must be %d: this program reads no other", FM_PACK_FORMAT);
    expect_keys(m, root, known);
    text(m, root, "name", pack->name, sizeof pack->name);
    if (m->status == FM_OK && !fm_pack_name_ok(pack->name))
        bad(m, "name", "must consist of letters, digits, '_', '-' and '.', and begin with a letter or digit, not '%s'",
            pack->name);
    if (json_object_get(root, "description"))
        text(m, root, "description", pack->description, sizeof pack->description);
    text(m, root, "licence", pack->licence, sizeof pack->licence);
    read_models(m, root, pack);
}

fm_status fm_pack_parse(fm_pack **out, const void *bytes, size_t size, const char *dir, fm_error *err)
{
    *out = NULL;
    manifest m = {.dir = dir, .err = err, .status = FM_OK};
    fm_pack *pack = calloc(1, sizeof *pack);
    if (!pack)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory reading a model pack");
    json_error_t where;
    json_t *root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &where);
    if (root)
        read_pack(&m, root, pack);
    else
        bad(&m, "", "is no JSON: line %d: %s", where.line, where.text);
    json_decref(root);
    const size_t length = strlen(dir);
    if (length < sizeof pack->dir)
        memcpy(pack->dir, dir, length + 1);
    else
        bad(&m, "", "lies too deep: its path is too long");
    if (m.status == FM_OK)
        *out = pack;
    else
        free(pack);
    return m.status;
}
