/*
 * The machine and the build that a profile came from, for its JSON.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_REPORT_MACHINE_H
#define FM_REPORT_MACHINE_H

#include <stdbool.h>

typedef struct fm_machine {
    char os[160];        /* "Linux 6.1.0" */
    char architecture[80];
    char cpu_model[128]; /* empty when it cannot be read */
    int cpu_count;       /* online; 0 when not known */
} fm_machine;

void fm_machine_read(fm_machine *out);

/* Such as "gcc 12.2.0". */
const char *fm_build_compiler(void);
/* Was this library compiled with optimisation? */
bool fm_build_optimised(void);
/* Are assertions on? */
bool fm_build_assertions(void);
/* The sanitizers that it was built with, such as "address,undefined"; "": none. */
const char *fm_build_sanitizers(void);

#endif
