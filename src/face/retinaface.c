#include "face/retinaface.h"

#include <math.h>

#define VARIANCE_CENTRE 0.1f
#define VARIANCE_SIZE 0.2f

enum { LEVELS = 3, SIZES = 2 };

static const struct level {
    int stride;
    float size[SIZES]; /* pixels */
} levels[LEVELS] = {{8, {16, 32}}, {16, {64, 128}}, {32, {256, 512}}};

const fm_crop_options fm_retinaface_crop = {
    .scale = 1.0f,
    .border = FM_BORDER_ZERO,
    .mean = {123.0f, 117.0f, 104.0f},
    .bgr = true,
};

static bool in_range(int width, int height)
{
    return width >= 1 && height >= 1 && width <= FM_RETINAFACE_SIDE_MAX &&
           height <= FM_RETINAFACE_SIDE_MAX;
}

bool fm_retinaface_scaled(int image_width, int image_height, double factor, fm_retinaface_input *out)
{
    const double width = nearbyint(image_width * factor), height = nearbyint(image_height * factor);
    /* Written so that a value that is not finite fails. */
    if (!(width >= 1 && height >= 1 && width <= FM_RETINAFACE_SIDE_MAX &&
          height <= FM_RETINAFACE_SIDE_MAX))
        return false;
    *out = (fm_retinaface_input){(int)width, (int)height, {0, 0, width / factor, height / factor}};
    return true;
}

bool fm_retinaface_letterboxed(int image_width, int image_height, int width, int height,
                               fm_retinaface_input *out)
{
    if (!in_range(width, height) || image_width < 1 || image_height < 1)
        return false;
    const double per_pixel = fmax((double)image_width / width, (double)image_height / height);
    const double half_w = 0.5 * width * per_pixel, half_h = 0.5 * height * per_pixel;
    const double cx = 0.5 * image_width, cy = 0.5 * image_height;
    *out = (fm_retinaface_input){width, height, {cx - half_w, cy - half_h, cx + half_w, cy + half_h}};
    return true;
}

static int cells(int side, int stride)
{
    return (side + stride - 1) / stride;
}

size_t fm_retinaface_priors(int width, int height)
{
    if (!in_range(width, height))
        return 0;
    size_t count = 0;
    for (int i = 0; i < LEVELS; i++)
        count += SIZES * (size_t)cells(width, levels[i].stride) * (size_t)cells(height, levels[i].stride);
    return count;
}

/* A prior in pixels of the tensor. */
typedef struct prior {
    float cx, cy, size;
} prior;

static prior prior_at(int width, int height, size_t index)
{
    const struct level *level = levels;
    for (int i = 0; i < LEVELS - 1; i++) {
        const size_t here =
            SIZES * (size_t)cells(width, level->stride) * (size_t)cells(height, level->stride);
        if (index < here)
            break;
        index -= here;
        level++;
    }
    const size_t columns = (size_t)cells(width, level->stride), cell = index / SIZES;
    return (prior){((float)(cell % columns) + 0.5f) * (float)level->stride,
                   ((float)(cell / columns) + 0.5f) * (float)level->stride,
                   level->size[index % SIZES]};
}

/* The raw tensors with all that a row of them needs to become a face. */
typedef struct source {
    const float *loc, *conf, *landms;
    const fm_retinaface_input *input;
    double step_x, step_y; /* image pixels in a tensor pixel */
} source;

static fm_point2 to_image(const source *s, float x, float y)
{
    return (fm_point2){(float)(s->input->box.x0 + x * s->step_x),
                       (float)(s->input->box.y0 + y * s->step_y)};
}

static bool is_finite_face(const fm_retinaface_face *f)
{
    bool ok = isfinite(f->x0) && isfinite(f->y0) && isfinite(f->x1) && isfinite(f->y1);
    for (int k = 0; k < FM_RETINAFACE_POINTS; k++)
        ok = ok && isfinite(f->point[k].x) && isfinite(f->point[k].y);
    return ok;
}

/* False when the row holds no finite box. */
static bool decode_row(const source *s, size_t index, fm_retinaface_face *out)
{
    const prior p = prior_at(s->input->width, s->input->height, index);
    const float *loc = s->loc + index * FM_RETINAFACE_LOC;
    const float *landms = s->landms + index * FM_RETINAFACE_LANDMS;
    const float reach = VARIANCE_CENTRE * p.size;
    const float cx = p.cx + loc[0] * reach, cy = p.cy + loc[1] * reach;
    const float half_w = 0.5f * p.size * expf(loc[2] * VARIANCE_SIZE);
    const float half_h = 0.5f * p.size * expf(loc[3] * VARIANCE_SIZE);
    const fm_point2 a = to_image(s, cx - half_w, cy - half_h);
    const fm_point2 b = to_image(s, cx + half_w, cy + half_h);
    *out = (fm_retinaface_face){a.x, a.y, b.x, b.y, s->conf[index * FM_RETINAFACE_CONF + 1], {{0, 0}}};
    for (int k = 0; k < FM_RETINAFACE_POINTS; k++)
        out->point[k] = to_image(s, p.cx + landms[2 * k] * reach, p.cy + landms[2 * k + 1] * reach);
    return is_finite_face(out);
}

/* With one pixel added to each side, as py_cpu_nms does. */
static float overlap(const fm_retinaface_face *a, const fm_retinaface_face *b)
{
    const float w = fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0) + 1.0f;
    const float h = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0) + 1.0f;
    if (w <= 0.0f || h <= 0.0f)
        return 0.0f;
    const float both = w * h;
    const float area_a = (a->x1 - a->x0 + 1.0f) * (a->y1 - a->y0 + 1.0f);
    const float area_b = (b->x1 - b->x0 + 1.0f) * (b->y1 - b->y0 + 1.0f);
    return both / (area_a + area_b - both);
}

static bool is_suppressed(const fm_retinaface_face *face, const fm_retinaface_face *kept, int count,
                          float nms_iou)
{
    for (int i = 0; i < count; i++)
        if (overlap(face, &kept[i]) > nms_iou)
            return true;
    return false;
}

/* The best face that none of the kept ones suppresses. False when there is none. */
static bool next_best(const source *s, size_t rows, float min_score, float nms_iou,
                      const fm_retinaface_face *kept, int count, fm_retinaface_face *best)
{
    bool found = false;
    for (size_t i = 0; i < rows; i++) {
        const float score = s->conf[i * FM_RETINAFACE_CONF + 1];
        fm_retinaface_face face;
        /* A NaN fails the first comparison. */
        if (!(score >= min_score) || isinf(score) || (found && score <= best->score) ||
            !decode_row(s, i, &face) || is_suppressed(&face, kept, count, nms_iou))
            continue;
        *best = face;
        found = true;
    }
    return found;
}

/*
 * Greedy suppression without a list of candidates: few faces are wanted, and
 * few rows pass the threshold, so a pass over the scores for each face is
 * cheaper than sorting them.
 */
int fm_retinaface_decode(const float *loc, const float *conf, const float *landms,
                         const fm_retinaface_input *input, float min_score, float nms_iou,
                         fm_retinaface_face *out, int max)
{
    const size_t rows = fm_retinaface_priors(input->width, input->height);
    if (rows == 0)
        return 0;
    const source s = {
        .loc = loc,
        .conf = conf,
        .landms = landms,
        .input = input,
        .step_x = (input->box.x1 - input->box.x0) / input->width,
        .step_y = (input->box.y1 - input->box.y0) / input->height,
    };
    int count = 0;
    while (count < max && next_best(&s, rows, min_score, nms_iou, out, count, &out[count]))
        count++;
    return count;
}

fm_detection fm_retinaface_detection(const fm_retinaface_face *face)
{
    const fm_point2 left = face->point[FM_RETINAFACE_IMAGE_LEFT_MOUTH];
    const fm_point2 right = face->point[FM_RETINAFACE_IMAGE_RIGHT_MOUTH];
    fm_detection d = {face->x0, face->y0, face->x1, face->y1, face->score, {{0, 0}}};
    d.key[FM_KEY_IMAGE_LEFT_EYE] = face->point[FM_RETINAFACE_IMAGE_LEFT_EYE];
    d.key[FM_KEY_IMAGE_RIGHT_EYE] = face->point[FM_RETINAFACE_IMAGE_RIGHT_EYE];
    d.key[FM_KEY_NOSE] = face->point[FM_RETINAFACE_NOSE];
    d.key[FM_KEY_MOUTH] = (fm_point2){0.5f * (left.x + right.x), 0.5f * (left.y + right.y)};
    d.key[FM_KEY_IMAGE_LEFT_EAR] = d.key[FM_KEY_IMAGE_RIGHT_EAR] = (fm_point2){NAN, NAN};
    return d;
}
