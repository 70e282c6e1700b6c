/* Samples: planted work is found in the right operation and function, with the right share, by each way of ticking. */
#include <pthread.h>
#include <unistd.h>

#include "sampled_planted.h"
#include "watch/sample_slots.h"

#ifdef FMP_CAN_SAMPLE

static void planted_work_is_found(void)
{
    planted_seconds spent;
    fmp_system_report *report = sampled(997, false, 1.0, &spent);
    check_planted(report, 997, &spent, 0.04);
    check_stacks(report, "main");
    if (perf_serves(report))
        CHECK(figure(report, "samples", "samples", "", "") > 0.9 * 997);
    CHECK(strcmp(facility_says(report, "call stacks", "state"), "on") == 0);
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

static void planted_work_is_found_by_timer(void)
{
    planted_seconds spent;
    fmp_system_report *report = sampled(199, true, 1.5, &spent);
    CHECK(strstr(facility_says(report, "call stacks", "how"), "timer_create, as asked for"));
    check_planted(report, 199, &spent, 0.12);
    check_stacks(report, "main");
    CHECK(figure(report, "samples", "samples", "", "") > 0.8 * 1.5 * (sysconf(_SC_CLK_TCK) < 199 ? 100 : 199) / 2);
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

static void *planted_thread(void *opaque)
{
    *(planted_seconds *)opaque = planted_rounds(0.7);
    return NULL;
}

static void threads_are_found(void)
{
    enum { THREADS = 3 };
    planted_seconds spent[THREADS], all = {0};
    pthread_t threads[THREADS];
    fmp_system *system = start(499, false);
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, planted_thread, &spent[i]);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        const double *from = &spent[i].red;
        for (size_t f = 0; f < sizeof all / sizeof(double); f++)
            (&all.red)[f] += from[f];
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    check_planted(report, 499, &all, 0.1); /* a new thread's first sample stands for up to a reading's time */
    check_stacks(report, "planted_thread");
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

CHILD_TEST(planted_work_is_found)
CHILD_TEST(planted_work_is_found_by_timer)
CHILD_TEST(threads_are_found)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted_work_is_found),
        cmocka_unit_test(test_planted_work_is_found_by_timer),
        cmocka_unit_test(test_threads_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    return 77; /* not written for this system */
}
#endif
