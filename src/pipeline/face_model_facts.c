#include "pipeline/face_model_facts.h"

#include <stdlib.h>

fm_status fm_face_model_fallbacks(const fm_session *session, fm_report_operator **list, size_t *count, fm_error *err)
{
    *list = NULL;
    *count = 0;
    const fm_breakdown *b = fm_session_breakdown(session);
    if (b->accelerator == 0 || b->cpu == 0)
        return FM_OK;
    fm_report_operator *types = calloc((size_t)b->type_count, sizeof *types);
    if (!types)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the models");
    for (int i = 0; i < b->type_count; i++)
        if (b->types[i].cpu > 0)
            types[(*count)++] = (fm_report_operator){.type = b->types[i].op_type, .count = b->types[i].cpu};
    *list = types;
    return FM_OK;
}

fm_report_model fm_face_model_facts(const fm_pack_model *spec, const fm_session *session,
                                    const fm_report_operator *fallbacks, size_t fallback_count)
{
    const fm_breakdown *b = fm_session_breakdown(session);
    return (fm_report_model){
        .name = spec->name,
        .role = fm_model_role_name(spec->role),
        .file = spec->file,
        .backend = fm_session_backend(session),
        .load_seconds = fm_session_load_seconds(session),
        .has_breakdown = true,
        .breakdown = {
            .asked = fm_session_asked(session),
            .reason = fm_session_fallback_reason(session),
            .operators = b->operators,
            .accelerator = b->accelerator,
            .partitions = b->partitions,
            .crossings = b->crossings,
            .crossings_known = b->crossings_known,
            .parameters = b->parameters < INT64_MAX ? (int64_t)b->parameters : INT64_MAX,
            .weight_bytes = b->weight_bytes < INT64_MAX ? (int64_t)b->weight_bytes : INT64_MAX,
            .fallbacks = fallbacks,
            .fallback_count = fallback_count,
        },
    };
}
