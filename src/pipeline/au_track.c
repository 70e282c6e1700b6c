#include "pipeline/au_track.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fmprof/fmprof.h"

/* Frames this near to --neutral T count as neutral. */
#define NEUTRAL_WINDOW_SECONDS 0.1
/* The score below which MediaPipe, too, does not believe a face. */
#define MIN_PRESENCE 0.5f

typedef struct spool_row {
    int64_t index;
    double seconds;
    float confidence;
    bool success;
    fm_au_features features;
} spool_row;

struct fm_au_track {
    fm_au_track_options options;
    fm_au_features given_neutral;
    fm_outfile csv;
    FILE *spool;
    fm_face_runner *runner;
    const fm_topology *topology;
    fm_au_neutral *clip_neutral, *time_neutral;
    int64_t rows;
};

/* A file that has no name any more: it goes with the process, however that ends. */
static fm_status open_spool(fm_au_track *t, fm_error *err)
{
    char path[FM_PATH_MAX + 8];
    snprintf(path, sizeof path, "%s.spool", t->csv.partial_path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fm_outfile_failed(&t->csv, err);
    unlink(path);
    t->spool = fdopen(fd, "w+b");
    if (!t->spool) {
        close(fd);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the table '%s'", t->csv.final_path);
    }
    return FM_OK;
}

fm_status fm_au_track_create(fm_au_track **out, fm_face_models *models, const char *csv_path,
                             const fm_au_track_options *options, fm_error *err)
{
    *out = NULL;
    fm_au_track *t = calloc(1, sizeof *t);
    if (!t)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the table '%s'", csv_path);
    t->options = *options;
    if (options->neutral_features)
        t->given_neutral = *options->neutral_features;
    t->options.neutral_features = NULL;
    t->topology = fm_face_models_topology(models);
    fm_status status = fm_outfile_open(&t->csv, csv_path, options->overwrite, err);
    if (status == FM_OK)
        status = open_spool(t, err);
    if (status == FM_OK)
        status = fm_face_runner_create(&t->runner, models, FM_FACE_RUNNER_PLAIN, err);
    if (status == FM_OK)
        status = fm_au_neutral_create(&t->clip_neutral, err);
    if (status == FM_OK)
        status = fm_au_neutral_create(&t->time_neutral, err);
    if (status != FM_OK) {
        fm_au_track_destroy(&t);
        return status;
    }
    *out = t;
    return FM_OK;
}

void fm_au_track_destroy(fm_au_track **track)
{
    fm_au_track *t = *track;
    if (!t)
        return;
    fm_au_neutral_destroy(&t->time_neutral);
    fm_au_neutral_destroy(&t->clip_neutral);
    fm_face_runner_destroy(&t->runner);
    if (t->spool)
        fclose(t->spool);
    fm_outfile_discard(&t->csv);
    free(t);
    *track = NULL;
}

/* The landmarks that the mirrored picture must show: the kept half and its reflection. */
static void mirror_points(const fm_point3 *points, const fm_topology *topology, const fm_line *line,
                          fm_side keep, fm_point3 *out)
{
    const double sign = keep == FM_SIDE_LEFT ? 1.0 : -1.0;
    for (int i = 0; i < topology->count; i++) {
        const int partner = topology->mirror[i];
        const double own = sign * fm_line_distance(line, points[i].x, points[i].y);
        const double other = sign * fm_line_distance(line, points[partner].x, points[partner].y);
        if (own >= other) {
            out[i] = points[i]; /* on the kept side, or on the midline */
        } else {
            const fm_point2 p = fm_line_reflect(line, points[partner].x, points[partner].y);
            out[i] = (fm_point3){p.x, p.y, points[partner].z};
        }
    }
}

/*
 * A head that is turned a little shows one half wider than the other; the
 * mirrored face is then too wide or too narrow, while its heights are right.
 * Its width is brought back to the source face's, across the midline, so that
 * lengths along and across the face have one unit in every frame.
 */
static void restore_width(fm_point3 *points, const fm_topology *topology, const fm_line *line,
                          double source_size)
{
    fm_pose pose;
    if (!fm_pose_estimate(points, topology, &pose) || !(pose.inter_ocular > 0) || !(source_size > 0))
        return;
    const double change = source_size / (double)pose.inter_ocular - 1;
    for (int i = 0; i < topology->count; i++) {
        const double s = change * fm_line_distance(line, points[i].x, points[i].y);
        points[i].x += (float)(s * line->dy);
        points[i].y -= (float)(s * line->dx);
    }
}

fm_status fm_au_measure_mirrored(fm_face_runner *runner, const fm_topology *topology,
                                 const fm_point3 *points, const fm_pose *pose,
                                 const fm_line *line, fm_side keep, const fm_image *mirrored,
                                 fm_au_features *features, float *confidence, bool *found, fm_error *err)
{
    *found = false;
    *confidence = 0;
    fm_point3 expected[FM_LANDMARKS_MAX];
    mirror_points(points, topology, line, keep, expected);
    const fm_roi roi = fm_roi_from_landmarks(expected, topology);

    const float *raw;
    float logit;
    fm_status status;
    {
        FMP_CONTEXT("AU_"); /* told apart from the tracker's landmarker: AU_FaceMesh_... */
        status = fm_face_runner_landmarks(runner, mirrored, &roi, &raw, &logit, err);
    }
    if (status != FM_OK)
        return status;
    FMP_SCOPE("AU_EXTRACTION", "au_measure");
    fm_point3 measured[FM_LANDMARKS_MAX];
    const float presence = fm_sigmoid(logit);
    if (!(presence >= MIN_PRESENCE) ||
        !fm_landmarks_from_network(raw, topology->count, FM_FACEMESH_SIZE, &roi, measured))
        return FM_OK;
    *confidence = presence;
    restore_width(measured, topology, line, pose->inter_ocular);
    *found = fm_au_measure(measured, topology, features);
    return FM_OK;
}

fm_status fm_au_track_frame(fm_au_track *t, const fm_work *work, const fm_image *mirrored,
                            fm_error *err)
{
    spool_row row;
    memset(&row, 0, sizeof row);
    row.index = work->index;
    row.seconds = work->seconds;
    if (work->face.found && work->has_line && work->has_pose) {
        fm_status status =
            fm_au_measure_mirrored(t->runner, t->topology, work->face.points, &work->pose,
                                   &work->line, t->options.side, mirrored, &row.features, &row.confidence,
                                   &row.success, err);
        if (status != FM_OK)
            return status;
    }
    if (row.success) {
        fm_au_neutral_add(t->clip_neutral, &row.features);
        if (t->options.neutral == FM_NEUTRAL_TIME &&
            fabs(row.seconds - t->options.neutral_seconds) <= NEUTRAL_WINDOW_SECONDS)
            fm_au_neutral_add(t->time_neutral, &row.features);
    }
    if (fwrite(&row, sizeof row, 1, t->spool) != 1)
        return fm_outfile_failed(&t->csv, err);
    t->rows++;
    return FM_OK;
}

static void write_header(FILE *csv)
{
    fputs("frame,face_id,timestamp,confidence,success", csv);
    for (int i = 0; i < FM_AU_COUNT; i++)
        fprintf(csv, ",AU%02d_r", fm_au_numbers[i]);
    for (int i = 0; i < FM_AU_COUNT; i++)
        fprintf(csv, ",AU%02d_c", fm_au_numbers[i]);
    fputc('\n', csv);
}

/* An empty cell is how tables say "not measured": nothing is invented. */
static void write_cells(FILE *csv, const float *values, const char *format)
{
    for (int i = 0; i < FM_AU_COUNT; i++) {
        fputc(',', csv);
        if (!isnan(values[i]))
            fprintf(csv, format, (double)values[i]);
    }
}

static void write_row(FILE *csv, const spool_row *row, const fm_au_features *neutral)
{
    fm_au_result result;
    if (row->success) {
        fm_au_intensities(&row->features, neutral, &result);
    } else {
        for (int i = 0; i < FM_AU_COUNT; i++)
            result.intensity[i] = result.presence[i] = NAN;
    }
    fprintf(csv, "%lld,0,%.6f,%.4f,%d", (long long)row->index, row->seconds,
            (double)row->confidence, row->success ? 1 : 0);
    write_cells(csv, result.intensity, "%.3f");
    write_cells(csv, result.presence, "%.0f");
    fputc('\n', csv);
}

static bool choose_neutral(const fm_au_track *t, fm_au_features *neutral)
{
    if (t->options.neutral == FM_NEUTRAL_IMAGE) {
        *neutral = t->given_neutral;
        return true;
    }
    if (t->options.neutral == FM_NEUTRAL_TIME && fm_au_neutral_estimate(t->time_neutral, neutral))
        return true;
    memset(neutral, 0, sizeof *neutral);
    fm_au_neutral_estimate(t->clip_neutral, neutral); /* no face at all: no row uses it */
    return t->options.neutral == FM_NEUTRAL_CLIP;
}

fm_status fm_au_track_finish(fm_au_track *t, bool *used_clip_neutral, fm_error *err)
{
    FMP_SCOPE("AU_EXTRACTION", "au_write_csv");
    fm_au_features neutral;
    *used_clip_neutral = !choose_neutral(t, &neutral);

    if (fflush(t->spool) != 0) /* rewind would not tell */
        return fm_outfile_failed(&t->csv, err);
    FILE *csv;
    const fm_status status = fm_outfile_stream(&t->csv, &csv, err);
    if (status != FM_OK)
        return status;
    write_header(csv);
    rewind(t->spool);
    spool_row row;
    int64_t rows = 0;
    while (fread(&row, sizeof row, 1, t->spool) == 1) {
        write_row(csv, &row, &neutral);
        rows++;
    }
    const bool whole = rows == t->rows && !ferror(t->spool) && !ferror(csv);
    return fclose(csv) != 0 || !whole ? fm_outfile_failed(&t->csv, err) : FM_OK;
}

fm_status fm_au_track_commit(fm_au_track *t, fm_error *err)
{
    return fm_outfile_commit(&t->csv, err);
}
