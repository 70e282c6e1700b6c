/* Windows that slide over the picture: convolutions and pooling. */
#include "models/lower.h"

/* One direction of a sliding window, in elements. */
typedef struct span {
    int64_t size;             /* of the input, without padding */
    int64_t window;           /* of the kernel */
    int64_t stride, dilation;
    int64_t before, after;    /* padding: the input's own margin, later the whole */
    int64_t result;           /* of the output, as the file declares it */
} span;

/*
 * Adds the padding of the TFLite scheme to the span's own and checks the
 * declared result. SAME: ceil(size / stride) results, the odd element goes
 * behind (tensorflow/lite/kernels/padding.h). VALID: whole windows only.
 */
static bool resolve_padding(span *s, int padding)
{
    if (s->stride < 1 || s->dilation < 1 || s->window < 1 || s->stride > INT32_MAX ||
        s->window > (INT32_MAX - 1) / s->dilation)
        return false;
    int64_t reach = (s->window - 1) * s->dilation + 1;
    int64_t size = s->size + s->before + s->after;
    if (padding == FM_TFL_VALID)
        return size >= reach && s->result == (size - reach) / s->stride + 1;
    if (padding != FM_TFL_SAME || s->result != (size + s->stride - 1) / s->stride)
        return false;
    int64_t total = (s->result - 1) * s->stride + reach - size;
    if (total > 0) {
        s->before += total / 2;
        s->after += total - total / 2;
    }
    return true;
}

typedef struct window {
    span h, w;
} window;

/* The spans of an operator from its input, output and options; kernel sizes are given. */
static window window_of(fm_lowering *lowering, const fm_tfl_operator *op, int32_t input,
                        int32_t output, int32_t kernel_h, int32_t kernel_w)
{
    const fm_tfl_options *options = &op->options;
    const fm_value *value = &lowering->values[input];
    /* After a folded PAD the picture is the source's, and the margin is ours. */
    const fm_tfl_tensor *picture =
        &lowering->model->tensors[value->source >= 0 ? value->source : input];
    const fm_tfl_tensor *result = &lowering->model->tensors[output];
    return (window){
        .h = {.size = picture->dims[1], .window = kernel_h, .stride = options->stride_h,
              .dilation = options->dilation_h, .before = value->margin.top,
              .after = value->margin.bottom, .result = result->dims[1]},
        .w = {.size = picture->dims[2], .window = kernel_w, .stride = options->stride_w,
              .dilation = options->dilation_w, .before = value->margin.left,
              .after = value->margin.right, .result = result->dims[2]},
    };
}

static void write_window(fm_onnx *onnx, const window *w)
{
    const int64_t kernel[2] = {w->h.window, w->w.window};
    const int64_t strides[2] = {w->h.stride, w->w.stride};
    const int64_t pads[4] = {w->h.before, w->w.before, w->h.after, w->w.after};
    fm_onnx_node_ints(onnx, "kernel_shape", kernel, 2);
    fm_onnx_node_ints(onnx, "strides", strides, 2);
    fm_onnx_node_ints(onnx, "pads", pads, 4);
    if (w->h.dilation != 1 || w->w.dilation != 1) {
        const int64_t dilations[2] = {w->h.dilation, w->w.dilation};
        fm_onnx_node_ints(onnx, "dilations", dilations, 2);
    }
}

/* Groups of a convolution by its shapes, 0 when they do not fit. */
static int64_t conv_groups(const fm_tfl_tensor *input, const fm_tfl_tensor *kernel,
                           const fm_tfl_tensor *output, bool depthwise)
{
    int32_t in = input->dims[3], out = output->dims[3];
    if (depthwise)
        return kernel->dims[0] == 1 && kernel->dims[3] == out && out % in == 0 ? in : 0;
    if (kernel->dims[0] != out || in % kernel->dims[3] != 0)
        return 0;
    int32_t groups = in / kernel->dims[3];
    return out % groups == 0 ? groups : 0;
}

/* CONV_2D has a kernel [O,H,W,I], DEPTHWISE_CONV_2D [1,H,W,C]; both an optional bias [O]. */
fm_status fm_lower_conv(fm_lowering *lowering, const fm_tfl_operator *op)
{
    bool depthwise = op->code == FM_TFL_DEPTHWISE_CONV_2D;
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t kernel = fm_tfl_input(lowering->model, op, 1);
    int32_t bias = fm_tfl_input(lowering->model, op, 2);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *tensors = lowering->model->tensors;
    if (kernel < 0 || !fm_lower_constant(lowering, kernel) ||
        (bias >= 0 && !fm_lower_constant(lowering, bias)))
        return fm_lower_fail(lowering, op, "has no constant float kernel and bias");
    if (tensors[input].rank != 4 || tensors[kernel].rank != 4 || tensors[output].rank != 4 ||
        tensors[input].dims[0] != tensors[output].dims[0])
        return fm_lower_fail(lowering, op, "has tensors that are not pictures");
    int64_t groups = conv_groups(&tensors[input], &tensors[kernel], &tensors[output], depthwise);
    window w = window_of(lowering, op, input, output, tensors[kernel].dims[1],
                         tensors[kernel].dims[2]);
    if (groups == 0 ||
        (bias >= 0 && tensors[bias].elements != (size_t)tensors[output].dims[3]) ||
        (bias >= 0 && tensors[bias].rank != 1) || !resolve_padding(&w.h, op->options.padding) ||
        !resolve_padding(&w.w, op->options.padding))
        return fm_lower_fail(lowering, op, "has shapes that do not fit together");

    fm_value_name picture, weights, offsets, result;
    fm_status status = fm_lower_need(lowering, input, FM_FORM_NCHW, picture);
    if (status == FM_OK)
        status = fm_lower_need(lowering, kernel, depthwise ? FM_FORM_DEPTHWISE : FM_FORM_NCHW,
                               weights);
    if (status == FM_OK && bias >= 0)
        status = fm_lower_need(lowering, bias, FM_FORM_PLAIN, offsets);
    if (status != FM_OK)
        return status;
    fm_lower_result_name(lowering, op, output, FM_FORM_NCHW, result);
    fm_onnx_node_begin(&lowering->onnx, "Conv", result);
    fm_onnx_node_input(&lowering->onnx, picture);
    fm_onnx_node_input(&lowering->onnx, weights);
    if (bias >= 0)
        fm_onnx_node_input(&lowering->onnx, offsets);
    fm_onnx_node_output(&lowering->onnx, result);
    write_window(&lowering->onnx, &w);
    fm_onnx_node_int(&lowering->onnx, "group", groups);
    fm_onnx_node_end(&lowering->onnx);
    return fm_lower_result(lowering, op, output, FM_FORM_NCHW);
}

/* Padding of MaxPool never wins in either format, so SAME maps as it is. */
fm_status fm_lower_max_pool(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *in = &lowering->model->tensors[input];
    const fm_tfl_tensor *out = &lowering->model->tensors[output];
    if (in->rank != 4 || out->rank != 4 || in->dims[0] != out->dims[0] ||
        in->dims[3] != out->dims[3])
        return fm_lower_fail(lowering, op, "has tensors that are not pictures");
    window w = window_of(lowering, op, input, output, op->options.filter_h, op->options.filter_w);
    if (!resolve_padding(&w.h, op->options.padding) || !resolve_padding(&w.w, op->options.padding))
        return fm_lower_fail(lowering, op, "has shapes that do not fit together");

    fm_value_name picture, result;
    fm_status status = fm_lower_need(lowering, input, FM_FORM_NCHW, picture);
    if (status != FM_OK)
        return status;
    lowering->values[output].non_negative = lowering->values[input].non_negative;
    fm_lower_result_name(lowering, op, output, FM_FORM_NCHW, result);
    fm_onnx_node_begin(&lowering->onnx, "MaxPool", result);
    fm_onnx_node_input(&lowering->onnx, picture);
    fm_onnx_node_output(&lowering->onnx, result);
    write_window(&lowering->onnx, &w);
    fm_onnx_node_end(&lowering->onnx);
    return fm_lower_result(lowering, op, output, FM_FORM_NCHW);
}
