/*
 * What this machine lets a program measure beyond itself: performance
 * counters, energy, other processes, system calls, the GPU. Every question is
 * put by doing it (an event is opened and closed again), never by a guess
 * from a setting alone; nothing is changed. It is what `run --system` needs,
 * whose facility stands in the name.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_SYSTEM_PERMISSIONS_H
#define FM_SYSTEM_PERMISSIONS_H

#include <stdbool.h>

typedef enum fm_check_state {
    FM_CHECK_OK,     /* works */
    FM_CHECK_ABSENT, /* this machine or system does not have it */
    FM_CHECK_DENIED  /* it is there and not permitted */
} fm_check_state;

typedef struct fm_check {
    const char *id;     /* "perf_cycles"; constant */
    const char *name;   /* for people; constant */
    fm_check_state state;
    char detail[192];
    char fix[192];      /* what to do when it is denied, a command where there is one; "": nothing */
} fm_check;

typedef enum fm_perf_event { FM_PERF_TASK_CLOCK, FM_PERF_CYCLES } fm_perf_event;

/* How the machine is asked. */
typedef struct fm_probes {
    const char *root; /* see files.h */
    /* 0, or the errno with which the kernel refuses the event, of this thread, in user mode alone. */
    int (*open_perf)(fm_perf_event event);
    bool (*has_library)(const char *name); /* that can be loaded */
} fm_probes;

/* This machine. */
fm_probes fm_probes_real(void);

enum { FM_PERMISSIONS = 6 };

/* In the order: perf_paranoid, perf_task_clock, perf_cycles, energy, ptrace, nvml. */
void fm_permissions_check(const fm_probes *probes, fm_check out[FM_PERMISSIONS]);

/* "ok", "absent", "denied". */
const char *fm_check_state_name(fm_check_state state);

#endif
