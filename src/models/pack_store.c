#include "models/pack_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static fm_status fail_at(fm_error *err, const char *verb, const char *path)
{
    const int cause = errno ? errno : EIO;
    return fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT), "cannot %s '%s': %s", verb, path, strerror(cause));
}

/* --- folders --------------------------------------------------------------------------- */

/* Calls back for each name but "." and ".."; ends early when that returns false. False: it ended early. */
typedef bool on_name(void *opaque, const char *name);

static bool for_names(int folder, on_name *call, void *opaque)
{
    const int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* closedir takes it away */
    DIR *dir = again >= 0 ? fdopendir(again) : NULL;
    if (!dir && again >= 0)
        close(again);
    bool go_on = true;
    for (const struct dirent *e; dir && go_on && (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            go_on = call(opaque, e->d_name);
    if (dir)
        closedir(dir);
    return go_on;
}

static int open_folder(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Files only: what is a folder in there is not ours, and stays. */
static bool unlink_name(void *opaque, const char *name)
{
    unlinkat(*(const int *)opaque, name, 0);
    return true;
}

/* --- what is in the place ----------------------------------------------------------------- */

typedef struct contents {
    const fm_pack *pack; /* NULL: every file is foreign */
    char foreign[256];   /* the first file that is not the pack's */
} contents;

static bool look_at(void *opaque, const char *name)
{
    contents *c = opaque;
    bool ours = c->pack && strcmp(name, FM_PACK_MANIFEST) == 0;
    for (int i = 0; c->pack && !ours && i < c->pack->model_count; i++)
        ours = strcmp(name, c->pack->models[i].file) == 0;
    if (!ours)
        snprintf(c->foreign, sizeof c->foreign, "%s", name);
    return ours;
}

/* What is there may be replaced when it is a pack and nothing else. */
static fm_status check_replaceable(const fm_pack_store *s, int folder, fm_error *err)
{
    if (!s->overwrite)
        return fm_fail(err, FM_E_EXISTS, "'%s' exists already; give --overwrite to replace it", s->target);
    fm_pack *pack = NULL;
    fm_error cause = {0};
    if (fm_pack_read(&pack, s->target, &cause) != FM_OK)
        return fm_fail(err, FM_E_OUTPUT, "'%s' is not replaced: %s; remove it yourself if it may go", s->target,
                       cause.message);
    contents found = {.pack = pack};
    fm_status status = FM_OK;
    if (!for_names(folder, look_at, &found))
        status = fm_fail(err, FM_E_OUTPUT, "'%s' is not replaced: it also has '%s', which is no part of the pack",
                         s->target, found.foreign);
    fm_pack_free(&pack);
    return status;
}

/* A folder that is there already may be empty, or be replaced. */
static fm_status check_place(const fm_pack_store *s, fm_error *err)
{
    struct stat st;
    if (lstat(s->target, &st) != 0)
        return errno == ENOENT ? FM_OK : fail_at(err, "look at", s->target);
    if (!S_ISDIR(st.st_mode))
        return fm_fail(err, FM_E_OUTPUT, "cannot put a pack at '%s': it is no folder", s->target);
    const int folder = open_folder(s->target);
    if (folder < 0)
        return fail_at(err, "read", s->target);
    contents nothing = {0};
    const bool empty = for_names(folder, look_at, &nothing);
    const fm_status status = empty ? FM_OK : check_replaceable(s, folder, err);
    close(folder);
    return status;
}

/* --- beginning ---------------------------------------------------------------------------- */

/* Both paths; a pack needs a name of its own, so "." or "/" will not do. */
static fm_status set_paths(fm_pack_store *s, const char *target, fm_error *err)
{
    char dir[FM_PATH_MAX];
    const int n = snprintf(s->target, sizeof s->target, "%s", target);
    if (n < 0 || n >= FM_PATH_MAX)
        return fm_fail(err, FM_E_OUTPUT, "the folder path '%.200s...' is too long", target);
    for (size_t length = strlen(s->target); length > 1 && s->target[length - 1] == '/'; length--)
        s->target[length - 1] = '\0';
    const char *name = fm_path_name(s->target);
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return fm_fail(err, FM_E_OUTPUT, "'%s' names no folder that a pack could be; give one by its name", target);
    fm_path_dir(dir, s->target);
    const int m = snprintf(s->partial, sizeof s->partial, "%s/.%s.partial", dir, name);
    if (m < 0 || m >= FM_PATH_MAX)
        return fm_fail(err, FM_E_OUTPUT, "the folder path '%.200s...' is too long", target);
    return fm_make_dirs(dir, err);
}

/* The partial folder, empty and locked. One that its owner renamed meanwhile is not ours: another try. */
static fm_status claim(fm_pack_store *s, fm_error *err)
{
    for (int tries = 0; tries < 100; tries++) {
        if (mkdir(s->partial, 0777) != 0 && errno != EEXIST)
            return fail_at(err, "create the folder", s->partial);
        const int folder = open_folder(s->partial);
        if (folder < 0 && errno == ENOENT)
            continue;
        if (folder < 0)
            return fail_at(err, "write into", s->partial);
        if (flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            close(folder);
            break;
        }
        struct stat ours, there;
        if (fstat(folder, &ours) == 0 && lstat(s->partial, &there) == 0 && ours.st_dev == there.st_dev &&
            ours.st_ino == there.st_ino) {
            for_names(folder, unlink_name, (void *)&folder);
            s->lock = folder;
            s->pending = true;
            return FM_OK;
        }
        close(folder);
    }
    return fm_fail(err, FM_E_OUTPUT, "cannot write '%s': another process is adding it; wait for it, then try again",
                   s->target);
}

fm_status fm_pack_store_open(fm_pack_store *s, const char *target, bool overwrite, fm_error *err)
{
    memset(s, 0, sizeof *s);
    s->overwrite = overwrite;
    fm_status status = set_paths(s, target, err);
    if (status == FM_OK)
        status = check_place(s, err);
    return status == FM_OK ? claim(s, err) : status;
}

fm_status fm_pack_store_put(fm_pack_store *s, const char *file, const void *data, size_t size, fm_error *err)
{
    char path[FM_PATH_MAX];
    if (!fm_path_join(path, s->partial, file))
        return fm_fail(err, FM_E_OUTPUT, "the folder path '%.200s...' is too long", s->target);
    return fm_file_write(path, data, size, err);
}

/* --- ending ------------------------------------------------------------------------------- */

void fm_pack_store_discard(fm_pack_store *s)
{
    if (!s->pending)
        return;
    for_names(s->lock, unlink_name, &s->lock);
    rmdir(s->partial);
    close(s->lock);
    s->pending = false;
}

/* Both folders change places, at once where the system can do that. */
static bool exchange(const char *a, const char *b)
{
#ifdef RENAME_EXCHANGE
    if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0)
        return true;
#endif
    char third[FM_PATH_MAX];
    const int n = snprintf(third, sizeof third, "%s.old", a);
    if (n < 0 || n >= FM_PATH_MAX || rename(b, third) != 0)
        return false;
    if (rename(a, b) != 0) {
        const int cause = errno;
        rename(third, b);
        errno = cause;
        return false;
    }
    return rename(third, a) == 0;
}

fm_status fm_pack_store_commit(fm_pack_store *s, fm_error *err)
{
    if (!s->pending)
        return FM_OK;
    fm_status status = check_place(s, err); /* again: it may have come meanwhile */
    struct stat st;
    if (status == FM_OK && rename(s->partial, s->target) == 0) {
        close(s->lock);
        s->pending = false;
        return FM_OK;
    }
    if (status == FM_OK && lstat(s->target, &st) == 0 && exchange(s->partial, s->target)) {
        close(s->lock); /* of what is now the pack; what it replaced has the partial name */
        s->pending = false;
        fm_pack_remove(s->partial, NULL, NULL); /* what stays of it, the next one to add this pack takes away */
        return FM_OK;
    }
    if (status == FM_OK)
        status = fail_at(err, "rename to", s->target);
    fm_pack_store_discard(s);
    return status;
}

fm_status fm_pack_remove(const char *dir, bool *left, fm_error *err)
{
    fm_pack *pack;
    fm_error cause = {0};
    fm_status status = fm_pack_read(&pack, dir, &cause);
    if (status != FM_OK)
        return fm_fail(err, status == FM_E_NO_MEMORY ? status : FM_E_MODEL,
                       "'%s' is not removed, since its manifest does not say which files are the pack's: %s", dir,
                       cause.message);
    const int folder = open_folder(dir);
    if (folder < 0)
        status = errno == ELOOP || errno == ENOTDIR
                     ? fm_fail(err, FM_E_OUTPUT, "'%s' is a link, which is not followed; remove it yourself", dir)
                     : fail_at(err, "open", dir);
    /* The manifest goes last: what was interrupted is still a pack, and can be removed. */
    for (int i = 0; i <= pack->model_count && status == FM_OK; i++) {
        const char *file = i < pack->model_count ? pack->models[i].file : FM_PACK_MANIFEST;
        if (unlinkat(folder, file, 0) != 0 && errno != ENOENT) {
            char path[FM_PATH_MAX];
            const int reason = errno;
            const bool fits = fm_path_join(path, dir, file);
            errno = reason;
            status = fail_at(err, "remove", fits ? path : dir);
        }
    }
    fm_pack_free(&pack);
    if (folder >= 0)
        close(folder);
    const bool gone = status == FM_OK && rmdir(dir) == 0;
    if (left)
        *left = status == FM_OK && !gone;
    return status;
}
