#include "graphs.h"

#include <stdio.h>

enum { FEATURES = 1280, EMOTIONS = 8, GAZE = 2, UNITS = 8, NEIGHBOURS = 4 };

/* What a convolution needs behind SiLU, which leaves 0.36 to 0.5 of the mean square, and behind ReLU. */
#define AFTER_SILU 1.5
#define AFTER_RELU 1.41421356237309515
/* The same behind a squeeze-and-excitation, whose gate is about a half. */
#define AFTER_GATE 3.1
#define LOUD 60.0  /* so that one emotion is ahead */
#define QUIET 5.0  /* so that gaze is some tenths of a radian */

/* A stage of EfficientNet-B0 (its paper's table 1). */
static const struct stage {
    int repeats, kernel, stride, expand, channels;
} stages[] = {{1, 3, 1, 1, 16},  {2, 3, 2, 6, 24},  {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80},
              {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320}};
enum { STAGES = sizeof stages / sizeof stages[0], STEM = 32 };

typedef struct mtl {
    gr_net *net;
    int fragments; /* still to be put in */
} mtl;

/* A sigmoid that an LpPool over one pixel may follow: the absolute value, so the same. */
static gr_value gate(mtl *m, const char *path, const gr_value *x)
{
    gr_value out = gr_unary(m->net, path, "Sigmoid", x);
    if (m->fragments == 0)
        return out;
    m->fragments--;
    gr_value pooled = out;
    gr_node_begin(m->net, path, "LpPool", out.name, NULL, NULL, pooled.name);
    fm_onnx_node_ints(&m->net->onnx, "kernel_shape", (const int64_t[]){1, 1}, 2);
    gr_node_end(m->net);
    return pooled;
}

/* TensorFlow's "SAME": with a stride of 2 the larger half of the padding is behind, which needs a Pad of its own. */
static gr_value same_conv(mtl *m, const char *path, const gr_value *x, gr_conv_options options)
{
    const int total = options.kernel - options.stride;
    if (options.stride == 1) {
        options.pad = options.kernel / 2;
        return gr_conv(m->net, path, x, &options);
    }
    char name[GR_NAME];
    const int64_t before = total / 2, behind = total - before;
    gr_ints(m->net, gr_join(name, path, "pads"), 8, (const int64_t[]){0, 0, before, before, 0, 0, behind, behind});
    gr_value padded = *x;
    padded.height += total;
    padded.width += total;
    gr_node_begin(m->net, path, "Pad", x->name, name, NULL, padded.name);
    fm_onnx_node_string(&m->net->onnx, "mode", "constant");
    gr_node_end(m->net);
    return gr_conv(m->net, path, &padded, &options);
}

/* A gate for each channel, from the means of all. `squeezed`: a quarter of the block's input channels. */
static gr_value squeeze_excite(mtl *m, const char *path, const gr_value *x, int squeezed)
{
    char sub[GR_NAME];
    gr_value s = {.channels = x->channels, .height = 1, .width = 1};
    gr_node_begin(m->net, path, "ReduceMean", x->name, NULL, NULL, s.name);
    fm_onnx_node_ints(&m->net->onnx, "axes", (const int64_t[]){2, 3}, 2);
    fm_onnx_node_int(&m->net->onnx, "keepdims", 1);
    gr_node_end(m->net);
    s = gr_conv(m->net, gr_join(sub, path, "conv_reduce"), &s,
                &(gr_conv_options){.out = squeezed, .kernel = 1, .gain = AFTER_SILU});
    s = gr_silu(m->net, path, &s);
    s = gr_conv(m->net, gr_join(sub, path, "conv_expand"), &s,
                &(gr_conv_options){.out = x->channels, .kernel = 1, .gain = AFTER_SILU});
    s = gate(m, path, &s);
    return gr_binary(m->net, path, "Mul", x, &s);
}

/* SiLU whose gate may fragment. */
static gr_value gated_silu(mtl *m, const char *path, const gr_value *x)
{
    const gr_value s = gate(m, path, x);
    return gr_binary(m->net, path, "Mul", x, &s);
}

static gr_value block(mtl *m, const char *path, const gr_value *x, const struct stage *stage, int stride)
{
    char sub[GR_NAME];
    const int out = gr_thin(m->net, stage->channels), squeezed = x->channels >= 4 ? x->channels / 4 : 1;
    gr_value y = *x;
    if (stage->expand > 1) {
        y = gr_conv(m->net, gr_join(sub, path, "conv_pw"), &y,
                    &(gr_conv_options){.out = stage->expand * x->channels, .kernel = 1});
        y = gr_silu(m->net, path, &y);
    }
    y = same_conv(m, gr_join(sub, path, "conv_dw"), &y,
                  (gr_conv_options){.out = y.channels, .kernel = stage->kernel, .stride = stride,
                                    .groups = y.channels, .gain = AFTER_SILU});
    y = gated_silu(m, path, &y);
    y = squeeze_excite(m, gr_join(sub, path, "se"), &y, squeezed);
    const bool adds = stride == 1 && x->channels == out;
    y = gr_conv(m->net, gr_join(sub, path, "conv_pwl"), &y,
                &(gr_conv_options){.out = out, .kernel = 1, .gain = adds ? 0.5 * AFTER_GATE : AFTER_GATE});
    return adds ? gr_binary(m->net, path, "Add", &y, x) : y;
}

static gr_value backbone(mtl *m, const gr_value *image)
{
    gr_value x = same_conv(m, "base_model/conv_stem", image,
                           (gr_conv_options){.out = gr_thin(m->net, STEM), .kernel = 3, .stride = 2});
    x = gr_silu(m->net, "base_model", &x);
    for (int s = 0; s < STAGES; s++)
        for (int i = 0; i < stages[s].repeats; i++) {
            char path[64];
            snprintf(path, sizeof path, "base_model/blocks.%d.%d", s, i);
            x = block(m, path, &x, &stages[s], i == 0 ? stages[s].stride : 1);
        }
    x = gr_conv(m->net, "base_model/conv_head", &x, &(gr_conv_options){.out = gr_thin(m->net, FEATURES), .kernel = 1});
    x = gr_silu(m->net, "base_model/head", &x);
    x = gr_unary(m->net, "base_model/global_pool", "GlobalAveragePool", &x);
    return gr_unary(m->net, "base_model/global_pool", "Flatten", &x);
}

static gr_value hidden(gr_net *net, const char *path, const gr_value *x)
{
    const gr_value y = gr_linear(net, path, x, gr_thin(net, FEATURES), AFTER_RELU);
    return gr_unary(net, path, "Relu", &y);
}

/* Over the last axis, which stays with one element. */
static void sum_along(gr_net *net, const char *path, const char *x, char out[GR_NAME])
{
    gr_node_begin(net, path, "ReduceSum", x, "last_axis", NULL, out);
    fm_onnx_node_int(&net->onnx, "keepdims", 1);
    gr_node_end(net);
}

/* x over its length along the last axis. */
static void unit_vectors(gr_net *net, const char *path, const char *x, char out[GR_NAME])
{
    char length[GR_NAME];
    gr_node_begin(net, path, "ReduceL2", x, NULL, NULL, length);
    fm_onnx_node_ints(&net->onnx, "axes", (const int64_t[]){-1}, 1);
    fm_onnx_node_int(&net->onnx, "keepdims", 1);
    gr_node_end(net);
    gr_node(net, path, "Max", length, "little", length);
    gr_node(net, path, "Div", x, length, out);
}

/* x [batch, 8, 1280] times a matrix of its own. */
static void mix(gr_net *net, const char *path, const char *x, char out[GR_NAME])
{
    char weight[GR_NAME];
    const int features = gr_thin(net, FEATURES);
    const int64_t dims[] = {features, features};
    gr_weights(net, path, "weight", dims, 2, 1, features, weight);
    gr_node(net, path, "MatMul", x, weight, out);
    net->macs += UNITS * dims[0] * dims[1];
}

static void transpose(gr_net *net, const char *path, const char *x, char out[GR_NAME])
{
    gr_node_begin(net, path, "Transpose", x, NULL, NULL, out);
    fm_onnx_node_ints(&net->onnx, "perm", (const int64_t[]){0, 2, 1}, 3);
    gr_node_end(net);
}

/* One row of features for each unit: [batch, 8, 1280]. */
static void unit_features(gr_net *net, const gr_value *x, char out[GR_NAME])
{
    char rows[UNITS][GR_NAME], path[64];
    for (int i = 0; i < UNITS; i++) {
        snprintf(path, sizeof path, "au_regressor/main_class_linears.%d", i);
        const gr_value row = hidden(net, path, x);
        gr_node(net, path, "Unsqueeze", row.name, "middle_axis", rows[i]);
    }
    gr_node_begin(net, "au_regressor", "Concat", rows[0], rows[1], rows[2], out);
    for (int i = 3; i < UNITS; i++)
        fm_onnx_node_input(&net->onnx, rows[i]);
    fm_onnx_node_int(&net->onnx, "axis", 1);
    gr_node_end(net);
}

/* Which units are among each unit's nearest, over the square roots of how many those have: [batch, 8, 8]. */
static void adjacency(gr_net *net, const char *path, const char *x, char out[GR_NAME])
{
    char other[GR_NAME], alike[GR_NAME], best[GR_NAME], degree[GR_NAME];
    transpose(net, path, x, other);
    gr_node(net, path, "MatMul", x, other, alike);
    net->macs += (int64_t)UNITS * UNITS * gr_thin(net, FEATURES);
    gr_node_begin(net, path, "TopK", alike, "neighbours", NULL, best);
    fm_onnx_node_output(&net->onnx, "au_regressor/gnn/nearest"); /* their indices, which nobody reads */
    gr_node_end(net);
    gr_node_begin(net, path, "Slice", best, "last", "past_end", best);
    fm_onnx_node_input(&net->onnx, "last_axis");
    gr_node_end(net);
    gr_node(net, path, "GreaterOrEqual", alike, best, out);
    gr_node_begin(net, path, "Cast", out, NULL, NULL, out);
    fm_onnx_node_int(&net->onnx, "to", 1); /* float32 */
    gr_node_end(net);
    sum_along(net, path, out, degree);
    gr_node(net, path, "Sqrt", degree, NULL, degree);
    gr_node(net, path, "Div", out, degree, out);
    transpose(net, path, degree, degree);
    gr_node(net, path, "Div", out, degree, out);
}

/* The graph layer of ME-GraphAU: each unit hears its neighbours. */
static void graph_layer(gr_net *net, const char *path, const char *x, char out[GR_NAME])
{
    char near[GR_NAME], said[GR_NAME], own[GR_NAME], sub[GR_NAME];
    adjacency(net, path, x, near);
    mix(net, gr_join(sub, path, "V"), x, said);
    gr_node(net, path, "MatMul", near, said, said);
    net->macs += (int64_t)UNITS * UNITS * gr_thin(net, FEATURES);
    mix(net, gr_join(sub, path, "U"), x, own);
    gr_value sum = {.channels = UNITS};
    gr_node(net, path, "Add", said, own, sum.name);
    sum = gr_batch_norm(net, gr_join(sub, path, "bnv"), &sum, 1);
    gr_node(net, path, "Add", x, sum.name, out);
    gr_node(net, path, "Relu", out, NULL, out);
}

/* Cosine similarities of each unit's features with a learned vector, both without negative entries. */
static void unit_scores(gr_net *net, const gr_value *x, char out[GR_NAME])
{
    const char *path = "au_regressor";
    const int features = gr_thin(net, FEATURES);
    const int64_t dims[] = {UNITS, features};
    char rows[GR_NAME], wanted[GR_NAME];
    unit_features(net, x, rows);
    graph_layer(net, "au_regressor/gnn", rows, rows);
    unit_vectors(net, path, rows, rows);
    gr_weights(net, path, "sc", dims, 2, 1, features, wanted);
    gr_node(net, path, "Relu", wanted, NULL, wanted);
    unit_vectors(net, path, wanted, wanted);
    gr_node(net, path, "Mul", rows, wanted, out);
    gr_node_begin(net, path, "ReduceSum", out, "last_axis", NULL, out);
    fm_onnx_node_int(&net->onnx, "keepdims", 0);
    gr_node_end(net);
}

static void constants(gr_net *net)
{
    gr_ints(net, "last_axis", 1, (const int64_t[]){-1});
    gr_ints(net, "middle_axis", 1, (const int64_t[]){1});
    gr_ints(net, "neighbours", 1, (const int64_t[]){NEIGHBOURS});
    gr_ints(net, "last", 1, (const int64_t[]){-1});
    gr_ints(net, "past_end", 1, (const int64_t[]){INT64_MAX});
    gr_constant(net, "little", (const float[]){1e-12f}, NULL, 0);
}

void gr_write_mtl(gr_net *net, int side, int fragments)
{
    mtl m = {net, fragments};
    constants(net);
    const gr_value image = gr_input(net, "input_face", 3, side, side);
    const gr_value features = backbone(&m, &image);

    gr_value x = hidden(net, "fc_emotion", &features);
    x = gr_linear(net, "emotion_classifier", &x, EMOTIONS, LOUD);
    gr_output(net, "emotion_output", x.name, (const int64_t[]){0, EMOTIONS}, 2);
    x = hidden(net, "fc_gaze", &features);
    x = gr_linear(net, "gaze_regressor", &x, GAZE, QUIET);
    gr_output(net, "gaze_output", x.name, (const int64_t[]){0, GAZE}, 2);
    x = hidden(net, "fc_au", &features);
    char scores[GR_NAME];
    unit_scores(net, &x, scores);
    gr_output(net, "au_output", scores, (const int64_t[]){0, UNITS}, 2);
}
