#include "tflite_builder.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct buffer {
    uint8_t *data;
    size_t size, capacity;
} buffer;

static size_t grow(buffer *b, size_t bytes)
{
    size_t at = b->size;
    if (at + bytes > b->capacity) {
        b->capacity = 2 * (at + bytes);
        b->data = realloc(b->data, b->capacity);
        if (!b->data)
            abort();
    }
    memset(b->data + at, 0, bytes);
    b->size += bytes;
    return at;
}

static void put16(buffer *b, size_t at, size_t value)
{
    b->data[at] = (uint8_t)value;
    b->data[at + 1] = (uint8_t)(value >> 8);
}

static void put32(buffer *b, size_t at, uint32_t value)
{
    put16(b, at, value & 0xffff);
    put16(b, at + 2, value >> 16);
}

/* A vtable of `fields` absent fields, then the table; returns the table. */
static size_t table(buffer *b, int fields)
{
    size_t vtable = grow(b, 4 + 2 * (size_t)fields + (fields % 2 ? 2 : 0));
    size_t at = grow(b, 4 + 4 * (size_t)fields);
    put16(b, vtable, 4 + 2 * (size_t)fields);
    put16(b, vtable + 2, 4 + 4 * (size_t)fields);
    put32(b, at, (uint32_t)(at - vtable));
    return at;
}

static size_t slot(buffer *b, size_t at, int field)
{
    uint32_t back = b->data[at] | (uint32_t)b->data[at + 1] << 8 |
                    (uint32_t)b->data[at + 2] << 16 | (uint32_t)b->data[at + 3] << 24;
    size_t offset = 4 + 4 * (size_t)field;
    put16(b, at - back + 4 + 2 * (size_t)field, offset);
    return at + offset;
}

static void set_field(buffer *b, size_t at, int field, int32_t value)
{
    put32(b, slot(b, at, field), (uint32_t)value);
}

static void point(buffer *b, size_t from, size_t to)
{
    put32(b, from, (uint32_t)(to - from));
}

static void set_child(buffer *b, size_t at, int field, size_t child)
{
    point(b, slot(b, at, field), child);
}

/* A vector of bytes or of 32-bit words. */
static size_t vector(buffer *b, const void *data, size_t bytes, size_t count)
{
    size_t at = grow(b, 4 + (bytes + 3) / 4 * 4);
    put32(b, at, (uint32_t)count);
    if (bytes)
        memcpy(b->data + at + 4, data, bytes);
    return at;
}

static size_t offsets(buffer *b, int count)
{
    size_t at = grow(b, 4 + 4 * (size_t)count);
    put32(b, at, (uint32_t)count);
    return at;
}

int tb_value(tb_model *model, const char *name, const int32_t *dims)
{
    assert(model->tensor_count < TB_TENSORS_MAX);
    tb_tensor *tensor = &model->tensors[model->tensor_count];
    *tensor = (tb_tensor){.name = name};
    while (dims[tensor->rank]) {
        tensor->dims[tensor->rank] = dims[tensor->rank];
        tensor->rank++;
    }
    return model->tensor_count++;
}

int tb_constant(tb_model *model, const char *name, int type, const int32_t *dims, const void *data)
{
    int index = tb_value(model, name, dims);
    tb_tensor *tensor = &model->tensors[index];
    tensor->type = type;
    tensor->data = data;
    tensor->bytes = type == TB_FLOAT16 ? 2 : type == TB_INT8 ? 1 : 4;
    for (int i = 0; i < tensor->rank; i++)
        tensor->bytes *= (size_t)tensor->dims[i];
    return index;
}

tb_op *tb_add_op(tb_model *model, int32_t code, int output)
{
    assert(model->op_count < TB_OPS_MAX);
    tb_op *op = &model->ops[model->op_count++];
    *op = (tb_op){.code = code, .output_count = 1, .outputs = {output}};
    return op;
}

void tb_op_input(tb_op *op, int tensor)
{
    assert(op->input_count < TB_ARGS_MAX);
    op->inputs[op->input_count++] = tensor;
}

tb_model tb_begin(int h, int w, int c)
{
    tb_model model = {0};
    model.inputs[0] = tb_value(&model, "input", TB_DIMS(1, h, w, c));
    model.input_count = 1;
    return model;
}

void tb_output(tb_model *model, int output)
{
    model->outputs[model->output_count++] = output;
}

static void write_tensors(buffer *b, const tb_model *model, size_t graph)
{
    size_t list = offsets(b, model->tensor_count);
    set_child(b, graph, 0, list);
    for (int i = 0; i < model->tensor_count; i++) {
        const tb_tensor *tensor = &model->tensors[i];
        size_t at = table(b, 4);
        point(b, list + 4 + 4 * (size_t)i, at);
        set_field(b, at, 1, tensor->type);
        /* Buffer 0 stays empty: tensor i has buffer i + 1. */
        if (tensor->same_buffer_as)
            set_field(b, at, 2, tensor->same_buffer_as);
        else if (tensor->data)
            set_field(b, at, 2, i + 1);
        set_child(b, at, 0, vector(b, tensor->dims, 4 * (size_t)tensor->rank, (size_t)tensor->rank));
        set_child(b, at, 3, vector(b, tensor->name, strlen(tensor->name), strlen(tensor->name)));
    }
}

static void write_ops(buffer *b, const tb_model *model, size_t graph)
{
    size_t list = offsets(b, model->op_count);
    set_child(b, graph, 3, list);
    for (int i = 0; i < model->op_count; i++) {
        const tb_op *op = &model->ops[i];
        size_t at = table(b, 6);
        point(b, list + 4 + 4 * (size_t)i, at);
        set_field(b, at, 0, i);
        set_child(b, at, 1, vector(b, op->inputs, 4 * (size_t)op->input_count, (size_t)op->input_count));
        set_child(b, at, 2, vector(b, op->outputs, 4 * (size_t)op->output_count, (size_t)op->output_count));
        if (op->custom_options)
            set_child(b, at, 5, vector(b, op->custom_options, op->custom_options_size,
                                       op->custom_options_size));
        if (!op->options_type)
            continue;
        set_field(b, at, 3, op->options_type);
        size_t options = table(b, TB_OPTIONS_MAX);
        set_child(b, at, 4, options);
        for (int k = 0; k < TB_OPTIONS_MAX; k++)
            set_field(b, options, k, op->options[k]);
    }
}

static void write_codes(buffer *b, const tb_model *model, size_t root)
{
    size_t list = offsets(b, model->op_count);
    set_child(b, root, 1, list);
    for (int i = 0; i < model->op_count; i++) {
        size_t at = table(b, 4);
        point(b, list + 4 + 4 * (size_t)i, at);
        /* As TensorFlow writes it: the old byte stops at 127, the new field has the number. */
        set_field(b, at, 0, model->ops[i].code < 127 ? model->ops[i].code : 127);
        set_field(b, at, 3, model->ops[i].code);
        if (model->ops[i].version)
            set_field(b, at, 2, model->ops[i].version);
        if (model->ops[i].custom)
            set_child(b, at, 1, vector(b, model->ops[i].custom, strlen(model->ops[i].custom),
                                       strlen(model->ops[i].custom)));
    }
}

static void leave_as_seed(const buffer *b)
{
    const char *dir = getenv("FM_TEST_CORPUS");
    if (!dir)
        return;
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < b->size; i++)
        hash = (hash ^ b->data[i]) * 16777619u;
    char path[1024];
    snprintf(path, sizeof path, "%s/built-%08x.tflite", dir, hash);
    FILE *file = fopen(path, "wb");
    if (file) {
        fwrite(b->data, 1, b->size, file);
        fclose(file);
    }
}

uint8_t *tb_build(const tb_model *model, size_t *size)
{
    buffer b = {0};
    grow(&b, 8);
    memcpy(b.data + 4, "TFL3", 4);
    size_t root = table(&b, 5);
    point(&b, 0, root);
    set_field(&b, root, 0, 3);
    write_codes(&b, model, root);
    size_t graphs = offsets(&b, 1);
    set_child(&b, root, 2, graphs);
    size_t graph = table(&b, 4);
    point(&b, graphs + 4, graph);
    write_tensors(&b, model, graph);
    set_child(&b, graph, 1, vector(&b, model->inputs, 4 * (size_t)model->input_count,
                                   (size_t)model->input_count));
    set_child(&b, graph, 2, vector(&b, model->outputs, 4 * (size_t)model->output_count,
                                   (size_t)model->output_count));
    write_ops(&b, model, graph);
    size_t buffers = offsets(&b, model->tensor_count + 1);
    set_child(&b, root, 4, buffers);
    for (int i = 0; i <= model->tensor_count; i++) {
        size_t at = table(&b, 1);
        point(&b, buffers + 4 + 4 * (size_t)i, at);
        const tb_tensor *tensor = i > 0 ? &model->tensors[i - 1] : NULL;
        if (tensor && tensor->data)
            set_child(&b, at, 0, vector(&b, tensor->data, tensor->bytes, tensor->bytes));
    }
    leave_as_seed(&b);
    *size = b.size;
    return b.data;
}
