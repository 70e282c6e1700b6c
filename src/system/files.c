#include "system/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static bool full_path(char out[PATH_SIZE], const char *root, const char *path)
{
    const int n = snprintf(out, PATH_SIZE, "%s%s", root, path);
    return n > 0 && n < PATH_SIZE;
}

bool fm_system_text(const char *root, const char *path, char *out, size_t size)
{
    char full[PATH_SIZE];
    struct stat st;
    out[0] = '\0';
    /* Files of /proc and /sys are regular ones; whatever else stands there might block. */
    if (!full_path(full, root, path) || stat(full, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    FILE *file = fopen(full, "re");
    if (!file)
        return false;
    size_t length = fread(out, 1, size - 1, file);
    const bool good = !ferror(file);
    fclose(file);
    while (length > 0 && (out[length - 1] == '\n' || out[length - 1] == '\0'))
        length--;
    out[good ? length : 0] = '\0';
    return good;
}

bool fm_system_number(const char *root, const char *path, int64_t *out)
{
    char text[64], *end;
    if (!fm_system_text(root, path, text, sizeof text))
        return false;
    const long long value = strtoll(text, &end, 10);
    if (end == text)
        return false;
    *out = value;
    return true;
}

bool fm_system_exists(const char *root, const char *path)
{
    char full[PATH_SIZE];
    return full_path(full, root, path) && access(full, F_OK) == 0;
}

bool fm_system_readable(const char *root, const char *path)
{
    char full[PATH_SIZE];
    return full_path(full, root, path) && access(full, R_OK) == 0;
}

bool fm_system_field(const char *text, const char *key, char *out, size_t size)
{
    const size_t length = strlen(key);
    out[0] = '\0';
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) != 0)
            continue;
        const char *value = line + length + strspn(line + length, " \t");
        if (*value != ':') /* a longer key */
            continue;
        value += 1 + strspn(value + 1, " \t");
        snprintf(out, size, "%.*s", (int)strcspn(value, "\n"), value);
        return true;
    }
    return false;
}
