/* Predictions for runs whose true model is known, and what changes can be written. */
#include "advice/calibrate.h"
#include "advice/changes.h"
#include "advice/what_if.h"
#include "sample_run.h"

static double true_seconds(const fm_sim_model *model)
{
    fm_sim_result r;
    assert_true(fm_simulate(model, &r));
    return r.seconds + 0.5;
}

static fm_what_if_prediction predict(const sample *s, const char *changes)
{
    fm_error err = {0};
    fm_what_if *w;
    fm_what_if_prediction p = {0};
    if (fm_what_if_open(&w, &s->run, &s->snapshot, &err) != FM_OK)
        fail_msg("%s", err.message);
    assert_near(fm_what_if_recorded(w).model_error + 1, 1, 0.02);
    assert_near(fm_what_if_recorded(w).outside_seconds, 0.5, 0.01);
    if (fm_what_if_predict(w, changes, &p, &err) != FM_OK)
        fail_msg("%s", err.message);
    fm_what_if_close(&w);
    assert_true(p.fps_low <= p.fps && p.fps <= p.fps_high);
    assert_near(p.fps * p.wall_seconds, FRAMES, 1e-9);
    assert_near(p.speedup * p.wall_seconds, s->run.wall_seconds, 1e-9);
    return p;
}

/* With processors to spare, with too few, and with other programs that leave a part of them. */
static const struct machine {
    double processors, left;
} machines[] = {{16, 16}, {4, 4}, {2, 2}, {1, 1}, {2, 0.7}};

static void the_recorded_run_is_found_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        for (int ready = 0; ready < 2; ready++) {
            const bool alone = machines[i].left >= machines[i].processors;
            if (!alone && !ready)
                continue; /* only the time without a processor tells of others */
            const fm_sim_model truth = usual_truth(machines[i].left);
            sample s;
            record(&s, &truth, ready);
            s.pipeline.processors = (int)machines[i].processors;
            fm_calibration c;
            fm_error err = {0};
            assert_int_equal(fm_calibrate(&s.run, &c, &err), FM_OK);
            assert_near(c.error + 1, 1, 0.02);
            assert_near(c.model.stages[1].wait, 0.006, 0.07);
            assert_true(c.model.stages[2].wait < 0.0003);
            assert_near(c.model.processors, machines[i].left, 0.05);
        }
    }
}

static void faster_and_slower_operations_are_predicted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        const fm_sim_model truth = usual_truth(machines[i].left);
        sample s;
        record(&s, &truth, true);
        s.pipeline.processors = (int)machines[i].processors;

        fm_sim_model changed = truth; /* the lanes twice as fast */
        changed.stages[2].cpu /= 2;
        changed.stages[3].cpu /= 2;
        assert_near(predict(&s, "MTL=2x").wall_seconds, true_seconds(&changed), 0.05);
        changed = truth; /* without them */
        changed.stages[2].cpu = changed.stages[3].cpu = 0;
        assert_near(predict(&s, "AU_MTL_onnx_cpu=off").wall_seconds, true_seconds(&changed), 0.05);
        changed = truth; /* more waiting, two calls a frame */
        changed.stages[1].wait += 0.010;
        assert_near(predict(&s, "FaceMesh=+5ms:wait").wall_seconds, true_seconds(&changed), 0.05);
        changed = truth; /* more work */
        changed.stages[1].cpu += 0.010;
        assert_near(predict(&s, "FaceMesh=+5ms:cpu").wall_seconds, true_seconds(&changed), 0.05);
        changed = truth; /* three stages by the last word of their names */
        for (int stage = 5; stage < STAGES; stage++)
            changed.stages[stage].wait += 0.020;
        assert_near(predict(&s, "encoder=+20ms:wait").wall_seconds, true_seconds(&changed), 0.05);
        changed = truth; /* the analysis without what it waits for */
        changed.stages[1].wait = 0;
        assert_near(predict(&s, "analysis=-6ms:wait").wall_seconds, true_seconds(&changed), 0.05);
        changed = truth; /* two changes, of which one is for an operation outside of all stages */
        changed.stages[1].cpu /= 3;
        changed.stages[1].wait /= 3;
        assert_near(predict(&s, "analysis=3x,au_write_csv=off").wall_seconds, true_seconds(&changed) - 0.25, 0.05);
    }
}

static void off_the_critical_path_nothing_is_gained(void **state)
{
    (void)state;
    const fm_sim_model truth = usual_truth(16);
    sample s;
    record(&s, &truth, true);
    assert_near(predict(&s, "MTL=off").speedup, 1, 0.01);
    assert_near(predict(&s, "encoder=off").speedup, 1, 0.01);
    const fm_what_if_prediction p = predict(&s, "analysis=4x");
    assert_true(p.speedup > 1.8);
    assert_string_not_equal(p.limit.stage, "analysis");
    assert_false(p.limit.processors);
    /* On two processors the same lanes' time is what the analysis lacks. */
    const fm_sim_model narrow = usual_truth(2);
    record(&s, &narrow, true);
    assert_true(predict(&s, "MTL=off").speedup > 1.1);
    const fm_sim_model single = usual_truth(1);
    record(&s, &single, true);
    const fm_what_if_limit held = predict(&s, "FaceMesh=+1us").limit;
    assert_true(held.processors && held.processors_busy > 0.8);
}

static void helper_threads_count(void **state)
{
    (void)state;
    fm_sim_model truth = usual_truth(2);
    for (int i = 5; i < STAGES; i++) {
        truth.stages[i].helper = 0.008;
        truth.stages[i].helpers = 2;
    }
    truth.stages[0].helper = 0.002;
    truth.stages[0].helpers = 2;
    sample s;
    record(&s, &truth, true);
    fm_sim_model changed = truth;
    for (int i = 5; i < STAGES; i++)
        changed.stages[i].cpu = changed.stages[i].helper = 0;
    assert_near(predict(&s, "encoder=off").wall_seconds, true_seconds(&changed), 0.06);
}

/* --- what is refused ------------------------------------------------------------ */

static const char *refused(const sample *s, const char *changes)
{
    static fm_error err;
    fm_changes read;
    err = (fm_error){0};
    assert_int_equal(fm_changes_read(changes, &s->run, &s->snapshot, &read, &err), FM_E_USAGE);
    return err.message;
}

static void changes_that_cannot_be_read_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", ",", "MTL", "MTL=", "=2x", "MTL=2", "MTL=x", "MTL=0x", "MTL=-2x", "MTL=+2x", "MTL=1e3x", "MTL=nanx",
        "MTL=infx", "MTL=2xx", "MTL=2.5.1x", "MTL=.x", "MTL=+ms", "MTL=5", "MTL=5m", "MTL=5 ms", "MTL=0x10ms", "MTL=on",
        "MTL=2x,", ",MTL=2x", "MTL=2x:gpu", "MTL=2x:", "MTL=:cpu", "MTL=99999999999s", "MTL=9999999x",
        "MTL=123456789012345678901234567890x",
    };
    const fm_sim_model truth = usual_truth(2);
    sample s;
    record(&s, &truth, true);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_non_null(strstr(refused(&s, bad[i]), "is no change: write NAME=2x"));
    /* Names must be those of the run; the message lists them. */
    const char *message = refused(&s, "STAR=2x");
    assert_non_null(strstr(message, "no stage, model, operation or category 'STAR'"));
    assert_non_null(strstr(message, "left encoder"));
    assert_non_null(strstr(message, "FaceMesh"));
    assert_non_null(strstr(message, "MODEL_INFERENCE"));
    refused(&s, "frame=2x"); /* begins as operations do, and is no model */
    refused(&s, "Face=2x");
    assert_non_null(strstr(refused(&s, "PREPROCESSING=+3ms"), "is a category"));
    char many[8 * (FM_CHANGES_MAX + 1) + 1] = "";
    for (int i = 0; i <= FM_CHANGES_MAX; i++)
        strcat(many, i ? ",MTL=2x" : "MTL=2x");
    assert_non_null(strstr(refused(&s, many), "more than"));
}

static void names_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        fm_change_kind kind;
        fm_change_how how;
        double amount;
        fm_change_nature nature;
    } good[] = {
        {"analysis=2x", FM_OF_STAGE, FM_CHANGE_FASTER, 2, FM_TIME_AS_STAGE},
        {"Analysis=.5x", FM_OF_STAGE, FM_CHANGE_FASTER, 0.5, FM_TIME_AS_STAGE},
        {"left encoder=off", FM_OF_STAGE, FM_CHANGE_OFF, 0, FM_TIME_AS_STAGE},
        {"mirror=+3ms:wait", FM_OF_STAGE, FM_CHANGE_LONGER, 0.003, FM_TIME_WAIT},
        {"MTL=-250us:cpu", FM_OF_MODEL, FM_CHANGE_SHORTER, 0.00025, FM_TIME_CPU},
        {"mtl=1.5s", FM_OF_MODEL, FM_CHANGE_TO, 1.5, FM_TIME_AS_STAGE},
        {"AU_MTL=2x", FM_OF_MODEL, FM_CHANGE_FASTER, 2, FM_TIME_AS_STAGE},
        {"frame_read=10x:wait", FM_OF_OPERATION, FM_CHANGE_FASTER, 10, FM_TIME_WAIT},
        {"PREPROCESSING=off", FM_OF_CATEGORY, FM_CHANGE_OFF, 0, FM_TIME_AS_STAGE},
    };
    const fm_sim_model truth = usual_truth(2);
    sample s;
    record(&s, &truth, true);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        fm_changes read;
        fm_error err = {0};
        if (fm_changes_read(good[i].text, &s.run, &s.snapshot, &read, &err) != FM_OK)
            fail_msg("%s: %s", good[i].text, err.message);
        assert_int_equal(read.count, 1);
        assert_int_equal(read.list[0].kind, good[i].kind);
        assert_int_equal(read.list[0].how, good[i].how);
        assert_int_equal(read.list[0].nature, good[i].nature);
        assert_near(read.list[0].amount + 1, good[i].amount + 1, 1e-12);
    }
}

static void assert_unfit(const sample *s, const char *why)
{
    fm_what_if *w;
    fm_error err = {0};
    assert_int_equal(fm_what_if_open(&w, &s->run, &s->snapshot, &err), FM_E_BAD_INPUT);
    assert_null(w);
    if (!strstr(err.message, why))
        fail_msg("'%s' lacks '%s'", err.message, why);
}

static void runs_that_tell_too_little_are_refused(void **state)
{
    (void)state;
    const fm_sim_model truth = usual_truth(2);
    sample s;
    record(&s, &truth, true);
    s.run.pipeline = NULL;
    assert_unfit(&s, "run the clip again");

    record(&s, &truth, true);
    for (int i = 0; i < STAGES; i++)
        s.stages[i].frames = FM_CALIBRATE_FRAMES_MIN - 1;
    assert_unfit(&s, "warm-up");

    record(&s, &truth, true);
    s.stages[1].after = "nobody";
    assert_unfit(&s, "'analysis'");
    record(&s, &truth, true);
    s.stages[3].name = "left mirror"; /* twice */
    assert_unfit(&s, "'left mirror'");

    record(&s, &truth, true);
    s.run.wall_seconds = NAN;
    assert_unfit(&s, "no time");

    /* Half of the time nothing was at work: what held the run back is not in the profile. */
    record(&s, &truth, true);
    s.run.wall_seconds *= 2;
    for (int i = 0; i < STAGES; i++)
        s.stages[i].starved_seconds += s.run.wall_seconds / 2;
    assert_unfit(&s, "is off by -");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_recorded_run_is_found_again),
        cmocka_unit_test(faster_and_slower_operations_are_predicted),
        cmocka_unit_test(off_the_critical_path_nothing_is_gained),
        cmocka_unit_test(helper_threads_count),
        cmocka_unit_test(changes_that_cannot_be_read_are_refused),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(runs_that_tell_too_little_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
