#include "bridge/bridge.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fmprof/current.h"

static const fmp_annotator *const annotators[] = {&fmp_annotator_nvtx, &fmp_annotator_itt, &fmp_annotator_signpost};
enum { ANNOTATORS = sizeof annotators / sizeof annotators[0] };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* Written before the bridge is set for the first time, never after: read by every scope. */
static const fmp_annotator *active[ANNOTATORS];
static size_t active_count;
static unsigned active_bits;

static _Thread_local bool named;

static uint64_t this_thread(void)
{
#ifdef __linux__
    return (uint64_t)gettid();
#else
    uint64_t id = 0;
    pthread_threadid_np(NULL, &id);
    return id;
#endif
}

/* The name that fmp_thread_name gave the calling thread; "" when it has none. */
static void own_name(char *out, size_t size)
{
    const uint64_t id = this_thread();
    const size_t count = fmp_threads_current(NULL, 0) + 8; /* others may begin meanwhile */
    fmp_thread_current *threads = calloc(count, sizeof *threads);
    out[0] = '\0';
    if (!threads)
        return;
    const size_t all = fmp_threads_current(threads, count);
    for (size_t i = 0; i < all && i < count; i++)
        if (threads[i].id == id)
            snprintf(out, size, "%s", threads[i].name);
    free(threads);
}

static void name_this_thread(void)
{
    char name[32];
    named = true;
    own_name(name, sizeof name);
    for (size_t i = 0; name[0] && i < active_count; i++)
        if (active[i]->name_thread)
            active[i]->name_thread(name);
}

static void begin(const char *category, const char *operation)
{
    if (!named)
        name_this_thread();
    for (size_t i = 0; i < active_count; i++)
        active[i]->begin(category, operation);
}

static void end(void)
{
    for (size_t i = active_count; i-- > 0;)
        active[i]->end();
}

static const fmp_bridge bridge = {begin, end};

/* --- what is asked for -------------------------------------------------------------- */

typedef struct message {
    char *text;
    size_t size, used;
} message;

static void add(message *m, const char *format, ...)
#if defined(__GNUC__) || defined(__clang__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
static void add(message *m, const char *format, ...)
{
    if (m->used + 1 >= m->size)
        return;
    va_list list;
    va_start(list, format);
    const int length = vsnprintf(m->text + m->used, m->size - m->used, format, list);
    va_end(list);
    m->used += length > 0 ? (size_t)length : 0;
}

static void separate(message *m)
{
    if (m->used)
        add(m, "; ");
}

/* The bits that a list like "nvtx,itt" names; what it does not know goes into the message. */
static unsigned parse(const char *list, message *m)
{
    unsigned bits = 0;
    while (list && *list) {
        const size_t length = strcspn(list, ",");
        bool known = length == 0;
        for (size_t i = 0; i < ANNOTATORS; i++)
            if (strlen(annotators[i]->name) == length && strncmp(annotators[i]->name, list, length) == 0) {
                bits |= annotators[i]->annotation;
                known = true;
            }
        if (!known) {
            separate(m);
            add(m, "FMP_BRIDGE names \"%.*s\", which is none of nvtx, itt, signpost", (int)(length < 32 ? length : 32),
                list);
        }
        list += length + (list[length] == ',');
    }
    return bits;
}

static void open_all(unsigned which, message *m)
{
    for (size_t i = 0; i < ANNOTATORS; i++) {
        if (!(which & annotators[i]->annotation))
            continue;
        char said[FMP_ANNOTATOR_MESSAGE_SIZE] = "";
        if (annotators[i]->open(said)) {
            active[active_count++] = annotators[i];
            active_bits |= annotators[i]->annotation;
        }
        separate(m);
        add(m, "%s: %s", annotators[i]->name, said);
    }
}

unsigned fmp_annotate(unsigned which, char *text, size_t size)
{
    message m = {text, size, 0};
    if (size)
        text[0] = '\0';
    pthread_mutex_lock(&mutex);
    if (which == 0)
        which = parse(getenv("FMP_BRIDGE"), &m);
    const bool first = active_count == 0;
    if (first)
        open_all(which, &m);
    unsigned on = which ? active_bits : 0;
    if (on && !fmp_bridge_set(&bridge)) {
        add(&m, "; the program has a bridge of its own");
        active_count = 0;
        on = active_bits = 0;
    } else if (on && !first && (which & ~active_bits)) {
        separate(&m);
        add(&m, "only what was on from the first is on");
    }
    pthread_mutex_unlock(&mutex);
    return on;
}

void fmp_annotate_pause(void)
{
    pthread_mutex_lock(&mutex);
    if (active_count)
        fmp_bridge_set(NULL);
    pthread_mutex_unlock(&mutex);
}
