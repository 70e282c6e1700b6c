/*
 * Intel's Instrumentation and Tracing Technology by its own static part (ittnotify.h, libittnotify.a, with which the
 * library is built when they are there): it loads the collector that INTEL_LIBITTNOTIFY64 names. How the two talk is
 * private to them and has changed, so it is not done by hand.
 */
#include <stdio.h>

#include "bridge/bridge.h"

#ifdef FMP_HAVE_ITT
#include <ittnotify.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

static __itt_domain *domain;

/*
 * String handles by the address of the operation's name, which stays: making one takes a lock and a search through
 * all. A slot whose handle is still to come, or a full table, costs that search again, no more.
 */
enum { HANDLES = 1024 }; /* a power of two */
static struct {
    _Atomic(const char *) name;
    _Atomic(__itt_string_handle *) handle;
} handles[HANDLES];

static __itt_string_handle *handle_of(const char *operation)
{
    size_t at = ((uintptr_t)operation >> 4) * 2654435761u % HANDLES;
    for (size_t tries = 0; tries < HANDLES; tries++, at = (at + 1) % HANDLES) {
        const char *name = atomic_load_explicit(&handles[at].name, memory_order_acquire);
        if (!name)
            atomic_compare_exchange_strong(&handles[at].name, &name, operation);
        if (name && name != operation)
            continue;
        __itt_string_handle *handle = atomic_load_explicit(&handles[at].handle, memory_order_acquire);
        if (!handle) {
            handle = __itt_string_handle_create(operation);
            atomic_store_explicit(&handles[at].handle, handle, memory_order_release);
        }
        return handle;
    }
    return __itt_string_handle_create(operation);
}

static bool open_itt(char said[FMP_ANNOTATOR_MESSAGE_SIZE])
{
    domain = __itt_domain_create("fmprof");
    if (!domain) {
        const char *collector = getenv("INTEL_LIBITTNOTIFY64");
        snprintf(said, FMP_ANNOTATOR_MESSAGE_SIZE, "no collector: %s",
                 collector ? "what INTEL_LIBITTNOTIFY64 names cannot be used" : "INTEL_LIBITTNOTIFY64 names none");
        return false;
    }
    snprintf(said, FMP_ANNOTATOR_MESSAGE_SIZE, "on by ittnotify, domain \"fmprof\"");
    return true;
}

static void begin(const char *category, const char *operation)
{
    (void)category;
    __itt_task_begin(domain, __itt_null, __itt_null, handle_of(operation));
}

static void end(void)
{
    __itt_task_end(domain);
}

static void name_thread(const char *name)
{
    __itt_thread_set_name(name);
}
#else
static bool open_itt(char said[FMP_ANNOTATOR_MESSAGE_SIZE])
{
    snprintf(said, FMP_ANNOTATOR_MESSAGE_SIZE, "built without Intel's ittnotify (meson option itt)");
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

static void name_thread(const char *name)
{
    (void)name;
}
#endif

const fmp_annotator fmp_annotator_itt = {FMP_ANNOTATE_ITT, "itt", open_itt, begin, end, name_thread};
