/*
 * --system, --system-alloc and --system-rate of `run`.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_CLI_SYSTEM_OPTION_H
#define FM_CLI_SYSTEM_OPTION_H

#include "facemirror/run.h"

/*
 * What --system is given: facilities by comma, "usual" (also NULL, the option without a value) and "all" among them.
 * Adds them to those of an earlier one. -1, or the exit code after a message that names what is not known.
 */
int fm_cli_system_list(const char *list, fm_run_options *options);

/* "exact", or a size of at least 1 byte, with K, M or G (of 1024) behind it. False when it is none. */
bool fm_cli_system_alloc(const char *text, fm_run_options *options);

/* Samples a second, 1 to 10000. False when it is none. */
bool fm_cli_system_rate(const char *text, fm_run_options *options);

/* Whether the options fit each other, once all are taken: -1, or the exit code after a message. */
int fm_cli_system_check(const fm_run_options *options);

/*
 * Where allocations are to be watched, the interposer must be there when a program starts: restarts this one with it,
 * once. Before threads are made and files are opened; where it cannot, the report says why and the run goes on.
 */
void fm_cli_system_restart(const fm_run_options *options);

#endif
