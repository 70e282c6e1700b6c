/*
 * Not RetinaFace: a stand-in with its input and outputs, for tests of the
 * wiring on machines without RetinaFace's weights. It takes the middle and the
 * spread of skin-coloured ground for a face, upright, one at most. All layers
 * are computed in closed form; nothing is learned.
 */
#include "graphs.h"

#include <stdio.h>
#include <string.h>

enum { LEVELS = 3, SIZES = 2, POINTS = 5, CELL = 8, KERNEL = 9, COLOURS = 3 };

static const struct level {
    int stride, size[SIZES];
} levels[LEVELS] = {{8, {16, 32}}, {16, {64, 128}}, {32, {256, 512}}};

/* Points of an upright face in its box: shares of width and height from the middle. */
static const float places[POINTS][2] = {{-0.22f, -0.11f}, {0.22f, -0.11f}, {0.0f, 0.1f}, {-0.22f, 0.2f}, {0.22f, 0.2f}};

/*
 * Skin in the daylight of a usual picture: R - G about 50, G - B about 20, not dark. Each row of `weight` is for B,
 * G, R; what comes out is the distance from that in units of the tolerance.
 */
static const struct colour {
    float weight[3], wanted, tolerance;
} colours[COLOURS] = {{{0, -1, 1}, 50, 35}, {{-1, 1, 0}, 20, 25}, {{0, 0, 1}, 130, 20}};
static const float mean[3] = {104, 117, 123}; /* what the input has lost: B, G, R */

typedef struct standin {
    gr_net *net;
    /* Of the face, each [batch, 1, 1, 1], pixels: middle, sides, and a large negative number when there is none. */
    char cx[GR_NAME], cy[GR_NAME], width[GR_NAME], height[GR_NAME], absent[GR_NAME];
} standin;

/* A binary operator with a constant that is named by its value. */
static void with_number(gr_net *net, const char *path, const char *op, const char *x, float number, char out[GR_NAME])
{
    char name[GR_NAME], text[32];
    snprintf(text, sizeof text, "number_%d", net->nodes); /* the node's */
    gr_constant(net, gr_join(name, path, text), &number, NULL, 0);
    gr_node(net, path, op, x, name, out);
}

static void reduce(gr_net *net, const char *path, const char *x, char out[GR_NAME])
{
    gr_node_begin(net, path, "ReduceSum", x, "map_axes", NULL, out);
    fm_onnx_node_int(&net->onnx, "keepdims", 1);
    gr_node_end(net);
}

/* Means of 9 x 9 pixels every 8, [batch, 3, ceil(H / 8), ceil(W / 8)]: how far each colour rule is kept. */
static void colour_rules(gr_net *net, const char *image, char out[GR_NAME])
{
    static float weight[COLOURS][3][KERNEL * KERNEL];
    float bias[COLOURS];
    for (int i = 0; i < COLOURS; i++) {
        bias[i] = -colours[i].wanted / colours[i].tolerance;
        for (int c = 0; c < 3; c++) {
            const float w = colours[i].weight[c] / colours[i].tolerance;
            const float share = w * mean[c];
            bias[i] += share;
            for (int k = 0; k < KERNEL * KERNEL; k++)
                weight[i][c][k] = w / (float)(KERNEL * KERNEL);
        }
    }
    gr_constant(net, "colours.weight", weight[0][0], (const int64_t[]){COLOURS, 3, KERNEL, KERNEL}, 4);
    gr_constant(net, "colours.bias", bias, (const int64_t[]){COLOURS}, 1);
    gr_node_begin(net, "colours", "Conv", image, "colours.weight", "colours.bias", out);
    fm_onnx_node_ints(&net->onnx, "strides", (const int64_t[]){CELL, CELL}, 2);
    fm_onnx_node_ints(&net->onnx, "pads", (const int64_t[]){KERNEL / 2, KERNEL / 2, KERNEL / 2, KERNEL / 2}, 4);
    gr_node_end(net);
}

static void slice_channel(gr_net *net, const char *path, const char *x, int channel, char out[GR_NAME])
{
    static const char *const bounds[] = {"zero_index", "one_index", "two_index", "three_index"};
    gr_node_begin(net, path, "Slice", x, bounds[channel], bounds[channel + 1], out);
    fm_onnx_node_input(&net->onnx, "one_index"); /* the axis */
    gr_node_end(net);
}

/* 1 where the ground is skin, 0 elsewhere, specks wiped off: [batch, 1, h, w]. */
static void skin_map(gr_net *net, const char *image, char out[GR_NAME])
{
    char rules[GR_NAME], one[GR_NAME];
    colour_rules(net, image, rules);
    for (int i = 0; i < COLOURS; i++) {
        slice_channel(net, "skin", rules, i, one);
        if (i < COLOURS - 1) { /* both sides of a hue, one of the brightness */
            gr_node(net, "skin", "Abs", one, NULL, one);
            gr_node(net, "skin", "Sub", "one", one, one);
        }
        gr_node_begin(net, "skin", "Clip", one, "zero", "one", one);
        gr_node_end(net);
        if (i == 0)
            memcpy(out, one, GR_NAME);
        else
            gr_node(net, "skin", "Mul", out, one, out);
    }
    gr_node_begin(net, "skin", "AveragePool", out, NULL, NULL, out);
    fm_onnx_node_ints(&net->onnx, "kernel_shape", (const int64_t[]){5, 5}, 2);
    fm_onnx_node_ints(&net->onnx, "pads", (const int64_t[]){2, 2, 2, 2}, 4);
    fm_onnx_node_int(&net->onnx, "count_include_pad", 1);
    gr_node_end(net);
    with_number(net, "skin", "Sub", out, 0.15f, out);
    gr_node(net, "skin", "Relu", out, NULL, out);
}

/* Ones in the shape of a level's cells: a 1 x 1 convolution with its stride, so ceil(H / s) x ceil(W / s). */
static void ones_of(gr_net *net, const char *path, const char *image, int stride, char out[GR_NAME])
{
    gr_node_begin(net, path, "Conv", image, "nothing.weight", "nothing.bias", out);
    fm_onnx_node_ints(&net->onnx, "strides", (const int64_t[]){stride, stride}, 2);
    gr_node_end(net);
}

/* Pixels of the cells' middles along an axis ("columns" or "rows"): stride * index + offset. */
static void places_of(gr_net *net, const char *path, const char *ones, const char *axis, int stride, float offset,
                      char out[GR_NAME])
{
    gr_node(net, path, "CumSum", ones, axis, out); /* index + 1 */
    with_number(net, path, "Mul", out, (float)stride, out);
    with_number(net, path, "Add", out, offset - (float)stride, out);
}

/* The mean of `at` over the map. */
static void middle_of(gr_net *net, const char *path, const char *map, const char *sum, const char *at,
                      char out[GR_NAME])
{
    gr_node(net, path, "Mul", map, at, out);
    reduce(net, path, out, out);
    gr_node(net, path, "Div", out, sum, out);
}

/* How far `at` deviates from the middle. */
static void deviation(gr_net *net, const char *path, const char *map, const char *sum, const char *at,
                      const char *middle, char out[GR_NAME])
{
    gr_node(net, path, "Sub", at, middle, out);
    gr_node(net, path, "Mul", out, out, out);
    middle_of(net, path, map, sum, out, out);
    gr_node(net, path, "Sqrt", out, NULL, out);
}

/*
 * Of the demo clip's face: the box's width in deviations of the skin, its height in widths, and how far it is
 * above the middle of the skin.
 */
#define BOX_WIDTH 5.0f
#define BOX_HEIGHT 1.28f
#define NECK (-0.14f) /* widths */
#define SKIN_LEAST 1.5f /* cells */

static void find_face(standin *s, const char *image)
{
    gr_net *net = s->net;
    char map[GR_NAME], sum[GR_NAME], ones[GR_NAME], x[GR_NAME], y[GR_NAME], up[GR_NAME];
    skin_map(net, image, map);
    ones_of(net, "skin", image, CELL, ones);
    places_of(net, "skin", ones, "columns", CELL, 0.5f, x);
    places_of(net, "skin", ones, "rows", CELL, 0.5f, y);
    reduce(net, "skin", map, sum);
    with_number(net, "skin", "Sub", sum, SKIN_LEAST, s->absent);
    gr_node(net, "skin", "Sign", s->absent, NULL, s->absent);
    gr_node(net, "skin", "Min", s->absent, "zero", s->absent);
    with_number(net, "skin", "Mul", s->absent, 100, s->absent);
    gr_node(net, "skin", "Max", sum, "little", sum);
    middle_of(net, "face/x", map, sum, x, s->cx);
    deviation(net, "face/x", map, sum, x, s->cx, s->width);
    with_number(net, "face", "Mul", s->width, BOX_WIDTH, s->width);
    with_number(net, "face", "Max", s->width, CELL, s->width);
    with_number(net, "face", "Mul", s->width, BOX_HEIGHT, s->height);
    middle_of(net, "face/y", map, sum, y, s->cy);
    with_number(net, "face/y", "Mul", s->width, NECK, up);
    gr_node(net, "face/y", "Add", s->cy, up, s->cy);
}

typedef struct columns {
    char name[SIZES * 2 * POINTS][GR_NAME];
    int count;
} columns;

/* The rows of one level: [batch, cells * SIZES, each]. */
static void rows_of(gr_net *net, const char *path, const columns *all, int each, char out[GR_NAME])
{
    char shape[GR_NAME];
    gr_node_begin(net, path, "Concat", all->name[0], all->name[1], all->name[2], out);
    for (int i = 3; i < all->count; i++)
        fm_onnx_node_input(&net->onnx, all->name[i]);
    fm_onnx_node_int(&net->onnx, "axis", 1);
    gr_node_end(net);
    gr_node_begin(net, path, "Transpose", out, NULL, NULL, out);
    fm_onnx_node_ints(&net->onnx, "perm", (const int64_t[]){0, 2, 3, 1}, 4);
    gr_node_end(net);
    snprintf(shape, sizeof shape, "rows_of_%d", each);
    gr_node(net, path, "Reshape", out, shape, out);
}

/* One cell's prior of a size, and what is known of its place. */
typedef struct prior {
    const char *path, *ones;
    const char *dx, *dy; /* from the cell's middle to the face's, pixels */
    float size;
} prior;

static char *add_column(columns *all)
{
    return all->name[all->count++];
}

static void offset(gr_net *net, const prior *p, const char *distance, char out[GR_NAME])
{
    with_number(net, p->path, "Mul", distance, 1 / (0.1f * p->size), out);
}

/* ln(side / size) / 0.2 in every cell; *square gets the logarithm's square. */
static void scale_of(gr_net *net, const prior *p, const char *side, char out[GR_NAME], char square[GR_NAME])
{
    char log[GR_NAME];
    with_number(net, p->path, "Mul", side, 1 / p->size, log);
    gr_node(net, p->path, "Log", log, NULL, log);
    gr_node(net, p->path, "Mul", log, log, square);
    with_number(net, p->path, "Mul", log, 1 / 0.2f, log);
    gr_node(net, p->path, "Mul", p->ones, log, out);
}

static void add_box(standin *s, const prior *p, columns *loc, char mismatch[GR_NAME])
{
    char other[GR_NAME];
    offset(s->net, p, p->dx, add_column(loc));
    offset(s->net, p, p->dy, add_column(loc));
    scale_of(s->net, p, s->width, add_column(loc), mismatch);
    scale_of(s->net, p, s->height, add_column(loc), other);
    gr_node(s->net, p->path, "Add", mismatch, other, mismatch);
}

/* Best for the prior that is nearest in place and size: 6 - 8 * (distance / size)^2 - 2 * mismatch, as a sigmoid. */
static void add_score(standin *s, const prior *p, const char *mismatch, columns *conf)
{
    gr_net *net = s->net;
    char away[GR_NAME], part[GR_NAME];
    gr_node(net, p->path, "Mul", p->dx, p->dx, away);
    gr_node(net, p->path, "Mul", p->dy, p->dy, part);
    gr_node(net, p->path, "Add", away, part, away);
    with_number(net, p->path, "Mul", away, -8 / (p->size * p->size), away);
    with_number(net, p->path, "Mul", mismatch, -2, part);
    gr_node(net, p->path, "Add", away, part, away);
    with_number(net, p->path, "Add", away, 6, away);
    gr_node(net, p->path, "Add", away, s->absent, away);
    char *no = add_column(conf), *yes = add_column(conf);
    gr_node(net, p->path, "Sigmoid", away, NULL, yes);
    gr_node(net, p->path, "Sub", "one", yes, no);
}

static void add_points(standin *s, const prior *p, columns *landms)
{
    for (int k = 0; k < 2 * POINTS; k++) {
        char place[GR_NAME];
        with_number(s->net, p->path, "Mul", k % 2 ? s->height : s->width, places[k / 2][k % 2], place);
        gr_node(s->net, p->path, "Add", k % 2 ? p->dy : p->dx, place, place);
        offset(s->net, p, place, add_column(landms));
    }
}

/* Names of the three outputs of one level. */
typedef struct level_rows {
    char loc[GR_NAME], conf[GR_NAME], landms[GR_NAME];
} level_rows;

static void run_level(standin *s, const char *image, const struct level *level, level_rows *out)
{
    char path[32], ones[GR_NAME], dx[GR_NAME], dy[GR_NAME], mismatch[GR_NAME];
    columns loc = {.count = 0}, conf = {.count = 0}, landms = {.count = 0};
    snprintf(path, sizeof path, "stride_%d", level->stride);
    ones_of(s->net, path, image, level->stride, ones);
    places_of(s->net, path, ones, "columns", level->stride, 0.5f * (float)level->stride, dx);
    gr_node(s->net, path, "Sub", s->cx, dx, dx);
    places_of(s->net, path, ones, "rows", level->stride, 0.5f * (float)level->stride, dy);
    gr_node(s->net, path, "Sub", s->cy, dy, dy);
    for (int i = 0; i < SIZES; i++) {
        const prior p = {path, ones, dx, dy, (float)level->size[i]};
        add_box(s, &p, &loc, mismatch);
        add_score(s, &p, mismatch, &conf);
        add_points(s, &p, &landms);
    }
    rows_of(s->net, path, &loc, 4, out->loc);
    rows_of(s->net, path, &conf, 2, out->conf);
    rows_of(s->net, path, &landms, 2 * POINTS, out->landms);
}

static void constants(gr_net *net)
{
    static const char *const indices[] = {"zero_index", "one_index", "two_index", "three_index"};
    for (int64_t i = 0; i < 4; i++)
        gr_ints(net, indices[i], 1, &i);
    gr_ints(net, "columns", 1, (const int64_t[]){3});
    gr_ints(net, "rows", 1, (const int64_t[]){2});
    gr_ints(net, "map_axes", 2, (const int64_t[]){2, 3});
    gr_ints(net, "rows_of_4", 3, (const int64_t[]){0, -1, 4});
    gr_ints(net, "rows_of_2", 3, (const int64_t[]){0, -1, 2});
    gr_ints(net, "rows_of_10", 3, (const int64_t[]){0, -1, 2 * POINTS});
    gr_constant(net, "zero", (const float[]){0}, NULL, 0);
    gr_constant(net, "one", (const float[]){1}, NULL, 0);
    gr_constant(net, "little", (const float[]){1e-6f}, NULL, 0);
    gr_constant(net, "nothing.weight", (const float[]){0, 0, 0}, (const int64_t[]){1, 3, 1, 1}, 4);
    gr_constant(net, "nothing.bias", (const float[]){1}, (const int64_t[]){1}, 1);
}

static int64_t rows(int width, int height)
{
    int64_t count = 0;
    for (int i = 0; i < LEVELS; i++) {
        const int stride = levels[i].stride;
        count += (int64_t)SIZES * ((width + stride - 1) / stride) * ((height + stride - 1) / stride);
    }
    return count;
}

static void join(gr_net *net, const char *name, const char *const parts[LEVELS], int64_t count, int each)
{
    char all[GR_NAME];
    gr_node_begin(net, name, "Concat", parts[0], parts[1], parts[2], all);
    fm_onnx_node_int(&net->onnx, "axis", 1);
    gr_node_end(net);
    gr_output(net, name, all, (const int64_t[]){0, count, each}, 3);
}

void gr_write_retinaface_standin(gr_net *net, int width, int height)
{
    enum { OPEN_HEIGHT = -2, OPEN_WIDTH = -3, OPEN_ROWS = -4 };
    const bool open = width == 0 || height == 0;
    constants(net);
    const gr_value image = open ? gr_input(net, "input", 3, OPEN_HEIGHT, OPEN_WIDTH)
                                : gr_input(net, "input", 3, height, width);
    standin s = {.net = net};
    find_face(&s, image.name);
    level_rows parts[LEVELS];
    for (int i = 0; i < LEVELS; i++)
        run_level(&s, image.name, &levels[i], &parts[i]);
    const int64_t count = open ? OPEN_ROWS : rows(width, height);
    join(net, "loc", (const char *const[]){parts[0].loc, parts[1].loc, parts[2].loc}, count, 4);
    join(net, "conf", (const char *const[]){parts[0].conf, parts[1].conf, parts[2].conf}, count, 2);
    join(net, "landms", (const char *const[]){parts[0].landms, parts[1].landms, parts[2].landms}, count, 2 * POINTS);
}
