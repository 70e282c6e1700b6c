/*
 * What a thread waits for, from what Linux says of it. Any text is fine.
 * Thread-safety: Safe.
 */
#ifndef FMP_WATCH_WAITS_CLASS_H
#define FMP_WATCH_WAITS_CLASS_H

#include "watch/threads_source.h"

/* From /proc/.../syscall: "running", or the number of a call; FMP_DOING_UNKNOWN: it does not tell, its state might. */
fmp_thread_doing fmp_doing_of_syscall(const char *text);
/* From the state of /proc/.../stat ('R', 'S', 'D') and the text of /proc/.../wchan, "" for none. */
fmp_thread_doing fmp_doing_of_state(char state, const char *wchan);

#endif
