#include "av_error.h"

#include <errno.h>
#include <libavutil/log.h>

#include "reader.h"

fm_status fm_av_status(int code, fm_status otherwise)
{
    if (code == AVERROR_EXIT)
        return FM_E_INTERRUPTED;
    /* AVERROR_* tags are large negative numbers and never look like an errno value. */
    return fm_status_from_errno(AVUNERROR(code), otherwise);
}

void fm_video_log_quiet(void)
{
    av_log_set_level(AV_LOG_QUIET);
}
