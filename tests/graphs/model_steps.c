/*
 * One model's way from a picture to what was found, step by step, as the
 * program goes it (src/face, src/inference), with every step written down for
 * a check by another hand (test_steps.py). For tests only.
 *
 * Into the folder go input.f32 and output_K.f32, raw little-endian floats; to
 * stdout goes one JSON object: shapes, names, and what was decoded.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "face/mtl.h"
#include "face/retinaface.h"
#include "face/star.h"
#include "inference/session.h"

enum { PICTURE_MAX = 1 << 24, INPUT_MAX = 1 << 28, FACES_MAX = 8, BOX_VALUES = 4, INPUT_RANK = 4 };

static const char usage[] =
    "Usage: model_steps run MODEL DIR N C H W         over DIR/input.f32\n"
    "       model_steps detector MODEL DIR PICTURE.ppm FACTOR     (0: letterboxed into the model's own size)\n"
    "       model_steps star MODEL DIR PICTURE.ppm X0 Y0 X1 Y1\n"
    "       model_steps mtl MODEL DIR PICTURE.ppm MARGIN X0 Y0 X1 Y1 [X0 Y0 X1 Y1...]\n";

typedef struct steps {
    fm_runtime *runtime;
    fm_session *session;
    fm_binding *binding;
    const char *dir;
    uint8_t *file; /* of the picture */
    fm_image image;
} steps;

/* --- pictures and files --------------------------------------------------------------------------------------- */

/* A binary PPM without comments. */
static fm_status read_picture(steps *s, const char *path, fm_error *err)
{
    size_t size = 0;
    fm_status status = fm_file_read(path, PICTURE_MAX, &s->file, &size, err);
    if (status != FM_OK)
        return status;
    int width = 0, height = 0, offset = 0;
    const bool header = sscanf((const char *)s->file, "P6 %5d %5d 255%n", &width, &height, &offset) == 2 && offset > 0;
    if (!header || width < 1 || height < 1 || (size_t)offset + 1 + 3 * (size_t)width * (size_t)height != size)
        return fm_fail(err, FM_E_BAD_INPUT, "'%s' is no PPM picture", path);
    s->image = (fm_image){.format = FM_PIXEL_RGB24, .width = width, .height = height,
                          .plane = {s->file + offset + 1}, .stride = {3 * (ptrdiff_t)width}};
    return FM_OK;
}

static fm_status write_floats(const steps *s, const char *name, const float *values, size_t count, fm_error *err)
{
    char path[FM_PATH_MAX];
    if (!fm_path_join(path, s->dir, name))
        return fm_fail(err, FM_E_OUTPUT, "the path of '%s' is too long", name);
    return fm_file_write(path, values, count * sizeof *values, err);
}

static void print_shape(const fm_tensor_info *info)
{
    printf("{\"name\": \"%s\", \"dims\": [", info->name);
    for (int i = 0; i < info->rank; i++)
        printf("%s%" PRId64, i ? ", " : "", info->dims[i]);
    printf("]}");
}

static void print_numbers(const char *name, const double *values, int count)
{
    printf(", \"%s\": [", name);
    for (int i = 0; i < count; i++)
        printf("%s%.9g", i ? ", " : "", values[i]);
    printf("]");
}

static void print_floats(const char *name, const float *values, int count)
{
    printf(", \"%s\": [", name);
    for (int i = 0; i < count; i++)
        printf("%s%.9g", i ? ", " : "", (double)values[i]);
    printf("]");
}

/* Writes the tensors down and begins the JSON object. */
static fm_status write_tensors(const steps *s, fm_error *err)
{
    const fm_tensor_info *input = fm_binding_input_info(s->binding);
    fm_status status = write_floats(s, "input.f32", fm_binding_input(s->binding), input->count, err);
    printf("{\"input\": ");
    print_shape(input);
    printf(", \"outputs\": [");
    for (int i = 0; i < fm_session_output_count(s->session) && status == FM_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "output_%d.f32", i);
        const fm_tensor_info *info = fm_binding_output_info(s->binding, i);
        status = write_floats(s, name, fm_binding_output(s->binding, i), info->count, err);
        printf("%s", i ? ", " : "");
        print_shape(info);
    }
    printf("]");
    return status;
}

static const float *output_of(const steps *s, const char *name)
{
    const int index = fm_session_find_output(s->session, name);
    return index < 0 ? NULL : fm_binding_output(s->binding, index);
}

static fm_status bind(steps *s, int64_t batch, int64_t height, int64_t width, fm_error *err)
{
    const int64_t dims[INPUT_RANK] = {batch, 3, height, width};
    return fm_binding_create_sized(&s->binding, s->session, dims, INPUT_RANK, err);
}

/* --- the models ------------------------------------------------------------------------------------------------ */

static fm_status run_alone(steps *s, char **arguments, int count, fm_error *err)
{
    if (count != INPUT_RANK)
        return fm_fail(err, FM_E_USAGE, "%s", usage);
    int64_t dims[INPUT_RANK];
    for (int i = 0; i < INPUT_RANK; i++)
        dims[i] = strtol(arguments[i], NULL, 10);
    fm_status status = fm_binding_create_sized(&s->binding, s->session, dims, INPUT_RANK, err);
    if (status != FM_OK)
        return status;
    char path[FM_PATH_MAX];
    uint8_t *data = NULL;
    size_t size = 0;
    if (!fm_path_join(path, s->dir, "input.f32"))
        return fm_fail(err, FM_E_BAD_INPUT, "the path of the input is too long");
    status = fm_file_read(path, INPUT_MAX, &data, &size, err);
    if (status == FM_OK && size != fm_binding_input_info(s->binding)->count * sizeof(float))
        status = fm_fail(err, FM_E_BAD_INPUT, "'%s' has another size than the input", path);
    if (status == FM_OK)
        memcpy(fm_binding_input(s->binding), data, size);
    free(data);
    if (status == FM_OK)
        status = fm_binding_run(s->binding, err);
    if (status == FM_OK)
        status = write_tensors(s, err);
    return status;
}

static bool detector_input(const steps *s, double factor, fm_retinaface_input *out)
{
    const fm_tensor_info *info = fm_session_input(s->session, 0);
    if (factor > 0)
        return fm_retinaface_scaled(s->image.width, s->image.height, factor, out);
    return fm_retinaface_letterboxed(s->image.width, s->image.height, (int)info->dims[3], (int)info->dims[2], out);
}

static void print_faces(const fm_retinaface_face *faces, int count)
{
    printf(", \"faces\": [");
    for (int i = 0; i < count; i++) {
        const fm_retinaface_face *f = &faces[i];
        printf("%s{\"score\": %.9g, \"box\": [%.9g, %.9g, %.9g, %.9g]", i ? ", " : "", (double)f->score, (double)f->x0,
               (double)f->y0, (double)f->x1, (double)f->y1);
        print_floats("points", &f->point[0].x, 2 * FM_RETINAFACE_POINTS);
        printf("}");
    }
    printf("]");
}

static fm_status run_detector(steps *s, char **arguments, int count, fm_error *err)
{
    if (count != 2)
        return fm_fail(err, FM_E_USAGE, "%s", usage);
    fm_retinaface_input input;
    fm_status status = read_picture(s, arguments[0], err);
    if (status != FM_OK)
        return status;
    if (!detector_input(s, strtod(arguments[1], NULL), &input))
        return fm_fail(err, FM_E_BAD_INPUT, "the picture does not fit the detector");
    status = bind(s, 1, input.height, input.width, err);
    if (status != FM_OK)
        return status;
    fm_image_stretch(&s->image, &input.box, input.width, input.height, &fm_retinaface_crop,
                     fm_binding_input(s->binding));
    status = fm_binding_run(s->binding, err);
    const float *loc = output_of(s, "loc"), *conf = output_of(s, "conf"), *landms = output_of(s, "landms");
    if (status == FM_OK && (!loc || !conf || !landms))
        status = fm_fail(err, FM_E_MODEL, "the detector lacks an output");
    if (status == FM_OK)
        status = write_tensors(s, err);
    if (status != FM_OK)
        return status;
    fm_retinaface_face faces[FACES_MAX];
    const int found = fm_retinaface_decode(loc, conf, landms, &input, 0.5f, 0.4f, faces, FACES_MAX);
    print_faces(faces, found);
    return FM_OK;
}

static fm_box read_box(char **arguments)
{
    return (fm_box){strtod(arguments[0], NULL), strtod(arguments[1], NULL), strtod(arguments[2], NULL),
                    strtod(arguments[3], NULL)};
}

static fm_status run_star(steps *s, char **arguments, int count, fm_error *err)
{
    if (count != 1 + BOX_VALUES)
        return fm_fail(err, FM_E_USAGE, "%s", usage);
    fm_status status = read_picture(s, arguments[0], err);
    fm_roi roi;
    const fm_box box = read_box(&arguments[1]);
    if (status == FM_OK && !fm_star_roi(&box, &roi))
        status = fm_fail(err, FM_E_BAD_INPUT, "the box is no place for a face");
    if (status == FM_OK)
        status = bind(s, 1, FM_STAR_SIZE, FM_STAR_SIZE, err);
    if (status != FM_OK)
        return status;
    fm_image_crop(&s->image, &roi, &fm_star_crop, fm_binding_input(s->binding));
    status = fm_binding_run(s->binding, err);
    if (status == FM_OK)
        status = write_tensors(s, err);
    fm_point3 points[FM_STAR_POINTS];
    const int last = fm_session_output_count(s->session) - 1;
    if (status == FM_OK && !fm_star_decode(fm_binding_output(s->binding, last), &roi, points))
        status = fm_fail(err, FM_E_MODEL, "the points are not finite");
    if (status != FM_OK)
        return status;
    double flat[2 * FM_STAR_POINTS];
    for (int i = 0; i < FM_STAR_POINTS; i++) {
        flat[2 * i] = (double)points[i].x;
        flat[2 * i + 1] = (double)points[i].y;
    }
    print_numbers("points", flat, 2 * FM_STAR_POINTS);
    return FM_OK;
}

static fm_status fill_faces(const steps *s, double margin, char **boxes, int faces, fm_error *err)
{
    const size_t each = 3 * (size_t)FM_MTL_SIZE * FM_MTL_SIZE;
    for (int i = 0; i < faces; i++) {
        const fm_box box = read_box(&boxes[BOX_VALUES * i]);
        fm_box part;
        if (!fm_mtl_box(&box, margin, s->image.width, s->image.height, &part))
            return fm_fail(err, FM_E_BAD_INPUT, "a box is beside the picture");
        fm_image_stretch(&s->image, &part, FM_MTL_SIZE, FM_MTL_SIZE, &fm_mtl_crop,
                         fm_binding_input(s->binding) + (size_t)i * each);
    }
    return FM_OK;
}

static fm_status print_measures(const steps *s, int faces, fm_error *err)
{
    const float *emotion = output_of(s, "emotion_output"), *gaze = output_of(s, "gaze_output");
    const float *units = output_of(s, "au_output");
    if (!emotion || !gaze || !units)
        return fm_fail(err, FM_E_MODEL, "the model lacks an output");
    printf(", \"faces\": [");
    for (int i = 0; i < faces; i++) {
        fm_mtl_result r;
        if (!fm_mtl_decode(emotion + i * FM_MTL_EMOTIONS, gaze + i * FM_MTL_GAZE, units + i * FM_MTL_UNITS,
                           FM_MTL_UNITS, &r))
            return fm_fail(err, FM_E_MODEL, "a value is not finite");
        printf("%s{\"emotion_name\": \"%s\"", i ? ", " : "", fm_mtl_emotion_name(r.best_emotion));
        print_floats("emotion", r.emotion, FM_MTL_EMOTIONS);
        print_floats("angles", (const float[]){r.gaze_yaw, r.gaze_pitch}, 2);
        print_floats("gaze", &r.gaze.x, 3);
        print_floats("units", r.unit, FM_MTL_UNITS);
        printf("}");
    }
    printf("]");
    return FM_OK;
}

static fm_status run_mtl(steps *s, char **arguments, int count, fm_error *err)
{
    const int faces = (count - 2) / BOX_VALUES;
    if (count < 2 + BOX_VALUES || (count - 2) % BOX_VALUES != 0)
        return fm_fail(err, FM_E_USAGE, "%s", usage);
    fm_status status = read_picture(s, arguments[0], err);
    if (status == FM_OK)
        status = bind(s, faces, FM_MTL_SIZE, FM_MTL_SIZE, err);
    if (status == FM_OK)
        status = fill_faces(s, strtod(arguments[1], NULL), &arguments[2], faces, err);
    if (status == FM_OK)
        status = fm_binding_run(s->binding, err);
    if (status == FM_OK)
        status = write_tensors(s, err);
    if (status == FM_OK)
        status = print_measures(s, faces, err);
    return status;
}

static fm_status run(steps *s, int argc, char **argv, fm_error *err)
{
    static const struct {
        const char *name;
        fm_status (*run)(steps *s, char **arguments, int count, fm_error *err);
    } kinds[] = {{"run", run_alone}, {"detector", run_detector}, {"star", run_star}, {"mtl", run_mtl}};
    for (size_t i = 0; argc > 4 && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(argv[1], kinds[i].name) == 0) {
            s->dir = argv[3];
            fm_status status = fm_runtime_create(&s->runtime, NULL, NULL, err);
            if (status == FM_OK)
                status = fm_session_open(&s->session, s->runtime, argv[2], &(fm_session_options){0}, err);
            return status == FM_OK ? kinds[i].run(s, argv + 4, argc - 4, err) : status;
        }
    return fm_fail(err, FM_E_USAGE, "%s", usage);
}

int main(int argc, char **argv)
{
    fm_error err = {0};
    steps s = {0};
    const fm_status status = run(&s, argc, argv, &err);
    if (status == FM_OK)
        puts("}");
    else
        fprintf(stderr, "model_steps: %s\n", err.message);
    fm_binding_destroy(&s.binding);
    fm_session_close(&s.session);
    fm_runtime_destroy(&s.runtime);
    free(s.file);
    return fm_exit_code(status);
}
