/* macOS tells what the calling process took, in nanojoules, to itself (<sys/resource.h>: rusage_info_v6, macOS 13). */
#include "watch/energy_domains.h"

#ifdef __APPLE__
#include <libproc.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

#if defined(__APPLE__) && defined(RUSAGE_INFO_V6)
static void read_process(fmp_energy_source *source, uint64_t now_ns)
{
    struct rusage_info_v6 info;
    if (proc_pid_rusage(getpid(), RUSAGE_INFO_V6, (rusage_info_t *)&info) != 0)
        fmp_energy_lost(&source->sum);
    else
        fmp_energy_counter(&source->sum, now_ns, (double)info.ri_energy_nj * 1e-9, 0);
}

size_t fmp_energy_find_process(fmp_energy_sources *sources)
{
    fmp_energy_source *source = fmp_energy_source_add(sources, "this process (CPU)", "");
    if (!source)
        return 0;
    source->read = read_process;
    return 1;
}
#else
size_t fmp_energy_find_process(fmp_energy_sources *sources)
{
    (void)sources;
    return 0;
}
#endif
