/* The parts of the video module that need no file: timeline, orientation, image views. */
#include "clip.h"

#include <libavutil/avutil.h>
#include <libavutil/display.h>

#include "video/convert.h"
#include "video/encoder.h"
#include "video/orientation.h"
#include "video/survey.h"
#include "video/timeline.h"

static void place_all(fm_timeline *t, const int64_t *pts, int64_t *placed, int n, int64_t duration)
{
    for (int i = 0; i < n; i++)
        placed[i] = fm_timeline_place(t, pts[i], duration);
}

static void assert_places(const int64_t *pts, const int64_t *expected, int n, int64_t repaired)
{
    fm_timeline t;
    int64_t placed[16];
    fm_timeline_init(&t, (AVRational){1, 1000});
    place_all(&t, pts, placed, n, 40);
    for (int i = 0; i < n; i++)
        assert_true(placed[i] == expected[i]);
    assert_true(t.repaired == repaired);
}

static void timeline_keeps_good_times(void **state)
{
    (void)state;
    const int64_t pts[] = {-3, 40, 41, 5000, 100000};
    assert_places(pts, pts, 5, 0);
}

static void timeline_repairs_without_shifting_what_follows(void **state)
{
    (void)state;
    const int64_t pts[] = {0, 40, 40, 120, AV_NOPTS_VALUE, 200, 190, 240};
    const int64_t expected[] = {0, 40, 60, 120, 160, 200, 220, 240};
    assert_places(pts, expected, 8, 3);
    const int64_t missing[] = {AV_NOPTS_VALUE, AV_NOPTS_VALUE, 80};
    const int64_t filled[] = {0, 40, 80};
    assert_places(missing, filled, 3, 2);
}

static void timeline_goes_on_after_a_jump(void **state)
{
    (void)state;
    const int64_t back[] = {9960, 10000, 0, 40, 80};
    const int64_t joined[] = {9960, 10000, 10040, 10080, 10120};
    assert_places(back, joined, 5, 1);
    const int64_t wild[] = {0, 40, INT64_MAX - 5, INT64_MAX - 4, INT64_MIN + 9, 80};
    const int64_t tame[] = {0, 40, 80, 81, 121, 161};
    fm_timeline t;
    int64_t placed[6];
    fm_timeline_init(&t, (AVRational){1, 1000});
    place_all(&t, wild, placed, 6, 40);
    for (int i = 0; i < 5; i++)
        assert_true(placed[i] == tame[i]);
    assert_true(placed[5] > placed[4]);
}

static void timeline_survives_a_coarse_clock(void **state)
{
    (void)state;
    fm_timeline t;
    fm_timeline_init(&t, (AVRational){10, 1}); /* one tick: ten seconds */
    assert_true(fm_timeline_place(&t, 0, 0) == 0);
    assert_true(fm_timeline_place(&t, 0, 0) == 1);
    assert_true(fm_timeline_place(&t, 2, 0) == 2);
}

/* Where the orientation takes a point, in a frame of reference centred on the picture. */
static void turn(fm_orientation o, double *x, double *y)
{
    if (o.flip)
        *x = -*x;
    for (int i = 0; i < o.rotation / 90; i++) {
        const double old = *x;
        *x = -*y; /* clockwise on screen, y down */
        *y = old;
    }
}

static void orientation_matches_the_matrix(void **state)
{
    (void)state;
    for (int flips = 0; flips < 4; flips++) {
        for (int angle = -360; angle <= 360; angle += 15) {
            int32_t m[9];
            av_display_rotation_set(m, angle);
            av_display_matrix_flip(m, flips & 1, flips & 2);
            const int nearest = ((angle % 90) + 90) % 90;
            if (nearest == 45)
                continue; /* either neighbour will do */
            const fm_orientation o = fm_orientation_from_matrix(m);
            assert_true(o.rotation % 90 == 0 && o.rotation >= 0 && o.rotation < 360);
            /* An asymmetric point must go where the matrix takes it, to within the rounding of the angle. */
            double x = 2, y = 1;
            const double mx = (m[0] * x + m[3] * y) / 65536, my = (m[1] * x + m[4] * y) / 65536;
            turn(o, &x, &y);
            const double cosine = (x * mx + y * my) / 5; /* |point|^2 = 5 */
            assert_true(cosine > (nearest == 0 ? 0.999 : 0.85));
        }
    }
    const int32_t zero[9] = {0};
    assert_true(fm_orientation_is_upright(fm_orientation_from_matrix(NULL)));
    assert_true(fm_orientation_is_upright(fm_orientation_from_matrix(zero)));
}

static void image_views_carry_the_colour_tags(void **state)
{
    (void)state;
    AVFrame *frame = av_frame_alloc();
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = 321;
    frame->height = 241;
    assert_true(av_frame_get_buffer(frame, 0) >= 0);
    fm_image image = fm_image_from_frame(frame);
    assert_int_equal(image.width, 321);
    assert_int_equal(image.height, 241);
    assert_ptr_equal(image.plane[2], frame->data[2]);
    assert_int_equal(image.stride[1], frame->linesize[1]);
    assert_int_equal(image.matrix, FM_MATRIX_BT601);
    assert_false(image.full_range);
    assert_int_equal(image.chroma_site, FM_CHROMA_LEFT);

    frame->colorspace = AVCOL_SPC_BT2020_NCL;
    frame->color_range = AVCOL_RANGE_JPEG;
    frame->chroma_location = AVCHROMA_LOC_TOPLEFT;
    image = fm_image_from_frame(frame);
    assert_int_equal(image.matrix, FM_MATRIX_BT2020);
    assert_true(image.full_range);
    assert_int_equal(image.chroma_site, FM_CHROMA_TOP_LEFT);

    frame->colorspace = AVCOL_SPC_UNSPECIFIED;
    frame->width = 720;
    frame->height = 1280; /* never read */
    assert_int_equal(fm_image_from_frame(frame).matrix, FM_MATRIX_BT709);
    frame->format = AV_PIX_FMT_RGB24;
    assert_int_equal(fm_image_from_frame(frame).width, 0);
    av_frame_free(&frame);
}

static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    assert_true(fm_video_size_ok(16384, 16384));
    assert_false(fm_video_size_ok(16385, 2));
    assert_false(fm_video_size_ok(0, 2));
    assert_false(fm_video_size_ok(2, -2));

    AVFrame *frame = av_frame_alloc();
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = 16384;
    frame->height = 100;
    fm_converter converter;
    fm_error err = {0};
    assert_int_equal(fm_converter_init(&converter, frame, (AVRational){2, 1}, (fm_orientation){0},
                                       1, &err),
                     FM_E_BAD_INPUT);
    /* An aspect ratio beyond reason is a broken tag, not a wish. */
    assert_int_equal(fm_converter_init(&converter, frame, (AVRational){4000, 1},
                                       (fm_orientation){.rotation = 90}, 1, &err),
                     FM_OK);
    assert_int_equal(converter.width, 100);
    assert_int_equal(converter.height, 16384);
    av_frame_free(&frame);
}

/* The first that works is the one that a run would take. */
static void encoders_are_tried_in_the_order_of_choice(void **state)
{
    (void)state;
    fm_encoder_trial trials[FM_ENCODER_TRIALS_MAX];
    fm_encoder_choice choice;
    fm_error err = {0};
    const int count = fm_encoder_try_all(320, 240, trials);
    assert_true(count >= 5 && count <= FM_ENCODER_TRIALS_MAX);
    assert_string_equal(trials[0].name, "h264_videotoolbox");
    int first = 0;
    while (first < count && !trials[first].works)
        first++;
    for (int i = 0; i < count; i++)
        assert_true(trials[i].works == (trials[i].reason[0] == '\0'));
    if (first == count) {
        assert_int_equal(fm_encoder_choose(NULL, 320, 240, &choice, &err), FM_E_RUNTIME);
        return;
    }
    assert_int_equal(fm_encoder_choose(NULL, 320, 240, &choice, &err), FM_OK);
    assert_string_equal(choice.name, trials[first].name);
    assert_true(choice.hardware == trials[first].hardware);
}

static void the_survey_is_whole(void **state)
{
    (void)state;
    fm_survey survey;
    fm_survey_read(&survey);
    assert_true(survey.release[0] != '\0');
    for (int i = 0; i < FM_SURVEY_LIBRARIES; i++) {
        unsigned major = 0, minor = 0, micro = 0;
        assert_int_equal(sscanf(survey.libraries[i].version, "%u.%u.%u", &major, &minor, &micro), 3);
        assert_true(major > 0);
    }
    assert_string_equal(survey.decoders[0].format, "h264");
    for (int i = 0; i < FM_SURVEY_DECODERS; i++)
        assert_int_equal(survey.decoders[i].hardware[sizeof survey.decoders[i].hardware - 1], 0);
    assert_string_equal(survey.decoders[FM_SURVEY_DECODERS - 1].name, "mpeg4"); /* FFmpeg's own, in every build */
    assert_string_equal(survey.audio_encoder, "aac");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeline_keeps_good_times),
        cmocka_unit_test(timeline_repairs_without_shifting_what_follows),
        cmocka_unit_test(timeline_goes_on_after_a_jump),
        cmocka_unit_test(timeline_survives_a_coarse_clock),
        cmocka_unit_test(orientation_matches_the_matrix),
        cmocka_unit_test(image_views_carry_the_colour_tags),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(encoders_are_tried_in_the_order_of_choice),
        cmocka_unit_test(the_survey_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
