/*
 * An entry of the cache: a graph in ONNX Runtime's own format (ORT) with a
 * record behind it.
 *
 *   (bytes of the graph)
 *   facemirror graph KEY
 *   graph BYTES CHECKSUM
 *   weights PARAMETERS BYTES
 *   operator COUNT TYPE          for each type, in the breakdown's order
 *   record BYTES CHECKSUM        57 bytes; of the lines before it
 *
 * Checksums are MurmurHash3, 128 bits: they find damage, not malice.
 *
 * Thread-safety: Safe on distinct files.
 */
#ifndef FM_INFERENCE_CACHE_FILE_H
#define FM_INFERENCE_CACHE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/breakdown.h"

typedef struct fm_cached_graph {
    uint8_t *data;     /* the whole file; the graph comes first. free() it */
    size_t graph_size;
    fm_breakdown breakdown; /* to be freed with fm_breakdown_free */
} fm_cached_graph;

/*
 * Adds the record to a graph of the CPU that the runtime has written to `path`. False: it cannot be written, or not
 * kept: there is no graph, it has more than 1 GiB, another provider takes part.
 */
bool fm_cache_file_seal(const char *path, const char *key, const fm_breakdown *breakdown);

/* Reads and checks an entry; *out is then the caller's. False: there is none, or it is damaged or of another key. */
bool fm_cache_file_read(const char *path, const char *key, fm_cached_graph *out);

#endif
