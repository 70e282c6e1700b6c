#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

int fm_cli_fail(const fm_error *err)
{
    fprintf(stderr, "facemirror: %s\n", err->message);
    return fm_exit_code(err->status);
}

int fm_cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("facemirror: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; see 'facemirror%s%s --help'\n", *command ? " " : "", command);
    return fm_exit_code(FM_E_USAGE);
}

int fm_cli_bad_option(const char *command, int c, char **argv)
{
    const char *word = argv[optind - 1];
    const bool is_long = strncmp(word, "--", 2) == 0;
    /* A short option may stand among others in its word, so optopt names it. */
    if (!is_long && optopt > 0 && optopt < 128)
        return fm_cli_usage(command, c == ':' ? "the option '-%c' needs a value" : "the option '-%c' is not known",
                            optopt);
    if (c == ':')
        return fm_cli_usage(command, "the option '%s' needs a value", word);
    return fm_cli_usage(command, optopt ? "the option '%s' takes no value" : "the option '%s' is not known or not unique",
                        word);
}

void fm_cli_options_anew(void)
{
#ifdef __APPLE__
    optreset = 1;
    optind = 1;
#else
    optind = 0;
#endif
}

bool fm_cli_number(const char *text, double *out)
{
    char *end;
    errno = 0;
    const double value = strtod(text, &end);
    if (end == text || *end || errno == ERANGE || !isfinite(value) || value < 0)
        return false;
    *out = value;
    return true;
}

bool fm_cli_seconds(const char *text, double *out)
{
    char part[64];
    double total = 0;
    for (int parts = 0; parts < 3; parts++) {
        const char *colon = strchr(text, ':');
        const size_t length = colon ? (size_t)(colon - text) : strlen(text);
        double value;
        if (length == 0 || length >= sizeof part)
            return false;
        memcpy(part, text, length);
        part[length] = 0;
        if (!fm_cli_number(part, &value))
            return false;
        total = total * 60 + value;
        if (!colon) {
            *out = total;
            return true;
        }
        text = colon + 1;
    }
    return false;
}

bool fm_cli_count(const char *text, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno == ERANGE || value < 0 || value > max)
        return false;
    *out = value;
    return true;
}

bool fm_cli_side(const char *text, fm_side *out)
{
    if (strcmp(text, "left") != 0 && strcmp(text, "right") != 0)
        return false;
    *out = text[0] == 'l' ? FM_SIDE_LEFT : FM_SIDE_RIGHT;
    return true;
}

bool fm_cli_sort(const char *text, fmp_sort *out)
{
    static const char *const keys[] = {"total", "self", "count", "mean", "max", "p99", "name"}; /* as fmp_sort */
    for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i], text) == 0) {
            *out = (fmp_sort)i;
            return true;
        }
    }
    return false;
}

int fm_cli_words_add(fm_cli_words *words, const char *word, const char *command, const char *option)
{
    if (words->count == FM_CLI_WORDS_MAX)
        return fm_cli_usage(command, "%s is given more than %d times", option, FM_CLI_WORDS_MAX);
    words->list[words->count++] = word;
    return -1;
}

fm_provider_options fm_cli_providers(const fm_cli_words *ep, const fm_cli_words *options, const fm_cli_words *libraries)
{
    return (fm_provider_options){
        .providers = ep->list,
        .provider_count = ep->count,
        .options = options->list,
        .option_count = options->count,
        .libraries = libraries->list,
        .library_count = libraries->count,
    };
}

bool fm_cli_utf8(FILE *stream)
{
    const int fd = fileno(stream);
    return fd >= 0 && isatty(fd) && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}
