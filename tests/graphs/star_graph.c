#include "graphs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "face/topology.h"

enum { STACKS = 4, LEVELS = 4, CHANNELS = 256, POINTS = 98, EDGES = 9, MAP_STRIDE = 4 };

/* What a convolution behind a ReLU needs to keep the variance (He et al., ICCV 2015). */
#define HE 1.41421356237309515
/* The branch adds a quarter of the variance, so that sums stay small over all stacks. */
#define BRANCH (0.5 * HE)
#define CALM 0.1   /* features leave a stack at about 1 */
#define SHARE 0.0625f /* of the network's own points in the final ones */

/* The face boundaries of WFLW: first and last point. */
static const int edges[EDGES][2] = {{0, 32},  {33, 41}, {42, 50}, {51, 54}, {55, 59},
                                    {60, 67}, {68, 75}, {76, 87}, {88, 95}};

/* Pre-activation bottleneck; the second and third normalisation are folded into the convolutions before them. */
static gr_value residual(gr_net *net, const char *path, const gr_value *x, int out)
{
    char sub[GR_NAME];
    const int middle = out / 2;
    gr_value skip = *x;
    if (x->channels != out)
        skip = gr_conv(net, gr_join(sub, path, "skip_layer"), x, &(gr_conv_options){.out = out, .kernel = 1});
    gr_value y = gr_batch_norm(net, gr_join(sub, path, "bn1"), x, 1);
    y = gr_unary(net, path, "Relu", &y);
    y = gr_conv(net, gr_join(sub, path, "conv1"), &y, &(gr_conv_options){.out = middle, .kernel = 1, .gain = HE});
    y = gr_unary(net, path, "Relu", &y);
    y = gr_conv(net, gr_join(sub, path, "conv2"), &y,
                &(gr_conv_options){.out = middle, .kernel = 3, .pad = 1, .gain = HE});
    y = gr_unary(net, path, "Relu", &y);
    y = gr_conv(net, gr_join(sub, path, "conv3"), &y, &(gr_conv_options){.out = out, .kernel = 1, .gain = BRANCH});
    return gr_binary(net, path, "Add", &y, &skip);
}

static gr_value max_pool(gr_net *net, const char *path, const gr_value *x)
{
    static const int64_t two[] = {2, 2};
    gr_value out = {.channels = x->channels, .height = x->height / 2, .width = x->width / 2};
    gr_node_begin(net, path, "MaxPool", x->name, NULL, NULL, out.name);
    fm_onnx_node_ints(&net->onnx, "kernel_shape", two, 2);
    fm_onnx_node_ints(&net->onnx, "strides", two, 2);
    gr_node_end(net);
    return out;
}

static gr_value upsample(gr_net *net, const char *path, const gr_value *x)
{
    gr_value out = {.channels = x->channels, .height = 2 * x->height, .width = 2 * x->width};
    gr_node_begin(net, path, "Resize", x->name, "", "double", out.name);
    fm_onnx_node_string(&net->onnx, "mode", "nearest");
    fm_onnx_node_string(&net->onnx, "coordinate_transformation_mode", "asymmetric");
    fm_onnx_node_string(&net->onnx, "nearest_mode", "floor");
    gr_node_end(net);
    return out;
}

/* x with `extra` constant channels named `coords` in front, whose batch follows x. */
static gr_value with_channels(gr_net *net, const char *path, const gr_value *x, const char *coords,
                              const char *more, int extra)
{
    gr_value out = *x;
    out.channels += extra;
    gr_node_begin(net, path, "Concat", x->name, coords, more, out.name);
    fm_onnx_node_int(&net->onnx, "axis", 1);
    gr_node_end(net);
    return out;
}

/* `coords` as large as the batch of x: [batch, 3, side, side]. */
static void batch_of(gr_net *net, const char *path, const gr_value *x, const char *coords, char out[GR_NAME])
{
    snprintf(out, GR_NAME, "%s", coords);
    if (net->batch != GR_OPEN)
        return;
    char shape[GR_NAME], whole[GR_NAME], rest[GR_NAME];
    const int64_t dims[] = {3, x->height, x->width};
    gr_ints(net, gr_join(rest, path, "rest"), 3, dims);
    gr_node_begin(net, path, "Shape", x->name, NULL, NULL, shape);
    fm_onnx_node_int(&net->onnx, "end", 1);
    gr_node_end(net);
    gr_node_begin(net, path, "Concat", shape, rest, NULL, whole);
    fm_onnx_node_int(&net->onnx, "axis", 0);
    gr_node_end(net);
    gr_node(net, path, "Expand", coords, whole, out);
}

/* Constants x, y and distance, each -1..1 (distance: 0..1) over the picture: [1, 3, side, side] of that name. */
static void coordinates(gr_net *net, const char *name, int side)
{
    const int64_t dims[] = {1, 3, side, side};
    const size_t area = (size_t)side * (size_t)side;
    uint8_t *out = fm_onnx_constant_f32(&net->onnx, name, dims, 4, 3 * area);
    for (int v = 0; out && v < side; v++)
        for (int u = 0; u < side; u++) {
            /* Integers in 2 * cells: no product of fractions, so the same on every machine. */
            const int a = 2 * u - (side - 1), b = 2 * v - (side - 1);
            const size_t at = (size_t)v * (size_t)side + (size_t)u;
            const float unit = (float)(side - 1);
            gr_put(out + 4 * at, (float)a / unit);
            gr_put(out + 4 * (area + at), (float)b / unit);
            gr_put(out + 4 * (2 * area + at), (float)sqrt((double)(a * a + b * b)) / (unit * (float)HE));
        }
}

/* x and y where the last heat map has something, else 0: [batch, 2, 64, 64]. */
static void boundary(gr_net *net, const char *path, const gr_value *heat, char out[GR_NAME])
{
    char clipped[GR_NAME], there[GR_NAME];
    gr_node_begin(net, path, "Slice", heat->name, "last", "past_end", clipped);
    fm_onnx_node_input(&net->onnx, "channel_axis");
    gr_node_end(net);
    char upper[GR_NAME];
    gr_node_begin(net, path, "Clip", clipped, "zero", "one", upper);
    gr_node_end(net);
    gr_node(net, path, "Greater", upper, "edge_floor", there);
    gr_node_begin(net, path, "Where", there, "coords_xy", "zero", out);
    gr_node_end(net);
}

static gr_value coord_conv(gr_net *net, const char *path, const gr_value *x, const char *coords,
                           const gr_value *heat, const gr_conv_options *options)
{
    char all[GR_NAME], edge[GR_NAME];
    batch_of(net, path, x, coords, all);
    if (heat)
        boundary(net, path, heat, edge);
    const gr_value joined = with_channels(net, path, x, all, heat ? edge : NULL, heat ? 5 : 3);
    return gr_conv(net, path, &joined, options);
}

static gr_value hourglass(gr_net *net, const char *path, const gr_value *x, int levels)
{
    const int channels = x->channels;
    char sub[GR_NAME];
    const gr_value up = residual(net, gr_join(sub, path, "up1"), x, channels);
    gr_value low = max_pool(net, path, x);
    low = residual(net, gr_join(sub, path, "low1"), &low, channels);
    gr_join(sub, path, "low2");
    low = levels > 1 ? hourglass(net, sub, &low, levels - 1) : residual(net, sub, &low, channels);
    low = residual(net, gr_join(sub, path, "low3"), &low, channels);
    low = upsample(net, path, &low);
    return gr_binary(net, path, "Add", &up, &low);
}

/* An instance normalisation without weights, then a ReLU. */
static gr_value heat_act(gr_net *net, const char *path, const gr_value *x)
{
    gr_value y = *x;
    gr_node_begin(net, path, "InstanceNormalization", x->name, "points_one", "points_zero", y.name);
    fm_onnx_node_float(&net->onnx, "epsilon", 1e-5f);
    gr_node_end(net);
    return gr_unary(net, path, "Relu", &y);
}

/* Edges to the points that lie on them, a 1x1 convolution; points on no edge (the pupils) get 1. */
static void edge_constants(gr_net *net)
{
    float weight[POINTS][EDGES] = {{0}}, bias[POINTS];
    for (int i = 0; i < POINTS; i++)
        bias[i] = 1;
    for (int e = 0; e < EDGES; e++)
        for (int i = edges[e][0]; i <= edges[e][1]; i++) {
            weight[i][e] = 1;
            bias[i] = 0;
        }
    gr_constant(net, "e2h_transform.weight", weight[0], (const int64_t[]){POINTS, EDGES, 1, 1}, 4);
    gr_constant(net, "e2h_transform.bias", bias, (const int64_t[]){POINTS}, 1);
}

static gr_value edges_to_points(gr_net *net, const char *path, const gr_value *edge_maps)
{
    gr_value out = *edge_maps;
    out.channels = POINTS;
    gr_node_begin(net, path, "Conv", edge_maps->name, "e2h_transform.weight", "e2h_transform.bias", out.name);
    fm_onnx_node_ints(&net->onnx, "kernel_shape", (const int64_t[]){1, 1}, 2);
    gr_node_end(net);
    net->macs += (int64_t)EDGES * POINTS * out.height * out.width;
    return out;
}

/* Mean coordinate of a map along one axis: [batch, 98, 1]. */
static void mean_along(gr_net *net, const char *path, const gr_value *map, const char *grid, const char *sum,
                       char out[GR_NAME])
{
    gr_node(net, path, "Mul", map->name, grid, out);
    gr_node_begin(net, path, "ReduceSum", out, "map_axes", NULL, out);
    fm_onnx_node_int(&net->onnx, "keepdims", 0);
    gr_node_end(net);
    gr_node(net, path, "Div", out, sum, out);
    gr_node(net, path, "Unsqueeze", out, "behind", out);
}

/* Points [batch, 98, 2] in -1..1: each map's centre of mass. */
static void soft_argmax(gr_net *net, const char *path, const gr_value *map, char out[GR_NAME])
{
    char sum[GR_NAME], x[GR_NAME], y[GR_NAME];
    gr_node_begin(net, path, "ReduceSum", map->name, "map_axes", NULL, sum);
    fm_onnx_node_int(&net->onnx, "keepdims", 0);
    gr_node_end(net);
    gr_node(net, path, "Max", sum, "little", sum);
    mean_along(net, path, map, "grid_x", sum, x);
    mean_along(net, path, map, "grid_y", sum, y);
    gr_node_begin(net, path, "Concat", x, y, NULL, out);
    fm_onnx_node_int(&net->onnx, "axis", -1);
    gr_node_end(net);
}

static void scalar(gr_net *net, const char *name, float value)
{
    gr_constant(net, name, &value, NULL, 0);
}

/*
 * A mean face whose points' tight box, times STAR's 1.05, is the crop again: a tracker that takes its next crop
 * from the last points then stays where it is.
 */
static void mean_face(gr_net *net)
{
    const fm_point3 *face = fm_topology_wflw98.mean_face;
    float low_y = face[0].y, high_y = face[0].y, half_x = 0;
    for (int i = 0; i < POINTS; i++) {
        low_y = fminf(low_y, face[i].y);
        high_y = fmaxf(high_y, face[i].y);
        half_x = fmaxf(half_x, face[i].x);
    }
    const float scale = 1 / (1.05f * half_x), middle = 0.5f * (low_y + high_y);
    float points[POINTS][2];
    for (int i = 0; i < POINTS; i++) {
        points[i][0] = face[i].x * scale;
        points[i][1] = (face[i].y - middle) * scale;
    }
    gr_constant(net, "mean_face", points[0], (const int64_t[]){1, POINTS, 2}, 3);
    scalar(net, "share", SHARE);
}

static void constants(gr_net *net, int side)
{
    const int map = side / MAP_STRIDE;
    float ones[POINTS], zeros[POINTS] = {0}, grid[GR_STAR_SIDE / MAP_STRIDE];
    for (int i = 0; i < POINTS; i++)
        ones[i] = 1;
    for (int i = 0; i < map; i++)
        grid[i] = (float)(2 * i - (map - 1)) / (float)(map - 1);
    gr_constant(net, "points_one", ones, (const int64_t[]){POINTS}, 1);
    gr_constant(net, "points_zero", zeros, (const int64_t[]){POINTS}, 1);
    gr_constant(net, "grid_x", grid, (const int64_t[]){1, 1, 1, map}, 4);
    gr_constant(net, "grid_y", grid, (const int64_t[]){1, 1, map, 1}, 4);
    gr_constant(net, "double", (const float[]){1, 1, 2, 2}, (const int64_t[]){4}, 1);
    gr_ints(net, "map_axes", 2, (const int64_t[]){2, 3});
    gr_ints(net, "behind", 1, (const int64_t[]){-1});
    gr_ints(net, "last", 1, (const int64_t[]){-1});
    gr_ints(net, "past_end", 1, (const int64_t[]){INT64_MAX});
    gr_ints(net, "channel_axis", 1, (const int64_t[]){1});
    scalar(net, "zero", 0);
    scalar(net, "one", 1);
    scalar(net, "edge_floor", 0.05f);
    scalar(net, "little", 1e-6f);
    coordinates(net, "coords_image", side);
    coordinates(net, "coords_map", map);
    edge_constants(net);
    mean_face(net);
    /* x and y alone, for the boundary channels. */
    gr_ints(net, "xy_start", 1, (const int64_t[]){0});
    gr_ints(net, "xy_end", 1, (const int64_t[]){2});
    fm_onnx_node_begin(&net->onnx, "Slice", "coords_xy");
    for (int i = 0; i < 4; i++)
        fm_onnx_node_input(&net->onnx, (const char *[]){"coords_map", "xy_start", "xy_end", "channel_axis"}[i]);
    fm_onnx_node_output(&net->onnx, "coords_xy");
    fm_onnx_node_end(&net->onnx);
}

/* What a stack leaves behind. */
typedef struct stack {
    gr_value feature, heat, point_maps, edge_maps, fused;
    char points[GR_NAME];
} stack;

static void run_stack(gr_net *net, int index, const gr_value *x, const stack *before, stack *s)
{
    char path[32], sub[GR_NAME];
    const int channels = gr_thin(net, CHANNELS);
    snprintf(path, sizeof path, "hgs.%d", index);
    const gr_conv_options narrow = {.out = channels, .kernel = 1};
    gr_value y = coord_conv(net, gr_join(sub, path, "coordconv"), x, "coords_map", before ? &before->heat : NULL,
                            &narrow);
    y = hourglass(net, path, &y, LEVELS);
    snprintf(path, sizeof path, "features.%d", index);
    y = residual(net, gr_join(sub, path, "0"), &y, channels);
    y = gr_conv(net, gr_join(sub, path, "1"), &y, &(gr_conv_options){.out = channels, .kernel = 1, .gain = CALM});
    s->feature = gr_unary(net, path, "Relu", &y);

    snprintf(path, sizeof path, "heads.%d", index);
    y = gr_conv(net, gr_join(sub, path, "out_heatmaps"), &s->feature,
                &(gr_conv_options){.out = POINTS, .kernel = 1, .gain = HE});
    s->heat = heat_act(net, path, &y);
    y = gr_conv(net, gr_join(sub, path, "out_pointmaps"), &s->feature,
                &(gr_conv_options){.out = POINTS, .kernel = 1, .gain = HE});
    s->point_maps = gr_unary(net, path, "Sigmoid", &y);
    y = gr_conv(net, gr_join(sub, path, "out_edgemaps"), &s->feature,
                &(gr_conv_options){.out = EDGES, .kernel = 1, .gain = HE});
    s->edge_maps = gr_unary(net, path, "Sigmoid", &y);
    y = edges_to_points(net, path, &s->edge_maps);
    y = gr_binary(net, path, "Mul", &y, &s->point_maps);
    s->fused = gr_binary(net, path, "Mul", &y, &s->heat);
    soft_argmax(net, path, &s->fused, s->points);
}

/* The next stack's input: this one's plus all that was found. */
static gr_value merge(gr_net *net, int index, const gr_value *x, const stack *s)
{
    const struct {
        const char *name;
        const gr_value *from;
    } parts[] = {{"merge_features", &s->feature},
                 {"merge_heatmaps", &s->heat},
                 {"merge_pointmaps", &s->point_maps},
                 {"merge_edgemaps", &s->edge_maps}};
    char path[32], sub[GR_NAME];
    snprintf(path, sizeof path, "merge.%d", index);
    gr_value sum = *x;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const gr_value y = gr_conv(net, gr_join(sub, path, parts[i].name), parts[i].from,
                                   &(gr_conv_options){.out = x->channels, .kernel = 1, .gain = 0.5});
        sum = gr_binary(net, path, "Add", &sum, &y);
    }
    return sum;
}

static gr_value stem(gr_net *net, const gr_value *image)
{
    const gr_conv_options first = {.out = gr_thin(net, CHANNELS / 4), .kernel = 7, .stride = 2, .pad = 3, .gain = 2};
    gr_value x = coord_conv(net, "pre.0", image, "coords_image", NULL, &first);
    x = gr_unary(net, "pre.0", "Relu", &x);
    x = residual(net, "pre.1", &x, gr_thin(net, CHANNELS / 2));
    x = max_pool(net, "pre.2", &x);
    x = residual(net, "pre.3", &x, x.channels);
    return residual(net, "pre.4", &x, gr_thin(net, CHANNELS));
}

static void outputs(gr_net *net, int map, const stack stacks[STACKS], const char *final)
{
    static const char *const named[] = {"output", "heatmap", "landmarks"};
    const int64_t points[] = {0, POINTS, 2};
    const int64_t maps[] = {0, POINTS, map, map}, edge_maps[] = {0, EDGES, map, map};
    struct {
        const char *from;
        const int64_t *dims;
        int rank;
    } all[GR_STAR_OUTPUTS];
    for (int i = 0; i < STACKS; i++) {
        all[3 * i].from = stacks[i].points;
        all[3 * i].dims = points;
        all[3 * i].rank = 3;
        all[3 * i + 1].from = stacks[i].point_maps.name;
        all[3 * i + 2].from = stacks[i].edge_maps.name;
        all[3 * STACKS + i].from = stacks[i].fused.name;
        all[3 * i + 1].dims = all[3 * STACKS + i].dims = maps;
        all[3 * i + 2].dims = edge_maps;
        all[3 * i + 1].rank = all[3 * i + 2].rank = all[3 * STACKS + i].rank = 4;
    }
    all[GR_STAR_OUTPUTS - 1].from = final;
    all[GR_STAR_OUTPUTS - 1].dims = points;
    all[GR_STAR_OUTPUTS - 1].rank = 3;
    for (int i = 0; i < GR_STAR_OUTPUTS; i++) {
        char number[16];
        snprintf(number, sizeof number, "output_%d", i);
        gr_output(net, i < 3 ? named[i] : number, all[i].from, all[i].dims, all[i].rank);
    }
}

void gr_write_star(gr_net *net, int side)
{
    constants(net, side);
    const gr_value image = gr_input(net, "input_image", 3, side, side);
    gr_value x = stem(net, &image);
    stack stacks[STACKS];
    for (int i = 0; i < STACKS; i++) {
        run_stack(net, i, &x, i > 0 ? &stacks[i - 1] : NULL, &stacks[i]);
        if (i < STACKS - 1)
            x = merge(net, i, &x, &stacks[i]);
    }
    char final[GR_NAME];
    gr_node(net, "final", "Mul", stacks[STACKS - 1].points, "share", final);
    gr_node(net, "final", "Add", final, "mean_face", final);
    outputs(net, side / MAP_STRIDE, stacks, final);
}
