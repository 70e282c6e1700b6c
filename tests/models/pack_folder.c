#include "pack_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

const char *const small_manifest =
    "{\n"
    "  \"format\": 1,\n"
    "  \"name\": \"small\",\n"
    "  \"description\": \"one detector\",\n"
    "  \"licence\": \"MIT\",\n"
    "  \"models\": [{\n"
    "    \"name\": \"RetinaFace\",\n"
    "    \"role\": \"detector\",\n"
    "    \"decoding\": \"retinaface\",\n"
    "    \"file\": \"r.onnx\",\n"
    "    \"sha256\": \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\n"
    "    \"input\": {\"name\": \"input\", \"layout\": \"NCHW\", \"width\": 640, \"height\": 480, \"colour\": \"BGR\",\n"
    "              \"scale\": 1, \"mean\": [123, 117, 104.5]},\n"
    "    \"outputs\": {\"boxes\": \"loc\", \"scores\": \"conf\", \"points\": \"landms\"}\n"
    "  }]\n"
    "}\n";

char *with(const char *text, const char *old, const char *replacement)
{
    const char *at = strstr(text, old);
    assert_non_null(at);
    const size_t before = (size_t)(at - text), size = strlen(text) - strlen(old) + strlen(replacement) + 1;
    char *out = malloc(size);
    assert_non_null(out);
    memcpy(out, text, before);
    memcpy(out + before, replacement, strlen(replacement));
    memcpy(out + before + strlen(replacement), at + strlen(old), strlen(at + strlen(old)) + 1);
    return out;
}

void put_file(const char *dir, const char *name, const char *text)
{
    char path[FM_PATH_MAX];
    fm_error err = {0};
    assert_int_equal(fm_make_dirs(dir, &err), FM_OK);
    assert_true(fm_path_join(path, dir, name));
    assert_int_equal(fm_file_write(path, text, strlen(text), &err), FM_OK);
}
