#include "watch/proc_text.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whatever stands there in place of a file of the kernel's, it is not waited for. */
enum { READ_ONLY = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

int fmp_proc_open(const char *root, const char *path)
{
    char full[1024];
    const int length = snprintf(full, sizeof full, "%s%s", root, path);
    if (length < 0 || (size_t)length >= sizeof full) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(full, READ_ONLY);
}

int fmp_proc_open_in(int folder, const char *path)
{
    return openat(folder, path, READ_ONLY);
}

bool fmp_proc_reread(int file, char *out, size_t size)
{
    ssize_t length;
    do
        length = pread(file, out, size - 1, 0);
    while (length < 0 && errno == EINTR);
    out[length > 0 ? length : 0] = '\0';
    return length >= 0;
}

bool fmp_proc_read(const char *root, const char *path, char *out, size_t size)
{
    out[0] = '\0';
    const int file = fmp_proc_open(root, path);
    if (file < 0)
        return false;
    const bool good = fmp_proc_reread(file, out, size);
    const int failure = errno;
    close(file);
    errno = failure;
    return good;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

double fmp_proc_number(const char **at)
{
    const char *p = *at;
    while (blank(*p))
        p++;
    if (!digit(*p))
        return (double)NAN;
    double value = 0, unit = 1;
    for (; digit(*p); p++)
        value = value * 10 + (*p - '0');
    if (*p == '.')
        for (p++; digit(*p); p++)
            value += (*p - '0') * (unit /= 10);
    *at = p;
    return isfinite(value) ? value : (double)NAN; /* hundreds of digits */
}

double fmp_proc_field(const char *text, const char *key)
{
    const size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) != 0)
            continue;
        const char *value = line + length + strspn(line + length, " \t");
        if (*value != ':') /* a longer key */
            continue;
        value += 1 + strspn(value + 1, " \t");
        return fmp_proc_number(&value);
    }
    return (double)NAN;
}

const char *fmp_proc_skip(const char *at, int fields)
{
    for (; fields > 0; fields--) {
        while (blank(*at))
            at++;
        while (*at && !blank(*at))
            at++;
    }
    return at;
}

double fmp_growth(double before, double now)
{
    if (isnan(before) || isnan(now))
        return (double)NAN;
    return now > before ? now - before : 0;
}
