#include "report/profile_reader.h"

#include <string.h>

/* What the byte that begins a value or a member adds to the parsed document, in some 40 bytes. */
static unsigned weight_of(unsigned char c)
{
    switch (c) {
    case '{':
        return 8;
    case '[':
        return 4;
    case ':':
        return 2;
    case ',':
    case '"':
        return 1;
    default:
        return 0;
    }
}

/* Refuses what would take the parser too much memory or stack. */
static void check_bytes(fm_profile_reader *l, const unsigned char *data, size_t size)
{
    size_t weight = 0, depth = 0;
    bool in_text = false;
    if (size > FM_PROFILE_BYTES_MAX)
        fm_read_bad(l, "", "it has more than %d MiB", FM_PROFILE_BYTES_MAX >> 20);
    for (size_t i = 0; i < size && l->status == FM_OK; i++) {
        const unsigned char c = data[i];
        if (in_text) {
            if (c == '\\')
                i++;
            else
                in_text = c != '"';
            continue;
        }
        in_text = c == '"';
        weight += weight_of(c);
        if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth -= depth > 0;
        if (depth > FM_PROFILE_DEPTH_MAX)
            fm_read_bad(l, "", "it nests deeper than %d", FM_PROFILE_DEPTH_MAX);
        if (weight > FM_PROFILE_WEIGHT_MAX)
            fm_read_bad(l, "", "it has too many values");
    }
}

json_t *fm_read_document(fm_profile_reader *l, const void *data, size_t size, const char *schema)
{
    json_error_t syntax;
    check_bytes(l, data, size);
    json_t *root = l->status == FM_OK ? json_loadb(data, size, JSON_REJECT_DUPLICATES, &syntax) : NULL;
    if (l->status != FM_OK)
        return NULL;
    if (!root && json_error_code(&syntax) == json_error_out_of_memory) {
        fm_read_no_memory(l);
        return NULL;
    }
    const char *found = json_string_value(json_object_get(root, "schema"));
    if (!root)
        fm_read_bad(l, "", "line %d, column %d: %s", syntax.line, syntax.column, syntax.text);
    else if (!json_is_object(root))
        fm_read_bad(l, "", "it is no JSON object");
    else if (!found)
        fm_read_bad(l, "schema", "is missing");
    else if (strcmp(found, schema) != 0)
        fm_read_bad(l, "schema", "must be \"%s\", not \"%.60s\"", schema, found);
    if (l->status == FM_OK)
        return root;
    json_decref(root);
    return NULL;
}
