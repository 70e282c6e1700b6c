/*
 * The machine as a run meets it: how busy it is, what it may use, and what it
 * really is. From /proc, /sys and the marks that containers leave; what a
 * system does not tell stays empty. (Processor and kernel: report/machine.h.)
 *
 * Thread-safety: Safe.
 */
#ifndef FM_SYSTEM_HOST_H
#define FM_SYSTEM_HOST_H

#include <stdint.h>

typedef struct fm_host {
    double load;              /* processes that run or wait to, mean of the last minute; NAN: not known */
    char governor[32];        /* of the first processor's frequency; "": the system does not tell */
    uint64_t memory, memory_available, swap, swap_free; /* bytes; 0: none, or not known */
    char container[32];       /* "docker", "podman", "lxc", "kubernetes"...; "": none that shows */
    char hypervisor[64];      /* "KVM", "VMware"..., "yes" when only that there is one is known; "": none */
    double cpu_limit;         /* processors that the control group grants; 0: no limit */
    uint64_t memory_limit;    /* bytes that the control group grants; 0: no limit */
} fm_host;

/* `root`: see files.h. */
void fm_host_read(const char *root, fm_host *out);

#endif
