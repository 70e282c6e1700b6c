/* What tests of samples share that compare planted work with what is found of it. */
#ifndef TEST_WATCH_SAMPLED_PLANTED_H
#define TEST_WATCH_SAMPLED_PLANTED_H

#include "sampled_child.h"

static inline void check_planted(const fmp_system_report *r, unsigned hz, const planted_seconds *spent, double margin)
{
    const double all = planted_sum(spent);
    check_share("samples", figure(r, "samples", "seconds", "", ""), all, all, 0.1);
    check_share("warm", figure(r, "samples", "seconds", "warm", ""), spent->red, all, margin);
    check_share("cold", figure(r, "samples", "seconds", "cold", ""), spent->green + spent->inlined, all, margin);
    check_share("deep", figure(r, "samples", "seconds", "deep", ""), spent->recursion, all, margin);
    check_share("far", figure(r, "samples", "seconds", "far", ""), spent->library + spent->mathematics, all, margin);
    check_share("red in warm", figure(r, "functions", "self_seconds", "warm", "planted_red"), spent->red, all, margin);
    check_share("red in deep", figure(r, "functions", "self_seconds", "deep", "planted_red"), spent->recursion, all,
                margin);
    CHECK(figure(r, "functions", "self_seconds", "cold", "planted_red") < 0.01 * all);
#ifdef FMP_HAVE_LIBDW
    check_share("green", figure(r, "functions", "self_seconds", "cold", "planted_green"), spent->green, all, margin);
    check_share("inlined", figure(r, "functions", "self_seconds", "cold", "planted_inlined"), spent->inlined, all,
                margin);
    check_share("around inlined", inclusive(r, hz, "cold", "planted_caller"), spent->inlined,
                all, margin);
    check_share("library", figure(r, "functions", "self_seconds", "far", "planted_library_inner"), spent->library, all,
                margin);
    check_share("above library", inclusive(r, hz, "far", "planted_library_work"),
                spent->library, all, margin);
    check_share("above libm", inclusive(r, hz, "far", "planted_mathematics"),
                spent->mathematics, all, margin);
#else
    (void)hz;
#endif
}

/* With libdw each stack is whole: from the planted function out to main, or to where its thread begins. */
static inline void check_stacks(const fmp_system_report *r, const char *root)
{
#ifdef FMP_HAVE_LIBDW
    uint64_t all = 0, whole = 0, recursive = 0;
    for (size_t i = 0; i < r->stack_count; i++) {
        const fmp_stack *s = &r->stacks[i];
        all += s->count;
        whole += has_frame(s, root) ? s->count : 0;
        size_t levels = 0;
        for (size_t f = 0; f < s->frame_count; f++)
            levels += strcmp(s->frames[f], "planted_recursion") == 0;
        if (strcmp(s->operation, "deep") == 0 && strcmp(s->frames[0], "planted_red") == 0 && levels == 21)
            recursive += s->count;
    }
    CHECK((double)whole > 0.97 * (double)all);
    CHECK((double)recursive > 0.05 * (double)all);
#else
    (void)r;
    (void)root;
#endif
}

static inline fmp_system_report *sampled(unsigned hz, bool by_timer, double seconds, planted_seconds *spent)
{
    fmp_system *system = start(hz, by_timer);
    CHECK(system);
    *spent = planted_rounds(seconds);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(report);
    return report;
}

/* A machine without perf_event_open still passes: by timers. */
static inline bool perf_serves(const fmp_system_report *report)
{
    return strstr(facility_says(report, "call stacks", "how"), "perf_event_open (cpu-clock)") != NULL;
}

#endif
