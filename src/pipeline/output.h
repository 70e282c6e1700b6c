/*
 * One output video: its file, its encoder, and the queue and thread between
 * the stage that draws its frames and the encoder.
 *
 * The drawing stage takes an empty frame, draws, and sends it; the reader
 * sends audio packets; the encoder's thread runs fm_output_encode. Frames are
 * recycled, so nothing is allocated per frame.
 *
 * Thread-safety: take, send_frame, send_audio and close_input are Safe from
 * different threads; open, encode, finish and destroy belong to one at a time.
 */
#ifndef FM_PIPELINE_OUTPUT_H
#define FM_PIPELINE_OUTPUT_H

#include "base/file.h"
#include "fmprof/fmprof.h"
#include "pipeline/ledger.h"
#include "pipeline/work.h"
#include "video/writer.h"

enum {
    FM_OUTPUT_PICTURES = 4, /* drawn and not yet encoded */
    /* Audio shares the encoder's queue; 16 packets fit beside the frames. */
    FM_OUTPUT_QUEUE = FM_OUTPUT_PICTURES + 16
};

typedef struct fm_output fm_output;

/* Reserves the file under its partial name, and the queue. Nothing is encoded yet. In traces `frame_flow` comes through here. */
fm_status fm_output_create(fm_output **out, const char *path, bool overwrite, const char *site_name,
                           const fmp_site *frame_flow, fm_error *err);
/* Discards the file unless it was committed. */
void fm_output_destroy(fm_output **output);

/*
 * Opens the encoder; frames are of options->width x height with the tags of
 * options->colour. `origin`, in options->time_base, becomes time 0 of the
 * file: a part of a clip begins at once, not after a gap. Audio before it is left out.
 */
fm_status fm_output_open(fm_output *output, const fm_writer_options *options, int64_t origin,
                         fm_error *err);
/* What became of the audio stream; valid after open. */
fm_audio_handling fm_output_audio_handling(const fm_output *output);

/*
 * An idle frame with writable buffers and the properties (pts, duration,
 * colour) of `source`. Waits for one, which `stage`, the caller's, is told:
 * it is blocked then, and busy on return. NULL after an abort or when memory
 * is out (*err says so then).
 */
AVFrame *fm_output_take(fm_output *output, fm_stage *stage, const fm_work *source, fm_error *err);
/* Sends the taken frame, drawn from `source`. */
void fm_output_send_frame(fm_output *output, AVFrame *frame, const fm_work *source);
/* Sends a reference to a packet; the packet stays the caller's. */
fm_status fm_output_send_audio(fm_output *output, const AVPacket *packet, fm_error *err);
/* No more frames or packets come. */
void fm_output_close_input(fm_output *output);
/* Lets nobody wait any more. */
void fm_output_abort(fm_output *output);

/* Body of the encoder's thread: until the input is closed, then finishes the file. After an abort it returns at once. */
fm_status fm_output_encode(fm_output *output, fm_stage *stage, fm_error *err);

/* Frames encoded so far. */
int64_t fm_output_frames(const fm_output *output);
/* Renames the finished file to its final name. */
fm_status fm_output_commit(fm_output *output, fm_error *err);
const char *fm_output_path(const fm_output *output);

#endif
