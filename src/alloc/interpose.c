/*
 * libfmprof-alloc.so: the allocator's functions, which call the real ones and,
 * while a recording runs, tell the recorder. Without one each is a test of one
 * word and a jump.
 *
 * The real functions are found by dlsym, which may itself allocate: what is
 * asked for until they are known comes from a small region that is never given
 * back.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/callers.h"
#include "alloc/recorder.h"

/* Not in every C library's headers. */
FMP_EXPORTED void free_sized(void *pointer, size_t size);
FMP_EXPORTED void free_aligned_sized(void *pointer, size_t alignment, size_t size);

static void *boot_malloc(size_t size);
static void *boot_calloc(size_t count, size_t size);
static void *boot_realloc(void *pointer, size_t size);
static void boot_free(void *pointer);
static int boot_posix_memalign(void **out, size_t alignment, size_t size);
static void *boot_aligned_alloc(size_t alignment, size_t size);
static void *boot_memalign(size_t alignment, size_t size);

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
} real = {boot_malloc,         boot_calloc,        boot_realloc, boot_free,
          boot_posix_memalign, boot_aligned_alloc, boot_memalign};

/* 0: nothing to do but to call the real function. */
enum { BOOT_USED = 1, RECORDING = 2 };
static _Atomic(unsigned) mode;

static inline unsigned now(void)
{
    return atomic_load_explicit(&mode, memory_order_relaxed);
}

/* --- until the real functions are known ------------------------------------------------ */

enum { BOOT_SIZE = 64 * 1024, BOOT_ALIGNMENT = 16 };
static _Alignas(4096) char boot[BOOT_SIZE];
static _Atomic(size_t) boot_used;

/* Each block has its size before it. */
static void *boot_take(size_t alignment, size_t size)
{
    if (alignment < BOOT_ALIGNMENT)
        alignment = BOOT_ALIGNMENT;
    if (size > BOOT_SIZE / 2 || alignment > 4096)
        return NULL;
    atomic_fetch_or(&mode, BOOT_USED);
    size_t before = atomic_load(&boot_used), at;
    do {
        at = (before + BOOT_ALIGNMENT + alignment - 1) / alignment * alignment;
        if (at + size > BOOT_SIZE)
            return NULL;
    } while (!atomic_compare_exchange_weak(&boot_used, &before, at + size));
    memcpy(boot + at - sizeof size, &size, sizeof size);
    return boot + at;
}

static bool is_boot(const void *pointer)
{
    return (uintptr_t)pointer - (uintptr_t)boot < BOOT_SIZE;
}

/* A function that is NULL stays as it was: it asks here each time. */
#define FIND(name) \
    do { \
        void *found = dlsym(RTLD_NEXT, #name); \
        if (found) \
            memcpy(&real.name, &found, sizeof found); \
    } while (0)

/* True when the real functions are there: false while they are looked for. */
static bool resolve(void)
{
    static _Atomic(int) state; /* 1: looking, 2: done */
    int before = 0;
    if (!atomic_compare_exchange_strong(&state, &before, 1))
        return before == 2;
    FIND(calloc);
    FIND(realloc);
    FIND(free);
    FIND(posix_memalign);
    FIND(aligned_alloc);
    FIND(memalign);
    FIND(malloc);
    atomic_store(&state, 2);
    return true;
}

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *boot_malloc(size_t size)
{
    if (resolve() && real.malloc != boot_malloc)
        return real.malloc(size);
    void *taken = boot_take(0, size);
    return taken ? taken : out_of_memory();
}

static void *boot_calloc(size_t count, size_t size)
{
    if (resolve() && real.calloc != boot_calloc)
        return real.calloc(count, size);
    if (size && count > SIZE_MAX / size)
        return out_of_memory();
    void *taken = boot_take(0, count * size); /* zero, since nothing of it is used twice */
    return taken ? taken : out_of_memory();
}

static void *boot_realloc(void *pointer, size_t size)
{
    if (resolve() && real.realloc != boot_realloc)
        return real.realloc(pointer, size);
    return out_of_memory(); /* a block of the region never comes here */
}

static void boot_free(void *pointer)
{
    if (resolve() && real.free != boot_free)
        real.free(pointer);
}

static void *boot_aligned_alloc(size_t alignment, size_t size)
{
    if (resolve() && real.aligned_alloc != boot_aligned_alloc)
        return real.aligned_alloc(alignment, size);
    void *taken = boot_take(alignment, size);
    return taken ? taken : out_of_memory();
}

static void *boot_memalign(size_t alignment, size_t size)
{
    if (resolve() && real.memalign != boot_memalign)
        return real.memalign(alignment, size);
    return real.aligned_alloc(alignment, size); /* of a C library without the older one */
}

static int boot_posix_memalign(void **out, size_t alignment, size_t size)
{
    if (resolve() && real.posix_memalign != boot_posix_memalign)
        return real.posix_memalign(out, alignment, size);
    void *taken = boot_take(alignment, size);
    if (!taken)
        return ENOMEM;
    *out = taken;
    return 0;
}

/* What realloc does to a block of the region: it moves into the allocator. */
static void *boot_moved(const void *pointer, size_t size)
{
    size_t before;
    memcpy(&before, (const char *)pointer - sizeof before, sizeof before);
    void *moved = real.malloc(size);
    if (moved)
        memcpy(moved, pointer, before < size ? before : size);
    return moved;
}

/* --- with something to tell ------------------------------------------------------------------ */

static FMP_NOINLINE void *told_malloc(size_t size, uintptr_t caller)
{
    if (!(now() & RECORDING) || !fmp_alloc_enter())
        return real.malloc(size);
    void *taken = real.malloc(size);
    fmp_alloc_took(taken, size, caller);
    fmp_alloc_leave();
    return taken;
}

static FMP_NOINLINE void *told_calloc(size_t count, size_t size, uintptr_t caller)
{
    if (!(now() & RECORDING) || !fmp_alloc_enter())
        return real.calloc(count, size);
    void *taken = real.calloc(count, size);
    fmp_alloc_took(taken, count * size, caller); /* a product that is too large gives NULL */
    fmp_alloc_leave();
    return taken;
}

/* The block before is given back first, as whoever looks for a peak would have it. */
static FMP_NOINLINE void *told_realloc(void *pointer, size_t size, uintptr_t caller)
{
    if (is_boot(pointer))
        return boot_moved(pointer, size);
    if (!(now() & RECORDING) || !fmp_alloc_enter())
        return real.realloc(pointer, size);
    fmp_alloc_lifted lifted;
    fmp_alloc_lift(&lifted, pointer);
    void *taken = real.realloc(pointer, size);
    fmp_alloc_settle(&lifted, taken != NULL || size == 0);
    fmp_alloc_took(taken, size, caller);
    fmp_alloc_leave();
    return taken;
}

static FMP_NOINLINE void told_free(void *pointer)
{
    if (is_boot(pointer))
        return;
    if ((now() & RECORDING) && fmp_alloc_enter()) {
        fmp_alloc_gives(pointer); /* before another thread can be given the same address */
        fmp_alloc_leave();
    }
    real.free(pointer);
}

static FMP_NOINLINE int told_posix_memalign(void **out, size_t alignment, size_t size, uintptr_t caller)
{
    if (!(now() & RECORDING) || !fmp_alloc_enter())
        return real.posix_memalign(out, alignment, size);
    const int error = real.posix_memalign(out, alignment, size);
    if (!error)
        fmp_alloc_took(*out, size, caller);
    fmp_alloc_leave();
    return error;
}

static FMP_NOINLINE void *told_aligned(void *(*take)(size_t, size_t), size_t alignment, size_t size, uintptr_t caller)
{
    if (!(now() & RECORDING) || !fmp_alloc_enter())
        return take(alignment, size);
    void *taken = take(alignment, size);
    fmp_alloc_took(taken, size, caller);
    fmp_alloc_leave();
    return taken;
}

/* --- what the program calls --------------------------------------------------------------------- */

FMP_EXPORTED void *malloc(size_t size)
{
    return FMP_UNLIKELY(now()) ? told_malloc(size, FMP_RETURNS_TO) : real.malloc(size);
}

FMP_EXPORTED void *calloc(size_t count, size_t size)
{
    return FMP_UNLIKELY(now()) ? told_calloc(count, size, FMP_RETURNS_TO) : real.calloc(count, size);
}

FMP_EXPORTED void *realloc(void *pointer, size_t size)
{
    return FMP_UNLIKELY(now()) ? told_realloc(pointer, size, FMP_RETURNS_TO) : real.realloc(pointer, size);
}

FMP_EXPORTED void *reallocarray(void *pointer, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return out_of_memory();
    size *= count;
    return FMP_UNLIKELY(now()) ? told_realloc(pointer, size, FMP_RETURNS_TO) : real.realloc(pointer, size);
}

FMP_EXPORTED void free(void *pointer)
{
    if (FMP_UNLIKELY(now()))
        told_free(pointer);
    else
        real.free(pointer);
}

/* C23: the same as free, to which the sizes are hints. */
void free_sized(void *pointer, size_t size)
{
    (void)size;
    free(pointer);
}

void free_aligned_sized(void *pointer, size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    free(pointer);
}

FMP_EXPORTED int posix_memalign(void **out, size_t alignment, size_t size)
{
    return FMP_UNLIKELY(now()) ? told_posix_memalign(out, alignment, size, FMP_RETURNS_TO)
                               : real.posix_memalign(out, alignment, size);
}

FMP_EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
    return FMP_UNLIKELY(now()) ? told_aligned(real.aligned_alloc, alignment, size, FMP_RETURNS_TO)
                               : real.aligned_alloc(alignment, size);
}

FMP_EXPORTED void *memalign(size_t alignment, size_t size)
{
    return FMP_UNLIKELY(now()) ? told_aligned(real.memalign, alignment, size, FMP_RETURNS_TO)
                               : real.memalign(alignment, size);
}

FMP_EXPORTED void *valloc(size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return FMP_UNLIKELY(now()) ? told_aligned(real.memalign, page, size, FMP_RETURNS_TO) : real.memalign(page, size);
}

FMP_EXPORTED void *pvalloc(size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (size > SIZE_MAX - page)
        return out_of_memory();
    size = (size + page - 1) / page * page;
    return FMP_UNLIKELY(now()) ? told_aligned(real.memalign, page, size, FMP_RETURNS_TO) : real.memalign(page, size);
}

/* Not an allocator's, but walks of stacks depend on it. */
FMP_EXPORTED int dlclose(void *library)
{
    static int (*_Atomic close_it)(void *);
    int (*close)(void *) = atomic_load(&close_it);
    if (!close) {
        void *found = dlsym(RTLD_NEXT, "dlclose");
        if (!found)
            return -1;
        memcpy(&close, &found, sizeof found);
        atomic_store(&close_it, close);
    }
    return fmp_alloc_callers_close(close, library);
}

/* --- what the client calls -------------------------------------------------------------------------- */

static void no_longer(void)
{
    atomic_fetch_and(&mode, ~(unsigned)RECORDING);
}

static int start(const fmp_alloc_options *options)
{
    const int error = fmp_alloc_start(options);
    if (!error)
        atomic_fetch_or(&mode, RECORDING);
    return error;
}

static void stop(void)
{
    no_longer();
    fmp_alloc_stop();
}

static void forked(void)
{
    no_longer();
    fmp_alloc_forked();
}

static FMP_CONSTRUCTOR void set_up(void)
{
    resolve();
    fmp_alloc_set_up();
    pthread_atfork(NULL, NULL, forked);
}

extern const fmp_alloc_calls fmp_alloc_api;
FMP_EXPORTED const fmp_alloc_calls fmp_alloc_api = {
    .version = FMP_ALLOC_VERSION,
    .start = start,
    .stop = stop,
    .clear = fmp_alloc_clear,
    .set_aside = fmp_alloc_aside,
    .totals = fmp_alloc_read_totals,
    .each_operation = fmp_alloc_each_operation,
    .each_stack = fmp_alloc_each_stack,
};
