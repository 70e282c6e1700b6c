/*
 * What this program knows of each decoding: its role, its topology, what goes
 * in, which outputs it reads and how large they are. Manifests are written from
 * these and checked against them; graphs are checked against them, too.
 *
 * Thread-safety: Safe (constant data).
 */
#ifndef FM_MODELS_PACK_CONTRACT_H
#define FM_MODELS_PACK_CONTRACT_H

#include "models/pack.h"

enum {
    FM_PACK_FORMAT = 1,      /* of manifests */
    FM_PACK_SIDE_MAX = 4096 /* of an input, pixels: a tensor of 192 MiB, which every runtime here still takes */
};

#define FM_PACK_LAST_OUTPUT "@last" /* in place of a tensor's name: the model's last output */

typedef struct fm_contract_output {
    const char *key;    /* in the manifest; NULL ends the list */
    const char *tensor; /* its name in the model as its makers export it */
    int values;         /* for one picture; 0: any number of rows of `columns`, the last dimension */
    int columns;        /* both 0: as many as the manifest has units */
} fm_contract_output;

typedef struct fm_contract {
    const char *name;     /* in the manifest */
    fm_model_role role;
    const char *topology; /* of a landmarker, else "" */
    bool any_size;        /* the input may have any size, or that which the manifest says */
    int points;           /* not 0: no picture goes in but [1, points, 2] */
    fm_pack_input input;
    fm_contract_output outputs[FM_PACK_OUTPUTS_MAX + 1];
    int units[FM_PACK_UNITS_MAX]; /* of an AU estimator as it was published; a manifest may have others */
    int unit_count;
} fm_contract;

/* NULL for a number that is none. */
const fm_contract *fm_decoding_contract(fm_decoding decoding);

/* A model as its makers export it: all that a manifest says but file, path, hash, and variant. */
void fm_pack_model_init(fm_pack_model *out, fm_decoding decoding, const char *name);

#endif
