/* The cache of optimised graphs: what is found again, what is not, and that whatever happens to it changes no result. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "cache_fixture.h"
#include "inference/cache_file.h"
#include "small_model.h"

enum { RACERS = 4 };

extern char **environ;

static const char *program; /* this test, to be run again as another process */
static atomic_int warnings;

static void count_warning(void *opaque, const char *message)
{
    (void)opaque;
    assert_non_null(message);
    warnings++;
}

static fm_session *open_at(fm_runtime *runtime, const char *path, const char *cache_dir, const char *sha256)
{
    fm_error err = {0};
    fm_session *session = NULL;
    const fm_session_options options = {.cache_dir = cache_dir, .sha256 = sha256};
    if (fm_session_open(&session, runtime, path, &options, &err) != FM_OK)
        fail_msg("%s", err.message);
    return session;
}

static fm_session *open_model(fm_runtime *runtime)
{
    return open_at(runtime, model, cache_path, hash);
}

static void assert_same_breakdown(const fm_breakdown *a, const fm_breakdown *b)
{
    assert_int_equal(a->operators, b->operators);
    assert_int_equal(a->accelerator, b->accelerator);
    assert_int_equal(a->cpu, b->cpu);
    assert_int_equal(a->partitions, b->partitions);
    assert_int_equal(a->crossings, b->crossings);
    assert_int_equal(a->crossings_known, b->crossings_known);
    assert_int_equal(a->parameters, b->parameters);
    assert_int_equal(a->weight_bytes, b->weight_bytes);
    assert_int_equal(a->provider_count, b->provider_count);
    for (int i = 0; i < a->provider_count; i++) {
        assert_string_equal(a->providers[i].name, b->providers[i].name);
        assert_int_equal(a->providers[i].operators, b->providers[i].operators);
    }
    assert_int_equal(a->type_count, b->type_count);
    for (int i = 0; i < a->type_count; i++) {
        assert_string_equal(a->types[i].op_type, b->types[i].op_type);
        assert_int_equal(a->types[i].accelerator, b->types[i].accelerator);
        assert_int_equal(a->types[i].cpu, b->types[i].cpu);
    }
}

static void assert_same_tensors(const fm_session *a, const fm_session *b)
{
    const fm_tensor_info *x, *y;
    assert_int_equal(fm_session_output_count(a), fm_session_output_count(b));
    for (int i = 0; (x = fm_session_output(a, i)); i++) {
        y = fm_session_output(b, i);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->rank, y->rank);
        assert_memory_equal(x->dims, y->dims, sizeof x->dims);
    }
}

/* Two sessions of one model give the same bits, over values that are not round. */
static void assert_same_results(fm_session *a, fm_session *b)
{
    fm_error err = {0};
    fm_session *sessions[2] = {a, b};
    fm_binding *bindings[2];
    for (int k = 0; k < 2; k++) {
        assert_int_equal(fm_binding_create(&bindings[k], sessions[k], &err), FM_OK);
        const size_t count = fm_binding_input_info(bindings[k])->count;
        for (size_t i = 0; i < count; i++)
            fm_binding_input(bindings[k])[i] = (float)(i * 7919 % 1000) / 999.0f;
        assert_int_equal(fm_binding_run(bindings[k], &err), FM_OK);
    }
    for (int i = 0; i < fm_session_output_count(a); i++)
        assert_memory_equal(fm_binding_output(bindings[0], i), fm_binding_output(bindings[1], i),
                            fm_binding_output_info(bindings[0], i)->count * sizeof(float));
    fm_binding_destroy(&bindings[0]);
    fm_binding_destroy(&bindings[1]);
}

/* Opens the model again and compares it with an opening that knows no cache. */
static void expect_opening(fm_runtime *runtime, bool from_cache)
{
    fm_session *session = open_model(runtime), *plain = open_at(runtime, model, NULL, hash);
    assert_int_equal(fm_session_from_cache(session), from_cache);
    assert_false(fm_session_from_cache(plain));
    assert_string_equal(fm_session_backend(session), fm_session_backend(plain));
    assert_same_breakdown(fm_session_breakdown(session), fm_session_breakdown(plain));
    assert_same_tensors(session, plain);
    assert_same_results(session, plain);
    fm_session_close(&session);
    fm_session_close(&plain);
}

/* --- hit and miss ------------------------------------------------------------- */

static void test_second_opening_is_a_hit(void **state)
{
    warnings = 0;
    expect_opening(*state, false);
    const char *entry = cache_entry();
    assert_non_null(strstr(entry, ".graph"));
    const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, entry, old, 0), 0);
    expect_opening(*state, true);
    struct stat st;
    assert_int_equal(stat(entry, &st), 0);
    assert_true(st.st_mtime > 1000000000); /* marked as used */
    expect_opening(*state, true);
    assert_int_equal(warnings, 0); /* the runtime's word about graphs for one machine is no news */
}

static void test_from_memory_and_on_other_providers(void **state)
{
    uint8_t *data = NULL;
    size_t size = 0;
    fm_error err = {0};
    assert_int_equal(fm_file_read(model, 1 << 20, &data, &size, &err), FM_OK);
    static const struct {
        const char *provider;
        bool hit;
    } cases[] = {{"cpu", false}, {"auto", true}, {"no_suchExecutionProvider", true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_session *session = NULL;
        const fm_session_options options = {
            .provider = {.name = cases[i].provider}, .cache_dir = cache_path, .sha256 = hash};
        assert_int_equal(fm_session_open_memory(&session, *state, data, size, "small", &options, &err), FM_OK);
        assert_int_equal(fm_session_from_cache(session), cases[i].hit);
        assert_string_equal(fm_session_backend(session), "onnx_cpu");
        fm_session_close(&session);
    }
    free(data);
    expect_opening(*state, true);
}

static void test_another_model_is_another_entry(void **state)
{
    expect_opening(*state, false);
    replace_model(0.7f);
    expect_opening(*state, false);
    expect_opening(*state, true);
    assert_int_equal(cache_count(), 2);
}

/* --- what is not kept -------------------------------------------------------------- */

static void expect_nothing_kept(fm_runtime *runtime, const char *path, const char *cache_dir, const char *sha256)
{
    for (int i = 0; i < 2; i++) {
        fm_session *session = open_at(runtime, path, cache_dir, sha256);
        assert_false(fm_session_from_cache(session));
        fm_session_close(&session);
    }
    assert_int_equal(cache_count(), 0);
}

static void test_without_a_true_hash_nothing_is_kept(void **state)
{
    char other[FM_SHA256_HEX];
    snprintf(other, sizeof other, "%s", hash);
    other[5] = other[5] == '0' ? '1' : '0';
    expect_nothing_kept(*state, model, cache_path, NULL);
    expect_nothing_kept(*state, model, cache_path, "no hash");
    expect_nothing_kept(*state, model, cache_path, other); /* the file is not the one that was meant */
    expect_nothing_kept(*state, model, "", hash);
}

/* The hash does not cover weights in other files. Here their name stands in the description: that it is there counts. */
static void test_a_model_with_weights_elsewhere_is_not_kept(void **state)
{
    static const char description[] = "\x32\x12" "\x0a\x08location\x12\x06""w.data"; /* ModelProto.doc_string */
    FILE *file = fopen(model, "ab");
    assert_non_null(file);
    assert_int_equal(fwrite(description, 1, sizeof description - 1, file), sizeof description - 1);
    assert_int_equal(fclose(file), 0);
    hash_model();
    expect_nothing_kept(*state, model, cache_path, hash);
}

/* Each run is to say what the runtime has to say about the model. */
static void test_a_model_with_warnings_is_not_kept(void **state)
{
    small_model_write_that_warns(model);
    hash_model();
    warnings = 0;
    expect_nothing_kept(*state, model, cache_path, hash);
    assert_true(warnings >= 2);
}

static void test_broken_models_are_told_as_ever(void **state)
{
    fm_error with = {0}, without = {0};
    fm_session *session = NULL;
    replace(model, "no model", 8);
    hash_model();
    const fm_session_options options = {.cache_dir = cache_path, .sha256 = hash};
    assert_int_equal(fm_session_open(&session, *state, model, &options, &with), FM_E_MODEL);
    assert_null(session);
    assert_int_equal(fm_session_open(&session, *state, model, NULL, &without), FM_E_MODEL);
    assert_string_equal(with.message, without.message);
    assert_int_equal(cache_count(), 0);
}

/* --- trouble ------------------------------------------------------------------------ */

/* Opened from the model itself, kept anew, found again. */
static void expect_recovery(fm_runtime *runtime)
{
    fm_session *session = open_model(runtime);
    assert_false(fm_session_from_cache(session));
    fm_session_close(&session);
    session = open_model(runtime);
    assert_true(fm_session_from_cache(session));
    fm_session_close(&session);
}

static void test_damage_is_found(void **state)
{
    expect_opening(*state, false);
    const char *entry = cache_entry();
    uint8_t *whole = NULL;
    size_t size = 0;
    fm_error err = {0};
    assert_int_equal(fm_file_read(entry, 1 << 24, &whole, &size, &err), FM_OK);
    /* In the graph, in each line of the record, and at both ends. */
    const size_t places[] = {0, size / 3, size - 300, size - 250, size - 200, size - 150, size - 100, size - 58,
                             size - 57, size - 45, size - 20, size - 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        whole[places[i]] ^= 0x20;
        replace(entry, whole, size);
        whole[places[i]] ^= 0x20;
        expect_recovery(*state);
    }
    const size_t sizes[] = {0, 1, 56, 57, size / 2, size - 57, size - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        replace(entry, whole, sizes[i]);
        expect_recovery(*state);
    }
    free(whole);
    expect_opening(*state, true);
}

/* An entry that is whole in itself and yet of no use. */
static void test_entries_of_another_kind(void **state)
{
    expect_opening(*state, false);
    char entry[FM_PATH_MAX], key[FM_SHA256_HEX];
    snprintf(entry, sizeof entry, "%s", cache_entry());
    snprintf(key, sizeof key, "%.64s", fm_path_name(entry));
    const fm_breakdown empty = {0};

    replace(entry, "not a graph, but well recorded", 30);
    assert_true(fm_cache_file_seal(entry, key, &empty));
    expect_recovery(*state);

    key[0] = key[0] == '0' ? '1' : '0'; /* copied from another name */
    replace(entry, "not a graph, but well recorded", 30);
    assert_true(fm_cache_file_seal(entry, key, &empty));
    expect_recovery(*state);

    assert_int_equal(unlink(entry), 0);
    assert_int_equal(mkdir(entry, 0700), 0); /* cannot be read, nor replaced: not cached */
    fm_session *session = open_model(*state);
    assert_false(fm_session_from_cache(session));
    fm_session_close(&session);
    assert_int_equal(rmdir(entry), 0);
}

static void test_folders_that_cannot_be_used(void **state)
{
    char path[160];
    const char *const dirs[] = {"/proc/no/such/folder", "/dev/null", path};
    snprintf(path, sizeof path, "%s/inside", model);
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        fm_session *session = open_at(*state, model, dirs[i], hash);
        assert_false(fm_session_from_cache(session));
        fm_session_close(&session);
    }
}

/* What is there is used; nothing is added. (The superuser may write all the same.) */
static void test_read_only_folder(void **state)
{
    expect_opening(*state, false);
    assert_int_equal(chmod(cache_path, 0500), 0);
    expect_opening(*state, true);
    replace_model(0.9f);
    expect_opening(*state, false);
    assert_int_equal(cache_count(), geteuid() == 0 ? 2 : 1);
    assert_int_equal(chmod(cache_path, 0700), 0);
}

/* A limit on the size of files fails in the midst of writing, as a full disk does. */
static void test_full_disk(void **state)
{
    struct rlimit old, small;
    struct stat st;
    expect_opening(*state, false);
    assert_int_equal(stat(cache_entry(), &st), 0);
    assert_int_equal(unlink(cache_entry()), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    signal(SIGXFSZ, SIG_IGN);
    const rlim_t whole = (rlim_t)st.st_size, limits[] = {0, 100, 4096, whole / 2, whole - 200, whole - 1};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        small.rlim_cur = limits[i];
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        fm_session *session = open_model(*state);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_false(fm_session_from_cache(session));
        fm_session_close(&session);
        assert_int_equal(cache_count(), 0);
    }
    signal(SIGXFSZ, SIG_DFL);
    expect_opening(*state, false);
    expect_opening(*state, true);
}

/* --- several at once ------------------------------------------------------------------ */

static void *race(void *argument)
{
    fm_error err = {0};
    fm_session *session = NULL;
    const fm_session_options options = {.cache_dir = cache_path, .sha256 = hash};
    static _Thread_local float out[SMALL_ELEMENTS];
    if (fm_session_open(&session, argument, model, &options, &err) != FM_OK)
        return NULL;
    small_model_run(session, out);
    fm_session_close(&session);
    float *copy = malloc(sizeof out);
    if (copy)
        memcpy(copy, out, sizeof out);
    return copy;
}

static void test_threads_race(void **state)
{
    static float wanted[SMALL_ELEMENTS];
    fm_session *plain = open_at(*state, model, NULL, hash);
    small_model_run(plain, wanted);
    fm_session_close(&plain);
    for (int round = 0; round < 5; round++) {
        pthread_t threads[RACERS];
        for (int i = 0; i < RACERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, race, *state), 0);
        for (int i = 0; i < RACERS; i++) {
            void *result = NULL;
            pthread_join(threads[i], &result);
            assert_non_null(result);
            assert_memory_equal(result, wanted, sizeof wanted);
            free(result);
        }
        assert_int_equal(cache_count(), 1);
        expect_opening(*state, true);
        assert_int_equal(unlink(cache_entry()), 0);
    }
}

static pid_t start_process(void)
{
    pid_t pid;
    char *const arguments[] = {(char *)program, "open", model, cache_path, hash, NULL};
    assert_int_equal(posix_spawn(&pid, program, NULL, NULL, arguments, environ), 0);
    return pid;
}

static void test_processes_race(void **state)
{
    pid_t pids[RACERS];
    for (int i = 0; i < RACERS; i++)
        pids[i] = start_process();
    for (int i = 0; i < RACERS; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(cache_count(), 1);
    expect_opening(*state, true);
}

static void test_killed_at_any_moment(void **state)
{
    for (int round = 0; round < 12; round++) {
        const pid_t pid = start_process();
        usleep((useconds_t)(1000 * (5 + 3 * round)));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        fm_session *session = open_model(*state);
        fm_session_close(&session);
        assert_int_equal(cache_count(), 1); /* what was left half done was taken over */
        expect_opening(*state, true);
        assert_int_equal(unlink(cache_entry()), 0);
    }
}

/* The part that runs as another process. */
static int open_and_check(char **argv)
{
    fm_error err = {0};
    fm_runtime *runtime = NULL;
    fm_session *session = NULL;
    const fm_session_options options = {.cache_dir = argv[3], .sha256 = argv[4]};
    fm_status status = fm_runtime_create(&runtime, NULL, NULL, &err);
    if (status == FM_OK)
        status = fm_session_open(&session, runtime, argv[2], &options, &err);
    fm_session_close(&session);
    fm_runtime_destroy(&runtime);
    return status == FM_OK ? 0 : 1;
}

/* --- the program's models ---------------------------------------------------------------- */

static void test_default_models_to_the_bit(void **state)
{
    static const char *const names[] = {"face_detection_short_range.onnx", "face_landmark.onnx",
                                        "face_landmark_with_attention.onnx"};
    const char *dir = getenv("FACEMIRROR_MODELS");
    int found = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[FM_PATH_MAX], sha256[FM_SHA256_HEX];
        fm_error err = {0};
        if (!fm_path_join(path, dir, names[i]) || access(path, R_OK) != 0)
            continue;
        found++;
        assert_int_equal(fm_sha256_file(path, sha256, &err), FM_OK);
        fm_session *first = open_at(*state, path, cache_path, sha256);
        fm_session *second = open_at(*state, path, cache_path, sha256);
        assert_false(fm_session_from_cache(first));
        assert_true(fm_session_from_cache(second));
        assert_same_breakdown(fm_session_breakdown(first), fm_session_breakdown(second));
        assert_same_tensors(first, second);
        assert_same_results(first, second);
        fm_session_close(&first);
        fm_session_close(&second);
    }
    if (found == 0)
        print_message("SKIPPED: no models in '%s'\n", dir ? dir : "");
}

/* -------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    fm_error err = {0};
    fm_runtime *runtime = NULL;
    if (fm_runtime_create(&runtime, count_warning, NULL, &err) != FM_OK)
        return -1;
    *state = runtime;
    return 0;
}

static int teardown(void **state)
{
    fm_runtime *runtime = *state;
    fm_runtime_destroy(&runtime);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "open") == 0)
        return open_and_check(argv);
    program = argv[0];
#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_second_opening_is_a_hit),
        CACHE_TEST(test_from_memory_and_on_other_providers),
        CACHE_TEST(test_another_model_is_another_entry),
        CACHE_TEST(test_without_a_true_hash_nothing_is_kept),
        CACHE_TEST(test_a_model_with_weights_elsewhere_is_not_kept),
        CACHE_TEST(test_a_model_with_warnings_is_not_kept),
        CACHE_TEST(test_broken_models_are_told_as_ever),
        CACHE_TEST(test_damage_is_found),
        CACHE_TEST(test_entries_of_another_kind),
        CACHE_TEST(test_folders_that_cannot_be_used),
        CACHE_TEST(test_read_only_folder),
        CACHE_TEST(test_full_disk),
        CACHE_TEST(test_threads_race),
        CACHE_TEST(test_processes_race),
        CACHE_TEST(test_killed_at_any_moment),
        CACHE_TEST(test_default_models_to_the_bit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
