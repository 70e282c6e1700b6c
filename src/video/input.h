/*
 * One file, opened by FFmpeg through reads of ours.
 *
 * The demuxer sees the file's bytes and its name's extension, nothing else:
 * no name is parsed as an address or pattern, and a file that names other
 * files or addresses (playlists) is refused. Reads give up when asked to.
 *
 * Thread-safety: Unsafe; one thread at a time.
 */
#ifndef FM_VIDEO_INPUT_H
#define FM_VIDEO_INPUT_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>

#include "facemirror/error.h"

typedef struct fm_input {
    const char *path; /* the caller's, for messages */
    int fd;
    int64_t size; /* bytes */
    int read_errno; /* of the last failed read, else 0 */
    bool (*should_stop)(void *opaque);
    void *opaque;
    bool stopped;
    AVIOContext *io;
    AVFormatContext *format;

    AVStream *video, *audio; /* audio: NULL when there is none */
    const AVCodec *decoder;  /* of video */
    bool still;              /* an image file */
} fm_input;

/*
 * Opens the file, reads its header and chooses streams: the best video stream
 * that is no cover picture and the audio stream that goes with it; others are
 * discarded. On error everything is closed.
 */
fm_status fm_input_open(fm_input *input, const char *path, bool (*should_stop)(void *opaque),
                        void *opaque, fm_error *err);

/* Polls should_stop; once true, stays true. */
bool fm_input_stopped(fm_input *input);

/*
 * The earliest start of all video and audio streams, in *time_base; the video
 * stream's own where it is (one of) the first, so that nothing is rounded.
 */
int64_t fm_input_start(const fm_input *input, AVRational *time_base);

/* True when the container's index or length points beyond the end of the file: it was cut. */
bool fm_input_exceeds_file(const fm_input *input);

void fm_input_close(fm_input *input);

#endif
