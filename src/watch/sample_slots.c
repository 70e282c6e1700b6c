#include "watch/sample_slots.h"

#ifdef FMP_CAN_SAMPLE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "fmprof/current.h"

enum { SLOT_FREE = 0, SLOT_TAKEN, SLOT_FULL, IOVECS_MAX = 32 };

/* All that the handler touches. */
static struct {
    _Atomic(bool) open;
    _Atomic(uint32_t) run; /* changes with each opening: samples of an earlier one are not taken for this one's */
    _Atomic(uint64_t) dropped;
    _Atomic(unsigned char) state[FMP_SAMPLE_SLOTS_MAX];
    fmp_sample *samples; /* FMP_SAMPLE_SLOTS_MAX of them: of the ones never used no memory is spent */
    size_t slots;
    size_t page;
    fmp_stack_reading reading;
    int memory; /* /proc/self/mem; -1 */
    int signal;
} pool = {.memory = -1};

/* --- the handler ---------------------------------------------------------------- */

/* The manual says that a piece comes whole or not at all: so all pages come that lie before the stack's end. */
static size_t read_by_pages(uint64_t at, void *to, size_t size)
{
    struct iovec local = {to, size}, remote[IOVECS_MAX];
    unsigned long count = 0;
    while (size > 0 && count < IOVECS_MAX) {
        const size_t left = pool.page - (size_t)(at & (pool.page - 1)), part = left < size ? left : size;
        remote[count].iov_base = (void *)(uintptr_t)at;
        remote[count++].iov_len = part;
        at += part;
        size -= part;
    }
    const ssize_t got = process_vm_readv(getpid(), &local, 1, remote, count, 0);
    return got > 0 ? (size_t)got : 0;
}

/* In one piece it takes half the time, and Linux gives what is there of it. */
static size_t read_by_call(uint64_t at, void *to, size_t size)
{
    struct iovec local = {to, size}, remote = {(void *)(uintptr_t)at, size};
    const ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    return got > 0 ? (size_t)got : read_by_pages(at, to, size);
}

static size_t read_by_file(uint64_t at, void *to, size_t size)
{
    const long got = syscall(SYS_pread64, pool.memory, to, size, (off_t)at); /* pread() may cancel the thread */
    return got > 0 ? (size_t)got : 0;
}

/* What lies between variables on a stack is read as well. */
#if defined(__GNUC__) || defined(__clang__)
#define FMP_NO_SANITIZE __attribute__((no_sanitize("address")))
#else
#define FMP_NO_SANITIZE
#endif

static FMP_NO_SANITIZE size_t read_by_page(uint64_t at, void *to, size_t size)
{
    const size_t left = pool.page - (size_t)(at & (pool.page - 1)), part = left < size ? left : size;
    const volatile unsigned char *from = (const volatile unsigned char *)(uintptr_t)at; /* not made into memcpy() */
    for (size_t i = 0; i < part; i++)
        ((unsigned char *)to)[i] = from[i];
    return part;
}

static size_t read_stack(uint64_t at, void *to, size_t size)
{
    switch (pool.reading) {
    case FMP_STACK_BY_CALL:
        return read_by_call(at, to, size);
    case FMP_STACK_BY_FILE:
        return read_by_file(at, to, size);
    default:
        return read_by_page(at, to, size);
    }
}

static void copy_registers(fmp_sample *sample, const ucontext_t *context)
{
#ifdef __aarch64__
    for (int i = 0; i < 31; i++)
        sample->registers[i] = context->uc_mcontext.regs[i];
    sample->registers[FMP_REGISTER_STACK] = context->uc_mcontext.sp;
    sample->pc = context->uc_mcontext.pc;
#else
    static const unsigned char of[FMP_REGISTERS] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                                    REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                                    REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    for (int i = 0; i < FMP_REGISTERS; i++)
        sample->registers[i] = (uint64_t)context->uc_mcontext.gregs[of[i]];
    sample->pc = sample->registers[FMP_REGISTER_RETURN];
#endif
}

static void fill(fmp_sample *sample, uint32_t run, uint32_t operation, const ucontext_t *context)
{
    struct timespec cpu = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    sample->thread = (uint64_t)gettid();
    sample->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec;
    sample->operation = operation & FMP_OPERATION_OWN ? FMP_OPERATION_OWN : operation;
    sample->run = run;
    copy_registers(sample, context);
    sample->stack_size = read_stack(sample->registers[FMP_REGISTER_STACK], sample->stack, sizeof sample->stack);
}

/* The lowest free slot, so that memory is touched for as many as were ever in use at once. -1: none. */
static int take_slot(void)
{
    for (size_t i = 0; i < pool.slots; i++) {
        unsigned char is = SLOT_FREE;
        if (atomic_load_explicit(&pool.state[i], memory_order_relaxed) == SLOT_FREE &&
            atomic_compare_exchange_strong_explicit(&pool.state[i], &is, SLOT_TAKEN, memory_order_acquire,
                                                    memory_order_relaxed))
            return (int)i;
    }
    return -1;
}

static void on_tick(int number, siginfo_t *information, void *context)
{
    (void)number;
    (void)information;
    if (!atomic_load_explicit(&pool.open, memory_order_acquire))
        return;
    const int error = errno;
    const uint32_t operation = fmp_own_begin();
    const uint32_t run = atomic_load_explicit(&pool.run, memory_order_relaxed);
    const int slot = take_slot();
    if (slot < 0) {
        atomic_fetch_add_explicit(&pool.dropped, 1, memory_order_relaxed);
    } else {
        fill(&pool.samples[slot], run, operation, context);
        atomic_store_explicit(&pool.state[slot], SLOT_FULL, memory_order_release);
    }
    fmp_own_end(operation);
    errno = error;
}

/* --- around it --------------------------------------------------------------------- */

/* Tried on a variable of its own, so that the handler need not look for ways. */
static void choose_reading(void)
{
    uint64_t there = 0x5A5A5A5A5A5A5A5Au, got = 0;
    pool.reading = FMP_STACK_BY_CALL;
    if (read_by_call((uint64_t)(uintptr_t)&there, &got, sizeof got) == sizeof got && got == there)
        return;
    pool.reading = FMP_STACK_BY_FILE;
    got = 0;
    pool.memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    if (pool.memory >= 0 && read_by_file((uint64_t)(uintptr_t)&there, &got, sizeof got) == sizeof got && got == there)
        return;
    if (pool.memory >= 0)
        close(pool.memory);
    pool.memory = -1;
    pool.reading = FMP_STACK_BY_PAGE;
}

static bool has_our_handler(const struct sigaction *now)
{
    return (now->sa_flags & SA_SIGINFO) && now->sa_sigaction == on_tick;
}

bool fmp_slots_hold_signal(void)
{
    struct sigaction now;
    return sigaction(pool.signal, NULL, &now) == 0 && has_our_handler(&now);
}

bool fmp_slots_signal_is_free(int number)
{
    struct sigaction now;
    if (sigaction(number, NULL, &now) != 0)
        return false;
    return has_our_handler(&now) || (!(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL);
}

/*
 * On the alternate stack, for threads whose own one is small. Not under valgrind, which preloads parts of itself:
 * with that flag it (3.19) does not grow a main thread's stack for a signal, and ends the program.
 */
static int handler_flags(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return SA_RESTART | SA_SIGINFO | (preloaded && strstr(preloaded, "/vgpreload_") ? 0 : SA_ONSTACK);
}

int fmp_slots_open(int number, size_t slots)
{
    if (!pool.samples) {
        void *memory = mmap(NULL, sizeof(fmp_sample) * FMP_SAMPLE_SLOTS_MAX, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return errno;
        pool.samples = memory;
    }
    pool.slots = slots < FMP_SAMPLE_SLOTS_MAX ? slots : FMP_SAMPLE_SLOTS_MAX;
    pool.page = (size_t)sysconf(_SC_PAGESIZE);
    pool.signal = number;
    choose_reading();
    atomic_store(&pool.dropped, 0);
    atomic_fetch_add(&pool.run, 1);
    fmp_own_end(fmp_own_begin()); /* the dynamic linker looks it up now, not in the handler */
    struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = handler_flags()};
    sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, NULL) != 0)
        return errno;
    atomic_store(&pool.open, true);
    return 0;
}

fmp_stack_reading fmp_slots_stack_reading(void)
{
    return pool.reading;
}

/* To a page's end would be without asking whether it is there. */
size_t fmp_slots_read(uint64_t at, void *to, size_t size)
{
    return pool.reading == FMP_STACK_BY_PAGE ? 0 : read_stack(at, to, size);
}

uint64_t fmp_slots_dropped(void)
{
    return atomic_load(&pool.dropped);
}

size_t fmp_slots_full(const fmp_sample *full[FMP_SAMPLE_SLOTS_MAX])
{
    size_t count = 0;
    const uint32_t run = atomic_load(&pool.run);
    for (size_t i = 0; i < pool.slots; i++) {
        if (atomic_load_explicit(&pool.state[i], memory_order_acquire) != SLOT_FULL)
            continue;
        if (pool.samples[i].run == run)
            full[count++] = &pool.samples[i];
        else
            fmp_slots_free(&pool.samples[i]);
    }
    return count;
}

void fmp_slots_free(const fmp_sample *sample)
{
    atomic_store_explicit(&pool.state[sample - pool.samples], SLOT_FREE, memory_order_release);
}

void fmp_slots_close(void)
{
    atomic_store(&pool.open, false);
    if (fmp_slots_hold_signal()) {
        /* Ignored first: that discards signals which wait somewhere; by the usual disposition they would kill. */
        struct sigaction action = {.sa_handler = SIG_IGN};
        sigemptyset(&action.sa_mask);
        sigaction(pool.signal, &action, NULL);
        action.sa_handler = SIG_DFL;
        sigaction(pool.signal, &action, NULL);
    }
    if (pool.memory >= 0)
        close(pool.memory); /* a handler that is late reads nothing, or the pool is closed to it */
    pool.memory = -1;
}
#else
typedef int fmp_no_slots_here; /* a file may not be empty */
#endif
