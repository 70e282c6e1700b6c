/* Work that need not be done: looks, copies, allocations, memory that grows, an encoder on the CPU. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "advice/finding.h"

/* A detector that runs where following the face would do. */
static void detector_rate(fm_advice *a, const fm_report_model *model)
{
    const fm_facts *f = &a->facts;
    const fmp_operation *op = fm_model_op(f, model, FM_USE_ANALYSIS, model->backend);
    if (!op || !model->role || strcmp(model->role, "detector") != 0 || f->run->frames <= 0
        || f->run->frames_with_face <= 0)
        return;
    const double rate = (double)op->count / (double)f->run->frames;
    const double lost = 1 - (double)f->run->frames_with_face / (double)f->run->frames;
    if (rate - lost <= fm_facts_share(f, FM_RULE_DETECTOR_RATE)) /* it must look where no face is followed */
        return;
    const fm_report_detections *d = f->run->pipeline ? &f->run->pipeline->detections : NULL;
    const char *confirmed =
        d && d->confirmed > 0 ? fm_advice_text(a, " In %" PRId64 " it saw the face that was followed.", d->confirmed)
            : "";
    fm_report_finding *finding = fm_finding_add(
        a, "detector-rate", model->name, FM_PRIORITY_LOW,
        fm_advice_text(a, "%s looks at %.0f %% of the frames though the face is followed", model->name, 100 * rate),
        fm_advice_text(a, "%" PRIu64 " runs in %" PRId64 " frames of the stage 'analysis', of which %" PRId64
                          " have a face.%s", op->count, f->run->frames, f->run->frames_with_face, confirmed),
        "Landmarks say where the face is in the next frame; the detector is needed when it is lost.");
    fm_finding_fix(finding, "--detector-interval 0: only when no face is followed; or a larger interval");
    fm_finding_gain(a, finding, op, fmin(1, fmax(0, 1 - 1 / (15 * rate))), 1);
}

static void software_encoder(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const fm_report_conditions *c = f->run->conditions;
    const fmp_operation *ops[8];
    size_t count = 0;
    double seconds = 0;
    if (!c || !c->hardware_encoder || !*c->hardware_encoder || !f->run->encoder || !*f->run->encoder)
        return;
    for (size_t i = 0; i < f->snapshot->operation_count && count < 8; i++)
        if (fm_op_encodes(&f->snapshot->operations[i])) {
            ops[count++] = &f->snapshot->operations[i];
            seconds += fm_op_seconds(ops[count - 1]);
        }
    if (count == 0)
        return;
    fm_report_finding *finding = fm_finding_add(
        a, "software-encoder", f->run->encoder, FM_PRIORITY_MEDIUM,
        fm_advice_text(a, "%s encodes on the CPU though %s works here", f->run->encoder, c->hardware_encoder),
        fm_advice_text(a, "Writing %zu videos took %.2f s of threads' time, beside the encoder's own threads.", count,
                       seconds),
        "An encoder in hardware leaves the processors to the models.");
    fm_finding_fix(finding, fm_advice_text(a, "--encoder %s, or no --encoder at all: the first that works is taken",
                                           c->hardware_encoder));
    fm_finding_gains(a, finding, ops, count, "encoding", 0.5, 1);
}

static void copies(fm_advice *a, const fm_report_pipeline *p)
{
    const fm_facts *f = &a->facts;
    const double picture = 1.5 * (double)f->run->width * (double)f->run->height; /* yuv420p */
    if (picture <= 0 || (double)p->frame_bytes_copied <= f->rules->value[FM_RULE_PICTURES_COPIED] * picture)
        return;
    fm_report_finding *finding = fm_finding_add(
        a, "bytes-copied", "", FM_PRIORITY_LOW,
        fm_advice_text(a, "each frame is copied %.1f times without being changed",
                       (double)p->frame_bytes_copied / picture),
        fm_advice_text(a, "%" PRId64 " bytes a frame, where a picture of %dx%d has %.0f.", p->frame_bytes_copied,
                       f->run->width,
                       f->run->height, picture),
        "A picture that is handed on by reference costs nothing; a copy costs memory bandwidth, which all stages "
        "share.");
    fm_finding_fix(finding, "--no-debug: the debug video draws on a copy");
    finding->gain = "copies slow down what runs beside them, which no scope shows";
}

/* The same frame is cut out and scaled once more, when the detector's box was a poor place for the landmark model. */
static void cropped_again(fm_advice *a, const fm_report_pipeline *p)
{
    const fm_facts *f = &a->facts;
    const double share = f->run->frames > 0 ? (double)p->frames_cropped_again / (double)f->run->frames : 0;
    if (share <= fm_facts_share(f, FM_RULE_CROPPED_AGAIN))
        return;
    fm_report_finding *finding = fm_finding_add(
        a, "cropped-again", "analysis", FM_PRIORITY_LOW,
        fm_advice_text(a, "the face is cut out twice in %.0f %% of the frames", 100 * share),
        fm_advice_text(a, "%" PRId64 " of %" PRId64 " frames, in the stage 'analysis'; the detector ran in "
                                                    "%" PRId64 ".",
                       p->frames_cropped_again, f->run->frames,
                       p->detections.searching + p->detections.lost + p->detections.checking),
        "After a detection the landmark model looks once to find the face's place, and once more for its points.");
    fm_finding_fix(finding, "--detector-interval 0, or a larger one: fewer detections, fewer second looks");
    finding->gain = "the profile does not keep the second look apart";
}

static void allocations(fm_advice *a, const fm_report_pipeline *p)
{
    const fm_facts *f = &a->facts;
    const double each = p->allocation_frames > 0 ? (double)p->allocations / (double)p->allocation_frames : 0;
    if (each <= f->rules->value[FM_RULE_ALLOCATIONS])
        return;
    fm_report_finding *finding = fm_finding_add(
        a, "allocations", "", FM_PRIORITY_LOW,
        fm_advice_text(a, "picture buffers are allocated after warm-up: %.2f a frame", each),
        fm_advice_text(a, "%" PRId64 " allocations in %" PRId64 " frames.", p->allocations, p->allocation_frames),
        "Buffers are made once by design; an allocation a frame is a mistake in this program.");
    fm_finding_fix(finding, "--profile-json-compat and --trace: find the operation; then report it");
    finding->gain = "an allocation takes microseconds at most; it is named since there must be none";
    finding->gain_least = finding->gain_most = 0;
}

static void growth(fm_advice *a, const fm_report_pipeline *p)
{
    const fm_facts *f = &a->facts;
    const double grown = (double)p->rss_last - (double)p->rss_first;
    const double each = p->rss_frames > 0 ? grown / (double)p->rss_frames : 0;
    if (p->rss_first <= 0 || each <= 1024 * f->rules->value[FM_RULE_MEMORY_GROWTH] ||
        grown <= 1048576 * f->rules->value[FM_RULE_MEMORY_GROWN])
        return;
    fm_report_finding *finding = fm_finding_add(
        a, "memory-growth", "", FM_PRIORITY_MEDIUM, fm_advice_text(a, "memory grows with the frames: %.1f KiB each",
                                                                   each / 1024),
        fm_advice_text(a, "Resident %.1f MiB after warm-up, %.1f MiB %" PRId64 " frames later.",
                       (double)p->rss_first / 1048576,
                       (double)p->rss_last / 1048576, p->rss_frames),
        "Memory must not depend on the clip's length: at this rate a long clip ends in swapping.");
    fm_finding_fix(finding, "--no-model-cache, --ep cpu: see whether a provider holds it");
    fm_finding_fix(finding, "--duration T: process a long clip in parts meanwhile");
    finding->gain = "growing memory costs time only when it is out";
    finding->gain_least = finding->gain_most = 0;
}

static void frame_spread(fm_advice *a, const fm_report_pipeline *p)
{
    const fm_facts *f = &a->facts;
    if (!(p->frame_p50 > 0) || !(p->frame_p99 > f->rules->value[FM_RULE_SPREAD_RATIO] * p->frame_p50)
        || p->outlier_count == 0)
        return;
    const fm_report_outlier *o = &p->outliers[0];
    const char *content = o->faces == 0 ? "no face was followed there"
                          : o->detected ? "the detector looked there"
                                        : "its content is as that of others, as far as is known";
    fm_report_finding *finding = fm_finding_add(
        a, "frame-spread", "", FM_PRIORITY_LOW,
        fm_advice_text(a, "some frames take much longer: p99 is %.1f times the median", p->frame_p99 / p->frame_p50),
        fm_advice_text(a, "Median %.1f ms, p99 %.1f ms. The slowest is frame %" PRId64 " at %.2f s with %.1f ms, "
                          "of which '%s' took %.1f ms; %s.", 1e3 * p->frame_p50, 1e3 * p->frame_p99, o->frame,
                       o->timestamp, 1e3 * o->seconds, o->stage ? o->stage : "?", 1e3 * o->stage_seconds, content),
        "Look at the pictures at these times: where faces come and go the detector runs, and where the picture changes "
        "encoders have more to do.");
    fm_finding_fix(finding, "--trace: shows these frames on their way through the threads");
    finding->gain = "a few slow frames matter where videos are watched while they are made, and little for the whole";
}

void fm_rules_waste(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    for (size_t i = 0; i < f->run->model_count; i++)
        if (f->run->models[i].name)
            detector_rate(a, &f->run->models[i]);
    software_encoder(a);
    if (!f->run->pipeline)
        return;
    copies(a, f->run->pipeline);
    cropped_again(a, f->run->pipeline);
    allocations(a, f->run->pipeline);
    growth(a, f->run->pipeline);
    frame_spread(a, f->run->pipeline);
}
