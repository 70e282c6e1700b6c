/* libFuzzer target of the reader of .task bundles; see README.md. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "models/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fm_error err = {0};
    fm_bundle bundle;
    fm_status status = fm_bundle_unpack(&bundle, data, size, "fuzz", &err);
    bool whole = true;
    for (int i = 0; i < FM_BUNDLE_PARTS; i++)
        whole &= bundle.parts[i].data && bundle.parts[i].size <= FM_BUNDLE_MEMBER_MAX;
    /* Success has all parts and no message, failure a message. */
    if ((status == FM_OK) != whole || (status == FM_OK) != (err.message[0] == 0))
        abort();
    fm_bundle_free(&bundle);
    return 0;
}
