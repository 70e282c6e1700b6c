/* LTTng-UST: a tracepoint without payload at both ends of the scope, the least that tells a duration. */
#include <time.h>

#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "lttng_tracepoints.h"

#include "peer.h"

/* The session daemon enables the tracepoints from its own thread some time after they are loaded. */
static const char *wait_until_enabled(const char *folder)
{
    (void)folder;
    for (int i = 0; i < 500; i++) {
        if (lttng_ust_tracepoint_enabled(peers, on_begin) && lttng_ust_tracepoint_enabled(peers, on_end))
            return lttng_ust_tracepoint_enabled(peers, off_begin) ? "the session enables peers:off_begin too" : NULL;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return "no LTTng session enabled peers:on_*";
}

static void on_batch(int count)
{
    for (int i = 0; i < count; i++) {
        lttng_ust_tracepoint(peers, on_begin);
        PEER_BODY();
        lttng_ust_tracepoint(peers, on_end);
    }
}

static void off_batch(int count)
{
    for (int i = 0; i < count; i++) {
        lttng_ust_tracepoint(peers, off_begin);
        PEER_BODY();
        lttng_ust_tracepoint(peers, off_end);
    }
}

const peer the_peer = {
    .open = wait_until_enabled,
    .cases = {
        {"LTTng-UST, 2 tracepoints, in a session (overwrite mode)", NULL, on_batch, NULL},
        {"LTTng-UST, 2 tracepoints, not enabled", NULL, off_batch, NULL},
    },
};
