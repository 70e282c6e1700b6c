#include "framing.h"

#include <math.h>

static const double face_part = 0.45; /* of the frame's width */
static const double place_x = 0.5, place_y = 0.45;

/* The search for the place: steps of a percent of the frame, up to 15 % from the wish. */
enum { PLACE_STEPS = 15, CYCLE_SAMPLES = 96 };

fm_view fm_framing_view(const fm_framing *framing, const fm_head_motion *head)
{
    const double scale = framing->zoom * head->scale;
    return (fm_view){
        .from = framing->pivot,
        .to = {framing->place.x + head->dx * framing->width, framing->place.y + head->dy * framing->width},
        .a = scale * cos(head->turn),
        .b = scale * sin(head->turn),
    };
}

fm_vec2 fm_view_forward(const fm_view *view, fm_vec2 still)
{
    const double x = still.x - view->from.x, y = still.y - view->from.y;
    return (fm_vec2){view->to.x + view->a * x - view->b * y, view->to.y + view->b * x + view->a * y};
}

fm_vec2 fm_view_inverse(const fm_view *view, fm_vec2 clip)
{
    const double x = clip.x - view->to.x, y = clip.y - view->to.y;
    const double n = view->a * view->a + view->b * view->b;
    return (fm_vec2){view->from.x + (view->a * x + view->b * y) / n,
                     view->from.y + (view->a * y - view->b * x) / n};
}

/* Box in the still of all that the frame shows over one cycle. */
static fm_warp_rect shown(const fm_framing *framing)
{
    fm_warp_rect box = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (int i = 0; i < CYCLE_SAMPLES; i++) {
        const fm_moment moment = fm_timeline_at((double)i / CYCLE_SAMPLES, 1.0, FM_SIDE_LEFT);
        const fm_view view = fm_framing_view(framing, &moment.head);
        for (int corner = 0; corner < 4; corner++) {
            const fm_vec2 clip = {corner & 1 ? framing->width : 0.0, corner & 2 ? framing->height : 0.0};
            const fm_vec2 p = fm_view_inverse(&view, clip);
            box.x0 = fmin(box.x0, p.x);
            box.y0 = fmin(box.y0, p.y);
            box.x1 = fmax(box.x1, p.x);
            box.y1 = fmax(box.y1, p.y);
        }
    }
    return box;
}

/*
 * Moves one coordinate of the place off its wish until the box [low, high]
 * fits in 0..size. The box moves against the place, by 1 / zoom.
 */
static double settle(double wish, int extent, double zoom, double low, double high, int size)
{
    double best = wish, best_outside = INFINITY;
    for (int step = 0; step <= 2 * PLACE_STEPS; step++) {
        /* 0, +1, -1, +2, -2 ... so that the nearest of equals wins */
        const int offset = step % 2 ? (step + 1) / 2 : -(step / 2);
        const double place = wish + 0.01 * offset * extent;
        const double shift = (wish - place) / zoom;
        const double outside = fmax(0.0, -(low + shift)) + fmax(0.0, high + shift - size);
        if (outside < best_outside) {
            best = place;
            best_outside = outside;
        }
    }
    return best;
}

bool fm_framing_fit(fm_framing *framing, const fm_point3 *points, int count, int still_width,
                    int still_height, int width, int height)
{
    fm_warp_rect face = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (int i = 0; i < count; i++) {
        face.x0 = fmin(face.x0, (double)points[i].x);
        face.y0 = fmin(face.y0, (double)points[i].y);
        face.x1 = fmax(face.x1, (double)points[i].x);
        face.y1 = fmax(face.y1, (double)points[i].y);
    }
    const double face_width = face.x1 - face.x0;
    if (!(face_width >= 1.0) || !isfinite(face_width))
        return false;
    *framing = (fm_framing){
        .width = width,
        .height = height,
        .zoom = face_part * width / face_width,
        .pivot = {0.5 * (face.x0 + face.x1), 0.5 * (face.y0 + face.y1)},
        .place = {place_x * width, place_y * height},
    };
    const fm_warp_rect box = shown(framing);
    framing->place.x = settle(framing->place.x, width, framing->zoom, box.x0, box.x1, still_width);
    framing->place.y = settle(framing->place.y, height, framing->zoom, box.y0, box.y1, still_height);
    framing->needed = shown(framing);
    return true;
}
