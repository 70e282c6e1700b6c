/*
 * RetinaFace with its true weights against detections that were computed in
 * PyTorch (retinaface_expected.json). Needs the shared reference folder; what
 * is missing is skipped by name.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/file.h"
#include "face/retinaface.h"
#include "inference/session.h"

enum { EXIT_SKIP = 77, COMMAND_MAX = 4 * FM_PATH_MAX, FACES_MAX = 8 };

/* Of the reference's own README: what different decoders of JPEG and YUV do to the result. */
#define PIXELS_MAX 1.0
#define SCORE_MAX 0.005

typedef struct fixture {
    fm_runtime *runtime;
    fm_session *session;
    json_t *root;
    char shared[FM_PATH_MAX], temporary[64];
} fixture;

typedef struct deviation {
    double box, point, score;
    double overlap; /* intersection over union */
} deviation;

static void path_in(char *out, const char *dir, const char *name)
{
    assert_true(fm_path_join(out, dir, name));
    assert_null(strchr(out, '\'')); /* so that it can be quoted */
}

static int get_int(const json_t *record, const char *key)
{
    return (int)json_integer_value(json_object_get(record, key));
}

/* Decodes a picture, or a frame of a video, to raw pixels; false when no decoder is here. */
static bool decode(const fixture *f, const json_t *record, const char *format)
{
    char name[256], path[FM_PATH_MAX], command[COMMAND_MAX];
    snprintf(name, sizeof name, "media/%s", json_string_value(json_object_get(record, "file")));
    path_in(path, f->shared, name);
    snprintf(command, sizeof command,
             "ffmpeg -nostdin -v error -y -i '%s' -vf 'select=eq(n\\,%d)' -frames:v 1 -f rawvideo "
             "-pix_fmt %s '%s'",
             path, get_int(record, "frame"), format, f->temporary);
    return system(command) == 0;
}

static uint8_t *read_pixels(const fixture *f, size_t size)
{
    fm_error err = {0};
    uint8_t *pixels = NULL;
    size_t got = 0;
    if (fm_file_read(f->temporary, 256u << 20, &pixels, &got, &err) != FM_OK)
        fail_msg("%s", err.message);
    assert_int_equal(got, size);
    return pixels;
}

static int detect(const fixture *f, const fm_image *image, const fm_retinaface_input *input,
                  fm_retinaface_face *faces)
{
    fm_error err = {0};
    fm_binding *b = NULL;
    const int64_t dims[4] = {1, 3, input->height, input->width};
    if (fm_binding_create_sized(&b, f->session, dims, 4, &err) != FM_OK)
        fail_msg("%s", err.message);
    fm_image_stretch(image, &input->box, input->width, input->height, &fm_retinaface_crop,
                     fm_binding_input(b));
    if (fm_binding_run(b, &err) != FM_OK)
        fail_msg("%s", err.message);
    const int loc = fm_session_find_output(f->session, "loc");
    const int conf = fm_session_find_output(f->session, "conf");
    const int landms = fm_session_find_output(f->session, "landms");
    const size_t rows = fm_retinaface_priors(input->width, input->height);
    assert_int_equal(fm_binding_output_info(b, loc)->count, rows * FM_RETINAFACE_LOC);
    assert_int_equal(fm_binding_output_info(b, conf)->count, rows * FM_RETINAFACE_CONF);
    assert_int_equal(fm_binding_output_info(b, landms)->count, rows * FM_RETINAFACE_LANDMS);
    const int count = fm_retinaface_decode(fm_binding_output(b, loc), fm_binding_output(b, conf),
                                           fm_binding_output(b, landms), input, 0.5f, 0.4f, faces,
                                           FACES_MAX);
    fm_binding_destroy(&b);
    return count;
}

static double number_at(const json_t *array, int index)
{
    return json_number_value(json_array_get(array, (size_t)index));
}

static deviation measure(const json_t *expected, const fm_retinaface_face *face)
{
    const json_t *box = json_object_get(expected, "box");
    const json_t *points = json_object_get(expected, "landmarks");
    const float got[4] = {face->x0, face->y0, face->x1, face->y1};
    deviation d = {0, 0, fabs(face->score - json_number_value(json_object_get(expected, "score"))), 0};
    for (int k = 0; k < 4; k++)
        d.box = fmax(d.box, fabs(got[k] - number_at(box, k)));
    for (int k = 0; k < FM_RETINAFACE_POINTS; k++) {
        const json_t *p = json_array_get(points, (size_t)k);
        d.point = fmax(d.point, fmax(fabs(face->point[k].x - number_at(p, 0)),
                                     fabs(face->point[k].y - number_at(p, 1))));
    }
    const double x0 = number_at(box, 0), y0 = number_at(box, 1), x1 = number_at(box, 2);
    const double y1 = number_at(box, 3);
    const double both = fmax(0, fmin(got[2], x1) - fmax(got[0], x0)) *
                        fmax(0, fmin(got[3], y1) - fmax(got[1], y0));
    d.overlap = both / ((x1 - x0) * (y1 - y0) + (got[2] - got[0]) * (got[3] - got[1]) - both);
    return d;
}

static deviation compare(const fixture *f, const json_t *record, const fm_image *image, double factor)
{
    fm_retinaface_input input;
    fm_retinaface_face faces[FACES_MAX];
    const json_t *expected = json_object_get(record, "detections");
    assert_true(fm_retinaface_scaled(image->width, image->height, factor, &input));
    assert_int_equal(detect(f, image, &input, faces), json_array_size(expected));
    assert_int_equal(json_array_size(expected), 1);
    const deviation d = measure(json_array_get(expected, 0), &faces[0]);
    print_message("%-24s frame %2d  %-7s x %.2g: box %.3f px, points %.3f px, score %.4f, overlap %.3f\n",
                  json_string_value(json_object_get(record, "file")), get_int(record, "frame"),
                  image->format == FM_PIXEL_RGB24 ? "rgb24" : "yuv420p", factor, d.box, d.point,
                  d.score, d.overlap);
    return d;
}

static deviation run_rgb(const fixture *f, const json_t *record, double factor)
{
    const int w = get_int(record, "width"), h = get_int(record, "height");
    uint8_t *pixels = read_pixels(f, (size_t)w * (size_t)h * 3);
    const fm_image image = {.format = FM_PIXEL_RGB24, .width = w, .height = h, .plane = {pixels},
                            .stride = {3 * w}};
    const deviation d = compare(f, record, &image, factor);
    free(pixels);
    return d;
}

static deviation run_yuv(const fixture *f, const json_t *record)
{
    const int w = get_int(record, "width"), h = get_int(record, "height");
    const int cw = (w + 1) / 2, ch = (h + 1) / 2;
    const size_t luma = (size_t)w * (size_t)h, chroma = (size_t)cw * (size_t)ch;
    uint8_t *pixels = read_pixels(f, luma + 2 * chroma);
    const fm_image image = {.format = FM_PIXEL_YUV420P, .width = w, .height = h,
                            .plane = {pixels, pixels + luma, pixels + luma + chroma},
                            .stride = {w, cw, cw}, .matrix = FM_MATRIX_BT601,
                            .chroma_site = FM_CHROMA_LEFT};
    const deviation d = compare(f, record, &image, 1.0);
    free(pixels);
    return d;
}

static bool is_video(const json_t *record)
{
    return json_is_integer(json_object_get(record, "frame"));
}

/* The picture as it is, as RGB and, of the video, its own YUV samples. */
static void test_matches_reference(void **state)
{
    const fixture *f = *state;
    size_t i;
    json_t *record;
    int compared = 0;
    json_array_foreach(json_object_get(f->root, "images"), i, record) {
        if (!decode(f, record, "rgb24")) {
            print_message("SKIPPED %s: ffmpeg does not decode it here\n",
                          json_string_value(json_object_get(record, "file")));
            continue;
        }
        deviation d = run_rgb(f, record, 1.0);
        assert_true(d.box <= PIXELS_MAX && d.point <= PIXELS_MAX && d.score <= SCORE_MAX);
        if (is_video(record)) {
            assert_true(decode(f, record, "yuv420p"));
            d = run_yuv(f, record);
            assert_true(d.box <= PIXELS_MAX && d.point <= PIXELS_MAX && d.score <= SCORE_MAX);
        }
        compared++;
    }
    if (compared == 0)
        skip();
}

/* At half the size the same face is found, in coordinates of the whole picture. */
static void test_scaled_input_finds_the_same_face(void **state)
{
    const fixture *f = *state;
    size_t i;
    json_t *record;
    json_array_foreach(json_object_get(f->root, "images"), i, record) {
        if (!decode(f, record, "rgb24"))
            skip();
        const deviation d = run_rgb(f, record, 0.5);
        /* The network is not quite indifferent to size; a box or a point in wrong units is far off. */
        assert_true(d.overlap > 0.75 && d.score <= 0.05);
        assert_true(d.point <= 0.04 * get_int(record, "width"));
    }
}

/* False when a file is not there. */
static bool open_fixture(fixture *f, const char *source_root)
{
    const char *dir = getenv("FACEMIRROR_SHARED");
    if (dir && *dir)
        snprintf(f->shared, sizeof f->shared, "%s", dir);
    else
        path_in(f->shared, source_root, "../shared");
    char path[FM_PATH_MAX];
    json_error_t error;
    path_in(path, f->shared, "reference/retinaface_expected.json");
    f->root = json_load_file(path, 0, &error);
    path_in(path, f->shared, "models/retinaface_mobilenet025.onnx");
    if (!f->root || access(path, R_OK) != 0)
        return false;
    fm_error err = {0};
    if (fm_runtime_create(&f->runtime, NULL, NULL, &err) != FM_OK ||
        fm_session_open(&f->session, f->runtime, path, NULL, &err) != FM_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    return true;
}

int main(int argc, char **argv)
{
    static fixture f;
    if (!open_fixture(&f, argc > 1 ? argv[1] : ".")) {
        printf("skipped: no reference data or model (FACEMIRROR_SHARED)\n");
        json_decref(f.root);
        return EXIT_SKIP;
    }
    snprintf(f.temporary, sizeof f.temporary, "/tmp/fm-retinaface-XXXXXX");
    int fd = mkstemp(f.temporary);
    if (fd < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_matches_reference, &f),
        cmocka_unit_test_prestate(test_scaled_input_finds_the_same_face, &f),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fm_session_close(&f.session);
    fm_runtime_destroy(&f.runtime);
    json_decref(f.root);
    close(fd);
    unlink(f.temporary);
    return failed;
}
