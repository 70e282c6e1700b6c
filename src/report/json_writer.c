#include "report/json_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/figures.h"
#include "export/utf8.h"

fm_json fm_json_begin(FILE *out)
{
    errno = 0;
    return (fm_json){.out = out, .first = true};
}

static void put_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (const char *at = text;;) {
        const char *begin = at;
        const int32_t c = fmp_utf8_next(&at);
        if (c == 0)
            break;
        if (c < 0)
            fputs("\xEF\xBF\xBD", out); /* U+FFFD */
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", (char)c);
        else if (c < 0x20 || c == 0x7F)
            fprintf(out, "\\u%04x", (unsigned)c);
        else
            fwrite(begin, 1, (size_t)(at - begin), out);
    }
    fputc('"', out);
}

/* The comma, line and key before a value. */
static void lead(fm_json *json, const char *key)
{
    if (!json->first)
        fputs(json->line ? ", " : ",", json->out);
    if (!json->line && json->depth > 0)
        fprintf(json->out, "\n%*s", json->depth * 2, "");
    if (key) {
        put_string(json->out, key);
        fputs(": ", json->out);
    }
    json->first = false;
}

void fm_json_open(fm_json *json, const char *key, char bracket)
{
    lead(json, key);
    fputc(bracket, json->out);
    json->depth++;
    json->first = true;
}

void fm_json_close(fm_json *json, char bracket)
{
    json->depth--;
    if (!json->first)
        fprintf(json->out, "\n%*s", json->depth * 2, "");
    fputc(bracket, json->out);
    json->first = false;
}

void fm_json_open_line(fm_json *json, const char *key)
{
    lead(json, key);
    fputc('[', json->out);
    json->line++;
    json->first = true;
}

void fm_json_close_line(fm_json *json)
{
    fputc(']', json->out);
    json->line--;
    json->first = false;
}

void fm_json_null(fm_json *json, const char *key)
{
    lead(json, key);
    fputs("null", json->out);
}

void fm_json_bool(fm_json *json, const char *key, bool value)
{
    lead(json, key);
    fputs(value ? "true" : "false", json->out);
}

void fm_json_integer(fm_json *json, const char *key, int64_t value)
{
    lead(json, key);
    fprintf(json->out, "%" PRId64, value);
}

void fm_json_count(fm_json *json, const char *key, uint64_t value)
{
    fm_json_integer(json, key, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

void fm_json_text(fm_json *json, const char *key, const char *text)
{
    if (!text) {
        fm_json_null(json, key);
        return;
    }
    lead(json, key);
    put_string(json->out, text);
}

void fm_json_fact(fm_json *json, const char *key, double value)
{
    char text[FMP_TIME_TEXT_SIZE];
    fmp_exact(text, value + 0.0); /* -0 becomes 0 */
    lead(json, key);
    fputs(text, json->out);
}

void fm_json_real(fm_json *json, const char *key, double value)
{
    char text[FMP_TIME_TEXT_SIZE];
    fmp_rounded(text, value + 0.0);
    lead(json, key);
    fputs(text, json->out);
}

uint64_t fm_json_nanoseconds(double seconds)
{
    const double whole = floor(seconds);
    return (uint64_t)whole * 1000000000u + (uint64_t)llrint((seconds - whole) * 1e9);
}

void fm_json_seconds(fm_json *json, const char *key, uint64_t nanoseconds)
{
    lead(json, key);
    if (nanoseconds >= (uint64_t)1 << 52) { /* a double of seconds no longer tells these apart */
        char text[32];
        snprintf(text, sizeof text, "%" PRIu64 "e-9", nanoseconds);
        nanoseconds = fm_json_nanoseconds(strtod(text, NULL));
    }
    fprintf(json->out, "%" PRIu64, nanoseconds / 1000000000u);
    unsigned rest = (unsigned)(nanoseconds % 1000000000u);
    int digits = 9;
    for (; digits > 0 && rest % 10 == 0; digits--)
        rest /= 10;
    if (digits > 0)
        fprintf(json->out, ".%0*u", digits, rest);
}

fm_status fm_stream_failed(const char *what, fm_error *err)
{
    const int cause = errno ? errno : EIO;
    return fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT),
                   "cannot write %s: %s; check where its output goes", what, strerror(cause));
}

fm_status fm_stream_status(FILE *out, const char *what, fm_error *err)
{
    return fflush(out) == 0 && !ferror(out) ? FM_OK : fm_stream_failed(what, err);
}

fm_status fm_json_finish(fm_json *json, const char *what, fm_error *err)
{
    fputc('\n', json->out);
    return fm_stream_status(json->out, what, err);
}
