/* The reader of the runtime's profiling stream: recorded streams, hostile names, damage, shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "node_events.h"

/* As ONNX Runtime 1.29 wrote it, of a small graph on OpenVINO and the CPU. */
static const char recorded[] =
    "[\n"
    "{\"cat\" : \"Node\",\"pid\" :12969,\"tid\" :12969,\"dur\" :56,\"ts\" :5,\"ph\" : \"X\",\"name\" "
    ":\"OpenVINOExecutionProvider_OpenVINOExecutionProvider_16774163408362297587_0_0_kernel_time\",\"args\" : "
    "{\"mem_in_use_peak\" : \"131072\",\"mem_requested_in_use_delta\" : \"0\",\"provider\" : "
    "\"OpenVINOExecutionProvider\",\"op_name\" : \"OpenVINOExecutionProvider_16774163408362297587_0\","
    "\"input_type_shape\" : [{\"float\":[1,4,64,64]}],\"node_index\" : \"7\","
    "\"output_type_shape\" : [{\"float\":[1,4,64,64]}],"
    "\"thread_scheduling_stats\" : \"\",\"output_size\" : \"65536\"}},\n"
    "{\"cat\" : \"Node\",\"pid\" :12969,\"tid\" :12969,\"dur\" :145,\"ts\" :70,\"ph\" : \"X\",\"name\" "
    ":\"pool 0_kernel_time\",\"args\" : {\"activation_size\" : \"65536\",\"provider\" : \"CPUExecutionProvider\","
    "\"op_name\" : "
    "\"LpPool\",\"node_index\" : \"1\",\"input_type_shape\" : [{\"float\":[1,4,64,64]},{\"int64\":[4]},"
    "{\"float\":[]}]}},\n"
    "{\"cat\" : \"Session\",\"pid\" :12969,\"tid\" :12969,\"dur\" :7261,\"ts\" :5,\"ph\" : \"X\",\"name\" "
    ":\"SequentialExecutor::Execute\",\"args\" : {}},\n"
    "{\"cat\" : \"Session\",\"pid\" :12969,\"tid\" :12969,\"dur\" :7277,\"ts\" :1,\"ph\" : \"X\",\"name\" "
    ":\"model_run\",\"args\" : {}}\n"
    "]\n";

static void assert_view(fm_view view, const char *text)
{
    if (!fm_view_equal(view, (fm_view){text, strlen(text)}))
        fail_msg("'%.*s' and not '%s'", (int)view.size, view.at, text);
}

static void reads_what_the_runtime_writes(void **state)
{
    (void)state;
    fm_node_stream stream = fm_node_stream_of(recorded, sizeof recorded - 1);
    fm_node_event e;
    assert_true(fm_node_stream_next(&stream, &e));
    assert_int_equal(e.kind, FM_NODE_EVENT_NODE);
    assert_view(e.name, "OpenVINOExecutionProvider_OpenVINOExecutionProvider_16774163408362297587_0_0");
    assert_view(e.op_type, "OpenVINOExecutionProvider_16774163408362297587_0");
    assert_view(e.provider, "OpenVINOExecutionProvider");
    assert_true(e.start_us == 5 && e.duration_us == 56 && e.index == 7);
    assert_true(fm_node_stream_next(&stream, &e));
    assert_view(e.name, "pool 0");
    assert_true(e.start_us == 70 && e.duration_us == 145 && e.index == 1);
    fm_node_shape shape;
    assert_true(fm_node_shape_next(&e.input_shapes, &shape));
    assert_true(shape.rank == 4 && shape.dims[1] == 4 && shape.dims[3] == 64);
    assert_true(fm_node_shape_next(&e.input_shapes, &shape));
    assert_true(shape.rank == 1 && shape.dims[0] == 4);
    assert_true(fm_node_shape_next(&e.input_shapes, &shape));
    assert_int_equal(shape.rank, 0);
    assert_false(fm_node_shape_next(&e.input_shapes, &shape));
    assert_false(fm_node_shape_next(&e.output_shapes, &shape));
    assert_true(fm_node_stream_next(&stream, &e));
    assert_int_equal(e.kind, FM_NODE_EVENT_OTHER);
    assert_true(fm_node_stream_next(&stream, &e));
    assert_int_equal(e.kind, FM_NODE_EVENT_RUN);
    assert_int_equal(e.duration_us, 7277);
    assert_false(fm_node_stream_next(&stream, &e));
    assert_false(fm_node_stream_next(&stream, &e));
    assert_true(stream.whole);
    assert_int_equal(stream.lost, 0);
}

static void survives_any_name(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "plain",
        "\"quoted\"",
        "line\nbreak",
        "back\\slash\\",
        "{brace}}",
        "\"}},\n",
        "\"}}\n]\n",
        "_kernel_time",
        "x_kernel_time\",\"args\" : {",
        "x_kernel_time\",\"args\" : {}},\n",
        "x_kernel_time\",\"args\" : {\"op_name\" : \"Fake\",\"provider\" : \"Fake\"}}",
        "{\"cat\" : \"Node\",\"pid\" :1,\"tid\" :1,\"dur\" :5,\"ts\" :9,\"ph\" : \"X\",\"name\" :\"",
        "\n{\"cat\" : \"Node\",\"pid\" :1,\"tid\" :1,\"dur\" :5,\"ts\" :9,\"ph\" : \"X\",\"name\" :\"inner",
        "a\",\"args\" : {\"op_name\" : \"b\",\"args\" : {\"provider\" : \"",
        "\xff\xfe\x80",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        events list = {0};
        begin_events(&list);
        add_node(&list, "before", "Conv", CPU, 0, 10);
        add_node(&list, names[i], "Relu", CPU, 12, 3);
        add_node(&list, "behind", "Conv", CPU, 20, 10);
        end_events(&list, 40);
        fm_node_stream stream = fm_node_stream_of(list.text, list.size);
        fm_node_event e;
        assert_true(fm_node_stream_next(&stream, &e));
        assert_view(e.name, "before");
        assert_true(fm_node_stream_next(&stream, &e));
        assert_view(e.name, names[i]);
        assert_view(e.op_type, "Relu");
        assert_true(e.start_us == 12 && e.duration_us == 3);
        assert_true(fm_node_stream_next(&stream, &e));
        assert_view(e.name, "behind");
        assert_true(fm_node_stream_next(&stream, &e));
        assert_int_equal(e.kind, FM_NODE_EVENT_OTHER);
        assert_true(fm_node_stream_next(&stream, &e));
        assert_int_equal(e.kind, FM_NODE_EVENT_RUN);
        assert_false(fm_node_stream_next(&stream, &e));
        assert_true(stream.whole);
        assert_int_equal(stream.lost, 0);
    }
}

static void cut_anywhere(void **state)
{
    (void)state;
    const size_t size = sizeof recorded - 1;
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc(cut + 1); /* so that a sanitizer sees a byte too far */
        assert_non_null(copy);
        memcpy(copy, recorded, cut);
        fm_node_stream stream = fm_node_stream_of(copy, cut);
        fm_node_event e;
        int read = 0;
        while (fm_node_stream_next(&stream, &e))
            read++;
        assert_true(read <= 4);
        if (cut + 2 < size)
            assert_false(stream.whole);
        free(copy);
    }
}

static void absurd_numbers_are_lost(void **state)
{
    (void)state;
    static const char *const cases[] = {"-5", "99999999999999999999999", "1e9", "", "0x10", "1099511627777"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        const int size = snprintf(text, sizeof text,
                                  "[\n{\"cat\" : \"Node\",\"pid\" :1,\"tid\" :1,\"dur\" :%s,\"ts\" :1,\"ph\" : \"X\","
                                  "\"name\" :\"a_kernel_time\",\"args\" : {\"op_name\" : \"A\","
                                  "\"provider\" : \"P\"}}\n]\n", cases[i]);
        fm_node_stream stream = fm_node_stream_of(text, (size_t)size);
        fm_node_event e;
        assert_false(fm_node_stream_next(&stream, &e));
        assert_int_equal(stream.lost, 1);
        assert_true(stream.whole);
    }
}

static void a_name_too_long_is_lost(void **state)
{
    (void)state;
    char *name = malloc(FM_NODE_NAME_MAX + 100);
    assert_non_null(name);
    memset(name, 'n', FM_NODE_NAME_MAX + 99);
    name[FM_NODE_NAME_MAX + 99] = '\0';
    events list = {0};
    begin_events(&list);
    add_node(&list, name, "Conv", CPU, 0, 10);
    add_node(&list, "behind", "Conv", CPU, 20, 10);
    end_events(&list, 40);
    fm_node_stream stream = fm_node_stream_of(list.text, list.size);
    fm_node_event e;
    assert_true(fm_node_stream_next(&stream, &e));
    assert_view(e.name, "behind");
    assert_int_equal(stream.lost, 1);
    free(name);
}

/* Heads without an end, each of which looks for it as far as a name may reach. */
static void takes_time_in_its_size(void **state)
{
    (void)state;
    static const char head[] = "{\"cat\" : \"Node\",\"pid\" :1,\"tid\" :1,\"dur\" :5,\"ts\" :9,\"ph\" : \"X\",\"name\" "
                               ":\"\",\"args\" : {\"op_name\" : \"\n";
    const size_t piece = sizeof head - 1, count = 200000;
    char *text = malloc(count * piece);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * piece, head, piece);
    fm_node_stream stream = fm_node_stream_of(text, count * piece);
    fm_node_event e;
    const clock_t start = clock();
    assert_false(fm_node_stream_next(&stream, &e));
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20); /* without a bound: hours */
    assert_true(stream.lost > 0);
    free(text);
}

static void odd_shapes_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"", "[", "[]", "[{}]", "[{\"float\":[1,2}]", "[{\"float\":[1,2]",
                                        "[{\"float\":[-1]}]",
                                        "[{\"float\":[1,1,1,1,1,1,1,1,1]}]", "{\"float\":[1]}"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_view shapes = {cases[i], strlen(cases[i])};
        fm_node_shape shape;
        assert_false(fm_node_shape_next(&shapes, &shape));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_the_runtime_writes),
        cmocka_unit_test(survives_any_name),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(absurd_numbers_are_lost),
        cmocka_unit_test(a_name_too_long_is_lost),
        cmocka_unit_test(takes_time_in_its_size),
        cmocka_unit_test(odd_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
