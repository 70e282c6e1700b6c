/* Operators that move elements about: PAD, RESHAPE, TRANSPOSE, CONCATENATION, and DEQUANTIZE of constants. */
#include "models/lower.h"

#include <stdio.h>
#include <string.h>

/* float16 weights stand behind DEQUANTIZE: the constant is written as float32, the operator is gone. */
fm_status fm_lower_dequantize(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *in = &lowering->model->tensors[input];
    const fm_tfl_tensor *out = &lowering->model->tensors[output];
    if (!in->data || in->type != FM_TFL_FLOAT16)
        return fm_lower_fail(lowering, op, "does not read a float16 constant");
    if (in->rank != out->rank || memcmp(in->dims, out->dims, sizeof in->dims) != 0)
        return fm_lower_fail(lowering, op, "has shapes that do not fit together");
    lowering->values[output].source = input;
    return FM_OK;
}

/* The paddings [rank,2] of PAD in TFLite's axis order; false when they do not make the declared output. */
static bool read_paddings(const fm_tfl_tensor *in, const fm_tfl_tensor *out,
                          const fm_tfl_tensor *paddings, int64_t *before, int64_t *after)
{
    if (!fm_lower_is_integers(paddings, 2 * (size_t)in->rank) || in->rank != out->rank)
        return false;
    for (int i = 0; i < in->rank; i++) {
        before[i] = fm_lower_integer_at(paddings, 2 * (size_t)i);
        after[i] = fm_lower_integer_at(paddings, 2 * (size_t)i + 1);
        if (before[i] < 0 || after[i] < 0 || before[i] > FM_TFL_ELEMENTS_MAX ||
            after[i] > FM_TFL_ELEMENTS_MAX || in->dims[i] + before[i] + after[i] != out->dims[i])
            return false;
    }
    return true;
}

/*
 * Whether the only reader of `tensor` can take over a spatial margin: a
 * convolution pads with zeros itself; MaxPool pads with minus infinity, which
 * is the same only above values that are never negative, and only with a
 * margin smaller than its window.
 */
static bool reader_takes_margin(fm_lowering *lowering, int32_t input, int32_t tensor,
                                const fm_margin *margin)
{
    const fm_value *value = &lowering->values[tensor];
    if (value->uses != 1 || value->reader < 0)
        return false;
    const fm_tfl_operator *reader = &lowering->model->operators[value->reader];
    if (fm_tfl_input(lowering->model, reader, 0) != tensor)
        return false;
    if (reader->code == FM_TFL_CONV_2D || reader->code == FM_TFL_DEPTHWISE_CONV_2D)
        return true;
    const fm_tfl_options *o = &reader->options;
    return reader->code == FM_TFL_MAX_POOL_2D && lowering->values[input].non_negative &&
           o->padding == FM_TFL_VALID && margin->top < o->filter_h &&
           margin->bottom < o->filter_h && margin->left < o->filter_w &&
           margin->right < o->filter_w;
}

static bool is_read_by_max_pool(const fm_lowering *lowering, int32_t tensor)
{
    int32_t reader = lowering->values[tensor].reader;
    return reader >= 0 && lowering->model->operators[reader].code == FM_TFL_MAX_POOL_2D;
}

/*
 * ONNX Runtime 1.29 moves a Pad of zeros into the MaxPool behind it, though
 * there padding counts as minus infinity. A value next to zero (the smallest
 * normal float32, 2^-126) keeps it from that and rounds away everywhere else.
 */
static const char *write_value_that_is_not_fused(fm_lowering *lowering, const char *name)
{
    static const uint8_t smallest_normal[4] = {0, 0, 0x80, 0};
    uint8_t *out = fm_onnx_constant_f32(&lowering->onnx, name, NULL, 0, 1);
    if (out)
        memcpy(out, smallest_normal, sizeof smallest_normal);
    return name;
}

static fm_status write_pad(fm_lowering *lowering, const fm_tfl_operator *op, int32_t input,
                           int32_t output, const int64_t *before, const int64_t *after)
{
    int rank = lowering->model->tensors[input].rank;
    fm_form form = rank == 4 ? fm_lower_made_form(lowering, input) : FM_FORM_PLAIN;
    int64_t pads[2 * FM_TFL_RANK_MAX];
    for (int i = 0; i < rank; i++) {
        int axis = fm_lower_axis(form, i);
        pads[axis] = before[i];
        pads[rank + axis] = after[i];
    }
    fm_value_name value, result;
    char amounts[FM_VALUE_NAME_MAX + 8];
    fm_status status = fm_lower_need(lowering, input, form, value);
    if (status != FM_OK)
        return status;
    fm_lower_result_name(lowering, op, output, form, result);
    snprintf(amounts, sizeof amounts, "%s~pads", result);
    fm_onnx_constant_i64(&lowering->onnx, amounts, pads, 2 * rank);
    const char *filler = NULL;
    char filler_name[FM_VALUE_NAME_MAX + 8];
    snprintf(filler_name, sizeof filler_name, "%s~value", result);
    if (is_read_by_max_pool(lowering, output) && !lowering->values[output].non_negative)
        filler = write_value_that_is_not_fused(lowering, filler_name);
    fm_onnx_node_begin(&lowering->onnx, "Pad", result);
    fm_onnx_node_input(&lowering->onnx, value);
    fm_onnx_node_input(&lowering->onnx, amounts);
    if (filler)
        fm_onnx_node_input(&lowering->onnx, filler);
    fm_onnx_node_output(&lowering->onnx, result);
    fm_onnx_node_end(&lowering->onnx);
    return fm_lower_result(lowering, op, output, form);
}

/* PAD: zeros around. A purely spatial one goes into the window operator behind it where that is exact. */
fm_status fm_lower_pad(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t paddings = fm_tfl_input(lowering->model, op, 1);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *tensors = lowering->model->tensors;
    int64_t before[FM_TFL_RANK_MAX], after[FM_TFL_RANK_MAX];
    if (paddings < 0 ||
        !read_paddings(&tensors[input], &tensors[output], &tensors[paddings], before, after))
        return fm_lower_fail(lowering, op, "has paddings that do not fit its shapes");
    lowering->values[output].non_negative = lowering->values[input].non_negative;
    if (tensors[input].rank == 4 && before[0] + after[0] + before[3] + after[3] == 0) {
        const fm_margin margin = {before[1], before[2], after[1], after[2]};
        bool computed = lowering->values[input].made != 0 && lowering->values[input].source < 0;
        if (computed && reader_takes_margin(lowering, input, output, &margin)) {
            lowering->values[output].source = input;
            lowering->values[output].margin = margin;
            return FM_OK;
        }
    }
    return write_pad(lowering, op, input, output, before, after);
}

/* RESHAPE: the elements in TFLite's order under the dimensions that the output declares. */
fm_status fm_lower_reshape(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *in = &lowering->model->tensors[input];
    const fm_tfl_tensor *out = &lowering->model->tensors[output];
    if (in->elements != out->elements || out->rank == 0)
        return fm_lower_fail(lowering, op, "has shapes that do not fit together");

    /* Where NHWC and NCHW are the same bytes, no conversion is needed in front. */
    bool same = in->rank == 4 && (in->dims[3] == 1 || (in->dims[1] == 1 && in->dims[2] == 1));
    fm_form form = same ? fm_lower_made_form(lowering, input) : FM_FORM_PLAIN;
    int64_t dims[FM_TFL_RANK_MAX];
    fm_lower_dims(lowering, output, FM_FORM_PLAIN, dims);
    fm_value_name value, result;
    fm_status status = fm_lower_need(lowering, input, form, value);
    if (status != FM_OK)
        return status;
    fm_lower_result_name(lowering, op, output, FM_FORM_PLAIN, result);
    fm_lower_write_reshape(lowering, value, result, dims, out->rank);
    lowering->values[output].non_negative = lowering->values[input].non_negative;
    return fm_lower_result(lowering, op, output, FM_FORM_PLAIN);
}

/* Whether `list` holds every axis once and makes out's dimensions of in's. */
static bool read_order(const fm_tfl_tensor *in, const fm_tfl_tensor *out, const fm_tfl_tensor *list, int *order)
{
    unsigned seen = 0;
    if (in->rank == 0 || in->rank != out->rank || !fm_lower_is_integers(list, (size_t)in->rank))
        return false;
    for (int i = 0; i < in->rank; i++) {
        int64_t axis = fm_lower_integer_at(list, (size_t)i);
        if (axis < 0)
            axis += in->rank;
        if (axis < 0 || axis >= in->rank || seen & 1u << axis || in->dims[axis] != out->dims[i])
            return false;
        seen |= 1u << axis;
        order[i] = (int)axis;
    }
    return true;
}

/* TRANSPOSE: axes in another order. Of rank 4 one node goes from either form to NCHW. */
fm_status fm_lower_transpose(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t list = fm_tfl_input(lowering->model, op, 1);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *tensors = lowering->model->tensors;
    int order[FM_TFL_RANK_MAX];
    if (list < 0 || !read_order(&tensors[input], &tensors[output], &tensors[list], order))
        return fm_lower_fail(lowering, op, "has an order of axes that is not constant or does not fit its shapes");
    int rank = tensors[input].rank;
    fm_form from = rank == 4 ? fm_lower_made_form(lowering, input) : FM_FORM_PLAIN;
    fm_form to = rank == 4 ? FM_FORM_NCHW : FM_FORM_PLAIN;
    int64_t axes[FM_TFL_RANK_MAX];
    for (int i = 0; i < rank; i++)
        axes[fm_lower_axis(to, i)] = fm_lower_axis(from, order[i]);
    fm_value_name value, result;
    fm_status status = fm_lower_need(lowering, input, from, value);
    if (status != FM_OK)
        return status;
    fm_lower_result_name(lowering, op, output, to, result);
    fm_onnx_node_begin(&lowering->onnx, "Transpose", result);
    fm_onnx_node_input(&lowering->onnx, value);
    fm_onnx_node_output(&lowering->onnx, result);
    fm_onnx_node_ints(&lowering->onnx, "perm", axes, rank);
    fm_onnx_node_end(&lowering->onnx);
    lowering->values[output].non_negative = lowering->values[input].non_negative;
    return fm_lower_result(lowering, op, output, to);
}

/* Whether the inputs, one behind the other along `axis`, make the output; *nchw: all can be and one is NCHW. */
static bool check_pieces(fm_lowering *lowering, const fm_tfl_operator *op, int axis,
                         const fm_tfl_tensor *out, bool *nchw)
{
    int64_t length = 0;
    *nchw = false;
    for (uint32_t i = 0; i < op->inputs.count; i++) {
        int32_t input = fm_tfl_input(lowering->model, op, i);
        if (input < 0 || lowering->model->tensors[input].rank != out->rank)
            return false;
        const int32_t *dims = lowering->model->tensors[input].dims;
        for (int k = 0; k < out->rank; k++)
            if (k != axis && dims[k] != out->dims[k])
                return false;
        length += dims[axis];
        *nchw |= out->rank == 4 && lowering->values[input].made & 1u << FM_FORM_NCHW;
    }
    return length == out->dims[axis];
}

fm_status fm_lower_concatenation(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *out = &lowering->model->tensors[output];
    int axis = op->options.axis < 0 ? op->options.axis + out->rank : op->options.axis;
    bool nchw;
    if (axis < 0 || axis >= out->rank || !check_pieces(lowering, op, axis, out, &nchw))
        return fm_lower_fail(lowering, op, "has shapes that do not fit together");
    fm_form form = nchw ? FM_FORM_NCHW : FM_FORM_PLAIN;

    /* Conversions are nodes of their own: all are written before this node begins. */
    fm_value_name name;
    for (uint32_t i = 0; i < op->inputs.count; i++) {
        fm_status status =
            fm_lower_need(lowering, fm_tfl_input(lowering->model, op, i), form, name);
        if (status != FM_OK)
            return status;
    }
    fm_value_name result;
    fm_lower_result_name(lowering, op, output, form, result);
    fm_onnx_node_begin(&lowering->onnx, "Concat", result);
    for (uint32_t i = 0; i < op->inputs.count; i++) {
        fm_status status =
            fm_lower_need(lowering, fm_tfl_input(lowering->model, op, i), form, name);
        if (status != FM_OK)
            return status;
        fm_onnx_node_input(&lowering->onnx, name);
    }
    fm_onnx_node_output(&lowering->onnx, result);
    fm_onnx_node_int(&lowering->onnx, "axis", fm_lower_axis(form, axis));
    fm_onnx_node_end(&lowering->onnx);
    return fm_lower_result(lowering, op, output, form);
}
