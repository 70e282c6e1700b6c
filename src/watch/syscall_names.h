/* What system calls are called, and what their results mean. Thread-safety: Safe. */
#ifndef FMP_WATCH_SYSCALL_NAMES_H
#define FMP_WATCH_SYSCALL_NAMES_H

#include <stdbool.h>
#include <stdint.h>

/* "read"; NULL for a number that the headers of this build do not know. Lives as long as the process. */
const char *fmp_syscall_name(uint32_t number);

/* Whether the result of that call, when it is not an error, is how many bytes were moved. NULL: false. */
bool fmp_syscall_gives_bytes(const char *name);

#endif
