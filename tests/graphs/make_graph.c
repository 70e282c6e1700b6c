/*
 * Writes one of the test graphs (graphs.h) to a file and says what it has.
 * For tests only; not installed.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "graphs.h"

enum { SEED = 20, THIN_MAX = 64 };

typedef struct order {
    const char *graph, *path;
    int64_t batch;
    int thin, fragments;
    int side;          /* 0: the network's */
    int width, height; /* 0: open */
} order;

static int usage(FILE *stream, int code)
{
    fputs("Usage: make_graph [options] star|mtl|retinaface-standin FILE.onnx\n"
          "Writes a graph of that network's architecture with random weights, the same on every machine;\n"
          "the stand-in for RetinaFace finds skin colour.\n"
          "  --dynamic      the batch is open instead of 1\n"
          "  --thin N       star, mtl: 1/N of the channels (1 to 64)\n"
          "  --side S       star, mtl: smaller pictures, a multiple of 64 (star) or 32 (mtl)\n"
          "  --fragment N   mtl: N operators in between that accelerators refuse (0 to 32)\n"
          "  --size WxH     retinaface-standin: a fixed input size (default: open)\n",
          stream);
    return code;
}

/* A whole number of least to most. */
static bool read_number(const char *text, int least, int most, int *out)
{
    char *end = NULL;
    const long n = strtol(text, &end, 10);
    *out = (int)n;
    return end != text && !*end && n >= least && n <= most;
}

static bool read_size(const char *text, order *o)
{
    char rest;
    return sscanf(text, "%5dx%5d%c", &o->width, &o->height, &rest) == 2 && o->width > 0 && o->height > 0;
}

static bool read_option(int c, const char *value, order *o)
{
    switch (c) {
    case 'd':
        o->batch = GR_OPEN;
        return true;
    case 't':
        return read_number(value, 1, THIN_MAX, &o->thin);
    case 'i':
        return read_number(value, GR_SIDE_STEP, GR_STAR_SIDE, &o->side) && o->side % GR_SIDE_STEP == 0;
    case 'f':
        return read_number(value, 0, GR_FRAGMENTS_MAX, &o->fragments);
    case 's':
        return read_size(value, o);
    default:
        return false;
    }
}

static bool draw(gr_net *net, const order *o)
{
    if (strcmp(o->graph, "star") == 0)
        gr_write_star(net, o->side ? o->side : GR_STAR_SIDE);
    else if (strcmp(o->graph, "mtl") == 0)
        gr_write_mtl(net, o->side ? o->side : GR_MTL_SIDE, o->fragments);
    else if (strcmp(o->graph, "retinaface-standin") == 0)
        gr_write_retinaface_standin(net, o->width, o->height);
    else
        return false;
    return true;
}

static fm_status write_graph(gr_net *net, const order *o, fm_error *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    fm_pb_failure failure = fm_onnx_failure(&net->onnx);
    if (failure == FM_PB_FINE)
        failure = fm_onnx_finish(&net->onnx, o->graph, &data, &size);
    fm_status status = failure == FM_PB_FINE
                           ? fm_file_write(o->path, data, size, err)
                           : fm_fail(err, FM_E_NO_MEMORY, "out of memory for the graph '%s'", o->graph);
    free(data);
    if (status == FM_OK)
        printf("%s: %" PRId64 " parameters, %" PRId64 " MACs, %zu bytes\n", o->graph, net->parameters, net->macs,
               size);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"dynamic", no_argument, NULL, 'd'},
                                            {"thin", required_argument, NULL, 't'},
                                            {"side", required_argument, NULL, 'i'},
                                            {"fragment", required_argument, NULL, 'f'},
                                            {"size", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    order o = {.batch = 1, .thin = 1};
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 'h')
            return usage(stdout, 0);
        if (!read_option(c, optarg, &o))
            return usage(stderr, 2);
    }
    if (argc - optind != 2)
        return usage(stderr, 2);
    o.graph = argv[optind];
    o.path = argv[optind + 1];
    gr_net net;
    gr_init(&net, o.batch, o.thin, SEED);
    fm_error err = {0};
    const bool known = draw(&net, &o);
    const fm_status status = known ? write_graph(&net, &o, &err) : FM_E_USAGE;
    gr_free(&net);
    if (!known)
        return usage(stderr, 2);
    if (status != FM_OK)
        fprintf(stderr, "make_graph: %s\n", err.message);
    return fm_exit_code(status);
}
