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

typedef struct clock_pair {
    uint64_t ticks, ns;
} clock_pair;

/* Part of the profiler registry; kept here because nothing else touches it. */
_Atomic(int) fmp_clock_kind_in_use;
static struct {
    int real_kind;
    const char *name;
    clock_pair anchor;
    double ns_per_tick;
    bool calibrated; /* the rate was measured, so it can be refined */
    uint64_t (*test_ticks)(void);
} state = {FMP_CLOCK_SYSTEM, "clock_gettime", {0, 0}, 1.0, false, NULL};

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
static bool tsc_is_trustworthy(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!FMP_CPUID(0x80000007u, &a, &b, &c, &d) || !(d & (1u << 8)))
        return false;
#if defined(__linux__)
    char source[32] = "";
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (!file)
        return false;
    bool is_tsc = fgets(source, sizeof source, file) && strcmp(source, "tsc\n") == 0;
    fclose(file);
    return is_tsc;
#elif defined(__APPLE__)
    return true; /* XNU's own time base on every Intel Mac is the counter */
#else
    return false;
#endif
}

static void start_counter(void)
{
    if (!tsc_is_trustworthy())
        return;
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
}
#elif defined(__aarch64__) && FMP_CLOCK_HAS_COUNTER
/* The generic timer is architectural: system-wide, constant, its rate in CNTFRQ_EL0 (Arm ARM D11). */
static void start_counter(void)
{
    uint64_t frequency;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    if (frequency < 1000000u) /* firmware that left it unset */
        return;
    state.anchor = read_pair();
    state.ns_per_tick = 1e9 / (double)frequency;
    state.real_kind = FMP_CLOCK_COUNTER;
    state.name = "arm_generic_timer";
}
#else
static void start_counter(void)
{
}
#endif

void fmp_clock_init(void)
{
    start_counter();
    if (atomic_load_explicit(&fmp_clock_kind_in_use, memory_order_relaxed) != FMP_CLOCK_TEST)
        atomic_store_explicit(&fmp_clock_kind_in_use, state.real_kind, memory_order_relaxed);
}

static bool is_test_clock(void)
{
    return atomic_load_explicit(&fmp_clock_kind_in_use, memory_order_relaxed) == FMP_CLOCK_TEST;
}

double fmp_clock_ns_per_tick(void)
{
    return is_test_clock() ? 1.0 : state.ns_per_tick;
}

double fmp_clock_refined_ns_per_tick(void)
{
    if (is_test_clock())
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
    if (is_test_clock() || state.real_kind == FMP_CLOCK_SYSTEM)
        return ticks;
    return state.anchor.ns + (uint64_t)((double)(ticks - state.anchor.ticks) * state.ns_per_tick);
}

const char *fmp_clock_name(void)
{
    fmp_registry_init();
    return is_test_clock() ? "test" : state.name;
}

void fmp_clock_set_for_tests(uint64_t (*ticks)(void))
{
    fmp_registry_init();
    state.test_ticks = ticks;
    atomic_store_explicit(&fmp_clock_kind_in_use, ticks ? FMP_CLOCK_TEST : state.real_kind,
                          memory_order_relaxed);
}
