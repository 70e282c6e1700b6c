/*
 * What the machine does at the moment: how long its processors were busy, and
 * how hot it is. NAN: the system does not tell.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_SYSTEM_ACTIVITY_H
#define FM_SYSTEM_ACTIVITY_H

/* Seconds since the start of the machine, of its processors together; NAN: the system does not tell. */
typedef struct fm_processor_time {
    double busy;   /* with this and all other programs, and the kernel; waiting for a disk is not busy */
    double stolen; /* given to other machines by a hypervisor */
    double all;    /* these and the rest */
} fm_processor_time;

/* `root`: see files.h. */
fm_processor_time fm_processor_time_read(const char *root);

/*
 * Seconds since the start of the machine that its processors, together, were busy: with this and all other programs,
 * the kernel, and what a hypervisor gave to other machines. Waiting for a disk is not busy. `root`: see files.h.
 */
double fm_busy_seconds(const char *root);

/* Degrees Celsius of the hottest of the system's thermal zones. */
double fm_temperature(const char *root);

#endif
