/* MEAN and SUM over some axes. */
#include <stdio.h>

#include "models/lower.h"

/* Reads the axes into a bit set; false when they are not constant or no axes of the tensor. */
static bool read_axes(const fm_tfl_tensor *in, const fm_tfl_tensor *list, unsigned *axes)
{
    *axes = 0;
    if (list->elements > FM_TFL_RANK_MAX || !fm_lower_is_integers(list, list->elements))
        return false;
    for (size_t i = 0; i < list->elements; i++) {
        int64_t axis = fm_lower_integer_at(list, i);
        if (axis < 0)
            axis += in->rank;
        if (axis < 0 || axis >= in->rank)
            return false;
        *axes |= 1u << axis;
    }
    return true;
}

/* Whether `out` is what stays of `in`. */
static bool is_reduced(const fm_tfl_tensor *in, const fm_tfl_tensor *out, unsigned axes, bool keep_dims)
{
    int kept = 0;
    for (int i = 0; i < in->rank; i++) {
        bool gone = axes >> i & 1;
        if (gone && !keep_dims)
            continue;
        if (kept == out->rank || out->dims[kept] != (gone ? 1 : in->dims[i]))
            return false;
        kept++;
    }
    return kept == out->rank;
}

/* The form to reduce in: the one that is there, unless what stays would then be in another order than in TFLite. */
static fm_form form_for(const fm_lowering *lowering, int32_t input, unsigned axes, bool keep_dims)
{
    enum { ROWS = 1 << 1, COLUMNS = 1 << 2, CHANNELS = 1 << 3 };
    if (lowering->model->tensors[input].rank != 4)
        return FM_FORM_PLAIN;
    bool in_order = (axes & CHANNELS) || (axes & (ROWS | COLUMNS)) == (ROWS | COLUMNS);
    return keep_dims || in_order ? fm_lower_made_form(lowering, input) : FM_FORM_PLAIN;
}

/* ReduceSum takes its axes as an input, ReduceMean (before operator set 18) as an attribute. */
static void write_reduction(fm_lowering *lowering, const fm_tfl_operator *op, const char *input, const char *output,
                            const int64_t *axes, int count)
{
    fm_onnx *onnx = &lowering->onnx;
    bool sum = op->code == FM_TFL_SUM;
    char list[FM_VALUE_NAME_MAX + 8];
    snprintf(list, sizeof list, "%s~axes", output);
    if (sum)
        fm_onnx_constant_i64(onnx, list, axes, count);
    fm_onnx_node_begin(onnx, sum ? "ReduceSum" : "ReduceMean", output);
    fm_onnx_node_input(onnx, input);
    if (sum)
        fm_onnx_node_input(onnx, list);
    else
        fm_onnx_node_ints(onnx, "axes", axes, count);
    fm_onnx_node_output(onnx, output);
    fm_onnx_node_int(onnx, "keepdims", op->options.keep_dims);
    fm_onnx_node_end(onnx);
}

fm_status fm_lower_reduce(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t list = fm_tfl_input(lowering->model, op, 1);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *tensors = lowering->model->tensors;
    bool keep_dims = op->options.keep_dims;
    unsigned set = 0;
    if (list < 0 || !read_axes(&tensors[input], &tensors[list], &set) || set == 0 ||
        !is_reduced(&tensors[input], &tensors[output], set, keep_dims))
        return fm_lower_fail(lowering, op, "has axes that are not constant or do not fit its shapes");
    fm_form form = form_for(lowering, input, set, keep_dims);
    int64_t axes[FM_TFL_RANK_MAX];
    int count = 0;
    for (int i = 0; i < tensors[input].rank; i++)
        if (set >> i & 1)
            axes[count++] = fm_lower_axis(form, i);
    fm_value_name value, result;
    fm_status status = fm_lower_need(lowering, input, form, value);
    if (status != FM_OK)
        return status;
    fm_form made = keep_dims ? form : FM_FORM_PLAIN;
    fm_lower_result_name(lowering, op, output, made, result);
    write_reduction(lowering, op, value, result, axes, count);
    lowering->values[output].non_negative = lowering->values[input].non_negative;
    return fm_lower_result(lowering, op, output, made);
}
