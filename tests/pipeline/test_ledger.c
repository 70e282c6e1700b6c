/* What the stages of a run did and waited for, told by stages whose waits are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fmprof/fmprof.h"
#include "pipeline/ledger.h"
#include "pipeline/queue.h"

/* A clock that stands until a test moves it. */
static uint64_t clock_ns;

static uint64_t read_clock(void)
{
    return clock_ns;
}

static void pass_us(unsigned us)
{
    clock_ns += 1000 * (uint64_t)us;
}

static fm_ledger *make_ledger(uint64_t (*now)(void))
{
    fm_ledger *ledger;
    assert_int_equal(fm_ledger_create(&ledger, now, NULL), FM_OK);
    return ledger;
}

/* Seconds, as far as sums of doubles tell them. */
static void assert_us(double seconds, double us)
{
    if (fabs(seconds * 1e6 - us) > 1e-3)
        fail_msg("%.6f us is not %.6f us", seconds * 1e6, us);
}

/* --- one stage, step by step ------------------------------------------------------ */

/* Every state's time goes to that state, and all together are the stage's time. */
static void states_are_told_apart(void **state)
{
    (void)state;
    fm_ledger *l = make_ledger(read_clock);
    fm_stage *stage = fm_ledger_add(l, "only", NULL, 0, 3);
    fm_ledger_start(l);
    fm_stage_attach(stage);
    pass_us(7); /* a first stage that has not begun is blocked */
    fm_stage_enter(stage, FM_STAGE_STARVED);
    pass_us(40);
    fm_stage_enter(stage, FM_STAGE_BUSY);
    pass_us(300);
    fm_trip *trip = fm_ledger_open_trip(l, 0, 1.5);
    fm_stage_finish(stage, trip, FM_STAGE_BLOCKED);
    pass_us(20);
    fm_stage_enter(stage, FM_STAGE_BUSY); /* what belongs to no frame is busy time, and no frame's */
    pass_us(1000);
    fm_stage_finish(stage, NULL, FM_STAGE_STARVED);
    fm_stage_detach(stage);
    pass_us(5000); /* its time is over */
    fm_ledger_stop(l);

    fm_report_pipeline p;
    fm_ledger_report(l, &p);
    assert_int_equal(p.stage_count, 1);
    const fm_report_stage *s = &p.stages[0];
    assert_string_equal(s->name, "only");
    assert_null(s->after);
    assert_int_equal(s->pictures, 3);
    assert_int_equal(s->frames, 1);
    assert_us(s->starved_seconds, 40);
    assert_us(s->busy_seconds, 1300);
    assert_us(s->blocked_seconds, 27);
    assert_us(s->service_mean, 300);
    assert_us(s->service_stddev, 0);
    assert_us(fm_ledger_covered_seconds(l), 1300);
    assert_true(p.processors >= 1 && p.process_cpu_seconds >= 0);
    assert_int_equal(p.outlier_count, 1);
    assert_true(p.outliers[0].timestamp == 1.5);
    fm_ledger_destroy(&l);
    assert_null(l);
}

static void service_times(void **state)
{
    (void)state;
    fm_ledger *l = make_ledger(read_clock);
    fm_stage *stage = fm_ledger_add(l, "only", NULL, 0, 0);
    fm_ledger_start(l);
    for (unsigned i = 1; i <= 200; i++) {
        fm_stage_enter(stage, FM_STAGE_BUSY);
        pass_us(i);
        fm_stage_finish(stage, fm_ledger_open_trip(l, i, i), FM_STAGE_BLOCKED);
    }
    fm_report_pipeline p;
    fm_ledger_report(l, &p);
    assert_us(p.stages[0].service_mean, 100.5);
    assert_us(p.stages[0].service_stddev, sqrt((200 * 200 - 1) / 12.0));
    assert_true(fabs(p.stages[0].service_p99 * 1e6 - 198) < 0.01 * 198);
    assert_true(fabs(p.frame_p50 * 1e6 - 100) < 1);
    fm_ledger_destroy(&l);
}

static void cpu_time_is_of_the_work(void **state)
{
    (void)state;
    fm_ledger *l = make_ledger(NULL);
    fm_stage *stage = fm_ledger_add(l, "only", NULL, 0, 0);
    fm_ledger_start(l);
    fm_stage_attach(stage);
    fm_stage_enter(stage, FM_STAGE_BUSY);
    fm_slow_spend(&(fm_slow){.ns = 10000000, .cpu = true});
    fm_stage_detach(stage);
    fm_ledger_stop(l);
    fm_report_pipeline p;
    fm_ledger_report(l, &p);
    assert_true(p.stages[0].cpu_seconds >= 0.010 && p.stages[0].cpu_seconds <= p.stages[0].busy_seconds + 0.001);
    assert_true(p.process_cpu_seconds >= p.stages[0].cpu_seconds - 0.001);
    fm_ledger_destroy(&l);
}

/* Two stages that overlap count once, and the pause between counts not at all. */
static void covered_time_is_the_union(void **state)
{
    (void)state;
    fm_ledger *l = make_ledger(read_clock);
    fm_stage *a = fm_ledger_add(l, "a", NULL, 0, 0), *b = fm_ledger_add(l, "b", a, 1, 0);
    fm_ledger_start(l);
    fm_stage_enter(a, FM_STAGE_BUSY);
    pass_us(30);
    assert_us(fm_ledger_covered_seconds(l), 30); /* while it is at work */
    fm_stage_enter(b, FM_STAGE_BUSY);
    pass_us(5);
    fm_stage_enter(a, FM_STAGE_BLOCKED);
    pass_us(200);
    fm_stage_enter(b, FM_STAGE_STARVED);
    assert_us(fm_ledger_covered_seconds(l), 235);
    pass_us(5000);
    fm_ledger_work_begins(l); /* what is no stage's */
    pass_us(1000);
    fm_ledger_work_ends(l);
    assert_us(fm_ledger_covered_seconds(l), 1235);
    fm_ledger_destroy(&l);
}

/* --- trips ------------------------------------------------------------------------- */

/* A reader and two branches. */
typedef struct branches {
    fm_ledger *ledger;
    fm_stage *read, *left, *encode, *right;
} branches;

static branches make_branches(void)
{
    branches f = {.ledger = make_ledger(read_clock)};
    f.read = fm_ledger_add(f.ledger, "read", NULL, 0, 0);
    f.left = fm_ledger_add(f.ledger, "left", f.read, 2, 0);
    f.encode = fm_ledger_add(f.ledger, "encode", f.left, 2, 0);
    f.right = fm_ledger_add(f.ledger, "right", f.read, 2, 0);
    fm_ledger_start(f.ledger);
    return f;
}

static void work(fm_stage *stage, fm_trip *trip, unsigned us)
{
    fm_stage_enter(stage, FM_STAGE_BUSY);
    pass_us(us);
    fm_stage_finish(stage, trip, FM_STAGE_STARVED);
}

/* A frame's way, with so many us in each stage. */
static void travel(const branches *f, int64_t frame, const unsigned spend[4])
{
    fm_stage_enter(f->read, FM_STAGE_BUSY);
    pass_us(spend[0]);
    fm_trip *trip = fm_ledger_open_trip(f->ledger, frame, (double)frame / 10);
    assert_non_null(trip);
    fm_stage_finish(f->read, trip, FM_STAGE_BLOCKED);
    trip->detected = frame == 0;
    trip->faces = 1;
    trip->face_size = 0.25;
    work(f->left, trip, spend[1]);
    work(f->encode, trip, spend[2]);
    work(f->right, trip, spend[3]);
}

static const fm_report_stage *stage_of(const fm_report_pipeline *p, const char *name)
{
    for (size_t i = 0; i < p->stage_count; i++)
        if (strcmp(p->stages[i].name, name) == 0)
            return &p->stages[i];
    fail_msg("no stage '%s'", name);
    return NULL;
}

/* The slowest branch is the way, and the slowest stage on it held the frame, even if another branch has a slower one. */
static void frames_are_held_on_their_slowest_way(void **state)
{
    (void)state;
    branches f = make_branches();
    travel(&f, 0, (unsigned[]){12000, 1, 1, 3000});     /* read */
    travel(&f, 1, (unsigned[]){1, 1, 1, 9000});         /* right */
    travel(&f, 2, (unsigned[]){1, 9000, 16000, 20000}); /* encode: 25 ms in all, though right alone took 20 */
    fm_report_pipeline p;
    fm_ledger_report(f.ledger, &p);
    assert_int_equal(stage_of(&p, "read")->held, 1);
    assert_int_equal(stage_of(&p, "right")->held, 1);
    assert_int_equal(stage_of(&p, "encode")->held, 1);
    assert_int_equal(stage_of(&p, "left")->held, 0);
    assert_string_equal(stage_of(&p, "encode")->after, "left");
    assert_int_equal(p.outlier_count, 3);
    assert_int_equal(p.outliers[0].frame, 2);
    assert_string_equal(p.outliers[0].stage, "encode");
    assert_us(p.outliers[0].seconds, 25001);
    assert_us(p.outliers[0].stage_seconds, 16000);
    assert_true(p.outliers[0].timestamp == 0.2 && p.outliers[0].faces == 1 && p.outliers[0].face_size == 0.25);
    assert_int_equal(p.outliers[1].frame, 0);
    assert_true(p.outliers[1].detected && !p.outliers[0].detected);
    assert_int_equal(p.outliers[2].frame, 1);
    const fm_report_cost *content = p.content;
    assert_true(content[FM_CONTENT_ONE_FACE].frames == 3 && content[FM_CONTENT_MIDDLE].frames == 3);
    assert_true(content[FM_CONTENT_NO_FACE].frames == 0 && content[FM_CONTENT_LARGE].frames == 0);
    assert_true(content[FM_CONTENT_DETECTED].frames == 1 && content[FM_CONTENT_FOLLOWED].frames == 2);
    assert_us(content[FM_CONTENT_DETECTED].seconds, p.outliers[1].seconds * 1e6);
    assert_us(content[FM_CONTENT_FOLLOWED].seconds, (p.outliers[0].seconds + p.outliers[2].seconds) * 1e6);
    fm_ledger_destroy(&f.ledger);
}

/* Many more frames than there is room for at once; the slowest ten are kept, slowest first. */
static void outliers_of_many_frames(void **state)
{
    (void)state;
    enum { FRAMES = 5 * FM_LEDGER_TRIPS, EVERY = 20 };
    branches f = make_branches();
    for (int i = 0; i < FRAMES; i++)
        travel(&f, i, (unsigned[]){1, 1, i % EVERY == 7 ? 2000u + 500u * (unsigned)(i / EVERY) : 1, 1});
    fm_report_pipeline p;
    fm_ledger_report(f.ledger, &p);
    assert_int_equal(stage_of(&p, "read")->frames, FRAMES);
    int64_t held = 0;
    for (size_t i = 0; i < p.stage_count; i++)
        held += p.stages[i].held;
    assert_int_equal(held, FRAMES);
    assert_int_equal(p.outlier_count, FM_LEDGER_OUTLIERS);
    for (size_t i = 0; i < p.outlier_count; i++) {
        assert_int_equal(p.outliers[i].frame, FRAMES - EVERY * (int)(i + 1) + 7);
        assert_true(p.outliers[i].timestamp == (double)p.outliers[i].frame / 10);
    }
    assert_string_equal(p.outliers[0].stage, "encode");
    assert_us(p.outliers[0].stage_seconds, 2000 + 500 * (FRAMES / EVERY - 1));
    assert_us(p.frame_p50, fmp_bucket_value(fmp_bucket_of(3000)) / 1000);
    assert_true(p.frame_p99 > 0.008);
    assert_int_equal(p.allocation_frames, FRAMES - FM_LEDGER_WARM_UP);
    assert_int_equal(p.rss_frames, 0); /* the reader has not said that it ended */
    fm_ledger_end_trips(f.ledger);
    fm_ledger_report(f.ledger, &p);
    assert_int_equal(p.rss_frames, FRAMES - FM_LEDGER_WARM_UP);
    fm_ledger_destroy(&f.ledger);
}

/* A frame that an abort left on its way is not counted, and one that finds no room is worked on without a trip. */
static void frames_that_never_arrive(void **state)
{
    (void)state;
    branches f = make_branches();
    fm_trip *first = fm_ledger_open_trip(f.ledger, 0, 0);
    assert_non_null(first);
    work(f.left, first, 0);
    assert_null(fm_ledger_open_trip(f.ledger, FM_LEDGER_TRIPS, 0));
    work(f.left, NULL, 0);
    fm_report_pipeline p;
    fm_ledger_report(f.ledger, &p);
    assert_int_equal(p.outlier_count, 0);
    assert_int_equal(stage_of(&p, "left")->frames, 1);
    assert_int_equal(stage_of(&p, "left")->held, 0);
    assert_true(p.frame_p50 == 0);
    fm_ledger_destroy(&f.ledger);
}

static void waste_is_counted(void **state)
{
    (void)state;
    branches f = make_branches();
    for (int i = 0; i < FM_LEDGER_WARM_UP + 4; i++) {
        travel(&f, i, (unsigned[]){0, 0, 0, 0});
        fm_stage_copied(f.left, 100);
        fm_stage_copied(f.right, 50);
        fm_stage_allocated(f.right, i);
    }
    fm_report_pipeline p;
    fm_ledger_report(f.ledger, &p);
    assert_int_equal(p.frame_bytes_copied, 150);
    assert_int_equal(p.allocations, 4); /* not those of the warm-up */
    assert_int_equal(p.allocation_frames, 4);
    fm_ledger_destroy(&f.ledger);
}

/* --- threads ------------------------------------------------------------------------ */

enum { FRAMES = 40, STAGES = 3 };

static double seconds_since(uint64_t begin)
{
    return (double)(fmp_now() - begin) * 1e-9;
}

/* A chain of stages as in a run, each with a queue before it and a time that it takes for a frame. */
typedef struct chain_link {
    fm_stage *stage;
    fm_queue *in, *out;
    unsigned us;
} chain_link;

static void *run_link(void *argument)
{
    chain_link *at = argument;
    fm_trip *trip;
    fm_stage_attach(at->stage);
    while ((trip = fm_queue_pop(at->in)) != NULL) {
        fm_stage_enter(at->stage, FM_STAGE_BUSY);
        usleep(at->us);
        fm_stage_finish(at->stage, trip, FM_STAGE_BLOCKED);
        if (at->out)
            fm_queue_push(at->out, trip);
        fm_stage_enter(at->stage, FM_STAGE_STARVED);
    }
    if (at->out)
        fm_queue_close(at->out);
    fm_stage_detach(at->stage);
    return NULL;
}

/* The slow one is busy, the one before it blocked, the one behind it starved, and each one's times are its wall time. */
static void a_slow_stage_shows(void **state)
{
    (void)state;
    fm_ledger *l = make_ledger(NULL);
    static const char *const names[STAGES] = {"first", "slow", "last"};
    const unsigned us[STAGES] = {200, 4000, 200};
    chain_link links[STAGES] = {0};
    for (int i = 0; i < STAGES; i++) {
        links[i].stage = fm_ledger_add(l, names[i], i > 0 ? links[i - 1].stage : NULL, 2, 0);
        links[i].us = us[i];
        assert_int_equal(fm_queue_create(&links[i].in, i == 0 ? FRAMES : 2, NULL, NULL), FM_OK);
        if (i > 0)
            links[i - 1].out = links[i].in;
    }
    fm_ledger_start(l);
    const uint64_t begin = fmp_now();
    for (int i = 0; i < FRAMES; i++)
        fm_queue_push(links[0].in, fm_ledger_open_trip(l, i, i));
    fm_queue_close(links[0].in);
    pthread_t threads[STAGES];
    for (int i = 0; i < STAGES; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_link, &links[i]), 0);
    for (int i = 0; i < STAGES; i++)
        pthread_join(threads[i], NULL);
    const double wall = seconds_since(begin);
    fm_ledger_stop(l);

    fm_report_pipeline p;
    fm_ledger_report(l, &p);
    const fm_report_stage *first = &p.stages[0], *slow = &p.stages[1], *last = &p.stages[2];
    assert_true(slow->busy_seconds >= FRAMES * 0.004 && slow->busy_seconds >= 0.8 * wall);
    assert_true(first->blocked_seconds >= 0.6 * wall);
    assert_true(last->starved_seconds >= 0.6 * wall && last->blocked_seconds < 0.2 * wall);
    assert_true(slow->held >= FRAMES * 9 / 10);
    const double sum = last->busy_seconds + last->starved_seconds + last->blocked_seconds;
    assert_true(sum <= wall && sum >= 0.95 * wall);
    assert_true(slow->service_mean >= 0.004 && slow->service_p99 >= slow->service_mean * 0.99);
    assert_true(fabs(slow->service_mean * FRAMES - slow->busy_seconds) < 0.001);
    for (int i = 0; i < STAGES; i++)
        fm_queue_destroy(&links[i].in);
    fm_ledger_destroy(&l);
}

/* --- cost ---------------------------------------------------------------------------- */

/* A frame of a run with three lanes: 26 changes of state. The bound is wide: shared machines. */
static void a_frame_costs_microseconds(void **state)
{
    (void)state;
    enum { ROUNDS = 2000, LANES = 3 };
    fm_ledger *l = make_ledger(NULL);
    fm_stage *read = fm_ledger_add(l, "reader", NULL, 0, 8), *analyse = fm_ledger_add(l, "analysis", read, 3, 0);
    fm_stage *draw[LANES], *encode[LANES];
    for (int i = 0; i < LANES; i++) {
        draw[i] = fm_ledger_add(l, "draw", analyse, 3, 4);
        encode[i] = fm_ledger_add(l, "encode", draw[i], 20, 0);
    }
    fm_ledger_start(l);
    double best = INFINITY;
    for (int batch = 0; batch < 5; batch++) {
        const uint64_t begin = fmp_now();
        for (int i = 0; i < ROUNDS; i++) {
            fm_stage_enter(read, FM_STAGE_BUSY);
            fm_trip *trip = fm_ledger_open_trip(l, batch * ROUNDS + i, 0);
            fm_stage_finish(read, trip, FM_STAGE_BLOCKED);
            fm_stage_enter(analyse, FM_STAGE_BUSY);
            fm_stage_finish(analyse, trip, FM_STAGE_BLOCKED);
            fm_stage_enter(analyse, FM_STAGE_STARVED);
            for (int k = 0; k < LANES; k++) {
                fm_stage_enter(draw[k], FM_STAGE_BUSY);
                fm_stage_enter(draw[k], FM_STAGE_BLOCKED);
                fm_stage_enter(draw[k], FM_STAGE_BUSY);
                fm_stage_finish(draw[k], trip, FM_STAGE_BLOCKED);
                fm_stage_enter(draw[k], FM_STAGE_STARVED);
                fm_stage_enter(encode[k], FM_STAGE_BUSY);
                fm_stage_finish(encode[k], trip, FM_STAGE_STARVED);
            }
        }
        const double each = (double)(fmp_now() - begin) / ROUNDS;
        best = each < best ? each : best;
    }
    print_message("a frame costs the ledger %.0f ns\n", best);
    assert_true(best < 50000);
    fm_ledger_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_told_apart),
        cmocka_unit_test(service_times),
        cmocka_unit_test(cpu_time_is_of_the_work),
        cmocka_unit_test(covered_time_is_the_union),
        cmocka_unit_test(frames_are_held_on_their_slowest_way),
        cmocka_unit_test(outliers_of_many_frames),
        cmocka_unit_test(frames_that_never_arrive),
        cmocka_unit_test(waste_is_counted),
        cmocka_unit_test(a_slow_stage_shows),
        cmocka_unit_test(a_frame_costs_microseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
