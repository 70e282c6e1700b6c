/*
 * An ONNX graph under construction: nodes, constants, inputs and outputs go
 * in, the bytes of a ModelProto come out.
 *
 * Protobuf fields: onnx/onnx.proto of the ONNX project. The result declares
 * IR version 8 and the default operator set 17, which every runtime since
 * ONNX Runtime 1.12 reads.
 *
 * Failures (memory, size limit) are remembered and reported by fm_onnx_finish.
 *
 * Thread-safety: Unsafe (one thread at a time).
 */
#ifndef FM_MODELS_ONNX_GRAPH_H
#define FM_MODELS_ONNX_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "facemirror/error.h"
#include "models/protobuf.h"

typedef struct fm_onnx {
    fm_pb nodes, constants, inputs, outputs; /* finished fields of GraphProto */
    size_t node_mark;                        /* of the node that is being written */
} fm_onnx;

/* `limit`: most bytes that each part of the graph may take. */
void fm_onnx_init(fm_onnx *graph, size_t limit);
/* Safe on a zeroed graph. */
void fm_onnx_free(fm_onnx *graph);

/* One node: begin, its inputs, its outputs, its attributes, end. */
void fm_onnx_node_begin(fm_onnx *graph, const char *op_type, const char *name);
void fm_onnx_node_input(fm_onnx *graph, const char *value);
void fm_onnx_node_output(fm_onnx *graph, const char *value);
void fm_onnx_node_int(fm_onnx *graph, const char *attribute, int64_t value);
void fm_onnx_node_ints(fm_onnx *graph, const char *attribute, const int64_t *values, int count);
void fm_onnx_node_float(fm_onnx *graph, const char *attribute, float value);
void fm_onnx_node_string(fm_onnx *graph, const char *attribute, const char *value);
void fm_onnx_node_end(fm_onnx *graph);
/* A whole node of one or two inputs (second: may be NULL) and no attributes, named after its output. */
void fm_onnx_node(fm_onnx *graph, const char *op_type, const char *output, const char *first,
                  const char *second);

/* A float32 constant; returns the room for its little-endian elements, to be filled before the next call; NULL after a failure. */
uint8_t *fm_onnx_constant_f32(fm_onnx *graph, const char *name, const int64_t *dims, int rank,
                              size_t elements);
/* An int64 constant of one dimension. */
void fm_onnx_constant_i64(fm_onnx *graph, const char *name, const int64_t *values, int count);

/* Float32 graph inputs and outputs. A dimension below 0 is left open, and equal ones agree: -2 is named "dim2". */
void fm_onnx_input(fm_onnx *graph, const char *name, const int64_t *dims, int rank);
void fm_onnx_output(fm_onnx *graph, const char *name, const int64_t *dims, int rank);

/* FM_PB_FINE, or the first failure of any part so far. */
fm_pb_failure fm_onnx_failure(const fm_onnx *graph);

/* The model's bytes, malloc'ed, the caller's. */
fm_pb_failure fm_onnx_finish(fm_onnx *graph, const char *name, uint8_t **data, size_t *size);

#endif
