/*
 * Not Intel's: a stand-in for libittnotify.a, with which itt.c is compiled and run where the true one is absent.
 * Writes "thread what name" lines to the file that FAKE_ITT_LOG names, and "handle" for each handle that is made; no
 * file, no collector.
 */
#include <fcntl.h>
#include <ittnotify.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void note(const char *what, const char *name)
{
    const char *path = getenv("FAKE_ITT_LOG");
    char line[256];
    const int length = snprintf(line, sizeof line, "%u %s %s\n", (unsigned)gettid(), what, name);
    const int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    if (file < 0 || write(file, line, (size_t)length) != length)
        abort();
    close(file);
}

__itt_domain *__itt_domain_create(const char *name)
{
    static __itt_domain domain;
    domain.nameA = name;
    return getenv("FAKE_ITT_LOG") ? &domain : NULL;
}

/* They live as long as the process. */
__itt_string_handle *__itt_string_handle_create(const char *name)
{
    static __itt_string_handle handles[64];
    static atomic_uint count;
    const unsigned mine = atomic_fetch_add(&count, 1) % 64;
    note("handle", name);
    handles[mine].strA = name;
    return &handles[mine];
}

void __itt_task_begin(const __itt_domain *domain, __itt_id task, __itt_id parent, __itt_string_handle *name)
{
    if (strcmp(domain->nameA, "fmprof") != 0 || task.d1 || parent.d1)
        abort();
    note("push", name->strA);
}

void __itt_task_end(const __itt_domain *domain)
{
    note("pop", domain->nameA);
}

void __itt_thread_set_name(const char *name)
{
    note("name", name);
}
