/* The real models: what their graphs are made of, and what happens to broken copies of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "models/bundle.h"
#include "models/import.h"
#include "onnx_run.h"
#include "onnx_walk.h"
#include "shared_file.h"

typedef struct file {
    uint8_t *data;
    size_t size;
} file;

/* A model out of FACEMIRROR_DEPS; the test is skipped where it is not set up. */
static file load(const char *name)
{
    const char *deps = getenv("FACEMIRROR_DEPS");
    char path[FM_PATH_MAX];
    file out = {0};
    fm_error err = {0};
    snprintf(path, sizeof path, "%s/tflite/%s.tflite", deps ? deps : "deps", name);
    if (fm_file_read(path, (size_t)64 << 20, &out.data, &out.size, &err) != FM_OK) {
        print_message("skipped: %s; run `make setup`\n", err.message);
        skip();
    }
    return out;
}

static file import(const file *tflite, fm_import_style style)
{
    file onnx;
    fm_error err = {0};
    fm_status status = fm_import_tflite_as(tflite->data, tflite->size, "model", style, &onnx.data,
                                           &onnx.size, &err);
    if (status != FM_OK)
        fail_msg("%s", err.message);
    return onnx;
}

static void assert_shape(const ow_value *value, const char *name, int rank, const int64_t *dims)
{
    assert_string_equal(value->name, name);
    assert_int_equal(value->rank, rank);
    for (int i = 0; i < rank; i++)
        assert_int_equal(value->dims[i], dims[i]);
}

static void test_face_mesh_structure(void **state)
{
    (void)state;
    file tflite = load("face_landmark");
    file onnx = import(&tflite, FM_IMPORT_PLAIN);
    ow_summary graph;
    ow_walk(onnx.data, onnx.size, &graph);
    assert_int_equal(graph.ir_version, 8);
    assert_int_equal(graph.opset, 17);
    assert_int_equal(ow_count(&graph, "Conv"), 45); /* 25 CONV_2D, 20 DEPTHWISE_CONV_2D */
    assert_int_equal(ow_count(&graph, "PRelu"), 23);
    assert_int_equal(ow_count(&graph, "Add"), 20);
    assert_int_equal(ow_count(&graph, "MaxPool"), 6);
    assert_int_equal(ow_count(&graph, "Pad"), 3);
    assert_int_equal(graph.nodes, 97);
    assert_int_equal(graph.input_count, 1);
    assert_int_equal(graph.output_count, 2);
    assert_shape(&graph.inputs[0], "input_1", 4, (const int64_t[]){1, 3, 192, 192});
    assert_shape(&graph.outputs[0], "conv2d_21", 4, (const int64_t[]){1, 1404, 1, 1});
    assert_shape(&graph.outputs[1], "conv2d_31", 4, (const int64_t[]){1, 1, 1, 1});
    free(onnx.data);

    onnx = import(&tflite, FM_IMPORT_BLOCKED);
    ow_walk(onnx.data, onnx.size, &graph);
    assert_int_equal(ow_count(&graph, "Conv"), 45 + 2 * 23);
    assert_int_equal(ow_count(&graph, "PRelu"), 0);
    assert_int_equal(ow_count(&graph, "Transpose"), 0);
    free(onnx.data);
    free(tflite.data);
}

static void check_blaze_face(const file *tflite)
{
    file onnx = import(tflite, FM_IMPORT_AUTO);
    ow_summary graph;
    ow_walk(onnx.data, onnx.size, &graph);
    assert_int_equal(ow_count(&graph, "Conv"), 37);
    assert_int_equal(ow_count(&graph, "Relu"), 17);
    assert_int_equal(ow_count(&graph, "Add"), 16);
    assert_int_equal(ow_count(&graph, "Pad"), 11);
    assert_int_equal(ow_count(&graph, "MaxPool"), 3);
    assert_int_equal(ow_count(&graph, "Transpose"), 4); /* the four heads */
    assert_int_equal(ow_count(&graph, "Reshape"), 4);
    assert_int_equal(ow_count(&graph, "Concat"), 2);
    assert_int_equal(graph.nodes, 94);
    assert_int_equal(graph.output_count, 2);
    assert_shape(&graph.inputs[0], "input", 4, (const int64_t[]){1, 3, 128, 128});
    assert_shape(&graph.outputs[0], "regressors", 3, (const int64_t[]){1, 896, 16});
    assert_shape(&graph.outputs[1], "classificators", 3, (const int64_t[]){1, 896, 1});
    free(onnx.data);
}

static void test_blaze_face_structure(void **state)
{
    (void)state;
    file tflite = load("face_detection_short_range");
    check_blaze_face(&tflite);
    free(tflite.data);
}

static void check_bundled_landmarks(const file *tflite)
{
    file onnx = import(tflite, FM_IMPORT_PLAIN);
    ow_summary graph;
    ow_walk(onnx.data, onnx.size, &graph);
    assert_int_equal(ow_count(&graph, "Conv"), 106); /* 72 CONV_2D, 34 DEPTHWISE_CONV_2D */
    assert_int_equal(ow_count(&graph, "PRelu"), 69);
    assert_int_equal(ow_count(&graph, "Add"), 34);
    assert_int_equal(ow_count(&graph, "MaxPool"), 6);
    assert_int_equal(ow_count(&graph, "Pad"), 3);
    assert_int_equal(ow_count(&graph, "Sigmoid"), 1);
    assert_int_equal(ow_count(&graph, "Transpose"), 0);
    assert_int_equal(graph.output_count, 3);
    assert_shape(&graph.inputs[0], "input_12", 4, (const int64_t[]){1, 3, 256, 256});
    assert_shape(&graph.outputs[0], "Identity", 4, (const int64_t[]){1, 3 * 478, 1, 1});
    assert_shape(&graph.outputs[1], "Identity_1", 4, (const int64_t[]){1, 1, 1, 1});
    assert_shape(&graph.outputs[2], "Identity_2", 2, (const int64_t[]){1, 1});
    free(onnx.data);

    onnx = import(tflite, FM_IMPORT_BLOCKED);
    ow_walk(onnx.data, onnx.size, &graph);
    assert_int_equal(ow_count(&graph, "Conv"), 106 + 2 * 69);
    assert_int_equal(ow_count(&graph, "PRelu"), 0);
    assert_int_equal(ow_count(&graph, "Transpose"), 0);
    free(onnx.data);
}

static void check_bundled_blendshapes(const file *tflite)
{
    file onnx = import(tflite, FM_IMPORT_AUTO);
    ow_summary graph;
    ow_walk(onnx.data, onnx.size, &graph);
    assert_int_equal(ow_count(&graph, "Conv"), 19);
    assert_int_equal(ow_count(&graph, "ReduceMean"), 18);
    assert_int_equal(ow_count(&graph, "ReduceSum"), 1);
    assert_int_equal(ow_count(&graph, "Transpose"), 10); /* those of the model, none between layouts */
    assert_int_equal(ow_count(&graph, "Reshape"), 3);
    assert_int_equal(graph.output_count, 1);
    assert_shape(&graph.inputs[0], "serving_default_input_points:0", 3, (const int64_t[]){1, 146, 2});
    assert_shape(&graph.outputs[0], "StatefulPartitionedCall:0", 1, (const int64_t[]){52});
    free(onnx.data);
}

/* The three graphs of Google's Face Landmarker; its detector is the short-range one under another training. */
static void test_bundled_structures(void **state)
{
    (void)state;
    char path[FM_PATH_MAX];
    fm_bundle bundle;
    fm_error err = {0};
    shared_path(path, "models/face_landmarker.task");
    if (fm_bundle_read(&bundle, path, &err) != FM_OK) {
        print_message("skipped: %s\n", err.message);
        skip();
    }
    file parts[FM_BUNDLE_PARTS];
    for (int i = 0; i < FM_BUNDLE_PARTS; i++)
        parts[i] = (file){bundle.parts[i].data, bundle.parts[i].size};
    check_bundled_landmarks(&parts[FM_BUNDLE_LANDMARKS]);
    check_bundled_blendshapes(&parts[FM_BUNDLE_BLENDSHAPES]);
    check_blaze_face(&parts[FM_BUNDLE_DETECTOR]);
    fm_bundle_free(&bundle);
}

/* Both styles are the same function, and the runtime takes both without a warning. */
static void test_styles_agree_on_face_mesh(void **state)
{
    (void)state;
    enum { PIXELS = 3 * 192 * 192 };
    file tflite = load("face_landmark");
    float *input = malloc(PIXELS * sizeof *input);
    assert_non_null(input);
    for (int i = 0; i < PIXELS; i++)
        input[i] = 0.5f + 0.5f * sinf((float)(i % 192) * 0.05f + (float)(i / 192 % 192) * 0.03f +
                                      (float)(i / 36864));
    float *result[2];
    for (int style = 0; style < 2; style++) {
        file onnx = import(&tflite, style ? FM_IMPORT_BLOCKED : FM_IMPORT_PLAIN);
        size_t count = 0;
        result[style] = or_run(onnx.data, onnx.size, input, (const int64_t[]){1, 3, 192, 192}, 4, &count);
        assert_int_equal(count, 1404);
        free(onnx.data);
    }
    /* Units of 1/192 of the picture; float32 rounding through 45 convolutions is below a thousandth. */
    float spread = 0;
    for (int i = 0; i < 1404; i++) {
        assert_true(fabsf(result[0][i] - result[1][i]) < 1e-3f);
        spread = fmaxf(spread, fabsf(result[0][i] - result[0][0]));
    }
    assert_true(spread > 10); /* landmarks, not a constant */
    free(result[0]);
    free(result[1]);
    free(input);
    free(tflite.data);
}

static void test_import_is_deterministic_and_small(void **state)
{
    (void)state;
    static const char *const names[] = {"face_landmark", "face_detection_short_range",
                                        "face_landmark_with_attention"};
    for (int i = 0; i < 3; i++) {
        file tflite = load(names[i]);
        file a = import(&tflite, FM_IMPORT_AUTO), b = import(&tflite, FM_IMPORT_AUTO);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
        /* float16 doubles in float32; names come on top. */
        assert_true(a.size < 2 * tflite.size + (64 << 10));
        free(a.data);
        free(b.data);
        free(tflite.data);
    }
}

/* The outputs with their names, and the three custom operators as standard ones. */
static void test_attention_mesh_structure(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t count;
    } outputs[] = {{"output_mesh_identity", 1404}, {"output_lips", 160}, {"output_left_eye", 142},
                   {"output_right_eye", 142}, {"output_left_iris", 10}, {"output_right_iris", 10},
                   {"conv_faceflag", 1}};
    file tflite = load("face_landmark_with_attention");
    file onnx = import(&tflite, FM_IMPORT_PLAIN);
    ow_summary graph;
    ow_walk(onnx.data, onnx.size, &graph);
    assert_int_equal(ow_count(&graph, "Conv"), 146); /* 80 CONV_2D, 66 DEPTHWISE_CONV_2D */
    assert_int_equal(ow_count(&graph, "PRelu"), 73);
    assert_int_equal(ow_count(&graph, "GridSample"), 3); /* TransformTensorBilinear */
    assert_int_equal(ow_count(&graph, "ReduceMax"), 3);  /* Landmarks2TransformMatrix */
    assert_shape(&graph.inputs[0], "input_1", 4, (const int64_t[]){1, 3, 192, 192});
    assert_int_equal(graph.output_count, 7);
    for (int i = 0; i < 7; i++)
        assert_shape(&graph.outputs[i], outputs[i].name, 4, (const int64_t[]){1, outputs[i].count, 1, 1});
    free(onnx.data);
    free(tflite.data);
}

/* An import of whatever bytes ends well or with a message; a copy of exact size lets sanitizers see every overrun. */
static fm_status try_import(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1), *onnx = NULL;
    size_t onnx_size = 0;
    fm_error err = {0};
    assert_non_null(exact);
    if (size)
        memcpy(exact, data, size);
    fm_status status = fm_import_tflite(exact, size, "hostile", &onnx, &onnx_size, &err);
    assert_true(status == FM_OK || status == FM_E_MODEL);
    assert_true((status == FM_OK) == (onnx != NULL));
    assert_true((status == FM_OK) == (err.message[0] == 0));
    assert_true(onnx_size <= 4 * (4 * size + (1 << 20)) + 4096);
    free(onnx);
    free(exact);
    return status;
}

static void test_truncated_files_are_refused(void **state)
{
    (void)state;
    file tflite = load("face_detection_short_range");
    for (size_t size = 0; size < tflite.size; size += 97)
        assert_int_equal(try_import(tflite.data, size), FM_E_MODEL);
    for (size_t size = 0; size < 200; size++)
        assert_int_equal(try_import(tflite.data, size), FM_E_MODEL);
    free(tflite.data);
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Tables stand at the end of these files, weights before them: most flips go where structure is. */
static void test_flipped_bytes_never_crash(void **state)
{
    (void)state;
    static const char *const names[] = {"face_detection_short_range", "face_landmark",
                                        "face_landmark_with_attention"};
    file tflite[3] = {load(names[0]), load(names[1]), load(names[2])};
    uint32_t random = 20240229;
    int refused = 0;
    for (int round = 0; round < 3000; round++) {
        file *model = &tflite[round % 32 == 31 ? 1 : round % 32 == 15 ? 2 : 0];
        size_t reach_max = model == &tflite[2] ? 150000 : 40000;
        size_t tables = model->size < reach_max ? model->size : reach_max;
        size_t at[8];
        uint8_t kept[8];
        for (int k = 0; k < 8; k++) {
            size_t reach = k % 4 ? tables : 64;
            size_t offset = next_random(&random) % reach;
            at[k] = k % 4 ? model->size - 1 - offset : offset;
            kept[k] = model->data[at[k]];
            if (k <= round % 8)
                model->data[at[k]] ^= (uint8_t)(1u << next_random(&random) % 8);
        }
        refused += try_import(model->data, model->size) != FM_OK;
        for (int k = 8; k-- > 0;)
            model->data[at[k]] = kept[k];
    }
    for (int i = 0; i < 3; i++)
        free(tflite[i].data);
    print_message("%d of 3000 damaged files refused\n", refused);
    assert_true(refused > 500 && refused < 3000);
}

/* Every 32-bit word of the head and of the last tables, one after the other, as a huge offset or count. */
static void test_huge_offsets_are_refused(void **state)
{
    (void)state;
    static const uint32_t values[] = {0xffffffff, 0x7fffffff, 0x80000000, 0};
    file tflite = load("face_detection_short_range");
    assert_int_equal(try_import(tflite.data, tflite.size), FM_OK);
    for (int i = 0; i < 4; i++) {
        uint8_t kept[4];
        memcpy(kept, tflite.data, 4);
        memcpy(tflite.data, &values[i], 4);
        assert_int_equal(try_import(tflite.data, tflite.size), FM_E_MODEL);
        memcpy(tflite.data, kept, 4);
        for (size_t at = (tflite.size - 12000) & ~(size_t)3; at + 4 <= tflite.size; at += 20) {
            memcpy(kept, tflite.data + at, 4);
            memcpy(tflite.data + at, &values[i], 4);
            (void)try_import(tflite.data, tflite.size);
            memcpy(tflite.data + at, kept, 4);
        }
    }
    free(tflite.data);
}

static void test_files_that_are_no_models(void **state)
{
    (void)state;
    uint8_t zeros[64] = {0};
    assert_int_equal(try_import(zeros, 0), FM_E_MODEL);
    assert_int_equal(try_import(zeros, sizeof zeros), FM_E_MODEL);
    memcpy(zeros + 4, "TFL3", 4);
    assert_int_equal(try_import(zeros, sizeof zeros), FM_E_MODEL);
    zeros[0] = 8; /* a root without a vtable: it points at itself */
    assert_int_equal(try_import(zeros, sizeof zeros), FM_E_MODEL);
    fm_error err = {0};
    assert_int_equal(fm_import_tflite_file("/nonexistent/a.tflite", "/tmp/a.onnx", &err),
                     FM_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/a.tflite"));
}

static void test_file_to_file(void **state)
{
    (void)state;
    file tflite = load("face_detection_short_range");
    char dir[] = "/tmp/fm-import-XXXXXX", input[64], output[64];
    assert_non_null(mkdtemp(dir));
    snprintf(input, sizeof input, "%s/detector.tflite", dir);
    snprintf(output, sizeof output, "%s/detector.onnx", dir);
    fm_error err = {0};
    assert_int_equal(fm_file_write(input, tflite.data, tflite.size, &err), FM_OK);
    assert_int_equal(fm_import_tflite_file(input, output, &err), FM_OK);
    file written, direct;
    assert_int_equal(fm_file_read(output, (size_t)64 << 20, &written.data, &written.size, &err), FM_OK);
    assert_int_equal(fm_import_tflite(tflite.data, tflite.size, "detector", &direct.data, &direct.size, &err),
                     FM_OK);
    assert_int_equal(written.size, direct.size);
    assert_memory_equal(written.data, direct.data, direct.size);
    /* A failure leaves the former output as it is. */
    assert_int_equal(fm_file_write(input, "short", 5, &err), FM_OK);
    assert_int_equal(fm_import_tflite_file(input, output, &err), FM_E_MODEL);
    assert_int_equal(access(output, R_OK), 0);
    unlink(input);
    unlink(output);
    assert_int_equal(rmdir(dir), 0); /* no partial file is left */
    free(written.data);
    free(direct.data);
    free(tflite.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_face_mesh_structure),
        cmocka_unit_test(test_blaze_face_structure),
        cmocka_unit_test(test_bundled_structures),
        cmocka_unit_test(test_styles_agree_on_face_mesh),
        cmocka_unit_test(test_import_is_deterministic_and_small),
        cmocka_unit_test(test_attention_mesh_structure),
        cmocka_unit_test(test_truncated_files_are_refused),
        cmocka_unit_test(test_flipped_bytes_never_crash),
        cmocka_unit_test(test_huge_offsets_are_refused),
        cmocka_unit_test(test_files_that_are_no_models),
        cmocka_unit_test(test_file_to_file),
    };
    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
