#include "watch/syscall_names.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
#include "syscall_names.inc" /* made by syscall_names.py from the headers of this build */
};

const char *fmp_syscall_name(uint32_t number)
{
    return number < sizeof names / sizeof names[0] ? names[number] : NULL;
}

bool fmp_syscall_gives_bytes(const char *name)
{
    static const char *const calls[] = {
        "read",       "write",           "pread64",           "pwrite64",  "readv",  "writev",      "preadv",
        "pwritev",    "preadv2",         "pwritev2",          "sendto",    "sendmsg", "recvfrom",   "recvmsg",
        "sendfile",   "copy_file_range", "splice",            "tee",       "vmsplice", "getdents",  "getdents64",
        "getrandom",  "process_vm_readv", "process_vm_writev", "readlink", "readlinkat", "mq_timedreceive",
        "getxattr",   "lgetxattr",       "fgetxattr",         "listxattr", "llistxattr", "flistxattr",
    };
    for (size_t i = 0; name && i < sizeof calls / sizeof calls[0]; i++)
        if (strcmp(calls[i], name) == 0)
            return true;
    return false;
}
