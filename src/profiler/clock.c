#include "clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fmprof/fmprof.h"
#include "registry.h"

#if defined(__x86_64__) && FMP_CLOCK_HAS_COUNTER
#include <cpuid.h>
#define FMP_CPUID(leaf, a, b, c, d) __get_cpuid((leaf), (a), (b), (c), (d))
#endif

/* A pair of readings is taken this often, and the tightest pair kept. */
enum { PAIR_TRIES = 24 };
/* 2 ms at +-15 ns a reading is 15 ppm, enough until the first snapshot. */
enum { CALIBRATION_NS = 2000000 };
/* A refined rate further off than this is no refinement: the counter or the system clock jumped. */
enum { REFINEMENT_LIMIT_PPM = 1000 };

#define ONE_A_TICK ((uint64_t)1 << 32) /* fmp_clock_rate when a tick is a nanosecond */

typedef struct clock_pair {
    uint64_t ticks, ns;
} clock_pair;

/* Part of the profiler registry; kept here because nothing else touches it. */
_Atomic(int) fmp_clock_kind_in_use;
uint64_t fmp_clock_rate = ONE_A_TICK;
static struct {
    int real_kind;
    const char *name, *reason;
    double resolution_ns;
    clock_pair anchor;
    double ns_per_tick;
    bool calibrated; /* the rate was measured, so it can be refined */
    uint64_t (*test_ticks)(void);
} state = {.real_kind = FMP_CLOCK_SYSTEM,
           .name = "clock_gettime",
           .reason = "no counter is known for this processor",
           .resolution_ns = 1.0,
           .ns_per_tick = 1.0};

uint64_t fmp_clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t fmp_clock_ticks_slow(void)
{
    if (atomic_load_explicit(&fmp_clock_kind_in_use, memory_order_relaxed) == FMP_CLOCK_TEST)
        return state.test_ticks();
    return fmp_clock_monotonic_ns();
}

#if FMP_CLOCK_HAS_COUNTER
static clock_pair read_pair(void)
{
    clock_pair best = {0, 0};
    uint64_t tightest = UINT64_MAX;
    for (int i = 0; i < PAIR_TRIES; i++) {
        uint64_t before = fmp_clock_monotonic_ns();
        uint64_t ticks = FMP_READ_COUNTER();
        uint64_t after = fmp_clock_monotonic_ns();
        if (after - before < tightest) {
            tightest = after - before;
            best = (clock_pair){ticks, before + (after - before) / 2};
        }
    }
    return best;
}
#endif

#if defined(__x86_64__) && FMP_CLOCK_HAS_COUNTER
/*
 * CPUID says that the counter runs at one rate in every power state
 * (Intel SDM vol. 3, "Invariant TSC"; AMD APM vol. 3: Fn8000_0007 EDX bit 8).
 * That the cores agree only the kernel knows: it keeps time with the counter
 * only if they do, which also rules out hypervisors that emulate it.
 */
/* NULL when it can be trusted, else why not. */
static const char *tsc_distrust(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!FMP_CPUID(0x80000007u, &a, &b, &c, &d) || !(d & (1u << 8)))
        return "the processor's time-stamp counter changes its rate";
#if defined(__linux__)
    char source[32] = "";
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (!file)
        return "the kernel does not say whether it trusts the time-stamp counter";
    bool is_tsc = fgets(source, sizeof source, file) && strcmp(source, "tsc\n") == 0;
    fclose(file);
    return is_tsc ? NULL : "the kernel does not keep time with the time-stamp counter";
#elif defined(__APPLE__)
    return NULL; /* XNU's own time base on every Intel Mac is the counter */
#else
    return "this system does not say whether the time-stamp counter can be trusted";
#endif
}

static void start_counter(void)
{
    state.reason = tsc_distrust();
    if (state.reason)
        return;
    state.reason = "the time-stamp counter could not be calibrated";
    clock_pair begin = read_pair();
    struct timespec rest = {0, CALIBRATION_NS};
    nanosleep(&rest, NULL); /* cut short by a signal it is still long enough, or refused below */
    clock_pair end = read_pair();
    if (end.ns < begin.ns + CALIBRATION_NS / 4 || end.ticks <= begin.ticks)
        return;
    state.anchor = begin;
    state.ns_per_tick = (double)(end.ns - begin.ns) / (double)(end.ticks - begin.ticks);
    state.calibrated = true;
    state.real_kind = FMP_CLOCK_COUNTER;
    state.name = "tsc";
    state.reason = "";
    state.resolution_ns = state.ns_per_tick;
}
#elif defined(__aarch64__) && FMP_CLOCK_HAS_COUNTER
/* The generic timer is architectural: system-wide, constant, its rate in CNTFRQ_EL0 (Arm ARM D11). */
static void start_counter(void)
{
    uint64_t frequency;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    if (frequency < 1000000u) { /* firmware that left it unset */
        state.reason = "the firmware does not tell the generic timer's frequency";
        return;
    }
    state.anchor = read_pair();
    state.ns_per_tick = 1e9 / (double)frequency;
    state.real_kind = FMP_CLOCK_COUNTER;
    state.name = "cntvct";
    state.reason = "";
    state.resolution_ns = state.ns_per_tick;
}
#else
static void start_counter(void)
{
}
#endif

void fmp_clock_init(void)
{
    start_counter();
    if (atomic_load_explicit(&fmp_clock_kind_in_use, memory_order_relaxed) != FMP_CLOCK_TEST) {
        fmp_clock_rate = (uint64_t)(state.ns_per_tick * (double)ONE_A_TICK + 0.5);
        atomic_store_explicit(&fmp_clock_kind_in_use, state.real_kind, memory_order_relaxed);
    }
}

bool fmp_clock_is_for_tests(void)
{
    return atomic_load_explicit(&fmp_clock_kind_in_use, memory_order_relaxed) == FMP_CLOCK_TEST;
}

double fmp_clock_ns_per_tick(void)
{
    return fmp_clock_is_for_tests() ? 1.0 : state.ns_per_tick;
}

double fmp_clock_refined_ns_per_tick(void)
{
    if (fmp_clock_is_for_tests())
        return 1.0;
#if FMP_CLOCK_HAS_COUNTER
    if (state.calibrated) {
        clock_pair now = read_pair();
        if (now.ticks > state.anchor.ticks && now.ns > state.anchor.ns + 2 * CALIBRATION_NS) {
            double refined = (double)(now.ns - state.anchor.ns) /
                             (double)(now.ticks - state.anchor.ticks);
            double change_ppm = (refined / state.ns_per_tick - 1.0) * 1e6;
            if (change_ppm < REFINEMENT_LIMIT_PPM && change_ppm > -REFINEMENT_LIMIT_PPM)
                return refined;
        }
    }
#endif
    return state.ns_per_tick;
}

uint64_t fmp_now(void)
{
    fmp_registry_init();
    uint64_t ticks = fmp_clock_ticks();
    if (fmp_clock_is_for_tests() || state.real_kind == FMP_CLOCK_SYSTEM)
        return ticks;
    return state.anchor.ns + (uint64_t)((double)(ticks - state.anchor.ticks) * state.ns_per_tick);
}

uint64_t fmp_clock_ticks_at(uint64_t nanoseconds)
{
    if (fmp_clock_is_for_tests() || state.real_kind == FMP_CLOCK_SYSTEM)
        return nanoseconds;
    if (nanoseconds <= state.anchor.ns)
        return state.anchor.ticks;
    return state.anchor.ticks + (uint64_t)((double)(nanoseconds - state.anchor.ns) / state.ns_per_tick + 0.5);
}

/* Lower quartile of batches: an interruption only ever makes one longer. */
static double measure_reading(void)
{
    enum { BATCHES = 65, BATCH = 200 };
    double best[BATCHES];
    for (int i = 0; i < BATCHES; i++) {
        uint64_t start = fmp_clock_monotonic_ns(), sum = 0;
        for (int k = 0; k < BATCH; k++)
            sum += fmp_clock_ticks();
        uint64_t end = fmp_clock_monotonic_ns();
        /* The sum is used, so that no reading is left out. */
        best[i] = sum == 0 ? 0 : (double)(end - start) / BATCH;
    }
    for (int i = 1; i < BATCHES; i++) {
        double value = best[i];
        int k = i;
        for (; k > 0 && best[k - 1] > value; k--)
            best[k] = best[k - 1];
        best[k] = value;
    }
    return best[BATCHES / 4];
}

void fmp_clock_describe(fmp_clock_info *out)
{
    fmp_registry_init();
    if (fmp_clock_is_for_tests()) {
        *out = (fmp_clock_info){"test", "a test put its own clock in", 1.0, 0.0};
        return;
    }
    static _Atomic(double) cached; /* 0: not measured yet */
    double cost = atomic_load_explicit(&cached, memory_order_relaxed);
    if (!(cost > 0)) {
        cost = measure_reading();
        double none = 0;
        if (!atomic_compare_exchange_strong_explicit(&cached, &none, cost, memory_order_relaxed,
                                                     memory_order_relaxed))
            cost = none; /* another thread was faster: one answer for all */
    }
    *out = (fmp_clock_info){.name = state.name,
                            .reason = state.reason,
                            .resolution_ns = state.resolution_ns,
                            .read_ns = cost};
}

void fmp_clock_set_for_tests(uint64_t (*ticks)(void))
{
    fmp_registry_init();
    state.test_ticks = ticks;
    atomic_store_explicit(&fmp_clock_kind_in_use, ticks ? FMP_CLOCK_TEST : state.real_kind,
                          memory_order_relaxed);
    fmp_clock_rate = (uint64_t)(fmp_clock_ns_per_tick() * (double)ONE_A_TICK + 0.5);
}
