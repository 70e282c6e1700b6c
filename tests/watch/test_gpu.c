/*
 * Accelerators: sums of readings with given times; NVML by a stand-in (fake_nvml.c), which LD_LIBRARY_PATH puts in the
 * library's place; AMD's cards by a tree in place of /sys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>

#include <cmocka.h>

#include "device_watch.h"
#include "watch/gpu_sum.h"

static const char nvidia[] = "NVIDIA devices";

static void assert_near(double value, double wanted, double off)
{
    if (!(fabs(value - wanted) <= off))
        fail_msg("%.12g, not %.12g", value, wanted);
}

static fmp_system_report *sums_report(const fmp_gpu_sum *sum, uint64_t units)
{
    fmp_tables *tables = fmp_tables_create();
    fmp_gpu_sum_tell(sum, units, tables);
    return fmp_tables_finish(&tables);
}

static void readings_add_up(void **state)
{
    (void)state;
    const double no = (double)NAN;
    const fmp_gpu_reading readings[] = {
        {0.9, 1e9, 8e9, 100, no, 50},   /* at 0 s: of the time before, so its use does not count */
        {0.5, 3e9, 8e9, 200, no, 70},   /* at 1 s: 0.5 s busy, 150 J */
        {no, no, no, no, no, no},       /* at 2 s */
        {1.0, 2e9, 8e9, 100, 777, 60},  /* at 4 s: 2 s busy; energy of the gap is not known */
        {0.25, 2e9, 8e9, 300, no, no},  /* at 5 s: 0.25 s busy, 200 J */
    };
    const uint64_t at[] = {0, 1, 2, 4, 5};
    fmp_gpu_sum sum;
    fmp_gpu_sum_begin(&sum, "GPU 7");
    for (size_t i = 0; i < 5; i++)
        fmp_gpu_sum_add(&sum, UINT64_C(5000000000) + at[i] * UINT64_C(1000000000), &readings[i]);
    fmp_system_report *report = sums_report(&sum, 100);
    assert_near(told(report, "accelerators", "GPU 7", "seconds"), 4, 1e-9);
    assert_near(told(report, "accelerators", "GPU 7", "busy_seconds"), 2.75, 1e-9);
    assert_near(told(report, "accelerators", "GPU 7", "utilisation"), 2.75 / 4, 1e-9);
    assert_near(told(report, "accelerators", "GPU 7", "utilisation_peak"), 1, 0);
    assert_near(told(report, "accelerators", "GPU 7", "memory_peak_bytes"), 3e9, 0);
    assert_near(told(report, "accelerators", "GPU 7", "memory_bytes"), 8e9, 0);
    assert_near(told(report, "accelerators", "GPU 7", "temperature_peak"), 70, 0);
    assert_near(told(report, "energy", "GPU 7", "joules"), 350, 1e-9);
    assert_near(told(report, "energy", "GPU 7", "seconds"), 2, 1e-9);
    assert_near(told(report, "energy", "GPU 7", "joules_per_unit"), 3.5, 1e-9);
    fmp_system_report_free(&report);
}

static void energy_that_the_device_counts_is_taken_before_power(void **state)
{
    (void)state;
    const double no = (double)NAN;
    fmp_gpu_sum sum;
    fmp_gpu_sum_begin(&sum, "GPU 0");
    for (unsigned i = 0; i < 4; i++) { /* the third reading lacks it */
        const fmp_gpu_reading reading = {no, no, no, 1000, i == 2 ? no : 5000 + 10.0 * i, no};
        fmp_gpu_sum_add(&sum, 1 + i * UINT64_C(1000000000), &reading);
    }
    fmp_system_report *report = sums_report(&sum, 0);
    assert_near(told(report, "energy", "GPU 0", "joules"), 10, 1e-9);
    assert_near(told(report, "energy", "GPU 0", "watts"), 10, 1e-9);
    assert_near(told(report, "accelerators", "GPU 0", "seconds"), 3, 1e-9);
    assert_true(isnan(told(report, "accelerators", "GPU 0", "busy_seconds")));
    assert_true(isnan(told(report, "accelerators", "GPU 0", "utilisation_peak")));
    fmp_system_report_free(&report);
}

/* --- NVML ---------------------------------------------------------------------------- */

static bool stand_in;

/* A watch of so many milliseconds of real time. */
static fmp_system_report *watched(const char *setting, unsigned milliseconds)
{
    fake_tree tree;
    tree_make(&tree);
    setenv("FAKE_NVML", setting, 1);
    device_watch watch;
    watch_start(&watch, &fmp_facility_gpu, &tree);
    if (watch.state)
        usleep(milliseconds * 1000);
    fmp_system_report *report = watch_stop(&watch, milliseconds, 10);
    unsetenv("FAKE_NVML");
    tree_free(&tree);
    return report;
}

static void need_stand_in(void)
{
    if (!stand_in) {
        print_message("SKIPPED: without the stand-in for NVML\n");
        skip();
    }
}

static void sixteen_devices(void **state)
{
    (void)state;
    need_stand_in();
    fmp_system_report *report = watched("devices=16,noenergy", 400);
    assert_string_equal(said(report, nvidia, "state"), "on");
    assert_non_null(strstr(said(report, nvidia, "how"), "16 devices"));
    assert_int_equal(rows(report, "accelerators"), 16);
    assert_int_equal(rows(report, "energy"), 16);
    for (unsigned i = 0; i < 16; i++) {
        char name[64];
        snprintf(name, sizeof name, "GPU %u Stand-in 3000", i);
        assert_near(told(report, "accelerators", name, "temperature_peak"), 40 + i, 0);
        assert_near(told(report, "accelerators", name, "memory_peak_bytes"), (double)((uint64_t)i << 30), 0);
        assert_near(told(report, "accelerators", name, "memory_bytes"), 64.0 * (1 << 30), 0);
        assert_near(told(report, "accelerators", name, "utilisation_peak"), 0.75, 0);
        assert_near(told(report, "accelerators", name, "utilisation"), 0.5, 0.26); /* as luck has it */
        assert_near(told(report, "energy", name, "watts"), 100 + 10.0 * i, 1);      /* by counter, and by power */
        assert_near(told(report, "energy", name, "seconds"), told(report, "accelerators", name, "seconds"), 1e-6);
        assert_true(told(report, "energy", name, "seconds") >= 0.4);
    }
    fmp_system_report_free(&report);
}

static void devices_that_say_little(void **state)
{
    (void)state;
    need_stand_in();
    fmp_system_report *report = watched("nothing", 50);
    assert_int_equal(rows(report, "accelerators"), 1);
    assert_true(isnan(told(report, "accelerators", "GPU 0 Stand-in 3000", "utilisation")));
    assert_true(isnan(told(report, "accelerators", "GPU 0 Stand-in 3000", "memory_peak_bytes")));
    assert_int_equal(rows(report, "energy"), 0);
    fmp_system_report_free(&report);
    report = watched("devices=2,lost", 50);
    assert_int_equal(rows(report, "accelerators"), 2);
    assert_true(isnan(told(report, "accelerators", "GPU 0", "temperature_peak")));
    assert_near(told(report, "accelerators", "GPU 1 Stand-in 3000", "temperature_peak"), 41, 0);
    fmp_system_report_free(&report);
    report = watched("devices=4000000000", 50);
    assert_int_equal(rows(report, "accelerators"), FMP_NVML_DEVICES_MAX);
    fmp_system_report_free(&report);
}

static void drivers_that_refuse(void **state)
{
    (void)state;
    need_stand_in();
    static const struct {
        const char *setting, *state, *how, *remedy;
    } cases[] = {
        {"init=18", "not here", "nvmlInit failed with 18 (Driver/library version mismatch)", "restart the machine"},
        {"init=4", "not permitted", "nvmlInit failed with 4 (Insufficient Permissions)", "/dev/nvidia*"},
        {"init=9", "not here", "nvmlInit failed with 9", "nvidia-smi"},
        {"init=999", "not here", "nvmlInit failed with 999 (Another error)", ""},
        {"devices=0", "not here", "no device", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fmp_system_report *report = watched(cases[i].setting, 0);
        assert_string_equal(said(report, nvidia, "state"), cases[i].state);
        assert_non_null(strstr(said(report, nvidia, "how"), cases[i].how));
        assert_non_null(strstr(said(report, nvidia, "remedy"), cases[i].remedy));
        assert_int_equal(rows(report, "accelerators"), 0);
        fmp_system_report_free(&report);
    }
}

static void a_driver_that_hangs_holds_up_nothing(void **state)
{
    (void)state;
    need_stand_in();
    const uint64_t begun = fmp_now();
    fmp_system_report *report = watched("hang", 300);
    const double seconds = (double)(fmp_now() - begun) * 1e-9;
    assert_true(seconds < 4);
    assert_non_null(strstr(said(report, "NVIDIA driver", "how"), "does not answer"));
    /* Three readings, 50 ms apart, were had. */
    assert_near(told(report, "accelerators", "GPU 0 Stand-in 3000", "seconds"), 0.1, 0.09);
    fmp_system_report_free(&report);
}

static void libraries_that_lack_something(void **state)
{
    (void)state;
    errno = 0;
    assert_null(fmp_nvml_load("libthere-is-no-such-library.so.1"));
    assert_int_equal(errno, ENOENT);
    assert_null(fmp_nvml_load("libm.so.6")); /* another library altogether */
    assert_int_equal(errno, ENOSYS);
    const char *without = getenv("FAKE_NVML_WITHOUT_ENERGY");
    if (!without)
        return;
    fmp_nvml *nvml = fmp_nvml_load(without);
    assert_non_null(nvml);
    char message[FMP_NVML_MESSAGE_SIZE];
    assert_true(fmp_nvml_start(nvml, message));
    fmp_gpu_reading reading;
    fmp_nvml_read(nvml, 0, &reading);
    assert_true(isnan(reading.joules));
    assert_near(reading.watts, 100, 0);
    assert_near(reading.busy, 0.25, 0);
    fmp_nvml_free(&nvml);
    assert_null(nvml);
}

/* --- sysfs ------------------------------------------------------------------------------ */

#define DRM "sys/class/drm/"
static void cards_of_sysfs(void **state)
{
    (void)state;
    fake_tree tree;
    tree_make(&tree);
    tree_put(&tree, DRM "card0/device/vendor", "0x8086\n"); /* says nothing of use */
    tree_put(&tree, DRM "card1-DP-1/device/gpu_busy_percent", "1\n");
    tree_put(&tree, DRM "card1/device/gpu_busy_percent", "10\n");
    tree_put(&tree, DRM "card1/device/vendor", "0x1002\n");
    tree_put(&tree, DRM "card1/device/device", "0x73bf\n");
    tree_put(&tree, DRM "card1/device/mem_info_vram_total", "17163091968\n");
    tree_put(&tree, DRM "card1/device/mem_info_vram_used", "1000\n");
    setenv("FAKE_NVML", "init=9", 1);
    device_watch watch;
    watch_start(&watch, &fmp_facility_gpu, &tree);
    tree_put(&tree, DRM "card1/device/gpu_busy_percent", "50\n");
    tree_put(&tree, DRM "card1/device/mem_info_vram_used", "5000\n");
    watch_read(&watch, 1000);
    tree_put(&tree, DRM "card1/device/gpu_busy_percent", "-7\n");
    watch_read(&watch, 2000);
    tree_put(&tree, DRM "card1/device/gpu_busy_percent", "100\n");
    watch_read(&watch, 4000);
    tree_remove(&tree, DRM "card1/device/mem_info_vram_used");
    tree_put(&tree, DRM "card1/device/gpu_busy_percent", "101\n");
    fmp_system_report *report = watch_stop(&watch, 5000, 1);
    unsetenv("FAKE_NVML");
    assert_string_equal(said(report, "AMD devices", "state"), "on");
    assert_int_equal(rows(report, "accelerators"), 1);
    assert_near(told(report, "accelerators", "card1 0x1002:0x73bf", "seconds"), 3, 1e-9);
    assert_near(told(report, "accelerators", "card1 0x1002:0x73bf", "busy_seconds"), 2.5, 1e-9);
    assert_near(told(report, "accelerators", "card1 0x1002:0x73bf", "memory_peak_bytes"), 5000, 0);
    assert_near(told(report, "accelerators", "card1 0x1002:0x73bf", "memory_bytes"), 17163091968.0, 0);
    assert_true(isnan(told(report, "accelerators", "card1 0x1002:0x73bf", "temperature_peak")));
    assert_int_equal(rows(report, "energy"), 0);
    fmp_system_report_free(&report);
    tree_free(&tree);
}

int main(void)
{
    stand_in = getenv("FAKE_NVML_IS_HERE") != NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readings_add_up),
        cmocka_unit_test(energy_that_the_device_counts_is_taken_before_power),
        cmocka_unit_test(sixteen_devices),
        cmocka_unit_test(devices_that_say_little),
        cmocka_unit_test(drivers_that_refuse),
        cmocka_unit_test(a_driver_that_hangs_holds_up_nothing),
        cmocka_unit_test(libraries_that_lack_something),
        cmocka_unit_test(cards_of_sysfs),
    };
    return cmocka_run_group_tests_name("gpu", tests, NULL, NULL);
}
