/*
 * Operators on tensors of any rank (arithmetic, functions, MEAN and SUM, TRANSPOSE, STRIDED_SLICE), one by one:
 * imported, run by ONNX Runtime and compared with loops over TFLite's order. Each is tried on a picture (which is
 * NCHW in ONNX) and on a tensor that a RESHAPE made (which is in TFLite's order).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "built_model.h"

enum { RANK_MAX = 4, ELEMENTS_MAX = 256 };

/* A tensor in TFLite's order. */
typedef struct tensor {
    int rank;
    int32_t dims[RANK_MAX + 1]; /* ends with 0 */
    float data[ELEMENTS_MAX];
} tensor;

static int elements_of(const tensor *t)
{
    int count = 1;
    for (int i = 0; i < t->rank; i++)
        count *= t->dims[i];
    assert_true(count <= ELEMENTS_MAX);
    return count;
}

/* The coordinates of element `index`. */
static void coordinates(const tensor *t, int index, int *at)
{
    for (int i = t->rank; i-- > 0; index /= t->dims[i])
        at[i] = index % t->dims[i];
}

static int index_of(const tensor *t, const int *at)
{
    int index = 0;
    for (int i = 0; i < t->rank; i++)
        index = index * t->dims[i] + at[i];
    return index;
}

static tensor make_tensor(const int32_t *dims)
{
    tensor t = {.rank = 0};
    while (dims[t.rank]) {
        t.dims[t.rank] = dims[t.rank];
        t.rank++;
    }
    bm_fill(t.data, (size_t)elements_of(&t));
    return t;
}

static tensor swap_axes(const tensor *t, const int *order)
{
    tensor out = {.rank = t->rank};
    for (int i = 0; i < t->rank; i++)
        out.dims[i] = t->dims[order[i]];
    for (int k = 0; k < elements_of(t); k++) {
        int to[RANK_MAX] = {0}, from[RANK_MAX] = {0};
        coordinates(&out, k, to);
        for (int i = 0; i < t->rank; i++)
            from[order[i]] = to[i];
        out.data[k] = t->data[index_of(t, from)];
    }
    return out;
}

/*
 * A model whose tensor 0 is fed with t's elements and whose value *value has t's dimensions: the input itself, or
 * behind a RESHAPE so that its order is TFLite's. A tensor of rank 4 may be either.
 */
static tb_model begin_with(const tensor *t, int reshaped, int *value)
{
    *value = 0;
    if (t->rank == 4 && !reshaped)
        return tb_begin(t->dims[1], t->dims[2], t->dims[3]);
    tb_model model = tb_begin(1, 1, elements_of(t));
    *value = tb_value(&model, "shaped", t->dims);
    tb_op_input(tb_add_op(&model, RESHAPE, *value), 0);
    return model;
}

static tb_op *add_op(tb_model *model, int code, int first, int second, int output)
{
    tb_op *op = tb_add_op(model, code, output);
    tb_op_input(op, first);
    if (second >= 0)
        tb_op_input(op, second);
    tb_output(model, output);
    return op;
}

/* Runs the model on t and compares its output, which is NCHW when of rank 4. */
static void check(const tb_model *model, const tensor *t, const tensor *expected, ow_summary *summary)
{
    static const int to_nchw[4] = {0, 3, 1, 2};
    size_t count = 0;
    float *output = bm_run(model, FM_IMPORT_PLAIN, t->data, summary, &count);
    tensor right = expected->rank == 4 ? swap_axes(expected, to_nchw) : *expected;
    assert_int_equal(summary->outputs[0].rank, right.rank);
    for (int i = 0; i < right.rank; i++)
        assert_int_equal(summary->outputs[0].dims[i], right.dims[i]);
    assert_int_equal(count, elements_of(&right));
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(output[i] - right.data[i]) < 1e-5f * fmaxf(1, fabsf(right.data[i]))))
            fail_msg("element %zu: %g where %g is right", i, (double)output[i], (double)right.data[i]);
    free(output);
}

/* --- functions of one element --- */

static double logistic(double x) { return 1 / (1 + exp(-x)); }
static double negative(double x) { return -x; }
static double reciprocal_root(double x) { return 1 / sqrt(x); }

static void test_functions(void **state)
{
    (void)state;
    static const struct {
        int code;
        double (*function)(double);
        const char *onnx;
        int positive; /* only defined above zero */
    } functions[] = {{LOGISTIC, logistic, "Sigmoid", 0},
                     {NEG, negative, "Neg", 0},
                     {SQRT, sqrt, "Sqrt", 1},
                     {RSQRT, reciprocal_root, "Reciprocal", 1}};
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
        for (int reshaped = 0; reshaped <= 1; reshaped++) {
            tensor in = make_tensor(reshaped ? TB_DIMS(5, 12) : TB_DIMS(1, 4, 5, 3)), out;
            for (int i = 0; i < elements_of(&in); i++)
                in.data[i] = functions[f].positive ? fabsf(in.data[i]) + 0.01f : 30 * in.data[i];
            out = in;
            for (int i = 0; i < elements_of(&in); i++)
                out.data[i] = (float)functions[f].function((double)in.data[i]);
            int value;
            tb_model model = begin_with(&in, reshaped, &value);
            add_op(&model, functions[f].code, value, -1, tb_value(&model, "output", in.dims));
            ow_summary summary;
            check(&model, &in, &out, &summary);
            assert_int_equal(ow_count(&summary, functions[f].onnx), 1);
            assert_int_equal(ow_count(&summary, "Transpose"), 0);
            model.tensors[model.outputs[0]].dims[0]++;
            bm_refuse(&model, "operator", "shapes");
        }
}

/* --- arithmetic --- */

static float arithmetic(int code, float a, float b)
{
    switch (code) {
    case SUB:
        return a - b;
    case DIV:
        return a / b;
    default:
        return (a - b) * (a - b);
    }
}

/* value - constant, or the other way round; the constant goes along channels, rows, or is one number. */
static void check_arithmetic(int code, int reshaped, const int32_t *constant_dims, int constant_first)
{
    tensor in = make_tensor(TB_DIMS(1, 4, 5, 3)), constant = make_tensor(constant_dims), out = in;
    for (int i = 0; i < elements_of(&in); i++)
        in.data[i] += in.data[i] < 0 ? -0.1f : 0.1f; /* not to divide by nothing */
    for (int i = 0; i < elements_of(&constant); i++)
        constant.data[i] += constant.data[i] < 0 ? -0.1f : 0.1f;
    for (int k = 0; k < elements_of(&in); k++) {
        int at[RANK_MAX], there[RANK_MAX] = {0};
        coordinates(&in, k, at);
        for (int i = 0; i < constant.rank; i++)
            there[i] = constant.dims[i] == 1 ? 0 : at[4 - constant.rank + i];
        float other = constant.data[index_of(&constant, there)];
        out.data[k] = constant_first ? arithmetic(code, other, in.data[k]) : arithmetic(code, in.data[k], other);
        if (code != SQUARED_DIFFERENCE)
            out.data[k] = fmaxf(out.data[k], 0);
    }
    int value;
    tb_model model = begin_with(&in, reshaped, &value);
    int c = tb_constant(&model, "constant", TB_FLOAT32, constant.dims, constant.data);
    int o = tb_value(&model, "output", in.dims);
    tb_op *op = add_op(&model, code, constant_first ? c : value, constant_first ? value : c, o);
    if (code != SQUARED_DIFFERENCE) {
        op->options_type = code == SUB ? 28 : 29;
        op->options[0] = 1; /* RELU */
    }
    ow_summary summary;
    check(&model, &in, &out, &summary);
}

static void test_arithmetic(void **state)
{
    (void)state;
    static const int codes[] = {SUB, DIV, SQUARED_DIFFERENCE};
    for (int i = 0; i < 3; i++)
        for (int reshaped = 0; reshaped <= 1; reshaped++)
            for (int first = 0; first <= 1; first++) {
                check_arithmetic(codes[i], reshaped, TB_DIMS(3), first);
                check_arithmetic(codes[i], reshaped, TB_DIMS(4, 1, 1), first);
                check_arithmetic(codes[i], reshaped, TB_DIMS(0), first);
            }
    tensor in = make_tensor(TB_DIMS(1, 4, 5, 3));
    int value;
    for (int i = 0; i < 3; i++) {
        tb_model model = begin_with(&in, 0, &value);
        tb_op *op = add_op(&model, codes[i], 0, -1, tb_value(&model, "output", in.dims));
        bm_refuse(&model, "operator", "second operand");
        float four[4] = {1, 2, 3, 4};
        tb_op_input(op, tb_constant(&model, "constant", TB_FLOAT32, TB_DIMS(4), four));
        bm_refuse(&model, "operator", "shapes");
    }
}

/* --- MEAN and SUM --- */

static tensor reduce(const tensor *in, unsigned axes, int keep, int mean)
{
    tensor kept = {.rank = in->rank}, out = {.rank = 0};
    double sums[ELEMENTS_MAX] = {0};
    for (int i = 0; i < in->rank; i++) {
        kept.dims[i] = axes >> i & 1 ? 1 : in->dims[i];
        if (keep || !(axes >> i & 1))
            out.dims[out.rank++] = kept.dims[i];
    }
    int share = elements_of(in) / elements_of(&kept);
    for (int k = 0; k < elements_of(in); k++) {
        int at[RANK_MAX];
        coordinates(in, k, at);
        for (int i = 0; i < in->rank; i++)
            at[i] = axes >> i & 1 ? 0 : at[i];
        sums[index_of(&kept, at)] += (double)in->data[k];
    }
    for (int k = 0; k < elements_of(&kept); k++)
        out.data[k] = (float)(mean ? sums[k] / share : sums[k]);
    return out;
}

/* The axes as a list: odd ones count from the end, the first one is there twice. */
static int list_axes(unsigned axes, int rank, int32_t *list)
{
    int count = 0;
    for (int i = 0; i < rank; i++)
        if (axes >> i & 1)
            list[count++] = i % 2 ? i - rank : i;
    list[count++] = list[0];
    return count;
}

static void check_reduction(const tensor *in, int reshaped, unsigned axes, int keep, int code)
{
    int value;
    int32_t list[RANK_MAX + 1] = {0};
    int count = list_axes(axes, in->rank, list);
    tensor out = reduce(in, axes, keep, code == MEAN);
    tb_model model = begin_with(in, reshaped, &value);
    int a = tb_constant(&model, "axes", TB_INT32, TB_DIMS(count), list);
    tb_op *op = add_op(&model, code, value, a, tb_value(&model, "output", out.dims));
    op->options_type = 27;
    op->options[0] = keep;
    ow_summary summary;
    check(&model, in, &out, &summary);
    assert_int_equal(ow_count(&summary, code == MEAN ? "ReduceMean" : "ReduceSum"), 1);
    /* Over all pixels, or with all axes kept, the order of channels is no matter. */
    if (!reshaped && (keep || (axes & 6) == 6))
        assert_int_equal(ow_count(&summary, "Transpose"), 0);
}

static void test_reductions_over_all_sets_of_axes(void **state)
{
    (void)state;
    for (unsigned axes = 1; axes < 16; axes++)
        for (int keep = 0; keep <= 1; keep++) {
            const tensor picture = make_tensor(TB_DIMS(1, 4, 5, 3)), rows = make_tensor(TB_DIMS(2, 3, 4));
            check_reduction(&picture, 0, axes, keep, axes % 2 ? MEAN : SUM);
            check_reduction(&picture, 1, axes, keep, axes % 2 ? SUM : MEAN);
            if (axes < 8)
                check_reduction(&rows, 1, axes, keep, MEAN);
        }
}

static void test_reductions_refuse_bad_axes(void **state)
{
    (void)state;
    static const int32_t beyond[1] = {4}, before[1] = {-5}, seven[7] = {0}, last = 3;
    static const float number[1] = {1};
    tensor in = make_tensor(TB_DIMS(1, 4, 5, 3));
    int value;
    tb_model model = begin_with(&in, 0, &value);
    int a = tb_constant(&model, "axes", TB_INT32, TB_DIMS(0), &last);
    tb_op *op = add_op(&model, MEAN, value, a, tb_value(&model, "output", TB_DIMS(1, 4, 5, 1)));
    bm_refuse(&model, "MEAN", "axes"); /* without options, they are not kept */
    op->options_type = 27;
    op->options[0] = 1;
    const tensor out = reduce(&in, 8, 1, 1);
    ow_summary summary;
    check(&model, &in, &out, &summary);
    model.tensors[a].rank = 1;
    model.tensors[a].dims[0] = 1;
    model.tensors[a].data = beyond;
    bm_refuse(&model, "MEAN", "axes");
    model.tensors[a].data = before;
    bm_refuse(&model, "MEAN", "axes");
    model.tensors[a].data = number;
    model.tensors[a].type = TB_FLOAT32;
    bm_refuse(&model, "MEAN", "axes");
    model.tensors[a].type = TB_INT32;
    model.tensors[a].dims[0] = 7;
    model.tensors[a].bytes = sizeof seven;
    model.tensors[a].data = seven;
    bm_refuse(&model, "MEAN", "axes");
    model.tensors[a].data = NULL;
    op->inputs[1] = value;
    bm_refuse(&model, "MEAN", "axes");
    op->input_count = 1;
    bm_refuse(&model, "MEAN", "axes");
}

/* --- TRANSPOSE --- */

static void check_transpose(const tensor *in, int reshaped, const int *order)
{
    int value;
    int32_t list[RANK_MAX] = {0};
    for (int i = 0; i < in->rank; i++)
        list[i] = i % 2 ? order[i] - in->rank : order[i];
    tensor out = swap_axes(in, order);
    tb_model model = begin_with(in, reshaped, &value);
    int l = tb_constant(&model, "order", TB_INT32, TB_DIMS(in->rank), list);
    add_op(&model, TRANSPOSE, value, l, tb_value(&model, "output", out.dims));
    ow_summary summary;
    check(&model, in, &out, &summary);
    assert_int_equal(ow_count(&summary, "Transpose"), 1);
}

static void test_transpose_in_every_order(void **state)
{
    (void)state;
    int tried = 0;
    for (int code = 0; code < 256; code++) {
        const int order[4] = {code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 & 3};
        if ((1 << order[0] | 1 << order[1] | 1 << order[2] | 1 << order[3]) != 15)
            continue;
        const tensor in = make_tensor(TB_DIMS(1, 4, 5, 3)), batch = make_tensor(TB_DIMS(2, 4, 5, 3));
        check_transpose(&in, 0, order);
        check_transpose(&batch, 1, order);
        tried++;
    }
    assert_int_equal(tried, 24);
    const tensor matrix = make_tensor(TB_DIMS(3, 7)), cube = make_tensor(TB_DIMS(2, 3, 7));
    check_transpose(&matrix, 1, (const int[]){1, 0});
    check_transpose(&cube, 1, (const int[]){2, 0, 1});
}

static void test_transpose_refuses_bad_orders(void **state)
{
    (void)state;
    static const int32_t orders[][4] = {{0, 1, 1, 3}, {0, 1, 2, 4}, {0, 1, 2, -5}, {0, 2, 1, 3}};
    tensor in = make_tensor(TB_DIMS(1, 4, 5, 3));
    int value;
    tb_model model = begin_with(&in, 0, &value);
    int l = tb_constant(&model, "order", TB_INT32, TB_DIMS(4), orders[0]);
    tb_op *op = add_op(&model, TRANSPOSE, value, l, tb_value(&model, "output", in.dims));
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        model.tensors[l].data = orders[i];
        bm_refuse(&model, "TRANSPOSE", "order of axes");
    }
    model.tensors[l].dims[0] = 3;
    model.tensors[l].bytes = 12;
    bm_refuse(&model, "TRANSPOSE", "order of axes");
    op->inputs[1] = value;
    bm_refuse(&model, "TRANSPOSE", "order of axes");
    op->input_count = 1;
    bm_refuse(&model, "TRANSPOSE", "order of axes");
}

/* --- STRIDED_SLICE --- */

typedef struct cut {
    int32_t begin[RANK_MAX], end[RANK_MAX], step[RANK_MAX];
    int32_t begin_mask, end_mask, shrink_mask;
} cut;

static tb_model slice_model(const tensor *in, int reshaped, const cut *c, const int32_t *result)
{
    int value;
    tb_model model = begin_with(in, reshaped, &value);
    int b = tb_constant(&model, "begin", TB_INT32, TB_DIMS(in->rank), c->begin);
    int e = tb_constant(&model, "end", TB_INT32, TB_DIMS(in->rank), c->end);
    int s = tb_constant(&model, "step", TB_INT32, TB_DIMS(in->rank), c->step);
    tb_op *op = add_op(&model, STRIDED_SLICE, value, b, tb_value(&model, "output", result));
    tb_op_input(op, e);
    tb_op_input(op, s);
    op->options_type = 32;
    op->options[0] = c->begin_mask;
    op->options[1] = c->end_mask;
    op->options[4] = c->shrink_mask;
    return model;
}

/* `first` and `step` say in plain numbers which elements `result` has, axis by axis of the input. */
static void check_slice(const tensor *in, int reshaped, const cut *c, const int32_t *result, const int *first,
                        const int *step)
{
    tensor out = {.rank = 0}, kept = {.rank = in->rank};
    for (; result[out.rank]; out.rank++)
        out.dims[out.rank] = result[out.rank];
    for (int i = 0, k = 0; i < in->rank; i++)
        kept.dims[i] = c->shrink_mask >> i & 1 ? 1 : result[k++];
    for (int k = 0; k < elements_of(&kept); k++) {
        int at[RANK_MAX];
        coordinates(&kept, k, at);
        for (int i = 0; i < in->rank; i++)
            at[i] = first[i] + at[i] * step[i];
        out.data[k] = in->data[index_of(in, at)];
    }
    tb_model model = slice_model(in, reshaped, c, result);
    ow_summary summary;
    check(&model, in, &out, &summary);
}

static void test_slices(void **state)
{
    (void)state;
    const tensor in = make_tensor(TB_DIMS(1, 5, 4, 3)), rows = make_tensor(TB_DIMS(3, 7));
    const cut c = {{0, 1, -3, 9}, {1, 5, 4, -9}, {1, 2, 1, 2}, 8, 8, 0}; /* the channels' limits do not count */
    for (int reshaped = 0; reshaped <= 1; reshaped++)
        check_slice(&in, reshaped, &c, TB_DIMS(1, 2, 3, 2), (const int[]){0, 1, 1, 0}, (const int[]){1, 2, 1, 2});
    const cut row = {{-2, 1}, {-1, 7}, {1, 3}, 0, 0, 0};
    check_slice(&rows, 1, &row, TB_DIMS(1, 2), (const int[]){1, 1}, (const int[]){1, 3});
}

static void test_slices_that_drop_axes(void **state)
{
    (void)state;
    const tensor in = make_tensor(TB_DIMS(1, 5, 4, 3)), rows = make_tensor(TB_DIMS(3, 7));
    /* Row 3 of each; what stands as its end does not count. */
    const cut pixel_row = {{0, -2, 1, 0}, {1, -1, 4, 3}, {1, 1, 2, 1}, 8, 8, 2};
    for (int reshaped = 0; reshaped <= 1; reshaped++)
        check_slice(&in, reshaped, &pixel_row, TB_DIMS(1, 2, 3), (const int[]){0, 3, 1, 0},
                    (const int[]){1, 1, 2, 1});
    const cut picture = {{0}, {1}, {1, 1, 1, 1}, 14, 14, 1};
    check_slice(&in, 0, &picture, TB_DIMS(5, 4, 3), (const int[]){0, 0, 0, 0}, (const int[]){1, 1, 1, 1});
    const cut row = {{2, 0}, {0, 7}, {1, 1}, 2, 2, 1};
    check_slice(&rows, 1, &row, TB_DIMS(7), (const int[]){2, 0}, (const int[]){1, 1});
}

static void test_slices_refuse_bad_limits(void **state)
{
    (void)state;
    const tensor in = make_tensor(TB_DIMS(1, 5, 4, 3));
    const int32_t *whole = TB_DIMS(1, 5, 4, 3), *channels = TB_DIMS(1, 5, 4), *shorter = TB_DIMS(1, 4, 4, 3);
    const cut good = {{0}, {1, 5, 4, 3}, {1, 1, 1, 1}, 0, 0, 0};
    const struct {
        cut c;
        const int32_t *result;
    } cases[] = {
        {good, shorter},
        {good, channels},
        {{{0}, {1, 5, 4, 3}, {1, -1, 1, 1}, 0, 0, 0}, whole},
        {{{0}, {1, 5, 4, 3}, {1, 0, 1, 1}, 0, 0, 0}, whole},
        {{{0, 5}, {1, 5, 4, 3}, {1, 1, 1, 1}, 0, 0, 0}, whole},
        {{{0}, {1, 5, 4, 3}, {1, 1, 1, 1}, 0, 0, 8}, whole},        /* drops an axis that the result has */
        {{{0, 0, 0, 3}, {1, 5, 4, 4}, {1, 1, 1, 1}, 0, 0, 8}, channels},  /* no such element */
        {{{0, 0, 0, -4}, {1, 5, 4, 4}, {1, 1, 1, 1}, 0, 0, 8}, channels},
        {{{0}, {1, 5, 4, 3}, {1, 1, 1, 1}, 8, 0, 8}, channels},     /* dropped, and from its start */
        {{{0}, {1, 5, 4, 3}, {1, 1, 1, 2}, 0, 0, 8}, channels},
        {{{0}, {1, 5, 4, 3}, {1, 1, 1, 1}, 0, 0, 16}, channels},    /* an axis that is not there */
        {{{0}, {1, 5, 4, 3}, {1, 1, 1, 1}, 0, 0, INT32_MIN}, channels},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tb_model model = slice_model(&in, 0, &cases[i].c, cases[i].result);
        bm_refuse(&model, "STRIDED_SLICE", "limits");
    }
    for (int option = 2; option <= 3; option++) { /* masks that add axes */
        tb_model model = slice_model(&in, 0, &good, whole);
        model.ops[0].options[option] = 1;
        bm_refuse(&model, "STRIDED_SLICE", "limits");
    }
}

/* --- together, as the blendshape network begins and ends --- */

static tb_op *chain(tb_model *model, int code, int first, int second, const int32_t *dims)
{
    tb_op *op = tb_add_op(model, code, tb_value(model, "", dims));
    tb_op_input(op, first);
    if (second >= 0)
        tb_op_input(op, second);
    if (code == MEAN || code == SUM) {
        op->options_type = 27;
        op->options[0] = 1; /* axes stay */
    }
    return op;
}

/* Points about their mean, in units of their mean distance from it; then x and y apart, through a sigmoid, unbatched. */
static void test_points_are_normalised(void **state)
{
    (void)state;
    enum { POINTS = 20 };
    static const int32_t along_points = -2, along_xy = -1, order[3] = {0, 2, 1};
    static const cut whole = {{0}, {1, 2, POINTS}, {1, 1, 1}, 6, 6, 1};
    tensor in = make_tensor(TB_DIMS(1, POINTS, 2)), out = {.rank = 2, .dims = {2, POINTS}};
    double mean[2] = {0}, size = 0;
    for (int i = 0; i < 2 * POINTS; i++)
        mean[i % 2] += (double)in.data[i] / POINTS;
    for (int i = 0; i < POINTS; i++)
        size += hypot((double)in.data[2 * i] - mean[0], (double)in.data[2 * i + 1] - mean[1]) / POINTS;
    for (int i = 0; i < 2 * POINTS; i++)
        out.data[i % 2 * POINTS + i / 2] = (float)logistic(((double)in.data[i] - mean[i % 2]) / size);

    int points;
    tb_model model = begin_with(&in, 1, &points);
    const int p = tb_constant(&model, "along points", TB_INT32, TB_DIMS(0), &along_points);
    const int xy = tb_constant(&model, "along xy", TB_INT32, TB_DIMS(1), &along_xy);
    const int o = tb_constant(&model, "order", TB_INT32, TB_DIMS(3), order);
    const int b = tb_constant(&model, "begin", TB_INT32, TB_DIMS(3), whole.begin);
    const int e = tb_constant(&model, "end", TB_INT32, TB_DIMS(3), whole.end);
    const int s = tb_constant(&model, "step", TB_INT32, TB_DIMS(3), whole.step);
    int value = chain(&model, MEAN, points, p, TB_DIMS(1, 1, 2))->outputs[0];
    const int centred = chain(&model, SUB, points, value, in.dims)->outputs[0];
    value = chain(&model, MUL, centred, centred, in.dims)->outputs[0];
    value = chain(&model, SUM, value, xy, TB_DIMS(1, POINTS, 1))->outputs[0];
    value = chain(&model, SQRT, value, -1, TB_DIMS(1, POINTS, 1))->outputs[0];
    value = chain(&model, MEAN, value, p, TB_DIMS(1, 1, 1))->outputs[0];
    value = chain(&model, DIV, centred, value, in.dims)->outputs[0];
    value = chain(&model, TRANSPOSE, value, o, TB_DIMS(1, 2, POINTS))->outputs[0];
    value = chain(&model, LOGISTIC, value, -1, TB_DIMS(1, 2, POINTS))->outputs[0];
    tb_op *last = chain(&model, STRIDED_SLICE, value, b, out.dims);
    tb_op_input(last, e);
    tb_op_input(last, s);
    last->options_type = 32;
    memcpy(last->options, (int32_t[]){whole.begin_mask, whole.end_mask, 0, 0, whole.shrink_mask}, 5 * sizeof(int32_t));
    tb_output(&model, last->outputs[0]);
    ow_summary summary;
    check(&model, &in, &out, &summary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_reductions_over_all_sets_of_axes),
        cmocka_unit_test(test_reductions_refuse_bad_axes),
        cmocka_unit_test(test_transpose_in_every_order),
        cmocka_unit_test(test_transpose_refuses_bad_orders),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_slices_that_drop_axes),
        cmocka_unit_test(test_slices_refuse_bad_limits),
        cmocka_unit_test(test_points_are_normalised),
    };
    return cmocka_run_group_tests_name("tensors", tests, NULL, NULL);
}
