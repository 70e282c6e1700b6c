#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <sys/sysctl.h>

static void read_cpu_model(char *out, size_t size)
{
    if (sysctlbyname("machdep.cpu.brand_string", out, &size, NULL, 0) != 0)
        out[0] = '\0';
}
#else
/* The first "model name" (x86) or "Model" (some ARM boards) of /proc/cpuinfo. */
static void read_cpu_model(char *out, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (!colon || (strncmp(line, "model name", 10) != 0 && strncmp(line, "Model", 5) != 0))
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(out, size, "%.*s", (int)strcspn(colon, "\n"), colon);
        break;
    }
    if (file)
        fclose(file);
}
#endif

void fm_machine_read(fm_machine *out)
{
    memset(out, 0, sizeof *out);
    struct utsname name;
    if (uname(&name) == 0) {
        snprintf(out->os, sizeof out->os, "%.70s %.70s", name.sysname, name.release);
        snprintf(out->architecture, sizeof out->architecture, "%.70s", name.machine);
    }
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    out->cpu_count = count > 0 && count < 1000000 ? (int)count : 0;
    read_cpu_model(out->cpu_model, sizeof out->cpu_model);
}

const char *fm_build_compiler(void)
{
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "unknown";
#endif
}

bool fm_build_optimised(void)
{
#if defined(__OPTIMIZE__)
    return true;
#else
    return false;
#endif
}

bool fm_build_assertions(void)
{
#if defined(NDEBUG)
    return false;
#else
    return true;
#endif
}

const char *fm_build_sanitizers(void)
{
    return strcmp(FM_SANITIZERS, "none") == 0 ? "" : FM_SANITIZERS;
}
