#include "pipeline/landmarker.h"

#include "face/attention.h"

fm_status fm_expect_output(const fm_session *session, const char *file, const char *name,
                           size_t count, int *index, fm_error *err)
{
    *index = fm_session_find_output(session, name);
    if (*index < 0)
        return fm_fail(err, FM_E_MODEL, "'%s' has no output '%s'; import the model again", file, name);
    const fm_tensor_info *info = fm_session_output(session, *index);
    if (info->count != count)
        return fm_fail(err, FM_E_MODEL, "output '%s' of '%s' has %zu values where %zu are expected",
                       name, file, info->count, count);
    return FM_OK;
}

typedef struct expectation {
    const char *name;
    size_t count;
    int *index;
} expectation;

fm_status fm_landmarker_find(fm_landmarker *out, const fm_session *session, const char *file,
                             fm_landmarks_model model, fm_error *err)
{
    bool attention = model == FM_LANDMARKS_ATTENTION;
    *out = (fm_landmarker){.model = model,
                           .topology = attention ? &fm_topology_mesh478 : &fm_topology_mesh468};
    const expectation plain_outputs[] = {
        {"conv2d_21", 3 * (size_t)fm_topology_mesh468.count, &out->points},
        {"conv2d_31", 1, &out->presence},
        {0},
    };
    const expectation attention_outputs[] = {
        {"output_mesh_identity", 3 * FM_ATTENTION_MESH, &out->points},
        {"output_lips", 2 * FM_ATTENTION_LIPS, &out->lips},
        {"output_left_eye", 2 * FM_ATTENTION_EYE, &out->left_eye},
        {"output_right_eye", 2 * FM_ATTENTION_EYE, &out->right_eye},
        {"output_left_iris", 2 * FM_ATTENTION_IRIS, &out->left_iris},
        {"output_right_iris", 2 * FM_ATTENTION_IRIS, &out->right_iris},
        {"conv_faceflag", 1, &out->presence},
        {0},
    };
    fm_status status = FM_OK;
    for (const expectation *e = attention ? attention_outputs : plain_outputs; status == FM_OK && e->name; e++)
        status = fm_expect_output(session, file, e->name, e->count, e->index, err);
    return status;
}

const float *fm_landmarker_points(const fm_landmarker *l, const fm_binding *binding, float *room,
                                  float *presence_logit)
{
    *presence_logit = fm_binding_output(binding, l->presence)[0];
    const float *points = fm_binding_output(binding, l->points);
    if (l->model != FM_LANDMARKS_ATTENTION)
        return points;
    const fm_attention_parts parts = {
        .mesh = points,
        .lips = fm_binding_output(binding, l->lips),
        .left_eye = fm_binding_output(binding, l->left_eye),
        .right_eye = fm_binding_output(binding, l->right_eye),
        .left_iris = fm_binding_output(binding, l->left_iris),
        .right_iris = fm_binding_output(binding, l->right_iris),
    };
    fm_attention_refine(&parts, room);
    return room;
}
