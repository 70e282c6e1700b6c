/* Well-formed files that the importer must refuse, with a message that says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "built_model.h"

static tb_model one_operator(int code, const char *custom)
{
    tb_model model = tb_begin(2, 2, 3);
    int o = tb_value(&model, "output", TB_DIMS(1, 2, 2, 3));
    tb_op *op = tb_add_op(&model, code, o);
    tb_op_input(op, 0);
    op->custom = custom;
    tb_output(&model, o);
    return model;
}

static void test_unknown_operators_are_named(void **state)
{
    (void)state;
    tb_model model = one_operator(SOFTMAX, NULL);
    bm_refuse(&model, "SOFTMAX", "operator 1 of 1");
    model = one_operator(CUSTOM, "MaxUnpooling2D");
    bm_refuse(&model, "CUSTOM 'MaxUnpooling2D'", "not supported");
    model = one_operator(CUSTOM, "line\nbreak\x1b[31m");
    bm_refuse(&model, "CUSTOM 'line?break?[31m'", "not supported");
    model = one_operator(150, NULL); /* beyond the old byte */
    bm_refuse(&model, "GELU", "not supported");
    model = one_operator(70000, NULL);
    bm_refuse(&model, "number 70000", "not supported");
}

static void test_contradictions_are_refused(void **state)
{
    (void)state;
    tb_model model = one_operator(RELU, NULL);
    model.tensors[1].dims[1] = 3;
    bm_refuse(&model, "RELU", "shapes");
    model = one_operator(RELU, NULL);
    model.ops[0].inputs[0] = 1;
    bm_refuse(&model, "RELU", "no value yet");
    model = one_operator(RELU, NULL);
    model.ops[0].inputs[0] = 2;
    bm_refuse(&model, "operator 0", "do not fit");
    model = one_operator(RELU, NULL);
    model.outputs[0] = 0;
    bm_refuse(&model, "output 'input'", "no operator computes it");
    model = one_operator(RELU, NULL);
    model.outputs[0] = 7;
    bm_refuse(&model, "inputs or outputs", "no tensors");
    model = one_operator(RELU, NULL);
    model.tensors[0].dims[2] = -1;
    bm_refuse(&model, "dimension -1", "dynamic");
    model = one_operator(RELU, NULL);
    for (int i = 0; i < 4; i++)
        model.tensors[0].dims[i] = 1 << 16; /* 2^64 elements */
    bm_refuse(&model, "dimension 65536", "too large");
    model = one_operator(RELU, NULL);
    model.tensors[0].type = TB_INT8;
    bm_refuse(&model, "input", "float32");
    model = one_operator(MAX_POOL, NULL);
    bm_refuse(&model, "MAX_POOL_2D", "shapes"); /* without options: no stride, no window */
    model = one_operator(ADD, NULL);
    bm_refuse(&model, "ADD", "second operand");
    model = one_operator(ADD, NULL);
    model.ops[0].options_type = 5;
    bm_refuse(&model, "operator 0", "options");
}

/* A constant whose bytes do not match its shape, and one that many tensors share to blow the output up. */
static void test_constants_are_measured(void **state)
{
    (void)state;
    float three[3] = {1, 2, 3};
    tb_model model = tb_begin(2, 2, 3);
    int k = tb_constant(&model, "addend", TB_FLOAT32, TB_DIMS(3), three);
    model.tensors[k].bytes = 8;
    int o = tb_value(&model, "output", TB_DIMS(1, 2, 2, 3));
    tb_op *op = tb_add_op(&model, ADD, o);
    tb_op_input(op, 0);
    tb_op_input(op, k);
    tb_output(&model, o);
    bm_refuse(&model, "constant 1 has 8 bytes", "takes 12");

    /* 30 tensors over one buffer of 1 MiB: 30 MiB of constants from a file of little more than 1 MiB. */
    enum { SIDE = 512, COPIES = 30 };
    float *large = calloc(SIDE * SIDE, sizeof *large);
    assert_non_null(large);
    model = tb_begin(SIDE, SIDE, 1);
    int first = tb_constant(&model, "large", TB_FLOAT32, TB_DIMS(1, SIDE, SIDE, 1), large);
    int value = 0;
    for (int i = 0; i < COPIES; i++) {
        int addend = tb_value(&model, "alias", TB_DIMS(1, SIDE, SIDE, 1));
        model.tensors[addend].same_buffer_as = first + 1;
        int sum = tb_value(&model, "sum", TB_DIMS(1, SIDE, SIDE, 1));
        op = tb_add_op(&model, ADD, sum);
        tb_op_input(op, value);
        tb_op_input(op, addend);
        value = sum;
    }
    tb_output(&model, value);
    bm_refuse(&model, "grow", "times its size");
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_operators_are_named),
        cmocka_unit_test(test_contradictions_are_refused),
        cmocka_unit_test(test_constants_are_measured),
    };
    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
