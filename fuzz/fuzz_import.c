/* libFuzzer target of the TFLite importer; see README.md. */
#include <stdint.h>
#include <stdlib.h>

#include "models/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (fm_import_style style = FM_IMPORT_PLAIN; style <= FM_IMPORT_BLOCKED; style++) {
        fm_error err = {0};
        uint8_t *onnx = NULL;
        size_t onnx_size = 0;
        fm_status status =
            fm_import_tflite_as(data, size, "fuzz", style, &onnx, &onnx_size, &err);
        /* Success has bytes and no message, failure a message and no bytes. */
        if ((status == FM_OK) != (onnx != NULL) || (status == FM_OK) != (err.message[0] == 0))
            abort();
        free(onnx);
    }
    return 0;
}
