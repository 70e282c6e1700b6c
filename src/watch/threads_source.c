/* Threads as Linux shows them in /proc/self/task. */
#include "watch/threads_source.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "watch/facility.h"
#include "watch/proc_text.h"
#include "watch/waits_class.h"

/* Files that stay open are few: a program has a use for its own. */
enum { FILES_KEPT_MAX = 256, FILES_SHARE = 4 };

struct fmp_thread_source {
    DIR *folder;
    bool clocks; /* the threads are this process's: their CPU clocks tell, to the nanosecond */
    bool schedstat, stat, sched, status, syscall, wchan; /* which files can be read */
    double tick_ns;                                      /* unit of CPU times in stat */
    int kept, kept_max;                                  /* files */
};

static int kept_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / FILES_SHARE > FILES_KEPT_MAX)
        return FILES_KEPT_MAX;
    return (int)(limit.rlim_cur / FILES_SHARE);
}

static int open_of(const fmp_thread_source *source, uint64_t id, const char *name)
{
    char path[48];
    if (!source->folder)
        return -1;
    snprintf(path, sizeof path, "%" PRIu64 "/%s", id, name);
    return fmp_proc_open_in(dirfd(source->folder), path);
}

static bool read_once(const fmp_thread_source *source, uint64_t id, const char *name, char *out, size_t size)
{
    const int file = open_of(source, id, name);
    out[0] = '\0';
    if (file < 0)
        return false;
    const bool good = fmp_proc_reread(file, out, size);
    close(file);
    return good;
}

/* From a file that stays open, while there are not too many of them. */
static bool read_kept(fmp_thread_source *source, uint64_t id, const char *name, int *file, char *out, size_t size)
{
    if (*file < 0 && source->kept < source->kept_max) {
        *file = open_of(source, id, name);
        source->kept += *file >= 0;
    }
    return *file >= 0 ? fmp_proc_reread(*file, out, size) : read_once(source, id, name, out, size);
}

void fmp_thread_source_close(fmp_thread_source *source, fmp_thread_files *files)
{
    int *const all[] = {&files->schedstat, &files->syscall};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (*all[i] < 0)
            continue;
        close(*all[i]);
        *all[i] = -1;
        source->kept--;
    }
}

/* Ids are what kernels give; whatever else stands in the folder is none. */
static bool id_of(const char *name, uint64_t *id)
{
    char *end;
    if (*name < '0' || *name > '9' || strlen(name) > 18)
        return false;
    *id = strtoull(name, &end, 10);
    return *end == '\0' && *id != 0;
}

bool fmp_thread_source_each(fmp_thread_source *source, void (*found)(void *context, uint64_t id), void *context)
{
    if (!source->folder)
        return false;
    rewinddir(source->folder);
    for (const struct dirent *entry; (entry = readdir(source->folder));) {
        uint64_t id;
        if (id_of(entry->d_name, &id))
            found(context, id);
    }
    return true;
}

/* The clock that pthread_getcpuclockid gives of a thread whose pthread_t is not known here. */
static double clock_of(uint64_t id)
{
    enum { OF_A_THREAD = 4, SCHEDULED_TIME = 2 };
    const clockid_t clock = (clockid_t)(~(unsigned)id << 3 | OF_A_THREAD | SCHEDULED_TIME);
    struct timespec t;
    if (clock_gettime(clock, &t) != 0)
        return (double)NAN;
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* proc(5): "id (name) state ppid ..."; the name may have blanks and parentheses. NULL: not of that form. */
static const char *behind_name(const char *text)
{
    const char *end = strrchr(text, ')');
    return end ? end + 1 : NULL;
}

static double ticks_of(const fmp_thread_source *source, const char *text)
{
    const char *at = behind_name(text);
    if (!at)
        return (double)NAN;
    at = fmp_proc_skip(at, 11);
    const double user = fmp_proc_number(&at);
    return (user + fmp_proc_number(&at)) * source->tick_ns;
}

bool fmp_thread_source_quick(fmp_thread_source *source, uint64_t id, fmp_thread_files *files,
                             fmp_thread_figures *figures)
{
    char text[1024];
    if (source->clocks) {
        const double cpu = clock_of(id);
        if (isnan(cpu))
            return false;
        if (cpu == figures->cpu_ns) /* did not run: nothing else has changed */
            return true;
        figures->cpu_ns = cpu;
    }
    if (source->schedstat) {
        if (!read_kept(source, id, "schedstat", &files->schedstat, text, sizeof text))
            return false;
        const char *at = text;
        const double cpu = fmp_proc_number(&at);
        if (!source->clocks)
            figures->cpu_ns = cpu;
        figures->ready_ns = fmp_proc_number(&at);
    } else if (!source->clocks) {
        if (!read_once(source, id, "stat", text, sizeof text))
            return false;
        figures->cpu_ns = ticks_of(source, text);
    }
    return true;
}

static void read_stat(const fmp_thread_source *source, uint64_t id, fmp_thread_figures *figures, char *name)
{
    char text[1024];
    if (!read_once(source, id, "stat", text, sizeof text))
        return;
    const char *begin = strchr(text, '('), *at = behind_name(text);
    if (!begin || !at || at <= begin + 1)
        return;
    snprintf(name, FMP_THREAD_NAME_SIZE, "%.*s", (int)(at - 2 - begin), begin + 1);
    at = fmp_proc_skip(at, 9);
    figures->major_faults = fmp_proc_number(&at);
}

static double first_known(double a, double b)
{
    return isnan(a) ? b : a;
}

void fmp_thread_source_full(fmp_thread_source *source, uint64_t id, fmp_thread_figures *figures,
                            char name[FMP_THREAD_NAME_SIZE])
{
    char text[FMP_PROC_TEXT_SIZE];
    if (source->stat)
        read_stat(source, id, figures, name);
    if (source->sched && read_once(source, id, "sched", text, sizeof text)) {
        figures->migrations =
            first_known(fmp_proc_field(text, "se.nr_migrations"), fmp_proc_field(text, "nr_migrations"));
        figures->voluntary = fmp_proc_field(text, "nr_voluntary_switches");
        figures->involuntary = fmp_proc_field(text, "nr_involuntary_switches");
    } else if (source->status && read_once(source, id, "status", text, sizeof text)) {
        figures->voluntary = fmp_proc_field(text, "voluntary_ctxt_switches");
        figures->involuntary = fmp_proc_field(text, "nonvoluntary_ctxt_switches");
    }
}

fmp_thread_figures fmp_thread_source_none(const fmp_thread_source *source)
{
    const double unknown = (double)NAN;
    return (fmp_thread_figures){
        .cpu_ns = source->clocks || source->schedstat || source->stat ? 0 : unknown,
        .ready_ns = source->schedstat ? 0 : unknown,
        .voluntary = source->sched || source->status ? 0 : unknown,
        .involuntary = source->sched || source->status ? 0 : unknown,
        .migrations = source->sched ? 0 : unknown,
        .major_faults = source->stat ? 0 : unknown,
    };
}

fmp_thread_doing fmp_thread_source_doing(fmp_thread_source *source, uint64_t id, fmp_thread_files *files)
{
    char text[1024], wchan[64] = "";
    if (source->syscall && read_kept(source, id, "syscall", &files->syscall, text, sizeof text)) {
        const fmp_thread_doing doing = fmp_doing_of_syscall(text);
        if (doing != FMP_DOING_UNKNOWN)
            return doing;
    }
    if (!source->stat || !read_once(source, id, "stat", text, sizeof text))
        return FMP_DOING_UNKNOWN;
    const char *at = behind_name(text);
    if (!at || *at != ' ' || at[1] == '\0')
        return FMP_DOING_UNKNOWN;
    if (source->wchan && at[1] != 'R')
        read_once(source, id, "wchan", wchan, sizeof wchan);
    return fmp_doing_of_state(at[1], wchan);
}

/* --- what there is ------------------------------------------------------------ */

static void first_id(void *context, uint64_t id)
{
    uint64_t *first = context;
    if (*first == 0)
        *first = id;
}

/* What one thread shows, all do. */
static void probe(fmp_thread_source *source)
{
    uint64_t id = 0;
    char text[FMP_PROC_TEXT_SIZE];
    fmp_thread_source_each(source, first_id, &id);
    if (id == 0)
        return;
    source->schedstat = read_once(source, id, "schedstat", text, sizeof text);
    source->stat = read_once(source, id, "stat", text, sizeof text);
    source->sched = read_once(source, id, "sched", text, sizeof text);
    source->status = read_once(source, id, "status", text, sizeof text);
    source->syscall = read_once(source, id, "syscall", text, sizeof text);
    source->wchan = read_once(source, id, "wchan", text, sizeof text);
}

fmp_thread_source *fmp_thread_source_create(const char *root)
{
    fmp_thread_source *source = calloc(1, sizeof *source);
    char path[1024];
    if (!source)
        return NULL;
    const int length = snprintf(path, sizeof path, "%s/proc/self/task", root);
    if (length > 0 && (size_t)length < sizeof path)
        source->folder = opendir(path);
    const long ticks = sysconf(_SC_CLK_TCK);
    source->tick_ns = 1e9 / (double)(ticks > 0 ? ticks : 100);
    source->clocks = *root == '\0';
    /* A file of the kernel's fails when its thread has ended, others do not. */
    source->kept_max = source->clocks ? kept_max() : 0;
    probe(source);
    return source;
}

void fmp_thread_source_free(fmp_thread_source **source)
{
    if (!source || !*source)
        return;
    if ((*source)->folder)
        closedir((*source)->folder);
    free(*source);
    *source = NULL;
}

static void says_cpu(const fmp_thread_source *source, fmp_tables *tables, unsigned readings_hz)
{
    const char *mechanism = source->clocks      ? "CPU clock of each thread"
                            : source->schedstat ? "schedstat of each thread"
                            : source->stat      ? "stat of each thread, in ticks of the kernel's clock"
                                                : NULL;
    if (!mechanism)
        fmp_facility_says(tables, FMP_SYSTEM_CPU, "CPU time of threads", FMP_STATE_NOT_HERE,
                          "/proc/self/task cannot be read", "mount /proc");
    else
        fmp_facility_says(tables, FMP_SYSTEM_CPU, "CPU time of threads", FMP_STATE_ON,
                          fmp_tables_text(tables, "%s, %u readings a second%s", mechanism, readings_hz,
                                          source->folder ? "" : "; /proc/self/task cannot be read: threads in scopes"),
                          source->folder ? "" : "mount /proc");
}

static void says_or_not(fmp_tables *tables, const char *what, bool on, const char *how, const char *why_not)
{
    fmp_facility_says(tables, FMP_SYSTEM_CPU, what, on ? FMP_STATE_ON : FMP_STATE_NOT_HERE, on ? how : why_not, "");
}

void fmp_thread_source_says(const fmp_thread_source *source, fmp_tables *tables, unsigned readings_hz)
{
    says_cpu(source, tables, readings_hz);
    says_or_not(tables, "run queue of threads", source->schedstat, "schedstat of each thread",
                "/proc/self/task/*/schedstat is missing: the kernel was built without CONFIG_SCHED_INFO");
    says_or_not(tables, "context switches of threads", source->sched || source->status,
                source->sched ? "sched of each thread" : "status of each thread",
                "/proc/self/task/*/status cannot be read");
    says_or_not(tables, "migrations of threads", source->sched, "sched of each thread",
                "/proc/self/task/*/sched is missing: the kernel was built without CONFIG_SCHED_DEBUG");
    if (source->syscall || !source->stat)
        says_or_not(tables, "waits in scopes", source->syscall, "system call in which a thread is, at each reading",
                    "/proc/self/task/*/syscall and stat cannot be read");
    else
        fmp_facility_says(tables, FMP_SYSTEM_CPU, "waits in scopes", FMP_STATE_ON,
                          source->wchan ? "kernel function in which a thread waits (wchan): syscall cannot be read"
                                        : "running or other alone: neither syscall nor wchan can be read",
                          "run as the user who owns /proc/self: a program that changed users does not");
}
