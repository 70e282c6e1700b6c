/*
 * Models of tflite_builder.h at work: imported, run by ONNX Runtime, or refused.
 */
#ifndef TESTS_BUILT_MODEL_H
#define TESTS_BUILT_MODEL_H

#include <stddef.h>

#include "models/import.h"
#include "onnx_walk.h"
#include "tflite_builder.h"

/* Uniform in [-1,1), the same numbers in every run. */
void bm_fill(float *out, size_t count);

/*
 * Imports the model, looks at its structure (summary may be NULL) and runs it
 * on `nhwc`, which goes in by channels, as ONNX has it. Returns its first
 * output in the order of ONNX, malloc'ed.
 */
float *bm_run(const tb_model *model, fm_import_style style, const float *nhwc, ow_summary *summary, size_t *count);

/* Fails the test unless the import refuses the model with a message that has both words. */
void bm_refuse(const tb_model *model, const char *first, const char *second);

#endif
