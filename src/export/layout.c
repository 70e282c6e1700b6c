/* How the parts of text reports are laid out: rules, sections, running text. */
#include <string.h>

#include "text.h"
#include "utf8.h"

void fmp_text_dashes(FILE *out, int columns, bool utf8)
{
    for (int i = 0; i < columns; i++)
        fputs(utf8 ? "─" : "-", out);
}

void fmp_text_rule(FILE *out, bool heavy, bool utf8)
{
    for (int i = 0; i < FMP_TEXT_COLUMNS; i++)
        fputs(heavy ? (utf8 ? "═" : "=") : (utf8 ? "─" : "-"), out);
    fputc('\n', out);
}

void fmp_text_head_rule(FILE *out, const int *columns, size_t count, bool utf8)
{
    fmp_text_dashes(out, FMP_NAME_COLUMNS, utf8);
    for (size_t i = 0; i < count; i++) {
        fputc(' ', out);
        fmp_text_dashes(out, columns[i], utf8);
    }
    fputc('\n', out);
}

void fmp_text_section(FILE *out, const char *title, bool utf8)
{
    fmp_text_rule(out, false, utf8);
    fputs(title, out);
    fputc('\n', out);
    fmp_text_rule(out, false, utf8);
}

/* Columns of the word at `text`, whose end goes to *end. */
static int word_columns(const char *text, const char **end)
{
    int columns = 0;
    const char *at = text;
    while (*at && *at != ' ') {
        const int32_t c = fmp_utf8_next(&at);
        columns += c < 0 ? 1 : fmp_utf8_columns(c);
    }
    *end = at;
    return columns;
}

/* A word from column `at` on, broken where it reaches the edge; returns where it ended. */
static int print_word(FILE *out, const char *word, const char *end, int at, int column, int columns)
{
    while (word < end) {
        char character[5] = "";
        const char *begin = word;
        const int32_t c = fmp_utf8_next(&word);
        const int width = c < 0 ? 1 : fmp_utf8_columns(c);
        if (at + width > columns && at > column) {
            fprintf(out, "\n%*s", column, "");
            at = column;
        }
        memcpy(character, begin, (size_t)(word - begin));
        fmp_utf8_print(out, character);
        at += width;
    }
    return at;
}

void fmp_text_wrapped(FILE *out, const char *text, int column, int columns)
{
    int at = column;
    for (const char *p = text, *end; *p;) {
        const int width = word_columns(p, &end);
        if (at > column && at + 1 + width > columns) {
            fprintf(out, "\n%*s", column, "");
            at = column;
        } else if (at > column) {
            fputc(' ', out);
            at++;
        }
        at = print_word(out, p, end, at, column, columns);
        for (p = end; *p == ' '; p++)
            ;
    }
    fputc('\n', out);
}
