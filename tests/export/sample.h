/* A synthetic snapshot whose report is known. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmprof/export.h"

#include "../sample_figures.h"

/* What `print` put into the stream, malloc'ed. */
static inline char *text_of(const fmp_snapshot *snapshot, const fmp_text_options *options)
{
    static char *text; /* static: gcc 12 takes what a local points to for gone with it */
    static size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(fmp_print_text(out, snapshot, options), 0);
    fclose(out);
    return text;
}

#endif
