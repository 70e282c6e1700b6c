#include "models/lower.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * To support another operator: its number in tflite.h, its options in tflite.c, a function in
 * lower_*.c, a line here.
 */
static const struct {
    int code;
    fm_lower_operator *lower;
} operators[] = {
    {FM_TFL_ADD, fm_lower_elementwise},
    {FM_TFL_CONCATENATION, fm_lower_concatenation},
    {FM_TFL_CONV_2D, fm_lower_conv},
    {FM_TFL_DEPTHWISE_CONV_2D, fm_lower_conv},
    {FM_TFL_DEQUANTIZE, fm_lower_dequantize},
    {FM_TFL_DIV, fm_lower_elementwise},
    {FM_TFL_LOGISTIC, fm_lower_unary},
    {FM_TFL_MAX_POOL_2D, fm_lower_max_pool},
    {FM_TFL_MEAN, fm_lower_reduce},
    {FM_TFL_MUL, fm_lower_elementwise},
    {FM_TFL_NEG, fm_lower_unary},
    {FM_TFL_PAD, fm_lower_pad},
    {FM_TFL_PRELU, fm_lower_prelu},
    {FM_TFL_RELU, fm_lower_unary},
    {FM_TFL_RELU6, fm_lower_unary},
    {FM_TFL_RELU_N1_TO_1, fm_lower_unary},
    {FM_TFL_RESHAPE, fm_lower_reshape},
    {FM_TFL_RSQRT, fm_lower_unary},
    {FM_TFL_SQRT, fm_lower_unary},
    {FM_TFL_SQUARED_DIFFERENCE, fm_lower_elementwise},
    {FM_TFL_STRIDED_SLICE, fm_lower_strided_slice},
    {FM_TFL_SUB, fm_lower_elementwise},
    {FM_TFL_SUM, fm_lower_reduce},
    {FM_TFL_TRANSPOSE, fm_lower_transpose},
};

/* Custom operators, by name; each version is another operator under the same name. */
static const struct {
    const char *name;
    int32_t version;
    fm_lower_operator *lower;
} custom_operators[] = {
    {"Landmarks2TransformMatrix", 2, fm_lower_landmarks_to_matrix},
    {"TransformLandmarks", 2, fm_lower_transform_landmarks},
    {"TransformTensorBilinear", 2, fm_lower_transform_tensor},
};

/* "CONV_2D", or "CUSTOM 'name'" with what is printable of the name, or "number 300". */
static void describe_operator(const fm_lowering *lowering, const fm_tfl_operator *op, char *out,
                              size_t size)
{
    const char *name = fm_tfl_operator_name(op->code);
    if (op->code != FM_TFL_CUSTOM) {
        if (name)
            snprintf(out, size, "%s", name);
        else
            snprintf(out, size, "number %d", op->code);
        return;
    }
    char custom[64];
    const uint8_t *bytes = fm_fb_bytes(&lowering->model->reader, op->custom);
    size_t count = op->custom.count < sizeof custom - 1 ? op->custom.count : sizeof custom - 1;
    for (size_t i = 0; i < count; i++)
        custom[i] = bytes[i] >= ' ' && bytes[i] < 127 ? (char)bytes[i] : '?';
    custom[count] = 0;
    snprintf(out, size, "CUSTOM '%s'", custom);
}

fm_status fm_lower_fail(fm_lowering *lowering, const fm_tfl_operator *op, const char *what)
{
    char operator[96];
    describe_operator(lowering, op, operator, sizeof operator);
    return fm_fail(lowering->err, FM_E_MODEL,
                   "'%s' cannot be imported: operator %td of %u, %s, %s; use a model without it, or "
                   "bring it as ONNX",
                   lowering->file, op - lowering->model->operators + 1,
                   lowering->model->operator_count, operator, what);
}

void fm_lower_result_name(const fm_lowering *lowering, const fm_tfl_operator *op, int32_t tensor,
                          fm_form form, fm_value_name out)
{
    fm_lower_value_name(lowering, tensor, form, out);
    if (op->options.activation != FM_TFL_ACT_NONE) {
        size_t size = strlen(out);
        snprintf(out + size, FM_VALUE_NAME_MAX - size, "~linear");
    }
}

fm_status fm_lower_result(fm_lowering *lowering, const fm_tfl_operator *op, int32_t tensor,
                          fm_form form)
{
    lowering->values[tensor].made |= 1u << form;
    if (op->options.activation == FM_TFL_ACT_NONE)
        return FM_OK;
    fm_value_name inner, outer;
    fm_lower_result_name(lowering, op, tensor, form, inner);
    fm_lower_value_name(lowering, tensor, form, outer);
    lowering->values[tensor].non_negative = op->options.activation == FM_TFL_ACT_RELU ||
                                            op->options.activation == FM_TFL_ACT_RELU6;
    return fm_lower_activation(lowering, op, op->options.activation, inner, outer);
}

/* A limit of Clip as a constant; written when it is first needed. */
static const char *clip_limit(fm_lowering *lowering, int limit)
{
    static const struct {
        int value;
        const char *name;
        uint8_t bytes[4]; /* float32, little-endian */
    } limits[] = {
        {-1, "~minus_one", {0, 0, 0x80, 0xbf}},
        {0, "~zero", {0, 0, 0, 0}},
        {1, "~one", {0, 0, 0x80, 0x3f}},
        {6, "~six", {0, 0, 0xc0, 0x40}},
    };
    size_t i = 0;
    while (limits[i].value != limit)
        i++;
    if (!(lowering->limits_made & 1u << i)) {
        uint8_t *out = fm_onnx_constant_f32(&lowering->onnx, limits[i].name, NULL, 0, 1);
        if (out)
            memcpy(out, limits[i].bytes, sizeof limits[i].bytes);
        lowering->limits_made |= 1u << i;
    }
    return limits[i].name;
}

fm_status fm_lower_activation(fm_lowering *lowering, const fm_tfl_operator *op, int activation,
                              const char *input, const char *output)
{
    const char *low = NULL, *high = NULL, *type = "Clip";
    switch (activation) {
    case FM_TFL_ACT_RELU:
        type = "Relu";
        break;
    case FM_TFL_ACT_TANH:
        type = "Tanh";
        break;
    case FM_TFL_ACT_RELU_N1_TO_1:
        low = clip_limit(lowering, -1);
        high = clip_limit(lowering, 1);
        break;
    case FM_TFL_ACT_RELU6:
        low = clip_limit(lowering, 0);
        high = clip_limit(lowering, 6);
        break;
    default:
        return fm_lower_fail(lowering, op, "has an activation that is not known here");
    }
    fm_onnx_node_begin(&lowering->onnx, type, output);
    fm_onnx_node_input(&lowering->onnx, input);
    if (low) {
        fm_onnx_node_input(&lowering->onnx, low);
        fm_onnx_node_input(&lowering->onnx, high);
    }
    fm_onnx_node_output(&lowering->onnx, output);
    fm_onnx_node_end(&lowering->onnx);
    return FM_OK;
}

/* Who reads what, for folding. */
static fm_status prepare_values(fm_lowering *lowering)
{
    fm_tfl_model *model = lowering->model;
    lowering->values = calloc(model->tensor_count ? model->tensor_count : 1,
                              sizeof *lowering->values);
    if (!lowering->values)
        return fm_fail(lowering->err, FM_E_NO_MEMORY, "out of memory importing '%s'",
                       lowering->file);
    for (uint32_t i = 0; i < model->tensor_count; i++) {
        lowering->values[i].source = -1;
        lowering->values[i].reader = -1;
    }
    for (uint32_t i = 0; i < model->operator_count; i++) {
        for (uint32_t k = 0; k < model->operators[i].inputs.count; k++) {
            int32_t tensor = fm_tfl_input(model, &model->operators[i], k);
            if (tensor < 0)
                continue;
            lowering->values[tensor].uses++;
            lowering->values[tensor].reader = (int32_t)i;
        }
    }
    for (uint32_t i = 0; i < model->outputs.count; i++)
        lowering->values[fm_fb_vector_i32(&model->reader, model->outputs, i)].uses++;
    return fm_lower_name_values(lowering);
}

static fm_form graph_form(const fm_lowering *lowering, int32_t tensor)
{
    return lowering->model->tensors[tensor].rank == 4 ? FM_FORM_NCHW : FM_FORM_PLAIN;
}

static fm_status write_inputs(fm_lowering *lowering)
{
    fm_tfl_model *model = lowering->model;
    for (uint32_t i = 0; i < model->inputs.count; i++) {
        int32_t tensor = fm_fb_vector_i32(&model->reader, model->inputs, i);
        fm_value *value = &lowering->values[tensor];
        if (model->tensors[tensor].type != FM_TFL_FLOAT32 || fm_lower_defined(lowering, tensor))
            return fm_fail(lowering->err, FM_E_MODEL,
                           "'%s' cannot be imported: its input '%s' is not a float32 tensor of its "
                           "own; use the float variant of the model",
                           lowering->file, value->name);
        fm_form form = graph_form(lowering, tensor);
        int64_t dims[FM_TFL_RANK_MAX];
        fm_lower_dims(lowering, tensor, form, dims);
        fm_onnx_input(&lowering->onnx, value->name, dims, model->tensors[tensor].rank);
        value->made = 1u << form;
    }
    return FM_OK;
}

static bool is_graph_input(fm_lowering *lowering, int32_t tensor)
{
    fm_tfl_model *model = lowering->model;
    for (uint32_t i = 0; i < model->inputs.count; i++)
        if (fm_fb_vector_i32(&model->reader, model->inputs, i) == tensor)
            return true;
    return false;
}

static fm_status write_outputs(fm_lowering *lowering)
{
    fm_tfl_model *model = lowering->model;
    for (uint32_t i = 0; i < model->outputs.count; i++) {
        int32_t tensor = fm_fb_vector_i32(&model->reader, model->outputs, i);
        fm_value *value = &lowering->values[tensor];
        bool repeated = false;
        for (uint32_t k = 0; k < i; k++)
            repeated |= fm_fb_vector_i32(&model->reader, model->outputs, k) == tensor;
        if (repeated || !value->made || fm_lower_constant(lowering, tensor) ||
            is_graph_input(lowering, tensor))
            return fm_fail(lowering->err, FM_E_MODEL,
                           "'%s' cannot be imported: its output '%s' is repeated, or no operator "
                           "computes it; get the model again",
                           lowering->file, value->name);
        fm_form form = graph_form(lowering, tensor);
        fm_value_name name;
        fm_status status = fm_lower_need(lowering, tensor, form, name);
        if (status != FM_OK)
            return status;
        int64_t dims[FM_TFL_RANK_MAX];
        fm_lower_dims(lowering, tensor, form, dims);
        fm_onnx_output(&lowering->onnx, name, dims, model->tensors[tensor].rank);
    }
    return FM_OK;
}

/* What every lowering may rely on: one new float32 output, inputs that have a value. */
static fm_status check_operator(fm_lowering *lowering, const fm_tfl_operator *op)
{
    fm_tfl_model *model = lowering->model;
    int32_t output = fm_tfl_output(model, op, 0);
    if (op->outputs.count != 1 || fm_tfl_input(model, op, 0) < 0)
        return fm_lower_fail(lowering, op, "has not one output and at least one input");
    if (model->tensors[output].type != FM_TFL_FLOAT32 || fm_lower_defined(lowering, output))
        return fm_lower_fail(lowering, op, "does not compute a new float32 tensor");
    for (uint32_t i = 0; i < op->inputs.count; i++) {
        int32_t input = fm_tfl_input(model, op, i);
        if (input >= 0 && !fm_lower_defined(lowering, input))
            return fm_lower_fail(lowering, op, "reads a tensor that has no value yet");
    }
    return FM_OK;
}

static fm_lower_operator *find_custom(const fm_lowering *lowering, const fm_tfl_operator *op)
{
    const uint8_t *name = fm_fb_bytes(&lowering->model->reader, op->custom);
    for (size_t i = 0; i < sizeof custom_operators / sizeof *custom_operators; i++) {
        size_t size = strlen(custom_operators[i].name);
        if (op->custom.count == size && memcmp(name, custom_operators[i].name, size) == 0 &&
            op->version == custom_operators[i].version)
            return custom_operators[i].lower;
    }
    return NULL;
}

static fm_lower_operator *find_operator(const fm_lowering *lowering, const fm_tfl_operator *op)
{
    if (op->code == FM_TFL_CUSTOM)
        return find_custom(lowering, op);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].code == op->code)
            return operators[i].lower;
    return NULL;
}

static fm_status lower_operator(fm_lowering *lowering, const fm_tfl_operator *op)
{
    fm_lower_operator *lower = find_operator(lowering, op);
    if (!lower)
        return fm_lower_fail(lowering, op, "is not supported");
    fm_status status = check_operator(lowering, op);
    return status == FM_OK ? lower(lowering, op) : status;
}

fm_status fm_lower_graph(fm_lowering *lowering)
{
    fm_status status = prepare_values(lowering);
    if (status == FM_OK)
        status = write_inputs(lowering);
    for (uint32_t i = 0; status == FM_OK && i < lowering->model->operator_count; i++) {
        status = lower_operator(lowering, &lowering->model->operators[i]);
        if (fm_onnx_failure(&lowering->onnx) != FM_PB_FINE)
            return status; /* no use in writing on; fm_onnx_finish reports it */
    }
    return status == FM_OK ? write_outputs(lowering) : status;
}

void fm_lower_free(fm_lowering *lowering)
{
    for (uint32_t i = 0; lowering->values && i < lowering->model->tensor_count; i++)
        free(lowering->values[i].name);
    free(lowering->values);
    lowering->values = NULL;
}
