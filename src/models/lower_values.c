#include "models/lower.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Derived names end in '~' and a word, made-unique ones in '~' and a number: they never meet. */
static const char mark = '~';
enum { INDEX_ROOM = 16 };

static const char *const form_suffix[FM_FORM_COUNT] = {"~nhwc", "~nchw", "~depthwise"};

static int compare_names(const void *a, const void *b)
{
    const fm_value *const *left = a, *const *right = b;
    int order = strcmp((*left)->name, (*right)->name);
    /* By position among equals, so that the first one keeps its name however qsort works. */
    return order ? order : (*left > *right) - (*left < *right);
}

/* A copy of the TFLite name in printable ASCII (protobuf strings must be UTF-8), with room for an index. */
static char *printable_name(const fm_tfl_tensor *tensor)
{
    size_t size = tensor->name_size < FM_LOWER_NAME_MAX ? tensor->name_size : FM_LOWER_NAME_MAX;
    char *name = malloc(size + INDEX_ROOM);
    if (!name)
        return NULL;
    for (size_t i = 0; i < size; i++)
        name[i] = tensor->name[i] > ' ' && tensor->name[i] < 127 ? (char)tensor->name[i] : '_';
    name[size] = 0;
    return name;
}

fm_status fm_lower_name_values(fm_lowering *lowering)
{
    uint32_t count = lowering->model->tensor_count;
    fm_value **order = calloc(count ? count : 1, sizeof *order);
    if (!order)
        return fm_fail(lowering->err, FM_E_NO_MEMORY, "out of memory importing '%s'",
                       lowering->file);
    for (uint32_t i = 0; i < count; i++) {
        order[i] = &lowering->values[i];
        order[i]->name = printable_name(&lowering->model->tensors[i]);
        if (!order[i]->name) {
            free(order);
            return fm_fail(lowering->err, FM_E_NO_MEMORY, "out of memory importing '%s'",
                           lowering->file);
        }
    }
    qsort(order, count, sizeof *order, compare_names);
    /* From the end, so that each is compared with a neighbour that still has its own name. */
    for (uint32_t i = count; i-- > 0;) {
        char *name = order[i]->name;
        bool repeated = i > 0 && strcmp(name, order[i - 1]->name) == 0;
        if (repeated || *name == 0 || strchr(name, mark)) {
            unsigned index = (unsigned)(order[i] - lowering->values);
            snprintf(name + strlen(name), INDEX_ROOM, "%c%u", mark, index);
        }
    }
    free(order);
    return FM_OK;
}

void fm_lower_value_name(const fm_lowering *lowering, int32_t tensor, fm_form form,
                         fm_value_name out)
{
    bool spatial = lowering->model->tensors[tensor].rank == 4;
    bool own = spatial ? form == FM_FORM_NCHW : form == FM_FORM_PLAIN;
    snprintf(out, FM_VALUE_NAME_MAX, "%s%s", lowering->values[tensor].name,
             own ? "" : form_suffix[form]);
}

const fm_tfl_tensor *fm_lower_constant(const fm_lowering *lowering, int32_t tensor)
{
    const fm_value *value = &lowering->values[tensor];
    const fm_tfl_tensor *data =
        &lowering->model->tensors[value->source >= 0 ? value->source : tensor];
    bool is_float = data->type == FM_TFL_FLOAT32 || data->type == FM_TFL_FLOAT16;
    return data->data && is_float ? data : NULL;
}

bool fm_lower_defined(const fm_lowering *lowering, int32_t tensor)
{
    const fm_value *value = &lowering->values[tensor];
    return value->made != 0 || value->source >= 0 || lowering->model->tensors[tensor].data;
}

fm_form fm_lower_made_form(const fm_lowering *lowering, int32_t tensor)
{
    unsigned made = lowering->values[tensor].made;
    return made & 1u << FM_FORM_NCHW ? FM_FORM_NCHW : FM_FORM_PLAIN;
}

int fm_lower_axis(fm_form form, int axis)
{
    static const int nchw[4] = {0, 2, 3, 1};
    return form == FM_FORM_NCHW ? nchw[axis] : axis;
}

void fm_lower_dims(const fm_lowering *lowering, int32_t tensor, fm_form form, int64_t *out)
{
    const fm_tfl_tensor *shape = &lowering->model->tensors[tensor];
    for (int i = 0; i < shape->rank; i++)
        out[fm_lower_axis(form, i)] = shape->dims[i];
}

/* IEEE 754 binary16 to binary32; exact. */
static uint32_t float_bits_from_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 0x1f;
    uint32_t fraction = half & 0x3ff;
    if (exponent == 0x1f)
        return sign | 0x7f800000 | fraction << 13;
    if (exponent == 0) {
        if (fraction == 0)
            return sign;
        /* Subnormal: shift the leading one into the implied place. */
        exponent = 1;
        while (!(fraction & 0x400)) {
            fraction <<= 1;
            exponent--;
        }
        fraction &= 0x3ff;
    }
    return sign | (exponent + (127 - 15)) << 23 | fraction << 13;
}

static uint32_t element_bits(const fm_tfl_tensor *constant, size_t index)
{
    if (constant->type == FM_TFL_FLOAT32)
        return fm_le32(constant->data + 4 * index);
    return float_bits_from_half(fm_le16(constant->data + 2 * index));
}

float fm_lower_constant_at(const fm_tfl_tensor *constant, size_t index)
{
    uint32_t bits = element_bits(constant, index);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool fm_lower_is_integers(const fm_tfl_tensor *tensor, size_t count)
{
    return tensor->data && (tensor->type == FM_TFL_INT32 || tensor->type == FM_TFL_INT64) &&
           tensor->elements == count;
}

int64_t fm_lower_integer_at(const fm_tfl_tensor *integers, size_t index)
{
    if (integers->type == FM_TFL_INT32)
        return (int32_t)fm_le32(integers->data + 4 * index);
    uint64_t low = fm_le32(integers->data + 8 * index);
    uint64_t high = fm_le32(integers->data + 8 * index + 4);
    return (int64_t)(high << 32 | low);
}

static void copy_element(uint8_t *out, const fm_tfl_tensor *data, size_t index)
{
    uint32_t bits = element_bits(data, index);
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(bits >> (8 * i));
}

/* An order of output axes: size and source stride (elements) of each, outermost first. */
typedef struct permutation {
    int64_t dims[FM_TFL_RANK_MAX];
    size_t strides[FM_TFL_RANK_MAX];
    int rank;
} permutation;

static void add_axis(permutation *out, int64_t dim, size_t stride)
{
    out->dims[out->rank] = dim;
    out->strides[out->rank++] = stride;
}

static permutation constant_order(const fm_tfl_tensor *data, fm_form form)
{
    size_t strides[FM_TFL_RANK_MAX];
    size_t stride = 1;
    for (int i = data->rank; i-- > 0;) {
        strides[i] = stride;
        stride *= (size_t)data->dims[i];
    }
    permutation out = {0};
    if (form == FM_FORM_PLAIN || data->rank == 0 || data->rank > 4) {
        for (int i = 0; i < data->rank; i++)
            add_axis(&out, data->dims[i], strides[i]);
        return out;
    }
    /* The last axis goes before the two that are in front of it; absent ones count 1. */
    int c = data->rank - 1, w = c - 1, h = c - 2;
    if (data->rank == 4 && form != FM_FORM_DEPTHWISE)
        add_axis(&out, data->dims[0], strides[0]);
    add_axis(&out, data->dims[c], strides[c]);
    if (form == FM_FORM_DEPTHWISE)
        add_axis(&out, 1, 0);
    add_axis(&out, h >= 0 ? data->dims[h] : 1, h >= 0 ? strides[h] : 0);
    add_axis(&out, w >= 0 ? data->dims[w] : 1, w >= 0 ? strides[w] : 0);
    return out;
}

static void write_constant(fm_lowering *lowering, const fm_tfl_tensor *data, fm_form form,
                           const char *name)
{
    permutation order = constant_order(data, form);
    uint8_t *out =
        fm_onnx_constant_f32(&lowering->onnx, name, order.dims, order.rank, data->elements);
    if (!out)
        return;
    int64_t at[FM_TFL_RANK_MAX] = {0};
    size_t source = 0;
    for (size_t i = 0; i < data->elements; i++, out += 4) {
        copy_element(out, data, source);
        for (int axis = order.rank; axis-- > 0;) {
            source += order.strides[axis];
            if (++at[axis] < order.dims[axis])
                break;
            source -= order.strides[axis] * (size_t)order.dims[axis];
            at[axis] = 0;
        }
    }
}

/* Whether NHWC and NCHW are the same bytes. */
static bool same_order(const fm_tfl_tensor *tensor)
{
    return tensor->dims[3] == 1 || (tensor->dims[1] == 1 && tensor->dims[2] == 1);
}

void fm_lower_write_reshape(fm_lowering *lowering, const char *input, const char *output, const int64_t *dims,
                            int rank)
{
    char shape[FM_VALUE_NAME_MAX + 8];
    snprintf(shape, sizeof shape, "%s~shape", output);
    fm_onnx_constant_i64(&lowering->onnx, shape, dims, rank);
    fm_onnx_node(&lowering->onnx, "Reshape", output, input, shape);
}

/* From the one form of a rank-4 value to the other. */
static void write_conversion(fm_lowering *lowering, int32_t tensor, fm_form form, const char *name)
{
    static const int64_t to_nhwc[4] = {0, 2, 3, 1};
    static const int64_t to_nchw[4] = {0, 3, 1, 2};
    fm_value_name input;
    fm_lower_value_name(lowering, tensor, fm_lower_made_form(lowering, tensor), input);
    fm_onnx *onnx = &lowering->onnx;
    if (same_order(&lowering->model->tensors[tensor])) {
        int64_t dims[FM_TFL_RANK_MAX];
        fm_lower_dims(lowering, tensor, form, dims);
        fm_lower_write_reshape(lowering, input, name, dims, 4);
        return;
    }
    fm_onnx_node_begin(onnx, "Transpose", name);
    fm_onnx_node_input(onnx, input);
    fm_onnx_node_ints(onnx, "perm", form == FM_FORM_NCHW ? to_nchw : to_nhwc, 4);
    fm_onnx_node_output(onnx, name);
    fm_onnx_node_end(onnx);
}

fm_status fm_lower_need(fm_lowering *lowering, int32_t tensor, fm_form form, fm_value_name out)
{
    fm_value *value = &lowering->values[tensor];
    const fm_tfl_tensor *constant = fm_lower_constant(lowering, tensor);
    fm_lower_value_name(lowering, tensor, form, out);
    if (value->made & 1u << form)
        return FM_OK;
    if (constant) {
        write_constant(lowering, constant, form, out);
    } else if (value->source >= 0) {
        /* A folded PAD: the reader takes the unpadded value and adds the margin itself. */
        return fm_lower_need(lowering, value->source, form, out);
    } else if (value->made && lowering->model->tensors[tensor].rank == 4 &&
               form != FM_FORM_DEPTHWISE) {
        write_conversion(lowering, tensor, form, out);
    } else {
        return fm_fail(lowering->err, FM_E_MODEL,
                       "'%s' cannot be imported: tensor '%s' is read in a way that its type or "
                       "shape does not allow",
                       lowering->file, value->name);
    }
    value->made |= 1u << form;
    return FM_OK;
}
