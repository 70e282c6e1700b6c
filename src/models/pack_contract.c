#include "models/pack_contract.h"

#include <stdio.h>
#include <string.h>

/* Sources of names, sizes and normalisation: the headers of src/face and src/pipeline/landmarker.h. */
static const fm_contract contracts[FM_DECODINGS] = {
    [FM_DECODING_BLAZEFACE] = {
        .name = "blazeface", .role = FM_ROLE_DETECTOR, .topology = "",
        .input = {.name = "input", .width = 128, .height = 128, .scale = 1 / 127.5f, .bias = -1,
                  .deviation = {1, 1, 1}},
        .outputs = {{"boxes", "regressors", 896 * 16, 0}, {"scores", "classificators", 896, 0}},
    },
    [FM_DECODING_RETINAFACE] = {
        .name = "retinaface", .role = FM_ROLE_DETECTOR, .topology = "", .any_size = true,
        .input = {.name = "input", .bgr = true, .scale = 1, .mean = {123, 117, 104}, .deviation = {1, 1, 1}},
        .outputs = {{"boxes", "loc", 0, 4}, {"scores", "conf", 0, 2}, {"points", "landms", 0, 10}},
    },
    [FM_DECODING_FACEMESH] = {
        .name = "facemesh", .role = FM_ROLE_LANDMARKER, .topology = "mesh468",
        .input = {.name = "input_1", .width = 192, .height = 192, .scale = 1 / 255.0f, .deviation = {1, 1, 1}},
        .outputs = {{"points", "conv2d_21", 3 * 468, 0}, {"presence", "conv2d_31", 1, 0}},
    },
    [FM_DECODING_ATTENTION] = {
        .name = "facemesh_attention", .role = FM_ROLE_LANDMARKER, .topology = "mesh478",
        .input = {.name = "input_1", .width = 192, .height = 192, .scale = 1 / 255.0f, .deviation = {1, 1, 1}},
        .outputs = {{"points", "output_mesh_identity", 3 * 468, 0}, {"lips", "output_lips", 2 * 80, 0},
                    {"left_eye", "output_left_eye", 2 * 71, 0}, {"right_eye", "output_right_eye", 2 * 71, 0},
                    {"left_iris", "output_left_iris", 2 * 5, 0}, {"right_iris", "output_right_iris", 2 * 5, 0},
                    {"presence", "conv_faceflag", 1, 0}},
    },
    [FM_DECODING_FACEMESH_V2] = {
        .name = "facemesh_v2", .role = FM_ROLE_LANDMARKER, .topology = "mesh478",
        .input = {.name = "input_12", .width = 256, .height = 256, .scale = 1 / 255.0f, .deviation = {1, 1, 1}},
        .outputs = {{"points", "Identity", 3 * 478, 0}, {"presence", "Identity_1", 1, 0}},
    },
    [FM_DECODING_STAR] = {
        .name = "star", .role = FM_ROLE_LANDMARKER, .topology = "wflw98",
        .input = {.name = "input_image", .width = 256, .height = 256, .bgr = true, .scale = 1 / 127.5f, .bias = -1,
                  .deviation = {1, 1, 1}},
        .outputs = {{"points", FM_PACK_LAST_OUTPUT, 2 * 98, 0}},
    },
    [FM_DECODING_OPENFACE_MTL] = {
        .name = "openface_mtl", .role = FM_ROLE_AU_ESTIMATOR, .topology = "",
        .input = {.name = "input_face", .width = 224, .height = 224, .scale = 1 / 255.0f,
                  .mean = {0.485f, 0.456f, 0.406f}, .deviation = {0.229f, 0.224f, 0.225f}},
        .outputs = {{"emotion", "emotion_output", 8, 0}, {"gaze", "gaze_output", 2, 0}, {"units", "au_output", 0, 0}},
        .units = {1, 2, 4, 6, 9, 12, 25, 26}, .unit_count = 8,
    },
    [FM_DECODING_BLENDSHAPES] = {
        .name = "blendshapes", .role = FM_ROLE_BLENDSHAPES, .topology = "", .points = 146,
        .input = {.name = "serving_default_input_points:0", .scale = 1, .deviation = {1, 1, 1}},
        .outputs = {{"scores", "StatefulPartitionedCall:0", 52, 0}},
    },
};

static const char *const role_names[FM_ROLES] = {
    [FM_ROLE_DETECTOR] = "detector",
    [FM_ROLE_LANDMARKER] = "landmarker",
    [FM_ROLE_AU_ESTIMATOR] = "au_estimator",
    [FM_ROLE_BLENDSHAPES] = "blendshapes",
};

const fm_contract *fm_decoding_contract(fm_decoding decoding)
{
    return (unsigned)decoding < FM_DECODINGS ? &contracts[decoding] : NULL;
}

const char *fm_decoding_name(fm_decoding decoding)
{
    return (unsigned)decoding < FM_DECODINGS ? contracts[decoding].name : "";
}

const char *fm_model_role_name(fm_model_role role)
{
    return (unsigned)role < FM_ROLES ? role_names[role] : "";
}

void fm_pack_model_init(fm_pack_model *out, fm_decoding decoding, const char *name)
{
    const fm_contract *contract = &contracts[decoding];
    *out = (fm_pack_model){.role = contract->role, .decoding = decoding, .input = contract->input};
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->topology, sizeof out->topology, "%s", contract->topology);
    for (const fm_contract_output *o = contract->outputs; o->key; o++) {
        fm_pack_output *output = &out->outputs[out->output_count++];
        snprintf(output->key, sizeof output->key, "%s", o->key);
        snprintf(output->tensor, sizeof output->tensor, "%s", o->tensor);
    }
    memcpy(out->units, contract->units, sizeof out->units);
    out->unit_count = contract->unit_count;
}
