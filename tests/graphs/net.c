#include "net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Each part of a graph: the largest, MTL, has 97 MiB of constants. */
#define PART_LIMIT ((size_t)256 << 20)

enum { INPUTS_MAX = 3 };

void gr_init(gr_net *net, int64_t batch, int thin, uint64_t seed)
{
    *net = (gr_net){.random = seed, .batch = batch, .thin = thin};
    fm_onnx_init(&net->onnx, PART_LIMIT);
}

void gr_free(gr_net *net)
{
    fm_onnx_free(&net->onnx);
}

int gr_thin(const gr_net *net, int channels)
{
    return channels > net->thin ? channels / net->thin : 1;
}

const char *gr_join(char out[GR_NAME], const char *path, const char *name)
{
    char joined[2 * GR_NAME];
    snprintf(joined, sizeof joined, "%s/%s", path, name);
    memcpy(out, joined, GR_NAME - 1); /* names here are short; what is cut would be told by the runtime */
    out[GR_NAME - 1] = '\0';
    return out;
}

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t next(gr_net *net)
{
    uint64_t z = net->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void gr_put(uint8_t *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int byte = 0; byte < 4; byte++)
        out[byte] = (uint8_t)(bits >> (8 * byte));
}

void gr_random(gr_net *net, uint8_t *out, size_t count, double middle, double spread)
{
    if (!out)
        return;
    /* Steps of spread / 2^20 from the middle, which is rounded to them: an integer times one factor. */
    enum { STEPS = 1 << 20 };
    const float step = (float)(spread / STEPS);
    const int32_t centre = (int32_t)lround(middle / (spread / STEPS));
    for (size_t i = 0; i < count; i++)
        gr_put(out + 4 * i, (float)(centre + (int32_t)(next(net) >> 43) - STEPS) * step);
}

void gr_constant(gr_net *net, const char *name, const float *values, const int64_t *dims, int rank)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    uint8_t *out = fm_onnx_constant_f32(&net->onnx, name, dims, rank, count);
    for (size_t i = 0; out && i < count; i++)
        gr_put(out + 4 * i, values[i]);
}

void gr_ints(gr_net *net, const char *name, int count, const int64_t *values)
{
    fm_onnx_constant_i64(&net->onnx, name, values, count);
}

void gr_node_begin(gr_net *net, const char *path, const char *op, const char *a, const char *b, const char *c,
                   char out[GR_NAME])
{
    const char *inputs[INPUTS_MAX] = {a, b, c};
    char name[GR_NAME], numbered[64];
    snprintf(numbered, sizeof numbered, "%s_%d", op, net->nodes++);
    fm_onnx_node_begin(&net->onnx, op, gr_join(name, path, numbered));
    for (int i = 0; i < INPUTS_MAX && inputs[i]; i++)
        fm_onnx_node_input(&net->onnx, inputs[i]);
    snprintf(numbered, sizeof numbered, "%s_%d_output_0", op, net->nodes - 1);
    fm_onnx_node_output(&net->onnx, gr_join(out, path, numbered));
}

void gr_node_end(gr_net *net)
{
    fm_onnx_node_end(&net->onnx);
}

void gr_node(gr_net *net, const char *path, const char *op, const char *a, const char *b, char out[GR_NAME])
{
    char name[GR_NAME]; /* out may be one of the inputs */
    gr_node_begin(net, path, op, a, b, NULL, name);
    gr_node_end(net);
    memcpy(out, name, GR_NAME);
}

gr_value gr_input(gr_net *net, const char *name, int channels, int height, int width)
{
    gr_value value = {.channels = channels, .height = height, .width = width};
    snprintf(value.name, sizeof value.name, "%s", name);
    const int64_t dims[] = {net->batch, channels, height, width};
    fm_onnx_input(&net->onnx, name, dims, 4);
    return value;
}

void gr_output(gr_net *net, const char *name, const char *from, const int64_t *dims, int rank)
{
    int64_t with_batch[8];
    memcpy(with_batch, dims, (size_t)rank * sizeof *dims);
    with_batch[0] = net->batch;
    char node[GR_NAME];
    fm_onnx_node_begin(&net->onnx, "Identity", gr_join(node, "out", name));
    fm_onnx_node_input(&net->onnx, from);
    fm_onnx_node_output(&net->onnx, name);
    fm_onnx_node_end(&net->onnx);
    fm_onnx_output(&net->onnx, name, with_batch, rank);
}

#define BIAS_SPREAD 0.02

/* "path/kind" with values around 0; counted as parameters. */
static void weights(gr_net *net, const char *path, const char *kind, const int64_t *dims, int rank,
                    double spread, char name[GR_NAME])
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    gr_join(name, path, kind);
    gr_random(net, fm_onnx_constant_f32(&net->onnx, name, dims, rank, count), count, 0, spread);
    net->parameters += (int64_t)count;
}

void gr_weights(gr_net *net, const char *path, const char *kind, const int64_t *dims, int rank, double gain,
                int fan_in, char name[GR_NAME])
{
    /* An even spread of sqrt(3) has a variance of 1. */
    weights(net, path, kind, dims, rank, gain * sqrt(3.0 / fan_in), name);
}

gr_value gr_conv(gr_net *net, const char *path, const gr_value *x, const gr_conv_options *o)
{
    const int stride = o->stride ? o->stride : 1, groups = o->groups ? o->groups : 1;
    const int each = x->channels / groups, fan_in = each * o->kernel * o->kernel;
    const int64_t dims[] = {o->out, each, o->kernel, o->kernel};
    const int64_t strides[] = {stride, stride}, pads[] = {o->pad, o->pad, o->pad, o->pad};
    char weight[GR_NAME], bias[GR_NAME];
    gr_weights(net, path, "weight", dims, 4, o->gain > 0 ? o->gain : 1, fan_in, weight);
    weights(net, path, "bias", dims, 1, BIAS_SPREAD, bias);
    gr_value out = {.channels = o->out,
                    .height = (x->height + 2 * o->pad - o->kernel) / stride + 1,
                    .width = (x->width + 2 * o->pad - o->kernel) / stride + 1};
    gr_node_begin(net, path, "Conv", x->name, weight, bias, out.name);
    fm_onnx_node_ints(&net->onnx, "kernel_shape", &dims[2], 2);
    fm_onnx_node_ints(&net->onnx, "strides", strides, 2);
    fm_onnx_node_ints(&net->onnx, "pads", pads, 4);
    fm_onnx_node_int(&net->onnx, "group", groups);
    gr_node_end(net);
    net->macs += (int64_t)fan_in * out.channels * out.height * out.width;
    return out;
}

gr_value gr_linear(gr_net *net, const char *path, const gr_value *x, int out_channels, double gain)
{
    const int64_t dims[] = {out_channels, x->channels};
    char weight[GR_NAME], bias[GR_NAME];
    gr_weights(net, path, "weight", dims, 2, gain, x->channels, weight);
    weights(net, path, "bias", dims, 1, BIAS_SPREAD, bias);
    gr_value out = {.channels = out_channels};
    gr_node_begin(net, path, "Gemm", x->name, weight, bias, out.name);
    fm_onnx_node_int(&net->onnx, "transB", 1);
    gr_node_end(net);
    net->macs += dims[0] * dims[1];
    return out;
}

gr_value gr_batch_norm(gr_net *net, const char *path, const gr_value *x, float variance)
{
    static const struct {
        const char *name;
        double middle, spread;
    } parts[] = {{"weight", 1, 0.2}, {"bias", 0, 0.1}, {"running_mean", 0, 0.1}, {"running_var", 1, 0.2}};
    enum { PARTS = sizeof parts / sizeof parts[0] };
    const int64_t dims = x->channels;
    char names[PARTS][GR_NAME];
    for (int i = 0; i < PARTS; i++) {
        const double unit = i == PARTS - 1 ? variance : 1;
        uint8_t *room = fm_onnx_constant_f32(&net->onnx, gr_join(names[i], path, parts[i].name), &dims, 1,
                                             (size_t)dims);
        gr_random(net, room, (size_t)dims, unit * parts[i].middle, unit * parts[i].spread);
        net->parameters += dims;
    }
    gr_value out = *x;
    gr_node_begin(net, path, "BatchNormalization", x->name, names[0], names[1], out.name);
    fm_onnx_node_input(&net->onnx, names[2]);
    fm_onnx_node_input(&net->onnx, names[3]);
    fm_onnx_node_float(&net->onnx, "epsilon", 1e-5f);
    gr_node_end(net);
    return out;
}

gr_value gr_unary(gr_net *net, const char *path, const char *op, const gr_value *x)
{
    gr_value out = *x;
    gr_node(net, path, op, x->name, NULL, out.name);
    return out;
}

gr_value gr_binary(gr_net *net, const char *path, const char *op, const gr_value *a, const gr_value *b)
{
    gr_value out = *a;
    gr_node(net, path, op, a->name, b->name, out.name);
    return out;
}

gr_value gr_silu(gr_net *net, const char *path, const gr_value *x)
{
    const gr_value gate = gr_unary(net, path, "Sigmoid", x);
    return gr_binary(net, path, "Mul", x, &gate);
}
