/*
 * Runs an ONNX model of one input with ONNX Runtime; fails the test when the
 * runtime refuses the model or has a warning about it.
 */
#ifndef TESTS_ONNX_RUN_H
#define TESTS_ONNX_RUN_H

#include <stddef.h>
#include <stdint.h>

/* The first output, malloc'ed. `input` holds `input_count` floats of the given shape. */
float *or_run(const uint8_t *onnx, size_t size, const float *input, const int64_t *dims, int rank,
              size_t *output_count);

#endif
