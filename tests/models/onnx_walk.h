/*
 * A tiny protobuf walk over an ONNX model, independent of the writer: what the
 * graph is made of. Aborts the test (cmocka's fail) on bytes that are no model.
 */
#ifndef TESTS_ONNX_WALK_H
#define TESTS_ONNX_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OW_TYPES_MAX = 32, OW_VALUES_MAX = 8, OW_DIMS_MAX = 8 };

typedef struct ow_value {
    char name[64];
    int rank;
    int64_t dims[OW_DIMS_MAX];
} ow_value;

typedef struct ow_summary {
    struct {
        char type[24];
        int count;
    } ops[OW_TYPES_MAX];
    int op_types, nodes;
    ow_value inputs[OW_VALUES_MAX], outputs[OW_VALUES_MAX];
    int input_count, output_count;
    int constants;
    size_t constant_bytes; /* of raw data */
    int64_t ir_version, opset;
} ow_summary;

void ow_walk(const uint8_t *data, size_t size, ow_summary *out);
int ow_count(const ow_summary *summary, const char *op_type);

#endif
