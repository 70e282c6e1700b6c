/*
 * A TFLite model as plain structs: tensors, constants, operators, options.
 *
 * Reading checks every index and every size, so that what works on the structs
 * need not: shapes have 1..FM_TFL_RANK_MAX positive dimensions (rank 0 for
 * scalars) and at most FM_TFL_ELEMENTS_MAX elements, constants hold exactly
 * the bytes of their shape, operator inputs are -1 or a tensor, outputs are a
 * tensor. Only the first subgraph is read.
 *
 * Schema: tensorflow/lite/schema/schema.fbs (identifier "TFL3", version 3).
 * Ownership: names and constants point into the file's bytes, which must
 * outlive the model. Thread-safety: Safe on distinct models.
 */
#ifndef FM_MODELS_TFLITE_H
#define FM_MODELS_TFLITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facemirror/error.h"
#include "models/flatbuffer.h"

enum {
    FM_TFL_RANK_MAX = 6,
    FM_TFL_ELEMENTS_MAX = 1 << 26, /* 256 MiB as float32; no face model comes near */
    FM_TFL_TENSORS_MAX = 1 << 14,
    FM_TFL_OPERATORS_MAX = 1 << 14,
    FM_TFL_ARGUMENTS_MAX = 256 /* inputs or outputs of one operator or of the graph */
};

/* TensorType of the schema; the other numbers keep their value and are refused where they are used. */
typedef enum fm_tfl_type {
    FM_TFL_FLOAT32 = 0,
    FM_TFL_FLOAT16 = 1,
    FM_TFL_INT32 = 2,
    FM_TFL_INT64 = 4
} fm_tfl_type;

/* BuiltinOperator of the schema: those that have options or a lowering here. */
typedef enum fm_tfl_code {
    FM_TFL_ADD = 0,
    FM_TFL_CONCATENATION = 2,
    FM_TFL_CONV_2D = 3,
    FM_TFL_DEPTHWISE_CONV_2D = 4,
    FM_TFL_DEQUANTIZE = 6,
    FM_TFL_LOGISTIC = 14,
    FM_TFL_MAX_POOL_2D = 17,
    FM_TFL_MUL = 18,
    FM_TFL_RELU = 19,
    FM_TFL_RELU_N1_TO_1 = 20,
    FM_TFL_RELU6 = 21,
    FM_TFL_RESHAPE = 22,
    FM_TFL_CUSTOM = 32,
    FM_TFL_PAD = 34,
    FM_TFL_TRANSPOSE = 39,
    FM_TFL_MEAN = 40,
    FM_TFL_SUB = 41,
    FM_TFL_DIV = 42,
    FM_TFL_STRIDED_SLICE = 45,
    FM_TFL_PRELU = 54,
    FM_TFL_NEG = 59,
    FM_TFL_SUM = 74,
    FM_TFL_SQRT = 75,
    FM_TFL_RSQRT = 76,
    FM_TFL_SQUARED_DIFFERENCE = 99
} fm_tfl_code;

typedef enum fm_tfl_padding { FM_TFL_SAME = 0, FM_TFL_VALID = 1 } fm_tfl_padding;

/* ActivationFunctionType of the schema. */
typedef enum fm_tfl_activation {
    FM_TFL_ACT_NONE = 0,
    FM_TFL_ACT_RELU = 1,
    FM_TFL_ACT_RELU_N1_TO_1 = 2,
    FM_TFL_ACT_RELU6 = 3,
    FM_TFL_ACT_TANH = 4
} fm_tfl_activation;

typedef struct fm_tfl_tensor {
    const uint8_t *name; /* not terminated, any bytes; NULL when name_size is 0 */
    size_t name_size;
    int rank;
    int32_t dims[FM_TFL_RANK_MAX];
    size_t elements;     /* product of dims */
    int type;            /* TensorType */
    const uint8_t *data; /* constant, little-endian; NULL: computed at run time */
    size_t data_size;
} fm_tfl_tensor;

/* The options of all known operators in one struct; those an operator does not have keep the schema's default. */
typedef struct fm_tfl_options {
    int padding;    /* fm_tfl_padding */
    int activation; /* fm_tfl_activation */
    int32_t stride_w, stride_h;
    int32_t dilation_w, dilation_h;
    int32_t filter_w, filter_h; /* pooling */
    int32_t axis;               /* concatenation; negative counts from the end */
    uint32_t begin_mask, end_mask; /* strided slice: bit set of the axes whose limit counts as left out */
    uint32_t shrink_mask;          /* strided slice: bit set of the axes of which one element stays and which go */
    bool adds_axes;                /* strided slice: has masks that add axes, or relative ends */
    bool keep_dims;                /* reductions: the axes stay, with length 1 */
} fm_tfl_options;

typedef struct fm_tfl_operator {
    int code;              /* BuiltinOperator */
    fm_fb_vector custom;   /* name of a CUSTOM operator */
    fm_fb_vector custom_options; /* its own bytes, read with fm_fb_bytes */
    int32_t version;       /* of the operator, 1 or higher */
    fm_fb_vector inputs;   /* read with fm_tfl_input */
    fm_fb_vector outputs;  /* read with fm_tfl_output */
    fm_tfl_options options;
} fm_tfl_operator;

typedef struct fm_tfl_model {
    fm_fb reader;
    fm_tfl_tensor *tensors;
    uint32_t tensor_count;
    fm_tfl_operator *operators;
    uint32_t operator_count;
    fm_fb_vector inputs, outputs; /* tensors, read with fm_fb_vector_i32 */
} fm_tfl_model;

/* FM_E_MODEL says what is wrong with the file; `name` stands in the message. *model needs fm_tfl_close on success only. */
fm_status fm_tfl_open(fm_tfl_model *model, const uint8_t *data, size_t size, const char *name,
                      fm_error *err);
void fm_tfl_close(fm_tfl_model *model);

/* Tensor index of an argument, -1 when the operator leaves it out or has fewer. */
int32_t fm_tfl_input(fm_tfl_model *model, const fm_tfl_operator *op, uint32_t index);
int32_t fm_tfl_output(fm_tfl_model *model, const fm_tfl_operator *op, uint32_t index);

/* Bytes of one element, 0 for types that are not read here. */
size_t fm_tfl_type_size(int type);
/* Schema name of a builtin operator such as "CONV_2D"; NULL when the number is newer than this table. */
const char *fm_tfl_operator_name(int code);

#endif
