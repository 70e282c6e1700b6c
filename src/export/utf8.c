#include "utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int32_t fmp_utf8_next(const char **text)
{
    const unsigned char *s = (const unsigned char *)*text;
    if (s[0] == 0)
        return 0;
    int extra = s[0] < 0x80 ? 0 : s[0] < 0xC2 ? -1 : s[0] < 0xE0 ? 1 : s[0] < 0xF0 ? 2
                : s[0] < 0xF5 ? 3 : -1;
    static const int32_t least[] = {0, 0x80, 0x800, 0x10000};
    static const unsigned char lead_mask[] = {0x7F, 0x1F, 0x0F, 0x07};
    *text += 1;
    if (extra < 0)
        return -1;
    int32_t character = s[0] & lead_mask[extra];
    for (int i = 1; i <= extra; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return -1;
        character = character << 6 | (s[i] & 0x3F);
    }
    if (character < least[extra] || character > 0x10FFFF ||
        (character >= 0xD800 && character <= 0xDFFF))
        return -1;
    *text += extra;
    return character;
}

typedef struct range {
    int32_t first, last;
} range;

static bool is_in(int32_t character, const range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return false;
}

/* Blocks of combining marks and joiners, and of East Asian Wide characters (UAX #11), in short. */
int fmp_utf8_columns(int32_t character)
{
    static const range zero[] = {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD},
                                 {0x064B, 0x065F}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},
                                 {0x200B, 0x200D}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F},
                                 {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0xE0100, 0xE01EF}};
    static const range wide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},
                                 {0xA960, 0xA97C},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
                                 {0xFE30, 0xFE6F},   {0xFF01, 0xFF60},   {0xFFE0, 0xFFE6},
                                 {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF},
                                 {0x20000, 0x3FFFD}};
    if (is_in(character, zero, sizeof zero / sizeof zero[0]))
        return 0;
    return is_in(character, wide, sizeof wide / sizeof wide[0]) ? 2 : 1;
}

/* The next character as it is shown; moves *text. */
static int32_t next_shown(const char **text)
{
    int32_t c = fmp_utf8_next(text);
    bool control = c < 0 || c == 0xFFFD || /* what became of an invalid byte in JSON is shown as the byte itself */
(c > 0 && c < 0x20) || (c >= 0x7F && c < 0xA0) || c == 0x2028 ||
                   c == 0x2029;
    bool direction = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
                     c == 0x200E || c == 0x200F;
    return control || direction ? '?' : c;
}

static void print_character(FILE *out, const char *begin, const char *end, int32_t shown)
{
    if (shown == '?')
        fputc('?', out);
    else
        fwrite(begin, 1, (size_t)(end - begin), out);
}

void fmp_utf8_print(FILE *out, const char *text)
{
    if (!text)
        return;
    for (const char *at = text;;) {
        const char *begin = at;
        int32_t shown = next_shown(&at);
        if (shown == 0)
            return;
        print_character(out, begin, at, shown);
    }
}

size_t fmp_utf8_width(const char *text)
{
    size_t columns = 0;
    for (int32_t shown; (shown = next_shown(&text)) != 0;)
        columns += (size_t)fmp_utf8_columns(shown);
    return columns;
}

void fmp_utf8_print_fitted(FILE *out, const char *text, int width)
{
    text = text ? text : "";
    size_t room = (size_t)width, all = fmp_utf8_width(text);
    size_t head = all, tail = all; /* shown: columns [0, head) and [tail, all) */
    if (all > room) {
        head = (room - 3) / 2;
        tail = all - (room - 3 - head);
    }
    size_t column = 0, printed = 0;
    bool cut = false;
    for (const char *at = text;;) {
        const char *begin = at;
        int32_t shown = next_shown(&at);
        if (shown == 0)
            break;
        size_t columns = (size_t)fmp_utf8_columns(shown);
        /* A mark without columns belongs to the character before it, and goes where that went. */
        size_t from = columns == 0 && column > 0 ? column - 1 : column;
        if (column + columns <= head || from >= tail) {
            print_character(out, begin, at, shown);
            printed += columns;
        } else if (!cut) {
            fputs("...", out);
            printed += 3;
            cut = true;
        }
        column += columns;
    }
    for (; printed < room; printed++)
        fputc(' ', out);
}

char *fmp_utf8_valid_copy(const char *text)
{
    static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */
    size_t length = strlen(text);
    if (length > SIZE_MAX / 4)
        return NULL;
    char *copy = malloc(length * 3 + 1);
    if (!copy)
        return NULL;
    size_t size = 0;
    for (const char *at = text; *at;) {
        const char *begin = at;
        bool valid = fmp_utf8_next(&at) >= 0;
        size_t bytes = valid ? (size_t)(at - begin) : sizeof replacement - 1;
        memcpy(copy + size, valid ? begin : replacement, bytes);
        size += bytes;
    }
    copy[size] = '\0';
    return copy;
}
