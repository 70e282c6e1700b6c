/*
 * TFLite to ONNX: reads a FlatBuffers model, writes an ONNX protobuf.
 *
 * Both sides are bounds-checked: a hostile file gets FM_E_MODEL, never a crash
 * and never more memory than a small multiple of its size (see import limits
 * in import.c). The graph is NCHW inside; inputs and outputs keep the names
 * of the TFLite tensors; inputs are NCHW float32 [1,3,H,W].
 *
 * Rank-4 outputs are NCHW too, so [1,1,1,C] comes out as [1,C,1,1].
 * Supported: float32 models with float32 or float16 weights made of ADD, CONCATENATION, CONV_2D, DEPTHWISE_CONV_2D,
 * DEQUANTIZE, DIV, LOGISTIC, MAX_POOL_2D, MEAN, MUL, NEG, PAD, PRELU, RELU, RELU6, RELU_N1_TO_1, RESHAPE, RSQRT, SQRT,
 * SQUARED_DIFFERENCE, STRIDED_SLICE, SUB, SUM and TRANSPOSE, and of MediaPipe's custom operators (version 2)
 * Landmarks2TransformMatrix, TransformTensorBilinear and TransformLandmarks; the error names any other operator.
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_MODELS_IMPORT_H
#define FM_MODELS_IMPORT_H

#include <stddef.h>
#include <stdint.h>

#include "facemirror/error.h"

/* How operators that ONNX has, but a runtime may be slow at, are written. */
typedef enum fm_import_style {
    /* What fits the CPU that this was built for: BLOCKED on x86-64, else PLAIN. */
    FM_IMPORT_AUTO = 0,
    /* One ONNX node an operator: for accelerators and for reading. */
    FM_IMPORT_PLAIN,
    /*
     * PRELU as depthwise 1x1 convolutions and Relu, which ONNX Runtime's x86
     * kernels run in their blocked layout, while its PRelu is a scalar loop
     * between two changes of layout: FaceMesh takes about a third of the time.
     * Results differ by rounding only.
     */
    FM_IMPORT_BLOCKED
} fm_import_style;

/*
 * Converts `size` bytes at `tflite`. On success *onnx is a malloc'ed buffer of
 * *onnx_size bytes that the caller frees. `name` stands in messages and as the
 * graph's name. The result depends on the arguments and the style alone.
 */
fm_status fm_import_tflite(const uint8_t *tflite, size_t size, const char *name, uint8_t **onnx,
                           size_t *onnx_size, fm_error *err);

/* The same in a chosen style. */
fm_status fm_import_tflite_as(const uint8_t *tflite, size_t size, const char *name,
                              fm_import_style style, uint8_t **onnx, size_t *onnx_size,
                              fm_error *err);

/* The same from file to file; the output is written beside its name and renamed when whole. */
fm_status fm_import_tflite_file(const char *input, const char *output, fm_error *err);

#endif
