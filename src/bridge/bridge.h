/* The profilers that scopes are told to, a file each. */
#ifndef FMP_BRIDGE_BRIDGE_H
#define FMP_BRIDGE_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "fmprof/bridge.h"

enum { FMP_ANNOTATOR_MESSAGE_SIZE = 128 };

/*
 * `open` makes it ready, once, and says by what, or why it cannot be (false).
 * The others are called on the thread that they are about, after `open`, each
 * `end` after its `begin`; strings live as long as the process.
 */
typedef struct fmp_annotator {
    unsigned annotation; /* its bit */
    const char *name;    /* in FMP_BRIDGE */
    bool (*open)(char message[FMP_ANNOTATOR_MESSAGE_SIZE]);
    void (*begin)(const char *category, const char *operation);
    void (*end)(void);
    void (*name_thread)(const char *name); /* NULL: has none */
} fmp_annotator;

extern const fmp_annotator fmp_annotator_nvtx, fmp_annotator_itt, fmp_annotator_signpost;

#endif
