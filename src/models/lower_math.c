/* Operators that work on each element: arithmetic, activations, functions. */
#include "models/lower.h"

#include <stdio.h>
#include <string.h>

/* Whether `from` broadcasts to `to`: equal or 1 in each dimension, counted from the last. */
static bool broadcasts(const fm_tfl_tensor *from, const fm_tfl_tensor *to)
{
    if (from->rank > to->rank)
        return false;
    for (int i = 1; i <= from->rank; i++) {
        int32_t dim = from->dims[from->rank - i];
        if (dim != 1 && dim != to->dims[to->rank - i])
            return false;
    }
    return true;
}

/* Whether `out` is what `a` and `b` broadcast to. */
static bool is_broadcast_of(const fm_tfl_tensor *out, const fm_tfl_tensor *a,
                            const fm_tfl_tensor *b)
{
    if (!broadcasts(a, out) || !broadcasts(b, out) ||
        out->rank != (a->rank > b->rank ? a->rank : b->rank))
        return false;
    for (int i = 1; i <= out->rank; i++) {
        int32_t left = i <= a->rank ? a->dims[a->rank - i] : 1;
        int32_t right = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (out->dims[out->rank - i] != (left > right ? left : right))
            return false;
    }
    return true;
}

static bool same_shape(const fm_tfl_tensor *a, const fm_tfl_tensor *b)
{
    return a->rank == b->rank && broadcasts(a, b) && a->elements == b->elements;
}

/* NCHW when every computed operand is a picture and one is NCHW already; else the order of TFLite. */
static fm_form common_form(const fm_lowering *lowering, const int32_t *operands, int count)
{
    bool nchw = false;
    for (int i = 0; i < count; i++) {
        if (fm_lower_constant(lowering, operands[i]))
            continue;
        if (lowering->model->tensors[operands[i]].rank != 4)
            return FM_FORM_PLAIN;
        nchw |= fm_lower_made_form(lowering, operands[i]) == FM_FORM_NCHW;
    }
    return nchw ? FM_FORM_NCHW : FM_FORM_PLAIN;
}

/* SQUARED_DIFFERENCE has no ONNX operator of its own. */
static void write_elementwise(fm_lowering *lowering, int code, const char *left, const char *right,
                              const char *result)
{
    char difference[FM_VALUE_NAME_MAX + 16];
    switch (code) {
    case FM_TFL_ADD:
        fm_onnx_node(&lowering->onnx, "Add", result, left, right);
        break;
    case FM_TFL_SUB:
        fm_onnx_node(&lowering->onnx, "Sub", result, left, right);
        break;
    case FM_TFL_MUL:
        fm_onnx_node(&lowering->onnx, "Mul", result, left, right);
        break;
    case FM_TFL_DIV:
        fm_onnx_node(&lowering->onnx, "Div", result, left, right);
        break;
    default: /* FM_TFL_SQUARED_DIFFERENCE */
        snprintf(difference, sizeof difference, "%s~difference", result);
        fm_onnx_node(&lowering->onnx, "Sub", difference, left, right);
        fm_onnx_node(&lowering->onnx, "Mul", result, difference, difference);
        break;
    }
}

/* ADD, SUB, MUL, DIV, SQUARED_DIFFERENCE: two operands, broadcast as in NumPy. */
fm_status fm_lower_elementwise(fm_lowering *lowering, const fm_tfl_operator *op)
{
    const int32_t operands[2] = {fm_tfl_input(lowering->model, op, 0),
                                 fm_tfl_input(lowering->model, op, 1)};
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *tensors = lowering->model->tensors;
    if (operands[1] < 0)
        return fm_lower_fail(lowering, op, "lacks its second operand");
    const fm_tfl_tensor *a = &tensors[operands[0]], *b = &tensors[operands[1]];
    const fm_tfl_tensor *out = &tensors[output];
    if (!is_broadcast_of(out, a, b))
        return fm_lower_fail(lowering, op, "has shapes that do not fit together");

    fm_form form = common_form(lowering, operands, 2);
    if (out->rank > 4)
        form = FM_FORM_PLAIN;
    fm_value_name left, right, result;
    fm_status status = fm_lower_need(lowering, operands[0], form, left);
    if (status == FM_OK)
        status = fm_lower_need(lowering, operands[1], form, right);
    if (status != FM_OK)
        return status;
    fm_lower_result_name(lowering, op, output, form, result);
    write_elementwise(lowering, op->code, left, right, result);
    return fm_lower_result(lowering, op, output, form);
}

enum { DERIVED_NAME_MAX = FM_VALUE_NAME_MAX + 16 };

/* `result` = `input` with each channel multiplied: a depthwise 1x1 convolution. factor = offset + sign * slope. */
static void write_channel_scale(fm_lowering *lowering, const char *input, const char *result,
                                const fm_tfl_tensor *slope, float offset, float sign)
{
    const int64_t channels = (int64_t)slope->elements;
    const int64_t dims[4] = {channels, 1, 1, 1}, window[2] = {1, 1};
    char factors[DERIVED_NAME_MAX + 8];
    snprintf(factors, sizeof factors, "%s~scale", result);
    uint8_t *out =
        fm_onnx_constant_f32(&lowering->onnx, factors, dims, 4, slope->elements);
    for (size_t i = 0; out && i < slope->elements; i++) {
        float factor = offset + sign * fm_lower_constant_at(slope, i);
        uint32_t bits;
        memcpy(&bits, &factor, sizeof bits);
        for (int byte = 0; byte < 4; byte++)
            *out++ = (uint8_t)(bits >> (8 * byte));
    }
    fm_onnx_node_begin(&lowering->onnx, "Conv", result);
    fm_onnx_node_input(&lowering->onnx, input);
    fm_onnx_node_input(&lowering->onnx, factors);
    fm_onnx_node_output(&lowering->onnx, result);
    fm_onnx_node_ints(&lowering->onnx, "kernel_shape", window, 2);
    fm_onnx_node_int(&lowering->onnx, "group", channels);
    fm_onnx_node_end(&lowering->onnx);
}

/*
 * PRELU(x) = slope x + (1 - slope) relu(x). Where no slope is above 1 the
 * factor may go inside, relu((1 - slope) x), and the runtime fuses that Relu
 * and the sum into the two convolutions.
 */
static void write_blocked_prelu(fm_lowering *lowering, const char *input, const char *result,
                                const fm_tfl_tensor *slope)
{
    bool inside = true;
    for (size_t i = 0; i < slope->elements; i++)
        inside &= fm_lower_constant_at(slope, i) <= 1;
    char rest[DERIVED_NAME_MAX], positive[DERIVED_NAME_MAX], scaled[DERIVED_NAME_MAX];
    snprintf(rest, sizeof rest, "%s~rest", result);
    snprintf(positive, sizeof positive, "%s~positive", result);
    snprintf(scaled, sizeof scaled, "%s~scaled", result);
    if (inside) {
        write_channel_scale(lowering, input, rest, slope, 1, -1);
        fm_onnx_node(&lowering->onnx, "Relu", positive, rest, NULL);
    } else {
        fm_onnx_node(&lowering->onnx, "Relu", rest, input, NULL);
        write_channel_scale(lowering, rest, positive, slope, 1, -1);
    }
    write_channel_scale(lowering, input, scaled, slope, 0, 1);
    fm_onnx_node(&lowering->onnx, "Add", result, scaled, positive);
}

/* PRELU: a constant slope [1,1,C] (or one that broadcasts) for what is below zero. */
fm_status fm_lower_prelu(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t slope = fm_tfl_input(lowering->model, op, 1);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *tensors = lowering->model->tensors;
    if (slope < 0 || !fm_lower_constant(lowering, slope))
        return fm_lower_fail(lowering, op, "has no constant float slope");
    if (!same_shape(&tensors[input], &tensors[output]) ||
        !broadcasts(&tensors[slope], &tensors[input]))
        return fm_lower_fail(lowering, op, "has shapes that do not fit together");

    fm_form form = common_form(lowering, &input, 1);
    fm_value_name value, factor, result;
    fm_status status = fm_lower_need(lowering, input, form, value);
    if (status != FM_OK)
        return status;
    fm_lower_result_name(lowering, op, output, form, result);
    const fm_tfl_tensor *slopes = fm_lower_constant(lowering, slope);
    bool by_channel = form == FM_FORM_NCHW && slopes->rank > 0 &&
                      slopes->elements == (size_t)tensors[input].dims[3] &&
                      slopes->dims[slopes->rank - 1] == tensors[input].dims[3];
    if (lowering->blocked && by_channel) {
        write_blocked_prelu(lowering, value, result, slopes);
        return fm_lower_result(lowering, op, output, form);
    }
    status = fm_lower_need(lowering, slope, form, factor);
    if (status != FM_OK)
        return status;
    fm_onnx_node(&lowering->onnx, "PRelu", result, value, factor);
    return fm_lower_result(lowering, op, output, form);
}

/* RELU, RELU6, RELU_N1_TO_1 (the fused activations as operators of their own), LOGISTIC, NEG, SQRT, RSQRT. */
static fm_status write_unary(fm_lowering *lowering, const fm_tfl_operator *op, const char *value, const char *result)
{
    char root[FM_VALUE_NAME_MAX + 8];
    switch (op->code) {
    case FM_TFL_RELU:
        return fm_lower_activation(lowering, op, FM_TFL_ACT_RELU, value, result);
    case FM_TFL_RELU6:
        return fm_lower_activation(lowering, op, FM_TFL_ACT_RELU6, value, result);
    case FM_TFL_RELU_N1_TO_1:
        return fm_lower_activation(lowering, op, FM_TFL_ACT_RELU_N1_TO_1, value, result);
    case FM_TFL_LOGISTIC:
        fm_onnx_node(&lowering->onnx, "Sigmoid", result, value, NULL);
        break;
    case FM_TFL_NEG:
        fm_onnx_node(&lowering->onnx, "Neg", result, value, NULL);
        break;
    case FM_TFL_SQRT:
        fm_onnx_node(&lowering->onnx, "Sqrt", result, value, NULL);
        break;
    default: /* FM_TFL_RSQRT */
        snprintf(root, sizeof root, "%s~root", result);
        fm_onnx_node(&lowering->onnx, "Sqrt", root, value, NULL);
        fm_onnx_node(&lowering->onnx, "Reciprocal", result, root, NULL);
        break;
    }
    return FM_OK;
}

fm_status fm_lower_unary(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    if (!same_shape(&lowering->model->tensors[input], &lowering->model->tensors[output]))
        return fm_lower_fail(lowering, op, "has shapes that do not fit together");
    fm_form form = common_form(lowering, &input, 1);
    fm_value_name value, result;
    fm_status status = fm_lower_need(lowering, input, form, value);
    if (status != FM_OK)
        return status;
    fm_lower_value_name(lowering, output, form, result);
    lowering->values[output].made |= 1u << form;
    lowering->values[output].non_negative = op->code != FM_TFL_RELU_N1_TO_1 && op->code != FM_TFL_NEG;
    return write_unary(lowering, op, value, result);
}
