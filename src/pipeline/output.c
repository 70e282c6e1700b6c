#include "pipeline/output.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "pipeline/queue.h"

typedef struct encode_item {
    AVFrame *frame;   /* exactly one of both is set */
    AVPacket *packet;
    int64_t index;    /* of the frame */
    fm_trip *trip;
} encode_item;

struct fm_output {
    fm_outfile file;
    fm_writer *writer;
    fm_queue *idle;  /* AVFrame * with buffers, free to draw into */
    fm_queue *queue; /* encode_item * */
    encode_item pictures[FM_OUTPUT_PICTURES]; /* owns all frames, wherever they are */
    int width, height;
    int64_t origin, audio_origin; /* time 0 of the file, in the time bases of frames and of audio */
    const fmp_site *site, *frame_flow;
    atomic_llong encoded;
};

/* Pictures are the output's; a packet's item is its own. */
static void drop_item(void *pointer)
{
    encode_item *item = pointer;
    if (item->frame)
        return;
    av_packet_free(&item->packet);
    free(item);
}

fm_status fm_output_create(fm_output **out, const char *path, bool overwrite, const char *site_name,
                           const fmp_site *frame_flow, fm_error *err)
{
    *out = NULL;
    fm_output *o = calloc(1, sizeof *o);
    if (!o)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the output '%s'", path);
    o->site = fmp_site_get("MEMORY_OPERATIONS", site_name);
    o->frame_flow = frame_flow;
    fm_status status = fm_outfile_open(&o->file, path, overwrite, err);
    if (status == FM_OK)
        status = fm_queue_create(&o->idle, FM_OUTPUT_PICTURES, NULL, err);
    if (status == FM_OK)
        status = fm_queue_create(&o->queue, FM_OUTPUT_QUEUE, drop_item, err);
    if (status == FM_OK)
        fm_queue_watch(o->queue, site_name, "items");
    if (status != FM_OK) {
        fm_output_destroy(&o);
        return status;
    }
    *out = o;
    return FM_OK;
}

void fm_output_destroy(fm_output **output)
{
    fm_output *o = *output;
    if (!o)
        return;
    fm_writer_close(&o->writer);
    fm_queue_destroy(&o->queue);
    fm_queue_destroy(&o->idle);
    for (int i = 0; i < FM_OUTPUT_PICTURES; i++)
        av_frame_free(&o->pictures[i].frame);
    fm_outfile_discard(&o->file);
    free(o);
    *output = NULL;
}

fm_status fm_output_open(fm_output *o, const fm_writer_options *options, int64_t origin,
                         fm_error *err)
{
    o->width = options->width;
    o->height = options->height;
    o->origin = origin;
    if (options->audio)
        o->audio_origin = av_rescale_q(origin, options->time_base, options->audio_time_base);
    for (int i = 0; i < FM_OUTPUT_PICTURES; i++) {
        o->pictures[i].frame = av_frame_alloc();
        if (!o->pictures[i].frame)
            return fm_fail(err, FM_E_NO_MEMORY, "out of memory for frames of %dx%d", o->width, o->height);
        fm_queue_push(o->idle, o->pictures[i].frame);
    }
    return fm_writer_open(&o->writer, o->file.partial_path, options, err);
}

fm_audio_handling fm_output_audio_handling(const fm_output *o)
{
    return fm_writer_audio_handling(o->writer);
}

static fm_status give_buffer(fm_output *o, AVFrame *frame, fm_error *err)
{
    av_frame_unref(frame);
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = o->width;
    frame->height = o->height;
    if (av_frame_get_buffer(frame, 0) < 0)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for a frame of %dx%d", o->width, o->height);
    return FM_OK;
}

AVFrame *fm_output_take(fm_output *o, fm_stage *stage, const fm_work *source, fm_error *err)
{
    fm_stage_enter(stage, FM_STAGE_BLOCKED);
    AVFrame *frame = fm_queue_pop(o->idle);
    fm_stage_enter(stage, FM_STAGE_BUSY);
    if (!frame)
        return NULL;
    /* An encoder that still holds the picture keeps its buffer; we go on with a new one. */
    if (!frame->buf[0] || !av_frame_is_writable(frame)) {
        fm_stage_allocated(stage, source->index);
        if (give_buffer(o, frame, err) != FM_OK)
            return NULL;
    }
    /* copy_props adds to what is there: a recycled frame must not gather side data. */
    while (frame->nb_side_data > 0)
        av_frame_remove_side_data(frame, frame->side_data[0]->type);
    av_dict_free(&frame->metadata);
    if (av_frame_copy_props(frame, source->frame) < 0) {
        fm_fail(err, FM_E_NO_MEMORY, "out of memory for the properties of a frame");
        return NULL;
    }
    frame->pts -= o->origin;
    frame->pict_type = AV_PICTURE_TYPE_NONE; /* the encoder chooses its own */
    return frame;
}

/* Gives the item to the encoder's thread, or drops it when that has ended. */
static void send_item(fm_output *o, encode_item *item)
{
    if (!fm_queue_push(o->queue, item))
        drop_item(item);
}

void fm_output_send_frame(fm_output *o, AVFrame *frame, const fm_work *source)
{
    encode_item *item = o->pictures;
    while (item->frame != frame)
        item++;
    item->index = source->index;
    item->trip = source->trip;
    send_item(o, item);
}

fm_status fm_output_send_audio(fm_output *o, const AVPacket *packet, fm_error *err)
{
    /* At the clip's own beginning, packets before 0 are the codec's priming and belong to it. */
    if (o->audio_origin > 0 && packet->pts != AV_NOPTS_VALUE && packet->pts < o->audio_origin)
        return FM_OK;
    encode_item *item = calloc(1, sizeof *item);
    AVPacket *copy = item ? av_packet_clone(packet) : NULL;
    if (!copy) {
        free(item);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for an audio packet");
    }
    item->packet = copy;
    if (copy->pts != AV_NOPTS_VALUE)
        copy->pts -= o->audio_origin;
    if (copy->dts != AV_NOPTS_VALUE)
        copy->dts -= o->audio_origin;
    send_item(o, item);
    return FM_OK;
}

void fm_output_close_input(fm_output *o)
{
    fm_queue_close(o->queue);
}

void fm_output_abort(fm_output *o)
{
    fm_queue_abort(o->idle);
    fm_queue_abort(o->queue);
}

static fm_status encode_item_now(fm_output *o, fm_stage *stage, const encode_item *item, fm_error *err)
{
    FMP_SCOPE_SITE(o->site);
    if (item->packet)
        return fm_writer_audio(o->writer, item->packet, err);
    fmp_flow(o->frame_flow, (uint64_t)item->index, FMP_FLOW_STEP); /* three encoders: none is the end */
    fm_stage_slow_down(stage);
    const int64_t buffers = fm_writer_buffers(o->writer);
    fm_status status = fm_writer_video(o->writer, item->frame, err);
    if (fm_writer_buffers(o->writer) > buffers)
        fm_stage_allocated(stage, item->index);
    if (status == FM_OK)
        atomic_fetch_add(&o->encoded, 1);
    return status;
}

static fm_status finish(fm_output *o, fm_stage *stage, fm_error *err)
{
    fm_stage_enter(stage, FM_STAGE_BUSY);
    fm_status status;
    {
        FMP_SCOPE_SITE(o->site);
        status = fm_writer_finish(o->writer, err);
    }
    fm_stage_finish(stage, NULL, FM_STAGE_ENDED);
    return status;
}

fm_status fm_output_encode(fm_output *o, fm_stage *stage, fm_error *err)
{
    fm_status status = FM_OK;
    encode_item *item;
    while (status == FM_OK && (item = fm_queue_pop(o->queue)) != NULL) {
        fm_stage_enter(stage, FM_STAGE_BUSY);
        status = encode_item_now(o, stage, item, err);
        fm_stage_finish(stage, item->frame && status == FM_OK ? item->trip : NULL, FM_STAGE_STARVED);
        if (item->frame)
            fm_queue_push(o->idle, item->frame);
        else
            drop_item(item);
    }
    /* After an abort nobody wants the file: emptying the encoder would only make the error wait. */
    if (status == FM_OK && !fm_queue_aborted(o->queue))
        status = finish(o, stage, err);
    return status;
}

int64_t fm_output_frames(const fm_output *o)
{
    return atomic_load(&o->encoded);
}

fm_status fm_output_commit(fm_output *o, fm_error *err)
{
    fm_writer_close(&o->writer);
    return fm_outfile_commit(&o->file, err);
}

const char *fm_output_path(const fm_output *o)
{
    return o->file.final_path;
}
