/* The simulation of a pipeline, in cases whose result can be told without it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "advice/simulate.h"

enum { FRAMES = 300 };

#define MODEL(processor_count, ...)                                                                   \
    (fm_sim_model){.stages = {__VA_ARGS__},                                                           \
                   .stage_count = sizeof((fm_sim_stage[]){__VA_ARGS__}) / sizeof(fm_sim_stage),       \
                   .processors = (processor_count), .frames = FRAMES}

static fm_sim_result simulate(const fm_sim_model *model)
{
    fm_sim_result result;
    assert_true(fm_simulate(model, &result));
    for (size_t i = 0; i < model->stage_count; i++) {
        const fm_sim_figures *f = &result.stages[i];
        assert_true(f->busy + f->starved + f->blocked <= result.seconds * (1 + 1e-9));
        assert_true(f->delayed >= 0 && f->delayed <= f->busy * (1 + 1e-9));
    }
    return result;
}

static void assert_near(double value, double expected, double share)
{
    if (!(fabs(value - expected) <= share * fabs(expected)))
        fail_msg("%g, expected %g within %g %%", value, expected, share * 100);
}

static void one_stage_takes_the_sum_of_its_work(void **state)
{
    (void)state;
    fm_sim_model model = MODEL(4, {.after = -1, .cpu = 0.003, .wait = 0.007});
    fm_sim_result r = simulate(&model);
    assert_near(r.seconds, FRAMES * 0.010, 1e-9);
    assert_near(r.cpu, FRAMES * 0.003, 1e-9);
    assert_near(r.stages[0].busy, FRAMES * 0.010, 1e-9);
    /* With spread the mean stays exactly. */
    model.stages[0].spread = 0.020;
    assert_near(simulate(&model).seconds, FRAMES * 0.010, 1e-5);
    /* Half a processor: its CPU part takes twice as long. */
    model.stages[0].spread = 0;
    model.processors = 0.5;
    assert_near(simulate(&model).seconds, FRAMES * 0.013, 1e-9);
}

static void the_slower_of_two_stages_is_the_pace(void **state)
{
    (void)state;
    fm_sim_model model = MODEL(4, {.after = -1, .cpu = 0.004}, {.after = 0, .queue = 3, .cpu = 0.010});
    fm_sim_result r = simulate(&model);
    assert_near(r.seconds, 0.004 + FRAMES * 0.010, 1e-9);
    assert_near(r.stages[1].starved, 0.004, 1e-6);
    assert_true(r.stages[0].blocked > FRAMES * 0.005);
    /* The other way round the second one starves. */
    model.stages[0].cpu = 0.010;
    model.stages[1].cpu = 0.004;
    r = simulate(&model);
    assert_near(r.seconds, FRAMES * 0.010 + 0.004, 1e-9);
    assert_near(r.stages[0].blocked, 0, 1e-9);
    assert_near(r.stages[1].starved, 0.010 + (FRAMES - 1) * 0.006, 1e-6);
}

/*
 * Two stages of equal mean that vary lose throughput to each other, and the less the longer the queue is. With
 * exponential times, room for b frames in all (at work, waiting, or blocked) gives b / (b + 1) of the pace; lognormal
 * ones of the same spread come near that.
 */
static void queues_even_out_what_varies(void **state)
{
    (void)state;
    fm_sim_model model = MODEL(4, {.after = -1, .cpu = 0.010, .spread = 0.010},
                               {.after = 0, .queue = 1, .cpu = 0.010, .spread = 0.010});
    const double ideal = FRAMES * 0.010;
    const double one = simulate(&model).seconds;
    model.stages[1].queue = 10;
    const double ten = simulate(&model).seconds;
    model.stages[1].queue = 400;
    const double many = simulate(&model).seconds;
    assert_true(one > ten && ten > many && many >= ideal);
    assert_near(one, ideal * 4 / 3, 0.10);
    assert_near(ten, ideal * 13 / 12, 0.08);
}

static void processors_are_shared(void **state)
{
    (void)state;
    /* Four stages of 10 ms on two processors: 20 ms a frame, though each alone takes 10. */
    fm_sim_model model = MODEL(2, {.after = -1, .cpu = 0.010}, {.after = 0, .queue = 3, .cpu = 0.010},
                               {.after = 1, .queue = 3, .cpu = 0.010}, {.after = 2, .queue = 3, .cpu = 0.010});
    fm_sim_result r = simulate(&model);
    assert_near(r.seconds, FRAMES * 0.020, 0.01);
    assert_near(r.cpu, FRAMES * 0.040, 1e-9);
    assert_true(r.stages[1].delayed > FRAMES * 0.005);
    /* With four of them each is at full speed. */
    model.processors = 4;
    assert_near(simulate(&model).seconds, FRAMES * 0.010, 0.01);
    /* Waiting takes no processor: the same stages waiting are at full speed on one. */
    for (int i = 0; i < 4; i++)
        model.stages[i] = (fm_sim_stage){.after = i - 1, .queue = 3, .wait = 0.010};
    model.processors = 1;
    r = simulate(&model);
    assert_near(r.seconds, FRAMES * 0.010, 0.01);
    assert_near(r.cpu + 1, 1, 1e-9);
}

static void less_than_a_processor_is_shared_too(void **state)
{
    (void)state;
    fm_sim_model model = MODEL(0.5, {.after = -1, .cpu = 0.010});
    assert_near(simulate(&model).seconds, FRAMES * 0.020, 1e-9);
    model = MODEL(0.5, {.after = -1, .cpu = 0.010}, {.after = 0, .queue = 3, .cpu = 0.005, .wait = 0.002});
    assert_near(simulate(&model).seconds, FRAMES * 0.030, 0.01);
}

static void a_fan_out_waits_for_its_slowest_branch(void **state)
{
    (void)state;
    fm_sim_model model = MODEL(8, {.after = -1, .cpu = 0.001}, {.after = 0, .queue = 3, .cpu = 0.002},
                               {.after = 1, .queue = 3, .cpu = 0.004}, {.after = 1, .queue = 3, .cpu = 0.012},
                               {.after = 1, .queue = 3, .cpu = 0.003});
    fm_sim_result r = simulate(&model);
    assert_near(r.seconds, FRAMES * 0.012, 0.01);
    assert_true(r.stages[1].blocked > FRAMES * 0.009);
    assert_true(r.stages[2].starved > FRAMES * 0.007);
    model.processors = 2; /* 22 ms of work a frame on two: the slowest has to share, too */
    const double shared = simulate(&model).seconds;
    assert_true(shared > FRAMES * 0.012 && shared < FRAMES * 0.015);
    model.stages[2].cpu = 0.014; /* now 32 ms: the processors are the pace */
    assert_near(simulate(&model).seconds, FRAMES * 0.0165, 0.04);
}

static void pictures_bound_what_is_in_flight(void **state)
{
    (void)state;
    /* One picture: a frame passes all stages before the next one begins. */
    fm_sim_model model = MODEL(8, {.after = -1, .pictures = 1, .cpu = 0.005}, {.after = 0, .queue = 3, .cpu = 0.007},
                               {.after = 1, .queue = 3, .cpu = 0.008});
    assert_near(simulate(&model).seconds, FRAMES * 0.020, 1e-9);
    /* With two, two frames are on their way: each takes 20 ms, and none of the stages is that busy. */
    model.stages[0].pictures = 2;
    assert_near(simulate(&model).seconds, FRAMES * 0.010, 0.01);
    model.stages[0].pictures = 8;
    assert_near(simulate(&model).seconds, FRAMES * 0.008, 0.01);
    /* A stage with pictures of its own gives back the source's when it is done: only the first two stages hold one. */
    model.stages[0].pictures = 1;
    model.stages[1].pictures = 4;
    assert_near(simulate(&model).seconds, FRAMES * 0.012, 0.01);
    /* The slowest of two branches holds it. */
    model = MODEL(8, {.after = -1, .pictures = 1, .cpu = 0.005}, {.after = 0, .queue = 3, .cpu = 0.001},
                  {.after = 0, .queue = 3, .cpu = 0.010});
    assert_near(simulate(&model).seconds, FRAMES * 0.015, 1e-9);
}

static void a_slow_encoder_holds_all_before_it(void **state)
{
    (void)state;
    /* The pipeline of a run, one lane: the queue is long, the four drawn pictures are not. */
    fm_sim_model model = MODEL(8, {.after = -1, .pictures = 8, .cpu = 0.001}, {.after = 0, .queue = 3, .cpu = 0.004},
                               {.after = 1, .queue = 3, .pictures = 4, .cpu = 0.002},
                               {.after = 2, .queue = 20, .cpu = 0.001, .wait = 0.019});
    fm_sim_result r = simulate(&model);
    assert_near(r.seconds, FRAMES * 0.020, 0.01);
    assert_true(r.stages[2].blocked > FRAMES * 0.017); /* for a picture */
    assert_true(r.stages[1].blocked > FRAMES * 0.015);
    assert_near(r.stages[3].busy, FRAMES * 0.020, 1e-6);
    /* One drawn picture makes drawing and encoding take turns. */
    model.stages[2].pictures = 1;
    assert_near(simulate(&model).seconds, FRAMES * 0.022, 0.01);
}

static void helpers_work_beside_their_stage(void **state)
{
    (void)state;
    /* 1 ms to hand a frame over, 12 ms of one helper: the helper is the pace. */
    fm_sim_model model = MODEL(8, {.after = -1, .cpu = 0.001, .helper = 0.012, .helpers = 1});
    fm_sim_result r = simulate(&model);
    assert_near(r.seconds, FRAMES * 0.012, 0.01);
    assert_near(r.cpu, FRAMES * 0.013, 1e-6);
    model.stages[0].helpers = 4; /* four frames at once */
    assert_near(simulate(&model).seconds, FRAMES * 0.003, 0.02);
    model.processors = 2; /* but two processors */
    assert_near(simulate(&model).seconds, FRAMES * 0.0065, 0.02);
    /* Their work counts against stages that have nothing to do with them. */
    model = MODEL(1, {.after = -1, .cpu = 0.001, .helper = 0.004, .helpers = 2},
                  {.after = 0, .queue = 3, .cpu = 0.005});
    assert_near(simulate(&model).seconds, FRAMES * 0.010, 0.02);
}

static void the_end_of_a_stage_is_work_too(void **state)
{
    (void)state;
    /* An encoder that has 30 frames to write when the last one came. */
    fm_sim_model model = MODEL(4, {.after = -1, .cpu = 0.010}, {.after = 0, .queue = 3, .cpu = 0.004, .end = 30});
    fm_sim_result r = simulate(&model);
    assert_near(r.seconds, FRAMES * 0.010 + 31 * 0.004, 1e-6);
    assert_near(r.stages[1].busy, (FRAMES + 30) * 0.004, 1e-6);
    model.frames = 10 * FM_SIM_FRAMES_MAX; /* it does not grow with the run */
    assert_near(simulate(&model).seconds, model.frames * 0.010 + 30 * 0.004, 0.002);
}

static void waking_up_takes_time(void **state)
{
    (void)state;
    /* The second stage sleeps before each frame, since it is faster: 2 ms until it runs add to the way of a frame. */
    fm_sim_model model = MODEL(4, {.after = -1, .cpu = 0.010}, {.after = 0, .queue = 3, .cpu = 0.004});
    model.wake = 0.002;
    fm_sim_result r = simulate(&model);
    assert_near(r.seconds, FRAMES * 0.010 + 0.006, 1e-6);
    assert_near(r.wakes, FRAMES, 1e-6);
    /* A stage that sleeps in its work is woken in it. */
    model = MODEL(4, {.after = -1, .cpu = 0.003, .wait = 0.005});
    model.wake = 0.002;
    r = simulate(&model);
    assert_near(r.seconds, FRAMES * 0.010, 1e-6);
    assert_near(r.stages[0].delayed, FRAMES * 0.002, 1e-6);
}

static void weights_share_what_is_short(void **state)
{
    (void)state;
    /* On one processor the second stage gets three parts of four while both want it. */
    fm_sim_model model = MODEL(1, {.after = -1, .cpu = 0.010},
                               {.after = 0, .queue = 3, .cpu = 0.010, .weight = 3});
    const fm_sim_result r = simulate(&model);
    assert_near(r.seconds, FRAMES * 0.020, 0.01);
    assert_true(r.stages[1].delayed < 0.5 * r.stages[0].delayed);
    /* With one for each there is nothing to share, whatever the weights. */
    model.processors = 2;
    assert_near(simulate(&model).seconds, (FRAMES + 1) * 0.010, 1e-6);
}

static void long_runs_go_on_at_the_same_speed(void **state)
{
    (void)state;
    fm_sim_model model = MODEL(2, {.after = -1, .cpu = 0.004, .spread = 0.002},
                               {.after = 0, .queue = 3, .cpu = 0.010, .spread = 0.004});
    model.frames = 1e6;
    const fm_sim_result r = simulate(&model);
    assert_near(r.seconds, 1e4, 0.01);
    assert_near(r.cpu, 1.4e4, 1e-4);
    const fm_sim_result again = simulate(&model);
    assert_memory_equal(&r, &again, sizeof r);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    const fm_sim_model good = MODEL(2, {.after = -1, .cpu = 0.004}, {.after = 0, .queue = 3, .cpu = 0.010});
    fm_sim_result r;
    fm_sim_model bad = good;
    bad.stage_count = 0;
    assert_false(fm_simulate(&bad, &r));
    bad.stage_count = FM_SIM_STAGES_MAX + 1;
    assert_false(fm_simulate(&bad, &r));
    bad = good;
    bad.processors = 0;
    assert_false(fm_simulate(&bad, &r));
    bad.processors = NAN;
    assert_false(fm_simulate(&bad, &r));
    bad = good;
    bad.stages[1].after = 1; /* itself */
    assert_false(fm_simulate(&bad, &r));
    bad.stages[1].after = -1; /* a second source */
    assert_false(fm_simulate(&bad, &r));
    bad = good;
    bad.stages[1].cpu = -1;
    assert_false(fm_simulate(&bad, &r));
    bad.stages[1].cpu = NAN;
    assert_false(fm_simulate(&bad, &r));
    bad = good;
    bad.frames = 0;
    assert_false(fm_simulate(&bad, &r));
    /* Nothing to do takes no time, and ends. */
    bad = good;
    bad.stages[0].cpu = bad.stages[1].cpu = 0;
    assert_true(fm_simulate(&bad, &r));
    assert_true(r.seconds <= 0);
    /* Times beyond the digits of a double beside others must not hang. */
    bad.stages[0].cpu = 1e-18;
    bad.stages[1].cpu = 1e9;
    assert_true(fm_simulate(&bad, &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_stage_takes_the_sum_of_its_work),
        cmocka_unit_test(the_slower_of_two_stages_is_the_pace),
        cmocka_unit_test(queues_even_out_what_varies),
        cmocka_unit_test(processors_are_shared),
        cmocka_unit_test(less_than_a_processor_is_shared_too),
        cmocka_unit_test(a_fan_out_waits_for_its_slowest_branch),
        cmocka_unit_test(pictures_bound_what_is_in_flight),
        cmocka_unit_test(a_slow_encoder_holds_all_before_it),
        cmocka_unit_test(helpers_work_beside_their_stage),
        cmocka_unit_test(the_end_of_a_stage_is_work_too),
        cmocka_unit_test(waking_up_takes_time),
        cmocka_unit_test(weights_share_what_is_short),
        cmocka_unit_test(long_runs_go_on_at_the_same_speed),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
