/*
 * A buffered writer for formats with many small pieces: numbers without
 * locale, JSON strings. The first failure is kept; what comes after is dropped.
 *
 * Thread-safety: Safe on distinct writers.
 */
#ifndef FMP_EXPORT_WRITER_H
#define FMP_EXPORT_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct fmp_writer {
    FILE *out;
    int error; /* errno of the first failure, 0 */
    size_t used;
    char buffer[16384];
} fmp_writer;

void fmp_writer_open(fmp_writer *writer, FILE *out);

/* Says that memory is out (ENOMEM) or another failure of the caller; fmp_writer_close reports it. */
void fmp_writer_fail(fmp_writer *writer, int error);

/* Flushes writer and stream; 0, or -1 with errno set. */
int fmp_writer_close(fmp_writer *writer);

void fmp_write(fmp_writer *writer, const void *bytes, size_t size);
void fmp_write_char(fmp_writer *writer, char c);
void fmp_write_text(fmp_writer *writer, const char *text);
void fmp_write_u64(fmp_writer *writer, uint64_t value);
void fmp_write_i64(fmp_writer *writer, int64_t value);

/* value / 10^decimals, exactly: (1234567, 3) is "1234.567". decimals: 1 to 9. */
void fmp_write_scaled(fmp_writer *writer, uint64_t value, int decimals);

/* A double that reads back as the same; "null" when not finite. */
void fmp_write_double(fmp_writer *writer, double value);

/* A JSON string with its quotes (RFC 8259); invalid UTF-8 becomes U+FFFD, NULL "". */
void fmp_write_json(fmp_writer *writer, const char *text);

/* A CSV field in quotes (RFC 4180); invalid UTF-8 becomes U+FFFD, NULL "". */
void fmp_write_csv(fmp_writer *writer, const char *text);

/* Valid UTF-8 on one line: control characters and `banned` become `instead`, invalid bytes U+FFFD. NULL is "". */
void fmp_write_line(fmp_writer *writer, const char *text, char banned, char instead);

#endif
