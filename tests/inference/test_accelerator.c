/*
 * Sessions on a real second provider: OpenVINO's plug-in, whose CPU device
 * runs on any x86-64 here by way of ep_shim.c. The graph alternates between
 * what it takes and LpPool, which it refuses, so that partitions and fallbacks
 * are true. Skipped when the plug-in is neither where
 * FACEMIRROR_EP_LIBRARY says nor where the set-up puts it.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "inference/node_sampling.h"
#include "inference/session.h"
#include "models/onnx_graph.h"
#include "models/sha256.h"

enum { SIDE = 8, CHANNELS = 4, ELEMENTS = CHANNELS * SIDE * SIDE };

typedef struct model {
    uint8_t *data;
    size_t size;
} model;

static void node(fm_onnx *g, const char *op, const char *name, const char *a, const char *b, const char *out)
{
    static const int64_t one[] = {1, 1};
    fm_onnx_node_begin(g, op, name);
    fm_onnx_node_input(g, a);
    if (b)
        fm_onnx_node_input(g, b);
    fm_onnx_node_output(g, out);
    if (strcmp(op, "LpPool") == 0)
        fm_onnx_node_ints(g, "kernel_shape", one, 2); /* the absolute value */
    fm_onnx_node_end(g);
}

/* `links` times a Relu and a refused LpPool, then a last Relu. Names hold what breaks careless readers. */
static model make_chain(int links)
{
    fm_onnx g;
    fm_onnx_init(&g, 1 << 20);
    const int64_t dims[] = {1, CHANNELS, SIDE, SIDE};
    char from[64] = "x", to[64], name[64];
    fm_onnx_input(&g, "x", dims, 4);
    fm_onnx_output(&g, "y", dims, 4);
    for (int i = 0; i < links; i++) {
        snprintf(to, sizeof to, "r%d", i);
        snprintf(name, sizeof name, "relu \"%d\"\\\n", i);
        node(&g, "Relu", name, from, NULL, to);
        snprintf(from, sizeof from, "p%d", i);
        snprintf(name, sizeof name, "pool,%d", i);
        node(&g, "LpPool", name, to, NULL, from);
    }
    node(&g, "Relu", "last", from, NULL, "y");
    model m = {0};
    assert_int_equal(fm_onnx_finish(&g, "chain", &m.data, &m.size), FM_PB_FINE);
    fm_onnx_free(&g);
    return m;
}

/*
 *   x -> Relu a -> Add c -> LpPool p -> Add d -> y
 *         \________/___________________/
 * a goes to c (same device) and to d; c crosses to the CPU once, p crosses back once.
 */
static model make_bypass(void)
{
    fm_onnx g;
    fm_onnx_init(&g, 1 << 20);
    const int64_t dims[] = {1, CHANNELS, SIDE, SIDE};
    fm_onnx_input(&g, "x", dims, 4);
    fm_onnx_output(&g, "y", dims, 4);
    node(&g, "Relu", "relu", "x", NULL, "a");
    node(&g, "Add", "c", "a", "x", "b");
    node(&g, "LpPool", "pool", "b", NULL, "p");
    node(&g, "Add", "d", "p", "a", "y");
    model m = {0};
    assert_int_equal(fm_onnx_finish(&g, "bypass", &m.data, &m.size), FM_PB_FINE);
    fm_onnx_free(&g);
    return m;
}

static fm_session *open_on(fm_runtime *runtime, const model *m, const char *provider, const char *option)
{
    fm_error err = {0};
    fm_session *session = NULL;
    const fm_session_options options = {
        .provider = {.name = provider, .options = &option, .option_count = option != NULL}};
    if (fm_session_open_memory(&session, runtime, m->data, m->size, "graph", &options, &err) != FM_OK)
        fail_msg("%s", err.message);
    return session;
}

static void run(fm_session *session, float out[ELEMENTS])
{
    fm_error err = {0};
    fm_binding *binding = NULL;
    assert_int_equal(fm_binding_create(&binding, session, &err), FM_OK);
    for (int i = 0; i < ELEMENTS; i++)
        fm_binding_input(binding)[i] = (float)(i % 17) - 8.0f;
    assert_int_equal(fm_binding_run(binding, &err), FM_OK);
    memcpy(out, fm_binding_output(binding, 0), ELEMENTS * sizeof *out);
    fm_binding_destroy(&binding);
}

static const fm_breakdown_type *type_of(const fm_breakdown *b, const char *op_type)
{
    for (int i = 0; i < b->type_count; i++)
        if (strcmp(b->types[i].op_type, op_type) == 0)
            return &b->types[i];
    fail_msg("no operator %s", op_type);
    return NULL;
}

static void test_partitions_and_fallbacks(void **state)
{
    static const int cases[] = {2, 27};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int links = cases[i];
        model m = make_chain(links);
        fm_session *session = open_on(*state, &m, "openvino", NULL);
        const fm_breakdown *b = fm_session_breakdown(session);
        assert_string_equal(fm_session_backend(session), "openvino");
        assert_string_equal(fm_session_asked(session), "openvino");
        assert_null(fm_session_fallback_reason(session));
        assert_int_equal(b->operators, 2 * links + 1);
        assert_int_equal(b->accelerator, links + 1);
        assert_int_equal(b->cpu, links);
        assert_int_equal(b->partitions, links + 1);
        assert_int_equal(b->crossings, 2 * links);
        assert_true(b->crossings_known);
        assert_int_equal(b->provider_count, 2);
        assert_string_equal(b->providers[0].name, "openvino");
        assert_int_equal(b->providers[1].operators, links);
        assert_int_equal(b->type_count, 2);
        assert_int_equal(type_of(b, "LpPool")->cpu, links);
        assert_int_equal(type_of(b, "LpPool")->accelerator, 0);
        assert_int_equal(type_of(b, "Relu")->accelerator, links + 1);
        fm_session_close(&session);
        free(m.data);
    }
}

static void test_same_result_as_cpu(void **state)
{
    model m = make_bypass();
    float cpu[ELEMENTS], other[ELEMENTS];
    fm_session *session = open_on(*state, &m, "cpu", NULL);
    assert_int_equal(fm_session_breakdown(session)->partitions, 0);
    assert_int_equal(fm_session_breakdown(session)->cpu, 4);
    run(session, cpu);
    fm_session_close(&session);
    session = open_on(*state, &m, "openvino", NULL);
    run(session, other);
    for (int i = 0; i < ELEMENTS; i++)
        assert_true(cpu[i] - other[i] < 1e-5f && other[i] - cpu[i] < 1e-5f);
    fm_session_close(&session);
    free(m.data);
}

static void test_a_tensor_crosses_once(void **state)
{
    model m = make_bypass();
    fm_session *session = open_on(*state, &m, "openvino", NULL);
    const fm_breakdown *b = fm_session_breakdown(session);
    assert_int_equal(b->accelerator, 3);
    assert_int_equal(b->cpu, 1);
    assert_int_equal(b->partitions, 2); /* d must wait for the pool, so it is a piece of its own */
    assert_int_equal(b->crossings, 2);
    fm_session_close(&session);
    free(m.data);
}

/*
 * relu | pool pool | relu | pool pool | relu: each partition is one node, whose inside is not told; pools that follow
 * each other tell the usual gap.
 */
static model make_pairs(void)
{
    fm_onnx g;
    fm_onnx_init(&g, 1 << 20);
    const int64_t dims[] = {1, CHANNELS, SIDE, SIDE};
    fm_onnx_input(&g, "x", dims, 4);
    fm_onnx_output(&g, "y", dims, 4);
    node(&g, "Relu", "first", "x", NULL, "a");
    node(&g, "LpPool", "pool \"}},\n1", "a", NULL, "b");
    node(&g, "LpPool", "pool 2", "b", NULL, "c");
    node(&g, "Relu", "middle", "c", NULL, "d");
    node(&g, "LpPool", "pool 3", "d", NULL, "e");
    node(&g, "LpPool", "pool 4", "e", NULL, "f");
    node(&g, "Relu", "last", "f", NULL, "y");
    model m = {0};
    assert_int_equal(fm_onnx_finish(&g, "pairs", &m.data, &m.size), FM_PB_FINE);
    fm_onnx_free(&g);
    return m;
}

static void test_times_of_nodes(void **state)
{
    enum { RUNS = 20 };
    model m = make_pairs();
    fm_session *session = open_on(*state, &m, "openvino", NULL);
    fm_error err = {0};
    fm_binding *binding = NULL;
    assert_int_equal(fm_session_sample_every(session), 0);
    assert_null(fm_session_node_times(session));
    assert_int_equal(fm_session_sample_nodes(session, 32, &err), FM_OK);
    assert_int_equal(fm_session_sample_every(session), 32);
    assert_int_equal(fm_binding_create(&binding, session, &err), FM_OK);
    for (int i = 0; i < RUNS; i++)
        assert_int_equal(fm_binding_run_sampled(binding, NULL, NULL, &err), FM_OK);
    const fm_node_totals t = fm_node_times_totals(fm_session_node_times(session));
    assert_true(t.samples == RUNS && t.lost_runs == 0 && t.lost_events == 0);
    assert_int_equal(t.node_count, 7);
    assert_int_equal(t.boundaries, 4 * RUNS);
    assert_true(t.base_known && t.node_us > 0 && t.node_us <= t.run_us);
    int compiled = 0, pools = 0;
    uint64_t hand_overs = 0;
    bool price = false; /* noise may make one 0, but not all */
    for (size_t i = 0; i < t.node_count; i++) {
        const fm_node_time *n = &t.nodes[i];
        assert_int_equal(n->count, RUNS);
        compiled += n->kind == FM_NODE_COMPILED && !n->cpu && strcmp(n->provider, "openvino") == 0;
        pools += strcmp(n->op_type, "LpPool") == 0 && n->cpu && n->boundaries == RUNS;
        hand_overs += n->boundaries;
        price = price || n->boundary_us != 0;
    }
    assert_int_equal(compiled, 3);
    assert_int_equal(pools, 4); /* the fallbacks, each at one boundary */
    assert_int_equal(hand_overs, 4 * RUNS);
    assert_true(price);
    assert_string_equal(t.nodes[1].name, "pool \"}},\n1");
    fm_binding_destroy(&binding);
    fm_session_close(&session);
    free(m.data);
}

static void test_auto_measures(void **state)
{
    model m = make_chain(3);
    fm_session *session = open_on(*state, &m, "auto", NULL);
    assert_string_equal(fm_session_asked(session), "auto");
    const char *reason = fm_session_fallback_reason(session);
    assert_non_null(reason);
    /* Which is faster depends on the machine; that both were measured does not. */
    if (!strstr(reason, "openvino is slower: ") && !strstr(reason, "openvino is faster than onnx_cpu: "))
        fail_msg("%s", reason);
    assert_string_equal(fm_session_backend(session), strstr(reason, "slower") ? "onnx_cpu" : "openvino");
    fm_session_close(&session);
    free(m.data);
}

static void test_falls_back_with_a_reason(void **state)
{
    model m = make_chain(1);
    float out[ELEMENTS];
    static const struct {
        const char *provider, *option, *part;
    } cases[] = {
        {"cuda", NULL, "cuda does not work here: it is neither built into"},
        {"openvino", "device=gpu", "openvino does not work here: no device 'gpu'"},
        {"openvino", "load_config={broken", "openvino does not work here: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_session *session = open_on(*state, &m, cases[i].provider, cases[i].option);
        assert_string_equal(fm_session_backend(session), "onnx_cpu");
        const char *reason = fm_session_fallback_reason(session);
        assert_non_null(reason);
        if (!strstr(reason, cases[i].part))
            fail_msg("'%s' does not hold '%s'", reason, cases[i].part);
        assert_null(strchr(reason, '\n'));
        run(session, out);
        fm_session_close(&session);
    }
    free(m.data);
}

/* The runtime cannot write down what a provider has compiled. */
static void test_only_graphs_of_the_cpu_are_kept(void **state)
{
    char dir[] = "/tmp/fm-accelerator-XXXXXX";
    assert_non_null(mkdtemp(dir));
    model m = make_chain(3);
    char hash[FM_SHA256_HEX];
    fm_error err = {0};
    assert_int_equal(fm_sha256(m.data, m.size, hash, &err), FM_OK);
    for (int i = 0; i < 2; i++) {
        fm_session *session = NULL;
        const fm_session_options options = {.provider = {.name = "openvino"}, .cache_dir = dir, .sha256 = hash};
        assert_int_equal(fm_session_open_memory(&session, *state, m.data, m.size, "graph", &options, &err), FM_OK);
        assert_string_equal(fm_session_backend(session), "openvino");
        assert_null(fm_session_fallback_reason(session));
        assert_false(fm_session_from_cache(session));
        fm_session_close(&session);
    }
    free(m.data);
    assert_int_equal(rmdir(dir), 0); /* it is empty */
}

typedef struct trial {
    pthread_t thread;
    fm_runtime *runtime;
    const model *m;
    bool good;
} trial;

static void *open_on_auto(void *argument)
{
    trial *t = argument;
    fm_error err = {0};
    fm_session *session = NULL;
    const fm_session_options options = {.provider = {.name = "auto"}};
    t->good = fm_session_open_memory(&session, t->runtime, t->m->data, t->m->size, "graph", &options, &err) == FM_OK &&
              fm_session_fallback_reason(session) != NULL;
    fm_session_close(&session);
    return NULL;
}

static void test_trials_side_by_side(void **state)
{
    model m = make_chain(2);
    trial trials[3];
    for (int i = 0; i < 3; i++) {
        trials[i] = (trial){.runtime = *state, .m = &m};
        assert_int_equal(pthread_create(&trials[i].thread, NULL, open_on_auto, &trials[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(trials[i].thread, NULL);
        assert_true(trials[i].good);
    }
    free(m.data);
}

static void test_library_errors(void **state)
{
    fm_error err = {0};
    assert_int_equal(fm_runtime_add_library(*state, "/no/such/library.so", &err), FM_E_NOT_FOUND);
    err = (fm_error){0};
    assert_int_equal(fm_runtime_add_library(*state, "/proc/self/exe", &err), FM_E_RUNTIME);
    assert_null(strchr(err.message, '\n'));
}

/* The program does the same for two clips in one call. */
static void test_a_second_runtime_loads_it_again(void **state)
{
    (void)state;
    const char *library = getenv("FACEMIRROR_EP_SHIM");
    for (int i = 0; i < 2; i++) {
        fm_error err = {0};
        fm_runtime *runtime = NULL;
        assert_int_equal(fm_runtime_create(&runtime, NULL, NULL, &err), FM_OK);
        assert_int_equal(fm_runtime_add_library(runtime, library, &err), FM_OK);
        assert_int_equal(fm_runtime_add_library(runtime, library, &err), FM_OK);
        fm_runtime_destroy(&runtime);
    }
}

static int setup(void **state)
{
    fm_error err = {0};
    fm_runtime *runtime = NULL;
    fm_status status = fm_runtime_create(&runtime, NULL, NULL, &err);
    if (status == FM_OK)
        status = fm_runtime_add_library(runtime, getenv("FACEMIRROR_EP_SHIM"), &err);
    *state = runtime;
    if (status != FM_OK)
        fprintf(stderr, "%s\n", err.message);
    return status == FM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    fm_runtime *runtime = *state;
    fm_runtime_destroy(&runtime);
    return 0;
}

/* The plug-in loads libraries with RTLD_DEEPBIND, which the sanitizers' runtime refuses. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

int main(void)
{
    if (SANITIZED) {
        puts("SKIPPED: OpenVINO cannot be loaded into a sanitizer build");
        return 77;
    }
    const char *plugin = getenv("FACEMIRROR_EP_LIBRARY"), *shim = getenv("FACEMIRROR_EP_SHIM");
    if (!plugin || !*plugin)
        plugin = getenv("FACEMIRROR_EP_DEFAULT");
    if (!plugin || access(plugin, R_OK) != 0 || !shim) {
        printf("SKIPPED: there is no OpenVINO plug-in at '%s'; FACEMIRROR_EP_LIBRARY can name it\n", plugin ? plugin : "");
        return 77;
    }
    setenv("FACEMIRROR_EP_SHIM_OF", plugin, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partitions_and_fallbacks),
        cmocka_unit_test(test_same_result_as_cpu),
        cmocka_unit_test(test_a_tensor_crosses_once),
        cmocka_unit_test(test_times_of_nodes),
        cmocka_unit_test(test_auto_measures),
        cmocka_unit_test(test_falls_back_with_a_reason),
        cmocka_unit_test(test_only_graphs_of_the_cpu_are_kept),
        cmocka_unit_test(test_trials_side_by_side),
        cmocka_unit_test(test_library_errors),
        cmocka_unit_test(test_a_second_runtime_loads_it_again),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
