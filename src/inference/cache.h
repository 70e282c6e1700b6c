/*
 * A cache of optimised graphs on disk, so that a model is optimised once and
 * not by every run.
 *
 * An entry is one file: the graph as ONNX Runtime has optimised it for the CPU,
 * in the runtime's own format (ORT), from which weights are used where they lie,
 * and behind it a record (cache_file.h) with the breakdown, which is counted on
 * the model as it is and could not be counted on an optimised graph. It is
 * written under another name and renamed when whole, so that runs beside each
 * other, a kill and a full disk leave whole entries or none. An entry that is
 * damaged or that the runtime refuses is removed, and the model is opened from
 * its own file. No trouble with the cache is an error.
 *
 * The name of an entry is a hash of all that the graph depends on: the model's
 * SHA-256, version and build of ONNX Runtime, the level of optimisation, and
 * the processor's model and features, since the layout of convolutions follows
 * its vector width. The number of threads changes no graph.
 *
 * Only graphs of the CPU are kept so. ONNX Runtime cannot write down what a
 * provider has compiled (it says "Unable to serialize model as it contains
 * compiled nodes"); such a provider gets a folder for a cache of its own where
 * it has one (append.c), named by the provider and by a hash of the same
 * things and its options.
 *
 * Not kept either: a model without options->sha256 (hashing it would cost what
 * is gained with small ones); one that has weights in other files, which that
 * hash does not cover; one that the runtime warns about, so that each run says
 * so; one above 512 MiB.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_INFERENCE_CACHE_H
#define FM_INFERENCE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "facemirror/path.h"

/* What a cache folder may hold; what was used longest ago goes first. */
enum { FM_CACHE_ENTRIES_MAX = 64 };
#define FM_CACHE_BYTES_MAX (UINT64_C(2) << 30)

/*
 * The default folder, which need not exist: $FACEMIRROR_CACHE, else "facemirror/graphs" in the user's cache folder
 * ($XDG_CACHE_HOME, else ~/Library/Caches on macOS and ~/.cache elsewhere). False: there is none.
 */
bool fm_cache_dir(char out[FM_PATH_MAX]);

#endif
