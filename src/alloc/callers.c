#include "alloc/callers.h"

#include <stdbool.h>
#include <unwind.h>

typedef struct walk {
    uintptr_t caller;
    uintptr_t *out;
    size_t count, max;
    size_t own; /* frames before the caller */
} walk;

enum { OWN_MAX = 16 };

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *opaque)
{
    walk *w = opaque;
    const uintptr_t address = (uintptr_t)_Unwind_GetIP(context);
    if (w->count == 0 && address != w->caller)
        return ++w->own < OWN_MAX ? _URC_NO_REASON : _URC_NORMAL_STOP;
    if (address == 0)
        return _URC_NORMAL_STOP;
    w->out[w->count++] = address;
    return w->count < w->max ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

size_t fmp_alloc_callers(uintptr_t caller, uintptr_t *out, size_t max)
{
    walk w = {.caller = caller, .out = out, .max = max};
    _Unwind_Backtrace(step, &w);
    if (w.count == 0)
        out[w.count++] = caller;
    return w.count;
}
