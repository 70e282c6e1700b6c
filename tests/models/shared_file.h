/* For tests: the files that lie beside the source tree and are not part of it. */
#ifndef TESTS_SHARED_FILE_H
#define TESTS_SHARED_FILE_H

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

/* Where a shared file would be: in FACEMIRROR_SHARED, else in ../shared seen from the source tree. */
static inline void shared_path(char out[FM_PATH_MAX], const char *name)
{
    const char *shared = getenv("FACEMIRROR_SHARED"), *deps = getenv("FACEMIRROR_DEPS");
    if (shared && *shared)
        snprintf(out, FM_PATH_MAX, "%s/%s", shared, name);
    else
        snprintf(out, FM_PATH_MAX, "%s/../../shared/%s", deps ? deps : "deps", name);
}

#endif
