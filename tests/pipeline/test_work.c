#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/work.h"

static void pool_bounds_and_recycles(void **state)
{
    (void)state;
    fm_work_pool *pool;
    assert_int_equal(fm_work_pool_create(&pool, 2, NULL), FM_OK);
    fm_work *a = fm_work_acquire(pool), *b = fm_work_acquire(pool);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);

    a->has_line = a->has_pose = a->face.found = true;
    a->frame->format = AV_PIX_FMT_YUV420P;
    a->frame->width = a->frame->height = 16;
    assert_int_equal(av_frame_get_buffer(a->frame, 0), 0);
    fm_work_retain(a);
    fm_work_release(a);
    assert_non_null(a->frame->buf[0]); /* one holder is left */
    fm_work_release(a);

    /* The free one comes back, blank. */
    fm_work *again = fm_work_acquire(pool);
    assert_ptr_equal(again, a);
    assert_null(again->frame->buf[0]);
    assert_false(again->has_line);
    assert_false(again->has_pose);
    assert_false(again->face.found);

    fm_work_pool_abort(pool);
    assert_null(fm_work_acquire(pool));
    fm_work_release(again);
    fm_work_release(b);
    fm_work_release(NULL);
    fm_work_pool_destroy(&pool);
    assert_null(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pool_bounds_and_recycles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
