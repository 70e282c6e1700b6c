/*
 * What an entry of the cache depends on, as a name.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_INFERENCE_CACHE_KEY_H
#define FM_INFERENCE_CACHE_KEY_H

#include <stdbool.h>

#include "models/sha256.h"

typedef struct fm_cache_facts {
    const char *model;     /* SHA-256 of its file: 64 lower-case hexadecimal digits */
    const char *runtime;   /* version of ONNX Runtime */
    const char *build;     /* its build: commit, compiler and flags */
    const char *provider;  /* full name */
    const char *processor; /* as fm_cache_processor gives it */
    const char *const *options; /* of the provider, in the order given */
    int option_count;
} fm_cache_facts;

/* A name of 64 hexadecimal digits that differs when any of the facts does. False: a fact is missing, or no memory. */
bool fm_cache_name(const fm_cache_facts *facts, char name[FM_SHA256_HEX]);

/* A hash of the processor's maker, model and features. False: the system does not tell. */
bool fm_cache_processor(char out[FM_SHA256_HEX]);

#endif
