/*
 * A real clip through the tracker: jitter at rest against lag in motion, the
 * figures behind the constants in one_euro.h, and the flipped clip. Needs the
 * shared media and the unpacked models, else skipped.
 */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "mesh_models.h"

enum { POINTS = 468, WIDTH = 480, HEIGHT = 480, FRAMES = 150, EXIT_SKIP = 77 };
enum { LUMA = WIDTH * HEIGHT, CHROMA = WIDTH / 2 * HEIGHT / 2, FRAME_BYTES = LUMA + 2 * CHROMA };
static const double frame_rate = 30.0;

/* In this clip the head turns slowly, resting in between (mean speed below 0.1 and above 0.3 eye distances a second). */
static const int rest[2][2] = {{13, 26}, {82, 94}};
static const int motion[2] = {36, 70};

typedef struct track {
    fm_point3 raw[FRAMES][POINTS], points[FRAMES][POINTS];
    int found, detected;
} track;

static fm_image frame_view(uint8_t *pixels)
{
    return (fm_image){
        .format = FM_PIXEL_YUV420P,
        .width = WIDTH,
        .height = HEIGHT,
        .plane = {pixels, pixels + LUMA, pixels + LUMA + CHROMA},
        .stride = {WIDTH, WIDTH / 2, WIDTH / 2},
        .matrix = FM_MATRIX_BT601,
        .chroma_site = FM_CHROMA_CENTER, /* flips onto itself; which one is true does not matter here */
    };
}

static void run_clip(mesh_models *m, uint8_t *clip, track *out)
{
    static fm_face face;
    fm_error err = {0};
    fm_tracker *t = NULL;
    if (fm_tracker_create(&t, &fm_topology_mesh468, NULL, &err) != FM_OK)
        fail_msg("%s", err.message);
    out->found = out->detected = 0;
    for (int i = 0; i < FRAMES; i++) {
        fm_image image = frame_view(clip + (size_t)i * FRAME_BYTES);
        mesh_track(m, t, &image, i / frame_rate, &face);
        out->found += face.found;
        out->detected += face.detected;
        memcpy(out->raw[i], face.raw, sizeof out->raw[i]);
        memcpy(out->points[i], face.points, sizeof out->points[i]);
    }
    fm_tracker_destroy(&t);
}

static double eye_distance(const fm_point3 *p)
{
    return hypot((double)p[33].x - p[263].x, (double)p[33].y - p[263].y);
}

/* Root mean square of what a local parabola over 7 frames (Savitzky-Golay) does not explain, in eye distances. */
static double jitter(fm_point3 (*p)[POINTS], const int range[2])
{
    static const double weight[7] = {-2, 3, 6, 7, 6, 3, -2};
    double sum = 0.0;
    int count = 0;
    for (int i = range[0]; i < range[1]; i++) {
        double size = eye_distance(p[i]);
        for (int k = 0; k < POINTS; k++) {
            double x = p[i][k].x, y = p[i][k].y;
            for (int j = 0; j < 7; j++) {
                x -= weight[j] / 21.0 * p[i + j - 3][k].x;
                y -= weight[j] / 21.0 * p[i + j - 3][k].y;
            }
            sum += (x * x + y * y) / (size * size);
            count += 2;
        }
    }
    return sqrt(sum / count);
}

/* Seconds by which the smoothed points trail: least squares of (raw - smooth) on the raw velocity. */
static double lag(const track *t)
{
    double dot = 0.0, energy = 0.0;
    for (int i = motion[0]; i < motion[1]; i++) {
        for (int k = 0; k < POINTS; k++) {
            double vx = ((double)t->raw[i + 1][k].x - t->raw[i - 1][k].x) * 0.5 * frame_rate;
            double vy = ((double)t->raw[i + 1][k].y - t->raw[i - 1][k].y) * 0.5 * frame_rate;
            dot += vx * ((double)t->raw[i][k].x - t->points[i][k].x) +
                   vy * ((double)t->raw[i][k].y - t->points[i][k].y);
            energy += vx * vx + vy * vy;
        }
    }
    return dot / energy;
}

/* The smoothed course against the raw one delayed by `delay` frames: correlation over all points. */
static double correlation(const track *t, double delay)
{
    double ab = 0.0, aa = 0.0, bb = 0.0;
    int n = motion[1] - motion[0];
    for (int k = 0; k < 2 * POINTS; k++) {
        double a[FRAMES], b[FRAMES], mean_a = 0.0, mean_b = 0.0;
        for (int i = 0; i < n; i++) {
            double at = motion[0] + i - delay;
            int j = (int)at;
            const fm_point3 *p = &t->points[motion[0] + i][k / 2];
            const fm_point3 *q = &t->raw[j][k / 2], *r = &t->raw[j + 1][k / 2];
            a[i] = k % 2 ? p->y : p->x;
            b[i] = k % 2 ? q->y + (at - j) * ((double)r->y - q->y) : q->x + (at - j) * ((double)r->x - q->x);
            mean_a += a[i] / n;
            mean_b += b[i] / n;
        }
        for (int i = 0; i < n; i++) {
            ab += (a[i] - mean_a) * (b[i] - mean_b);
            aa += (a[i] - mean_a) * (a[i] - mean_a);
            bb += (b[i] - mean_b) * (b[i] - mean_b);
        }
    }
    return ab / sqrt(aa * bb);
}

static double best_shift(const track *t)
{
    double best = -1.0, at = 0.0;
    for (int i = 0; i <= 60; i++) {
        double c = correlation(t, 0.05 * i);
        if (c > best) {
            best = c;
            at = 0.05 * i;
        }
    }
    return at / frame_rate;
}

typedef struct fixture {
    mesh_models models;
    uint8_t *clip;
    track *forward;
} fixture;

static void test_follows_the_whole_clip(void **state)
{
    fixture *f = *state;
    assert_int_equal(f->forward->found, FRAMES);
    assert_int_equal(f->forward->detected, 1);
}

static void test_quiet_without_lag(void **state)
{
    track *t = ((fixture *)*state)->forward;
    double raw = 0.5 * (jitter(t->raw, rest[0]) + jitter(t->raw, rest[1]));
    double smooth = 0.5 * (jitter(t->points, rest[0]) + jitter(t->points, rest[1]));
    print_message("jitter at rest: raw %.4f %%, smoothed %.4f %% of the eye distance\n", 100 * raw,
                  100 * smooth);
    print_message("lag in motion: %.1f ms; shift at best correlation: %.1f ms\n", 1e3 * lag(t),
                  1e3 * best_shift(t));
    assert_true(smooth < 0.5 * raw);
    assert_true(lag(t) > 0.0 && lag(t) < 0.5 / frame_rate);
    assert_true(best_shift(t) < 0.5 / frame_rate);
}

static void flip_plane(uint8_t *p, int width, int height)
{
    for (int y = 0; y < height; y++, p += width) {
        for (int x = 0; x < width / 2; x++) {
            uint8_t kept = p[x];
            p[x] = p[width - 1 - x];
            p[width - 1 - x] = kept;
        }
    }
}

/* The network itself is not symmetric, see the figure; our own part is tested exactly in test_tracker and test_image. */
static void test_flipped_clip(void **state)
{
    fixture *f = *state;
    track *mirrored = malloc(sizeof *mirrored);
    assert_non_null(mirrored);
    for (int i = 0; i < FRAMES; i++) {
        uint8_t *p = f->clip + (size_t)i * FRAME_BYTES;
        flip_plane(p, WIDTH, HEIGHT);
        flip_plane(p + LUMA, WIDTH / 2, HEIGHT / 2);
        flip_plane(p + LUMA + CHROMA, WIDTH / 2, HEIGHT / 2);
    }
    run_clip(&f->models, f->clip, mirrored);
    assert_int_equal(mirrored->found, FRAMES);
    double sum = 0.0;
    for (int i = 0; i < FRAMES; i++) {
        for (int k = 0; k < POINTS; k++) {
            const fm_point3 *a = &f->forward->points[i][k];
            const fm_point3 *b = &mirrored->points[i][fm_topology_mesh468.mirror[k]];
            sum += hypot((double)a->x + b->x - WIDTH, (double)a->y - b->y) / eye_distance(f->forward->points[i]);
        }
    }
    double mean = sum / (FRAMES * POINTS);
    print_message("flipped clip: landmarks differ by %.3f %% of the eye distance on average\n", 100 * mean);
    assert_true(mean < 0.03);
    free(mirrored);
}

/* Decodes the clip; false when it or the decoder is missing. */
static bool load_clip(fixture *f, const char *root)
{
    char path[FM_PATH_MAX], dir[FM_PATH_MAX], command[2 * FM_PATH_MAX], raw[] = "/tmp/fm-clip-XXXXXX";
    const char *shared = getenv("FACEMIRROR_SHARED");
    if (shared && *shared)
        snprintf(dir, sizeof dir, "%s", shared);
    else if (!fm_path_join(dir, root, "../shared"))
        return false;
    if (!fm_path_join(path, dir, "media/video1-512.mp4") || access(path, R_OK) != 0 || strchr(path, '\''))
        return false;
    int fd = mkstemp(raw);
    if (fd < 0)
        return false;
    close(fd);
    snprintf(command, sizeof command,
             "ffmpeg -nostdin -v error -y -i '%s' -f rawvideo -pix_fmt yuv420p '%s'", path, raw);
    fm_error err = {0};
    size_t size = 0;
    bool good = system(command) == 0 && fm_file_read(raw, 256u << 20, &f->clip, &size, &err) == FM_OK &&
                size == (size_t)FRAMES * FRAME_BYTES;
    unlink(raw);
    return good;
}

int main(int argc, char **argv)
{
    static fixture f;
    const char *root = argc > 1 ? argv[1] : ".";
    char models[FM_PATH_MAX];
    int result = EXIT_SKIP;
    f.forward = malloc(sizeof *f.forward);
    if (!f.forward || !load_clip(&f, root)) {
        printf("skipped: no clip (FACEMIRROR_SHARED) or no ffmpeg\n");
        goto done;
    }
    if (!fm_path_join(models, root, "deps/tflite") || access(models, R_OK) != 0 ||
        !mesh_open(&f.models, models)) {
        printf("skipped: no models; run the set-up first\n");
        goto done;
    }
    run_clip(&f.models, f.clip, f.forward);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_follows_the_whole_clip, &f),
        cmocka_unit_test_prestate(test_quiet_without_lag, &f),
        cmocka_unit_test_prestate(test_flipped_clip, &f),
    };
    result = cmocka_run_group_tests(tests, NULL, NULL);
done:
    mesh_close(&f.models);
    free(f.clip);
    free(f.forward);
    return result;
}
