/* Times of nodes summed over runs, the price of boundaries and who is charged, bounds, MACs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "inference/macs.h"
#include "inference/node_times.h"
#include "node_events.h"

static void add(fm_node_times *times, const events *list)
{
    fm_error err = {0};
    assert_int_equal(fm_node_times_add(times, list->text, list->size, &err), FM_OK);
}

static const fm_node_time *node_of(const fm_node_times *times, const char *name)
{
    const fm_node_totals t = fm_node_times_totals(times);
    for (size_t i = 0; i < t.node_count; i++)
        if (strcmp(t.nodes[i].name, name) == 0)
            return &t.nodes[i];
    fail_msg("no node '%s'", name);
    return NULL;
}

static void sums_over_runs(void **state)
{
    (void)state;
    fm_node_times *times = fm_node_times_create();
    assert_non_null(times);
    for (int run = 0; run < 3; run++) {
        events list;
        begin_events(&list);
        add_node(&list, "a", "Conv", CPU, 1, 10 + run);
        add_node(&list, "b", "Relu", CPU, 20, 5);
        end_events(&list, 30);
        add(times, &list);
    }
    const fm_node_totals t = fm_node_times_totals(times);
    assert_true(t.samples == 3 && t.node_count == 2 && t.run_us == 90 && t.node_us == 33 + 15);
    assert_true(t.boundaries == 0 && t.lost_events == 0 && t.lost_runs == 0 && t.base_known);
    const fm_node_time *a = node_of(times, "a");
    assert_true(a->count == 3 && a->total_us == 33 && a->min_us == 10 && a->max_us == 12);
    assert_string_equal(a->op_type, "Conv");
    assert_string_equal(a->provider, "onnx_cpu");
    assert_true(a->cpu && a->kind == FM_NODE_OPERATOR && a->index == 1);
    assert_int_equal(t.moment_count, 2); /* of the latest run */
    assert_true(t.moments[0].start_us == 1 && t.moments[0].duration_us == 12);
    fm_node_times_destroy(&times);
    assert_null(times);
}

/*
 * conv | conv - pad - pad | conv: gaps between nodes of one provider are 2, 2 and 3; the median, 2, is taken off the
 * boundaries' 9 and 12.
 */
static void boundaries_have_a_price(void **state)
{
    (void)state;
    events list;
    begin_events(&list);
    add_node(&list, "c1", "Conv", CUDA, 0, 10);
    add_node(&list, "c2", "Conv", CUDA, 12, 10);
    add_node(&list, "p1", "Pad", CPU, 31, 10); /* 9 behind c2 */
    add_node(&list, "p2", "Pad", CPU, 43, 10);
    add_node(&list, "c3", "Conv", CUDA, 65, 10); /* 12 behind p2 */
    add_node(&list, "c4", "Conv", CUDA, 78, 10);
    end_events(&list, 90);
    fm_node_times *times = fm_node_times_create();
    add(times, &list);
    const fm_node_totals t = fm_node_times_totals(times);
    assert_true(t.boundaries == 2 && t.base_us == 2 && t.base_known && t.copies == 0);
    assert_true(node_of(times, "p1")->boundaries == 1 && node_of(times, "p1")->boundary_us == 7);
    assert_true(node_of(times, "p2")->boundaries == 1 && node_of(times, "p2")->boundary_us == 10);
    assert_int_equal(node_of(times, "c2")->boundaries, 0);
    assert_string_equal(node_of(times, "c1")->provider, "cuda");
    fm_node_times_destroy(&times);
}

static void copies_are_charged_to_the_cpu(void **state)
{
    (void)state;
    events list;
    begin_events(&list);
    add_node(&list, "c1", "Conv", CUDA, 0, 10);
    add_node(&list, "out", "MemcpyToHost", CUDA, 12, 50);
    add_node(&list, "p", "Pad", CPU, 64, 10);
    add_node(&list, "in", "MemcpyFromHost", CUDA, 76, 40);
    add_node(&list, "c2", "Conv", CUDA, 118, 10);
    end_events(&list, 130);
    fm_node_times *times = fm_node_times_create();
    add(times, &list);
    const fm_node_totals t = fm_node_times_totals(times);
    assert_true(t.copies == 2 && t.copy_us == 90 && t.boundaries == 2);
    const fm_node_time *pad = node_of(times, "p");
    assert_true(pad->boundaries == 4 && pad->boundary_us == 90); /* both copies; the gaps are the usual ones */
    assert_int_equal(node_of(times, "out")->kind, FM_NODE_COPY);
    fm_node_times_destroy(&times);
}

/* No two nodes of one provider follow each other: the smallest gap stands for the usual one, and that is said. */
static void without_a_usual_gap(void **state)
{
    (void)state;
    events list;
    begin_events(&list);
    add_node(&list, "XExecutionProvider_X_7_0_12", "X_7_0", "XExecutionProvider", 0, 10);
    add_node(&list, "p1", "LpPool", CPU, 13, 10);
    add_node(&list, "XExecutionProvider_X_7_1_13", "X_7_1", "XExecutionProvider", 28, 10);
    end_events(&list, 40);
    fm_node_times *times = fm_node_times_create();
    add(times, &list);
    const fm_node_totals t = fm_node_times_totals(times);
    assert_true(!t.base_known && t.base_us == 3 && t.boundaries == 2);
    assert_true(node_of(times, "p1")->boundaries == 2 && node_of(times, "p1")->boundary_us == 2);
    assert_int_equal(t.nodes[0].kind, FM_NODE_COMPILED);
    assert_string_equal(t.nodes[0].provider, "XExecutionProvider");
    fm_node_times_destroy(&times);
}

/* The body of a loop ends before the loop: its time is its own. */
static void nested_nodes_count_once(void **state)
{
    (void)state;
    events list;
    begin_events(&list);
    add_node(&list, "before", "Add", CPU, 0, 10);
    add_node(&list, "body 1", "Mul", CPU, 20, 10);
    add_node(&list, "body 2", "Mul", CPU, 32, 10);
    add_node(&list, "loop", "Loop", CPU, 15, 40);
    add_node(&list, "behind", "Add", CPU, 60, 10);
    end_events(&list, 80);
    fm_node_times *times = fm_node_times_create();
    add(times, &list);
    const fm_node_totals t = fm_node_times_totals(times);
    assert_int_equal(node_of(times, "loop")->total_us, 20);
    assert_int_equal(node_of(times, "body 1")->total_us, 10);
    assert_int_equal(t.node_us, 60);
    assert_int_equal(t.moment_count, 3);
    fm_node_times_destroy(&times);
}

/* What a name can pretend: nodes at times in which others ran, or beyond the end. Cut streams count as lost. */
static void nonsense_is_not_attributed(void **state)
{
    (void)state;
    events list;
    begin_events(&list);
    add_node(&list, "a", "Add", CPU, 0, 10);
    add_node(&list, "overlaps", "Add", CPU, 5, 10);
    add_node(&list, "late", "Add", CPU, 20, 1000);
    end_events(&list, 80);
    fm_node_times *times = fm_node_times_create();
    add(times, &list);
    fm_node_totals t = fm_node_times_totals(times);
    assert_int_equal(t.lost_events, 2);
    assert_int_equal(t.node_us, 10);
    list.size -= 2; /* no "]" */
    add(times, &list);
    add(times, &(events){.size = 0});
    t = fm_node_times_totals(times);
    assert_true(t.samples == 1 && t.lost_runs == 2);
    assert_int_equal(node_of(times, "a")->count, 1);
    fm_node_times_destroy(&times);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    fm_node_times *times = fm_node_times_create();
    enum { EACH = 100, RUNS = FM_NODE_TIMES_MAX / EACH + 3 };
    for (int run = 0; run < RUNS; run++) {
        events list;
        begin_events(&list);
        for (int i = 0; i < EACH; i++) {
            char name[32];
            snprintf(name, sizeof name, "node %d", run * EACH + i);
            add_node(&list, name, "Add", CPU, 10 * i, 5);
        }
        end_events(&list, 10 * EACH);
        add(times, &list);
    }
    const fm_node_totals t = fm_node_times_totals(times);
    assert_int_equal(t.node_count, FM_NODE_TIMES_MAX);
    assert_int_equal(t.lost_events, RUNS * EACH - FM_NODE_TIMES_MAX);
    assert_int_equal(node_of(times, "node 16383")->count, 1);
    fm_node_times_destroy(&times);
}

/* --- MACs ---------------------------------------------------------------------------------- */

static fm_node_event shaped(const char *type, const char *inputs, const char *outputs)
{
    return (fm_node_event){.kind = FM_NODE_EVENT_NODE, .op_type = {type, strlen(type)},
                           .input_shapes = {inputs, strlen(inputs)}, .output_shapes = {outputs, strlen(outputs)}};
}

static void macs_by_hand(void **state)
{
    (void)state;
    static const struct {
        const char *type, *inputs, *outputs;
        uint64_t macs;
    } cases[] = {
        /* 3x3 over 3 channels, 16 filters, 96x96 outputs */
        {"Conv", "[{\"float\":[1,3,192,192]},{\"float\":[16,3,3,3]},{\"float\":[16]}]", "[{\"float\":[1,16,96,96]}]",
         UINT64_C(27) * 16 * 96 * 96},
        /* depthwise: one channel behind each filter */
        {"Conv", "[{\"float\":[2,16,96,96]},{\"float\":[16,1,3,3]}]", "[{\"float\":[2,16,96,96]}]",
         UINT64_C(2) * 9 * 16 * 96 * 96},
        {"Conv", "[{\"float\":[1,8,100]},{\"float\":[4,8,5]}]", "[{\"float\":[1,4,96]}]", UINT64_C(40) * 4 * 96},
        /* each input pixel of 8 channels is spread over 4 channels of 2x2 */
        {"ConvTranspose", "[{\"float\":[1,8,10,10]},{\"float\":[8,4,2,2]}]", "[{\"float\":[1,4,20,20]}]",
         UINT64_C(800) * 16},
        {"MatMul", "[{\"float\":[2,5,7]},{\"float\":[7,3]}]", "[{\"float\":[2,5,3]}]", 2 * 5 * 7 * 3},
        {"MatMul", "[{\"float\":[7]},{\"float\":[7]}]", "[{\"float\":[]}]", 7},
        {"Gemm", "[{\"float\":[5,7]},{\"float\":[7,3]}]", "[{\"float\":[5,3]}]", 5 * 7 * 3},
        {"Gemm", "[{\"float\":[7,5]},{\"float\":[3,7]}]", "[{\"float\":[5,3]}]", 5 * 7 * 3}, /* both transposed */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_macs macs = {0};
        const fm_node_event event = shaped(cases[i].type, cases[i].inputs, cases[i].outputs);
        fm_macs_add(&macs, &event);
        assert_int_equal(macs.total, cases[i].macs);
        assert_int_equal(fm_macs_of_type(&macs, cases[i].type), cases[i].macs);
        assert_true(macs.unknown == 0 && macs.type_count == 1 && macs.types[0].operators == 1);
    }
}

static void unknown_shapes_are_counted(void **state)
{
    (void)state;
    fm_macs macs = {0};
    const fm_node_event odd[] = {
        shaped("Conv", "[{\"float\":[1,3,192,192]}]", "[{\"float\":[1,16,96,96]}]"), /* no weights */
        shaped("Gemm", "", ""),
        shaped("MatMul", "[{\"float\":[1099511627776]},{\"float\":[1]}]",
               "[{\"float\":[1099511627776,1099511627776]}]"),
        shaped("Relu", "[{\"float\":[1]}]", "[{\"float\":[1]}]"),
    };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        fm_macs_add(&macs, &odd[i]);
    assert_true(macs.unknown == 3 && macs.total == 0 && macs.type_count == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_over_runs),
        cmocka_unit_test(boundaries_have_a_price),
        cmocka_unit_test(copies_are_charged_to_the_cpu),
        cmocka_unit_test(without_a_usual_gap),
        cmocka_unit_test(nested_nodes_count_once),
        cmocka_unit_test(nonsense_is_not_attributed),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(macs_by_hand),
        cmocka_unit_test(unknown_shapes_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
