#include "models/import.h"

#include <stdlib.h>

#include "base/file.h"
#include "models/lower.h"

/*
 * Limits. A file may be up to FILE_LIMIT; each part of the ONNX model may take
 * OUTPUT_FACTOR times the file and OUTPUT_EXTRA (float16 weights double in
 * float32; node texts come on top), so constants that share one buffer cannot
 * blow the output up. Tensors, operators and arguments are limited in tflite.h.
 */
static const size_t file_limit = (size_t)512 << 20;
enum { OUTPUT_FACTOR = 4, OUTPUT_EXTRA = 1 << 20 };

static fm_status finish(fm_lowering *lowering, const char *name, uint8_t **onnx, size_t *onnx_size)
{
    fm_pb_failure failure = fm_onnx_failure(&lowering->onnx);
    if (failure == FM_PB_FINE)
        failure = fm_onnx_finish(&lowering->onnx, name, onnx, onnx_size);
    switch (failure) {
    case FM_PB_FINE:
        return FM_OK;
    case FM_PB_NO_MEMORY:
        return fm_fail(lowering->err, FM_E_NO_MEMORY, "out of memory importing '%s'", name);
    default:
        return fm_fail(lowering->err, FM_E_MODEL,
                       "'%s' cannot be imported: it would grow to more than %d times its size; get "
                       "the model again",
                       name, OUTPUT_FACTOR);
    }
}

static bool style_is_blocked(fm_import_style style)
{
#if defined(__x86_64__) || defined(_M_X64)
    return style != FM_IMPORT_PLAIN;
#else
    return style == FM_IMPORT_BLOCKED;
#endif
}

fm_status fm_import_tflite(const uint8_t *tflite, size_t size, const char *name, uint8_t **onnx,
                           size_t *onnx_size, fm_error *err)
{
    return fm_import_tflite_as(tflite, size, name, FM_IMPORT_AUTO, onnx, onnx_size, err);
}

fm_status fm_import_tflite_as(const uint8_t *tflite, size_t size, const char *name,
                              fm_import_style style, uint8_t **onnx, size_t *onnx_size,
                              fm_error *err)
{
    *onnx = NULL;
    *onnx_size = 0;
    fm_tfl_model model;
    fm_status status = fm_tfl_open(&model, tflite, size, name, err);
    if (status != FM_OK)
        return status;
    fm_lowering lowering = {
        .model = &model, .blocked = style_is_blocked(style), .file = name, .err = err};
    fm_onnx_init(&lowering.onnx, OUTPUT_FACTOR * size + OUTPUT_EXTRA);
    status = fm_lower_graph(&lowering);
    if (status == FM_OK)
        status = finish(&lowering, name, onnx, onnx_size);
    fm_onnx_free(&lowering.onnx);
    fm_lower_free(&lowering);
    fm_tfl_close(&model);
    return status;
}

fm_status fm_import_tflite_file(const char *input, const char *output, fm_error *err)
{
    uint8_t *tflite = NULL, *onnx = NULL;
    size_t size = 0, onnx_size = 0;
    fm_status status = fm_file_read(input, file_limit, &tflite, &size, err);
    if (status == FM_OK) {
        /* The stem, so that the output does not depend on where the input lies. */
        char name[FM_PATH_MAX];
        fm_path_stem(name, input);
        fm_error cause = {0};
        status = fm_import_tflite(tflite, size, name, &onnx, &onnx_size, &cause);
        if (status != FM_OK)
            fm_fail(err, status, "cannot import '%s': %s", input, cause.message);
    }
    if (status == FM_OK)
        status = fm_file_write(output, onnx, onnx_size, err);
    free(tflite);
    free(onnx);
    return status;
}
