/* Points and names of the blendshapes; the scores themselves are in test_reference.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "face/blendshapes.h"
#include "face/topology.h"

enum { POINTS = 478 };

/* Whether the network looks at each point, by points whose x is their index. */
static void find_points(bool looked_at[POINTS])
{
    fm_point3 points[POINTS];
    float input[2 * FM_BLENDSHAPE_POINTS];
    for (int i = 0; i < POINTS; i++) {
        points[i] = (fm_point3){(float)i, (float)(1000 + i), -1};
        looked_at[i] = false;
    }
    fm_blendshapes_input(points, input);
    int before = -1;
    for (int i = 0; i < FM_BLENDSHAPE_POINTS; i++) {
        const int index = (int)input[2 * i];
        assert_true(index > before && index < POINTS); /* the network has them in ascending order */
        assert_int_equal((int)input[2 * i + 1], 1000 + index);
        looked_at[index] = true;
        before = index;
    }
}

/* What it looks at on one side of the face, it looks at on the other. */
static void test_points_are_symmetric(void **state)
{
    (void)state;
    bool looked_at[POINTS];
    find_points(looked_at);
    for (int i = 0; i < POINTS; i++)
        if (looked_at[fm_topology_mesh478.mirror[i]] != looked_at[i])
            fail_msg("of the points %d and %d one is missing", i, fm_topology_mesh478.mirror[i]);
}

static void test_points_show_eyes_and_mouth(void **state)
{
    (void)state;
    bool looked_at[POINTS];
    find_points(looked_at);
    for (int i = 468; i < POINTS; i++)
        assert_true(looked_at[i]); /* irises */
    for (int side = 0; side < 2; side++) {
        const fm_side_points *s = &fm_topology_mesh478.side[side];
        assert_true(looked_at[s->eye_outer] && looked_at[s->eye_inner] && looked_at[s->mouth_corner]);
        assert_true(looked_at[s->upper_lid[1]] && looked_at[s->lower_lid[1]] && looked_at[s->brow_inner]);
    }
    assert_true(looked_at[fm_topology_mesh478.chin]);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(fm_blendshape_name(0), "_neutral");
    assert_string_equal(fm_blendshape_name(FM_BLENDSHAPES - 1), "noseSneerRight");
    int sides = 0;
    for (int i = 0; i < FM_BLENDSHAPES; i++) {
        const char *name = fm_blendshape_name(i);
        assert_int_equal(fm_blendshape_find(name), i); /* so it is there once */
        if (i > 1)
            assert_true(strcmp(fm_blendshape_name(i - 1), name) < 0);
        const char *left = strstr(name, "Left");
        if (left && left[4] == 0) {
            char other[32];
            snprintf(other, sizeof other, "%.*sRight", (int)(left - name), name);
            assert_true(fm_blendshape_find(other) > 0);
            sides++;
        }
    }
    assert_int_equal(sides, 20);
    assert_int_equal(fm_blendshape_find("eyeBlink"), -1);
    assert_int_equal(fm_blendshape_find(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_are_symmetric),
        cmocka_unit_test(test_points_show_eyes_and_mouth),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("blendshapes", tests, NULL, NULL);
}
