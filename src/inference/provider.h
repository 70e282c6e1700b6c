/*
 * Execution providers by the names that users write, and what was asked for
 * one model. Plain text; nothing here touches ONNX Runtime.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_INFERENCE_PROVIDER_H
#define FM_INFERENCE_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "facemirror/error.h"
#include "facemirror/run.h" /* fm_provider_options */

/* What was asked for, for one model. Strings are the caller's and outlive the session's opening. */
typedef struct fm_provider {
    const char *name;           /* "auto", "cpu", "coreml"...; NULL: "cpu" */
    const char *const *options; /* "key=value" */
    int option_count;
} fm_provider;

/* A provider as users, ONNX Runtime's sessions, and its list of built-in providers name it. */
typedef struct fm_provider_kind {
    const char *name;    /* "coreml"; operation names end in it, except for the CPU's */
    const char *full;    /* "CoreMLExecutionProvider" */
    const char *builtin; /* name for SessionOptionsAppendExecutionProvider; NULL: has a function of its own, or is a plug-in only */
} fm_provider_kind;

/* All kinds but the CPU, most specific first: the order in which "auto" tries them. */
extern const fm_provider_kind fm_provider_kinds[];
extern const size_t fm_provider_kind_count;

#define FM_CPU_PROVIDER "CPUExecutionProvider"

/* The kind of a short or full name, or NULL. */
const fm_provider_kind *fm_provider_kind_of(const char *name);
/* How operation names end for a provider's full name: "onnx_cpu", "coreml"...; its own name when it is not known. */
const char *fm_provider_suffix(const char *full);
/* The full name for a short or full one. */
const char *fm_provider_full_name(const char *name);

/* FM_E_USAGE names a provider that cannot be meant, a model that is not among `models`, or an option without '='. */
fm_status fm_provider_options_check(const fm_provider_options *options, const char *const *models,
                                    size_t model_count, fm_error *err);
/* What `options` ask for the model (any case); "auto" when they say nothing. */
fm_provider fm_provider_for(const fm_provider_options *options, const char *model);

/* The value of "key=value" when the key is `key`, else NULL. */
const char *fm_provider_option_value(const char *option, const char *key);

#endif
