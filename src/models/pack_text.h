/*
 * Texts of a manifest: which characters may stand in them.
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_MODELS_PACK_TEXT_H
#define FM_MODELS_PACK_TEXT_H

#include <stdbool.h>
#include <string.h>

/* A letter or a digit of ASCII, in every locale. */
static inline bool fm_text_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters, digits, and the characters of `also`; true for "". */
static inline bool fm_text_is_plain(const char *text, const char *also)
{
    for (; *text; text++)
        if (!fm_text_is_letter(*text) && !strchr(also, *text))
            return false;
    return true;
}

#endif
