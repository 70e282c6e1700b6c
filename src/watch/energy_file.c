#include "watch/energy_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool fmp_file_path(char out[FMP_FILE_PATH_SIZE], const char *format, ...)
{
    va_list list;
    va_start(list, format);
    const int length = vsnprintf(out, FMP_FILE_PATH_SIZE, format, list);
    va_end(list);
    if (length >= 0 && length < FMP_FILE_PATH_SIZE)
        return true;
    out[0] = '\0';
    return false;
}

/* Not by stdio: a reading must not allocate, it would show in the figures of allocations. */
int fmp_file_line(const char *folder, const char *file, char *out, size_t size)
{
    char path[FMP_FILE_PATH_SIZE];
    out[0] = '\0';
    if (!fmp_file_path(path, "%s/%s", folder, file))
        return ENAMETOOLONG;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno;
    const ssize_t got = read(fd, out, size - 1);
    const int failure = got < 0 ? errno : 0;
    close(fd);
    out[got > 0 ? got : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return failure;
}

int fmp_file_integer(const char *folder, const char *file, int64_t *out)
{
    char text[64], *end;
    const int failure = fmp_file_line(folder, file, text, sizeof text);
    if (failure)
        return failure;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno)
        return EINVAL;
    *out = value;
    return 0;
}

/* "hwmon10" after "hwmon2". */
static int by_number(const void *left, const void *right)
{
    const char *a = *(const char *const *)left, *b = *(const char *const *)right;
    while (*a && *a == *b)
        a++, b++;
    const size_t digits_a = strspn(a, "0123456789"), digits_b = strspn(b, "0123456789");
    if (digits_a != digits_b)
        return digits_a < digits_b ? -1 : 1;
    return strcmp(a, b);
}

size_t fmp_file_names(const char *folder, bool (*wanted)(const char *name), char ***names)
{
    size_t count = 0, capacity = 0;
    *names = NULL;
    DIR *dir = opendir(folder);
    if (!dir)
        return 0;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (wanted ? !wanted(entry->d_name) : entry->d_name[0] == '.')
            continue;
        if (count == capacity) {
            char **more = realloc(*names, (capacity * 2 + 16) * sizeof *more);
            if (!more)
                break;
            *names = more;
            capacity = capacity * 2 + 16;
        }
        (*names)[count] = strdup(entry->d_name);
        if (!(*names)[count])
            break;
        count++;
    }
    closedir(dir);
    if (count > 1)
        qsort(*names, count, sizeof **names, by_number);
    return count;
}

void fmp_file_names_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}
