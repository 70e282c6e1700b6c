#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/queue.h"

enum { ITEMS = 20000, CAPACITY = 3 };

static void *produce(void *queue)
{
    for (intptr_t i = 1; i <= ITEMS; i++) {
        if (!fm_queue_push(queue, (void *)i))
            return (void *)i;
    }
    fm_queue_close(queue);
    return NULL;
}

static void keeps_order_across_threads(void **state)
{
    (void)state;
    fm_queue *queue;
    assert_int_equal(fm_queue_create(&queue, CAPACITY, NULL, NULL), FM_OK);
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce, queue), 0);
    for (intptr_t i = 1; i <= ITEMS; i++)
        assert_ptr_equal(fm_queue_pop(queue), (void *)i);
    assert_null(fm_queue_pop(queue));
    void *stopped_at;
    pthread_join(producer, &stopped_at);
    assert_null(stopped_at);
    fm_queue_destroy(&queue);
    assert_null(queue);
}

static void closed_queue_drains_and_refuses(void **state)
{
    (void)state;
    fm_queue *queue;
    int a, b;
    assert_int_equal(fm_queue_create(&queue, CAPACITY, NULL, NULL), FM_OK);
    assert_true(fm_queue_push(queue, &a));
    fm_queue_close(queue);
    assert_false(fm_queue_push(queue, &b));
    assert_ptr_equal(fm_queue_pop(queue), &a);
    assert_null(fm_queue_pop(queue));
    fm_queue_destroy(&queue);
}

static void abort_frees_a_waiting_producer(void **state)
{
    (void)state;
    fm_queue *queue;
    assert_int_equal(fm_queue_create(&queue, CAPACITY, NULL, NULL), FM_OK);
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce, queue), 0);
    usleep(20000); /* it fills the queue and waits */
    fm_queue_abort(queue);
    void *stopped_at;
    pthread_join(producer, &stopped_at);
    assert_true((intptr_t)stopped_at <= CAPACITY + 1);
    assert_null(fm_queue_pop(queue));
    fm_queue_destroy(&queue);
}

static int dropped;

static void tells_an_abort_from_a_close(void **state)
{
    (void)state;
    fm_queue *queue;
    assert_int_equal(fm_queue_create(&queue, CAPACITY, NULL, NULL), FM_OK);
    assert_false(fm_queue_aborted(queue));
    fm_queue_close(queue);
    assert_null(fm_queue_pop(queue));
    assert_false(fm_queue_aborted(queue));
    fm_queue_abort(queue);
    assert_true(fm_queue_aborted(queue));
    fm_queue_destroy(&queue);
}

static void drop(void *item)
{
    dropped++;
    free(item);
}

static void destroy_drops_what_nobody_took(void **state)
{
    (void)state;
    fm_queue *queue;
    assert_int_equal(fm_queue_create(&queue, CAPACITY, drop, NULL), FM_OK);
    for (int i = 0; i < CAPACITY; i++)
        assert_true(fm_queue_push(queue, malloc(1)));
    free(fm_queue_pop(queue));
    fm_queue_destroy(&queue);
    assert_int_equal(dropped, CAPACITY - 1);
    fm_queue_destroy(&queue); /* NULL is fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_across_threads),
        cmocka_unit_test(closed_queue_drains_and_refuses),
        cmocka_unit_test(abort_frees_a_waiting_producer),
        cmocka_unit_test(tells_an_abort_from_a_close),
        cmocka_unit_test(destroy_drops_what_nobody_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
