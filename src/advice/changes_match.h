/* What a change's name stands for. Internal to the changes. */
#ifndef FM_ADVICE_CHANGES_MATCH_H
#define FM_ADVICE_CHANGES_MATCH_H

#include "advice/changes.h"

/* For changes of a stage: by its name or the last word of it. */
bool fm_change_is_stage(const fm_change *change, const fm_report_pipeline *pipeline, size_t stage);
/* For changes of all other kinds. */
bool fm_change_is_operation(const fm_change *change, const fmp_operation *operation);
/* Is it the run of a model? */
bool fm_change_is_inference(const fmp_operation *operation);

#endif
