/* What the machine tells and permits, from copies of /proc and /sys that the tests write. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "system/files.h"
#include "system/host.h"
#include "system/permissions.h"

/* --- trees ------------------------------------------------------------------- */

static char root[FM_PATH_MAX];

/* A new, empty tree in place of the last one. */
static void new_tree(void)
{
    const char *folder = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/facemirror-system-XXXXXX", folder && *folder ? folder : "/tmp");
    assert_non_null(mkdtemp(root));
}

static void remove_tree(void)
{
    char command[FM_PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    assert_int_equal(system(command), 0);
}

static void put(const char *path, const char *text)
{
    char full[FM_PATH_MAX], folder[FM_PATH_MAX];
    fm_error err = {0};
    assert_true(fm_path_join(full, root, path + 1));
    fm_path_dir(folder, full);
    assert_int_equal(fm_make_dirs(folder, &err), FM_OK);
    assert_int_equal(fm_file_write(full, text, strlen(text), &err), FM_OK);
}

/* --- files --------------------------------------------------------------------- */

static void test_files(void **state)
{
    (void)state;
    char text[16];
    int64_t number = 7;
    new_tree();
    put("/proc/text", "first\nsecond\n\n");
    put("/proc/long", "0123456789abcdefghij");
    put("/proc/number", "-3 and more\n");
    put("/proc/empty", "");
    assert_true(fm_system_text(root, "/proc/text", text, sizeof text));
    assert_string_equal(text, "first\nsecond");
    assert_true(fm_system_text(root, "/proc/long", text, sizeof text));
    assert_string_equal(text, "0123456789abcde");
    assert_true(fm_system_text(root, "/proc/empty", text, sizeof text));
    assert_string_equal(text, "");
    assert_false(fm_system_text(root, "/proc/none", text, sizeof text));
    assert_false(fm_system_text(root, "/proc", text, sizeof text)); /* a folder */
    assert_true(fm_system_number(root, "/proc/number", &number));
    assert_int_equal(number, -3);
    assert_false(fm_system_number(root, "/proc/text", &number));
    assert_true(fm_system_exists(root, "/proc/empty"));
    assert_false(fm_system_exists(root, "/proc/none"));
    remove_tree();
    assert_true(fm_system_field("ab: 1\nabc :  2 x\n", "abc", text, sizeof text));
    assert_string_equal(text, "2 x");
    assert_true(fm_system_field("ab: 1\nabc: 2", "ab", text, sizeof text));
    assert_string_equal(text, "1");
    assert_false(fm_system_field("xab: 1", "ab", text, sizeof text));
}

/* A FIFO would block for ever. */
static void test_no_waiting(void **state)
{
    (void)state;
    char path[FM_PATH_MAX], text[8];
    new_tree();
    assert_true(fm_path_join(path, root, "pipe"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(fm_system_text(root, "/pipe", text, sizeof text));
    remove_tree();
}

/* --- the machine ------------------------------------------------------------------ */

static fm_host read_host(void)
{
    fm_host host;
    fm_host_read(root, &host);
    remove_tree();
    return host;
}

static void test_a_laptop(void **state)
{
    (void)state;
    new_tree();
    put("/proc/loadavg", "1.25 0.50 0.10 1/300 4242\n");
    put("/proc/meminfo", "MemTotal:       16000000 kB\nMemFree:         1000 kB\nMemAvailable:    8000000 kB\n"
                         "SwapTotal:       2000000 kB\nSwapFree:        1500000 kB\n");
    put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    put("/sys/class/dmi/id/product_name", "ThinkBook 14\n");
    put("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme\n");
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/memory.max", "max\n");
    put("/proc/1/cgroup", "0::/init.scope\n");
    const fm_host h = read_host();
    assert_float_equal(h.load, 1.25, 1e-9);
    assert_true(h.memory == UINT64_C(16000000) * 1024 && h.memory_available == UINT64_C(8000000) * 1024);
    assert_true(h.swap == UINT64_C(2000000) * 1024 && h.swap_free == UINT64_C(1500000) * 1024);
    assert_string_equal(h.governor, "powersave");
    assert_string_equal(h.hypervisor, "");
    assert_string_equal(h.container, "");
    assert_true(h.cpu_limit == 0 && h.memory_limit == 0);
}

/* The load is the double that anyone gets who reads the same digits. */
static void test_loads_are_exact(void **state)
{
    (void)state;
    new_tree();
    for (int i = 0; i < 1000; i++) {
        char text[48];
        snprintf(text, sizeof text, "%d.%02d 0.50 0.10 1/300 4242\n", i / 100, i % 100);
        put("/proc/loadavg", text);
        assert_true(read_host().load == strtod(text, NULL));
    }
}

static void test_nothing_is_told(void **state)
{
    (void)state;
    new_tree();
    const fm_host h = read_host();
    assert_true(isnan(h.load));
    assert_true(h.memory == 0 && h.swap == 0 && h.cpu_limit == 0 && h.memory_limit == 0);
    assert_true(!h.governor[0] && !h.container[0] && !h.hypervisor[0]);
}

static void test_virtual_machines(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text, *name;
    } cases[] = {
        {"/sys/class/dmi/id/product_name", "Standard PC (Q35 + ICH9, 2009)\n", ""},
        {"/sys/class/dmi/id/sys_vendor", "QEMU\n", "QEMU/KVM"},
        {"/sys/class/dmi/id/product_name", "VMware Virtual Platform\n", "VMware"},
        {"/sys/class/dmi/id/product_name", "Virtual Machine\n", "Hyper-V"},
        {"/sys/hypervisor/type", "xen\n", "xen"},
        {"/proc/cpuinfo", "flags\t: fpu hypervisor lahf_lm\n", "yes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        new_tree();
        put(cases[i].path, cases[i].text);
        assert_string_equal(read_host().hypervisor, cases[i].name);
    }
}

static void test_containers(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text, *name;
    } cases[] = {
        {"/.dockerenv", "", "docker"},
        {"/run/.containerenv", "engine=\"podman\"\n", "podman"},
        {"/run/systemd/container", "systemd-nspawn\n", "systemd-nspawn"},
        {"/run/systemd/container", "a name that is far longer than any that a container has\n",
         "a name that is far longer than "},
        {"/proc/1/cgroup", "0::/kubepods/burstable/pod1\n", "kubernetes"},
        {"/proc/1/cgroup", "12:cpu:/docker/0123\n", "docker"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        new_tree();
        put(cases[i].path, cases[i].text);
        assert_string_equal(read_host().container, cases[i].name);
    }
    new_tree();
    put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    put("/sys/fs/cgroup/memory.max", "1073741824\n");
    const fm_host h = read_host();
    assert_float_equal(h.cpu_limit, 1.5, 1e-9);
    assert_true(h.memory_limit == 1073741824);
}

/* --- what is permitted --------------------------------------------------------------- */

static int task_clock_error, cycles_error;
static bool library_there;

static int fake_perf(fm_perf_event event)
{
    return event == FM_PERF_CYCLES ? cycles_error : task_clock_error;
}

static bool fake_library(const char *name)
{
    assert_string_equal(name, "libnvidia-ml.so.1");
    return library_there;
}

static void check(fm_check out[FM_PERMISSIONS])
{
    fm_permissions_check(&(fm_probes){root, fake_perf, fake_library}, out);
    for (int i = 0; i < FM_PERMISSIONS; i++) {
        assert_true(out[i].id[0] && out[i].name[0] && out[i].detail[0]);
        assert_true(out[i].state == FM_CHECK_DENIED || !out[i].fix[0]); /* nothing to mend in what works */
    }
}

static const fm_check *of(const fm_check checks[FM_PERMISSIONS], const char *id)
{
    for (int i = 0; i < FM_PERMISSIONS; i++)
        if (strcmp(checks[i].id, id) == 0)
            return &checks[i];
    fail_msg("no check %s", id);
    return NULL;
}

static void test_all_permitted(void **state)
{
    (void)state;
    fm_check checks[FM_PERMISSIONS];
    task_clock_error = cycles_error = 0;
    library_there = true;
    new_tree();
    put("/proc/sys/kernel/perf_event_paranoid", "-1\n");
    put("/proc/self/status", "");
    put("/sys/class/powercap/intel-rapl:0/energy_uj", "12345\n");
    check(checks);
    remove_tree();
    for (int i = 0; i < FM_PERMISSIONS; i++)
        if (checks[i].state != FM_CHECK_OK)
            fail_msg("%s: %s", checks[i].id, checks[i].detail);
    assert_string_equal(of(checks, "perf_paranoid")->detail, "-1: everything may be measured");
    assert_string_equal(of(checks, "ptrace")->detail, "ptrace_scope 0: all processes of this user");
}

static void test_denied_by_settings(void **state)
{
    (void)state;
    fm_check checks[FM_PERMISSIONS];
    task_clock_error = cycles_error = EACCES;
    library_there = false;
    new_tree();
    put("/proc/sys/kernel/perf_event_paranoid", "3\n");
    put("/proc/sys/kernel/yama/ptrace_scope", "2\n");
    put("/proc/self/status", "");
    put("/proc/driver/nvidia/version", "NVRM\n");
    check(checks);
    remove_tree();
    for (int i = 0; i < FM_PERMISSIONS; i++)
        if (strcmp(checks[i].id, "energy") != 0 && (checks[i].state != FM_CHECK_DENIED || !checks[i].fix[0]))
            fail_msg("%s: %s", checks[i].id, checks[i].detail);
    assert_string_equal(of(checks, "perf_cycles")->fix, "sudo sysctl kernel.perf_event_paranoid=1");
    assert_string_equal(of(checks, "ptrace")->fix, "sudo sysctl kernel.yama.ptrace_scope=1");
    assert_int_equal(of(checks, "energy")->state, FM_CHECK_ABSENT);
}

/* The setting permits it, and yet it is refused; or the other way round, to root. */
static void test_denied_by_a_container(void **state)
{
    (void)state;
    fm_check checks[FM_PERMISSIONS];
    task_clock_error = cycles_error = EPERM;
    new_tree();
    put("/proc/sys/kernel/perf_event_paranoid", "2\n");
    check(checks);
    assert_int_equal(of(checks, "perf_paranoid")->state, FM_CHECK_OK);
    assert_int_equal(of(checks, "perf_task_clock")->state, FM_CHECK_DENIED);
    assert_non_null(strstr(of(checks, "perf_task_clock")->fix, "PERFMON"));
    task_clock_error = cycles_error = 0;
    put("/proc/sys/kernel/perf_event_paranoid", "4\n");
    check(checks);
    remove_tree();
    assert_int_equal(of(checks, "perf_paranoid")->state, FM_CHECK_OK);
    assert_non_null(strstr(of(checks, "perf_paranoid")->detail, "which this user has"));
}

static void test_absent(void **state)
{
    (void)state;
    fm_check checks[FM_PERMISSIONS];
    task_clock_error = ENOSYS;
    cycles_error = ENOENT;
    library_there = false;
    new_tree();
    check(checks);
    remove_tree();
    for (int i = 0; i < FM_PERMISSIONS; i++)
        assert_int_equal(checks[i].state, FM_CHECK_ABSENT);
    assert_non_null(strstr(of(checks, "perf_cycles")->detail, "virtual machines"));
}

/* Whatever this machine is: every question has an answer, and the same one twice. */
static void test_this_machine(void **state)
{
    (void)state;
    const fm_probes probes = fm_probes_real();
    fm_check first[FM_PERMISSIONS], second[FM_PERMISSIONS];
    fm_permissions_check(&probes, first);
    fm_permissions_check(&probes, second);
    for (int i = 0; i < FM_PERMISSIONS; i++) {
        assert_true(first[i].detail[0] != '\0');
        assert_string_equal(first[i].detail, second[i].detail);
        assert_int_equal(first[i].state, second[i].state);
        assert_non_null(fm_check_state_name(first[i].state));
    }
    fm_host host;
    fm_host_read("", &host);
    assert_true(host.memory > 0 && host.memory_available <= host.memory && host.swap_free <= host.swap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_no_waiting),
        cmocka_unit_test(test_a_laptop),
        cmocka_unit_test(test_loads_are_exact),
        cmocka_unit_test(test_nothing_is_told),
        cmocka_unit_test(test_virtual_machines),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_all_permitted),
        cmocka_unit_test(test_denied_by_settings),
        cmocka_unit_test(test_denied_by_a_container),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
