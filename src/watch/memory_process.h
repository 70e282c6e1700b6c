/*
 * The process's share of the memory facility: how much is resident, and page
 * faults. memory.c embeds the struct and calls begin, read and end.
 */
#ifndef FMP_WATCH_MEMORY_PROCESS_H
#define FMP_WATCH_MEMORY_PROCESS_H

#include <stdint.h>

#include "fmprof/fmprof.h"
#include "watch/facility.h"

/* Bytes; not a number where the system does not tell. */
typedef struct fmp_process_memory {
    int statm; /* file that is read again and again; -1: none */
    double begin, now, largest; /* resident: at begin, at the latest reading, the largest reading */
    double peak_before;         /* of the process's life, at begin */
    double minor_faults, major_faults; /* at begin */
    const char *root;
    const fmp_metric *gauge; /* made when a trace first runs */
} fmp_process_memory;

/* `root` stands before /proc and must live until the end. */
void fmp_process_memory_begin(fmp_process_memory *memory, const char *root);
/* Reads the resident size; while a trace runs it is a gauge there. Cheap: one system call. */
void fmp_process_memory_read(fmp_process_memory *memory);
/* Adds the table "memory" and frees what begin took. Not to be called twice. */
void fmp_process_memory_end(const fmp_process_memory *memory, const fmp_watch_info *info, fmp_tables *tables);

/* What the process is called in tables: the program's name. Never NULL; lives as long as the process. */
const char *fmp_process_name(void);

#endif
