#include "face/mtl.h"

#include <math.h>

#define INTENSITY_PER_UNIT 5.0f
#define PRESENT_FROM 0.5f

const int fm_mtl_au_numbers[FM_MTL_UNITS] = {1, 2, 4, 6, 9, 12, 25, 26};

/* torchvision's normalisation of ImageNet. */
const fm_crop_options fm_mtl_crop = {
    .size = FM_MTL_SIZE,
    .scale = 1.0f / 255.0f,
    .border = FM_BORDER_REPLICATE,
    .mean = {0.485f, 0.456f, 0.406f},
    .deviation = {0.229f, 0.224f, 0.225f},
};

const char *fm_mtl_emotion_name(int index)
{
    static const char *const names[FM_MTL_EMOTIONS] = {"neutral", "happy",   "sad",   "surprise",
                                                       "fear",    "disgust", "anger", "contempt"};
    return index >= 0 && index < FM_MTL_EMOTIONS ? names[index] : "";
}

bool fm_mtl_box(const fm_box *box, double margin, int width, int height, fm_box *out)
{
    const double mx = margin * (box->x1 - box->x0), my = margin * (box->y1 - box->y0);
    const double x0 = trunc(box->x0 - mx), y0 = trunc(box->y0 - my);
    const double x1 = trunc(box->x1 + mx), y1 = trunc(box->y1 + my);
    /* fmax and fmin would swallow a NaN. */
    if (!isfinite(x0) || !isfinite(y0) || !isfinite(x1) || !isfinite(y1))
        return false;
    const fm_box clipped = {fmax(x0, 0), fmax(y0, 0), fmin(x1, width), fmin(y1, height)};
    if (clipped.x1 - clipped.x0 < 1 || clipped.y1 - clipped.y0 < 1)
        return false;
    *out = clipped;
    return true;
}

static bool all_finite(const float *values, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

static void softmax(const float *logits, fm_mtl_result *out)
{
    int best = 0;
    for (int i = 1; i < FM_MTL_EMOTIONS; i++)
        if (logits[i] > logits[best])
            best = i;
    float sum = 0;
    for (int i = 0; i < FM_MTL_EMOTIONS; i++) {
        out->emotion[i] = expf(logits[i] - logits[best]); /* never above 1 */
        sum += out->emotion[i];
    }
    for (int i = 0; i < FM_MTL_EMOTIONS; i++)
        out->emotion[i] /= sum;
    out->best_emotion = best;
}

bool fm_mtl_decode(const float *emotion, const float *gaze, const float *units, int unit_count, fm_mtl_result *out)
{
    if (!all_finite(emotion, FM_MTL_EMOTIONS) || !all_finite(gaze, FM_MTL_GAZE) || !all_finite(units, unit_count))
        return false;
    softmax(emotion, out);
    const float yaw = gaze[0], pitch = gaze[1];
    out->gaze_yaw = yaw;
    out->gaze_pitch = pitch;
    out->gaze = (fm_point3){-cosf(pitch) * sinf(yaw), -sinf(pitch), -cosf(pitch) * cosf(yaw)};
    out->unit_count = unit_count;
    for (int i = 0; i < unit_count; i++)
        out->unit[i] = fminf(1, fmaxf(0, units[i]));
    return true;
}

void fm_mtl_action_units(const fm_mtl_result *result, const int *numbers, fm_au_result *out)
{
    for (int column = 0; column < FM_AU_COUNT; column++) {
        out->intensity[column] = out->presence[column] = NAN;
        for (int i = 0; i < result->unit_count; i++)
            if (numbers[i] == fm_au_numbers[column]) {
                out->intensity[column] = INTENSITY_PER_UNIT * result->unit[i];
                out->presence[column] = result->unit[i] >= PRESENT_FROM ? 1 : 0;
            }
    }
}
