#include "video/still.h"

#include "video/reader.h"

fm_status fm_still_read(const char *path, AVFrame *frame, fm_error *err)
{
    fm_reader *reader;
    const fm_reader_options options = {.threads = 1, .no_audio = true};
    fm_status status = fm_reader_open(&reader, path, &options, err);
    if (status != FM_OK)
        return status;
    AVPacket *packet = av_packet_alloc();
    fm_read_kind kind = FM_READ_END;
    status = packet ? fm_reader_next(reader, &kind, frame, packet, err)
                    : fm_fail(err, FM_E_NO_MEMORY, "out of memory reading '%s'", path);
    if (status == FM_OK && kind != FM_READ_FRAME)
        status = fm_fail(err, FM_E_BAD_INPUT, "no picture of '%s' could be decoded", path);
    av_packet_free(&packet);
    fm_reader_close(&reader);
    return status;
}
