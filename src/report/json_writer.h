/*
 * Writes JSON to a stream, a member at a time, indented by two spaces. Text
 * becomes valid UTF-8 (invalid bytes: U+FFFD), numbers have a decimal point in
 * every locale. The stream keeps the first failure; fm_json_finish tells it.
 *
 * Thread-safety: Safe on distinct streams.
 */
#ifndef FM_REPORT_JSON_WRITER_H
#define FM_REPORT_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "facemirror/error.h"

typedef struct fm_json {
    FILE *out;
    int depth;
    bool first;   /* nothing stands yet in the innermost object or array */
    int line;     /* so many arrays are open that stand on one line */
} fm_json;

fm_json fm_json_begin(FILE *out);

/* `key` is NULL inside arrays. `bracket`: '{' or '['; closed with '}' or ']'. */
void fm_json_open(fm_json *json, const char *key, char bracket);
void fm_json_close(fm_json *json, char bracket);
/* An array on one line, for numbers, closed with fm_json_close_line; what is inside is on that line too. */
void fm_json_open_line(fm_json *json, const char *key);
void fm_json_close_line(fm_json *json);

void fm_json_null(fm_json *json, const char *key);
void fm_json_bool(fm_json *json, const char *key, bool value);
void fm_json_integer(fm_json *json, const char *key, int64_t value);
void fm_json_count(fm_json *json, const char *key, uint64_t value); /* INT64_MAX at most */
void fm_json_text(fm_json *json, const char *key, const char *text); /* NULL: null */
/*
 * Not finite: null. A fact has as many digits as a reader needs to get the same double, so that whatever follows from
 * it is the same as well; a real has 15 and suits what a reader derives anew.
 */
void fm_json_fact(fm_json *json, const char *key, double value);
void fm_json_real(fm_json *json, const char *key, double value);
/*
 * Nanoseconds as seconds: all digits, as far as a double can tell them apart (52 days; beyond, the
 * nearest that a reader takes back to the same). fm_json_nanoseconds is the reader's inverse.
 */
void fm_json_seconds(fm_json *json, const char *key, uint64_t nanoseconds);
/* `seconds` is finite and 0 to 1.8e10. */
uint64_t fm_json_nanoseconds(double seconds);

/* Ends the document with a newline and flushes. `what` stands in the error: "the profile". */
fm_status fm_json_finish(fm_json *json, const char *what, fm_error *err);

/* The error of a failed write, from errno. `what` stands in it: "the profile". */
fm_status fm_stream_failed(const char *what, fm_error *err);
/* Flushes a stream that was written to; its failure in a sentence. errno was set to 0 before. */
fm_status fm_stream_status(FILE *out, const char *what, fm_error *err);

#endif
