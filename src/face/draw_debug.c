#include "face/draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "face/font.h"

static const fm_colour YELLOW = {255, 225, 0}, GREEN = {0, 230, 80}, RED = {255, 30, 30};
static const fm_colour BLACK = {0, 0, 0}, WHITE = {255, 255, 255};

/* Yaw limits of the banner, degrees. */
#define YAW_OPTIMAL 3.0
#define YAW_ACCEPTABLE 5.0

enum { DENSE_POINTS = 468 }; /* a mesh, over which the dots are as small as they may be */

static int smaller_side(const fm_image *image)
{
    return image->width < image->height ? image->width : image->height;
}

/* Over the whole frame: long enough from any point on or off the picture. */
static void draw_midline(fm_image *image, const fm_line *line)
{
    const double cx = image->width / 2.0, cy = image->height / 2.0;
    const double reach = image->width + (double)image->height;
    const double t = (cx - line->ox) * line->dx + (cy - line->oy) * line->dy; /* nearest to the centre */
    const double x = line->ox + t * line->dx, y = line->oy + t * line->dy;
    const double width = fmax(1.5, smaller_side(image) / 400.0);
    fm_draw_line(image, x - reach * line->dx, y - reach * line->dy, x + reach * line->dx,
                 y + reach * line->dy, width, RED);
}

/* Dots grow with the face, so that they never close up over it, and where there are few. */
static void draw_landmarks(fm_image *image, const fm_point3 *points, const fm_topology *topology)
{
    const fm_point3 l = points[topology->side[FM_SIDE_LEFT].eye_outer];
    const fm_point3 r = points[topology->side[FM_SIDE_RIGHT].eye_outer];
    const double eyes = hypot((double)l.x - r.x, (double)l.y - r.y);
    const double share = fmax(1, sqrt((double)DENSE_POINTS / topology->count));
    const double radius = share * (isfinite(eyes) ? fmax(0.7, 0.006 * eyes) : 0.7);
    for (int i = 0; i < topology->count; i++)
        fm_draw_dot(image, points[i].x, points[i].y, radius, YELLOW);
    for (int i = 0; i < topology->midline_count; i++) {
        const fm_point3 p = points[topology->midline[i]];
        fm_draw_dot(image, p.x, p.y, 1.6 * radius, GREEN);
    }
}

typedef struct banner {
    char text[96];
    fm_colour back, front;
} banner;

static banner make_banner(const fm_point3 *points, const fm_pose *pose)
{
    banner b = {.back = {110, 110, 110}, .front = WHITE};
    if (!points || !pose) {
        snprintf(b.text, sizeof b.text, "%s", points ? "pose unknown" : "no face");
        return b;
    }
    /* Judged as printed: what reads "3.0" is within 3. */
    const double yaw = round(fabs((double)pose->yaw) * 10) / 10;
    const char *verdict = "excessive";
    b.back = (fm_colour){200, 0, 0};
    if (yaw <= YAW_OPTIMAL) {
        verdict = "optimal";
        b.back = (fm_colour){0, 170, 60};
    } else if (yaw <= YAW_ACCEPTABLE) {
        verdict = "acceptable";
        b.back = (fm_colour){250, 200, 0};
        b.front = BLACK;
    }
    snprintf(b.text, sizeof b.text, "yaw %+5.1f  pitch %+5.1f  roll %+5.1f  %s", (double)pose->yaw,
             (double)pose->pitch, (double)pose->roll, verdict);
    return b;
}

/* Whole pixels a font dot look crispest, but in small pictures rounding down costs too much. */
static int text_height(const fm_image *image)
{
    const int longest = (int)sizeof "yaw +00.0  pitch +00.0  roll +00.0  acceptable";
    const double fits = (double)image->width * FM_FONT_CAPITAL / ((longest + 1) * FM_FONT_ADVANCE);
    const double wanted = fmin(fits, smaller_side(image) * 0.03);
    if (wanted < 2 * FM_FONT_CAPITAL)
        return (int)fmax(wanted, FM_FONT_CAPITAL);
    return (int)(wanted / FM_FONT_CAPITAL) * FM_FONT_CAPITAL;
}

static void draw_banner(fm_image *image, const fm_point3 *points, const fm_pose *pose)
{
    const banner b = make_banner(points, pose);
    const int height = text_height(image), pad = height * 6 / 7;
    fm_draw_rect(image, 0, 0, image->width, height + 2 * pad, b.back, 0.85);
    fm_draw_text(image, pad, pad, height, b.text, b.front);
}

void fm_draw_debug(fm_image *image, const fm_point3 *points, const fm_topology *topology,
                   const fm_line *line, const fm_pose *pose)
{
    if (points && line)
        draw_midline(image, line);
    if (points)
        draw_landmarks(image, points, topology);
    draw_banner(image, points, pose);
}
