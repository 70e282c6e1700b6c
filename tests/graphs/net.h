/*
 * Layers for the test graphs: an ONNX graph under construction whose weights
 * come from a fixed generator, with names as PyTorch's exporter gives them, and
 * a count of parameters and multiplications.
 *
 * The bytes are the same on every machine: weights are integers times one
 * factor, in little-endian order; no sum of products is formed that a compiler
 * could contract.
 *
 * Thread-safety: Unsafe (one thread at a time).
 */
#ifndef TESTS_GRAPHS_NET_H
#define TESTS_GRAPHS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/onnx_graph.h"

enum { GR_NAME = 128, GR_OPEN = -1 };

typedef struct gr_net {
    fm_onnx onnx;
    uint64_t random;    /* state of the generator */
    int nodes;          /* so far; numbers their outputs */
    int64_t batch;      /* 1, or GR_OPEN */
    int thin;           /* layers have 1/thin of their channels */
    int64_t parameters; /* weights and biases, batch normalisations with their four */
    int64_t macs;       /* multiplications with a weight, for one picture */
} gr_net;

/* A tensor inside the graph: [batch, channels, height, width], or [batch, channels] with height and width 0. */
typedef struct gr_value {
    char name[GR_NAME];
    int channels, height, width;
} gr_value;

/* `batch`: 1 or GR_OPEN. `thin`: 1 for all channels. `seed`: another one gives other weights. */
void gr_init(gr_net *net, int64_t batch, int thin, uint64_t seed);
void gr_free(gr_net *net);
/* What is left of so many channels; at least 1. */
int gr_thin(const gr_net *net, int channels);

/* The graph's input and outputs. */
gr_value gr_input(gr_net *net, const char *name, int channels, int height, int width);
/* An output of `name` and dims (rank entries, the batch first, which is set) that is a copy of `from`. */
void gr_output(gr_net *net, const char *name, const char *from, const int64_t *dims, int rank);

/* `count` values, evenly spread over [middle - spread, middle + spread]. */
void gr_random(gr_net *net, uint8_t *out, size_t count, double middle, double spread);
/* Trained weights "path/kind" of these dims, whose layer has `gain` over `fan_in` inputs; counted. */
void gr_weights(gr_net *net, const char *path, const char *kind, const int64_t *dims, int rank, double gain,
                int fan_in, char name[GR_NAME]);
/* One little-endian float32. */
void gr_put(uint8_t *out, float value);
/* A constant of given values. */
void gr_constant(gr_net *net, const char *name, const float *values, const int64_t *dims, int rank);
void gr_ints(gr_net *net, const char *name, int count, const int64_t *values);

/*
 * A node with up to three inputs (NULL: none) is begun; returns nothing, takes
 * attributes (fm_onnx_node_*), and gr_node_end closes it. `path` is the layer
 * that it belongs to, such as "blocks.1.0/se"; *out gets the name of its output.
 */
void gr_node_begin(gr_net *net, const char *path, const char *op, const char *a, const char *b, const char *c,
                   char out[GR_NAME]);
void gr_node_end(gr_net *net);
/* The same for a node without attributes. */
void gr_node(gr_net *net, const char *path, const char *op, const char *a, const char *b, char out[GR_NAME]);

typedef struct gr_conv_options {
    int out, kernel;
    int stride;  /* 0: 1 */
    int groups;  /* 0: 1 */
    int pad;     /* on each side */
    double gain; /* output's deviation over the input's root mean square; 0: 1 */
} gr_conv_options;

/* With bias, weights evenly spread; a batch normalisation behind it is taken as folded in, as exporters do. */
gr_value gr_conv(gr_net *net, const char *path, const gr_value *x, const gr_conv_options *options);
/* x [batch, channels] -> [batch, out]. */
gr_value gr_linear(gr_net *net, const char *path, const gr_value *x, int out, double gain);
/* Over the channels, as a node; `variance` is what it divides by. */
gr_value gr_batch_norm(gr_net *net, const char *path, const gr_value *x, float variance);

/* Operators that keep the shape. */
gr_value gr_unary(gr_net *net, const char *path, const char *op, const gr_value *x);
gr_value gr_binary(gr_net *net, const char *path, const char *op, const gr_value *a, const gr_value *b);
/* x * sigmoid(x), two nodes as the exporter writes them. */
gr_value gr_silu(gr_net *net, const char *path, const gr_value *x);

/* "folder/name" into out. */
const char *gr_join(char out[GR_NAME], const char *path, const char *name);

#endif
