#include "system/program.h"

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#ifdef __APPLE__
#include <mach-o/dyld.h>

/* Untested: see docs/cli.md. */
bool fm_program_path(char *out, size_t size)
{
    uint32_t room = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
    return _NSGetExecutablePath(out, &room) == 0;
}
#else
/* The link names the open file, not its path: a child that has not called exec yet is still this program. */
bool fm_program_path(char *out, size_t size)
{
    static const char self[] = "/proc/self/exe";
    return access(self, X_OK) == 0 && snprintf(out, size, "%s", self) == (int)sizeof self - 1;
}
#endif
