#include "models/onnx_graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Field numbers of onnx.proto. */
enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER_NAME = 2,
    MODEL_GRAPH = 7,
    MODEL_OPSET_IMPORT = 8,
    OPSET_DOMAIN = 1,
    OPSET_VERSION = 2,
    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OP_TYPE = 4,
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_S = 4,
    ATTRIBUTE_INTS = 8,
    ATTRIBUTE_TYPE = 20,
    TENSOR_DIMS = 1,
    TENSOR_DATA_TYPE = 2,
    TENSOR_NAME = 8,
    TENSOR_RAW_DATA = 9,
    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TYPE_TENSOR_ELEMENT = 1,
    TYPE_TENSOR_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1,
    DIM_PARAM = 2
};

enum {
    ATTRIBUTE_TYPE_FLOAT = 1,
    ATTRIBUTE_TYPE_INT = 2,
    ATTRIBUTE_TYPE_STRING = 3,
    ATTRIBUTE_TYPE_INTS = 7
};
enum { DATA_TYPE_FLOAT = 1, DATA_TYPE_INT64 = 7 };
enum { IR_VERSION = 8, OPERATOR_SET = 17 };

void fm_onnx_init(fm_onnx *graph, size_t limit)
{
    memset(graph, 0, sizeof *graph);
    fm_pb_init(&graph->nodes, limit);
    fm_pb_init(&graph->constants, limit);
    fm_pb_init(&graph->inputs, limit);
    fm_pb_init(&graph->outputs, limit);
}

void fm_onnx_free(fm_onnx *graph)
{
    fm_pb_free(&graph->nodes);
    fm_pb_free(&graph->constants);
    fm_pb_free(&graph->inputs);
    fm_pb_free(&graph->outputs);
}

void fm_onnx_node_begin(fm_onnx *graph, const char *op_type, const char *name)
{
    graph->node_mark = fm_pb_begin(&graph->nodes, GRAPH_NODE);
    fm_pb_string(&graph->nodes, NODE_NAME, name);
    fm_pb_string(&graph->nodes, NODE_OP_TYPE, op_type);
}

void fm_onnx_node_input(fm_onnx *graph, const char *value)
{
    fm_pb_string(&graph->nodes, NODE_INPUT, value);
}

void fm_onnx_node_output(fm_onnx *graph, const char *value)
{
    fm_pb_string(&graph->nodes, NODE_OUTPUT, value);
}

static size_t attribute_begin(fm_onnx *graph, const char *attribute, int type)
{
    size_t mark = fm_pb_begin(&graph->nodes, NODE_ATTRIBUTE);
    fm_pb_string(&graph->nodes, ATTRIBUTE_NAME, attribute);
    fm_pb_varint(&graph->nodes, ATTRIBUTE_TYPE, (uint64_t)type);
    return mark;
}

void fm_onnx_node_int(fm_onnx *graph, const char *attribute, int64_t value)
{
    size_t mark = attribute_begin(graph, attribute, ATTRIBUTE_TYPE_INT);
    fm_pb_varint(&graph->nodes, ATTRIBUTE_I, (uint64_t)value);
    fm_pb_end(&graph->nodes, mark);
}

void fm_onnx_node_ints(fm_onnx *graph, const char *attribute, const int64_t *values, int count)
{
    size_t mark = attribute_begin(graph, attribute, ATTRIBUTE_TYPE_INTS);
    for (int i = 0; i < count; i++)
        fm_pb_varint(&graph->nodes, ATTRIBUTE_INTS, (uint64_t)values[i]);
    fm_pb_end(&graph->nodes, mark);
}

void fm_onnx_node_float(fm_onnx *graph, const char *attribute, float value)
{
    size_t mark = attribute_begin(graph, attribute, ATTRIBUTE_TYPE_FLOAT);
    fm_pb_float(&graph->nodes, ATTRIBUTE_F, value);
    fm_pb_end(&graph->nodes, mark);
}

void fm_onnx_node_string(fm_onnx *graph, const char *attribute, const char *value)
{
    size_t mark = attribute_begin(graph, attribute, ATTRIBUTE_TYPE_STRING);
    fm_pb_string(&graph->nodes, ATTRIBUTE_S, value);
    fm_pb_end(&graph->nodes, mark);
}

void fm_onnx_node_end(fm_onnx *graph)
{
    fm_pb_end(&graph->nodes, graph->node_mark);
}

void fm_onnx_node(fm_onnx *graph, const char *op_type, const char *output, const char *first,
                  const char *second)
{
    fm_onnx_node_begin(graph, op_type, output);
    fm_onnx_node_input(graph, first);
    if (second)
        fm_onnx_node_input(graph, second);
    fm_onnx_node_output(graph, output);
    fm_onnx_node_end(graph);
}

/* The fields of a TensorProto around `bytes` of content; returns where the content goes. */
static uint8_t *constant(fm_pb *out, const char *name, const int64_t *dims, int rank, int data_type,
                         size_t bytes)
{
    size_t mark = fm_pb_begin(out, GRAPH_INITIALIZER);
    for (int i = 0; i < rank; i++)
        fm_pb_varint(out, TENSOR_DIMS, (uint64_t)dims[i]);
    fm_pb_varint(out, TENSOR_DATA_TYPE, (uint64_t)data_type);
    fm_pb_string(out, TENSOR_NAME, name);
    fm_pb_room(out, TENSOR_RAW_DATA, bytes);
    fm_pb_end(out, mark);
    return out->failure == FM_PB_FINE ? out->data + out->size - bytes : NULL;
}

uint8_t *fm_onnx_constant_f32(fm_onnx *graph, const char *name, const int64_t *dims, int rank,
                              size_t elements)
{
    return constant(&graph->constants, name, dims, rank, DATA_TYPE_FLOAT, 4 * elements);
}

void fm_onnx_constant_i64(fm_onnx *graph, const char *name, const int64_t *values, int count)
{
    int64_t dims = count;
    uint8_t *out =
        constant(&graph->constants, name, &dims, 1, DATA_TYPE_INT64, 8 * (size_t)count);
    for (int i = 0; out && i < count; i++)
        for (int byte = 0; byte < 8; byte++)
            *out++ = (uint8_t)((uint64_t)values[i] >> (8 * byte));
}

static void open_dimension(fm_pb *out, int64_t dim)
{
    char name[32];
    snprintf(name, sizeof name, "dim%" PRId64, -dim);
    fm_pb_string(out, DIM_PARAM, name);
}

static void value_info(fm_pb *out, int field, const char *name, const int64_t *dims, int rank)
{
    size_t value = fm_pb_begin(out, field);
    fm_pb_string(out, VALUE_NAME, name);
    size_t type = fm_pb_begin(out, VALUE_TYPE);
    size_t tensor = fm_pb_begin(out, TYPE_TENSOR);
    fm_pb_varint(out, TYPE_TENSOR_ELEMENT, DATA_TYPE_FLOAT);
    size_t shape = fm_pb_begin(out, TYPE_TENSOR_SHAPE);
    for (int i = 0; i < rank; i++) {
        size_t dim = fm_pb_begin(out, SHAPE_DIM);
        if (dims[i] < 0)
            open_dimension(out, dims[i]);
        else
            fm_pb_varint(out, DIM_VALUE, (uint64_t)dims[i]);
        fm_pb_end(out, dim);
    }
    fm_pb_end(out, shape);
    fm_pb_end(out, tensor);
    fm_pb_end(out, type);
    fm_pb_end(out, value);
}

void fm_onnx_input(fm_onnx *graph, const char *name, const int64_t *dims, int rank)
{
    value_info(&graph->inputs, GRAPH_INPUT, name, dims, rank);
}

void fm_onnx_output(fm_onnx *graph, const char *name, const int64_t *dims, int rank)
{
    value_info(&graph->outputs, GRAPH_OUTPUT, name, dims, rank);
}

fm_pb_failure fm_onnx_failure(const fm_onnx *graph)
{
    const fm_pb *parts[] = {&graph->nodes, &graph->constants, &graph->inputs, &graph->outputs};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i]->failure != FM_PB_FINE)
            return parts[i]->failure;
    return FM_PB_FINE;
}

fm_pb_failure fm_onnx_finish(fm_onnx *graph, const char *name, uint8_t **data, size_t *size)
{
    fm_pb model;
    fm_pb_init(&model, SIZE_MAX);
    fm_pb_varint(&model, MODEL_IR_VERSION, IR_VERSION);
    fm_pb_string(&model, MODEL_PRODUCER_NAME, "facemirror");
    size_t opset = fm_pb_begin(&model, MODEL_OPSET_IMPORT);
    fm_pb_string(&model, OPSET_DOMAIN, "");
    fm_pb_varint(&model, OPSET_VERSION, OPERATOR_SET);
    fm_pb_end(&model, opset);
    size_t mark = fm_pb_begin(&model, MODEL_GRAPH);
    fm_pb_append(&model, &graph->nodes);
    fm_pb_string(&model, GRAPH_NAME, name);
    fm_pb_append(&model, &graph->constants);
    fm_pb_append(&model, &graph->inputs);
    fm_pb_append(&model, &graph->outputs);
    fm_pb_end(&model, mark);
    if (model.failure != FM_PB_FINE) {
        fm_pb_failure failure = model.failure;
        fm_pb_free(&model);
        return failure;
    }
    *data = model.data;
    *size = model.size;
    return FM_PB_FINE;
}
