#include "inference/cache_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    NAME_MAX_BYTES = 128, /* of an entry */
    HASH_DIGITS = 64,
    SCAN_MAX = 4096,      /* entries that are looked at */
    DEPTH_MAX = 16,       /* of the folders inside a provider's */
    PARTIAL_SECONDS = 3600
};

typedef struct item {
    char name[NAME_MAX_BYTES];
    struct timespec used;
    uint64_t bytes;
} item;

void fm_cache_touch(const char *path)
{
    /* Where that is not allowed the entry only seems older than it is. */
    if (utimensat(AT_FDCWD, path, NULL, 0) != 0)
        return;
}

/* --- names ------------------------------------------------------------------- */

static bool is_hash(const char *text)
{
    return strspn(text, "0123456789abcdef") == HASH_DIGITS;
}

static bool is_graph(const char *name)
{
    return is_hash(name) && strcmp(name + HASH_DIGITS, FM_CACHE_SUFFIX) == 0;
}

/* As base/file.h names what is being written. */
static bool is_partial(const char *name)
{
    return name[0] == '.' && is_hash(name + 1) && strcmp(name + 1 + HASH_DIGITS, FM_CACHE_SUFFIX ".partial") == 0;
}

static bool is_folder(const char *name)
{
    const char *dash = strrchr(name, '-');
    return dash && dash != name && name[0] != '.' && is_hash(dash + 1) && !dash[1 + HASH_DIGITS];
}

/* --- folders within ------------------------------------------------------------ */

static DIR *open_folder(int parent, const char *name)
{
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (fd >= 0 && !dir)
        close(fd);
    return dir;
}

/* Adds up what is in a folder, and removes it when asked to. Links are not followed. */
static uint64_t walk(int parent, const char *name, bool remove, int depth)
{
    uint64_t bytes = 0;
    DIR *dir = depth < DEPTH_MAX ? open_folder(parent, name) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            bytes += walk(dirfd(dir), entry->d_name, remove, depth + 1);
        else if (remove)
            unlinkat(dirfd(dir), entry->d_name, 0);
        bytes += st.st_size > 0 ? (uint64_t)st.st_size : 0;
    }
    if (dir)
        closedir(dir);
    if (remove)
        unlinkat(parent, name, AT_REMOVEDIR);
    return bytes;
}

/* --- pruning ---------------------------------------------------------------------- */

static int by_use(const void *a, const void *b) /* the latest first */
{
    const item *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? 1 : -1;
    return (x->used.tv_nsec < y->used.tv_nsec) - (x->used.tv_nsec > y->used.tv_nsec);
}

static struct timespec last_use(const struct stat *st)
{
#if defined(__APPLE__)
    return st->st_mtimespec;
#else
    return st->st_mtim;
#endif
}

/* Fills *out when the name is an entry; removes what a killed run has left. */
static bool look_at(int dir, const char *name, item *out)
{
    struct stat st;
    const bool partial = is_partial(name), folder = is_folder(name);
    if (strlen(name) >= sizeof out->name || (!partial && !folder && !is_graph(name)) ||
        fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    if (partial) {
        if (S_ISREG(st.st_mode) && st.st_mtime + PARTIAL_SECONDS < time(NULL))
            unlinkat(dir, name, 0);
        return false;
    }
    if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
        return false;
    strcpy(out->name, name);
    out->used = last_use(&st);
    out->bytes = folder ? walk(dir, name, false, 0) : (uint64_t)st.st_size;
    return true;
}

static void remove_item(int dir, const char *name)
{
    if (is_folder(name))
        walk(dir, name, true, 0);
    else
        unlinkat(dir, name, 0);
}

void fm_cache_prune(const char *path, const char *keep, int entries, uint64_t bytes)
{
    DIR *dir = opendir(path);
    item *items = dir ? calloc(SCAN_MAX, sizeof *items) : NULL;
    size_t count = 0;
    for (struct dirent *entry; items && count < SCAN_MAX && (entry = readdir(dir));)
        count += look_at(dirfd(dir), entry->d_name, &items[count]);
    if (count > 0)
        qsort(items, count, sizeof *items, by_use);
    uint64_t total = 0;
    int kept = 0;
    for (size_t i = 0; i < count; i++) {
        total += items[i].bytes;
        if (strcmp(items[i].name, keep) != 0 && (kept >= entries || total > bytes)) /* and so is all that is older */
            remove_item(dirfd(dir), items[i].name);
        else
            kept++;
    }
    free(items);
    if (dir)
        closedir(dir);
}

int fm_cache_measure(const char *path, uint64_t *bytes)
{
    DIR *dir = opendir(path);
    int count = 0;
    *bytes = 0;
    for (struct dirent *entry; dir && count < SCAN_MAX && (entry = readdir(dir));) {
        item one;
        if (is_partial(entry->d_name) || !look_at(dirfd(dir), entry->d_name, &one))
            continue;
        *bytes += one.bytes;
        count++;
    }
    if (dir)
        closedir(dir);
    return count;
}
