/* outline_seed FILE: writes a small ONNX graph with every part that the outline reads, as a seed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "models/onnx_graph.h"

static void add_node(fm_onnx *graph, const char *op_type, const char *a, const char *b, const char *out)
{
    static const int64_t pads[] = {1, 1, 1, 1};
    fm_onnx_node_begin(graph, op_type, out);
    fm_onnx_node_input(graph, a);
    fm_onnx_node_input(graph, b);
    fm_onnx_node_output(graph, out);
    fm_onnx_node_ints(graph, "pads", pads, 4);
    fm_onnx_node_end(graph);
}

int main(int argc, char **argv)
{
    static const int64_t picture[] = {1, 2, 4, 4}, weights[] = {2, 2, 3, 3}, shape[] = {1, 32};
    if (argc != 2) {
        fprintf(stderr, "Usage: outline_seed FILE\n");
        return 2;
    }
    fm_onnx graph;
    fm_onnx_init(&graph, 1 << 16);
    fm_onnx_input(&graph, "x", picture, 4);
    fm_onnx_output(&graph, "y", shape, 2);
    uint8_t *room = fm_onnx_constant_f32(&graph, "w", weights, 4, 36);
    if (room)
        memset(room, 0, 4 * 36);
    fm_onnx_constant_i64(&graph, "shape", shape, 2);
    add_node(&graph, "Conv", "x", "w", "a");
    add_node(&graph, "Add", "a", "x", "b");
    add_node(&graph, "Reshape", "b", "shape", "y");
    uint8_t *data = NULL;
    size_t size = 0;
    fm_error err = {0};
    fm_status status = FM_OK;
    if (fm_onnx_finish(&graph, "seed", &data, &size) != FM_PB_FINE)
        status = fm_fail(&err, FM_E_NO_MEMORY, "out of memory");
    if (status == FM_OK)
        status = fm_file_write(argv[1], data, size, &err);
    if (status != FM_OK)
        fprintf(stderr, "outline_seed: %s\n", err.message);
    free(data);
    fm_onnx_free(&graph);
    return fm_exit_code(status);
}
