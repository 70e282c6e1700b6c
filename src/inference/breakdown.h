/*
 * What runs where inside one model: operators on the accelerator and on the
 * CPU, the partitions into which the accelerator's share falls, and the
 * tensors that cross between devices. From ONNX Runtime's record of the
 * assignment, taken right after its basic optimisations of the graph, and from
 * the edges of the model file. Making it costs no run.
 *
 * Thread-safety: Safe; it does not change after the session is open.
 */
#ifndef FM_INFERENCE_BREAKDOWN_H
#define FM_INFERENCE_BREAKDOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FM_BREAKDOWN_PROVIDERS_MAX = 8 };

typedef struct fm_breakdown_provider {
    const char *name; /* as operation names end: "onnx_cpu", "coreml"... */
    int operators;
} fm_breakdown_provider;

typedef struct fm_breakdown_type {
    const char *op_type; /* "Conv", "com.microsoft.Gelu" */
    int accelerator, cpu;
} fm_breakdown_type;

typedef struct fm_breakdown {
    int operators;   /* accelerator + cpu */
    int accelerator; /* on any provider but the CPU's */
    int cpu;
    /*
     * Connected pieces of the graph that the accelerator runs, each between two hand-overs. From a provider that
     * compiles whole pieces these are its own pieces; from one that runs operator by operator, its operators that
     * hang together.
     */
    int partitions;
    int crossings;         /* tensors inside the graph that one device makes and the other reads */
    bool crossings_known;  /* else at least so many: operators were rewritten and are not found in the file */
    uint64_t parameters;   /* weights; 0: none, or not known */
    uint64_t weight_bytes; /* all constants */
    fm_breakdown_provider providers[FM_BREAKDOWN_PROVIDERS_MAX]; /* by operators, falling */
    int provider_count;
    fm_breakdown_type *types; /* by operators, falling */
    int type_count;
} fm_breakdown;

#endif
