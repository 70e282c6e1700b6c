#include "writer.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "figures.h"
#include "stream.h"
#include "utf8.h"

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

void fmp_writer_open(fmp_writer *writer, FILE *out)
{
    writer->out = out;
    writer->error = 0;
    writer->used = 0;
}

void fmp_writer_fail(fmp_writer *writer, int error)
{
    if (writer->error == 0)
        writer->error = error;
}

static void flush(fmp_writer *writer)
{
    size_t size = writer->used;
    writer->used = 0;
    if (writer->error != 0)
        return;
    errno = 0;
    if (fwrite(writer->buffer, 1, size, writer->out) != size)
        writer->error = errno ? errno : EIO;
}

int fmp_writer_close(fmp_writer *writer)
{
    flush(writer);
    int finished = fmp_stream_finish(writer->out);
    if (writer->error == 0)
        return finished;
    errno = writer->error;
    return -1;
}

void fmp_write(fmp_writer *writer, const void *bytes, size_t size)
{
    const char *from = bytes;
    while (size > 0) {
        if (writer->used == sizeof writer->buffer)
            flush(writer);
        size_t room = sizeof writer->buffer - writer->used, part = size < room ? size : room;
        memcpy(writer->buffer + writer->used, from, part);
        writer->used += part;
        from += part;
        size -= part;
    }
}

void fmp_write_char(fmp_writer *writer, char c)
{
    if (writer->used == sizeof writer->buffer)
        flush(writer);
    writer->buffer[writer->used++] = c;
}

void fmp_write_text(fmp_writer *writer, const char *text)
{
    fmp_write(writer, text, strlen(text));
}

enum { DIGITS_MAX = 20 };

void fmp_write_u64(fmp_writer *writer, uint64_t value)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    fmp_write(writer, digits + at, sizeof digits - at);
}

void fmp_write_i64(fmp_writer *writer, int64_t value)
{
    if (value < 0) {
        fmp_write_char(writer, '-');
        fmp_write_u64(writer, 0 - (uint64_t)value);
    } else {
        fmp_write_u64(writer, (uint64_t)value);
    }
}

void fmp_write_scaled(fmp_writer *writer, uint64_t value, int decimals)
{
    uint64_t scale = 1;
    for (int i = 0; i < decimals; i++)
        scale *= 10;
    fmp_write_u64(writer, value / scale);
    fmp_write_char(writer, '.');
    for (uint64_t rest = value % scale; scale > 1; rest %= scale) {
        scale /= 10;
        fmp_write_char(writer, (char)('0' + rest / scale));
    }
}

void fmp_write_double(fmp_writer *writer, double value)
{
    char text[FMP_TIME_TEXT_SIZE];
    fmp_exact(text, value);
    fmp_write_text(writer, text);
}

static void write_escaped(fmp_writer *writer, int32_t character)
{
    static const char hex[] = "0123456789abcdef";
    static const char from[] = "\b\t\n\f\r\"\\", to[] = "btnfr\"\\";
    const char *brief = strchr(from, character);
    char escape[] = "\\u0000";
    if (brief) { /* some readers of traces know these alone */
        escape[1] = to[brief - from];
        fmp_write(writer, escape, 2);
        return;
    }
    escape[4] = hex[character >> 4 & 15];
    escape[5] = hex[character & 15];
    fmp_write(writer, escape, 6);
}

/* Most names are of printable ASCII: a run of it is copied at once. */
static const char *plain_run(fmp_writer *writer, const char *at, const char *but)
{
    const char *begin = at;
    while (*at > 0x1F && *at < 0x7F && *at != but[0] && *at != but[1])
        at++;
    fmp_write(writer, begin, (size_t)(at - begin));
    return at;
}

void fmp_write_json(fmp_writer *writer, const char *text)
{
    fmp_write_char(writer, '"');
    for (const char *at = text ? text : ""; *(at = plain_run(writer, at, "\"\\"));) {
        const char *begin = at;
        int32_t character = fmp_utf8_next(&at);
        if (character < 0) {
            fmp_write(writer, replacement, sizeof replacement - 1);
        } else if (character < 0x20 || character == '"' || character == '\\') {
            write_escaped(writer, character);
        } else {
            fmp_write(writer, begin, (size_t)(at - begin));
        }
    }
    fmp_write_char(writer, '"');
}

void fmp_write_csv(fmp_writer *writer, const char *text)
{
    fmp_write_char(writer, '"');
    for (const char *at = text ? text : ""; *at;) {
        const char *begin = at;
        int32_t character = fmp_utf8_next(&at);
        if (character < 0) {
            fmp_write(writer, replacement, sizeof replacement - 1);
        } else {
            if (character == '"')
                fmp_write_char(writer, '"');
            fmp_write(writer, begin, (size_t)(at - begin));
        }
    }
    fmp_write_char(writer, '"');
}

void fmp_write_line(fmp_writer *writer, const char *text, char banned, char instead)
{
    const char both[] = {banned, banned};
    for (const char *at = text ? text : ""; *(at = plain_run(writer, at, both));) {
        const char *begin = at;
        int32_t character = fmp_utf8_next(&at);
        if (character < 0)
            fmp_write(writer, replacement, sizeof replacement - 1);
        else if (character == banned || character < 0x20 || character == 0x7F)
            fmp_write_char(writer, instead);
        else
            fmp_write(writer, begin, (size_t)(at - begin));
    }
}
