/*
 * Landmarks against Google's own Face Mesh, plain and with attention, and Face Landmarker with its blendshapes
 * (facemesh_expected.json): the same pixels, detector, roi, crop, one landmark pass. Needs the shared reference
 * folder and the unpacked models; what is missing is skipped by name.
 */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "face/midline.h"
#include "mesh_models.h"

#include <jansson.h>

enum { EXIT_SKIP = 77, COMMAND_MAX = 4 * FM_PATH_MAX };

typedef struct deviation {
    double mean, max, z; /* shares of the eye distance (33 to 263) */
    double scores;       /* largest of a blendshape's, 0..1; 0 where the model has none */
} deviation;

static const char *source_root; /* set by main, constant afterwards */

/* A model by its name in the records, and what it may differ by. */
typedef struct contender {
    const char *name;
    int points;
    bool bundled, samples_corners; /* of the Face Landmarker; mesh_sampled */
    deviation rgb;                 /* from equal pixels */
    deviation yuv;                 /* chroma at half the resolution, and one rounding more */
    deviation own;                 /* the whole chain: what the product promises */
} contender;

/* From equal pixels nothing is left but the two decimals of the reference and float order. */
#define MESH_LIMITS {0.0002, 0.0005, 0.0002, 0}, {0.002, 0.006, 0.002, 0}, {0.005, 0.02, 0.01, 0}
static const contender plain[] = {{"facemesh-468", 468, false, false, MESH_LIMITS}};
static const contender attention[] = {{"facemesh-attention-478", FM_ATTENTION_POINTS, false, false, MESH_LIMITS}};

/*
 * Made by MediaPipe's CPU path, which samples a crop half an element away from where its GPU path and this program
 * do. Sampled in that way, its OpenCV's steps of 1/32 pixel are left; sampled as always, what its own two paths
 * differ by (facemesh_README.md: 0.2 to 1.0 % on average, scores 0.12), and in YUV a little more.
 */
static const contender second[] = {
    {"facelandmarker-v2-478", 478, true, true,
     {0.001, 0.004, 0.001, 0.02}, {0.0015, 0.005, 0.005, 0.05}, {0.005, 0.02, 0.01, 0.1}},
    {"facelandmarker-v2-478", 478, true, false,
     {0.012, 0.04, 0.01, 0.12}, {0.012, 0.04, 0.01, 0.2}, {0.012, 0.04, 0.01, 0.2}},
};
enum { CONTENDERS_MAX = 2 };

typedef struct fixture {
    mesh_models meshes, bundle;
    mesh_models *models; /* the contender's */
    const contender *model;
    bool has_attention, has_bundle;
    json_t *records;
    char shared[FM_PATH_MAX], temporary[64];
} fixture;

static const char *get_string(const json_t *record, const char *key)
{
    return json_string_value(json_object_get(record, key));
}

/* Runs a shell command with the file names quoted by the caller; true when it succeeded. */
static bool run_command(const char *command)
{
    return system(command) == 0;
}

static void path_in(char *out, const char *dir, const char *name)
{
    assert_true(fm_path_join(out, dir, name));
    assert_null(strchr(out, '\'')); /* so that it can be quoted */
}

/* Where the picture of a record is; frames of the video were saved as PNG. */
static void picture_path(const fixture *f, const json_t *record, char *out)
{
    const char *image = get_string(record, "image");
    const json_t *frame = json_object_get(record, "frame");
    char name[256];
    if (json_is_integer(frame)) {
        snprintf(name, sizeof name, "media/frames/%.*s_f%03d.png", (int)strcspn(image, "."), image,
                 (int)json_integer_value(frame));
        path_in(out, f->shared, name);
    } else if (strcmp(image, "astronaut.png") == 0) {
        path_in(out, source_root, "deps/portrait/astronaut.png");
    } else {
        snprintf(name, sizeof name, "media/%s", image);
        path_in(out, f->shared, name);
    }
}

static bool hash_is(const char *path, const char *sha256)
{
    char command[COMMAND_MAX];
    snprintf(command, sizeof command, "echo '%s  %s' | sha256sum --check --status -", sha256, path);
    return run_command(command);
}

/*
 * Decodes to packed RGB in f->temporary, the very pixels of the reference.
 * JPEG goes through djpeg, as decoders differ by a level or two in chroma.
 */
static bool decode_rgb(const fixture *f, const json_t *record, size_t size)
{
    char path[FM_PATH_MAX], command[COMMAND_MAX];
    picture_path(f, record, path);
    const char *dot = strrchr(path, '.');
    if (dot && strcmp(dot, ".jpg") == 0)
        snprintf(command, sizeof command, "djpeg -pnm '%s' 2>/dev/null | tail -c %zu > '%s'", path,
                 size, f->temporary);
    else
        snprintf(command, sizeof command,
                 "ffmpeg -nostdin -v error -y -i '%s' -f rawvideo -pix_fmt rgb24 '%s'", path,
                 f->temporary);
    return run_command(command) && hash_is(f->temporary, get_string(record, "rgb_sha256"));
}

/* The same picture as YUV: the video's own samples, or a conversion of the RGB pixels. */
static bool decode_yuv(const fixture *f, const json_t *record, int width, int height)
{
    char path[FM_PATH_MAX], command[COMMAND_MAX];
    const json_t *frame = json_object_get(record, "frame");
    if (json_is_integer(frame)) {
        char name[256];
        snprintf(name, sizeof name, "media/%s", get_string(record, "image"));
        path_in(path, f->shared, name);
        snprintf(command, sizeof command,
                 "ffmpeg -nostdin -v error -y -i '%s' -vf 'select=eq(n\\,%d)' -frames:v 1 "
                 "-f rawvideo -pix_fmt yuv420p '%s'",
                 path, (int)json_integer_value(frame), f->temporary);
    } else {
        snprintf(command, sizeof command,
                 "ffmpeg -nostdin -v error -y -f rawvideo -pix_fmt rgb24 -s %dx%d -i '%s' "
                 "-sws_flags bicubic+accurate_rnd+full_chroma_inp -f rawvideo -pix_fmt yuv420p "
                 "'%s.yuv' && mv '%s.yuv' '%s'",
                 width, height, f->temporary, f->temporary, f->temporary, f->temporary);
    }
    return run_command(command);
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

static deviation measure(const json_t *expected, const fm_point3 *points, int count)
{
    double sum = 0.0, max = 0.0, z = 0.0, eye[2][2] = {{0}};
    assert_int_equal(json_array_size(expected), count);
    for (int i = 0; i < count; i++) {
        const json_t *p = json_array_get(expected, (size_t)i);
        double x = json_number_value(json_array_get(p, 0)), y = json_number_value(json_array_get(p, 1));
        double d = hypot(points[i].x - x, points[i].y - y);
        sum += d;
        max = fmax(max, d);
        z += fabs(points[i].z - json_number_value(json_array_get(p, 2)));
        if (i == 33 || i == 263) {
            eye[i == 263][0] = x;
            eye[i == 263][1] = y;
        }
    }
    double size = hypot(eye[0][0] - eye[1][0], eye[0][1] - eye[1][1]);
    return (deviation){sum / count / size, max / size, z / count / size, 0};
}

/* The largest difference of the scores that the network gives for the points. */
static double measure_scores(mesh_models *models, const json_t *expected, const fm_point3 *points)
{
    const float *scores = mesh_blendshapes(models, points);
    double max = 0.0;
    assert_int_equal(json_object_size(expected), FM_BLENDSHAPES);
    for (int i = 0; i < FM_BLENDSHAPES; i++) {
        const json_t *score = json_object_get(expected, fm_blendshape_name(i));
        assert_true(json_is_number(score));
        max = fmax(max, fabs((double)scores[i] - json_number_value(score)));
    }
    return max;
}

static fm_roi find_roi(fixture *f, const fm_image *image)
{
    fm_detection detections[4];
    int count = mesh_detect(f->models, image, detections, 4);
    assert_true(count >= 1);
    return fm_roi_from_detection(&detections[0]);
}

static deviation run_landmarks(fixture *f, const fm_image *image, const fm_roi *roi,
                               const json_t *record)
{
    const int count = f->model->points;
    fm_point3 points[FM_LANDMARKS_MAX];
    float refined[3 * FM_ATTENTION_POINTS], logit = 0.0f;
    const float *raw = refined;
    if (f->model == attention)
        mesh_attention_landmarks(f->models, image, roi, refined, &logit);
    else
        raw = mesh_landmarks(f->models, image, roi, &logit);
    assert_true(fm_sigmoid(logit) > 0.5f);
    assert_true(fm_landmarks_from_network(raw, count, f->models->crop.size, roi, points));
    deviation d = measure(json_object_get(record, "landmarks"), points, count);
    if (f->model->bundled)
        d.scores = measure_scores(f->models, json_object_get(record, "blendshapes"), points);
    return d;
}

/* Gives the roi that the detector found. */
static deviation run_rgb(fixture *f, const json_t *record, int width, int height, fm_roi *roi)
{
    uint8_t *pixels = read_pixels(f, (size_t)width * (size_t)height * 3);
    fm_image image = {.format = FM_PIXEL_RGB24, .width = width, .height = height,
                      .plane = {pixels}, .stride = {3 * width}};
    *roi = find_roi(f, &image);
    deviation d = run_landmarks(f, &image, roi, record);
    free(pixels);
    return d;
}

/*
 * Once through the roi of the RGB picture, which shows the crop alone, once
 * through its own: the detector's box moves by tenths of a pixel with the
 * rounding of the pixels, and the landmarks with it.
 */
static void run_yuv(fixture *f, const json_t *record, int width, int height, const fm_roi *rgb_roi,
                    deviation *same_roi, deviation *own_roi)
{
    size_t luma = (size_t)width * (size_t)height;
    size_t chroma = (size_t)((width + 1) / 2) * (size_t)((height + 1) / 2);
    uint8_t *pixels = read_pixels(f, luma + 2 * chroma);
    fm_image image = {.format = FM_PIXEL_YUV420P, .width = width, .height = height,
                      .plane = {pixels, pixels + luma, pixels + luma + chroma},
                      .stride = {width, (width + 1) / 2, (width + 1) / 2},
                      .matrix = FM_MATRIX_BT601, .chroma_site = FM_CHROMA_LEFT};
    const fm_roi roi = find_roi(f, &image);
    *same_roi = run_landmarks(f, &image, rgb_roi, record);
    *own_roi = run_landmarks(f, &image, &roi, record);
    free(pixels);
}

static void print_row(const json_t *record, const char *pixels, deviation d)
{
    const json_t *frame = json_object_get(record, "frame");
    print_message("%-22s %5d  %-17s mean %.4f %%  max %.4f %%  z %.4f %% of eye distance; scores %.4f\n",
                  get_string(record, "image"), json_is_integer(frame) ? (int)json_integer_value(frame) : 0,
                  pixels, 100 * d.mean, 100 * d.max, 100 * d.z, d.scores);
}

static void assert_within(const deviation *d, const deviation *limit)
{
    assert_true(d->mean <= limit->mean && d->max <= limit->max && d->z <= limit->z && d->scores <= limit->scores);
}

static void choose(fixture *f, const contender *model)
{
    f->model = model;
    f->models = model->bundled ? &f->bundle : &f->meshes;
    f->models->samples_corners = model->samples_corners;
}

/* One record against each of `count` contenders; false when its pixels cannot be had here. */
static bool compare_record(fixture *f, const json_t *record, const contender *models, int count)
{
    const int width = (int)json_integer_value(json_object_get(record, "width"));
    const int height = (int)json_integer_value(json_object_get(record, "height"));
    fm_roi roi[CONTENDERS_MAX];
    if (!decode_rgb(f, record, (size_t)width * (size_t)height * 3))
        return false;
    for (int i = 0; i < count; i++) {
        choose(f, &models[i]);
        const deviation d = run_rgb(f, record, width, height, &roi[i]);
        print_row(record, "rgb24", d);
        assert_within(&d, &models[i].rgb);
    }
    assert_true(decode_yuv(f, record, width, height));
    for (int i = 0; i < count; i++) {
        deviation d, own;
        choose(f, &models[i]);
        run_yuv(f, record, width, height, &roi[i], &d, &own);
        print_row(record, "yuv420p, same roi", d);
        assert_within(&d, &models[i].yuv);
        print_row(record, "yuv420p, own roi", own);
        assert_within(&own, &models[i].own);
    }
    return true;
}

/* All records of the contenders' name. */
static void compare_records(fixture *f, const contender *models, int count)
{
    size_t i;
    json_t *record;
    int compared = 0;
    json_array_foreach(f->records, i, record) {
        if (strcmp(get_string(record, "model"), models->name) != 0 ||
            !json_is_array(json_object_get(record, "landmarks")))
            continue;
        if (compare_record(f, record, models, count))
            compared++;
        else
            print_message("SKIPPED %s: no decoder here gives the reference's pixels\n", get_string(record, "image"));
    }
    if (compared == 0)
        skip();
}

static void test_plain_mesh(void **state)
{
    compare_records(*state, plain, 1);
}

static void test_attention_mesh(void **state)
{
    fixture *f = *state;
    if (!f->has_attention)
        skip();
    compare_records(f, attention, 1);
}

static void test_second_mesh(void **state)
{
    fixture *f = *state;
    if (!f->has_bundle)
        skip();
    compare_records(f, second, 2);
}

/* The points of a record of the second mesh; false when it has none. */
static bool points_of(const json_t *record, fm_point3 points[FM_LANDMARKS_MAX])
{
    const json_t *landmarks = json_object_get(record, "landmarks");
    size_t i;
    json_t *point;
    if (json_array_size(landmarks) != (size_t)second->points)
        return false;
    memset(points, 0, FM_LANDMARKS_MAX * sizeof *points);
    json_array_foreach(landmarks, i, point) {
        points[i].x = (float)json_number_value(json_array_get(point, 0));
        points[i].y = (float)json_number_value(json_array_get(point, 1));
    }
    return true;
}

/* The same of the record of an image. */
static bool take_points(const fixture *f, const char *image, fm_point3 points[FM_LANDMARKS_MAX])
{
    size_t i;
    json_t *record;
    json_array_foreach(f->records, i, record) {
        const bool right = strcmp(get_string(record, "model"), second->name) == 0 &&
                           strcmp(get_string(record, "image"), image) == 0;
        if (right && points_of(record, points))
            return true;
    }
    return false;
}

/* The scores alone, of the reference's own points: what is left is their two decimals. */
static void test_blendshapes_of_given_points(void **state)
{
    fixture *f = *state;
    if (!f->has_bundle)
        skip();
    size_t i;
    json_t *record;
    int compared = 0;
    json_array_foreach(f->records, i, record) {
        fm_point3 points[FM_LANDMARKS_MAX];
        const json_t *scores = json_object_get(record, "blendshapes");
        if (!json_is_object(scores) || !points_of(record, points))
            continue;
        assert_true(measure_scores(&f->bundle, scores, points) < 0.001);
        compared++;
    }
    assert_int_equal(compared, 9);
}

/* Lids that are closed by hand raise the score of their own eye: Left is the patient's left. */
static void test_names_are_of_the_patients_sides(void **state)
{
    fixture *f = *state;
    if (!f->has_bundle)
        skip();
    const int blinks[2] = {[FM_SIDE_LEFT] = fm_blendshape_find("eyeBlinkLeft"),
                           [FM_SIDE_RIGHT] = fm_blendshape_find("eyeBlinkRight")};
    fm_point3 points[FM_LANDMARKS_MAX];
    assert_true(blinks[0] > 0 && blinks[1] > 0 && take_points(f, "img4-1024-frontal.jpg", points));
    const float *scores = mesh_blendshapes(&f->bundle, points);
    const double open[2] = {(double)scores[blinks[0]], (double)scores[blinks[1]]};
    for (int side = 0; side < 2; side++) {
        const fm_side_points *s = &fm_topology_mesh478.side[side];
        fm_point3 closed[FM_LANDMARKS_MAX];
        memcpy(closed, points, sizeof closed);
        for (int i = 0; i < 3; i++)
            closed[s->upper_lid[i]] = closed[s->lower_lid[i]];
        scores = mesh_blendshapes(&f->bundle, closed);
        const double here = (double)scores[blinks[side]] - open[side];
        const double there = (double)scores[blinks[!side]] - open[!side];
        print_message("%s lids closed: its score rises by %.3f, the other by %.3f\n",
                      side == FM_SIDE_LEFT ? "left" : "right", here, there);
        assert_true(here > 0.1 && here > 2 * there);
    }
}

static bool find_shared(fixture *f)
{
    const char *dir = getenv("FACEMIRROR_SHARED");
    if (dir && *dir)
        snprintf(f->shared, sizeof f->shared, "%s", dir);
    else
        path_in(f->shared, source_root, "../shared");
    char path[FM_PATH_MAX];
    path_in(path, f->shared, "reference/facemesh_expected.json");
    json_error_t error;
    f->records = json_load_file(path, 0, &error);
    return f->records != NULL;
}

int main(int argc, char **argv)
{
    static fixture f;
    source_root = argc > 1 ? argv[1] : ".";
    if (!find_shared(&f)) {
        printf("skipped: no reference data (FACEMIRROR_SHARED)\n");
        return EXIT_SKIP;
    }
    char models[FM_PATH_MAX];
    path_in(models, source_root, "deps/tflite");
    if (access(models, R_OK) != 0) {
        printf("skipped: no models in '%s'; run the set-up first\n", models);
        json_decref(f.records);
        return EXIT_SKIP;
    }
    snprintf(f.temporary, sizeof f.temporary, "/tmp/fm-reference-XXXXXX");
    int fd = mkstemp(f.temporary);
    if (fd < 0 || !mesh_open(&f.meshes, models))
        return EXIT_SKIP;
    f.has_attention = mesh_open_attention(&f.meshes, models);
    path_in(models, f.shared, "models/face_landmarker.task");
    f.has_bundle = mesh_open_bundle(&f.bundle, models);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_plain_mesh, &f),
        cmocka_unit_test_prestate(test_attention_mesh, &f),
        cmocka_unit_test_prestate(test_second_mesh, &f),
        cmocka_unit_test_prestate(test_blendshapes_of_given_points, &f),
        cmocka_unit_test_prestate(test_names_are_of_the_patients_sides, &f),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mesh_close(&f.meshes);
    mesh_close(&f.bundle);
    json_decref(f.records);
    close(fd);
    unlink(f.temporary);
    return failed;
}
