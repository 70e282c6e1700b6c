/* Perfetto's SDK through its C interface: slices, into a ring buffer in this process. */
#include <perfetto_c.h>

#include "peer.h"

#define PEER_CATEGORIES(C) C(category_on, "on", "In the session") C(category_off, "off", "Not in the session")

PERFETTO_TE_CATEGORIES_DEFINE(PEER_CATEGORIES)

/*
 * perfetto.protos.TraceConfig: buffers {size_kb: 4096 fill_policy: RING_BUFFER}
 * data_sources {config {name: "track_event" track_event_config {
 * disabled_categories: "*" enabled_categories: "on"}}}
 */
static const char session_config[] =
    "\x0a\x05\x08\x80\x20\x20\x01"
    "\x12\x19\x0a\x17\x0a\x0btrack_event\x8a\x07\x07\x0a\x01*\x12\x02on";

static const char *start(const char *folder)
{
    (void)folder;
    struct PerfettoProducerInitArgs args = PERFETTO_PRODUCER_INIT_ARGS_INIT();
    args.backends = PERFETTO_BACKEND_IN_PROCESS;
    PerfettoProducerInit(args);
    PerfettoTeInit();
    PERFETTO_TE_REGISTER_CATEGORIES(PEER_CATEGORIES);
    struct PerfettoTracingSessionImpl *session = PerfettoTracingSessionCreate(PERFETTO_BACKEND_IN_PROCESS);
    PerfettoTracingSessionSetup(session, (void *)session_config, sizeof session_config - 1);
    PerfettoTracingSessionStartBlocking(session);
    if (!PERFETTO_ATOMIC_LOAD_EXPLICIT(category_on.enabled, PERFETTO_MEMORY_ORDER_RELAXED))
        return "the tracing session does not record the category that it names";
    if (PERFETTO_ATOMIC_LOAD_EXPLICIT(category_off.enabled, PERFETTO_MEMORY_ORDER_RELAXED))
        return "the tracing session records every category";
    return 0;
}

static void on_batch(int count)
{
    for (int i = 0; i < count; i++) {
        PERFETTO_TE(category_on, PERFETTO_TE_SLICE_BEGIN("scope"));
        PEER_BODY();
        PERFETTO_TE(category_on, PERFETTO_TE_SLICE_END());
    }
}

static void off_batch(int count)
{
    for (int i = 0; i < count; i++) {
        PERFETTO_TE(category_off, PERFETTO_TE_SLICE_BEGIN("scope"));
        PEER_BODY();
        PERFETTO_TE(category_off, PERFETTO_TE_SLICE_END());
    }
}

const peer the_peer = {
    .open = start,
    .cases = {
        {"Perfetto SDK, slice, in a session (ring buffer)", 0, on_batch, 0},
        {"Perfetto SDK, slice, category not enabled", 0, off_batch, 0},
    },
};
