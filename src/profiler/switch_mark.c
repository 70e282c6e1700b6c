#include "switch_mark.h"

#include "thread_clock.h"

#if defined(__linux__)
#include <errno.h>
#include <linux/perf_event.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<sys/rseq.h>) && (defined(__x86_64__) || defined(__aarch64__)) && \
    (defined(__GNUC__) || defined(__clang__))
#include <sys/rseq.h>
#define HAS_RSEQ 1
#endif
#endif

#if defined(HAS_RSEQ)
/* Offsets in struct rseq, which the kernel's interface fixes (linux/rseq.h); headers name the parts differently. */
enum { RSEQ_CPU_ID_AT = 4, RSEQ_CS_AT = 8 };

/*
 * A sequence that no instruction is in: wherever the thread is when it is
 * switched off, the kernel finds it outside and sets the pointer to NULL. It
 * reads the signature before the address to which it would jump, and kills
 * who has none there.
 */
typedef struct no_sequence {
    struct rseq_cs cs;
    uint32_t signature, jump;
} no_sequence;

/* NULL: not tried. Never freed: the kernel reads it as long as a thread points there. */
static _Atomic(const no_sequence *) the_sequence;
static const no_sequence refused;

static volatile char *rseq_area(void)
{
    char *thread;
#if defined(__x86_64__)
    __asm__("mov %%fs:0, %0" : "=r"(thread));
#else
    __asm__("mrs %0, tpidr_el0" : "=r"(thread));
#endif
    return thread + __rseq_offset;
}

static volatile uint64_t *rseq_pointer(void)
{
    return (volatile uint64_t *)(volatile void *)(rseq_area() + RSEQ_CS_AT);
}

static bool is_registered(void)
{
    return __rseq_size != 0 && *(volatile int32_t *)(volatile void *)(rseq_area() + RSEQ_CPU_ID_AT) >= 0;
}

/* Does a thread that goes to sleep lose its mark? */
static bool sleep_takes_it(const no_sequence *sequence)
{
    enum { SLEEP_NS = 20000 };
    const struct timespec rest = {0, SLEEP_NS};
    *rseq_pointer() = (uint64_t)(uintptr_t)sequence;
    nanosleep(&rest, NULL);
    const bool gone = *rseq_pointer() == 0;
    *rseq_pointer() = 0;
    return gone;
}

static const no_sequence *make_sequence(void)
{
    no_sequence *made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return &refused;
    made->signature = RSEQ_SIG;
    const uint64_t jump = (uint64_t)(uintptr_t)&made->jump;
    made->cs = (struct rseq_cs){.start_ip = jump, .post_commit_offset = 0, .abort_ip = jump};
    if (sleep_takes_it(made))
        return made;
    munmap(made, sizeof *made); /* no thread points there any more */
    return &refused;
}

static const no_sequence *get_sequence(void)
{
    const no_sequence *sequence = atomic_load_explicit(&the_sequence, memory_order_acquire), *none = NULL;
    if (sequence)
        return sequence;
    sequence = make_sequence(); /* a thread that is here at the same time leaves a page behind */
    if (!atomic_compare_exchange_strong(&the_sequence, &none, sequence))
        sequence = none;
    return sequence;
}

static bool find_rseq(fmp_switch_mark *mark)
{
    if (!is_registered())
        return false;
    const no_sequence *sequence = get_sequence();
    if (sequence == &refused)
        return false;
    *mark = (fmp_switch_mark){.way = FMP_THREAD_CLOCK_RSEQ,
                              .at = rseq_pointer(),
                              .value = (uint64_t)(uintptr_t)sequence,
                              .reason = ""};
    return true;
}

static void set_rseq(uint64_t sequence)
{
    *rseq_pointer() = sequence;
}
#else
static bool find_rseq(fmp_switch_mark *mark)
{
    (void)mark;
    return false;
}
static void set_rseq(uint64_t sequence)
{
    (void)sequence;
}
#endif

static const char *why_no_event(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return "restartable sequences do not tell of switches here, and the kernel refuses perf events "
               "(kernel.perf_event_paranoid above 2, or the rules of a container)";
    case EMFILE:
    case ENFILE:
        return "restartable sequences do not tell of switches here, and no file was left for a perf event";
    default:
        return "restartable sequences do not tell of switches here, and the kernel has no perf events";
    }
}

/*
 * The event counts nothing; its page is written at each switch-in. The mapping
 * keeps it, so that no file stays open. With its files closed it ends with the mapping.
 */
static void find_perf(fmp_switch_mark *mark)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof attr,
                                   .config = PERF_COUNT_SW_DUMMY,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};
    const int file = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, (unsigned long)PERF_FLAG_FD_CLOEXEC);
    if (file < 0) {
        mark->reason = why_no_event(errno);
        return;
    }
    const struct perf_event_mmap_page *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (page == MAP_FAILED) {
        mark->reason = "restartable sequences do not tell of switches here, and no more memory may be locked for "
                       "perf events (kernel.perf_event_mlock_kb)";
        return;
    }
    *mark = (fmp_switch_mark){.way = FMP_THREAD_CLOCK_PERF, .reason = "",
                              .at = (const volatile uint64_t *)(const void *)&page->lock};
}

void fmp_switch_mark_find(fmp_switch_mark *mark, unsigned permitted)
{
    *mark = (fmp_switch_mark){.reason = "neither way to learn of switches is permitted"};
    if ((permitted & FMP_THREAD_CLOCK_RSEQ) && find_rseq(mark))
        return;
    if (permitted & FMP_THREAD_CLOCK_PERF)
        find_perf(mark);
}

void fmp_switch_mark_set(fmp_switch_mark *mark)
{
    if (mark->way == FMP_THREAD_CLOCK_RSEQ)
        set_rseq(mark->value);
    else
        mark->value = *mark->at;
    atomic_signal_fence(memory_order_seq_cst);
}

void fmp_switch_mark_drop(fmp_switch_mark *mark)
{
    if (mark->way == FMP_THREAD_CLOCK_RSEQ && fmp_switch_mark_holds(mark))
        set_rseq(0);
    if (mark->way == FMP_THREAD_CLOCK_PERF)
        munmap((void *)(uintptr_t)((uintptr_t)mark->at - offsetof(struct perf_event_mmap_page, lock)),
               (size_t)sysconf(_SC_PAGESIZE));
    *mark = (fmp_switch_mark){.reason = ""};
}
#else
void fmp_switch_mark_find(fmp_switch_mark *mark, unsigned permitted)
{
    (void)permitted;
    *mark = (fmp_switch_mark){.reason = "this system does not tell a thread of switches"};
}

void fmp_switch_mark_set(fmp_switch_mark *mark)
{
    (void)mark;
}

void fmp_switch_mark_drop(fmp_switch_mark *mark)
{
    *mark = (fmp_switch_mark){.reason = ""};
}
#endif
