/*
 * Multiplications with addition (MACs) of a model: from the shapes that one
 * profiled run of the graph as the file has it (no operator fused) tells.
 *
 *     Conv           output elements x weights behind one of them (channels of its group x kernel)
 *     ConvTranspose  input elements x weights in front of one of them
 *     MatMul, Gemm   output elements x length of the sum
 *
 * Exact for dense operators of these types; a multiplication with a zero of
 * the padding counts, an addition of a bias does not. Others (element by
 * element, pooling, quantised operators) count nothing.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_INFERENCE_MACS_H
#define FM_INFERENCE_MACS_H

#include "inference/node_stream.h"
#include "inference/session.h"

enum { FM_MACS_TYPES_MAX = 8 };

typedef struct fm_macs_type {
    const char *op_type; /* constant */
    int operators;       /* that ran */
    uint64_t macs;
} fm_macs_type;

typedef struct fm_macs {
    uint64_t total;
    fm_macs_type types[FM_MACS_TYPES_MAX];
    int type_count;
    int unknown; /* operators of these types whose shapes could not be read: the total is "at least" */
} fm_macs;

/* Adds a node. */
void fm_macs_add(fm_macs *macs, const fm_node_event *event);
/* Of the type; 0 when none of it ran. */
uint64_t fm_macs_of_type(const fm_macs *macs, const char *op_type);

/*
 * Runs a model file once over zeros, on the CPU. dims (rank entries) where it leaves its input open, else NULL. Errors
 * as fm_session_open and fm_binding_run; FM_E_RUNTIME when the run told nothing.
 */
fm_status fm_macs_count(fm_macs *out, fm_runtime *runtime, const char *path, const int64_t *dims, int rank,
                        fm_error *err);

#endif
