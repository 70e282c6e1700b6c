/*
 * A loaded graph against its manifest: the input and the outputs that the
 * decoding reads, with their shapes.
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_PIPELINE_MODEL_CHECK_H
#define FM_PIPELINE_MODEL_CHECK_H

#include "inference/session.h"
#include "models/pack.h"

/*
 * FM_E_MODEL names the file, the tensor, what it must be and what it is. A
 * dimension that the graph leaves open fits any; the first is the batch and may
 * be open or 1.
 */
fm_status fm_model_check(const fm_pack_model *model, const fm_session *session, fm_error *err);

/* Index of the output for a key of the manifest ("@last" is understood); -1: the graph or the manifest lacks it. */
int fm_model_output(const fm_pack_model *model, const fm_session *session, const char *key);

#endif
