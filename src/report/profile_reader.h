/*
 * Reads checked members of parsed JSON. The first error stops everything: the
 * functions then do nothing and return 0 or NULL, so that callers look at
 * `status` once, at the end. Internal to the modules that read such documents.
 */
#ifndef FM_REPORT_PROFILE_READER_H
#define FM_REPORT_PROFILE_READER_H

#include <jansson.h>
#include <stdint.h>

#include "report/profile_fields.h"

enum { FM_READ_ITEMS_MAX = 1 << 18 }; /* objects in an array */

typedef struct fm_profile_reader {
    const char *name;    /* of the file, for errors */
    fm_profile *profile; /* owns what is read */
    fm_error *err;
    fm_status status;
    char path[256];      /* of the object being read: "categories[3].operations[0]" */
    const char *what, *maker; /* for errors; NULL: "profile", "facemirror run" */
} fm_profile_reader;

/*
 * Checks the bytes of a document from anywhere (size, depth, weight of the values), parses them, and checks its
 * schema. The caller frees what it returns; NULL when `status` is set.
 */
json_t *fm_read_document(fm_profile_reader *l, const void *data, size_t size, const char *schema);

/* Sets the error unless there is one: `format` says what the member must be. key may be "". */
void fm_read_bad(fm_profile_reader *l, const char *key, const char *format, ...) FM_PRINTF(3, 4);
void fm_read_no_memory(fm_profile_reader *l);

/* Step into a member or an element, for the paths of errors; the answer goes to fm_read_leave. */
size_t fm_read_enter(fm_profile_reader *l, const char *key);
size_t fm_read_enter_element(fm_profile_reader *l, size_t index);
void fm_read_leave(fm_profile_reader *l, size_t before);

const json_t *fm_read_member(fm_profile_reader *l, const json_t *object, const char *key); /* any type */
const json_t *fm_read_object(fm_profile_reader *l, const json_t *object, const char *key);
/* Checks also that the elements are objects and not too many, unless `plain`. */
const json_t *fm_read_array(fm_profile_reader *l, const json_t *object, const char *key, bool plain);
/* Zeroed memory of the profile for the elements of an array (may be NULL); *count is 0 when there is nothing to read. */
void *fm_read_room(fm_profile_reader *l, const json_t *array, size_t size, size_t *count);

/* A copy that the profile owns. null gives NULL, where that is allowed. */
const char *fm_read_text(fm_profile_reader *l, const json_t *object, const char *key, bool nullable);
/* Text for a char array of a snapshot. */
void fm_read_short_text(fm_profile_reader *l, const json_t *object, const char *key, char *out, size_t size);
int64_t fm_read_integer(fm_profile_reader *l, const json_t *object, const char *key, int64_t min, int64_t max);
/* null gives NaN, where that is allowed. */
double fm_read_real(fm_profile_reader *l, const json_t *object, const char *key, double min, double max, bool nullable);
bool fm_read_bool(fm_profile_reader *l, const json_t *object, const char *key);
/* Seconds, as nanoseconds. */
uint64_t fm_read_seconds(fm_profile_reader *l, const json_t *object, const char *key);
/* All members of a table into a struct. */
void fm_read_fields(fm_profile_reader *l, const json_t *json, const fm_fields *fields, void *object);

#endif
