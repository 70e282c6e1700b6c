/*
 * Lowering: TFLite operators become ONNX nodes.
 *
 * TFLite computes in NHWC, ONNX in NCHW. A tensor of rank 4 that an operator
 * makes is a value in FM_FORM_NCHW; the other form is made only where an
 * operator really needs the memory order of TFLite (RESHAPE), and where both
 * orders are the same bytes a Reshape does it instead of a Transpose.
 * Constants are written in the form that their reader wants, when it is first
 * asked for, so none is left over.
 *
 * This header is for the lower*.c files and import.c only.
 * Thread-safety: Unsafe (one thread at a time).
 */
#ifndef FM_MODELS_LOWER_H
#define FM_MODELS_LOWER_H

#include "facemirror/error.h"
#include "models/onnx_graph.h"
#include "models/tflite.h"

typedef enum fm_form {
    FM_FORM_PLAIN = 0, /* dimensions and order of TFLite */
    FM_FORM_NCHW,      /* rank 4 NHWC as NCHW; constants: [..,H,W,C] as [..,C,H,W], at least rank 3 */
    FM_FORM_DEPTHWISE, /* constants: depthwise kernel [1,H,W,C] as [C,1,H,W] */
    FM_FORM_COUNT
} fm_form;

enum {
    FM_LOWER_NAME_MAX = 200, /* bytes that are kept of a TFLite name */
    FM_VALUE_NAME_MAX = 256  /* with index, form and terminator */
};

typedef char fm_value_name[FM_VALUE_NAME_MAX];

/* Zero padding in elements. */
typedef struct fm_margin {
    int64_t top, left, bottom, right;
} fm_margin;

/* What is known of a tensor while the graph is written; stands beside fm_tfl_tensor of the same index. */
typedef struct fm_value {
    char *name;          /* unique in the graph, printable, owned */
    uint32_t uses;       /* operator inputs and graph outputs that read it */
    int32_t reader;      /* last operator that reads it, -1: none */
    int32_t source;      /* tensor whose data it is (DEQUANTIZE, folded PAD); -1: its own */
    unsigned made;       /* bit set of the forms that are in the graph */
    fm_margin margin;    /* padding that a folded PAD leaves to the reader */
    bool non_negative;   /* no element below zero */
} fm_value;

typedef struct fm_lowering {
    fm_tfl_model *model;
    fm_onnx onnx;
    fm_value *values; /* model->tensor_count */
    unsigned limits_made; /* bit set of the Clip limits that are in the graph */
    bool blocked;         /* FM_IMPORT_BLOCKED */
    const char *file;     /* for messages */
    fm_error *err;
} fm_lowering;

/*
 * Writes the whole graph into lowering->onnx. `model`, `onnx`, `blocked`, `file`
 * and `err` are set by the caller; the rest is zero. fm_lower_free in any case.
 */
fm_status fm_lower_graph(fm_lowering *lowering);
void fm_lower_free(fm_lowering *lowering);

/* FM_E_MODEL "'file' cannot be imported: ..."; `what` is one clause. */
fm_status fm_lower_fail(fm_lowering *lowering, const fm_tfl_operator *op, const char *what);

/* --- lower_values.c: names, forms, constants --- */

fm_status fm_lower_name_values(fm_lowering *lowering);
/* The name of a tensor in a form, whether made or not. */
void fm_lower_value_name(const fm_lowering *lowering, int32_t tensor, fm_form form,
                         fm_value_name out);
/* Whether it has a value by now: constant, graph input or computed. */
bool fm_lower_defined(const fm_lowering *lowering, int32_t tensor);
/* The float constant behind a tensor (float32 or float16, maybe through DEQUANTIZE); NULL: computed at run time. */
const fm_tfl_tensor *fm_lower_constant(const fm_lowering *lowering, int32_t tensor);
/* Element of a float constant, in TFLite's order. */
float fm_lower_constant_at(const fm_tfl_tensor *constant, size_t index);
/* A constant list of `count` integers (int32 or int64). */
bool fm_lower_is_integers(const fm_tfl_tensor *tensor, size_t count);
int64_t fm_lower_integer_at(const fm_tfl_tensor *integers, size_t index);
/* Makes the form exist (writes the constant, or a conversion) and gives its name. The tensor must be defined. */
fm_status fm_lower_need(fm_lowering *lowering, int32_t tensor, fm_form form, fm_value_name out);
/* The form that a computed tensor has already; NCHW when it has both. */
fm_form fm_lower_made_form(const fm_lowering *lowering, int32_t tensor);
/* Dimensions of a tensor in PLAIN or NCHW form (NCHW: rank 4); out has FM_TFL_RANK_MAX places. */
void fm_lower_dims(const fm_lowering *lowering, int32_t tensor, fm_form form, int64_t *out);
/* The axis of a form (PLAIN or NCHW) that holds TFLite's axis. */
int fm_lower_axis(fm_form form, int axis);
/* `output` = `input` (values of the graph) under other dimensions, in the same order. */
void fm_lower_write_reshape(fm_lowering *lowering, const char *input, const char *output, const int64_t *dims,
                            int rank);

/* --- lower.c: results --- */

/*
 * Where a node writes the result of `op` into `tensor`: its value, or an inner
 * one when an activation follows. fm_lower_result then marks the tensor made
 * and writes that activation.
 */
void fm_lower_result_name(const fm_lowering *lowering, const fm_tfl_operator *op, int32_t tensor,
                          fm_form form, fm_value_name out);
fm_status fm_lower_result(fm_lowering *lowering, const fm_tfl_operator *op, int32_t tensor,
                          fm_form form);
/* The activation as a node of its own. */
fm_status fm_lower_activation(fm_lowering *lowering, const fm_tfl_operator *op, int activation,
                              const char *input, const char *output);

/* --- lower_*.c: one function an operator; input 0 and output 0 are checked to be there, float32 and of a known value --- */

typedef fm_status fm_lower_operator(fm_lowering *lowering, const fm_tfl_operator *op);
fm_lower_operator fm_lower_conv;
fm_lower_operator fm_lower_max_pool;
fm_lower_operator fm_lower_elementwise;
fm_lower_operator fm_lower_prelu;
fm_lower_operator fm_lower_unary;
fm_lower_operator fm_lower_pad;
fm_lower_operator fm_lower_reshape;
fm_lower_operator fm_lower_concatenation;
fm_lower_operator fm_lower_dequantize;
fm_lower_operator fm_lower_strided_slice;
fm_lower_operator fm_lower_transpose;
fm_lower_operator fm_lower_reduce;
/* lower_custom.c: MediaPipe's own operators */
fm_lower_operator fm_lower_landmarks_to_matrix;
fm_lower_operator fm_lower_transform_tensor;
fm_lower_operator fm_lower_transform_landmarks;

#endif
