/*
 * What making a model's input costs: crops and stretched boxes out of a 1080p
 * picture (YUV 4:2:0), as the models of a run take them, and of an RGB one.
 * Wall and CPU time stand side by side: on a busy machine the CPU time is the
 * one to compare.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "face/detector.h"
#include "face/mtl.h"
#include "face/retinaface.h"
#include "face/star.h"
#include "face/facemesh.h"
#include "timing.h"

enum { WIDTH = 1920, HEIGHT = 1080, RUNS = 101, RUNS_MAX = 100000 };

typedef struct input_case {
    const char *name;
    const fm_crop_options *options;
    double angle;      /* of a crop */
    int width, height; /* of the tensor; a crop is square */
    bool stretched;    /* the whole picture over the tensor, letterboxed when the shapes differ */
} input_case;

static const input_case cases[] = {
    {"BlazeFace, whole picture, 128", &fm_blazeface_crop, 0, 128, 128, false},
    {"FaceMesh, upright, 192", &fm_facemesh_crop, 0, 192, 192, false},
    {"FaceMesh, turned by 0.1, 192", &fm_facemesh_crop, 0.1, 192, 192, false},
    {"STAR, upright, 256", &fm_star_crop, 0, 256, 256, false},
    {"MTL, upright, 224", &fm_mtl_crop, 0, 224, 224, false},
    {"RetinaFace, letterboxed, 640x640", &fm_retinaface_crop, 0, 640, 640, true},
    {"RetinaFace, as it is, 1920x1080", &fm_retinaface_crop, 0, WIDTH, HEIGHT, true},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void make_input(const fm_image *image, const input_case *c, float *tensor)
{
    fm_crop_options options = *c->options;
    fm_retinaface_input input;
    if (c->stretched) {
        if (fm_retinaface_letterboxed(WIDTH, HEIGHT, c->width, c->height, &input))
            fm_image_stretch(image, &input.box, c->width, c->height, &options, tensor);
        return;
    }
    options.size = c->width;
    const fm_roi face = {960, 540, 700, c->angle}, whole = fm_roi_letterbox(WIDTH, HEIGHT);
    fm_image_crop(image, c->options == &fm_blazeface_crop ? &whole : &face, &options, tensor);
}

static void time_case(const fm_image *image, const input_case *c, float *tensor, int runs, double *wall, double *cpu)
{
    for (int i = 0; i < runs; i++) {
        const double start = clock_ms(CLOCK_MONOTONIC), cpu_start = clock_ms(CLOCK_THREAD_CPUTIME_ID);
        make_input(image, c, tensor);
        cpu[i] = clock_ms(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
        wall[i] = clock_ms(CLOCK_MONOTONIC) - start;
    }
}

/* Noise: the time does not depend on what the picture shows. */
static void fill(uint8_t *pixels, size_t size)
{
    uint32_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u; /* Numerical Recipes, section 7.1 */
        pixels[i] = (uint8_t)(state >> 24);
    }
}

int main(int argc, char **argv)
{
    const long runs = argc > 1 ? strtol(argv[1], NULL, 10) : RUNS;
    const size_t luma = (size_t)WIDTH * HEIGHT;
    if (argc > 2 || runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "Usage: image_time [RUNS]\n");
        return 2;
    }
    uint8_t *pixels = malloc(3 * luma);
    float *tensor = malloc(3 * luma * sizeof *tensor);
    double *wall = malloc((size_t)runs * sizeof *wall), *cpu = malloc((size_t)runs * sizeof *cpu);
    if (!pixels || !tensor || !wall || !cpu) {
        fprintf(stderr, "image_time: out of memory\n");
        return 10;
    }
    fill(pixels, 3 * luma);
    const fm_image pictures[] = {
        {.format = FM_PIXEL_YUV420P, .width = WIDTH, .height = HEIGHT, .matrix = FM_MATRIX_BT709,
         .plane = {pixels, pixels + luma, pixels + luma + luma / 4}, .stride = {WIDTH, WIDTH / 2, WIDTH / 2}},
        {.format = FM_PIXEL_RGB24, .width = WIDTH, .height = HEIGHT, .plane = {pixels}, .stride = {3 * WIDTH}},
    };
    printf("Inputs of models out of %dx%d, %ld runs, ms\n\n%-34s %9s %9s %9s %9s\n", WIDTH, HEIGHT, runs, "Input",
           "YUV", "YUV CPU", "RGB", "RGB CPU");
    for (int i = 0; i < CASES; i++) {
        printf("%-34s", cases[i].name);
        for (size_t k = 0; k < sizeof pictures / sizeof pictures[0]; k++) {
            time_case(&pictures[k], &cases[i], tensor, (int)runs, wall, cpu);
            printf(" %9.3f %9.3f", median_of(wall, (int)runs), median_of(cpu, (int)runs));
        }
        putchar('\n');
    }
    free(pixels);
    free(tensor);
    free(wall);
    free(cpu);
    return 0;
}
