/*
 * RetinaFace over the same pictures at several sizes: what it costs and what it
 * finds. Sizes are of the long side; 0 is the picture as it is. The time is CPU
 * time of the calling thread, which does all the work here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "face/retinaface.h"
#include "inference/session.h"
#include "video/reader.h"
#include "video/still.h"

enum { RUNS = 3, FACES_MAX = 16 };

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static fm_status look(fm_session *session, const fm_image *image, const fm_retinaface_input *in, fm_error *err)
{
    const int64_t dims[] = {1, 3, in->height, in->width};
    fm_binding *b;
    fm_status status = fm_binding_create_sized(&b, session, dims, 4, err); /* runs once: warm */
    fm_retinaface_face faces[FACES_MAX];
    int count = 0;
    double ms = 0;
    for (int i = 0; i < RUNS && status == FM_OK; i++) {
        const double start = cpu_ms();
        fm_image_stretch(image, &in->box, in->width, in->height, &fm_retinaface_crop, fm_binding_input(b));
        status = fm_binding_run(b, err);
        if (status == FM_OK)
            count = fm_retinaface_decode(fm_binding_output(b, fm_session_find_output(session, "loc")),
                                         fm_binding_output(b, fm_session_find_output(session, "conf")),
                                         fm_binding_output(b, fm_session_find_output(session, "landms")), in, 0.5f, 0.4f,
                                         faces, FACES_MAX);
        ms += (cpu_ms() - start) / RUNS;
    }
    if (status == FM_OK) {
        printf("  %4dx%-4d %7.1f ms, faces: %d", in->width, in->height, ms, count);
        if (count > 0)
            printf(", best: %.0f,%.0f to %.0f,%.0f, score %.3f", (double)faces[0].x0, (double)faces[0].y0,
                   (double)faces[0].x1, (double)faces[0].y1, (double)faces[0].score);
        putchar('\n');
    }
    fm_binding_destroy(&b);
    return status;
}

static fm_status look_at_sizes(fm_session *session, const char *path, fm_error *err)
{
    static const int sides[] = {0, 1920, 1280, 960, 640, 480, 320};
    AVFrame *frame = av_frame_alloc();
    fm_status status = frame ? fm_still_read(path, frame, err) : fm_fail(err, FM_E_NO_MEMORY, "out of memory");
    if (status == FM_OK) {
        const fm_image image = fm_image_from_frame(frame);
        const int longest = image.width > image.height ? image.width : image.height;
        printf("%s (%dx%d)\n", path, image.width, image.height);
        for (size_t i = 0; i < sizeof sides / sizeof *sides && status == FM_OK; i++) {
            fm_retinaface_input in;
            const double factor = sides[i] ? (double)sides[i] / longest : 1;
            if ((sides[i] == 0 || factor < 1) && fm_retinaface_scaled(image.width, image.height, factor, &in))
                status = look(session, &image, &in, err);
        }
    }
    av_frame_free(&frame);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("Usage: detector_size RETINAFACE.onnx PICTURE...\n", stderr);
        return 2;
    }
    fm_error err = {0};
    fm_runtime *runtime = NULL;
    fm_session *session = NULL;
    const fm_session_options options = {.intra_threads = 1};
    fm_status status = fm_runtime_create(&runtime, NULL, NULL, &err);
    if (status == FM_OK)
        status = fm_session_open(&session, runtime, argv[1], &options, &err);
    for (int i = 2; i < argc && status == FM_OK; i++)
        status = look_at_sizes(session, argv[i], &err);
    fm_session_close(&session);
    fm_runtime_destroy(&runtime);
    if (status != FM_OK)
        fprintf(stderr, "detector_size: %s\n", err.message);
    return fm_exit_code(status);
}
