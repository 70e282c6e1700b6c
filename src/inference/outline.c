#include "inference/outline.h"

#include <stdlib.h>
#include <string.h>

/* Field numbers of onnx.proto. */
enum {
    MODEL_GRAPH = 7,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OP_TYPE = 4,
    TENSOR_DIMS = 1,
    TENSOR_DATA_TYPE = 2
};

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

enum { NODES_MAX = 1 << 20, TENSORS_MAX = 1 << 22 };

typedef struct wire {
    const uint8_t *at, *end;
    bool bad;
} wire;

typedef struct field {
    uint32_t number;
    int type;
    uint64_t value; /* varint */
    wire bytes;
} field;

static uint64_t read_varint(wire *w)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (w->at == w->end)
            break;
        const uint8_t byte = *w->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    w->bad = true;
    return 0;
}

static void skip(wire *w, uint64_t size)
{
    if (size > (uint64_t)(w->end - w->at))
        w->bad = true;
    else
        w->at += size;
}

/* False at the end, and when the bytes are bad. */
static bool next_field(wire *w, field *out)
{
    if (w->bad || w->at == w->end)
        return false;
    const uint64_t tag = read_varint(w);
    *out = (field){.number = (uint32_t)(tag >> 3), .type = (int)(tag & 7)};
    switch (out->type) {
    case WIRE_VARINT:
        out->value = read_varint(w);
        break;
    case WIRE_BYTES: {
        const uint64_t size = read_varint(w);
        const uint8_t *start = w->at;
        skip(w, size);
        if (!w->bad)
            out->bytes = (wire){.at = start, .end = start + size};
        break;
    }
    case WIRE_FIXED64:
        skip(w, 8);
        break;
    case WIRE_FIXED32:
        skip(w, 4);
        break;
    default:
        w->bad = true;
    }
    return !w->bad;
}

static fm_view view_of(const field *f)
{
    return (fm_view){(const char *)f->bytes.at, (size_t)(f->bytes.end - f->bytes.at)};
}

/* --- two passes: count, allocate, fill ---------------------------------------- */

static void read_node(fm_outline *o, wire w, bool count_only, bool *bad)
{
    fm_outline_node node = {.first_input = (uint32_t)o->input_count, .first_output = (uint32_t)o->output_count};
    field f;
    while (next_field(&w, &f)) {
        if (f.type != WIRE_BYTES)
            continue;
        if (f.number == NODE_INPUT) {
            if (!count_only)
                o->inputs[o->input_count] = view_of(&f);
            o->input_count++;
        } else if (f.number == NODE_OUTPUT) {
            if (!count_only)
                o->outputs[o->output_count] = view_of(&f);
            o->output_count++;
        } else if (f.number == NODE_NAME) {
            node.name = view_of(&f);
        } else if (f.number == NODE_OP_TYPE) {
            node.op_type = view_of(&f);
        }
    }
    *bad = *bad || w.bad || o->input_count > TENSORS_MAX || o->output_count > TENSORS_MAX || o->node_count >= NODES_MAX;
    if (*bad)
        return;
    node.input_count = (uint32_t)o->input_count - node.first_input;
    node.output_count = (uint32_t)o->output_count - node.first_output;
    if (!count_only)
        o->nodes[o->node_count] = node;
    o->node_count++;
}

/* Bits of an element; 0: not known. TensorProto.DataType. */
static unsigned element_bits(uint64_t type)
{
    static const uint8_t bits[] = {
        [1] = 32, [2] = 8,  [3] = 8,   [4] = 16, [5] = 16, [6] = 32, [7] = 64, [9] = 8,  [10] = 16, [11] = 64, [12] = 32,
        [13] = 64, [14] = 64, [15] = 128, [16] = 16, [17] = 8, [18] = 8, [19] = 8, [20] = 8, [21] = 4, [22] = 4,
    };
    return type < sizeof bits ? bits[type] : 0;
}

/* Whether constants of a type are weights, and not indices or shapes. */
static bool holds_weights(uint64_t type)
{
    return type == 1 || type == 2 || type == 3 || type == 10 || type == 11 || (type >= 16 && type <= 22);
}

static uint64_t multiply(uint64_t a, uint64_t b)
{
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void read_constant(fm_outline *o, wire w, bool *bad)
{
    uint64_t elements = 1, type = 0;
    field f;
    while (next_field(&w, &f)) {
        if (f.number == TENSOR_DATA_TYPE && f.type == WIRE_VARINT)
            type = f.value;
        if (f.number == TENSOR_DIMS && f.type == WIRE_VARINT)
            elements = multiply(elements, f.value);
        if (f.number == TENSOR_DIMS && f.type == WIRE_BYTES) { /* packed */
            wire dims = f.bytes;
            while (!dims.bad && dims.at != dims.end)
                elements = multiply(elements, read_varint(&dims));
            w.bad = dims.bad;
        }
    }
    *bad = *bad || w.bad;
    const uint64_t bits = multiply(elements, element_bits(type));
    o->weight_bytes = add(o->weight_bytes, bits / 8 + (bits % 8 != 0));
    if (holds_weights(type))
        o->parameters = add(o->parameters, elements);
}

static void read_graph(fm_outline *o, wire w, bool count_only, bool *bad)
{
    field f;
    while (!*bad && next_field(&w, &f)) {
        if (f.type != WIRE_BYTES)
            continue;
        if (f.number == GRAPH_NODE)
            read_node(o, f.bytes, count_only, bad);
        else if (f.number == GRAPH_INITIALIZER && !count_only)
            read_constant(o, f.bytes, bad);
    }
    *bad = *bad || w.bad;
}

/* The last graph of the model, which is the one that counts. */
static bool find_graph(wire model, wire *graph)
{
    field f;
    bool found = false;
    while (next_field(&model, &f)) {
        if (f.number == MODEL_GRAPH && f.type == WIRE_BYTES) {
            *graph = f.bytes;
            found = true;
        }
    }
    return found && !model.bad;
}

fm_status fm_outline_read(fm_outline *out, const void *data, size_t size, const char *name, fm_error *err)
{
    *out = (fm_outline){0};
    wire graph;
    bool bad = !find_graph((wire){.at = data, .end = (const uint8_t *)data + size}, &graph);
    if (!bad)
        read_graph(out, graph, true, &bad);
    if (!bad) {
        fm_outline filled = {
            .nodes = calloc(out->node_count + 1, sizeof *filled.nodes),
            .inputs = calloc(out->input_count + 1, sizeof *filled.inputs),
            .outputs = calloc(out->output_count + 1, sizeof *filled.outputs),
        };
        *out = filled;
        if (!out->nodes || !out->inputs || !out->outputs) {
            fm_outline_free(out);
            return fm_fail(err, FM_E_NO_MEMORY, "out of memory reading the graph of '%s'", name);
        }
        read_graph(out, graph, false, &bad);
    }
    if (bad) {
        fm_outline_free(out);
        return fm_fail(err, FM_E_MODEL, "cannot read the graph of '%s': it is no ONNX file, or it is cut short", name);
    }
    return FM_OK;
}

void fm_outline_free(fm_outline *o)
{
    free(o->nodes);
    free(o->inputs);
    free(o->outputs);
    *o = (fm_outline){0};
}

int fm_view_compare(fm_view a, fm_view b)
{
    const size_t shorter = a.size < b.size ? a.size : b.size;
    const int order = shorter ? memcmp(a.at, b.at, shorter) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

bool fm_view_equal(fm_view a, fm_view b)
{
    return a.size == b.size && fm_view_compare(a, b) == 0;
}
