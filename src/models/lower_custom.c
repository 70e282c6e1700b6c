/*
 * MediaPipe's custom operators of the attention mesh, as standard ONNX nodes.
 * Semantics: mediapipe/util/tflite/operations/ (landmarks_to_transform_matrix,
 * transform_tensor_bilinear, transform_landmarks), the functions of version 2.
 * Options are FlexBuffers maps. Everything is planar: z is not transformed.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/flexbuffer.h"
#include "models/lower.h"

/*
 * The nodes that one operator becomes. Values are named by words: FIRST,
 * SECOND and RESULT are the operator's own tensors, any other word is a value
 * inside, named after the result.
 */
typedef struct group {
    fm_onnx *onnx;
    fm_value_name first, second, result;
} group;

static const char FIRST[] = "first", SECOND[] = "second", RESULT[] = "result";

enum { INNER_NAME_MAX = FM_VALUE_NAME_MAX + 80 };
typedef char inner_name[INNER_NAME_MAX];

static void resolve(const group *g, const char *word, inner_name out)
{
    if (word == FIRST || word == SECOND || word == RESULT)
        snprintf(out, INNER_NAME_MAX, "%s",
                 word == FIRST ? g->first : word == SECOND ? g->second : g->result);
    else
        snprintf(out, INNER_NAME_MAX, "%s~%s", g->result, word);
}

/* Begins a node with its output and up to three inputs (NULL: no more). */
static void begin(const group *g, const char *type, const char *output, const char *a,
                  const char *b, const char *c)
{
    const char *const inputs[] = {a, b, c};
    inner_name name;
    resolve(g, output, name);
    fm_onnx_node_begin(g->onnx, type, name);
    fm_onnx_node_output(g->onnx, name);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs && inputs[i]; i++) {
        resolve(g, inputs[i], name);
        fm_onnx_node_input(g->onnx, name);
    }
}

/* A node without attributes, of one or two inputs. */
static void node(const group *g, const char *type, const char *output, const char *a, const char *b)
{
    begin(g, type, output, a, b, NULL);
    fm_onnx_node_end(g->onnx);
}

/* A node with the attribute "axis". */
static void node_along(const group *g, const char *type, const char *output, int axis,
                       const char *a, const char *b, const char *c)
{
    begin(g, type, output, a, b, c);
    fm_onnx_node_int(g->onnx, "axis", axis);
    fm_onnx_node_end(g->onnx);
}

/* A reduction over one axis, which stays with length 1. */
static void reduce(const group *g, const char *type, const char *output, const char *input,
                   int64_t axis)
{
    begin(g, type, output, input, NULL, NULL);
    fm_onnx_node_ints(g->onnx, "axes", &axis, 1);
    fm_onnx_node_end(g->onnx);
}

/* Swaps rows and columns of [1,m,n]. */
static void transpose(const group *g, const char *output, const char *input)
{
    static const int64_t order[3] = {0, 2, 1};
    begin(g, "Transpose", output, input, NULL, NULL);
    fm_onnx_node_ints(g->onnx, "perm", order, 3);
    fm_onnx_node_end(g->onnx);
}

static void integers(const group *g, const char *word, const int64_t *values, int count)
{
    inner_name name;
    resolve(g, word, name);
    fm_onnx_constant_i64(g->onnx, name, values, count);
}

/* The room of a float constant [rows, columns] or, with rows 0, [columns]; NULL after a failure. */
static uint8_t *floats_room(const group *g, const char *word, int64_t rows, int64_t columns)
{
    const int64_t dims[2] = {rows ? rows : columns, columns};
    inner_name name;
    resolve(g, word, name);
    return fm_onnx_constant_f32(g->onnx, name, dims, rows ? 2 : 1,
                                (size_t)(rows ? rows : 1) * (size_t)columns);
}

static uint8_t *put_float(uint8_t *out, double value)
{
    float number = (float)value;
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    for (int byte = 0; byte < 4; byte++)
        *out++ = (uint8_t)(bits >> (8 * byte));
    return out;
}

static void floats(const group *g, const char *word, int64_t rows, int64_t columns,
                   const double *values)
{
    uint8_t *out = floats_room(g, word, rows, columns);
    for (int64_t i = 0; out && i < (rows ? rows : 1) * columns; i++)
        out = put_float(out, values[i]);
}

/* `output` = rows or columns from..to-1 of `input` along one axis. */
static void slice(const group *g, const char *output, const char *input, int64_t from, int64_t to,
                  int64_t axis)
{
    char words[3][24];
    static const char *const parts[3] = {"from", "to", "axis"};
    const int64_t values[3] = {from, to, axis};
    inner_name name;
    for (int i = 0; i < 3; i++) {
        snprintf(words[i], sizeof words[i], "%s_%s", output, parts[i]);
        integers(g, words[i], &values[i], 1);
    }
    begin(g, "Slice", output, input, words[0], words[1]);
    resolve(g, words[2], name);
    fm_onnx_node_input(g->onnx, name);
    fm_onnx_node_end(g->onnx);
}

static void reshape(const group *g, const char *output, const char *input, const int64_t *dims,
                    int rank)
{
    char shape[24];
    snprintf(shape, sizeof shape, "%s_shape", output);
    integers(g, shape, dims, rank);
    node(g, "Reshape", output, input, shape);
}

/* Names the operator's tensors and makes them exist: the first input as a picture where it is one. */
static fm_status open_group(fm_lowering *lowering, const fm_tfl_operator *op, group *g)
{
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    int32_t first = fm_tfl_input(lowering->model, op, 0);
    int32_t second = fm_tfl_input(lowering->model, op, 1);
    bool picture = lowering->model->tensors[first].rank == 4;
    g->onnx = &lowering->onnx;
    fm_lower_value_name(lowering, output, picture ? FM_FORM_NCHW : FM_FORM_PLAIN, g->result);
    fm_status status =
        fm_lower_need(lowering, first, picture ? FM_FORM_NCHW : FM_FORM_PLAIN, g->first);
    if (status == FM_OK && second >= 0)
        status = fm_lower_need(lowering, second, FM_FORM_PLAIN, g->second);
    return status;
}

static bool has_shape(const fm_lowering *lowering, int32_t tensor, int rank, const int32_t *dims)
{
    if (tensor < 0 || lowering->model->tensors[tensor].rank != rank)
        return false;
    return memcmp(lowering->model->tensors[tensor].dims, dims, (size_t)rank * sizeof *dims) == 0;
}

static bool is_matrix(const fm_lowering *lowering, int32_t tensor)
{
    return has_shape(lowering, tensor, 3, (const int32_t[]){1, 4, 4});
}

static fm_flex options_of(const fm_lowering *lowering, const fm_tfl_operator *op)
{
    return (fm_flex){.data = fm_fb_bytes(&lowering->model->reader, op->custom_options),
                     .size = op->custom_options.count};
}

/* --- Landmarks2TransformMatrix --- */

typedef struct region {
    int64_t left, right; /* the points that are to lie level */
    double target;       /* angle of their line in the region, radians */
    double scale_x, scale_y;
    int64_t width, height; /* of the region's grid */
    size_t count;
    int64_t *subset; /* malloc'ed: the points that the region holds */
} region;

static bool is_point(int64_t index, int32_t points)
{
    return index >= 0 && index < points;
}

static bool region_is_valid(const region *r, int32_t points)
{
    bool valid = is_point(r->left, points) && is_point(r->right, points) &&
                 isfinite(r->target) && r->scale_x > 0 && r->scale_x < 1e6 && r->scale_y > 0 &&
                 r->scale_y < 1e6 && r->width > 0 && r->width <= INT32_MAX && r->height > 0 &&
                 r->height <= INT32_MAX;
    for (size_t i = 0; i < r->count; i++)
        valid &= is_point(r->subset[i], points);
    return valid;
}

/* FM_E_MODEL with a message when the options are not those of `points` landmarks; r->subset is the caller's to free. */
static fm_status read_region(fm_lowering *lowering, const fm_tfl_operator *op, int32_t points,
                             region *r)
{
    fm_flex flex = options_of(lowering, op);
    fm_flex_value map = fm_flex_root(&flex);
    r->left = fm_flex_int(&flex, fm_flex_member(&flex, map, "left_rotation_idx"));
    r->right = fm_flex_int(&flex, fm_flex_member(&flex, map, "right_rotation_idx"));
    r->target = fm_flex_number(&flex, fm_flex_member(&flex, map, "target_rotation_radians"));
    r->width = fm_flex_int(&flex, fm_flex_member(&flex, map, "output_width"));
    r->height = fm_flex_int(&flex, fm_flex_member(&flex, map, "output_height"));
    r->scale_x = fm_flex_number(&flex, fm_flex_member(&flex, map, "scale_x"));
    r->scale_y = fm_flex_number(&flex, fm_flex_member(&flex, map, "scale_y"));
    fm_flex_value subset = fm_flex_member(&flex, map, "subset_idxs");
    r->count = fm_flex_count(&flex, subset);
    if (flex.broken || r->count == 0 || r->count > (size_t)points)
        return fm_lower_fail(lowering, op, "has no options that can be read");
    r->subset = malloc(r->count * sizeof *r->subset);
    if (!r->subset)
        return fm_fail(lowering->err, FM_E_NO_MEMORY, "out of memory importing '%s'",
                       lowering->file);
    for (size_t i = 0; i < r->count; i++)
        r->subset[i] = fm_flex_int_at(&flex, subset, i);
    if (flex.broken || !region_is_valid(r, points))
        return fm_lower_fail(lowering, op, "has options that do not fit its landmarks");
    return FM_OK;
}

/*
 * "turn" [1,2,2] = {{cos r, sin r}, {-sin r, cos r}} with r = target - angle of
 * the line left to right: points in rows times it are turned by r, it times
 * columns turns them back. No angle is computed: the line's unit vector holds
 * cosine and sine. Its x gets a share that rounds away, unless both points are
 * one: then the angle is 0, as atan2(0, 0) is.
 */
static void write_turn(const group *g, const region *r)
{
    static const double nudge[2] = {1e-12, 0};
    const double c = cos(r->target), s = sin(r->target);
    const double cells[8] = {c, s, -s, c, s, -c, c, s};
    integers(g, "left_index", &r->left, 1);
    integers(g, "right_index", &r->right, 1);
    floats(g, "nudge", 0, 2, nudge);
    floats(g, "cells", 2, 4, cells);
    node_along(g, "Gather", "left", 1, "xy", "left_index", NULL);
    node_along(g, "Gather", "right", 1, "xy", "right_index", NULL);
    node(g, "Sub", "line", "right", "left");
    node(g, "Add", "direction", "line", "nudge");
    reduce(g, "ReduceL2", "length", "direction", 2);
    node(g, "Div", "unit", "direction", "length");
    node(g, "MatMul", "turn_row", "unit", "cells");
    reshape(g, "turn", "turn_row", (const int64_t[]){1, 2, 2}, 3);
}

/*
 * The matrix T(centre) R(-r) S(scale * size / grid) T(-grid / 2) with the
 * subset's extent in the turned frame. Its translation is R(-r) times
 * (middle - scale * size / 2), middle and size in the turned frame.
 */
static void write_matrix(const group *g, const region *r)
{
    const double step[2] = {r->scale_x / (double)r->width, r->scale_y / (double)r->height};
    const double half_scale[2] = {r->scale_x / 2, r->scale_y / 2};
    static const double half = 0.5, zeros[2] = {0, 0}, below[8] = {0, 0, 1, 0, 0, 0, 0, 1};
    integers(g, "subset", r->subset, (int)r->count);
    floats(g, "step", 0, 2, step);
    floats(g, "half_scale", 0, 2, half_scale);
    floats(g, "half", 0, 1, &half);
    floats(g, "zero_cells", 2, 1, zeros);
    floats(g, "below_cells", 2, 4, below);
    node_along(g, "Gather", "points", 1, "xy", "subset", NULL);
    node(g, "MatMul", "turned", "points", "turn");
    reduce(g, "ReduceMax", "high", "turned", 1);
    reduce(g, "ReduceMin", "low", "turned", 1);
    node(g, "Sub", "size", "high", "low");
    node(g, "Add", "sum", "high", "low");
    node(g, "Mul", "middle", "sum", "half");
    node(g, "Mul", "reach", "size", "half_scale");
    node(g, "Sub", "corner", "middle", "reach");
    transpose(g, "corner_column", "corner");
    node(g, "MatMul", "origin", "turn", "corner_column");
    node(g, "Mul", "scale", "size", "step");
    node(g, "Mul", "linear", "turn", "scale");
    reshape(g, "zero", "zero_cells", (const int64_t[]){1, 2, 1}, 3);
    reshape(g, "below", "below_cells", (const int64_t[]){1, 2, 4}, 3);
    node_along(g, "Concat", "above", 2, "linear", "zero", "origin");
    node_along(g, "Concat", RESULT, 1, "above", "below", NULL);
}

/* [1,N,3] landmarks to [1,4,4]: from the grid of a region around some of them to where they are. */
fm_status fm_lower_landmarks_to_matrix(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *landmarks = &lowering->model->tensors[input];
    if (op->inputs.count != 1 || !is_matrix(lowering, output) || landmarks->rank != 3 ||
        landmarks->dims[0] != 1 || landmarks->dims[2] != 3)
        return fm_lower_fail(lowering, op, "has shapes that do not fit together");
    region r = {0};
    group g;
    fm_status status = read_region(lowering, op, landmarks->dims[1], &r);
    if (status == FM_OK)
        status = open_group(lowering, op, &g);
    if (status == FM_OK) {
        slice(&g, "xy", FIRST, 0, 2, 2);
        write_turn(&g, &r);
        write_matrix(&g, &r);
        status = fm_lower_result(lowering, op, output, FM_FORM_PLAIN);
    }
    free(r.subset);
    return status;
}

/* --- TransformTensorBilinear --- */

/* The grid's cell centres in rows (x, y, 0, 1). */
static void write_places(const group *g, int32_t height, int32_t width)
{
    uint8_t *out = floats_room(g, "places", (int64_t)height * width, 4);
    for (int32_t y = 0; out && y < height; y++)
        for (int32_t x = 0; x < width; x++) {
            out = put_float(out, x + 0.5);
            out = put_float(out, y + 0.5);
            out = put_float(out, 0);
            out = put_float(out, 1);
        }
}

/*
 * GridSample takes places from -1 to 1 over the picture's outer edges, which
 * is the half-pixel convention of the operator. It blends with zeros beyond
 * the outermost pixel centres, where the operator gives nothing but zero:
 * hence "inside".
 */
static void write_sampling(const group *g, const fm_tfl_tensor *in, const fm_tfl_tensor *out)
{
    const int32_t height = out->dims[1], width = out->dims[2];
    const double per_pixel[2] = {2.0 / in->dims[2], 2.0 / in->dims[1]};
    const double limits[2] = {1.0 - 1.0 / in->dims[2], 1.0 - 1.0 / in->dims[1]};
    static const double one = 1;
    enum { DATA_TYPE_FLOAT = 1 };
    write_places(g, height, width);
    floats(g, "per_pixel", 0, 2, per_pixel);
    floats(g, "limits", 0, 2, limits);
    floats(g, "one", 0, 1, &one);
    transpose(g, "columns", SECOND);
    slice(g, "map", "columns", 0, 2, 2);
    node(g, "MatMul", "pixels", "places", "map");
    node(g, "Mul", "shares", "pixels", "per_pixel");
    node(g, "Sub", "rows", "shares", "one");
    reshape(g, "grid", "rows", (const int64_t[]){1, height, width, 2}, 4);
    node(g, "GridSample", "sampled", FIRST, "grid"); /* defaults: bilinear, zeros, corners not aligned */
    node(g, "Abs", "distance", "rows", NULL);
    node(g, "LessOrEqual", "is_inside", "distance", "limits");
    begin(g, "Cast", "inside_by_axis", "is_inside", NULL, NULL);
    fm_onnx_node_int(g->onnx, "to", DATA_TYPE_FLOAT);
    fm_onnx_node_end(g->onnx);
    reduce(g, "ReduceMin", "inside_column", "inside_by_axis", 2);
    reshape(g, "inside", "inside_column", (const int64_t[]){1, 1, height, width}, 4);
    node(g, "Mul", RESULT, "sampled", "inside");
}

/* [1,H,W,C] and a matrix to [1,h,w,C]: the picture at the places that the matrix gives for the grid. */
fm_status fm_lower_transform_tensor(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *in = &lowering->model->tensors[input];
    const fm_tfl_tensor *out = &lowering->model->tensors[output];
    if (!is_matrix(lowering, fm_tfl_input(lowering->model, op, 1)) || in->rank != 4 ||
        out->rank != 4 || in->dims[0] != 1 || out->dims[0] != 1 || in->dims[3] != out->dims[3])
        return fm_lower_fail(lowering, op, "has shapes that do not fit together");
    fm_flex flex = options_of(lowering, op);
    fm_flex_value map = fm_flex_root(&flex);
    int64_t height = fm_flex_int(&flex, fm_flex_member(&flex, map, "output_height"));
    int64_t width = fm_flex_int(&flex, fm_flex_member(&flex, map, "output_width"));
    if (flex.broken || height != out->dims[1] || width != out->dims[2])
        return fm_lower_fail(lowering, op, "has no options that fit its output");
    group g;
    fm_status status = open_group(lowering, op, &g);
    if (status != FM_OK)
        return status;
    write_sampling(&g, in, out);
    return fm_lower_result(lowering, op, output, FM_FORM_NCHW);
}

/* --- TransformLandmarks --- */

/* [1,N,2] and a matrix to [1,N,2]: each point through the matrix's upper left 2x2 and its translation. */
fm_status fm_lower_transform_landmarks(fm_lowering *lowering, const fm_tfl_operator *op)
{
    int32_t input = fm_tfl_input(lowering->model, op, 0);
    int32_t output = fm_tfl_output(lowering->model, op, 0);
    const fm_tfl_tensor *in = &lowering->model->tensors[input];
    if (!is_matrix(lowering, fm_tfl_input(lowering->model, op, 1)) || in->rank != 3 ||
        in->dims[0] != 1 || in->dims[2] != 2 || !has_shape(lowering, output, 3, in->dims))
        return fm_lower_fail(lowering, op, "has shapes that do not fit together");
    group g;
    fm_status status = open_group(lowering, op, &g);
    if (status != FM_OK)
        return status;
    transpose(&g, "columns", SECOND);
    slice(&g, "map", "columns", 0, 2, 2);
    slice(&g, "linear", "map", 0, 2, 1);
    slice(&g, "origin", "map", 3, 4, 1);
    node(&g, "MatMul", "turned", FIRST, "linear");
    node(&g, "Add", RESULT, "turned", "origin");
    return fm_lower_result(lowering, op, output, FM_FORM_PLAIN);
}
