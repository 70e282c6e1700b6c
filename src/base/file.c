#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

fm_status fm_file_read(const char *path, size_t limit, uint8_t **data, size_t *size, fm_error *err)
{
    *data = NULL;
    *size = 0;
    /* O_NONBLOCK: opening a FIFO must not hang; regular files do not care. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fm_fail(err, FM_E_NOT_FOUND, "cannot open '%s': %s", path, strerror(errno));

    fm_status status = FM_OK;
    uint8_t *buffer = NULL;
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        status = fm_fail(err, FM_E_NOT_FOUND, "'%s' is not a regular file", path);
        goto done;
    }
    if ((uintmax_t)st.st_size > limit) {
        status = fm_fail(err, FM_E_BAD_INPUT, "'%s' has %jd bytes, more than the limit of %zu", path,
                         (intmax_t)st.st_size, limit);
        goto done;
    }
    size_t want = (size_t)st.st_size;
    buffer = malloc(want + 1);
    if (!buffer) {
        status = fm_fail(err, FM_E_NO_MEMORY, "out of memory reading '%s'", path);
        goto done;
    }
    size_t have = 0;
    while (have < want) {
        ssize_t got = read(fd, buffer + have, want - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = fm_fail(err, FM_E_NOT_FOUND, "cannot read '%s': %s", path, strerror(errno));
            goto done;
        }
        if (got == 0)
            break; /* it shrank meanwhile: what is there counts */
        have += (size_t)got;
    }
    buffer[have] = 0;
    *data = buffer;
    *size = have;
    buffer = NULL;
done:
    free(buffer);
    close(fd);
    return status;
}

bool fm_path_join(char *out, const char *dir, const char *name)
{
    const char *slash = !dir || !*dir || dir[strlen(dir) - 1] == '/' ? "" : "/";
    int n = snprintf(out, FM_PATH_MAX, "%s%s%s", dir ? dir : "", slash, name);
    return n >= 0 && n < FM_PATH_MAX;
}

const char *fm_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

fm_status fm_path_output(char *out, const char *dir, const char *stem, const char *suffix, fm_error *err)
{
    char name[FM_PATH_MAX];
    int n = snprintf(name, sizeof name, "%s%s", stem, suffix);
    if (n < 0 || n >= FM_PATH_MAX || !fm_path_join(out, dir, name))
        return fm_fail(err, FM_E_OUTPUT, "the output path in '%.200s...' is too long", dir);
    return FM_OK;
}

void fm_path_stem(char *out, const char *path)
{
    snprintf(out, FM_PATH_MAX, "%s", fm_path_name(path));
    char *dot = strrchr(out, '.');
    if (dot && dot != out)
        *dot = 0;
}

void fm_path_dir(char *out, const char *path)
{
    snprintf(out, FM_PATH_MAX, "%s", path);
    char *slash = strrchr(out, '/');
    if (!slash)
        snprintf(out, FM_PATH_MAX, ".");
    else if (slash == out)
        out[1] = 0;
    else
        *slash = 0;
}

static fm_status fail_output(fm_error *err, const char *verb, const char *path)
{
    int cause = errno ? errno : EIO; /* what failed need not have said why */
    fm_status status = fm_status_from_errno(cause, FM_E_OUTPUT);
    return fm_fail(err, status, "cannot %s '%s': %s%s", verb, path, strerror(cause),
                   status == FM_E_NO_SPACE ? "; free some space or choose another folder with -o" : "");
}

/* Also /dev/stdout: a link into /proc, whatever that leads to at the moment. */
static bool leads_to_a_device(const char *path)
{
    char target[sizeof "/proc/"] = "";
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return true;
    return readlink(path, target, sizeof target - 1) > 0 && strcmp(target, "/proc/") == 0;
}

/* A FIFO in the place of the partial file would have us wait for ever. */
static fm_status open_partial(const fm_outfile *file, int *fd, struct stat *what, fm_error *err)
{
    *fd = open(file->partial_path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (*fd < 0 && errno != ENXIO)
        return fail_output(err, "write", file->final_path);
    if (*fd >= 0 && fstat(*fd, what) == 0 && S_ISREG(what->st_mode))
        return FM_OK;
    if (*fd >= 0)
        close(*fd);
    return fm_fail(err, FM_E_OUTPUT, "cannot write '%s': it is not a regular file", file->partial_path);
}

/* The partial file, empty and locked. One that its owner gave its final name meanwhile is not ours: another try. */
static fm_status claim(fm_outfile *file, fm_error *err)
{
    for (int tries = 0; tries < 100; tries++) {
        struct stat ours, there;
        int fd;
        const fm_status opened = open_partial(file, &fd, &ours, err);
        if (opened != FM_OK)
            return opened;
        const bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (!locked && errno == EWOULDBLOCK) {
            close(fd);
            break;
        }
        if (lstat(file->partial_path, &there) == 0 && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino) {
            if (ftruncate(fd, 0) != 0) {
                const fm_status status = fail_output(err, "write", file->final_path);
                close(fd);
                return status;
            }
            file->lock = locked ? fd : -1;
            if (!locked)
                close(fd);
            file->pending = true;
            return FM_OK;
        }
        close(fd);
    }
    return fm_fail(err, FM_E_OUTPUT, "cannot write '%s': another run is writing it; wait for it, or choose another folder with -o",
                   file->final_path);
}

/* After the file has its final name, or none: before, another run would take it over. */
static void release(fm_outfile *file)
{
    if (file->pending && file->lock >= 0)
        close(file->lock);
    file->pending = false;
}

fm_status fm_outfile_open(fm_outfile *file, const char *final_path, bool overwrite, fm_error *err)
{
    memset(file, 0, sizeof *file);
    char dir[FM_PATH_MAX];
    fm_path_dir(dir, final_path);
    const char *name = fm_path_name(final_path);
    if (!*name)
        return fm_fail(err, FM_E_OUTPUT, "cannot write '%s': it names no file", final_path);
    int n = snprintf(file->final_path, sizeof file->final_path, "%s", final_path);
    int m = snprintf(file->partial_path, sizeof file->partial_path, "%s/.%s.partial", dir, name);
    if (n < 0 || n >= FM_PATH_MAX || m < 0 || m >= FM_PATH_MAX)
        return fm_fail(err, FM_E_OUTPUT, "the output path '%.200s...' is too long", final_path);

    struct stat st;
    if (lstat(final_path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return fm_fail(err, FM_E_OUTPUT, "cannot write '%s': it is a folder", final_path);
        /* Renaming would put a file in the place of a device, or of the link that leads to one. */
        if (leads_to_a_device(final_path))
            return fm_fail(err, FM_E_OUTPUT, "cannot write '%s': it is not a regular file", final_path);
        if (!overwrite)
            return fm_fail(err, FM_E_EXISTS, "'%s' exists already; give --overwrite to replace it, or another folder with -o",
                           final_path);
    }
    return claim(file, err);
}

fm_status fm_outfile_failed(const fm_outfile *file, fm_error *err)
{
    return fail_output(err, "write", file->final_path);
}

fm_status fm_outfile_stream(fm_outfile *file, FILE **stream, fm_error *err)
{
    *stream = fopen(file->partial_path, "wb");
    if (*stream)
        return FM_OK;
    const fm_status status = fm_outfile_failed(file, err);
    fm_outfile_discard(file);
    return status;
}

fm_status fm_outfile_end(fm_outfile *file, FILE *stream, fm_status status, fm_error *err)
{
    const bool failed = ferror(stream) != 0;
    if (!failed)
        errno = 0;
    if ((fclose(stream) != 0 || failed) && status == FM_OK)
        status = fm_outfile_failed(file, err);
    if (status == FM_OK)
        return fm_outfile_commit(file, err);
    fm_outfile_discard(file);
    return status;
}

fm_status fm_outfile_commit(fm_outfile *file, fm_error *err)
{
    if (!file->pending)
        return FM_OK;
    if (rename(file->partial_path, file->final_path) != 0) {
        fm_status status = fail_output(err, "rename to", file->final_path);
        fm_outfile_discard(file);
        return status;
    }
    release(file);
    return FM_OK;
}

void fm_outfile_discard(fm_outfile *file)
{
    if (file->pending)
        unlink(file->partial_path);
    release(file);
}

fm_status fm_file_write(const char *path, const void *data, size_t size, fm_error *err)
{
    fm_outfile file;
    FILE *stream;
    fm_status status = fm_outfile_open(&file, path, true, err);
    if (status == FM_OK)
        status = fm_outfile_stream(&file, &stream, err);
    if (status != FM_OK)
        return status;
    if (size > 0)
        fwrite(data, size, 1, stream);
    return fm_outfile_end(&file, stream, FM_OK, err);
}

fm_status fm_make_dirs(const char *path, fm_error *err)
{
    char partial[FM_PATH_MAX];
    int n = snprintf(partial, sizeof partial, "%s", path);
    if (n < 0 || n >= FM_PATH_MAX)
        return fm_fail(err, FM_E_OUTPUT, "the folder path '%.200s...' is too long", path);
    for (char *p = partial + 1; n > 0; p++) {
        if (*p != '/' && *p != 0)
            continue;
        char kept = *p;
        *p = 0;
        if (mkdir(partial, 0777) != 0 && errno != EEXIST)
            return fail_output(err, "create the folder", partial);
        *p = kept;
        if (kept == 0)
            break;
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return fm_fail(err, FM_E_OUTPUT, "cannot use '%s' as the output folder: it is not a folder",
                       path);
    return FM_OK;
}
