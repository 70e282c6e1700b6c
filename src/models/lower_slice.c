/* STRIDED_SLICE. */
#include <stdio.h>

#include "models/lower.h"

/* Limits of a slice in TFLite's axis order. */
typedef struct limits {
    int64_t begin[FM_TFL_RANK_MAX], end[FM_TFL_RANK_MAX], step[FM_TFL_RANK_MAX];
} limits;

/* A limit counted from the end when negative, within 0..dim. */
static int64_t resolve_limit(int64_t limit, int32_t dim)
{
    if (limit < 0)
        limit = limit < -dim ? 0 : limit + dim;
    return limit > dim ? dim : limit;
}

/* One axis; an axis that is dropped gives its element at `begin`, whatever `end` says. False when that is nothing. */
static bool resolve_axis(const fm_tfl_options *options, int axis, int32_t dim, limits *l)
{
    int64_t *begin = &l->begin[axis], *end = &l->end[axis];
    bool drops = options->shrink_mask >> axis & 1, from_start = options->begin_mask >> axis & 1;
    bool to_end = options->end_mask >> axis & 1;
    if (drops && (from_start || *begin < -dim || *begin >= dim || l->step[axis] != 1))
        return false;
    *begin = from_start ? 0 : resolve_limit(*begin, dim);
    *end = drops ? *begin + 1 : to_end ? dim : resolve_limit(*end, dim);
    return l->step[axis] >= 1 && l->step[axis] <= INT32_MAX && *begin < *end;
}

/* False when the limits are not constant, go backwards or do not make the declared output. */
static bool read_limits(fm_lowering *lowering, const fm_tfl_operator *op, const fm_tfl_tensor *in,
                        const fm_tfl_tensor *out, limits *l)
{
    int64_t *const lists[3] = {l->begin, l->end, l->step};
    if (in->rank == 0 || op->options.adds_axes || op->options.shrink_mask >> in->rank)
        return false;
    for (uint32_t k = 0; k < 3; k++) {
        int32_t tensor = fm_tfl_input(lowering->model, op, k + 1);
        if (tensor < 0 || !fm_lower_is_integers(&lowering->model->tensors[tensor], (size_t)in->rank))
            return false;
        for (int i = 0; i < in->rank; i++)
            lists[k][i] = fm_lower_integer_at(&lowering->model->tensors[tensor], (size_t)i);
    }
    int kept = 0;
    for (int i = 0; i < in->rank; i++) {
        if (!resolve_axis(&op->options, i, in->dims[i], l))
            return false;
        if (op->options.shrink_mask >> i & 1)
            continue;
        if (kept == out->rank || (l->end[i] - l->begin[i] + l->step[i] - 1) / l->step[i] != out->dims[kept])
            return false;
        kept++;
    }
    return kept == out->rank;
}

static void write_slice(fm_lowering *lowering, const char *input, const char *output, fm_form form, const limits *l,
                        int rank)
{
    int64_t axes[FM_TFL_RANK_MAX];
    for (int i = 0; i < rank; i++)
        axes[i] = fm_lower_axis(form, i);
    const int64_t *const values[4] = {l->begin, l->end, axes, l->step};
    static const char *const words[4] = {"begin", "end", "axes", "step"};
    char names[4][FM_VALUE_NAME_MAX + 16];
    for (int i = 0; i < 4; i++) {
        snprintf(names[i], sizeof names[i], "%s~%s", output, words[i]);
        fm_onnx_constant_i64(&lowering->onnx, names[i], values[i], rank);
    }
    fm_onnx_node_begin(&lowering->onnx, "Slice", output);
    fm_onnx_node_input(&lowering->onnx, input);
    for (int i = 0; i < 4; i++)
        fm_onnx_node_input(&lowering->onnx, names[i]);
    fm_onnx_node_output(&lowering->onnx, output);
    fm_onnx_node_end(&lowering->onnx);
}

/* Every axis from begin to end in constant, positive steps; of an axis that is dropped one element stays. */
fm_status fm_lower_strided_slice(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *in = &lowering->model->tensors[input];
    const fm_tfl_tensor *out = &lowering->model->tensors[output];
    limits l;
    if (!read_limits(lowering, op, in, out, &l))
        return fm_lower_fail(lowering, op, "has limits that are not constant and ascending within its shape");
    bool drops = op->options.shrink_mask != 0;
    fm_form form = in->rank == 4 && !drops ? fm_lower_made_form(lowering, input) : FM_FORM_PLAIN;
    fm_value_name value, result;
    fm_status status = fm_lower_need(lowering, input, form, value);
    if (status != FM_OK)
        return status;
    fm_lower_result_name(lowering, op, output, form, result);
    if (drops) {
        int64_t dims[FM_TFL_RANK_MAX];
        char cut[FM_VALUE_NAME_MAX + 8];
        snprintf(cut, sizeof cut, "%s~cut", result);
        fm_lower_dims(lowering, output, form, dims);
        write_slice(lowering, value, cut, form, &l, in->rank);
        fm_lower_write_reshape(lowering, cut, result, dims, out->rank);
    } else {
        write_slice(lowering, value, result, form, &l, in->rank);
    }
    lowering->values[output].non_negative = lowering->values[input].non_negative;
    return fm_lower_result(lowering, op, output, form);
}
