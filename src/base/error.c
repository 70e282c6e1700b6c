#include "facemirror/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

fm_status fm_fail(fm_error *err, fm_status status, const char *format, ...)
{
    if (err && err->status == FM_OK) {
        err->status = status;
        va_list args;
        va_start(args, format);
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return status;
}

fm_status fm_status_from_errno(int errnum, fm_status otherwise)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return FM_E_NO_SPACE;
    case ENOMEM:
        return FM_E_NO_MEMORY;
    default:
        return otherwise;
    }
}

int fm_exit_code(fm_status status)
{
    return status == FM_E_INTERRUPTED ? 130 : -(int)status;
}

const char *fm_status_name(fm_status status)
{
    switch (status) {
    case FM_OK:
        return "ok";
    case FM_E_INTERNAL:
        return "internal";
    case FM_E_USAGE:
        return "usage";
    case FM_E_NOT_FOUND:
        return "not_found";
    case FM_E_BAD_INPUT:
        return "bad_input";
    case FM_E_NO_FACE:
        return "no_face";
    case FM_E_OUTPUT:
        return "output";
    case FM_E_NO_SPACE:
        return "no_space";
    case FM_E_MODEL:
        return "model";
    case FM_E_RUNTIME:
        return "runtime";
    case FM_E_NO_MEMORY:
        return "no_memory";
    case FM_E_EXISTS:
        return "exists";
    case FM_E_DAMAGED:
        return "damaged_input";
    case FM_E_INTERRUPTED:
        return "interrupted";
    case FM_E_WORSE:
        return "worse";
    }
    return "unknown";
}
