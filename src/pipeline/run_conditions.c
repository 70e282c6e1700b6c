#include "pipeline/run_conditions.h"

#include <sys/resource.h>

#include "report/machine.h"

static int64_t peak_rss_bytes(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
#ifdef __APPLE__
    return (int64_t)usage.ru_maxrss; /* bytes there, kibibytes elsewhere */
#else
    return (int64_t)usage.ru_maxrss * 1024;
#endif
}

void fm_run_conditions_begin(fm_run_conditions *c)
{
    fm_host_read("", &c->host);
    fm_cpu_times_read("", &c->begin);
}

void fm_run_conditions_end(fm_run_conditions *c)
{
    fm_cpu_times end;
    fm_machine machine;
    fm_cpu_times_read("", &end);
    fm_machine_read(&machine);
    const fm_cpu_use use = fm_cpu_use_between(&c->begin, &end, machine.cpu_count);
    c->out = (fm_report_conditions){
        .optimised = fm_build_optimised(),
        .sanitizers = fm_build_sanitizers(),
        .hypervisor = c->host.hypervisor,
        .governor = c->host.governor,
        .cpu_count = machine.cpu_count,
        .cpu_limit = c->host.cpu_limit,
        .load_before = c->host.load,
        .others_share = use.others,
        .steal_share = use.stolen,
        .throttled = use.throttled,
        .quota_wait_seconds = use.quota_wait,
        .accelerators = c->accelerators,
        .hardware_encoder = c->hardware_encoder,
    };
    c->peak_rss_bytes = peak_rss_bytes();
}
