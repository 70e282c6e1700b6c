#include "built_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_run.h"

void bm_fill(float *out, size_t count)
{
    static uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        out[i] = (float)(state >> 8) / (float)(1 << 23) - 1.0f;
    }
}

float *bm_run(const tb_model *model, fm_import_style style, const float *nhwc, ow_summary *summary, size_t *count)
{
    size_t size = 0, onnx_size = 0;
    uint8_t *tflite = tb_build(model, &size), *onnx = NULL;
    fm_error err = {0};
    if (fm_import_tflite_as(tflite, size, "built", style, &onnx, &onnx_size, &err) != FM_OK)
        fail_msg("%s", err.message);
    if (summary)
        ow_walk(onnx, onnx_size, summary);
    const int32_t *dims = model->tensors[0].dims;
    int32_t pixels = dims[1] * dims[2], channels = dims[3];
    float *nchw = malloc((size_t)(pixels * channels) * sizeof *nchw);
    assert_non_null(nchw);
    for (int32_t c = 0; c < channels; c++)
        for (int32_t i = 0; i < pixels; i++)
            nchw[c * pixels + i] = nhwc[i * channels + c];
    float *output = or_run(onnx, onnx_size, nchw, (const int64_t[]){1, channels, dims[1], dims[2]}, 4, count);
    free(nchw);
    free(onnx);
    free(tflite);
    return output;
}

void bm_refuse(const tb_model *model, const char *first, const char *second)
{
    size_t size = 0, onnx_size = 1;
    uint8_t *tflite = tb_build(model, &size), *onnx = NULL;
    fm_error err = {0};
    assert_int_equal(fm_import_tflite(tflite, size, "built.tflite", &onnx, &onnx_size, &err), FM_E_MODEL);
    assert_null(onnx);
    assert_int_equal(onnx_size, 0);
    if (!strstr(err.message, "built.tflite") || !strstr(err.message, first) || !strstr(err.message, second))
        fail_msg("the message names not '%s' and '%s': %s", first, second, err.message);
    free(tflite);
}
