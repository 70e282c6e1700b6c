/* Energy out of trees that stand in for /sys: what counters, batteries and sensors say, and what is made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "device_watch.h"
#include "fmprof/export.h"
#include "fmprof/trace.h"
#include "watch/energy_domain.h"

#define RAPL "sys/class/powercap/"
static const char processor[] = "energy of the processor (RAPL)";

static void zone(const fake_tree *tree, const char *folder, const char *name, long long energy_uj, long long range_uj)
{
    char path[256];
    snprintf(path, sizeof path, RAPL "%s/name", folder);
    tree_put(tree, path, name);
    snprintf(path, sizeof path, RAPL "%s/max_energy_range_uj", folder);
    tree_put_number(tree, path, range_uj);
    snprintf(path, sizeof path, RAPL "%s/energy_uj", folder);
    tree_put_number(tree, path, energy_uj);
}

static void assert_near(double value, double wanted)
{
    if (!(fabs(value - wanted) <= 1e-9 * fabs(wanted) + 1e-12))
        fail_msg("%.12g, not %.12g", value, wanted);
}

static void counters_of_packages_and_their_parts(void **state)
{
    (void)state;
    fake_tree tree;
    tree_make(&tree);
    tree_put(&tree, RAPL "intel-rapl/enabled", "1\n"); /* the control type: no zone */
    zone(&tree, "intel-rapl:0", "package-0\n", 1000000, 262143328850);
    zone(&tree, "intel-rapl:0:0", "core\n", 500000, 262143328850);
    zone(&tree, "intel-rapl:1", "package-1\n", 262143000000, 262143328850);
    zone(&tree, "intel-rapl:1:0", "core\n", 0, 262143328850);
    zone(&tree, "intel-rapl-mmio:0", "package-0\n", 7, 262143328850);
    device_watch watch;
    watch_start(&watch, &fmp_facility_energy, &tree);
    tree_put_number(&tree, RAPL "intel-rapl:0/energy_uj", 11000000);
    tree_put_number(&tree, RAPL "intel-rapl:0:0/energy_uj", 4500000);
    tree_put_number(&tree, RAPL "intel-rapl:1/energy_uj", 1671150); /* went round: 328850 + 1671150 */
    watch_read(&watch, 1000);
    tree_put_number(&tree, RAPL "intel-rapl:0/energy_uj", 21000000);
    fmp_system_report *report = watch_stop(&watch, 2000, 40);
    assert_int_equal(rows(report, "energy"), 5);
    assert_near(told(report, "energy", "package-0", "joules"), 20);
    assert_near(told(report, "energy", "package-0", "seconds"), 2);
    assert_near(told(report, "energy", "package-0", "watts"), 10);
    assert_near(told(report, "energy", "package-0", "joules_per_unit"), 0.5);
    assert_near(told(report, "energy", "package-0/core", "joules"), 4);
    assert_near(told(report, "energy", "package-1", "joules"), 2);
    assert_near(told(report, "energy", "package-1/core", "joules"), 0);
    assert_near(told(report, "energy", "package-0 by MMIO", "joules"), 0);
    assert_string_equal(said(report, processor, "state"), "on");
    assert_non_null(strstr(said(report, processor, "how"), "package-0/core"));
    fmp_system_report_free(&report);
    tree_free(&tree);
}

static void counters_that_cannot_be_true(void **state)
{
    (void)state;
    fake_tree tree;
    tree_make(&tree);
    zone(&tree, "intel-rapl:0", "package-0\n", 5000000, 262143328850);
    zone(&tree, "intel-rapl:1", "", 5000000, -4);
    zone(&tree, "intel-rapl:2", "package-2\n", 0, 0);
    tree_put(&tree, RAPL "intel-rapl:2/energy_uj", "many\n");
    zone(&tree, "intel-rapl:3", "package-3\n", -1, 10);
    device_watch watch;
    watch_start(&watch, &fmp_facility_energy, &tree);
    tree_put_number(&tree, RAPL "intel-rapl:0/energy_uj", 6000000);
    tree_put_number(&tree, RAPL "intel-rapl:1/energy_uj", 1000000); /* fell, and no range to say how */
    watch_read(&watch, 100);
    tree_put(&tree, RAPL "intel-rapl:0/energy_uj", "99999999999999999999999999\n");
    tree_put_number(&tree, RAPL "intel-rapl:1/energy_uj", 2000000);
    watch_read(&watch, 200);
    tree_put_number(&tree, RAPL "intel-rapl:0/energy_uj", 50000000); /* anew: what was between is not known */
    watch_read(&watch, 300);
    tree_put_number(&tree, RAPL "intel-rapl:0/energy_uj", 0); /* set back: as a wrap it would be 2 MW */
    watch_read(&watch, 400);
    tree_put_number(&tree, RAPL "intel-rapl:0/energy_uj", 3000000);
    watch_read(&watch, 500);
    tree_remove(&tree, RAPL "intel-rapl:0/energy_uj");
    fmp_system_report *report = watch_stop(&watch, 600, 0);
    assert_int_equal(rows(report, "energy"), 2);
    assert_near(told(report, "energy", "package-0", "joules"), 4);
    assert_near(told(report, "energy", "package-0", "seconds"), 0.2);
    assert_true(isnan(told(report, "energy", "package-0", "joules_per_unit")));
    assert_near(told(report, "energy", "intel-rapl:1", "joules"), 1);
    assert_near(told(report, "energy", "intel-rapl:1", "seconds"), 0.5);
    fmp_system_report_free(&report);
    tree_free(&tree);
}

/* As an ordinary user, even where the test runs as root, whom no mode of a file stops. */
static void a_forbidden_counter_says_how_to_permit_it(void **state)
{
    (void)state;
    fake_tree tree;
    tree_make(&tree);
    zone(&tree, "intel-rapl:0", "package-0\n", 1, 2);
    char path[512];
    snprintf(path, sizeof path, "%s/" RAPL "intel-rapl:0/energy_uj", tree.root);
    assert_int_equal(chmod(path, 0), 0);
    const bool root = geteuid() == 0;
    if (root && (chmod(tree.root, 0755) || seteuid(65534))) {
        print_message("SKIPPED: this root may not become an ordinary user\n");
        tree_free(&tree);
        skip();
    }
    device_watch watch;
    watch_start(&watch, &fmp_facility_energy, &tree);
    fmp_system_report *report = watch_stop(&watch, 10, 1);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(rows(report, "energy"), 0);
    assert_string_equal(said(report, processor, "state"), "not permitted");
    assert_non_null(strstr(said(report, processor, "how"), "intel-rapl:0/energy_uj is root's alone"));
    assert_non_null(strstr(said(report, processor, "remedy"), "sudo chmod a+r"));
    fmp_system_report_free(&report);
    tree_free(&tree);
}

static void a_machine_that_tells_nothing(void **state)
{
    (void)state;
    fake_tree tree;
    tree_make(&tree);
    device_watch watch;
    for (int is_virtual = 0; is_virtual < 2; is_virtual++) {
        if (is_virtual)
            tree_put(&tree, "proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme hypervisor lahf_lm\n");
        watch_start(&watch, &fmp_facility_energy, &tree);
        assert_null(watch.state);
        fmp_system_report *report = watch_stop(&watch, 10, 1);
        assert_string_equal(said(report, processor, "state"), "not here");
        assert_string_equal(said(report, "battery", "state"), "not here");
        assert_string_equal(said(report, "power sensors", "state"), "not here");
        const char *how = said(report, processor, "how");
        assert_int_equal(strstr(how, "a virtual machine is not told") != NULL, is_virtual);
        fmp_system_report_free(&report);
    }
    zone(&tree, "intel-rapl:0", "package-0\n", 1, 2);
    tree_put(&tree, RAPL "intel-rapl:0/energy_uj", "\n");
    watch_start(&watch, &fmp_facility_energy, &tree);
    fmp_system_report *report = watch_stop(&watch, 10, 1);
    assert_string_equal(said(report, processor, "state"), "not here");
    assert_non_null(strstr(said(report, processor, "how"), "energy_uj cannot be read"));
    fmp_system_report_free(&report);
    tree_free(&tree);
}

/*
 * The real perf_event_open behind a tree that calls the kernel's CPU clock (software event 0, nanoseconds of each
 * processor) energy with a scale of 2 nanojoules: two watts, whatever the machine does.
 */
static void events_of_perf(void **state)
{
    (void)state;
    fake_tree tree;
    tree_make(&tree);
#define PMU "sys/bus/event_source/devices/power/"
    tree_put(&tree, PMU "type", "1\n");
    tree_put(&tree, PMU "cpumask", "0\n");
    tree_put(&tree, PMU "events/energy-pkg", "event=0x00\n");
    tree_put(&tree, PMU "events/energy-pkg.scale", "2e-9\n");
    tree_put(&tree, PMU "events/energy-pkg.unit", "Joules\n");
    tree_put(&tree, PMU "events/energy-ram", "event=0x00\n");
    tree_put(&tree, PMU "events/energy-ram.scale", "nothing\n");
    tree_put(&tree, PMU "events/energy-ram.unit", "Joules\n");
    device_watch watch;
    watch_start(&watch, &fmp_facility_energy, &tree);
    const uint64_t begun = fmp_now();
    if (watch.state)
        usleep(200000);
    const unsigned passed = (unsigned)((fmp_now() - begun) / 1000000) + 1;
    fmp_system_report *report = watch_stop(&watch, passed, 10);
    const char *how_state = said(report, processor, "state");
    if (strcmp(how_state, "on") == 0) {
        assert_int_equal(rows(report, "energy"), 1);
        const double watts = told(report, "energy", "package-0 pkg", "watts");
        if (!(watts > 1.8 && watts < 2.2))
            fail_msg("%g W, not 2", watts);
    } else {
        print_message("SKIPPED: events of a whole processor are refused (%s)\n", said(report, processor, "how"));
        assert_string_equal(how_state, "not permitted");
        assert_non_null(strstr(said(report, processor, "remedy"), "perf_event_paranoid"));
    }
    fmp_system_report_free(&report);
    tree_put(&tree, PMU "type", "4000000000\n"); /* there is no such kind of event */
    watch_start(&watch, &fmp_facility_energy, &tree);
    report = watch_stop(&watch, 10, 1);
    assert_string_not_equal(said(report, processor, "state"), "on");
    fmp_system_report_free(&report);
    tree_free(&tree);
}

#define SUPPLY "sys/class/power_supply/"
static void batteries_while_they_discharge(void **state)
{
    (void)state;
    fake_tree tree;
    tree_make(&tree);
    tree_put(&tree, SUPPLY "AC/type", "Mains\n");
    tree_put(&tree, SUPPLY "BAT0/type", "Battery\n");
    tree_put(&tree, SUPPLY "BAT0/status", "Discharging\n");
    tree_put_number(&tree, SUPPLY "BAT0/power_now", 10000000);
    tree_put_number(&tree, SUPPLY "BAT0/energy_now", 1); /* not looked at: power is finer */
    tree_put(&tree, SUPPLY "BAT1/type", "Battery\n");
    tree_put(&tree, SUPPLY "BAT1/status", "Discharging\n");
    tree_put_number(&tree, SUPPLY "BAT1/current_now", -500000);
    tree_put_number(&tree, SUPPLY "BAT1/voltage_now", 12000000);
    tree_put(&tree, SUPPLY "BAT2/type", "Battery\n");
    tree_put(&tree, SUPPLY "BAT2/status", "Discharging\n");
    tree_put_number(&tree, SUPPLY "BAT2/energy_now", 50000000);
    tree_put(&tree, SUPPLY "BAT3/type", "Battery\n");
    tree_put(&tree, SUPPLY "BAT3/status", "Charging\n");
    tree_put_number(&tree, SUPPLY "BAT3/power_now", 10000000);
    tree_put(&tree, SUPPLY "mouse/type", "Battery\n");
    tree_put(&tree, SUPPLY "mouse/scope", "Device\n");
    tree_put_number(&tree, SUPPLY "mouse/power_now", 1);
    device_watch watch;
    watch_start(&watch, &fmp_facility_energy, &tree);
    tree_put_number(&tree, SUPPLY "BAT0/power_now", 20000000);
    watch_read(&watch, 500); /* too soon */
    watch_read(&watch, 1000);
    tree_put(&tree, SUPPLY "BAT0/status", "Charging\n");
    watch_read(&watch, 2000);
    tree_put_number(&tree, SUPPLY "BAT2/energy_now", 49990000); /* 10 mWh less */
    fmp_system_report *report = watch_stop(&watch, 4000, 3);
    assert_int_equal(rows(report, "energy"), 3);
    assert_near(told(report, "energy", "battery BAT0", "joules"), 15);
    assert_near(told(report, "energy", "battery BAT0", "seconds"), 1);
    assert_near(told(report, "energy", "battery BAT1", "joules"), 24);
    assert_near(told(report, "energy", "battery BAT1", "watts"), 6);
    assert_near(told(report, "energy", "battery BAT2", "joules"), 36);
    assert_string_equal(said(report, "battery", "state"), "on");
    fmp_system_report_free(&report);
    tree_free(&tree);
}

#define HWMON "sys/class/hwmon/"
static void sensors_of_boards(void **state)
{
    (void)state;
    fake_tree tree;
    tree_make(&tree);
    tree_put(&tree, HWMON "hwmon0/name", "ina226\n");
    tree_put(&tree, HWMON "hwmon0/power1_input", "5000000\n");
    tree_put(&tree, HWMON "hwmon0/power1_label", "VDD_CPU\n");
    tree_put(&tree, HWMON "hwmon0/power1_cap", "99000000\n");
    tree_put(&tree, HWMON "hwmon1/name", "scmi_sensors\n");
    tree_put(&tree, HWMON "hwmon1/energy3_input", "1000000\n");
    tree_put(&tree, HWMON "hwmon2/name", "amdgpu\n");
    tree_put(&tree, HWMON "hwmon2/power1_average", "7000000\n");
    tree_put(&tree, HWMON "hwmon2/power1_input", "1\n");
    tree_put(&tree, HWMON "hwmon10/power1_input", "garbage\n");
    device_watch watch;
    watch_start(&watch, &fmp_facility_energy, &tree);
    tree_put(&tree, HWMON "hwmon0/power1_input", "7000000\n");
    tree_put(&tree, HWMON "hwmon1/energy3_input", "5000000\n");
    fmp_system_report *report = watch_stop(&watch, 2000, 2);
    assert_int_equal(rows(report, "energy"), 3);
    assert_near(told(report, "energy", "ina226/VDD_CPU", "joules"), 12);
    assert_near(told(report, "energy", "scmi_sensors/energy3", "joules"), 4);
    assert_near(told(report, "energy", "amdgpu/power1", "watts"), 7);
    assert_near(told(report, "energy", "amdgpu/power1", "units"), 2);
    fmp_system_report_free(&report);
    tree_free(&tree);
}

/* What a trace shows of it: power between readings. */
static void power_is_a_counter_track(void **state)
{
    (void)state;
    fake_tree tree;
    tree_make(&tree);
    zone(&tree, "intel-rapl:0", "package-0\n", 0, 262143328850);
    char path[400];
    snprintf(path, sizeof path, "%s/trace", tree.root);
    assert_int_equal(fmp_trace_start(path, NULL), 0);
    device_watch watch;
    watch_start(&watch, &fmp_facility_energy, &tree);
    for (unsigned i = 1; i <= 10; i++) {
        tree_put_number(&tree, RAPL "intel-rapl:0/energy_uj", i * 1250000LL); /* 25 W */
        watch_read(&watch, i * 50);
    }
    assert_int_equal(fmp_trace_stop(), 0);
    fmp_system_report *report = watch_stop(&watch, 600, 0);
    fmp_system_report_free(&report);
    fmp_snapshot *snapshot = fmp_snapshot_take();
    size_t found = 0;
    for (size_t i = 0; i < snapshot->metric_count; i++) {
        const fmp_metric_value *m = &snapshot->metrics[i];
        if (strcmp(m->name, "power package-0") != 0)
            continue;
        found++;
        assert_string_equal(m->unit, "mW");
        assert_int_equal(m->count, 10);
        assert_int_equal(m->last, 25000);
    }
    assert_int_equal(found, 1);
    fmp_snapshot_free(&snapshot);
    tree_free(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_of_packages_and_their_parts),
        cmocka_unit_test(counters_that_cannot_be_true),
        cmocka_unit_test(a_forbidden_counter_says_how_to_permit_it),
        cmocka_unit_test(a_machine_that_tells_nothing),
        cmocka_unit_test(events_of_perf),
        cmocka_unit_test(batteries_while_they_discharge),
        cmocka_unit_test(sensors_of_boards),
        cmocka_unit_test(power_is_a_counter_track),
    };
    return cmocka_run_group_tests_name("energy", tests, NULL, NULL);
}
