/*
 * Which execution providers really work on this machine: each runs a small
 * network that is written in memory, and its results are compared with the
 * CPU's. Those that do not work come with the runtime's own words, those that
 * are not there with what would bring them.
 *
 * Thread-safety: Safe; takes as long as the providers' start (seconds, for
 * some that compile).
 */
#ifndef FM_INFERENCE_PROBE_H
#define FM_INFERENCE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "facemirror/path.h"
#include "inference/session.h"

typedef enum fm_probe_state {
    FM_PROBE_WORKS,
    FM_PROBE_FAILS,        /* it is here and did not run, or ran wrongly: `reason` */
    FM_PROBE_NOT_BUILT,    /* only another build of the runtime has it */
    FM_PROBE_NEEDS_PLUGIN  /* not in this build, and no plug-in that was loaded offers it */
} fm_probe_state;

/* What a plug-in can run on. */
typedef struct fm_probe_device {
    char type[8];     /* "gpu", "npu", "cpu" */
    char vendor[64];  /* of the hardware, such as "Intel"; "": not told */
    uint32_t vendor_id, device_id; /* as on the PCI bus; 0: not told */
} fm_probe_device;

enum { FM_PROBE_DEVICES_MAX = 8 };

typedef struct fm_probe {
    char name[64];   /* as --ep takes it */
    char full[64];   /* as ONNX Runtime calls it */
    fm_probe_state state;
    bool builtin;    /* compiled into the runtime */
    char reason[FM_ERROR_MESSAGE_MAX]; /* why it does not work; "": it does */
    char advice[160]; /* what would bring it; "": nothing, or it is here */
    double load_seconds, run_seconds; /* when it works: of the small network, the shortest run */
    double difference; /* when it ran: largest difference from the CPU's results, as a share of the largest of these */
    fm_probe_device devices[FM_PROBE_DEVICES_MAX];
    int device_count;
} fm_probe;

/*
 * Probes the CPU, all kinds of provider.h, and what plug-ins offer besides; *out is malloc'ed, the caller's.
 * `options`: "key=value", handed to every provider but the CPU. FM_E_RUNTIME when not even the CPU runs the network;
 * FM_E_NO_MEMORY.
 */
fm_status fm_probe_providers(fm_probe **out, int *count, fm_runtime *runtime, const char *const *options,
                             int option_count, fm_error *err);

/* How many devices the plug-in in that file, which was loaded, offers on this machine. */
int fm_probe_plugin_devices(const fm_runtime *runtime, const char *path);

/* "works", "fails", "not_built", "needs_plugin". */
const char *fm_probe_state_name(fm_probe_state state);

/* The file that the runtime was loaded from, into out (FM_PATH_MAX); false: not known. */
bool fm_probe_library(char *out);
/* The version of the library that is loaded, such as "1.29.0", also of one that is too old for fm_runtime_create. */
const char *fm_probe_version(void);

#endif
