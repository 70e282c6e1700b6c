/*
 * The samples of all frames until the end of the clip, in a file without a
 * name: memory does not grow with the clip, and the file goes with the process,
 * however that ends.
 *
 * Thread-safety: Unsafe; one stage at a time.
 */
#ifndef FM_PIPELINE_AU_SPOOL_H
#define FM_PIPELINE_AU_SPOOL_H

#include "base/file.h"
#include "pipeline/au_estimator.h"

typedef struct fm_au_spool fm_au_spool;

/* One frame. Rows without a face have a zeroed sample. */
typedef struct fm_au_row {
    int64_t index;  /* 0-based number of the frame */
    double seconds; /* from the start of the clip */
    fm_au_sample sample;
} fm_au_row;

/* Makes the file beside `table`, in whose name it fails: FM_E_OUTPUT, FM_E_NO_SPACE. `table` must outlive the spool. */
fm_status fm_au_spool_create(fm_au_spool **out, const fm_outfile *table, fm_error *err);
void fm_au_spool_destroy(fm_au_spool **spool);

fm_status fm_au_spool_add(fm_au_spool *spool, const fm_au_row *row, fm_error *err);
/* All rows are there: back to the first. */
fm_status fm_au_spool_rewind(fm_au_spool *spool, fm_error *err);
/* The next row; *there is false after the last one. Fewer rows than were added are an error. */
fm_status fm_au_spool_next(fm_au_spool *spool, fm_au_row *row, bool *there, fm_error *err);

#endif
