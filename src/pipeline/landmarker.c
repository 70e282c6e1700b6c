#include "pipeline/landmarker.h"

#include <math.h>
#include <string.h>

#include "face/attention.h"
#include "face/depth.h"
#include "face/facemesh.h"
#include "face/star.h"

const fm_topology *fm_topology_named(const char *name)
{
    static const struct {
        const char *name;
        const fm_topology *topology;
    } known[] = {{"mesh468", &fm_topology_mesh468}, {"mesh478", &fm_topology_mesh478}, {"wflw98", &fm_topology_wflw98}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].topology;
    return NULL;
}

void fm_landmarker_init(fm_landmarker *out, const fm_face_model *model)
{
    *out = (fm_landmarker){
        .decoding = model->spec->decoding,
        .topology = fm_topology_named(model->spec->topology),
        .units = model->spec->decoding == FM_DECODING_STAR ? 1 : model->crop.size,
        .points = fm_face_model_output(model, "points"),
        .presence = fm_face_model_output(model, "presence"),
        .lips = fm_face_model_output(model, "lips"),
        .left_eye = fm_face_model_output(model, "left_eye"),
        .right_eye = fm_face_model_output(model, "right_eye"),
        .left_iris = fm_face_model_output(model, "left_iris"),
        .right_iris = fm_face_model_output(model, "right_iris"),
    };
}

static void refine(const fm_landmarker *l, const fm_binding *binding, float *room)
{
    const fm_attention_parts parts = {
        .mesh = fm_binding_output(binding, l->points),
        .lips = fm_binding_output(binding, l->lips),
        .left_eye = fm_binding_output(binding, l->left_eye),
        .right_eye = fm_binding_output(binding, l->right_eye),
        .left_iris = fm_binding_output(binding, l->left_iris),
        .right_iris = fm_binding_output(binding, l->right_iris),
    };
    fm_attention_refine(&parts, room);
}

/* STAR's points as fractions of the crop; what is not finite stays so. */
static void take_flat_points(const float *output, int count, float *room)
{
    for (int i = 0; i < count; i++) {
        const fm_point2 p = fm_star_fraction(&output[2 * i]);
        room[3 * i] = p.x;
        room[3 * i + 1] = p.y;
        room[3 * i + 2] = 0;
    }
}

const float *fm_landmarker_points(const fm_landmarker *l, const fm_binding *binding, float *room,
                                  float *presence_logit)
{
    const float *points = fm_binding_output(binding, l->points);
    const float *presence = fm_binding_output(binding, l->presence);
    *presence_logit = NAN;
    if (presence) /* a score that is no number is none */
        *presence_logit = isnan(presence[0]) ? -INFINITY : presence[0];
    switch (l->decoding) {
    case FM_DECODING_ATTENTION:
        refine(l, binding, room);
        return room;
    case FM_DECODING_STAR:
        take_flat_points(points, l->topology->count, room);
        return room;
    default:
        return points;
    }
}

void fm_landmarker_average(const fm_landmarker *l, float *first, const float *flipped)
{
    for (int i = 0; i < l->topology->count; i++) {
        const float *partner = flipped + 3 * l->topology->mirror[i];
        first[3 * i] = (first[3 * i] + ((float)l->units - partner[0])) / 2;
        first[3 * i + 1] = (first[3 * i + 1] + partner[1]) / 2;
        first[3 * i + 2] = (first[3 * i + 2] + partner[2]) / 2;
    }
}

void fm_landmarker_place(const fm_landmarker *l, const float *values, float presence_logit, const fm_roi *roi,
                         fm_point3 *points, float *presence)
{
    const bool placed = fm_landmarks_from_network(values, l->topology->count, l->units, roi, points) &&
                        fm_depth_from_mean_face(points, l->topology);
    *presence = !placed || presence_logit == INFINITY ? 0.0f : isnan(presence_logit) ? NAN : fm_sigmoid(presence_logit);
}
