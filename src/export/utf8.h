/*
 * UTF-8 for output: names come from anywhere (file names, models, callers), so
 * they may be too long, hold control characters, or be no UTF-8 at all.
 *
 * Thread-safety: Safe.
 */
#ifndef FMP_EXPORT_UTF8_H
#define FMP_EXPORT_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Decodes the character at *text (NUL-terminated) and moves *text behind it.
 * -1 for a byte that belongs to no valid character (RFC 3629: overlong forms
 * and surrogates are invalid). 0 at the end, without moving.
 */
int32_t fmp_utf8_next(const char **text);

/* Columns that a terminal gives the character: 0, 1 or 2. */
int fmp_utf8_columns(int32_t character);

/* Columns of a text as it is printed below. */
size_t fmp_utf8_width(const char *text);

/* Prints text with control and direction characters and invalid bytes as '?'. NULL prints nothing. */
void fmp_utf8_print(FILE *out, const char *text);

/*
 * The same in exactly `width` columns, left-aligned: short text is padded,
 * long text loses its middle, since names tend to differ at both ends.
 * width is at least 8.
 */
void fmp_utf8_print_fitted(FILE *out, const char *text, int width);

/* A malloc'ed copy in valid UTF-8: invalid bytes become U+FFFD. NULL when memory is out. */
char *fmp_utf8_valid_copy(const char *text);

#endif
