/*
 * Builds small TFLite files for tests: a FlatBuffers writer of its own, so that
 * the importer's reader is not tested against itself.
 *
 * Every table writes its fields in slots of four bytes; parents come before
 * children, as unsigned offsets only lead forward.
 */
#ifndef TESTS_TFLITE_BUILDER_H
#define TESTS_TFLITE_BUILDER_H

#include <stddef.h>
#include <stdint.h>

enum { TB_FLOAT32 = 0, TB_FLOAT16 = 1, TB_INT32 = 2, TB_INT8 = 9 };
enum { TB_TENSORS_MAX = 64, TB_OPS_MAX = 64, TB_ARGS_MAX = 8, TB_OPTIONS_MAX = 7 };

typedef struct tb_tensor {
    const char *name;
    int type;
    int rank;
    int32_t dims[6];
    const void *data; /* NULL: computed */
    size_t bytes;
    int same_buffer_as; /* index + 1 of a tensor whose buffer this one shares, 0: its own */
} tb_tensor;

typedef struct tb_op {
    int32_t code;
    const char *custom;
    int32_t version; /* 0: left out, which means 1 */
    const uint8_t *custom_options;
    size_t custom_options_size;
    int input_count, output_count;
    int32_t inputs[TB_ARGS_MAX], outputs[TB_ARGS_MAX];
    int options_type; /* BuiltinOptions, 0: none */
    int32_t options[TB_OPTIONS_MAX];
} tb_op;

typedef struct tb_model {
    tb_tensor tensors[TB_TENSORS_MAX];
    int tensor_count;
    tb_op ops[TB_OPS_MAX];
    int op_count;
    int32_t inputs[TB_ARGS_MAX], outputs[TB_ARGS_MAX];
    int input_count, output_count;
} tb_model;

/* BuiltinOperator of the schema. */
enum { ADD = 0, CONCATENATION = 2, CONV_2D = 3, DEPTHWISE = 4, DEQUANTIZE = 6, LOGISTIC = 14 };
enum { MAX_POOL = 17, MUL = 18, RELU = 19, RELU6 = 21, RESHAPE = 22, SOFTMAX = 25, CUSTOM = 32 };
enum { PAD = 34, TRANSPOSE = 39, MEAN = 40, SUB = 41, DIV = 42, STRIDED_SLICE = 45, PRELU = 54 };
enum { NEG = 59, SUM = 74, SQRT = 75, RSQRT = 76, SQUARED_DIFFERENCE = 99 };

/* A model with one input picture, tensor 0. */
tb_model tb_begin(int h, int w, int c);
/* Makes a tensor an output of the graph. */
void tb_output(tb_model *model, int tensor);
/* Each returns the new index. dims end with 0. */
int tb_value(tb_model *model, const char *name, const int32_t *dims);
int tb_constant(tb_model *model, const char *name, int type, const int32_t *dims, const void *data);
tb_op *tb_add_op(tb_model *model, int32_t code, int output);
void tb_op_input(tb_op *op, int tensor);

/* The file, malloc'ed. When FM_TEST_CORPUS names a folder, it is also left there as a seed for the fuzzer. */
uint8_t *tb_build(const tb_model *model, size_t *size);

#define TB_DIMS(...) ((const int32_t[]){__VA_ARGS__, 0})

#endif
