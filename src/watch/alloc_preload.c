/* fmp_alloc_preload: the running program once more, with the interposer before its allocator. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fmprof/system.h"
#include "watch/alloc_client.h"

#define LIBRARY "libfmprof-alloc.so"
/* Set for the restart: "=" and LD_PRELOAD as it was, or "-" where there was none. */
#define RESTARTED "FMPROF_ALLOC_RESTARTED"

static char failure[PATH_MAX + 160];

const char *fmp_alloc_preload_failure(void)
{
    return failure;
}

/* Remembers the reason, for the report; what and detail are put together. */
static int failed(int error, const char *what, const char *detail)
{
    snprintf(failure, sizeof failure, "%s%s", what, detail);
    return error;
}

#ifdef __linux__

#ifndef FMP_ALLOC_LIBDIR
#define FMP_ALLOC_LIBDIR "/usr/local/lib"
#endif

/* The folder of the running program, with the '/' at its end; false when it cannot be told. */
static bool program_folder(char *path, size_t size)
{
    const ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length <= 0)
        return false;
    path[length] = '\0';
    char *end = strrchr(path, '/');
    if (!end)
        return false;
    end[1] = '\0';
    return true;
}

static bool is_library(char *out, size_t size, const char *folder, const char *rest)
{
    const int length = snprintf(out, size, "%s%s", folder, rest);
    return length > 0 && (size_t)length < size && access(out, R_OK) == 0;
}

/* Where an installation has it, and where this project's build has it from its programs and tests. */
static bool find_library(char *out, size_t size)
{
    static const char *const places[] = {
        LIBRARY, "../lib/" LIBRARY, "../lib64/" LIBRARY, "../alloc/" LIBRARY, "../../src/alloc/" LIBRARY,
    };
    char folder[PATH_MAX];
    if (program_folder(folder, sizeof folder))
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
            if (is_library(out, size, folder, places[i]))
                return true;
    return is_library(out, size, FMP_ALLOC_LIBDIR, "/" LIBRARY);
}

/* 0 and a path from the root, which holds wherever the program goes next; otherwise `failure` says why not. */
static int choose_library(const char *given, char *out)
{
    char found[PATH_MAX];
    const char *named = given ? given : getenv("FMPROF_ALLOC_LIBRARY");
    if (!named || !named[0]) {
        if (!find_library(found, sizeof found))
            return failed(ENOENT, LIBRARY " is neither beside the program nor in " FMP_ALLOC_LIBDIR, "");
        named = found;
    }
    if (!realpath(named, out) || access(out, R_OK) != 0)
        return failed(ENOENT, "no library can be read at ", named);
    if (strpbrk(out, " :"))
        return failed(EINVAL, "LD_PRELOAD cannot name a path with a space or a colon: ", out);
    return 0;
}

static int set_preload(const char *library, const char *before)
{
    const size_t size = strlen(library) + (before ? strlen(before) : 0) + 2;
    char *both = malloc(size);
    if (!both)
        return ENOMEM;
    snprintf(both, size, "%s%s%s", library, before && before[0] ? ":" : "", before ? before : "");
    char *mark = malloc(size);
    if (mark)
        snprintf(mark, size, "%s%s", before ? "=" : "-", before ? before : "");
    const bool done = mark && setenv(RESTARTED, mark, 1) == 0 && setenv("LD_PRELOAD", both, 1) == 0;
    free(mark);
    free(both);
    return done ? 0 : ENOMEM;
}

/* True when this is the restarted program; the environment is then as it was before. */
static bool take_back(void)
{
    const char *mark = getenv(RESTARTED);
    if (!mark)
        return false;
    if (mark[0] == '=')
        setenv("LD_PRELOAD", mark + 1, 1);
    else
        unsetenv("LD_PRELOAD");
    unsetenv(RESTARTED);
    return true;
}

int fmp_alloc_preload(const char *library, char **argv)
{
    failure[0] = '\0';
    const bool restarted = take_back();
    if (fmp_alloc_find())
        return 0;
    if (restarted)
        return failed(EPERM, "the loader did not preload " LIBRARY ", as it does not for set-user-ID programs", "");
    const char *checker = fmp_alloc_checker();
    if (checker)
        return failed(ENOTSUP, "the program's allocator is that of ", checker);
    char path[PATH_MAX], program[PATH_MAX];
    int error = choose_library(library, path);
    if (error)
        return error;
    /* By its own name where there is one, since the process is called by it. */
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    const char *before = getenv("LD_PRELOAD");
    error = set_preload(path, before);
    if (!error) {
        if (program[0])
            execv(program, argv);
        execv("/proc/self/exe", argv);
        error = errno;
    }
    take_back();
    return failed(error, "the program cannot be restarted: ", strerror(error));
}

#else

int fmp_alloc_preload(const char *library, char **argv)
{
    (void)library;
    (void)argv;
    return failed(ENOTSUP, "allocations are seen on Linux only", "");
}

#endif
