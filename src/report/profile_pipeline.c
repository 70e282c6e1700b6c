#include "report/profile_pipeline.h"

#include <math.h>
#include <string.h>

#include "export/figures.h"
#include "report/profile_memory.h"

#define FIELDS(table) {table, sizeof table / sizeof table[0]}
#define STAGE(member) offsetof(fm_report_stage, member)
#define OUTLIER(member) offsetof(fm_report_outlier, member)
#define PIPELINE(member) offsetof(fm_report_pipeline, member)

static const fm_field stage_table[] = {
    {"name", FM_FIELD_TEXT, STAGE(name)},
    {"after", FM_FIELD_FACT, STAGE(after)},
    {"queue", FM_FIELD_INT, STAGE(queue)},
    {"pictures", FM_FIELD_INT, STAGE(pictures)},
    {"frames", FM_FIELD_AMOUNT, STAGE(frames)},
    {"busy_seconds", FM_FIELD_TIME, STAGE(busy_seconds)},
    {"starved_seconds", FM_FIELD_TIME, STAGE(starved_seconds)},
    {"blocked_seconds", FM_FIELD_TIME, STAGE(blocked_seconds)},
    {"cpu_seconds", FM_FIELD_TIME, STAGE(cpu_seconds)},
    {"ready_seconds", FM_FIELD_TIME, STAGE(ready_seconds)},
    {"service_mean", FM_FIELD_TIME, STAGE(service_mean)},
    {"service_stddev", FM_FIELD_TIME, STAGE(service_stddev)},
    {"service_p99", FM_FIELD_TIME, STAGE(service_p99)},
    {"held", FM_FIELD_AMOUNT, STAGE(held)},
};

static const fm_field outlier_table[] = {
    {"frame", FM_FIELD_AMOUNT, OUTLIER(frame)},
    {"timestamp", FM_FIELD_REAL, OUTLIER(timestamp)},
    {"seconds", FM_FIELD_TIME, OUTLIER(seconds)},
    {"stage", FM_FIELD_TEXT, OUTLIER(stage)},
    {"stage_seconds", FM_FIELD_TIME, OUTLIER(stage_seconds)},
    {"faces", FM_FIELD_INT, OUTLIER(faces)},
    {"face_size", FM_FIELD_REAL, OUTLIER(face_size)},
    {"detected", FM_FIELD_BOOL, OUTLIER(detected)},
};

static const fm_field pipeline_table[] = {
    {"processors", FM_FIELD_INT, PIPELINE(processors)},
    {"process_cpu_seconds", FM_FIELD_TIME, PIPELINE(process_cpu_seconds)},
    {"frame_p50", FM_FIELD_TIME, PIPELINE(frame_p50)},
    {"frame_p99", FM_FIELD_TIME, PIPELINE(frame_p99)},
    {"frame_bytes_copied", FM_FIELD_AMOUNT, PIPELINE(frame_bytes_copied)},
    {"frames_converted", FM_FIELD_AMOUNT, PIPELINE(frames_converted)},
    {"frames_cropped_again", FM_FIELD_AMOUNT, PIPELINE(frames_cropped_again)},
    {"allocations", FM_FIELD_AMOUNT, PIPELINE(allocations)},
    {"allocation_frames", FM_FIELD_AMOUNT, PIPELINE(allocation_frames)},
    {"rss_first_bytes", FM_FIELD_AMOUNT, PIPELINE(rss_first)},
    {"rss_last_bytes", FM_FIELD_AMOUNT, PIPELINE(rss_last)},
    {"rss_frames", FM_FIELD_AMOUNT, PIPELINE(rss_frames)},
};

static const fm_field detection_table[] = {
    {"searching", FM_FIELD_AMOUNT, PIPELINE(detections.searching)},
    {"lost", FM_FIELD_AMOUNT, PIPELINE(detections.lost)},
    {"checking", FM_FIELD_AMOUNT, PIPELINE(detections.checking)},
    {"confirmed", FM_FIELD_AMOUNT, PIPELINE(detections.confirmed)},
};

static const fm_field cost_table[] = {
    {"frames", FM_FIELD_AMOUNT, offsetof(fm_report_cost, frames)},
    {"seconds", FM_FIELD_TIME, offsetof(fm_report_cost, seconds)},
};

static const char *const content_names[FM_CONTENTS] = {
    [FM_CONTENT_NO_FACE] = "no_face",       [FM_CONTENT_ONE_FACE] = "one_face", [FM_CONTENT_FACES] = "several_faces",
    [FM_CONTENT_SMALL] = "small_face",      [FM_CONTENT_MIDDLE] = "middle_face", [FM_CONTENT_LARGE] = "large_face",
    [FM_CONTENT_FOLLOWED] = "not_detected", [FM_CONTENT_DETECTED] = "detected",
};

static const fm_fields stage_fields = FIELDS(stage_table), outlier_fields = FIELDS(outlier_table),
                       pipeline_fields = FIELDS(pipeline_table), detection_fields = FIELDS(detection_table),
                       cost_fields = FIELDS(cost_table);

/* --- writing ------------------------------------------------------------------ */

/* Shares of the frame loop's wall time. */
static void write_stage(fm_json *json, const fm_report_stage *stage, double wall)
{
    fm_json_open(json, NULL, '{');
    fm_write_fields(json, &stage_fields, stage);
    fm_json_real(json, "busy_share", fmp_ratio(stage->busy_seconds, wall));
    fm_json_real(json, "starved_share", fmp_ratio(stage->starved_seconds, wall));
    fm_json_real(json, "blocked_share", fmp_ratio(stage->blocked_seconds, wall));
    fm_json_close(json, '}');
}

void fm_pipeline_write(fm_json *json, const fm_report_run *run)
{
    const fm_report_pipeline *p = run->pipeline;
    if (!p) {
        fm_json_null(json, "pipeline");
        return;
    }
    fm_json_open(json, "pipeline", '{');
    fm_write_fields(json, &pipeline_fields, p);
    fm_json_open(json, "detections", '{');
    fm_write_fields(json, &detection_fields, p);
    fm_json_close(json, '}');
    fm_json_open(json, "content", '{');
    for (int i = 0; i < FM_CONTENTS; i++) {
        fm_json_open(json, content_names[i], '{');
        fm_write_fields(json, &cost_fields, &p->content[i]);
        fm_json_close(json, '}');
    }
    fm_json_close(json, '}');
    fm_json_open(json, "stages", '[');
    for (size_t i = 0; i < p->stage_count; i++)
        write_stage(json, &p->stages[i], run->wall_seconds);
    fm_json_close(json, ']');
    fm_json_open(json, "slowest_frames", '[');
    for (size_t i = 0; i < p->outlier_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_write_fields(json, &outlier_fields, &p->outliers[i]);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

/* --- reading ------------------------------------------------------------------ */

/* Where a stage stands; `count` when it does not. */
static size_t find_stage(const fm_report_stage *stages, size_t count, const char *name)
{
    size_t i = 0;
    while (i < count && !fm_profile_same(stages[i].name, name))
        i++;
    return i;
}

static void check_stage(fm_profile_reader *l, const fm_report_stage *stages, size_t at)
{
    if (l->status != FM_OK)
        return;
    if (find_stage(stages, at, stages[at].name) < at)
        fm_read_bad(l, "name", "must not be that of an earlier stage");
    else if (stages[at].after && find_stage(stages, at, stages[at].after) == at)
        fm_read_bad(l, "after", "must be null or the name of an earlier stage");
}

static void read_stages(fm_profile_reader *l, const json_t *object, fm_report_pipeline *p)
{
    const json_t *array = fm_read_array(l, object, "stages", false);
    if (json_array_size(array) > FM_REPORT_STAGES_MAX)
        fm_read_bad(l, "stages", "must not hold more than %d stages", FM_REPORT_STAGES_MAX);
    fm_report_stage *stages = fm_read_room(l, array, sizeof *stages, &p->stage_count);
    p->stages = stages;
    const size_t before = fm_read_enter(l, "stages");
    for (size_t i = 0; i < p->stage_count; i++) {
        const size_t element = fm_read_enter_element(l, i);
        fm_read_fields(l, json_array_get(array, i), &stage_fields, &stages[i]);
        check_stage(l, stages, i);
        fm_read_leave(l, element);
    }
    fm_read_leave(l, before);
}

static void read_outliers(fm_profile_reader *l, const json_t *object, fm_report_pipeline *p)
{
    const json_t *array = fm_read_array(l, object, "slowest_frames", false);
    if (json_array_size(array) > FM_REPORT_OUTLIERS)
        fm_read_bad(l, "slowest_frames", "must not hold more than %d frames", FM_REPORT_OUTLIERS);
    fm_report_outlier *outliers = fm_read_room(l, array, sizeof *outliers, &p->outlier_count);
    p->outliers = outliers;
    const size_t before = fm_read_enter(l, "slowest_frames");
    for (size_t i = 0; i < p->outlier_count; i++) {
        const size_t element = fm_read_enter_element(l, i);
        fm_read_fields(l, json_array_get(array, i), &outlier_fields, &outliers[i]);
        fm_read_leave(l, element);
    }
    fm_read_leave(l, before);
}

static void read_content(fm_profile_reader *l, const json_t *object, fm_report_pipeline *p)
{
    const json_t *content = fm_read_object(l, object, "content");
    const size_t before = fm_read_enter(l, "content");
    for (int i = 0; i < FM_CONTENTS; i++) {
        const json_t *cost = fm_read_object(l, content, content_names[i]);
        const size_t inside = fm_read_enter(l, content_names[i]);
        fm_read_fields(l, cost, &cost_fields, &p->content[i]);
        fm_read_leave(l, inside);
    }
    fm_read_leave(l, before);
}

void fm_pipeline_read(fm_profile_reader *l, const json_t *root, fm_report_run *out)
{
    const json_t *value = l->status == FM_OK ? json_object_get(root, "pipeline") : NULL;
    if (!value || json_is_null(value))
        return;
    fm_report_pipeline *p = fm_profile_allocate(l->profile, 1, sizeof *p);
    if (!p) {
        fm_read_no_memory(l);
        return;
    }
    const json_t *object = fm_read_object(l, root, "pipeline");
    const size_t before = fm_read_enter(l, "pipeline");
    fm_read_fields(l, object, &pipeline_fields, p);
    const json_t *detections = fm_read_object(l, object, "detections");
    const size_t inside = fm_read_enter(l, "detections");
    fm_read_fields(l, detections, &detection_fields, p);
    fm_read_leave(l, inside);
    read_content(l, object, p);
    read_stages(l, object, p);
    read_outliers(l, object, p);
    fm_read_leave(l, before);
    out->pipeline = p;
}

/* --- merging ------------------------------------------------------------------ */

double fm_pipeline_seconds(const fm_report_run *run)
{
    const fm_report_pipeline *p = run->pipeline;
    double sum = p ? p->process_cpu_seconds : 0;
    for (size_t i = 0; p && i < p->stage_count; i++) {
        const fm_report_stage *s = &p->stages[i];
        sum += s->busy_seconds + s->starved_seconds + s->blocked_seconds + s->cpu_seconds + s->ready_seconds;
    }
    for (int i = 0; p && i < FM_CONTENTS; i++)
        sum += p->content[i].seconds;
    return sum;
}

static int64_t add(int64_t a, int64_t b) /* neither is negative */
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* A sum to which all must contribute: 0 stands for a part that is not known. */
static double add_known(double a, double b)
{
    return a > 0 && b > 0 ? a + b : 0;
}

/* Mean and deviation of the frames of both (Chan, Golub and LeVeque 1979). */
static void merge_service(fm_report_stage *to, const fm_report_stage *from)
{
    const double a = (double)to->frames, b = (double)from->frames, n = a + b;
    if (n <= 0)
        return;
    const double apart = from->service_mean - to->service_mean;
    const double squares = a * to->service_stddev * to->service_stddev + b * from->service_stddev * from->service_stddev +
                           apart * apart * (a / n) * b;
    to->service_mean += apart * (b / n);
    to->service_stddev = sqrt(squares / n);
}

static void merge_stage(fm_report_stage *to, const fm_report_stage *from)
{
    merge_service(to, from);
    to->queue = to->queue == from->queue ? to->queue : 0;
    to->pictures = to->pictures == from->pictures ? to->pictures : 0;
    to->frames = add(to->frames, from->frames);
    to->busy_seconds += from->busy_seconds;
    to->starved_seconds += from->starved_seconds;
    to->blocked_seconds += from->blocked_seconds;
    to->cpu_seconds = add_known(to->cpu_seconds, from->cpu_seconds);
    to->ready_seconds += from->ready_seconds;
    to->service_p99 = (double)NAN;
    to->held = add(to->held, from->held);
}

/* `stages` has room for FM_REPORT_STAGES_MAX; no run has so many, and what there is more of is left out. */
static bool merge_stages(fm_profile *out, fm_report_stage *stages, size_t *count, const fm_report_pipeline *from)
{
    for (size_t i = 0; i < from->stage_count; i++) {
        const fm_report_stage *stage = &from->stages[i];
        const size_t at = find_stage(stages, *count, stage->name);
        if (at < *count) {
            merge_stage(&stages[at], stage);
        } else if (at < FM_REPORT_STAGES_MAX) {
            stages[at] = *stage;
            stages[at].name = fm_profile_copy(out, stage->name);
            stages[at].after = fm_profile_copy(out, stage->after);
            if (!stages[at].name || (stage->after && !stages[at].after))
                return false;
            ++*count;
        }
    }
    return true;
}

/* The slowest of both lists, each of which falls. */
static bool merge_outliers(fm_profile *out, fm_report_pipeline *sum, const fm_report_pipeline *from)
{
    fm_report_outlier *list = fm_profile_allocate(out, FM_REPORT_OUTLIERS, sizeof *list);
    size_t a = 0, b = 0, count = 0;
    for (; list && count < FM_REPORT_OUTLIERS && (a < sum->outlier_count || b < from->outlier_count); count++) {
        const bool ours = b == from->outlier_count ||
                          (a < sum->outlier_count && sum->outliers[a].seconds >= from->outliers[b].seconds);
        list[count] = ours ? sum->outliers[a++] : from->outliers[b++];
        list[count].stage = fm_profile_copy(out, list[count].stage);
        if (!list[count].stage)
            return false;
    }
    sum->outliers = list;
    sum->outlier_count = count;
    return list != NULL;
}

/* What is not a list. `frames` of the sum so far, `more` of the other one. */
static void merge_figures(fm_report_pipeline *sum, const fm_report_pipeline *from, int64_t frames, int64_t more)
{
    const double share = fmp_ratio((double)more, (double)frames + (double)more);
    const double old = (double)sum->frame_bytes_copied;
    const double mean = old + share * ((double)from->frame_bytes_copied - old);
    if (isfinite(mean))
        sum->frame_bytes_copied = mean < 9e18 ? (int64_t)mean : INT64_MAX;
    sum->processors = sum->processors == from->processors ? sum->processors : 0;
    sum->process_cpu_seconds = add_known(sum->process_cpu_seconds, from->process_cpu_seconds);
    sum->frame_p50 = sum->frame_p99 = (double)NAN;
    sum->frames_converted = add(sum->frames_converted, from->frames_converted);
    sum->frames_cropped_again = add(sum->frames_cropped_again, from->frames_cropped_again);
    sum->allocations = add(sum->allocations, from->allocations);
    sum->allocation_frames = add(sum->allocation_frames, from->allocation_frames);
    sum->rss_first = sum->rss_last = sum->rss_frames = 0;
    sum->detections.searching = add(sum->detections.searching, from->detections.searching);
    sum->detections.lost = add(sum->detections.lost, from->detections.lost);
    sum->detections.checking = add(sum->detections.checking, from->detections.checking);
    sum->detections.confirmed = add(sum->detections.confirmed, from->detections.confirmed);
    for (int i = 0; i < FM_CONTENTS; i++) {
        sum->content[i].frames = add(sum->content[i].frames, from->content[i].frames);
        sum->content[i].seconds += from->content[i].seconds;
    }
}

static bool same_clip(const fm_profile *const *profiles, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!profiles[i]->run.input || !fm_profile_same(profiles[i]->run.input, profiles[0]->run.input))
            return false;
    return true;
}

bool fm_pipeline_merge(fm_profile *out, const fm_profile *const *profiles, size_t count, bool *told)
{
    *told = true;
    for (size_t i = 0; i < count; i++)
        *told = *told && profiles[i]->run.pipeline;
    if (!*told)
        return true;
    fm_report_pipeline *sum = fm_profile_allocate(out, 1, sizeof *sum);
    fm_report_stage *stages = fm_profile_allocate(out, FM_REPORT_STAGES_MAX, sizeof *stages);
    if (!sum || !stages)
        return false;
    const bool one_clip = same_clip(profiles, count);
    int64_t frames = 0;
    for (size_t i = 0; i < count; i++) {
        const fm_report_pipeline *from = profiles[i]->run.pipeline;
        if (i == 0) {
            *sum = *from;
            sum->stages = stages;
            sum->stage_count = sum->outlier_count = 0;
        } else {
            merge_figures(sum, from, frames, profiles[i]->run.frames);
        }
        if (!merge_stages(out, stages, &sum->stage_count, from) || (one_clip && !merge_outliers(out, sum, from)))
            return false;
        frames = add(frames, profiles[i]->run.frames);
    }
    out->run.pipeline = sum;
    return true;
}
