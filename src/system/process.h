/*
 * What this process and its threads take of the machine. What a system does not tell is 0.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_SYSTEM_PROCESS_H
#define FM_SYSTEM_PROCESS_H

#include <stdint.h>

/* CPU time of all threads, those that ended too, and of the calling thread: seconds. */
double fm_process_cpu_seconds(void);
double fm_thread_cpu_seconds(void);
/*
 * Time in which the calling thread could have run and no processor was free for it, seconds. Linux with scheduler
 * statistics (/proc/thread-self/schedstat) alone.
 */
double fm_thread_ready_seconds(void);
/* Memory that is resident now. */
int64_t fm_process_resident_bytes(void);
/* Processors that the process may use: those of its affinity, or fewer where its control group grants less. */
int fm_process_processors(void);

#endif
