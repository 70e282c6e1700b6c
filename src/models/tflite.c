#include "models/tflite.h"

#include <stdlib.h>
#include <string.h>

/* Field numbers of the schema's tables. */
enum {
    MODEL_VERSION = 0,
    MODEL_OPERATOR_CODES = 1,
    MODEL_SUBGRAPHS = 2,
    MODEL_BUFFERS = 4,
    SUBGRAPH_TENSORS = 0,
    SUBGRAPH_INPUTS = 1,
    SUBGRAPH_OUTPUTS = 2,
    SUBGRAPH_OPERATORS = 3,
    TENSOR_SHAPE = 0,
    TENSOR_TYPE = 1,
    TENSOR_BUFFER = 2,
    TENSOR_NAME = 3,
    TENSOR_SPARSITY = 6,
    BUFFER_DATA = 0,
    CODE_DEPRECATED_BUILTIN = 0,
    CODE_CUSTOM = 1,
    CODE_VERSION = 2,
    CODE_BUILTIN = 3,
    OPERATOR_CODE_INDEX = 0,
    OPERATOR_INPUTS = 1,
    OPERATOR_OUTPUTS = 2,
    OPERATOR_OPTIONS_TYPE = 3,
    OPERATOR_OPTIONS = 4,
    OPERATOR_CUSTOM_OPTIONS = 5
};

/* BuiltinOptions of the schema. */
enum {
    OPTIONS_NONE = 0,
    OPTIONS_CONV_2D = 1,
    OPTIONS_DEPTHWISE_CONV_2D = 2,
    OPTIONS_POOL_2D = 5,
    OPTIONS_CONCATENATION = 10,
    OPTIONS_ADD = 11,
    OPTIONS_MUL = 21,
    OPTIONS_REDUCER = 27,
    OPTIONS_SUB = 28,
    OPTIONS_DIV = 29,
    OPTIONS_STRIDED_SLICE = 32
};

enum { SCHEMA_VERSION = 3 };

/* Files beyond this cannot be addressed by FlatBuffers' signed 32-bit offsets. */
static const size_t file_size_max = INT32_MAX;

size_t fm_tfl_type_size(int type)
{
    switch (type) {
    case FM_TFL_FLOAT32:
    case FM_TFL_INT32:
        return 4;
    case FM_TFL_FLOAT16:
        return 2;
    case FM_TFL_INT64:
        return 8;
    default:
        return 0;
    }
}

static fm_status fail_broken(const char *name, fm_error *err)
{
    return fm_fail(err, FM_E_MODEL,
                   "'%s' is broken: a reference leads out of the file; get the model again", name);
}

static fm_status read_shape(fm_fb *reader, fm_fb_table table, fm_tfl_tensor *tensor,
                            const char *name, uint32_t index, fm_error *err)
{
    fm_fb_vector shape = fm_fb_vector_of(reader, table, TENSOR_SHAPE, 4);
    if (shape.count > FM_TFL_RANK_MAX)
        return fm_fail(err, FM_E_MODEL,
                       "'%s' cannot be imported: tensor %u has %u dimensions, more than %d", name,
                       index, shape.count, FM_TFL_RANK_MAX);
    tensor->rank = (int)shape.count;
    tensor->elements = 1;
    for (uint32_t i = 0; i < shape.count; i++) {
        int32_t dim = fm_fb_vector_i32(reader, shape, i);
        if (dim < 1 || (size_t)dim > FM_TFL_ELEMENTS_MAX / tensor->elements)
            return fm_fail(err, FM_E_MODEL,
                           "'%s' cannot be imported: tensor %u has the dimension %d, which is "
                           "dynamic, empty or too large",
                           name, index, dim);
        tensor->dims[i] = dim;
        tensor->elements *= (size_t)dim;
    }
    return FM_OK;
}

static fm_status read_constant(fm_fb *reader, fm_fb_vector buffers, uint32_t buffer,
                               fm_tfl_tensor *tensor, const char *name, uint32_t index,
                               fm_error *err)
{
    /* Buffer 0 is empty by convention: "no constant". */
    if (buffer == 0)
        return FM_OK;
    fm_fb_vector bytes =
        fm_fb_vector_of(reader, fm_fb_vector_table(reader, buffers, buffer), BUFFER_DATA, 1);
    tensor->data = fm_fb_bytes(reader, bytes);
    tensor->data_size = bytes.count;
    size_t element = fm_tfl_type_size(tensor->type);
    if (tensor->data && element != 0 && tensor->data_size != tensor->elements * element)
        return fm_fail(err, FM_E_MODEL,
                       "'%s' is broken: constant %u has %zu bytes where its shape takes %zu; get "
                       "the model again",
                       name, index, tensor->data_size, tensor->elements * element);
    return FM_OK;
}

static fm_status read_tensor(fm_fb *reader, fm_fb_table table, fm_fb_vector buffers,
                             fm_tfl_tensor *tensor, const char *name, uint32_t index,
                             fm_error *err)
{
    fm_fb_vector label = fm_fb_vector_of(reader, table, TENSOR_NAME, 1);
    tensor->name = fm_fb_bytes(reader, label);
    tensor->name_size = label.count;
    tensor->type = fm_fb_u8(reader, table, TENSOR_TYPE, FM_TFL_FLOAT32);
    if (fm_fb_present(fm_fb_child(reader, table, TENSOR_SPARSITY)))
        return fm_fail(err, FM_E_MODEL,
                       "'%s' cannot be imported: constant %u is sparse; export the model dense",
                       name, index);
    fm_status status = read_shape(reader, table, tensor, name, index, err);
    if (status != FM_OK)
        return status;
    uint32_t buffer = (uint32_t)fm_fb_i32(reader, table, TENSOR_BUFFER, 0);
    return read_constant(reader, buffers, buffer, tensor, name, index, err);
}

static void read_conv_options(fm_fb *reader, fm_fb_table table, bool depthwise,
                              fm_tfl_options *out)
{
    /* DepthwiseConv2DOptions has depth_multiplier (field 3) in between; the shapes tell it as well. */
    int after = depthwise ? 4 : 3;
    out->padding = fm_fb_u8(reader, table, 0, FM_TFL_SAME);
    out->stride_w = fm_fb_i32(reader, table, 1, 0);
    out->stride_h = fm_fb_i32(reader, table, 2, 0);
    out->activation = fm_fb_u8(reader, table, after, FM_TFL_ACT_NONE);
    out->dilation_w = fm_fb_i32(reader, table, after + 1, 1);
    out->dilation_h = fm_fb_i32(reader, table, after + 2, 1);
}

static void read_pool_options(fm_fb *reader, fm_fb_table table, fm_tfl_options *out)
{
    out->padding = fm_fb_u8(reader, table, 0, FM_TFL_SAME);
    out->stride_w = fm_fb_i32(reader, table, 1, 0);
    out->stride_h = fm_fb_i32(reader, table, 2, 0);
    out->filter_w = fm_fb_i32(reader, table, 3, 0);
    out->filter_h = fm_fb_i32(reader, table, 4, 0);
    out->activation = fm_fb_u8(reader, table, 5, FM_TFL_ACT_NONE);
}

static void read_slice_options(fm_fb *reader, fm_fb_table table, fm_tfl_options *out)
{
    out->begin_mask = (uint32_t)fm_fb_i32(reader, table, 0, 0);
    out->end_mask = (uint32_t)fm_fb_i32(reader, table, 1, 0);
    out->shrink_mask = (uint32_t)fm_fb_i32(reader, table, 4, 0);
    /* ellipsis_mask, new_axis_mask, offset */
    out->adds_axes = fm_fb_i32(reader, table, 2, 0) || fm_fb_i32(reader, table, 3, 0) ||
                     fm_fb_u8(reader, table, 5, 0);
}

/* Which member of the options union an operator must have; OPTIONS_NONE when nothing of it is read. */
static int options_type_of(int code)
{
    switch (code) {
    case FM_TFL_CONV_2D:
        return OPTIONS_CONV_2D;
    case FM_TFL_DEPTHWISE_CONV_2D:
        return OPTIONS_DEPTHWISE_CONV_2D;
    case FM_TFL_MAX_POOL_2D:
        return OPTIONS_POOL_2D;
    case FM_TFL_CONCATENATION:
        return OPTIONS_CONCATENATION;
    case FM_TFL_ADD:
        return OPTIONS_ADD;
    case FM_TFL_MUL:
        return OPTIONS_MUL;
    case FM_TFL_SUB:
        return OPTIONS_SUB;
    case FM_TFL_DIV:
        return OPTIONS_DIV;
    case FM_TFL_MEAN:
    case FM_TFL_SUM:
        return OPTIONS_REDUCER;
    case FM_TFL_STRIDED_SLICE:
        return OPTIONS_STRIDED_SLICE;
    default:
        return OPTIONS_NONE;
    }
}

/* Whether the options are those of the operator; an operator without any has the defaults. */
static bool read_options(fm_fb *reader, fm_fb_table table, int code, fm_tfl_options *out)
{
    *out = (fm_tfl_options){.dilation_w = 1, .dilation_h = 1};
    int wanted = options_type_of(code);
    int type = fm_fb_u8(reader, table, OPERATOR_OPTIONS_TYPE, OPTIONS_NONE);
    if (wanted == OPTIONS_NONE || type == OPTIONS_NONE)
        return true;
    if (type != wanted)
        return false;
    fm_fb_table options = fm_fb_child(reader, table, OPERATOR_OPTIONS);
    switch (wanted) {
    case OPTIONS_CONV_2D:
    case OPTIONS_DEPTHWISE_CONV_2D:
        read_conv_options(reader, options, wanted == OPTIONS_DEPTHWISE_CONV_2D, out);
        break;
    case OPTIONS_POOL_2D:
        read_pool_options(reader, options, out);
        break;
    case OPTIONS_CONCATENATION:
        out->axis = fm_fb_i32(reader, options, 0, 0);
        out->activation = fm_fb_u8(reader, options, 1, FM_TFL_ACT_NONE);
        break;
    case OPTIONS_STRIDED_SLICE:
        read_slice_options(reader, options, out);
        break;
    case OPTIONS_REDUCER:
        out->keep_dims = fm_fb_u8(reader, options, 0, 0) != 0;
        break;
    default: /* AddOptions, MulOptions, SubOptions, DivOptions */
        out->activation = fm_fb_u8(reader, options, 0, FM_TFL_ACT_NONE);
        break;
    }
    return true;
}

/* Whether all tensor indices lie below `count` (and at or above `lowest`: -1 where "left out" is allowed). */
static bool indices_are_valid(fm_fb *reader, fm_fb_vector indices, int32_t lowest, uint32_t count)
{
    if (indices.count > FM_TFL_ARGUMENTS_MAX)
        return false;
    for (uint32_t i = 0; i < indices.count; i++) {
        int32_t index = fm_fb_vector_i32(reader, indices, i);
        if (index < lowest || (index >= 0 && (uint32_t)index >= count))
            return false;
    }
    return true;
}

static fm_status read_operator(fm_tfl_model *model, fm_fb_table table, fm_fb_vector codes,
                               fm_tfl_operator *op, const char *name, uint32_t index,
                               fm_error *err)
{
    fm_fb *reader = &model->reader;
    uint32_t code_index = (uint32_t)fm_fb_i32(reader, table, OPERATOR_CODE_INDEX, 0);
    fm_fb_table code = fm_fb_vector_table(reader, codes, code_index);
    /* Files older than the 32-bit field have 0 there, newer ones keep the old byte at 127 at most. */
    int old_code = fm_fb_u8(reader, code, CODE_DEPRECATED_BUILTIN, 0);
    int new_code = fm_fb_i32(reader, code, CODE_BUILTIN, 0);
    op->code = new_code > old_code ? new_code : old_code;
    op->version = fm_fb_i32(reader, code, CODE_VERSION, 1);
    op->custom = fm_fb_vector_of(reader, code, CODE_CUSTOM, 1);
    op->custom_options = fm_fb_vector_of(reader, table, OPERATOR_CUSTOM_OPTIONS, 1);
    op->inputs = fm_fb_vector_of(reader, table, OPERATOR_INPUTS, 4);
    op->outputs = fm_fb_vector_of(reader, table, OPERATOR_OUTPUTS, 4);
    bool options = read_options(reader, table, op->code, &op->options);
    if (reader->broken)
        return fail_broken(name, err);
    if (!options || !indices_are_valid(reader, op->inputs, -1, model->tensor_count) ||
        !indices_are_valid(reader, op->outputs, 0, model->tensor_count))
        return fm_fail(err, FM_E_MODEL,
                       "'%s' is broken: the inputs, outputs or options of operator %u do not fit "
                       "it; get the model again",
                       name, index);
    return FM_OK;
}

static fm_status read_tensors(fm_tfl_model *model, fm_fb_table graph, fm_fb_vector buffers,
                              const char *name, fm_error *err)
{
    fm_fb_vector tensors = fm_fb_vector_of(&model->reader, graph, SUBGRAPH_TENSORS, 4);
    if (tensors.count > FM_TFL_TENSORS_MAX)
        return fm_fail(err, FM_E_MODEL, "'%s' cannot be imported: %u tensors are more than %d",
                       name, tensors.count, FM_TFL_TENSORS_MAX);
    model->tensors = calloc(tensors.count ? tensors.count : 1, sizeof *model->tensors);
    if (!model->tensors)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory importing '%s'", name);
    model->tensor_count = tensors.count;
    for (uint32_t i = 0; i < tensors.count; i++) {
        fm_status status = read_tensor(&model->reader, fm_fb_vector_table(&model->reader, tensors, i),
                                       buffers, &model->tensors[i], name, i, err);
        if (status != FM_OK)
            return status;
        if (model->reader.broken)
            return fail_broken(name, err);
    }
    return FM_OK;
}

static fm_status read_operators(fm_tfl_model *model, fm_fb_table root, fm_fb_table graph,
                                const char *name, fm_error *err)
{
    fm_fb_vector codes = fm_fb_vector_of(&model->reader, root, MODEL_OPERATOR_CODES, 4);
    fm_fb_vector operators = fm_fb_vector_of(&model->reader, graph, SUBGRAPH_OPERATORS, 4);
    if (operators.count > FM_TFL_OPERATORS_MAX)
        return fm_fail(err, FM_E_MODEL, "'%s' cannot be imported: %u operators are more than %d",
                       name, operators.count, FM_TFL_OPERATORS_MAX);
    model->operators = calloc(operators.count ? operators.count : 1, sizeof *model->operators);
    if (!model->operators)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory importing '%s'", name);
    model->operator_count = operators.count;
    for (uint32_t i = 0; i < operators.count; i++) {
        fm_fb_table table = fm_fb_vector_table(&model->reader, operators, i);
        fm_status status =
            read_operator(model, table, codes, &model->operators[i], name, i, err);
        if (status != FM_OK)
            return status;
    }
    return FM_OK;
}

static fm_status read_model(fm_tfl_model *model, const char *name, fm_error *err)
{
    fm_fb *reader = &model->reader;
    fm_fb_table root = fm_fb_root(reader, "TFL3");
    if (!fm_fb_present(root))
        return fm_fail(err, FM_E_MODEL,
                       "'%s' is not a TFLite model, or it is cut short; get the model again", name);
    int32_t version = fm_fb_i32(reader, root, MODEL_VERSION, 0);
    if (version != SCHEMA_VERSION)
        return fm_fail(err, FM_E_MODEL,
                       "'%s' has the TFLite schema version %d; only version %d can be imported",
                       name, version, SCHEMA_VERSION);
    fm_fb_vector subgraphs = fm_fb_vector_of(reader, root, MODEL_SUBGRAPHS, 4);
    fm_fb_vector buffers = fm_fb_vector_of(reader, root, MODEL_BUFFERS, 4);
    fm_fb_table graph = fm_fb_vector_table(reader, subgraphs, 0);
    if (reader->broken)
        return fail_broken(name, err);
    fm_status status = read_tensors(model, graph, buffers, name, err);
    if (status == FM_OK)
        status = read_operators(model, root, graph, name, err);
    if (status != FM_OK)
        return status;
    model->inputs = fm_fb_vector_of(reader, graph, SUBGRAPH_INPUTS, 4);
    model->outputs = fm_fb_vector_of(reader, graph, SUBGRAPH_OUTPUTS, 4);
    if (reader->broken)
        return fail_broken(name, err);
    if (model->inputs.count == 0 || model->outputs.count == 0 ||
        !indices_are_valid(reader, model->inputs, 0, model->tensor_count) ||
        !indices_are_valid(reader, model->outputs, 0, model->tensor_count))
        return fm_fail(err, FM_E_MODEL,
                       "'%s' is broken: the graph's inputs or outputs are no tensors of it; get "
                       "the model again",
                       name);
    return FM_OK;
}

fm_status fm_tfl_open(fm_tfl_model *model, const uint8_t *data, size_t size, const char *name,
                      fm_error *err)
{
    memset(model, 0, sizeof *model);
    if (size > file_size_max)
        return fm_fail(err, FM_E_MODEL, "'%s' is too large for a TFLite model: %zu bytes", name,
                       size);
    model->reader = (fm_fb){.data = data, .size = size};
    fm_status status = read_model(model, name, err);
    if (status != FM_OK)
        fm_tfl_close(model);
    return status;
}

void fm_tfl_close(fm_tfl_model *model)
{
    free(model->tensors);
    free(model->operators);
    memset(model, 0, sizeof *model);
}

int32_t fm_tfl_input(fm_tfl_model *model, const fm_tfl_operator *op, uint32_t index)
{
    return index < op->inputs.count ? fm_fb_vector_i32(&model->reader, op->inputs, index) : -1;
}

int32_t fm_tfl_output(fm_tfl_model *model, const fm_tfl_operator *op, uint32_t index)
{
    return index < op->outputs.count ? fm_fb_vector_i32(&model->reader, op->outputs, index) : -1;
}
