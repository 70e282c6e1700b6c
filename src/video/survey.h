/*
 * What the FFmpeg at hand can do for a run: its libraries, and the decoders of
 * the formats that phones and cameras write. (Encoders: encoder.h.)
 *
 * Thread-safety: Safe.
 */
#ifndef FM_VIDEO_SURVEY_H
#define FM_VIDEO_SURVEY_H

#include <stdbool.h>

typedef struct fm_survey_library {
    const char *name;  /* "libavcodec"; constant */
    char version[32];  /* of the library that is loaded: "59.37.100" */
} fm_survey_library;

typedef struct fm_survey_decoder {
    const char *format; /* "h264"; constant */
    char name[64];      /* FFmpeg's decoder, which a run would take; "": there is none */
    char hardware[160]; /* what this FFmpeg was built to decode it with: "vaapi, cuda, h264_v4l2m2m"; "": nothing */
} fm_survey_decoder;

enum { FM_SURVEY_LIBRARIES = 6, FM_SURVEY_DECODERS = 5 };

typedef struct fm_survey {
    const char *release; /* FFmpeg's own name of its version: "5.1.6-0+deb12u1" */
    fm_survey_library libraries[FM_SURVEY_LIBRARIES];
    fm_survey_decoder decoders[FM_SURVEY_DECODERS]; /* h264, hevc, vp9, av1, mpeg4 */
    char audio_encoder[64]; /* for sound that MP4 does not hold; "": there is none */
} fm_survey;

void fm_survey_read(fm_survey *out);

#endif
