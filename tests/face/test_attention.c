/* Refinement of the attention mesh, and the topology of its points. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "face/attention.h"
#include "face/topology.h"
#include "facemirror/run.h"

/* Each value tells where it comes from: thousands the part, the rest its place. */
typedef struct sample {
    float mesh[3 * FM_ATTENTION_MESH], lips[2 * FM_ATTENTION_LIPS];
    float left_eye[2 * FM_ATTENTION_EYE], right_eye[2 * FM_ATTENTION_EYE];
    float left_iris[2 * FM_ATTENTION_IRIS], right_iris[2 * FM_ATTENTION_IRIS];
} sample;

static void number(float *out, int count, int part)
{
    for (int i = 0; i < count; i++)
        out[i] = (float)(10000 * part + i);
}

static sample make_sample(void)
{
    sample s;
    number(s.mesh, 3 * FM_ATTENTION_MESH, 0);
    number(s.lips, 2 * FM_ATTENTION_LIPS, 1);
    number(s.left_eye, 2 * FM_ATTENTION_EYE, 2);
    number(s.right_eye, 2 * FM_ATTENTION_EYE, 3);
    number(s.left_iris, 2 * FM_ATTENTION_IRIS, 4);
    number(s.right_iris, 2 * FM_ATTENTION_IRIS, 5);
    return s;
}

static fm_attention_parts parts_of(const sample *s)
{
    return (fm_attention_parts){s->mesh, s->lips, s->left_eye, s->right_eye, s->left_iris, s->right_iris};
}

static void expect(const float *out, int point, int part, int place)
{
    assert_true(out[3 * point] == (float)(10000 * part + 2 * place));
    assert_true(out[3 * point + 1] == (float)(10000 * part + 2 * place + 1));
}

static void test_parts_go_to_their_places(void **state)
{
    (void)state;
    sample s = make_sample();
    fm_attention_parts parts = parts_of(&s);
    float out[3 * FM_ATTENTION_POINTS];
    fm_attention_refine(&parts, out);
    /* Anchors that are known from the mesh's numbering: corners, lids, irises. */
    expect(out, 61, 1, 0);
    expect(out, 291, 1, 10);
    expect(out, 0, 1, 15);
    expect(out, 13, 1, 35);
    expect(out, 407, 1, 79);
    expect(out, 33, 2, 0);
    expect(out, 133, 2, 8);
    expect(out, 159, 2, 12);
    expect(out, 193, 2, 70);
    expect(out, 263, 3, 0);
    expect(out, 362, 3, 8);
    expect(out, 386, 3, 12);
    expect(out, 417, 3, 70);
    for (int i = 0; i < FM_ATTENTION_IRIS; i++) {
        expect(out, 468 + i, 4, i);
        expect(out, 473 + i, 5, i);
    }
    /* Every value of a part is used once; depth and all other points are the mesh's. */
    int refined = 0;
    for (int i = 0; i < FM_ATTENTION_MESH; i++) {
        assert_true(out[3 * i + 2] == s.mesh[3 * i + 2]);
        if (out[3 * i] >= 10000)
            refined++;
        else
            assert_true(out[3 * i] == s.mesh[3 * i] && out[3 * i + 1] == s.mesh[3 * i + 1]);
    }
    assert_int_equal(refined, FM_ATTENTION_LIPS + 2 * FM_ATTENTION_EYE);
}

static void test_iris_depth_is_the_mean_of_the_contour(void **state)
{
    (void)state;
    static const int contour[16] = {33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173};
    sample s = make_sample();
    fm_attention_parts parts = parts_of(&s);
    float out[3 * FM_ATTENTION_POINTS];
    fm_attention_refine(&parts, out);
    double left = 0, right = 0;
    for (int i = 0; i < 16; i++) {
        left += (double)s.mesh[3 * contour[i] + 2] / 16;
        right += (double)s.mesh[3 * fm_topology_mesh468.mirror[contour[i]] + 2] / 16;
    }
    for (int i = 0; i < FM_ATTENTION_IRIS; i++) {
        assert_true(fabs((double)out[3 * (468 + i) + 2] - left) < 1e-3);
        assert_true(fabs((double)out[3 * (473 + i) + 2] - right) < 1e-3);
    }
}

static void test_refines_in_place(void **state)
{
    (void)state;
    sample s = make_sample();
    fm_attention_parts parts = parts_of(&s);
    float out[3 * FM_ATTENTION_POINTS], same[3 * FM_ATTENTION_POINTS];
    fm_attention_refine(&parts, out);
    memcpy(same, s.mesh, sizeof s.mesh);
    parts.mesh = same;
    fm_attention_refine(&parts, same);
    assert_memory_equal(out, same, sizeof out);
}

static void test_topology(void **state)
{
    (void)state;
    const fm_topology *t = &fm_topology_mesh478;
    assert_int_equal(t->count, FM_ATTENTION_POINTS);
    for (int i = 0; i < t->count; i++) {
        assert_in_range(t->mirror[i], 0, t->count - 1);
        assert_int_equal(t->mirror[t->mirror[i]], i);
        if (i < FM_ATTENTION_MESH)
            assert_int_equal(t->mirror[i], fm_topology_mesh468.mirror[i]);
        else
            assert_true(t->mirror[i] >= FM_ATTENTION_MESH);
    }
    /* The patient's right is left in the picture, where the first iris is. */
    assert_int_equal(t->iris[FM_SIDE_RIGHT], 468);
    assert_int_equal(t->iris[FM_SIDE_LEFT], 473);
    assert_int_equal(t->mirror[468], 473);
    assert_int_equal(t->mirror[469], 476); /* right edge in the picture: its mirror image is a left edge */
    assert_int_equal(t->mirror[470], 475); /* top */
    assert_memory_equal(t->side, fm_topology_mesh468.side, sizeof t->side);
    assert_memory_equal(t->midline, fm_topology_mesh468.midline, sizeof t->midline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_go_to_their_places),
        cmocka_unit_test(test_iris_depth_is_the_mean_of_the_contour),
        cmocka_unit_test(test_refines_in_place),
        cmocka_unit_test(test_topology),
    };
    return cmocka_run_group_tests_name("attention", tests, NULL, NULL);
}
