#include "pipeline/landmarks_csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "fmprof/fmprof.h"

struct fm_landmarks_csv {
    fm_outfile file;
    FILE *stream;
    int points;
};

static fm_status failed(const fm_landmarks_csv *csv, fm_error *err)
{
    return fm_fail(err, fm_status_from_errno(errno, FM_E_OUTPUT), "cannot write '%s': %s",
                   csv->file.final_path, strerror(errno));
}

fm_status fm_landmarks_csv_create(fm_landmarks_csv **out, const char *path, int points,
                                  bool overwrite, fm_error *err)
{
    *out = NULL;
    fm_landmarks_csv *csv = calloc(1, sizeof *csv);
    if (!csv)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the table '%s'", path);
    csv->points = points;
    fm_status status = fm_outfile_open(&csv->file, path, overwrite, err);
    if (status == FM_OK) {
        csv->stream = fopen(csv->file.partial_path, "w");
        if (!csv->stream)
            status = failed(csv, err);
    }
    if (status != FM_OK) {
        fm_landmarks_csv_destroy(&csv);
        return status;
    }
    fputs("frame,timestamp,success", csv->stream);
    for (int i = 0; i < points; i++)
        fprintf(csv->stream, ",x_%d,y_%d,z_%d", i, i, i);
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
    free(csv);
    *pointer = NULL;
}

fm_status fm_landmarks_csv_frame(fm_landmarks_csv *csv, const fm_work *work, fm_error *err)
{
    FMP_SCOPE("MEMORY_OPERATIONS", "landmarks_csv");
    const fm_face *face = &work->face;
    fprintf(csv->stream, "%lld,%.6f,%d", (long long)work->index, work->seconds, face->found ? 1 : 0);
    for (int i = 0; i < csv->points; i++) {
        if (face->found)
            fprintf(csv->stream, ",%.3f,%.3f,%.3f", (double)face->points[i].x,
                    (double)face->points[i].y, (double)face->points[i].z);
        else
            fputs(",,,", csv->stream);
    }
    fputc('\n', csv->stream);
    return ferror(csv->stream) ? failed(csv, err) : FM_OK;
}

fm_status fm_landmarks_csv_commit(fm_landmarks_csv *csv, fm_error *err)
{
    FILE *stream = csv->stream;
    csv->stream = NULL;
    if (stream && fclose(stream) != 0) {
        fm_status status = failed(csv, err);
        fm_outfile_discard(&csv->file);
        return status;
    }
    return fm_outfile_commit(&csv->file, err);
}
