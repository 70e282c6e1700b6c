#include "models/bundle.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "base/file.h"

static const char *const part_names[FM_BUNDLE_PARTS] = {
    "face_detector.tflite",
    "face_landmarks_detector.tflite",
    "face_blendshapes.tflite",
};

const char *fm_bundle_part_name(fm_bundle_part part)
{
    return part_names[part];
}

/* An open zip and who it is. */
typedef struct archive {
    zip_t *zip;
    const char *name;
    fm_error *err;
} archive;

static fm_status fail_part(const archive *a, fm_bundle_part part, const char *what)
{
    return fm_fail(a->err, FM_E_MODEL,
                   "'%s' is not a usable Face Landmarker bundle: its member %s %s; get face_landmarker.task again",
                   a->name, part_names[part], what);
}

static fm_status fail_zip(const char *name, zip_error_t *cause, fm_error *err)
{
    if (zip_error_code_zip(cause) == ZIP_ER_MEMORY)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory unpacking '%s'", name);
    /* Said of a name that is in the directory twice; its own words are about writing. */
    const char *what = zip_error_code_zip(cause) == ZIP_ER_EXISTS ? "it has a member more than once"
                                                                  : zip_error_strerror(cause);
    return fm_fail(err, FM_E_MODEL,
                   "'%s' is not a Face Landmarker bundle, which is a zip: %s; get face_landmarker.task again", name,
                   what);
}

static fm_status open_archive(archive *a, const uint8_t *data, size_t size)
{
    zip_error_t cause;
    zip_error_init(&cause);
    zip_source_t *source = zip_source_buffer_create(data, size, 0, &cause);
    if (source) {
        a->zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &cause);
        if (!a->zip)
            zip_source_free(source);
    }
    fm_status status = a->zip ? FM_OK : fail_zip(a->name, &cause, a->err);
    zip_error_fini(&cause);
    return status;
}

/* The one entry of the member's name: with two, readers disagree which one counts. Not every libzip refuses that. */
static fm_status find_part(const archive *a, fm_bundle_part part, zip_uint64_t *out)
{
    zip_int64_t count = zip_get_num_entries(a->zip, 0);
    int found = 0;
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(a->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        if (name && strcmp(name, part_names[part]) == 0) {
            *out = (zip_uint64_t)i;
            found++;
        }
    }
    if (found == 1)
        return FM_OK;
    return fail_part(a, part, found == 0 ? "is missing" : "is there more than once");
}

/* What is refused by what the directory says, before anything is unpacked. */
static fm_status check_part(const archive *a, fm_bundle_part part, zip_uint64_t index, size_t *size)
{
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_ENCRYPTION_METHOD;
    zip_stat_t stat;
    if (zip_stat_index(a->zip, index, 0, &stat) != 0 || (stat.valid & needed) != needed)
        return fail_part(a, part, "has no size");
    if (stat.encryption_method != ZIP_EM_NONE)
        return fail_part(a, part, "is encrypted");
    if (stat.size == 0 || stat.size > FM_BUNDLE_MEMBER_MAX)
        return fail_part(a, part, "is empty or too large for a face model");
    if (stat.size / FM_BUNDLE_RATIO_MAX > stat.comp_size)
        return fail_part(a, part, "would grow far beyond its packed size, as no model does");
    *size = (size_t)stat.size;
    return FM_OK;
}

/* Reads exactly `size` bytes; the read that finds the end has compared the checksum. */
static bool read_whole(zip_file_t *file, uint8_t *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        zip_int64_t got = zip_fread(file, data + done, size - done);
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    uint8_t beyond;
    return zip_fread(file, &beyond, 1) == 0;
}

static fm_status unpack_part(const archive *a, fm_bundle *bundle, fm_bundle_part part)
{
    zip_uint64_t index = 0;
    size_t size = 0;
    fm_status status = find_part(a, part, &index);
    if (status == FM_OK)
        status = check_part(a, part, index, &size);
    if (status != FM_OK)
        return status;
    zip_file_t *file = zip_fopen_index(a->zip, index, 0);
    if (!file)
        return fail_part(a, part, zip_error_strerror(zip_get_error(a->zip)));
    bundle->parts[part].data = malloc(size);
    bundle->parts[part].size = size;
    if (!bundle->parts[part].data)
        status = fm_fail(a->err, FM_E_NO_MEMORY, "out of memory unpacking '%s'", a->name);
    else if (!read_whole(file, bundle->parts[part].data, size))
        status = fail_part(a, part, "is damaged");
    zip_fclose(file);
    return status;
}

fm_status fm_bundle_unpack(fm_bundle *bundle, const uint8_t *data, size_t size, const char *name, fm_error *err)
{
    memset(bundle, 0, sizeof *bundle);
    archive a = {.name = name, .err = err};
    fm_status status = open_archive(&a, data, size);
    for (int part = 0; status == FM_OK && part < FM_BUNDLE_PARTS; part++)
        status = unpack_part(&a, bundle, (fm_bundle_part)part);
    if (a.zip)
        zip_discard(a.zip);
    if (status != FM_OK)
        fm_bundle_free(bundle);
    return status;
}

fm_status fm_bundle_read(fm_bundle *bundle, const char *path, fm_error *err)
{
    uint8_t *data = NULL;
    size_t size = 0;
    memset(bundle, 0, sizeof *bundle);
    fm_status status = fm_file_read(path, FM_BUNDLE_FILE_MAX, &data, &size, err);
    if (status == FM_OK)
        status = fm_bundle_unpack(bundle, data, size, path, err);
    free(data);
    return status;
}

void fm_bundle_free(fm_bundle *bundle)
{
    for (int part = 0; part < FM_BUNDLE_PARTS; part++)
        free(bundle->parts[part].data);
    memset(bundle, 0, sizeof *bundle);
}
