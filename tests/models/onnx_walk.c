#include "onnx_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct field {
    int number, wire;
    uint64_t value;       /* varint */
    const uint8_t *data;  /* length-delimited */
    size_t size;
} field;

typedef struct cursor {
    const uint8_t *at, *end;
} cursor;

static uint64_t varint(cursor *c)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (c->at == c->end)
            fail_msg("a varint runs over the end");
        uint8_t byte = *c->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    fail_msg("a varint has more than ten bytes");
    return 0;
}

static bool next(cursor *c, field *out)
{
    if (c->at == c->end)
        return false;
    uint64_t tag = varint(c);
    *out = (field){.number = (int)(tag >> 3), .wire = (int)(tag & 7)};
    switch (out->wire) {
    case 0:
        out->value = varint(c);
        break;
    case 2:
        out->size = (size_t)varint(c);
        if (out->size > (size_t)(c->end - c->at))
            fail_msg("field %d is longer than its message", out->number);
        out->data = c->at;
        c->at += out->size;
        break;
    default:
        fail_msg("field %d has the wire type %d", out->number, out->wire);
    }
    return true;
}

static cursor inside(const field *f)
{
    return (cursor){f->data, f->data + f->size};
}

static void text(const field *f, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)f->size, (const char *)f->data);
}

static void walk_node(const field *node, ow_summary *out)
{
    cursor c = inside(node);
    field f;
    char type[24] = "";
    while (next(&c, &f))
        if (f.number == 4)
            text(&f, type, sizeof type);
    out->nodes++;
    for (int i = 0; i < out->op_types; i++) {
        if (strcmp(out->ops[i].type, type) == 0) {
            out->ops[i].count++;
            return;
        }
    }
    assert_true(out->op_types < OW_TYPES_MAX);
    memcpy(out->ops[out->op_types].type, type, sizeof type);
    out->ops[out->op_types++].count = 1;
}

static void walk_constant(const field *constant, ow_summary *out)
{
    cursor c = inside(constant);
    field f;
    out->constants++;
    while (next(&c, &f))
        if (f.number == 9)
            out->constant_bytes += f.size;
}

static void walk_value(const field *value, ow_value *out)
{
    cursor c = inside(value);
    field type, tensor, shape, dim, size;
    while (next(&c, &type)) {
        if (type.number == 1)
            text(&type, out->name, sizeof out->name);
        if (type.number != 2)
            continue;
        cursor in_type = inside(&type);
        assert_true(next(&in_type, &tensor));
        cursor in_tensor = inside(&tensor);
        while (next(&in_tensor, &shape)) {
            if (shape.number != 2)
                continue;
            cursor in_shape = inside(&shape);
            while (next(&in_shape, &dim)) {
                cursor in_dim = inside(&dim);
                assert_true(next(&in_dim, &size));
                assert_true(out->rank < OW_DIMS_MAX);
                out->dims[out->rank++] = (int64_t)size.value;
            }
        }
    }
}

static void walk_graph(const field *graph, ow_summary *out)
{
    cursor c = inside(graph);
    field f;
    while (next(&c, &f)) {
        if (f.number == 1)
            walk_node(&f, out);
        else if (f.number == 5)
            walk_constant(&f, out);
        else if (f.number == 11 && out->input_count < OW_VALUES_MAX)
            walk_value(&f, &out->inputs[out->input_count++]);
        else if (f.number == 12 && out->output_count < OW_VALUES_MAX)
            walk_value(&f, &out->outputs[out->output_count++]);
    }
}

void ow_walk(const uint8_t *data, size_t size, ow_summary *out)
{
    memset(out, 0, sizeof *out);
    cursor c = {data, data + size};
    field f, inner;
    while (next(&c, &f)) {
        if (f.number == 1)
            out->ir_version = (int64_t)f.value;
        if (f.number == 7)
            walk_graph(&f, out);
        if (f.number == 8) {
            cursor opset = inside(&f);
            while (next(&opset, &inner))
                if (inner.number == 2)
                    out->opset = (int64_t)inner.value;
        }
    }
}

int ow_count(const ow_summary *summary, const char *op_type)
{
    for (int i = 0; i < summary->op_types; i++)
        if (strcmp(summary->ops[i].type, op_type) == 0)
            return summary->ops[i].count;
    return 0;
}
