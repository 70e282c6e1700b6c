/* sysprof-capture: marks with a duration, written by the capture writer, or offered to a collector that is not there. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <sysprof-capture.h>

#include "peer.h"

static SysprofCaptureWriter *writer;
static int file = -1, process;

static const char *start(const char *folder)
{
    char path[4096];
    if (sysprof_collector_is_active())
        return "this process runs under sysprof, so nothing is off";
    int length = snprintf(path, sizeof path, "%s/peers.syscap", folder);
    if (length < 0 || length >= (int)sizeof path)
        return "the folder's name is too long";
    file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    writer = file < 0 ? NULL : sysprof_capture_writer_new_from_fd(dup(file), 0);
    process = (int)getpid();
    return writer ? NULL : "no capture file can be written";
}

static void writer_batch(int count)
{
    for (int i = 0; i < count; i++) {
        int64_t begin = SYSPROF_CAPTURE_CURRENT_TIME;
        PEER_BODY();
        sysprof_capture_writer_add_mark(writer, begin, -1, process,
                                        (uint64_t)(SYSPROF_CAPTURE_CURRENT_TIME - begin), "PEERS", "scope", NULL);
    }
}

/* The file stays small: a long one would measure the disk. */
static void empty_file(void)
{
    sysprof_capture_writer_flush(writer);
    if (ftruncate(file, 0) != 0 || lseek(file, 0, SEEK_SET) != 0)
        perror("peers: sysprof's file");
}

static void collector_batch(int count)
{
    for (int i = 0; i < count; i++) {
        int64_t begin = SYSPROF_CAPTURE_CURRENT_TIME;
        PEER_BODY();
        sysprof_collector_mark(begin, SYSPROF_CAPTURE_CURRENT_TIME - begin, "PEERS", "scope", NULL);
    }
}

const peer the_peer = {
    .open = start,
    .cases = {
        {"sysprof-capture, mark, to a file", NULL, writer_batch, empty_file},
        {"sysprof-capture, mark, no collector", NULL, collector_batch, NULL},
    },
};
