/* Timeline, framing, renderer and truth table of the demo clip, without models or codecs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "demo/render.h"
#include "demo/truth.h"
#include "synthetic_face.h"

static const fm_topology *const topology = &fm_topology_mesh468;

/* --- timeline ---------------------------------------------------------- */

static bool at_rest(const fm_moment *m)
{
    return m->amount.blink == 0.0 && m->amount.brow == 0.0 && m->amount.smile[0] == -1.0
        && m->amount.smile[1] == -1.0;
}

static void timeline_rests_first_and_last(void **state)
{
    (void)state;
    for (double t = 0.0; t <= 0.8; t += 0.05) {
        const fm_moment first = fm_timeline_at(t, 6.0, FM_SIDE_LEFT);
        const fm_moment last = fm_timeline_at(5.99 - 0.7 * t, 6.0, FM_SIDE_LEFT);
        assert_true(at_rest(&first) && at_rest(&last));
        assert_string_equal(first.phase, "rest");
    }
}

static void timeline_holds_every_expression(void **state)
{
    (void)state;
    int blinks = 0;
    fm_warp_amount most = {0.0, 0.0, {-1.0, -1.0}};
    fm_moment before = fm_timeline_at(0.0, 6.0, FM_SIDE_RIGHT);
    for (int i = 1; i < 600; i++) {
        const fm_moment m = fm_timeline_at(i / 100.0, 6.0, FM_SIDE_RIGHT);
        blinks += m.amount.blink > 0.5 && before.amount.blink <= 0.5;
        most.blink = fmax(most.blink, m.amount.blink);
        most.brow = fmax(most.brow, m.amount.brow);
        most.smile[FM_SIDE_RIGHT] = fmax(most.smile[FM_SIDE_RIGHT], m.amount.smile[FM_SIDE_RIGHT]);
        assert_true(m.amount.smile[FM_SIDE_LEFT] == -1.0);
        assert_true(fabs(m.head.turn) <= 6.001 * 3.14159265 / 180.0 && fabs(m.head.dx) <= 0.04001);
        assert_true(fabs(m.head.dy) <= 0.02001 && fabs(m.head.scale - 1.0) <= 0.03001);
        /* smooth: a hundredth of a second moves nothing by much */
        assert_true(fabs(m.amount.blink - before.amount.blink) < 0.2);
        assert_true(fabs(m.head.dx - before.head.dx) < 0.002);
        assert_string_equal(m.phase, m.amount.blink > 0.0   ? "blink"
                                     : m.amount.brow > 0.0  ? "brow_raise"
                                     : m.amount.smile[FM_SIDE_RIGHT] > -1.0 ? "smile_right"
                                                            : "rest");
        before = m;
    }
    assert_int_equal(blinks, 2);
    assert_true(most.blink == 1.0 && most.brow == 1.0 && fabs(most.smile[FM_SIDE_RIGHT] - 0.6) < 1e-9);
}

static void timeline_repeats_in_long_clips(void **state)
{
    (void)state;
    for (double t = 0.0; t < 6.0; t += 0.1) {
        const fm_moment a = fm_timeline_at(t, 6.0, FM_SIDE_LEFT), b = fm_timeline_at(t + 12.0, 18.0, FM_SIDE_LEFT);
        assert_true(fabs(a.amount.blink - b.amount.blink) < 1e-9 && fabs(a.head.turn - b.head.turn) < 1e-9);
    }
}

/* --- framing ----------------------------------------------------------- */

static void framing_shows_the_face_large_and_stays_inside(void **state)
{
    (void)state;
    const synthetic_pose pose = {500.0, 500.0, 62.0, 0.0};
    fm_point3 points[FM_LANDMARKS_MAX];
    synthetic_face(points, topology, &pose);
    fm_framing framing;
    assert_true(fm_framing_fit(&framing, points, topology->count, 1000, 1200, 720, 960));
    const double face_width = 2.0 * 0.75 * 62.0; /* of the synthetic oval, about */
    assert_true(fabs(framing.zoom * face_width / 720.0 - 0.45) < 0.03);
    assert_true(framing.needed.x0 >= 0.0 && framing.needed.y0 >= 0.0);
    assert_true(framing.needed.x1 <= 1000.0 && framing.needed.y1 <= 1200.0);
    assert_true(fabs(framing.place.x - 360.0) < 1e-9 && fabs(framing.place.y - 0.45 * 960.0) < 1e-9);

    /* a face near the still's top: the place gives way until the frame fits */
    const synthetic_pose high = {500.0, 90.0, 62.0, 0.0};
    synthetic_face(points, topology, &high);
    assert_true(fm_framing_fit(&framing, points, topology->count, 1000, 1200, 720, 960));
    assert_true(framing.place.y < 0.45 * 960.0 && framing.needed.y0 >= 0.0);

    for (int i = 0; i < topology->count; i++)
        points[i] = (fm_point3){10.0f, 10.0f, 0.0f};
    assert_false(fm_framing_fit(&framing, points, topology->count, 1000, 1200, 720, 960));
}

static void view_goes_there_and_back(void **state)
{
    (void)state;
    const fm_framing framing = {720, 960, 3.5, {225.5, 123.0}, {360.0, 400.0}, {0.0, 0.0, 0.0, 0.0}};
    const fm_head_motion head = {0.1, 0.03, -0.02, 1.02};
    const fm_view view = fm_framing_view(&framing, &head);
    const fm_vec2 p = {201.25, 99.5}, q = fm_view_forward(&view, p), back = fm_view_inverse(&view, q);
    assert_true(hypot(p.x - back.x, p.y - back.y) < 1e-9);
    /* a clockwise turn carries what is at the right downwards */
    const fm_vec2 right = fm_view_forward(&view, (fm_vec2){325.5, 123.0});
    assert_true(right.y > fm_view_forward(&view, framing.pivot).y);
}

/* --- renderer ---------------------------------------------------------- */

enum { CANVAS_W = 240, CANVAS_H = 200, OUT_W = 160, OUT_H = 128 };

typedef struct pictures {
    uint8_t canvas[3][CANVAS_W * CANVAS_H];
    uint8_t luma[OUT_W * OUT_H], u[OUT_W * OUT_H / 4], v[OUT_W * OUT_H / 4];
    fm_canvas view;
    fm_image out;
} pictures;

static pictures *new_pictures(void)
{
    pictures *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->view = (fm_canvas){{p->canvas[0], p->canvas[1], p->canvas[2]}, {CANVAS_W, CANVAS_W, CANVAS_W}, CANVAS_W, CANVAS_H, 10.0, 20.0, 2.0, 2.0};
    p->out = (fm_image){.format = FM_PIXEL_YUV420P, .width = OUT_W, .height = OUT_H,
                        .plane = {p->luma, p->u, p->v}, .stride = {OUT_W, OUT_W / 2, OUT_W / 2}};
    return p;
}

static fm_warp small_face(void)
{
    const synthetic_pose pose = {70.0, 55.0, 30.0, 0.05};
    fm_point3 points[FM_LANDMARKS_MAX];
    fm_warp warp;
    synthetic_face(points, topology, &pose);
    assert_true(fm_warp_create(&warp, points, topology));
    return warp;
}

/* On a ramp each sample tells where it was read: luma along x, U along x, V along y. */
static void renderer_reads_at_the_true_place(void **state)
{
    (void)state;
    pictures *p = new_pictures();
    for (int j = 0; j < CANVAS_H; j++) {
        for (int i = 0; i < CANVAS_W; i++) {
            p->canvas[0][j * CANVAS_W + i] = p->canvas[1][j * CANVAS_W + i] = (uint8_t)i;
            p->canvas[2][j * CANVAS_W + i] = (uint8_t)j;
        }
    }
    const fm_warp warp = small_face();
    const fm_warp_amount amounts[3] = {{0.0, 0.0, {0.0, 0.0}}, {0.0, 1.0, {0.0, 0.0}}, {0.0, 0.0, {-1.0, 1.0}}};
    /* the whole of what is read lies in the canvas: still 10..130 x 20..120 */
    const fm_view view = {{70.0, 70.0}, {80.0, 64.0}, 1.9 * cos(0.08), 1.9 * sin(0.08)};
    for (int a = 0; a < 3; a++) {
        fm_render_frame(&p->view, &warp, &amounts[a], &view, &p->out);
        for (int j = 0; j < OUT_H; j++) {
            for (int i = 0; i < OUT_W; i++) {
                const fm_vec2 q = fm_warp_inverse(&warp, &amounts[a], fm_view_inverse(&view, (fm_vec2){i + 0.5, j + 0.5}));
                assert_true(fabs(p->luma[j * OUT_W + i] - ((q.x - 10.0) * 2.0 - 0.5)) < 0.52);
            }
        }
        for (int j = 0; j < OUT_H / 2; j++) {
            for (int i = 0; i < OUT_W / 2; i++) {
                const fm_vec2 q = fm_warp_inverse(&warp, &amounts[a], fm_view_inverse(&view, (fm_vec2){2 * i + 0.5, 2 * j + 1.0}));
                assert_true(fabs(p->u[j * OUT_W / 2 + i] - ((q.x - 10.0) * 2.0 - 0.5)) < 0.52);
                assert_true(fabs(p->v[j * OUT_W / 2 + i] - ((q.y - 20.0) * 2.0 - 0.5)) < 0.52);
            }
        }
    }
    free(p);
}

/* Averaging in the eyes and reading beyond the edge keep an even colour even: no black border, no dark lid. */
static void renderer_keeps_even_colour(void **state)
{
    (void)state;
    pictures *p = new_pictures();
    memset(p->canvas[0], 235, sizeof p->canvas[0]);
    memset(p->canvas[1], 90, sizeof p->canvas[1]);
    memset(p->canvas[2], 255, sizeof p->canvas[2]);
    const fm_warp warp = small_face();
    const fm_warp_amount blink = {1.0, 0.0, {-1.0, 0.6}};
    const fm_view far = {{70.0, 55.0}, {80.0, 64.0}, 0.5, 0.1}; /* shows much beyond the canvas */
    const fm_view near = {{70.0, 55.0}, {80.0, 64.0}, 3.0, 0.0};
    const fm_view *views[2] = {&far, &near};
    for (int k = 0; k < 2; k++) {
        fm_render_frame(&p->view, &warp, &blink, views[k], &p->out);
        for (int i = 0; i < OUT_W * OUT_H; i++)
            assert_int_equal(p->luma[i], 235);
        for (int i = 0; i < OUT_W * OUT_H / 4; i++) {
            assert_int_equal(p->u[i], 90);
            assert_int_equal(p->v[i], 255);
        }
    }
    free(p);
}

/* --- truth ------------------------------------------------------------- */

static void truth_is_written_whole_or_not_at_all(void **state)
{
    (void)state;
    char dir[] = "/tmp/fm_truth_XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/truth.csv", dir);
    const fm_vec2 points[2] = {{1.0, -2.5}, {-0.0001, 719.9996}};
    fm_error err = {0};
    fm_truth truth;

    assert_int_equal(fm_truth_open(&truth, path, false, 2, &err), FM_OK);
    assert_int_equal(fm_truth_row(&truth, 0, 0.0, "rest", points, &err), FM_OK);
    assert_int_not_equal(access(path, F_OK), 0);
    fm_truth_discard(&truth);
    assert_int_not_equal(access(path, F_OK), 0);

    assert_int_equal(fm_truth_open(&truth, path, false, 2, &err), FM_OK);
    assert_int_equal(fm_truth_row(&truth, 0, 0.0, "rest", points, &err), FM_OK);
    assert_int_equal(fm_truth_row(&truth, 1, 1.0 / 30.0, "blink", points, &err), FM_OK);
    assert_int_equal(fm_truth_commit(&truth, &err), FM_OK);
    fm_truth_discard(&truth);

    uint8_t *data = NULL;
    size_t size = 0;
    assert_int_equal(fm_file_read(path, 4096, &data, &size, &err), FM_OK);
    assert_string_equal((char *)data, "frame,timestamp,phase,x_0,y_0,x_1,y_1\n"
                                      "0,0.000000,rest,1.000,-2.500,0.000,720.000\n"
                                      "1,0.033333,blink,1.000,-2.500,0.000,720.000\n");
    free(data);
    assert_int_equal(fm_truth_open(&truth, path, false, 2, &err), FM_E_EXISTS);
    fm_truth_discard(&truth);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeline_rests_first_and_last),
        cmocka_unit_test(timeline_holds_every_expression),
        cmocka_unit_test(timeline_repeats_in_long_clips),
        cmocka_unit_test(framing_shows_the_face_large_and_stays_inside),
        cmocka_unit_test(view_goes_there_and_back),
        cmocka_unit_test(renderer_reads_at_the_true_place),
        cmocka_unit_test(renderer_keeps_even_colour),
        cmocka_unit_test(truth_is_written_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
