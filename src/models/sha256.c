#include "models/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/mem.h>
#include <libavutil/sha.h>

enum { DIGEST_BYTES = 32, PIECE = 1 << 16 };

static struct AVSHA *begin(fm_error *err)
{
    struct AVSHA *sha = av_sha_alloc();
    if (!sha || av_sha_init(sha, 8 * DIGEST_BYTES) != 0)
        fm_fail(err, FM_E_NO_MEMORY, "out of memory for a checksum");
    return sha;
}

static void finish(struct AVSHA *sha, char hex[FM_SHA256_HEX])
{
    uint8_t digest[DIGEST_BYTES];
    av_sha_final(sha, digest);
    for (int i = 0; i < DIGEST_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

fm_status fm_sha256(const void *data, size_t size, char hex[FM_SHA256_HEX], fm_error *err)
{
    struct AVSHA *sha = begin(err);
    if (!sha)
        return FM_E_NO_MEMORY;
    av_sha_update(sha, data, size);
    finish(sha, hex);
    av_free(sha);
    return FM_OK;
}

static fm_status add_file(struct AVSHA *sha, int fd, const char *path, fm_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return fm_fail(err, FM_E_NOT_FOUND, "'%s' is not a regular file", path);
    if ((uintmax_t)st.st_size > FM_SHA256_FILE_MAX)
        return fm_fail(err, FM_E_NOT_FOUND, "'%s' is larger than 2 GiB, which no ONNX file is", path);
    uint8_t piece[PIECE];
    for (;;) {
        const ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fm_fail(err, FM_E_NOT_FOUND, "cannot read '%s': %s", path, strerror(errno));
        if (got == 0)
            return FM_OK;
        av_sha_update(sha, piece, (size_t)got);
    }
}

fm_status fm_sha256_file(const char *path, char hex[FM_SHA256_HEX], fm_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang */
    if (fd < 0)
        return fm_fail(err, FM_E_NOT_FOUND, "cannot open '%s': %s", path, strerror(errno));
    struct AVSHA *sha = begin(err);
    const fm_status status = sha ? add_file(sha, fd, path, err) : FM_E_NO_MEMORY;
    if (status == FM_OK)
        finish(sha, hex);
    av_free(sha);
    close(fd);
    return status;
}
