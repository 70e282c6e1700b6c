#include "truth.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

static fm_status write_error(const fm_truth *truth, fm_error *err)
{
    const int cause = errno ? errno : EIO;
    return fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT),
                   "cannot write the truth table '%s': %s; check the disk and its permissions",
                   truth->file.final_path, strerror(cause));
}

/* printf's %f follows the locale's decimal comma, which CSV must not. Coordinates are far below 2^53 / 1000. */
static void put_decimal(FILE *stream, double value, int decimals)
{
    long long unit = 1;
    for (int i = 0; i < decimals; i++)
        unit *= 10;
    const long long scaled = llround(value * (double)unit);
    const long long size = scaled < 0 ? -scaled : scaled;
    fprintf(stream, "%s%lld.%0*lld", scaled < 0 ? "-" : "", size / unit, decimals, size % unit);
}

fm_status fm_truth_open(fm_truth *truth, const char *path, bool overwrite, int count, fm_error *err)
{
    *truth = (fm_truth){.count = count};
    const fm_status status = fm_outfile_open(&truth->file, path, overwrite, err);
    if (status != FM_OK)
        return status;
    errno = 0;
    truth->stream = fopen(truth->file.partial_path, "wb");
    if (!truth->stream)
        return write_error(truth, err);
    fputs("frame,timestamp,phase", truth->stream);
    for (int i = 0; i < count; i++)
        fprintf(truth->stream, ",x_%d,y_%d", i, i);
    fputc('\n', truth->stream);
    return ferror(truth->stream) ? write_error(truth, err) : FM_OK;
}

fm_status fm_truth_row(fm_truth *truth, int64_t frame, double seconds, const char *phase,
                       const fm_vec2 *points, fm_error *err)
{
    errno = 0;
    fprintf(truth->stream, "%" PRId64 ",", frame);
    put_decimal(truth->stream, seconds, 6);
    fprintf(truth->stream, ",%s", phase);
    for (int i = 0; i < truth->count; i++) {
        fputc(',', truth->stream);
        put_decimal(truth->stream, points[i].x, 3);
        fputc(',', truth->stream);
        put_decimal(truth->stream, points[i].y, 3);
    }
    fputc('\n', truth->stream);
    return ferror(truth->stream) ? write_error(truth, err) : FM_OK;
}

fm_status fm_truth_commit(fm_truth *truth, fm_error *err)
{
    FILE *stream = truth->stream;
    truth->stream = NULL;
    errno = 0;
    if (fclose(stream) != 0)
        return write_error(truth, err);
    return fm_outfile_commit(&truth->file, err);
}

void fm_truth_discard(fm_truth *truth)
{
    if (truth->stream)
        fclose(truth->stream);
    truth->stream = NULL;
    fm_outfile_discard(&truth->file);
}
