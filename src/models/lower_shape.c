/* Operators that move elements about: PAD, RESHAPE, STRIDED_SLICE, CONCATENATION, and DEQUANTIZE of constants. */
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

/* Reads an integer constant element. */
static int64_t integer_at(const fm_tfl_tensor *tensor, size_t index)
{
    if (tensor->type == FM_TFL_INT32)
        return (int32_t)fm_le32(tensor->data + 4 * index);
    uint64_t low = fm_le32(tensor->data + 8 * index);
    uint64_t high = fm_le32(tensor->data + 8 * index + 4);
    return (int64_t)(high << 32 | low);
}

/* The paddings [rank,2] of PAD in TFLite's axis order; false when they do not make the declared output. */
static bool read_paddings(const fm_tfl_tensor *in, const fm_tfl_tensor *out,
                          const fm_tfl_tensor *paddings, int64_t *before, int64_t *after)
{
    if (!paddings->data || (paddings->type != FM_TFL_INT32 && paddings->type != FM_TFL_INT64) ||
        paddings->elements != 2 * (size_t)in->rank || in->rank != out->rank)
        return false;
    for (int i = 0; i < in->rank; i++) {
        before[i] = integer_at(paddings, 2 * (size_t)i);
        after[i] = integer_at(paddings, 2 * (size_t)i + 1);
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
        int axis = form == FM_FORM_NCHW ? fm_lower_nchw_axis(i) : i;
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
    char shape[FM_VALUE_NAME_MAX + 8];
    fm_status status = fm_lower_need(lowering, input, form, value);
    if (status != FM_OK)
        return status;
    fm_lower_result_name(lowering, op, output, FM_FORM_PLAIN, result);
    snprintf(shape, sizeof shape, "%s~shape", result);
    fm_onnx_constant_i64(&lowering->onnx, shape, dims, out->rank);
    fm_onnx_node_begin(&lowering->onnx, "Reshape", result);
    fm_onnx_node_input(&lowering->onnx, value);
    fm_onnx_node_input(&lowering->onnx, shape);
    fm_onnx_node_output(&lowering->onnx, result);
    fm_onnx_node_end(&lowering->onnx);
    lowering->values[output].non_negative = lowering->values[input].non_negative;
    return fm_lower_result(lowering, op, output, FM_FORM_PLAIN);
}

/* Limits of a slice in TFLite's axis order. */
typedef struct limits {
    int64_t begin[FM_TFL_RANK_MAX], end[FM_TFL_RANK_MAX], step[FM_TFL_RANK_MAX];
} limits;

static bool is_integer_list(const fm_tfl_tensor *tensor, int count)
{
    return tensor->data && (tensor->type == FM_TFL_INT32 || tensor->type == FM_TFL_INT64) &&
           tensor->elements == (size_t)count;
}

/* A limit counted from the end when negative, within 0..dim. */
static int64_t resolve_limit(int64_t limit, int32_t dim)
{
    if (limit < 0)
        limit = limit < -dim ? 0 : limit + dim;
    return limit > dim ? dim : limit;
}

/* False when the limits are not constant, go backwards or do not make the declared output. */
static bool read_limits(fm_lowering *lowering, const fm_tfl_operator *op, const fm_tfl_tensor *in,
                        const fm_tfl_tensor *out, limits *l)
{
    const fm_tfl_tensor *list[3];
    if (op->options.reshapes || in->rank != out->rank)
        return false;
    for (uint32_t i = 0; i < 3; i++) {
        int32_t tensor = fm_tfl_input(lowering->model, op, i + 1);
        if (tensor < 0 || !is_integer_list(&lowering->model->tensors[tensor], in->rank))
            return false;
        list[i] = &lowering->model->tensors[tensor];
    }
    for (int i = 0; i < in->rank; i++) {
        int32_t dim = in->dims[i];
        bool from_start = op->options.begin_mask >> i & 1, to_end = op->options.end_mask >> i & 1;
        l->begin[i] = from_start ? 0 : resolve_limit(integer_at(list[0], (size_t)i), dim);
        l->end[i] = to_end ? dim : resolve_limit(integer_at(list[1], (size_t)i), dim);
        l->step[i] = integer_at(list[2], (size_t)i);
        if (l->step[i] < 1 || l->step[i] > INT32_MAX || l->begin[i] >= l->end[i] ||
            (l->end[i] - l->begin[i] + l->step[i] - 1) / l->step[i] != out->dims[i])
            return false;
    }
    return true;
}

/* STRIDED_SLICE: every axis from begin to end in constant, positive steps; no axis is added or dropped. */
fm_status fm_lower_strided_slice(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *in = &lowering->model->tensors[input];
    const fm_tfl_tensor *out = &lowering->model->tensors[output];
    limits l;
    if (in->rank == 0 || !read_limits(lowering, op, in, out, &l))
        return fm_lower_fail(lowering, op, "has limits that are not constant and ascending within its shape");
    fm_form form = in->rank == 4 ? fm_lower_made_form(lowering, input) : FM_FORM_PLAIN;
    int64_t axes[FM_TFL_RANK_MAX];
    for (int i = 0; i < in->rank; i++)
        axes[i] = form == FM_FORM_NCHW ? fm_lower_nchw_axis(i) : i;
    const int64_t *const values[4] = {l.begin, l.end, axes, l.step};
    static const char *const words[4] = {"begin", "end", "axes", "step"};
    char names[4][FM_VALUE_NAME_MAX + 8];
    fm_value_name value, result;
    fm_status status = fm_lower_need(lowering, input, form, value);
    if (status != FM_OK)
        return status;
    fm_lower_result_name(lowering, op, output, form, result);
    for (int i = 0; i < 4; i++) {
        snprintf(names[i], sizeof names[i], "%s~%s", result, words[i]);
        fm_onnx_constant_i64(&lowering->onnx, names[i], values[i], in->rank);
    }
    fm_onnx_node_begin(&lowering->onnx, "Slice", result);
    fm_onnx_node_input(&lowering->onnx, value);
    for (int i = 0; i < 4; i++)
        fm_onnx_node_input(&lowering->onnx, names[i]);
    fm_onnx_node_output(&lowering->onnx, result);
    fm_onnx_node_end(&lowering->onnx);
    lowering->values[output].non_negative = lowering->values[input].non_negative;
    return fm_lower_result(lowering, op, output, form);
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
    fm_onnx_node_int(&lowering->onnx, "axis", nchw ? fm_lower_nchw_axis(axis) : axis);
    fm_onnx_node_end(&lowering->onnx);
    return fm_lower_result(lowering, op, output, form);
}
