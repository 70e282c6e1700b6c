/* Threads as macOS shows them: Mach's task_threads and thread_info. Neither run queue nor switches are told. */
#include "watch/threads_source.h"

#include <mach/mach.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "watch/facility.h"

typedef struct listed {
    uint64_t id;
    thread_act_t port; /* a right of ours: given back */
} listed;

struct fmp_thread_source {
    listed *threads; /* as at the last listing */
    size_t count;
};

static void forget(fmp_thread_source *source)
{
    for (size_t i = 0; i < source->count; i++)
        mach_port_deallocate(mach_task_self(), source->threads[i].port);
    free(source->threads);
    source->threads = NULL;
    source->count = 0;
}

fmp_thread_source *fmp_thread_source_create(const char *root)
{
    (void)root;
    return calloc(1, sizeof(fmp_thread_source));
}

void fmp_thread_source_free(fmp_thread_source **source)
{
    if (!source || !*source)
        return;
    forget(*source);
    free(*source);
    *source = NULL;
}

static uint64_t id_of(thread_act_t port)
{
    thread_identifier_info_data_t info;
    mach_msg_type_number_t count = THREAD_IDENTIFIER_INFO_COUNT;
    if (thread_info(port, THREAD_IDENTIFIER_INFO, (thread_info_t)&info, &count) != KERN_SUCCESS)
        return 0;
    return info.thread_id;
}

bool fmp_thread_source_each(fmp_thread_source *source, void (*found)(void *context, uint64_t id), void *context)
{
    thread_act_array_t ports;
    mach_msg_type_number_t count;
    if (task_threads(mach_task_self(), &ports, &count) != KERN_SUCCESS)
        return false;
    forget(source);
    source->threads = calloc(count ? count : 1, sizeof *source->threads);
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        const uint64_t id = source->threads ? id_of(ports[i]) : 0;
        if (id == 0) {
            mach_port_deallocate(mach_task_self(), ports[i]);
            continue;
        }
        source->threads[source->count++] = (listed){id, ports[i]};
        found(context, id);
    }
    vm_deallocate(mach_task_self(), (vm_address_t)ports, count * sizeof *ports);
    return source->threads != NULL;
}

static bool basic_info(const fmp_thread_source *source, uint64_t id, thread_basic_info_data_t *info)
{
    mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;
    for (size_t i = 0; i < source->count; i++)
        if (source->threads[i].id == id)
            return thread_info(source->threads[i].port, THREAD_BASIC_INFO, (thread_info_t)info, &count) ==
                   KERN_SUCCESS;
    return false;
}

static double nanoseconds(time_value_t t)
{
    return (double)t.seconds * 1e9 + (double)t.microseconds * 1e3;
}

bool fmp_thread_source_quick(fmp_thread_source *source, uint64_t id, fmp_thread_files *files,
                             fmp_thread_figures *figures)
{
    thread_basic_info_data_t info;
    (void)files;
    if (!basic_info(source, id, &info))
        return false;
    figures->cpu_ns = nanoseconds(info.user_time) + nanoseconds(info.system_time);
    return true;
}

void fmp_thread_source_full(fmp_thread_source *source, uint64_t id, fmp_thread_figures *figures,
                            char name[FMP_THREAD_NAME_SIZE])
{
    (void)figures;
    for (size_t i = 0; i < source->count; i++) {
        thread_extended_info_data_t info;
        mach_msg_type_number_t count = THREAD_EXTENDED_INFO_COUNT;
        if (source->threads[i].id == id && thread_info(source->threads[i].port, THREAD_EXTENDED_INFO,
                                                       (thread_info_t)&info, &count) == KERN_SUCCESS)
            snprintf(name, FMP_THREAD_NAME_SIZE, "%.*s", FMP_THREAD_NAME_SIZE - 1, info.pth_name);
    }
}

fmp_thread_figures fmp_thread_source_none(const fmp_thread_source *source)
{
    const double unknown = (double)NAN;
    (void)source;
    return (fmp_thread_figures){0, unknown, unknown, unknown, unknown, unknown};
}

void fmp_thread_source_close(fmp_thread_source *source, fmp_thread_files *files)
{
    (void)source;
    (void)files;
}

fmp_thread_doing fmp_thread_source_doing(fmp_thread_source *source, uint64_t id, fmp_thread_files *files)
{
    thread_basic_info_data_t info;
    (void)files;
    if (!basic_info(source, id, &info))
        return FMP_DOING_UNKNOWN;
    switch (info.run_state) {
    case TH_STATE_RUNNING:
        return FMP_DOING_RUNNING;
    case TH_STATE_UNINTERRUPTIBLE:
        return FMP_DOING_IO;
    default:
        return FMP_DOING_OTHER;
    }
}

void fmp_thread_source_says(const fmp_thread_source *source, fmp_tables *tables, unsigned readings_hz)
{
    static const char *const untold[] = {"run queue of threads", "context switches of threads",
                                         "migrations of threads"};
    (void)source;
    fmp_facility_says(tables, FMP_SYSTEM_CPU, "CPU time of threads", FMP_STATE_ON,
                      fmp_tables_text(tables, "thread_info of each thread, %u readings a second", readings_hz), "");
    for (size_t i = 0; i < sizeof untold / sizeof untold[0]; i++)
        fmp_facility_says(tables, FMP_SYSTEM_CPU, untold[i], FMP_STATE_NOT_HERE,
                          "macOS tells a program nothing of it", "Instruments, System Trace");
    fmp_facility_says(tables, FMP_SYSTEM_CPU, "waits in scopes", FMP_STATE_ON,
                      "run state of each thread: running, uninterruptible (I/O), other", "");
}
