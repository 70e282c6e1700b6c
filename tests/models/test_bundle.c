/* The reader of .task bundles against zips that are written here byte by byte: whole, damaged, hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "models/bundle.h"
#include "shared_file.h"

enum { STORED = 0, DEFLATED = 8, MEMBERS_MAX = 8, ZIP_MAX = 4096 };

/* One member as its headers and its bytes say; what is 0 or NULL is filled in as it should be. */
typedef struct member {
    const char *name;
    const char *data;
    uint16_t flags, method;
    uint32_t size;     /* unpacked, as the headers claim */
    uint32_t checksum; /* CRC-32 of what the headers claim */
} member;

typedef struct bytes {
    uint8_t data[ZIP_MAX];
    size_t size;
} bytes;

static void put(bytes *out, uint32_t value, int width)
{
    assert_true(out->size + (size_t)width <= sizeof out->data);
    for (int i = 0; i < width; i++)
        out->data[out->size++] = (uint8_t)((uint64_t)value >> (8 * i));
}

static void put_bytes(bytes *out, const void *data, size_t size)
{
    assert_true(out->size + size <= sizeof out->data);
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

static uint32_t crc32_of(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* What both of a member's headers have in common: from "version needed" to the length of the extra field. */
static void put_facts(bytes *out, const member *m, uint32_t packed)
{
    put(out, 20, 2);
    put(out, m->flags, 2);
    put(out, m->method, 2);
    put(out, 0x5a21a000, 4); /* a date */
    put(out, m->checksum ? m->checksum : crc32_of(m->data, strlen(m->data)), 4);
    put(out, packed, 4);
    put(out, m->size ? m->size : (uint32_t)strlen(m->data), 4);
    put(out, (uint32_t)strlen(m->name), 2);
    put(out, 0, 2);
}

/* The member's bytes; deflated: as one block that is not compressed. */
static uint32_t put_packed(bytes *out, const member *m)
{
    size_t start = out->size, size = strlen(m->data);
    if (m->method == DEFLATED) {
        put(out, 1, 1);
        put(out, (uint32_t)size, 2);
        put(out, ~(uint32_t)size & 0xffff, 2);
    }
    put_bytes(out, m->data, size);
    return (uint32_t)(out->size - start);
}

/* APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16. */
static bytes make_zip(const member *members, int count)
{
    bytes out = {.size = 0}, directory = {.size = 0}, body = {.size = 0};
    for (int i = 0; i < count; i++) {
        uint32_t offset = (uint32_t)out.size;
        body.size = 0;
        uint32_t packed = put_packed(&body, &members[i]);
        put(&out, 0x04034b50, 4);
        put_facts(&out, &members[i], packed);
        put_bytes(&out, members[i].name, strlen(members[i].name));
        put_bytes(&out, body.data, body.size);
        put(&directory, 0x02014b50, 4);
        put(&directory, 20, 2);
        put_facts(&directory, &members[i], packed);
        put(&directory, 0, 2 + 2 + 2);
        put(&directory, 0, 2);
        put(&directory, 0, 2);
        put(&directory, offset, 4);
        put_bytes(&directory, members[i].name, strlen(members[i].name));
    }
    uint32_t start = (uint32_t)out.size;
    put_bytes(&out, directory.data, directory.size);
    put(&out, 0x06054b50, 4);
    put(&out, 0, 4);
    put(&out, (uint32_t)count, 2);
    put(&out, (uint32_t)count, 2);
    put(&out, (uint32_t)directory.size, 4);
    put(&out, start, 4);
    put(&out, 0, 2);
    return out;
}

enum { DETECTOR, GEOMETRY, LANDMARKS, BLENDSHAPES, MEMBERS };
static const member good[MEMBERS] = {
    [DETECTOR] = {.name = "face_detector.tflite", .data = "finds faces"},
    [GEOMETRY] = {.name = "geometry_pipeline_metadata_landmarks.binarypb", .data = "not read"},
    [LANDMARKS] = {.name = "face_landmarks_detector.tflite", .data = "finds points", .method = DEFLATED},
    [BLENDSHAPES] = {.name = "face_blendshapes.tflite", .data = "names faces"},
};

static void check_refused(const bytes *zip, const char *why)
{
    fm_bundle bundle;
    fm_error err = {0};
    fm_status status = fm_bundle_unpack(&bundle, zip->data, zip->size, "some.task", &err);
    assert_int_equal(status, FM_E_MODEL);
    if (!strstr(err.message, why))
        fail_msg("\"%s\" does not say \"%s\"", err.message, why);
    assert_non_null(strstr(err.message, "some.task"));
    for (int i = 0; i < FM_BUNDLE_PARTS; i++)
        assert_null(bundle.parts[i].data);
}

/* The good bundle with one member replaced. */
static void check_member_refused(int index, member other, const char *why)
{
    member members[MEMBERS];
    memcpy(members, good, sizeof good);
    members[index] = other;
    bytes zip = make_zip(members, MEMBERS);
    check_refused(&zip, why);
}

static void check_part(const fm_bundle *bundle, fm_bundle_part part, const char *text)
{
    assert_int_equal(bundle->parts[part].size, strlen(text));
    assert_memory_equal(bundle->parts[part].data, text, strlen(text));
}

static void test_members_come_out(void **state)
{
    (void)state;
    bytes zip = make_zip(good, MEMBERS);
    fm_bundle bundle;
    fm_error err = {0};
    if (fm_bundle_unpack(&bundle, zip.data, zip.size, "good.task", &err) != FM_OK)
        fail_msg("%s", err.message);
    check_part(&bundle, FM_BUNDLE_DETECTOR, "finds faces");
    check_part(&bundle, FM_BUNDLE_LANDMARKS, "finds points");
    check_part(&bundle, FM_BUNDLE_BLENDSHAPES, "names faces");
    fm_bundle_free(&bundle);
    fm_bundle_free(&bundle);
}

static void test_what_is_no_zip(void **state)
{
    (void)state;
    bytes empty = {.size = 0}, text = {.size = 0};
    put_bytes(&text, "TFL3 and other bytes that make no zip", 37);
    check_refused(&empty, "is missing"); /* to libzip that is a zip of nothing */
    check_refused(&text, "zip");
}

/* However a download ends early, or whichever byte is another: refused or the same bytes, never others. */
static void test_damage_is_noticed(void **state)
{
    (void)state;
    const bytes whole = make_zip(good, MEMBERS);
    for (size_t size = 0; size < whole.size; size++) {
        bytes cut = whole;
        cut.size = size;
        check_refused(&cut, "some.task");
    }
    int refused = 0;
    for (size_t at = 0; at < whole.size; at++) {
        bytes bent = whole;
        bent.data[at] ^= 0x10;
        fm_bundle bundle;
        if (fm_bundle_unpack(&bundle, bent.data, bent.size, "bent.task", NULL) != FM_OK) {
            refused++;
            continue;
        }
        check_part(&bundle, FM_BUNDLE_DETECTOR, "finds faces");
        check_part(&bundle, FM_BUNDLE_LANDMARKS, "finds points");
        check_part(&bundle, FM_BUNDLE_BLENDSHAPES, "names faces");
        fm_bundle_free(&bundle);
    }
    assert_true(refused > (int)whole.size / 2);
}

static void test_missing_and_repeated_members(void **state)
{
    (void)state;
    bytes zip = make_zip(good, LANDMARKS + 1);
    check_refused(&zip, "face_blendshapes.tflite is missing");
    member other = good[GEOMETRY];
    other.name = "face_detector.tflite";
    check_member_refused(GEOMETRY, other, "more than once");
    other = good[DETECTOR];
    other.name = "models/face_detector.tflite";
    check_member_refused(DETECTOR, other, "face_detector.tflite is missing");
}

static void test_hostile_members(void **state)
{
    (void)state;
    member m = good[DETECTOR];
    m.flags = 1;
    check_member_refused(DETECTOR, m, "is encrypted");
    m = good[DETECTOR];
    m.data = "";
    check_member_refused(DETECTOR, m, "is empty or too large");
    m = good[LANDMARKS];
    m.size = FM_BUNDLE_MEMBER_MAX + 1;
    check_member_refused(LANDMARKS, m, "is empty or too large");
    m.size = 1 << 20;
    check_member_refused(LANDMARKS, m, "would grow far beyond its packed size");
    m = good[BLENDSHAPES];
    m.checksum = 1;
    check_member_refused(BLENDSHAPES, m, "is damaged");
}

/* The stream inside holds more, or less, than the headers claim. */
static void test_sizes_that_lie(void **state)
{
    (void)state;
    member m = good[LANDMARKS];
    m.size = 5;
    check_member_refused(LANDMARKS, m, "is damaged");
    m.size = 100;
    check_member_refused(LANDMARKS, m, "is damaged");
    m.checksum = crc32_of("finds", 5);
    m.size = 5;
    check_member_refused(LANDMARKS, m, "is damaged");
}

static void test_methods_that_are_not_known(void **state)
{
    (void)state;
    member m = good[BLENDSHAPES];
    m.method = 97; /* WavPack */
    check_member_refused(BLENDSHAPES, m, "face_blendshapes.tflite");
}

static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/fm-bundle-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    bytes zip = make_zip(good, MEMBERS);
    assert_int_equal(write(file, zip.data, zip.size), (ssize_t)zip.size);
    fm_bundle bundle;
    fm_error err = {0};
    assert_int_equal(fm_bundle_read(&bundle, path, &err), FM_OK);
    check_part(&bundle, FM_BUNDLE_LANDMARKS, "finds points");
    fm_bundle_free(&bundle);
    assert_int_equal(ftruncate(file, FM_BUNDLE_FILE_MAX + 1), 0);
    assert_int_equal(fm_bundle_read(&bundle, path, &err), FM_E_BAD_INPUT);
    close(file);
    unlink(path);
    err = (fm_error){0};
    assert_int_equal(fm_bundle_read(&bundle, path, &err), FM_E_NOT_FOUND);
}

/* The real one, where it is there. */
static void test_face_landmarker(void **state)
{
    (void)state;
    char path[FM_PATH_MAX];
    shared_path(path, "models/face_landmarker.task");
    if (access(path, R_OK) != 0) {
        print_message("skipped: '%s' is not there\n", path);
        skip();
    }
    fm_bundle bundle;
    fm_error err = {0};
    if (fm_bundle_read(&bundle, path, &err) != FM_OK)
        fail_msg("%s", err.message);
    const size_t sizes[FM_BUNDLE_PARTS] = {229746, 2553590, 955312};
    for (int i = 0; i < FM_BUNDLE_PARTS; i++) {
        assert_int_equal(bundle.parts[i].size, sizes[i]);
        assert_memory_equal(bundle.parts[i].data + 4, "TFL3", 4);
    }
    fm_bundle_free(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_come_out),
        cmocka_unit_test(test_what_is_no_zip),
        cmocka_unit_test(test_damage_is_noticed),
        cmocka_unit_test(test_missing_and_repeated_members),
        cmocka_unit_test(test_hostile_members),
        cmocka_unit_test(test_sizes_that_lie),
        cmocka_unit_test(test_methods_that_are_not_known),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_face_landmarker),
    };
    return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
