/*
 * Graphs of packs, opened in ONNX Runtime to compare them with their manifest.
 *
 * Thread-safety: Unsafe (one thread at a time).
 */
#ifndef FM_CLI_PACK_GRAPHS_H
#define FM_CLI_PACK_GRAPHS_H

#include "inference/session.h"
#include "models/pack.h"

/* Opens the model's file and checks inputs and outputs. FM_E_MODEL. */
fm_status fm_pack_graph_check(fm_runtime *runtime, const fm_pack_model *model, fm_error *err);

/*
 * The same of bytes, which come from model->path. `adopt`: the manifest is still to be written, so the input's name
 * and, where the decoding takes any, its size are those of the graph.
 */
fm_status fm_pack_graph_check_bytes(fm_runtime *runtime, fm_pack_model *model, bool adopt, const void *onnx,
                                    size_t size, fm_error *err);

#endif
