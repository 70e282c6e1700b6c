#include "pipeline/landmarks_csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "face/blendshapes.h"
#include "fmprof/fmprof.h"

/* A cell is a comma, a sign, at most 17 digits, a point among them: beyond that, printf has to do it. */
enum { CELL_MAX = 24, POINT_DECIMALS = 3, SCORE_DECIMALS = 4 };
#define FAST_LIMIT 1e12f

struct fm_landmarks_csv {
    fm_outfile file;
    FILE *stream;
    int points;
    int scores; /* FM_BLENDSHAPES or 0 */
    char *row;  /* points * 3 + scores cells */
};

fm_status fm_landmarks_csv_create(fm_landmarks_csv **out, const char *path, int points, bool blendshapes,
                                  bool overwrite, fm_error *err)
{
    *out = NULL;
    fm_landmarks_csv *csv = calloc(1, sizeof *csv);
    if (!csv)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the table '%s'", path);
    csv->points = points;
    csv->scores = blendshapes ? FM_BLENDSHAPES : 0;
    fm_status status = fm_outfile_open(&csv->file, path, overwrite, err);
    if (status == FM_OK)
        status = fm_outfile_stream(&csv->file, &csv->stream, err);
    if (status == FM_OK) {
        csv->row = malloc((size_t)(points * 3 + csv->scores) * CELL_MAX);
        if (!csv->row)
            status = fm_fail(err, FM_E_NO_MEMORY, "out of memory for the table '%s'", path);
    }
    if (status != FM_OK) {
        fm_landmarks_csv_destroy(&csv);
        return status;
    }
    fputs("frame,timestamp,success", csv->stream);
    for (int i = 0; i < points; i++)
        fprintf(csv->stream, ",x_%d,y_%d,z_%d", i, i, i);
    for (int i = 0; i < csv->scores; i++)
        fprintf(csv->stream, ",%s", fm_blendshape_name(i));
    fputc('\n', csv->stream);
    *out = csv;
    return FM_OK;
}

void fm_landmarks_csv_destroy(fm_landmarks_csv **pointer)
{
    fm_landmarks_csv *csv = *pointer;
    if (!csv)
        return;
    if (csv->stream)
        fclose(csv->stream);
    fm_outfile_discard(&csv->file);
    free(csv->row);
    free(csv);
    *pointer = NULL;
}

/*
 * ",%.3f" (or so many decimals, 1 to 4) without printf, which took as long as
 * the network itself for the 1404 numbers of a frame. A float times 10000 is
 * exact in a double, so that llrint rounds as printf does. Returns the end.
 */
static char *write_cell(char *at, float value, int decimals)
{
    static const double scale[] = {1, 10, 100, 1000, 10000};
    if (!(fabsf(value) < FAST_LIMIT))
        return at + snprintf(at, CELL_MAX, ",%.6g", (double)value);
    const unsigned long long units = (unsigned long long)llrint(fabs((double)value * scale[decimals]));
    *at++ = ',';
    if (signbit(value))
        *at++ = '-';
    char digits[CELL_MAX];
    int count = 0;
    for (unsigned long long rest = units; rest > 0 || count <= decimals; rest /= 10)
        digits[count++] = (char)('0' + rest % 10);
    for (int i = count - 1; i >= 0; i--) {
        *at++ = digits[i];
        if (i == decimals)
            *at++ = '.';
    }
    return at;
}

fm_status fm_landmarks_csv_frame(fm_landmarks_csv *csv, const fm_work *work, const float *scores, fm_error *err)
{
    FMP_SCOPE("MEMORY_OPERATIONS", "landmarks_csv");
    const fm_face *face = &work->face;
    fprintf(csv->stream, "%lld,%.6f,%d", (long long)work->index, work->seconds, face->found ? 1 : 0);
    char *end = csv->row;
    for (int i = 0; i < csv->points; i++) {
        if (face->found) {
            end = write_cell(end, face->points[i].x, POINT_DECIMALS);
            end = write_cell(end, face->points[i].y, POINT_DECIMALS);
            end = write_cell(end, face->points[i].z, POINT_DECIMALS);
        } else {
            end = (char *)memcpy(end, ",,,", 3) + 3;
        }
    }
    for (int i = 0; i < csv->scores; i++) {
        if (scores && isfinite(scores[i]))
            end = write_cell(end, scores[i], SCORE_DECIMALS);
        else
            *end++ = ',';
    }
    fwrite(csv->row, 1, (size_t)(end - csv->row), csv->stream);
    fputc('\n', csv->stream);
    return ferror(csv->stream) ? fm_outfile_failed(&csv->file, err) : FM_OK;
}

fm_status fm_landmarks_csv_commit(fm_landmarks_csv *csv, fm_error *err)
{
    FILE *stream = csv->stream;
    csv->stream = NULL;
    return fm_outfile_end(&csv->file, stream, FM_OK, err);
}
