/* The bodies of the stages: what each thread does with each frame. */
#include "pipeline/pipeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "face/draw.h"
#include "face/mirror.h"

enum { EARLY_AUDIO_MAX = 1024 };

fm_status fm_pipeline_open_ledger(fm_pipeline *p, fm_error *err)
{
    static const char *const draw_names[FM_LANES] = {"left mirror", "right mirror", "debug"};
    static const char *const encode_names[FM_LANES] = {"left encoder", "right encoder", "debug encoder"};
    fm_status status = fm_ledger_create(&p->ledger, NULL, err);
    if (status != FM_OK)
        return status;
    p->reading = fm_ledger_add(p->ledger, "reader", NULL, 0, fm_slow_pictures(FM_WORKS));
    p->analysing = fm_ledger_add(p->ledger, "analysis", p->reading, FM_WORKS_WAITING, 0);
    for (int i = 0; i < FM_LANES; i++) {
        fm_lane *lane = &p->lane[i];
        if (lane->active)
            lane->draw = fm_ledger_add(p->ledger, draw_names[i], p->analysing, FM_WORKS_WAITING,
                                       lane->output ? FM_OUTPUT_PICTURES : 0);
        if (lane->output)
            lane->encode = fm_ledger_add(p->ledger, encode_names[i], lane->draw, FM_OUTPUT_QUEUE, 0);
    }
    return FM_OK;
}

/* --- reading -------------------------------------------------------------- */

/* A frame's way through all stages and threads. */
static void follow_frame(const fm_pipeline *p, const fm_work *work, fmp_flow_step step)
{
    fmp_flow(p->frame_flow, (uint64_t)work->index, step);
}

static fm_status read_item(fm_pipeline *p, fm_work *work, AVPacket *packet, fm_read_kind *kind,
                           fm_error *err)
{
    fm_stage_enter(p->reading, FM_STAGE_BUSY);
    fm_status status;
    {
        FMP_SCOPE("MEMORY_OPERATIONS", "frame_read");
        status = fm_reader_next(p->reader, kind, work->frame, packet, err);
        if (status == FM_OK && *kind == FM_READ_FRAME) {
            work->index = p->frames_read++;
            fm_stage_slow_down(p->reading);
            follow_frame(p, work, FMP_FLOW_BEGIN);
        }
    }
    if (status == FM_OK && *kind == FM_READ_FRAME) {
        fmp_counter_add(p->frames_counter, 1);
        work->image = fm_image_from_frame(work->frame);
        work->seconds = (double)work->frame->pts * av_q2d(fm_reader_info(p->reader)->time_base);
        work->trip = fm_ledger_open_trip(p->ledger, work->index, work->seconds);
        fm_stage_finish(p->reading, work->trip, FM_STAGE_BLOCKED);
    }
    return status;
}

static fm_status send_audio(fm_pipeline *p, const AVPacket *packet, fm_error *err)
{
    fm_status status = FM_OK;
    fm_stage_enter(p->reading, FM_STAGE_BLOCKED);
    for (int i = 0; i < FM_LANES && status == FM_OK; i++) {
        if (p->lane[i].output)
            status = fm_output_send_audio(p->lane[i].output, packet, err);
    }
    return status;
}

static fm_status keep_early_audio(fm_pipeline *p, AVPacket *packet, fm_error *err)
{
    if (p->early_audio_count == EARLY_AUDIO_MAX)
        return fm_fail(err, FM_E_BAD_INPUT, "'%s' has more than %d audio packets before its first picture",
                       p->options->input, EARLY_AUDIO_MAX);
    if (!p->early_audio)
        p->early_audio = calloc(EARLY_AUDIO_MAX, sizeof *p->early_audio);
    AVPacket *copy = p->early_audio ? av_packet_alloc() : NULL;
    if (!copy)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for audio packets");
    av_packet_move_ref(copy, packet);
    p->early_audio[p->early_audio_count++] = copy;
    return FM_OK;
}

fm_status fm_pipeline_prime(fm_pipeline *p, fm_error *err)
{
    AVPacket *packet = av_packet_alloc();
    fm_stage_borrow(p->reading);
    p->first = fm_work_acquire(p->pool);
    fm_status status = packet && p->first
                           ? FM_OK
                           : fm_fail(err, FM_E_NO_MEMORY, "out of memory reading '%s'", p->options->input);
    fm_read_kind kind = FM_READ_AUDIO;
    while (status == FM_OK && kind == FM_READ_AUDIO) {
        status = read_item(p, p->first, packet, &kind, err);
        if (status == FM_OK && kind == FM_READ_AUDIO)
            status = keep_early_audio(p, packet, err);
    }
    if (status == FM_OK && kind == FM_READ_END)
        status = fm_fail(err, FM_E_BAD_INPUT,
                         "no frame of '%s' could be decoded%s; the file is damaged or the range is empty",
                         p->options->input, p->options->start > 0 ? " after --start" : "");
    fm_stage_give_back(p->reading);
    av_packet_free(&packet);
    return status;
}

static bool stop_wanted(fm_pipeline *p)
{
    if (p->options->should_stop && p->options->should_stop(p->options->opaque))
        atomic_store(&p->interrupted, true);
    return atomic_load(&p->interrupted);
}

static fm_status read_all(fm_pipeline *p, AVPacket *packet, fm_error *err)
{
    fm_status status = FM_OK;
    for (size_t i = 0; i < p->early_audio_count && status == FM_OK; i++)
        status = send_audio(p, p->early_audio[i], err);

    fm_work *work = p->first;
    p->first = NULL;
    while (status == FM_OK) {
        if (!fm_queue_push(p->decoded, work)) {
            fm_work_release(work);
            return FM_OK;
        }
        work = NULL;
        if (stop_wanted(p) || (p->options->max_frames > 0 && p->frames_read >= p->options->max_frames))
            break;
        work = fm_work_acquire(p->pool); /* blocked since the frame before was done */
        fm_read_kind kind = FM_READ_AUDIO;
        while (work && status == FM_OK && kind == FM_READ_AUDIO) {
            status = read_item(p, work, packet, &kind, err);
            if (status == FM_OK && kind == FM_READ_AUDIO) {
                status = send_audio(p, packet, err);
                av_packet_unref(packet);
            }
        }
        if (!work || status != FM_OK || kind == FM_READ_END)
            break;
    }
    fm_work_release(work);
    if (status == FM_E_INTERRUPTED) { /* the reader gave up inside a read, as it was asked to */
        atomic_store(&p->interrupted, true);
        err->status = FM_OK;
        status = FM_OK;
    }
    return status;
}

void fm_stage_read(fm_pipeline *p)
{
    fm_error err = {0};
    fm_stage_attach(p->reading);
    AVPacket *packet = av_packet_alloc();
    fm_status status = packet ? read_all(p, packet, &err)
                              : fm_fail(&err, FM_E_NO_MEMORY, "out of memory reading '%s'", p->options->input);
    av_packet_free(&packet);
    if (status != FM_OK)
        fm_pipeline_fail(p, &err);
    fm_queue_close(p->decoded);
    fm_ledger_end_trips(p->ledger);
    fm_stage_detach(p->reading);
}

/* --- analysis ------------------------------------------------------------- */

/* A row of the landmarks' table, with the blendshapes of the points that stand in it. */
static fm_status write_landmarks(fm_pipeline *p, const fm_work *work, fm_error *err)
{
    const float *scores = NULL;
    fm_status status = FM_OK;
    if (p->blendshapes && work->face.found)
        status = fm_blendshapes_run_once(p->blendshapes, work->face.points, &scores, err);
    return status == FM_OK ? fm_landmarks_csv_frame(p->landmarks, work, scores, err) : status;
}

static void count_content(fm_pipeline *p, const fm_face *face)
{
    p->frames_with_face += face->found;
    p->frames_detected += face->detected;
    p->frames_cropped_again += face->looks > 1;
    p->detections.searching += face->cause == FM_DETECT_SEARCH;
    p->detections.lost += face->cause == FM_DETECT_LOST;
    p->detections.checking += face->cause == FM_DETECT_CHECK;
    p->detections.confirmed += face->confirmed;
}

static fm_status analyse(fm_pipeline *p, fm_work *work, fm_error *err)
{
    FMP_SCOPE("ANALYSIS", "analyse_frame");
    follow_frame(p, work, FMP_FLOW_STEP);
    fm_stage_slow_down(p->analysing);
    fm_status status = fm_analysis_frame(p->analysis, work, err);
    if (status == FM_OK && p->landmarks)
        status = write_landmarks(p, work, err);
    count_content(p, &work->face);
    return status;
}

static double canthi_distance(const fm_point3 *points, const fm_topology *topology)
{
    const fm_point3 *a = &points[topology->side[FM_SIDE_LEFT].eye_outer];
    const fm_point3 *b = &points[topology->side[FM_SIDE_RIGHT].eye_outer];
    return hypot((double)a->x - b->x, (double)a->y - b->y);
}

/* What the frame's way is told of its content. */
static void describe_content(const fm_pipeline *p, const fm_work *work)
{
    fm_trip *trip = work->trip;
    const fm_face *face = &work->face;
    if (!trip)
        return;
    trip->detected = face->detected;
    trip->faces = face->seen > 0 ? face->seen : face->found;
    if (face->found)
        trip->face_size = canthi_distance(face->raw, fm_face_models_topology(p->models)) / work->image.width;
}

static void hand_on(fm_pipeline *p, fm_work *work)
{
    for (int i = 0; i < FM_LANES; i++) {
        if (!p->lane[i].active)
            continue;
        fm_work_retain(work);
        if (!fm_queue_push(p->lane[i].in, work))
            fm_work_release(work);
    }
    fm_work_release(work);
}

void fm_stage_analyse(fm_pipeline *p)
{
    fm_stage *stage = p->analysing;
    fm_error err = {0};
    fm_work *work;
    fm_stage_attach(stage);
    while ((work = fm_queue_pop(p->decoded)) != NULL) {
        fm_stage_enter(stage, FM_STAGE_BUSY);
        if (analyse(p, work, &err) != FM_OK) {
            fm_work_release(work);
            fm_pipeline_fail(p, &err);
            break;
        }
        describe_content(p, work);
        fm_stage_finish(stage, work->trip, FM_STAGE_BLOCKED);
        hand_on(p, work);
        fm_stage_enter(stage, FM_STAGE_STARVED);
    }
    for (int i = 0; i < FM_LANES; i++) {
        if (p->lane[i].active)
            fm_queue_close(p->lane[i].in);
    }
    fm_stage_detach(stage);
}

/* --- drawing -------------------------------------------------------------- */

static void draw_mirror(const fm_lane *lane, fm_work *work, fm_image *picture)
{
    FMP_SCOPE_SITE(lane->draw_site);
    follow_frame(lane->pipeline, work, FMP_FLOW_STEP);
    fm_stage_slow_down(lane->draw);
    const fm_side keep = lane->kind == FM_LANE_LEFT ? FM_SIDE_LEFT : FM_SIDE_RIGHT;
    const size_t kept =
        work->has_line ? fm_mirror_yuv420(&work->image, picture, &work->line, keep, FM_MIRROR_SEAM_DEFAULT)
                       : fm_copy_yuv420(&work->image, picture);
    fm_stage_copied(lane->draw, kept);
}

static void draw_debug(const fm_lane *lane, fm_work *work, fm_image *picture)
{
    {
        FMP_SCOPE("MEMORY_OPERATIONS", "frame_copy");
        fm_stage_copied(lane->draw, fm_copy_yuv420(&work->image, picture));
    }
    FMP_SCOPE_SITE(lane->draw_site);
    follow_frame(lane->pipeline, work, FMP_FLOW_STEP);
    fm_stage_slow_down(lane->draw);
    const bool found = work->face.found;
    fm_draw_debug(picture, found ? work->face.points : NULL,
                  fm_face_models_topology(lane->pipeline->models),
                  work->has_line ? &work->line : NULL, found && work->has_pose ? &work->pose : NULL);
}

static fm_status draw(fm_lane *lane, fm_work *work, AVFrame *frame, fm_error *err)
{
    fm_image picture = fm_image_from_frame(frame);
    if (lane->kind == FM_LANE_DEBUG) {
        draw_debug(lane, work, &picture);
        return FM_OK;
    }
    draw_mirror(lane, work, &picture);
    return lane->au ? fm_au_track_frame(lane->au, work, &picture, err) : FM_OK;
}

static fm_status draw_and_send(fm_lane *lane, fm_work *work, fm_error *err)
{
    AVFrame *frame = lane->scratch;
    fm_stage_enter(lane->draw, FM_STAGE_BUSY);
    if (lane->output) {
        frame = fm_output_take(lane->output, lane->draw, work, err);
        if (!frame)
            return err->status; /* FM_OK: the run was aborted by another stage */
    }
    fm_status status = draw(lane, work, frame, err);
    if (status != FM_OK)
        return status;
    atomic_fetch_add(&lane->done, 1);
    fm_stage_finish(lane->draw, work->trip, FM_STAGE_BLOCKED);
    if (lane->output)
        fm_output_send_frame(lane->output, frame, work);
    return FM_OK;
}

void fm_stage_draw(fm_lane *lane)
{
    fm_error err = {0};
    fm_work *work;
    fm_stage_attach(lane->draw);
    while ((work = fm_queue_pop(lane->in)) != NULL) {
        fm_status status = draw_and_send(lane, work, &err);
        fm_work_release(work);
        fm_stage_enter(lane->draw, FM_STAGE_STARVED);
        if (status != FM_OK) {
            fm_pipeline_fail(lane->pipeline, &err);
            break;
        }
    }
    if (lane->output)
        fm_output_close_input(lane->output);
    fm_stage_detach(lane->draw);
}

/* --- encoding ------------------------------------------------------------- */

void fm_stage_encode(fm_lane *lane)
{
    fm_error err = {0};
    fm_stage_attach(lane->encode);
    if (fm_output_encode(lane->output, lane->encode, &err) != FM_OK)
        fm_pipeline_fail(lane->pipeline, &err);
    fm_stage_detach(lane->encode);
}
