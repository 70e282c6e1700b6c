#include "watch/memory_process.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef __APPLE__
#include <mach/mach.h>
#endif

#include "fmprof/trace.h"
#include "watch/proc_text.h"

const char *fmp_process_name(void)
{
#if defined(__linux__)
    const char *name = program_invocation_short_name;
#elif defined(__APPLE__)
    const char *name = getprogname();
#else
    const char *name = NULL;
#endif
    return name && *name ? name : "(process)";
}

static double larger(double a, double b)
{
    return isnan(a) || b > a ? b : a;
}

#ifdef __APPLE__
typedef struct resident {
    double now, peak;
} resident;

static resident ask_kernel(void)
{
    mach_task_basic_info_data_t info;
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&info, &count) != KERN_SUCCESS)
        return (resident){(double)NAN, (double)NAN};
    return (resident){(double)info.resident_size, (double)info.resident_size_max};
}

static double resident_now(const fmp_process_memory *memory)
{
    (void)memory;
    return ask_kernel().now;
}

static double resident_peak(const fmp_process_memory *memory)
{
    (void)memory;
    return ask_kernel().peak;
}
#else
/* proc(5): "size resident shared ...", in pages. */
static double resident_now(const fmp_process_memory *memory)
{
    char text[128];
    if (memory->statm < 0 || !fmp_proc_reread(memory->statm, text, sizeof text))
        return (double)NAN;
    const char *at = fmp_proc_skip(text, 1);
    return fmp_proc_number(&at) * (double)sysconf(_SC_PAGESIZE);
}

static double resident_peak(const fmp_process_memory *memory)
{
    char text[FMP_PROC_TEXT_SIZE];
    if (!fmp_proc_read(memory->root, "/proc/self/status", text, sizeof text))
        return (double)NAN;
    return fmp_proc_field(text, "VmHWM") * 1024;
}
#endif

void fmp_process_memory_begin(fmp_process_memory *memory, const char *root)
{
    *memory = (fmp_process_memory){.statm = fmp_proc_open(root, "/proc/self/statm"), .root = root};
    memory->peak_before = resident_peak(memory);
    memory->begin = memory->now = memory->largest = resident_now(memory);
    struct rusage usage;
    const bool told = getrusage(RUSAGE_SELF, &usage) == 0;
    memory->minor_faults = told ? (double)usage.ru_minflt : (double)NAN;
    memory->major_faults = told ? (double)usage.ru_majflt : (double)NAN;
}

void fmp_process_memory_read(fmp_process_memory *memory)
{
    memory->now = resident_now(memory);
    memory->largest = larger(memory->largest, memory->now);
    if (!fmp_trace_running() || !(memory->now >= 0 && memory->now < 0x1p62))
        return;
    if (!memory->gauge)
        memory->gauge = fmp_gauge_get("SYSTEM", "resident", "MiB");
    fmp_gauge_set(memory->gauge, (int64_t)(memory->now / (1024 * 1024) + 0.5));
}

void fmp_process_memory_end(const fmp_process_memory *memory, const fmp_watch_info *info, fmp_tables *tables)
{
    (void)info;
    const double now = resident_now(memory), peak = resident_peak(memory);
    /* The kernel's mark is of the whole life; it is this watch's when it rose meanwhile. */
    double largest = larger(larger(memory->largest, memory->begin), now);
    if (isnan(memory->peak_before) || peak > memory->peak_before)
        largest = larger(largest, peak);
    struct rusage usage;
    const bool told = getrusage(RUSAGE_SELF, &usage) == 0;
    fmp_table_add(tables, "memory",
                  (fmp_cell[]){FMP_TEXT(fmp_process_name()), FMP_NUMBER(memory->begin), FMP_NUMBER(now),
                               FMP_NUMBER(largest),
                               FMP_NUMBER(fmp_growth(memory->minor_faults, told ? (double)usage.ru_minflt : NAN)),
                               FMP_NUMBER(fmp_growth(memory->major_faults, told ? (double)usage.ru_majflt : NAN))});
    if (memory->statm >= 0)
        close(memory->statm);
}
