/* Several sessions opened side by side, and threads of the caller's that open on one runtime. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "inference/open_many.h"
#include "small_model.h"

enum { MODELS = 4, THREADS = 4, ROUNDS = 4 };

static char folder[] = "/tmp/fm-open-many-XXXXXX";
static char paths[MODELS][64];

static atomic_int inside_log;
static atomic_int logged;

/* The callback is never entered by two threads at once. */
static void slow_log(void *opaque, const char *message)
{
    (void)opaque;
    assert_non_null(message);
    assert_int_equal(atomic_fetch_add(&inside_log, 1), 0);
    usleep(1000);
    atomic_fetch_add(&logged, 1);
    atomic_fetch_sub(&inside_log, 1);
}

typedef struct check {
    pthread_t caller;
    fm_status answer;
    const char *message;
    useconds_t delay;
    bool called, elsewhere;
} check;

static fm_status before(void *opaque, fm_error *err)
{
    check *c = opaque;
    c->called = true;
    c->elsewhere = !pthread_equal(c->caller, pthread_self());
    usleep(c->delay);
    return c->answer == FM_OK ? FM_OK : fm_fail(err, c->answer, "%s", c->message);
}

static void prepare(fm_session_request requests[MODELS], check checks[MODELS], fm_session *sessions[MODELS])
{
    for (int i = 0; i < MODELS; i++) {
        checks[i] = (check){.caller = pthread_self(), .answer = FM_OK};
        requests[i] = (fm_session_request){
            .path = paths[i], .before = before, .opaque = &checks[i], .out = &sessions[i]};
        sessions[i] = (fm_session *)folder; /* to be replaced, also after an error */
    }
}

static void test_opens_all(void **state)
{
    fm_session_request requests[MODELS];
    check checks[MODELS];
    fm_session *sessions[MODELS];
    fm_error err = {0};
    prepare(requests, checks, sessions);
    requests[2].before = NULL;
    assert_int_equal(fm_sessions_open(requests, MODELS, *state, &err), FM_OK);
    static float together[SMALL_ELEMENTS], alone[SMALL_ELEMENTS], last[SMALL_ELEMENTS];
    for (int i = 0; i < MODELS; i++) {
        assert_int_equal(checks[i].called, i != 2);
        assert_int_equal(checks[i].elsewhere, i != 2);
        fm_session *session = NULL;
        assert_int_equal(fm_session_open(&session, *state, paths[i], NULL, &err), FM_OK);
        small_model_run(sessions[i], together);
        small_model_run(session, alone);
        assert_memory_equal(together, alone, sizeof alone);
        assert_memory_not_equal(together, last, sizeof last);
        memcpy(last, together, sizeof last);
        fm_session_close(&session);
        fm_session_close(&sessions[i]);
    }
    assert_int_equal(fm_sessions_open(requests, 0, *state, &err), FM_OK);
    assert_int_equal(fm_sessions_open(requests, 1, *state, &err), FM_OK); /* needs no thread */
    fm_session_close(&sessions[0]);
}

/* The second fails late and the last at once: the second is the first in their order. */
static void test_first_error_in_order(void **state)
{
    fm_session_request requests[MODELS];
    check checks[MODELS];
    fm_session *sessions[MODELS];
    fm_error err = {0};
    prepare(requests, checks, sessions);
    checks[1].answer = FM_E_MODEL;
    checks[1].message = "another hash";
    checks[1].delay = 30000;
    requests[3].path = "/no/such/model.onnx";
    assert_int_equal(fm_sessions_open(requests, MODELS, *state, &err), FM_E_MODEL);
    assert_string_equal(err.message, "another hash");
    for (int i = 0; i < MODELS; i++) {
        assert_true(checks[i].called);
        assert_null(sessions[i]);
    }

    err = (fm_error){0};
    prepare(requests, checks, sessions);
    requests[3].path = "/no/such/model.onnx";
    assert_int_equal(fm_sessions_open(requests, MODELS, *state, &err), FM_E_MODEL);
    assert_non_null(strstr(err.message, "'/no/such/model.onnx': No such file"));
    assert_null(sessions[0]);
}

static void *open_and_run(void *argument)
{
    fm_runtime *runtime = argument;
    static const char *const providers[] = {"cpu", "auto", "cuda"};
    static _Thread_local float out[SMALL_ELEMENTS];
    for (int i = 0; i < ROUNDS; i++) {
        fm_error err = {0};
        fm_session *session = NULL;
        const fm_session_options options = {.provider = {.name = providers[i % 3]}};
        if (fm_session_open(&session, runtime, paths[i % MODELS], &options, &err) != FM_OK)
            return "opening failed";
        small_model_run(session, out);
        fm_session_close(&session);
        if (fm_runtime_add_library(runtime, "/proc/self/exe", &err) == FM_OK)
            return "that is no library";
    }
    return NULL;
}

static void test_threads_share_a_runtime(void **state)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_run, *state), 0);
    for (int i = 0; i < THREADS; i++) {
        void *problem = NULL;
        pthread_join(threads[i], &problem);
        if (problem)
            fail_msg("%s", (const char *)problem);
    }
}

static void test_log_is_not_entered_twice(void **state)
{
    (void)state;
    fm_runtime *runtime = NULL;
    fm_error err = {0};
    assert_int_equal(fm_runtime_create(&runtime, slow_log, NULL, &err), FM_OK);
    char path[80];
    snprintf(path, sizeof path, "%s/warns.onnx", folder);
    small_model_write_that_warns(path);
    fm_session_request requests[MODELS];
    fm_session *sessions[MODELS];
    for (int i = 0; i < MODELS; i++)
        requests[i] = (fm_session_request){.path = path, .out = &sessions[i]};
    assert_int_equal(fm_sessions_open(requests, MODELS, runtime, &err), FM_OK);
    assert_true(atomic_load(&logged) >= MODELS);
    for (int i = 0; i < MODELS; i++)
        fm_session_close(&sessions[i]);
    fm_runtime_destroy(&runtime);
    unlink(path);
}

static int setup(void **state)
{
    fm_error err = {0};
    fm_runtime *runtime = NULL;
    if (!mkdtemp(folder) || fm_runtime_create(&runtime, NULL, NULL, &err) != FM_OK)
        return -1;
    for (int i = 0; i < MODELS; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%d.onnx", folder, i);
        small_model_write(paths[i], 0.2f + 0.1f * (float)i);
    }
    *state = runtime;
    return 0;
}

static int teardown(void **state)
{
    fm_runtime *runtime = *state;
    fm_runtime_destroy(&runtime);
    for (int i = 0; i < MODELS; i++)
        unlink(paths[i]);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_all),
        cmocka_unit_test(test_first_error_in_order),
        cmocka_unit_test(test_threads_share_a_runtime),
        cmocka_unit_test(test_log_is_not_entered_twice),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
