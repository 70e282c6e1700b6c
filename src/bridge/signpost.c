/* Apple's signposts (<os/signpost.h>, macOS 10.14): intervals "scope" of the subsystem "fmprof" in Instruments. */
#include <stdio.h>

#include "bridge/bridge.h"

#ifdef __APPLE__
#include <os/log.h>
#include <os/signpost.h>

static os_log_t category_of_all;

/* Intervals of one thread are told apart by a number each; scopes deeper than this are not shown. */
enum { DEPTH_MAX = 256 };
static _Thread_local os_signpost_id_t open_ones[DEPTH_MAX];
static _Thread_local unsigned depth;

static bool open_signpost(char said[FMP_ANNOTATOR_MESSAGE_SIZE])
{
    category_of_all = os_log_create("fmprof", "scopes");
    snprintf(said, FMP_ANNOTATOR_MESSAGE_SIZE, "on by os_signpost, subsystem \"fmprof\"");
    return true;
}

static void begin(const char *category, const char *operation)
{
    if (depth < DEPTH_MAX) {
        open_ones[depth] = os_signpost_id_generate(category_of_all);
        os_signpost_interval_begin(category_of_all, open_ones[depth], "scope", "%{public}s %{public}s", category,
                                   operation);
    }
    depth++;
}

static void end(void)
{
    if (--depth < DEPTH_MAX)
        os_signpost_interval_end(category_of_all, open_ones[depth], "scope");
}
#else
static bool open_signpost(char said[FMP_ANNOTATOR_MESSAGE_SIZE])
{
    snprintf(said, FMP_ANNOTATOR_MESSAGE_SIZE, "signposts are macOS's");
    return false;
}

static void begin(const char *category, const char *operation)
{
    (void)category;
    (void)operation;
}

static void end(void)
{
}
#endif

const fmp_annotator fmp_annotator_signpost = {FMP_ANNOTATE_SIGNPOST, "signpost", open_signpost, begin, end, NULL};
