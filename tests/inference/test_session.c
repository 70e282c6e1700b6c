/*
 * Sessions over small models that are written here byte for byte, so that the
 * test needs no file from elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "inference/internal.h"

/* --- a protobuf writer, as small as the models ------------------------- */

typedef struct message {
    uint8_t data[2048];
    size_t size;
} message;

static void put_byte(message *m, uint8_t b)
{
    assert_true(m->size < sizeof m->data);
    m->data[m->size++] = b;
}

static void put_varint(message *m, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        put_byte(m, (uint8_t)(v | 0x80));
    put_byte(m, (uint8_t)v);
}

static void put_int(message *m, unsigned field, uint64_t v)
{
    put_varint(m, (uint64_t)field << 3);
    put_varint(m, v);
}

static void put_bytes(message *m, unsigned field, const void *data, size_t size)
{
    put_varint(m, (uint64_t)field << 3 | 2);
    put_varint(m, size);
    for (size_t i = 0; i < size; i++)
        put_byte(m, ((const uint8_t *)data)[i]);
}

static void put_text(message *m, unsigned field, const char *text)
{
    put_bytes(m, field, text, strlen(text));
}

static void put_message(message *m, unsigned field, const message *inner)
{
    put_bytes(m, field, inner->data, inner->size);
}

enum { TYPE_FLOAT = 1, TYPE_INT64 = 7 };

/* dims: 0 ends the list, negative is a dynamic dimension. */
static void put_value_info(message *graph, unsigned field, const char *name, unsigned type,
                           const int *dims)
{
    message shape = {.size = 0}, tensor = {.size = 0}, kind = {.size = 0}, info = {.size = 0};
    for (; *dims; dims++) {
        message dim = {.size = 0};
        if (*dims > 0)
            put_int(&dim, 1, (uint64_t)*dims);
        else
            put_text(&dim, 2, "n");
        put_message(&shape, 1, &dim);
    }
    put_int(&tensor, 1, type);
    put_message(&tensor, 2, &shape);
    put_message(&kind, 1, &tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, &kind);
    put_message(graph, field, &info);
}

/* One node `op` with x given twice as its inputs and y as its output. */
static message make_model(const char *op, unsigned type, const int *in, const int *out)
{
    message node = {.size = 0}, graph = {.size = 0}, opset = {.size = 0}, model = {.size = 0};
    put_text(&node, 1, "x");
    put_text(&node, 1, "x");
    put_text(&node, 2, "y");
    put_text(&node, 4, op);
    if (strcmp(op, "Concat") == 0) {
        message axis = {.size = 0};
        put_text(&axis, 1, "axis");
        put_int(&axis, 3, 0);
        put_int(&axis, 20, 2); /* INT */
        put_message(&node, 5, &axis);
    }
    put_message(&graph, 1, &node);
    put_text(&graph, 2, "test");
    put_value_info(&graph, 11, "x", type, in);
    put_value_info(&graph, 12, "y", type, out);
    put_int(&model, 1, 8);
    put_int(&opset, 2, 13);
    put_message(&model, 8, &opset);
    put_message(&model, 7, &graph);
    return model;
}

/* --- fixtures ----------------------------------------------------------- */

static int log_count;

static void count_log(void *opaque, const char *text)
{
    (void)opaque;
    assert_non_null(text);
    assert_null(strchr(text, '\n'));
    log_count++;
}

static int setup(void **state)
{
    fm_error err = {0};
    fm_runtime *runtime = NULL;
    if (fm_runtime_create(&runtime, count_log, NULL, &err) != FM_OK) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    *state = runtime;
    return 0;
}

static int teardown(void **state)
{
    fm_runtime *runtime = *state;
    fm_runtime_destroy(&runtime);
    assert_null(runtime);
    return 0;
}

static fm_session *open_model(fm_runtime *runtime, const message *model)
{
    fm_error err = {0};
    fm_session *session = NULL;
    fm_status status =
        fm_session_open_memory(&session, runtime, model->data, model->size, "tiny", NULL, &err);
    if (status != FM_OK)
        fail_msg("%s", err.message);
    return session;
}

static void expect_failure(fm_status got, const void *object, const fm_error *err, fm_status want,
                           const char *part)
{
    assert_int_equal(got, want);
    assert_int_equal(err->status, want);
    assert_null(object);
    assert_null(strchr(err->message, '\n'));
    if (!strstr(err->message, part))
        fail_msg("'%s' does not hold '%s'", err->message, part);
}

/* --- tests --------------------------------------------------------------- */

static void test_version(void **state)
{
    int major = 0, minor = 0;
    assert_int_equal(sscanf(fm_runtime_version(*state), "%d.%d", &major, &minor), 2);
    assert_true(major > 1 || minor >= 29);
}

static void test_describes_and_runs(void **state)
{
    message model = make_model("Add", TYPE_FLOAT, (int[]){1, 3, 2, 0}, (int[]){1, 3, 2, 0});
    fm_session *session = open_model(*state, &model);
    assert_int_equal(fm_session_input_count(session), 1);
    assert_int_equal(fm_session_output_count(session), 1);
    const fm_tensor_info *in = fm_session_input(session, 0);
    assert_string_equal(in->name, "x");
    assert_int_equal(in->rank, 3);
    assert_int_equal(in->dims[1], 3);
    assert_int_equal(in->count, 6);
    assert_null(fm_session_input(session, 1));
    assert_null(fm_session_output(session, -1));
    assert_int_equal(fm_session_find_output(session, "y"), 0);
    assert_int_equal(fm_session_find_output(session, "z"), -1);
    assert_string_equal(fm_session_backend(session), "onnx_cpu");
    assert_true(fm_session_load_seconds(session) > 0.0 && fm_session_load_seconds(session) < 60.0);

    fm_error err = {0};
    fm_binding *binding = NULL, *other = NULL;
    assert_int_equal(fm_binding_create(&binding, session, &err), FM_OK);
    assert_int_equal(fm_binding_create(&other, session, &err), FM_OK);
    float *x = fm_binding_input(binding);
    assert_int_equal((uintptr_t)x % 64, 0);
    assert_int_equal((uintptr_t)fm_binding_output(binding, 0) % 64, 0);
    assert_null(fm_binding_output(binding, 1));
    for (int run = 0; run < 3; run++) {
        for (int i = 0; i < 6; i++)
            x[i] = (float)(i + 10 * run);
        assert_int_equal(fm_binding_run(binding, &err), FM_OK);
        for (int i = 0; i < 6; i++)
            assert_true(fm_binding_output(binding, 0)[i] == 2.0f * (float)(i + 10 * run));
    }
    /* The other binding has buffers of its own. */
    assert_int_equal(fm_binding_run(other, &err), FM_OK);
    assert_true(fm_binding_output(other, 0)[5] == 0.0f);
    fm_binding_destroy(&binding);
    fm_binding_destroy(&other);
    assert_null(binding);
    fm_session_close(&session);
    assert_null(session);
}

static void test_dynamic_dimension_is_one(void **state)
{
    message model = make_model("Add", TYPE_FLOAT, (int[]){-1, 4, 0}, (int[]){-1, 4, 0});
    fm_session *session = open_model(*state, &model);
    assert_int_equal(fm_session_input(session, 0)->dims[0], -1);
    assert_int_equal(fm_session_input(session, 0)->count, 4);
    fm_error err = {0};
    fm_binding *binding = NULL;
    assert_int_equal(fm_binding_create(&binding, session, &err), FM_OK);
    fm_binding_input(binding)[3] = 1.5f;
    assert_int_equal(fm_binding_run(binding, &err), FM_OK);
    assert_true(fm_binding_output(binding, 0)[3] == 3.0f);
    fm_binding_destroy(&binding);
    fm_session_close(&session);
}

/* Given dimensions fill in what is dynamic; the output's size comes from the model. */
static void test_sized_binding(void **state)
{
    message model = make_model("Concat", TYPE_FLOAT, (int[]){-1, 4, 0}, (int[]){-1, 4, 0});
    fm_session *session = open_model(*state, &model);
    fm_error err = {0};
    fm_binding *binding = NULL;
    assert_int_equal(fm_binding_create_sized(&binding, session, (int64_t[]){3, 4}, 2, &err), FM_OK);
    assert_int_equal(fm_binding_input_info(binding)->count, 12);
    const fm_tensor_info *out = fm_binding_output_info(binding, 0);
    assert_int_equal(out->dims[0], 6);
    assert_int_equal(out->dims[1], 4);
    assert_int_equal(out->count, 24);
    assert_null(fm_binding_output_info(binding, 1));
    for (int run = 1; run < 3; run++) {
        fm_binding_input(binding)[11] = (float)run;
        assert_int_equal(fm_binding_run(binding, &err), FM_OK);
        assert_true(fm_binding_output(binding, 0)[11] == (float)run);
        assert_true(fm_binding_output(binding, 0)[23] == (float)run);
    }
    fm_binding_destroy(&binding);

    const struct {
        int64_t dims[3];
        int rank;
        const char *message;
    } wrong[] = {
        {{3, 5}, 2, "fixed size"},
        {{3, 4, 1}, 3, "number of dimensions"},
        {{0, 4}, 2, "empty or too large"},
        {{INT64_C(1) << 40, 4}, 2, "empty or too large"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        err = (fm_error){0};
        fm_status status =
            fm_binding_create_sized(&binding, session, wrong[i].dims, wrong[i].rank, &err);
        expect_failure(status, binding, &err, FM_E_MODEL, wrong[i].message);
    }
    fm_session_close(&session);
}

/* Dimensions that the model's own operators refuse. */
static void test_sized_binding_refused_by_the_model(void **state)
{
    message model = make_model("MatMul", TYPE_FLOAT, (int[]){-1, -1, 0}, (int[]){-1, -1, 0});
    fm_session *session = open_model(*state, &model);
    fm_error err = {0};
    fm_binding *binding = NULL;
    fm_status status = fm_binding_create_sized(&binding, session, (int64_t[]){2, 3}, 2, &err);
    expect_failure(status, binding, &err, FM_E_MODEL, "this input size");
    fm_session_close(&session);
}

/* The output turns out to be 2 x 4 where 1 x 4 was bound. */
static void test_output_shape_mismatch(void **state)
{
    message model = make_model("Concat", TYPE_FLOAT, (int[]){-1, 4, 0}, (int[]){-1, 4, 0});
    fm_session *session = open_model(*state, &model);
    fm_error err = {0};
    fm_binding *binding = NULL;
    assert_int_equal(fm_binding_create(&binding, session, &err), FM_OK);
    fm_status status = fm_binding_run(binding, &err);
    expect_failure(status, NULL, &err, FM_E_MODEL, "cannot run the model 'tiny'");
    fm_binding_destroy(&binding);
    fm_session_close(&session);
}

static void test_wrong_element_type(void **state)
{
    message model = make_model("Add", TYPE_INT64, (int[]){1, 0}, (int[]){1, 0});
    fm_error err = {0};
    fm_session *session = NULL;
    fm_status status = fm_session_open_memory(&session, *state, model.data, model.size, "tiny",
                                              NULL, &err);
    expect_failure(status, session, &err, FM_E_MODEL, "float32");
}

static void test_broken_models(void **state)
{
    fm_error err = {0};
    fm_session *session = NULL;
    message unknown = make_model("NoSuchOperator", TYPE_FLOAT, (int[]){1, 0}, (int[]){1, 0});
    fm_status status = fm_session_open_memory(&session, *state, unknown.data, unknown.size,
                                              "unknown.onnx", NULL, &err);
    expect_failure(status, session, &err, FM_E_MODEL, "NoSuchOperator");

    err = (fm_error){0};
    status = fm_session_open_memory(&session, *state, "garbage, no model", 17, "garbage.onnx", NULL,
                                    &err);
    expect_failure(status, session, &err, FM_E_MODEL, "cannot load the model 'garbage.onnx': ");

    err = (fm_error){0};
    status = fm_session_open_memory(&session, *state, "", 0, "empty.onnx", NULL, &err);
    expect_failure(status, session, &err, FM_E_MODEL, "empty.onnx");

    /* Every prefix of a good model is refused or is a model; none may crash. */
    message good = make_model("Add", TYPE_FLOAT, (int[]){1, 3, 0}, (int[]){1, 3, 0});
    for (size_t size = 1; size < good.size; size += 3) {
        err = (fm_error){0};
        status = fm_session_open_memory(&session, *state, good.data, size, "cut.onnx", NULL, &err);
        if (status == FM_OK)
            fm_session_close(&session);
        else
            expect_failure(status, session, &err, FM_E_MODEL, "cut.onnx");
    }
}

static void test_files(void **state)
{
    fm_error err = {0};
    fm_session *session = NULL;
    fm_status status = fm_session_open(&session, *state, "/no/such/model.onnx", NULL, &err);
    expect_failure(status, session, &err, FM_E_MODEL, "'/no/such/model.onnx': No such file");

    err = (fm_error){0};
    status = fm_session_open(&session, *state, "/", NULL, &err);
    expect_failure(status, session, &err, FM_E_MODEL, "not a regular file");

    char path[] = "/tmp/fm-session-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    message model = make_model("Add", TYPE_FLOAT, (int[]){1, 3, 0}, (int[]){1, 3, 0});
    assert_int_equal(write(fd, model.data, model.size), (ssize_t)model.size);
    err = (fm_error){0};
    assert_int_equal(fm_session_open(&session, *state, path, &(fm_session_options){.intra_threads = 2}, &err), FM_OK);
    fm_session_close(&session);

    assert_int_equal(ftruncate(fd, 0), 0);
    status = fm_session_open(&session, *state, path, NULL, &err);
    expect_failure(status, session, &err, FM_E_MODEL, "it is empty");
    err = (fm_error){0};

    assert_int_equal(pwrite(fd, model.data, 20, 0), 20);
    status = fm_session_open(&session, *state, path, NULL, &err);
    expect_failure(status, session, &err, FM_E_MODEL, path);
    close(fd);
    unlink(path);
}

static void test_second_runtime_may_end_first_or_last(void **state)
{
    (void)state;
    fm_error err = {0};
    fm_runtime *a = NULL, *b = NULL;
    assert_int_equal(fm_runtime_create(&a, NULL, NULL, &err), FM_OK);
    assert_int_equal(fm_runtime_create(&b, count_log, NULL, &err), FM_OK);
    fm_runtime_destroy(&a);
    message model = make_model("Add", TYPE_FLOAT, (int[]){1, 3, 0}, (int[]){1, 3, 0});
    fm_session *session = open_model(b, &model);
    fm_session_close(&session);
    fm_runtime_destroy(&b);
}

/* A warning of the runtime reaches the callback: the declared output shape contradicts the operator. */
static void test_warnings_are_passed_on(void **state)
{
    message model = make_model("Add", TYPE_FLOAT, (int[]){1, 3, 0}, (int[]){1, 4, 0});
    fm_error err = {0};
    fm_session *session = NULL;
    log_count = 0;
    fm_status status = fm_session_open_memory(&session, *state, model.data, model.size, "tiny",
                                              NULL, &err);
    assert_int_equal(status, FM_OK);
    assert_true(log_count > 0);
    fm_session_close(&session);
}

static const OrtApi *no_api(uint32_t version)
{
    assert_int_equal(version, ORT_API_VERSION);
    return NULL;
}

static const char *old_version(void)
{
    return "1.14.1";
}

static void test_old_library(void **state)
{
    (void)state;
    const OrtApiBase old = {no_api, old_version};
    fm_error err = {0};
    fm_runtime *runtime = NULL;
    fm_status status = fm_runtime_create_from(&runtime, &old, NULL, NULL, &err);
    expect_failure(status, runtime, &err, FM_E_RUNTIME, "1.14.1");
    assert_non_null(strstr(err.message, "1.29"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_describes_and_runs),
        cmocka_unit_test(test_dynamic_dimension_is_one),
        cmocka_unit_test(test_sized_binding),
        cmocka_unit_test(test_sized_binding_refused_by_the_model),
        cmocka_unit_test(test_output_shape_mismatch),
        cmocka_unit_test(test_wrong_element_type),
        cmocka_unit_test(test_broken_models),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_second_runtime_may_end_first_or_last),
        cmocka_unit_test(test_warnings_are_passed_on),
        cmocka_unit_test(test_old_library),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
