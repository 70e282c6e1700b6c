/*
 * What the subcommands share. Each subcommand is one file with one entry that
 * takes its own argv (argv[0] is the subcommand) and returns the exit code.
 *
 * Text goes to stdout, diagnostics to stderr.
 */
#ifndef FM_CLI_CLI_H
#define FM_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "facemirror/run.h"

int fm_cmd_run(int argc, char **argv);
int fm_cmd_models(int argc, char **argv);
int fm_cmd_inspect(int argc, char **argv); /* of models */
int fm_cmd_packs_add(int argc, char **argv);
int fm_cmd_packs_list(int argc, char **argv);
int fm_cmd_packs_remove(int argc, char **argv);
int fm_cmd_packs_verify(int argc, char **argv);
int fm_cmd_demo_clip(int argc, char **argv);
int fm_cmd_doctor(int argc, char **argv);
int fm_cmd_report(int argc, char **argv);
int fm_cmd_merge(int argc, char **argv);
int fm_cmd_bench(int argc, char **argv);
int fm_cmd_compare(int argc, char **argv);

/* The argv of main, for a restart of the program: its words may have another order by then, with the same meaning. */
extern char **fm_cli_arguments;

/* Prints "facemirror: MESSAGE" and returns the exit code of the error. */
int fm_cli_fail(const fm_error *err);
/* A usage error: the message and where to read more. Returns the exit code. */
int fm_cli_usage(const char *command, const char *format, ...) FM_PRINTF(2, 3);

/*
 * A usage error for the '?' or ':' that getopt_long just returned; its own messages are off, since the
 * commands' option strings begin with ':'. Returns the exit code.
 */
int fm_cli_bad_option(const char *command, int c, char **argv);

/* getopt_long begins anew, with other arguments. */
void fm_cli_options_anew(void);

/* Parse a whole argument; false when it is not a number of the range. Decimal point whatever the locale. */
bool fm_cli_seconds(const char *text, double *out);  /* 0 or more; also M:SS and H:MM:SS */
bool fm_cli_number(const char *text, double *out);   /* finite, 0 or more */
bool fm_cli_count(const char *text, int64_t max, int64_t *out); /* 0..max */
bool fm_cli_side(const char *text, fm_side *out);    /* left, right */
bool fm_cli_sort(const char *text, fmp_sort *out);   /* total, self, count, mean, max, p99, name */

/* The values of an option that may be repeated; they stay the caller's. */
enum { FM_CLI_WORDS_MAX = 64 };
typedef struct fm_cli_words {
    const char *list[FM_CLI_WORDS_MAX];
    int count;
} fm_cli_words;

/* -1, or the exit code after a message when there are too many. */
int fm_cli_words_add(fm_cli_words *words, const char *word, const char *command, const char *option);
/* --ep, --ep-option and --ep-library as a run takes them; points into the words. */
fm_provider_options fm_cli_providers(const fm_cli_words *ep, const fm_cli_words *options, const fm_cli_words *libraries);

/*
 * Whether the words behind argv[0] are options that `run` takes for a configuration of a bench: 0, or the exit code
 * after a message. *pack (models/pack.h): the one that it would run with, the caller's, also after some errors.
 */
struct fm_pack;
int fm_cli_run_check(int argc, char **argv, struct fm_pack **pack);

/* The terminal on `stream` shows UTF-8. False when it is no terminal. */
bool fm_cli_utf8(FILE *stream);

/*
 * From now on Ctrl-C and SIGTERM are but noted, once, for a command that asks
 * fm_interrupt_wanted and ends cleanly; a second one ends the process at once.
 */
void fm_interrupt_install(void);
bool fm_interrupt_wanted(void *unused);
/* 128 + the signal's number, 0 when none came. */
int fm_interrupt_exit_code(void);

/* "1:05" or "1:02:03"; "-:--" when it is not known (negative). */
void fm_cli_duration(char out[16], double seconds);

/* Progress on stderr: one rewritten line on a terminal, plain lines every few seconds elsewhere. */
typedef struct fm_cli_progress {
    bool terminal, quiet, shown;
    double last_line; /* elapsed seconds at the last plain line */
} fm_cli_progress;

void fm_cli_progress_init(fm_cli_progress *progress, bool quiet);
void fm_cli_progress_update(void *progress, const fm_progress *state);
/* Takes the line away, so that other text can follow. Not at the same time as an update. */
void fm_cli_progress_clear(fm_cli_progress *progress);

#endif
