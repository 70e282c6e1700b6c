/*
 * What the report says of a loaded model.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_PIPELINE_FACE_MODEL_FACTS_H
#define FM_PIPELINE_FACE_MODEL_FACTS_H

#include "inference/session.h"
#include "models/pack.h"
#include "report/report.h"

/* The operator types that run on the CPU although the model has an accelerator; free() the list. FM_E_NO_MEMORY. */
fm_status fm_face_model_fallbacks(const fm_session *session, fm_report_operator **list, size_t *count, fm_error *err);

/* The facts; what they point to is the arguments'. */
fm_report_model fm_face_model_facts(const fm_pack_model *spec, const fm_session *session,
                                    const fm_report_operator *fallbacks, size_t fallback_count);

#endif
