/* The configurations of a bench, checked before anything runs. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/cli.h"

static bool name_ok(const char *name, size_t length)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    return length > 0 && length < FM_BENCH_NAME_MAX && strspn(name, allowed) >= length && name[0] != '-';
}

/*
 * Moves the next word of a text to `out` and ends it there; NULL: an open quote. *at is then behind it. `out` never
 * overtakes *at, so both may be of one text.
 */
static char *take_word(char **at, char *out)
{
    char quote = 0;
    char *from = *at;
    for (; *from && (quote || !strchr(" \t\n", *from)); from++) {
        if (quote ? *from == quote : *from == '\'' || *from == '"') {
            quote = quote ? 0 : *from;
            continue;
        }
        if (*from == '\\' && quote != '\'' && from[1])
            from++;
        *out++ = *from;
    }
    if (quote)
        return NULL;
    *at = *from ? from + 1 : from;
    *out++ = '\0';
    return out;
}

static int split(fm_bench_setting *s)
{
    char *at = s->text, *out = s->text;
    for (;;) {
        at += strspn(at, " \t\n");
        if (!*at)
            return 0;
        if (s->word_count == FM_BENCH_WORDS_MAX)
            return fm_cli_usage("bench", "the configuration '%s' has more than %d words", s->name, FM_BENCH_WORDS_MAX);
        s->words[s->word_count++] = out;
        out = take_word(&at, out);
        if (!out)
            return fm_cli_usage("bench", "a quote in the configuration '%s' does not end", s->name);
    }
}

static int check(fm_bench_setting *s)
{
    char *words[FM_BENCH_WORDS_MAX + 2] = {"run"};
    for (int i = 0; i < s->word_count; i++)
        words[i + 1] = s->words[i];
    const int code = fm_cli_run_check(s->word_count + 1, words, &s->pack);
    if (code != 0)
        fprintf(stderr, "facemirror: that was of the configuration '%s'; nothing was run\n", s->name);
    return code;
}

int fm_bench_setting_parse(fm_bench_setting *out, const char *text)
{
    const char *colon = strchr(text, ':');
    *out = (fm_bench_setting){0};
    if (!colon || !name_ok(text, (size_t)(colon - text)))
        return fm_cli_usage("bench",
                            "--config takes \"NAME: options\", the name of letters, digits, '_' and '-', not '%s'",
                            text);
    memcpy(out->name, text, (size_t)(colon - text));
    out->options = colon + 1 + strspn(colon + 1, " \t\n");
    out->text = malloc(strlen(out->options) + 1);
    if (!out->text) {
        fputs("facemirror: out of memory\n", stderr);
        return fm_exit_code(FM_E_NO_MEMORY);
    }
    memcpy(out->text, out->options, strlen(out->options) + 1);
    const int code = split(out);
    return code != 0 ? code : check(out);
}

void fm_bench_setting_free(fm_bench_setting *s)
{
    free(s->text);
    fm_pack_free(&s->pack);
    s->text = NULL;
}
