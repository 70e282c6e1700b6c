/*
 * The outline of an ONNX file: its nodes with the names of their tensors, and
 * the size of its constants. Read from the bytes themselves, without loading
 * weights; every length is checked, so the bytes may come from anywhere.
 *
 * Format: onnx/onnx.proto of the ONNX project in protobuf's wire format,
 * https://protobuf.dev/programming-guides/encoding/. Graphs inside of nodes
 * (If, Loop) are not entered.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_INFERENCE_OUTLINE_H
#define FM_INFERENCE_OUTLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facemirror/error.h"

/* Text inside the file's bytes; no NUL behind it. */
typedef struct fm_view {
    const char *at;
    size_t size;
} fm_view;

typedef struct fm_outline_node {
    fm_view name, op_type;
    uint32_t first_input, input_count;   /* into inputs */
    uint32_t first_output, output_count; /* into outputs */
} fm_outline_node;

typedef struct fm_outline {
    fm_outline_node *nodes;
    size_t node_count;
    fm_view *inputs, *outputs; /* of all nodes, one after the other */
    size_t input_count, output_count;
    uint64_t parameters;   /* elements of the constants that hold weights: of a floating type or of 4 or 8 bits */
    uint64_t weight_bytes; /* of all constants, those in files beside the model too */
} fm_outline;

/* Views point into `data`, which must stay. FM_E_MODEL when the bytes are no ONNX model; `name` stands in the error. */
fm_status fm_outline_read(fm_outline *out, const void *data, size_t size, const char *name, fm_error *err);
/* Safe on a zeroed outline. */
void fm_outline_free(fm_outline *outline);

bool fm_view_equal(fm_view a, fm_view b);
/* Orders views, as qsort's comparisons do. */
int fm_view_compare(fm_view a, fm_view b);

#endif
