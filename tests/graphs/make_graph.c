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

enum { SEED = 20 };

typedef struct order {
    const char *graph, *path;
    int64_t batch;
    int fragments;
    int width, height; /* 0: open */
} order;

static int usage(FILE *stream, int code)
{
    fputs("Usage: make_graph [options] star|mtl|retinaface-standin FILE.onnx\n"
          "Writes a graph of that network's architecture with random weights, the same on every machine;\n"
          "the stand-in for RetinaFace finds skin colour.\n"
          "  --dynamic      the batch is open instead of 1\n"
          "  --fragment N   mtl: N operators in between that accelerators refuse (0 to 32)\n"
          "  --size WxH     retinaface-standin: a fixed input size (default: open)\n",
          stream);
    return code;
}

static bool read_size(const char *text, order *job)
{
    char rest;
    return sscanf(text, "%5dx%5d%c", &job->width, &job->height, &rest) == 2 && job->width > 0 && job->height > 0;
}

static bool draw(gr_net *net, const order *job)
{
    if (strcmp(job->graph, "star") == 0)
        gr_write_star(net);
    else if (strcmp(job->graph, "mtl") == 0)
        gr_write_mtl(net, job->fragments);
    else if (strcmp(job->graph, "retinaface-standin") == 0)
        gr_write_retinaface_standin(net, job->width, job->height);
    else
        return false;
    return true;
}

static fm_status write_graph(gr_net *net, const order *job, fm_error *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    fm_pb_failure failure = fm_onnx_failure(&net->onnx);
    if (failure == FM_PB_FINE)
        failure = fm_onnx_finish(&net->onnx, job->graph, &data, &size);
    fm_status status = failure == FM_PB_FINE
                           ? fm_file_write(job->path, data, size, err)
                           : fm_fail(err, FM_E_NO_MEMORY, "out of memory for the graph '%s'", job->graph);
    free(data);
    if (status == FM_OK)
        printf("%s: %" PRId64 " parameters, %" PRId64 " MACs, %zu bytes\n", job->graph, net->parameters, net->macs,
               size);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"dynamic", no_argument, NULL, 'd'},
                                            {"fragment", required_argument, NULL, 'f'},
                                            {"size", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    order job = {.batch = 1};
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        char *end = NULL;
        switch (c) {
        case 'd':
            job.batch = GR_OPEN;
            break;
        case 'f': {
            const long n = strtol(optarg, &end, 10);
            if (*end || n < 0 || n > GR_FRAGMENTS_MAX)
                return usage(stderr, 2);
            job.fragments = (int)n;
            break;
        }
        case 's':
            if (!read_size(optarg, &job))
                return usage(stderr, 2);
            break;
        case 'h':
            return usage(stdout, 0);
        default:
            return usage(stderr, 2);
        }
    }
    if (argc - optind != 2)
        return usage(stderr, 2);
    job.graph = argv[optind];
    job.path = argv[optind + 1];
    gr_net net;
    gr_init(&net, job.batch, SEED);
    fm_error err = {0};
    if (!draw(&net, &job)) {
        gr_free(&net);
        return usage(stderr, 2);
    }
    const fm_status status = write_graph(&net, &job, &err);
    gr_free(&net);
    if (status != FM_OK)
        fprintf(stderr, "make_graph: %s\n", err.message);
    return fm_exit_code(status);
}
