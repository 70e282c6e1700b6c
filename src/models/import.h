/*
 * TFLite to ONNX: reads a FlatBuffers model, writes an ONNX protobuf.
 *
 * Both sides are bounds-checked: a hostile file gets FM_E_MODEL, never a crash
 * and never more memory than a small multiple of its size (see import limits
 * in import.c). The graph is NCHW inside; inputs and outputs keep the names
 * of the TFLite tensors; inputs are NCHW float32 [1,3,H,W].
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_MODELS_IMPORT_H
#define FM_MODELS_IMPORT_H

#include <stddef.h>
#include <stdint.h>

#include "facemirror/error.h"

/*
 * Converts `size` bytes at `tflite`. On success *onnx is a malloc'ed buffer of
 * *onnx_size bytes that the caller frees. `name` stands in messages and as the
 * graph's name.
 */
fm_status fm_import_tflite(const uint8_t *tflite, size_t size, const char *name, uint8_t **onnx,
                           size_t *onnx_size, fm_error *err);

/* The same from file to file; the output is written beside its name and renamed when whole. */
fm_status fm_import_tflite_file(const char *input, const char *output, fm_error *err);

#endif
