/* Manifests: what is read, what is refused and in which words, and that what is written reads back the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "models/pack_contract.h"
#include "pack_folder.h"

static fm_pack *parsed(const char *text)
{
    fm_pack *pack;
    fm_error err = {0};
    if (fm_pack_parse(&pack, text, strlen(text), "/packs/small", &err) != FM_OK)
        fail_msg("%s", err.message);
    return pack;
}

static void test_reads(void **state)
{
    (void)state;
    fm_pack *pack = parsed(small_manifest);
    assert_string_equal(pack->name, "small");
    assert_string_equal(pack->description, "one detector");
    assert_string_equal(pack->licence, "MIT");
    assert_string_equal(pack->dir, "/packs/small");
    assert_int_equal(pack->model_count, 1);
    const fm_pack_model *m = &pack->models[0];
    assert_int_equal(m->role, FM_ROLE_DETECTOR);
    assert_int_equal(m->decoding, FM_DECODING_RETINAFACE);
    assert_string_equal(m->name, "RetinaFace");
    assert_string_equal(m->variant, "");
    assert_string_equal(m->path, "/packs/small/r.onnx");
    assert_string_equal(m->topology, "");
    assert_int_equal(m->input.width, 640);
    assert_int_equal(m->input.height, 480);
    assert_true(m->input.bgr);
    assert_true(m->input.scale == 1 && m->input.bias == 0); /* what is not there has its neutral value */
    assert_true(m->input.mean[2] == 104.5f && m->input.deviation[1] == 1);
    assert_string_equal(fm_pack_output_of(m, "points"), "landms");
    assert_null(fm_pack_output_of(m, "emotion"));
    assert_ptr_equal(fm_pack_model_of(pack, FM_ROLE_DETECTOR, NULL), m);
    assert_null(fm_pack_model_of(pack, FM_ROLE_LANDMARKER, NULL));
    assert_null(fm_pack_model_of(pack, FM_ROLE_DETECTOR, "plain"));
    fm_pack_free(&pack);
    assert_null(pack);
}

/* One change of the sound manifest, and words of the error. */
typedef struct refusal {
    const char *old, *replacement, *words;
} refusal;

static const refusal refusals[] = {
    {"{\n", "[\n", "is no JSON: line"},
    {"\"format\": 1,\n", "", "pack.json': format is missing"},
    {"\"format\": 1", "\"format\": 2", "format must be 1"},
    {"\"format\": 1", "\"format\": 1, \"format\": 1", "duplicate object key"},
    {"\"licence\": \"MIT\"", "\"license\": \"MIT\"", "has a member 'license', which is not known"},
    {"\"licence\": \"MIT\",", "", "licence is missing"},
    {"\"MIT\"", "\"\"", "licence must be text"},
    {"\"MIT\"", "\"a\\nb\"", "licence must be text on one line"},
    {"\"MIT\"", "\"a\\u009bb\"", "licence must be text on one line"},
    {"\"MIT\"", "\"a\\u0000b\"", "is no JSON"},
    {"\"MIT\"", "\"\xff\"", "is no JSON"},
    {"\"small\"", "7", "name must be text"},
    {"\"small\"", "\"../small\"", "name must consist of letters"},
    {"\"small\"", "\".small\"", "name must consist of letters"},
    {"\"small\"", "\"0123456789012345678901234567890123456789012345678901234567890123\"", "of 1 to 63 bytes"},
    {"[{", "{\"a\": {", "is no JSON"},
    {"\"RetinaFace\"", "\"Retina Face\"", "models[0].name must consist of letters, digits and '_', '-', not 'Retina"},
    {"\"detector\"", "\"landmarker\"", "models[0].role must be \"detector\", which is what retinaface decodes"},
    {"\"role\": \"detector\"", "\"role\": null", "models[0].role must be"},
    {"\"retinaface\"", "\"yolo\"", "models[0].decoding must be one of blazeface, retinaface, facemesh"},
    {"\"retinaface\"", "\"blazeface\"", "models[0].input.width must be 128"},
    {"\"retinaface\"", "\"star\"", "models[0].role must be \"landmarker\", which is what star decodes"},
    {"\"r.onnx\"", "\"../r.onnx\"", "models[0].file must consist of"},
    {"\"r.onnx\"", "\"/etc/r.onnx\"", "models[0].file must consist of"},
    {"\"r.onnx\"", "\"..\"", "models[0].file must be a file name that ends in .onnx"},
    {"\"r.onnx\"", "\".r.onnx\"", "begins with a letter or digit"},
    {"\"r.onnx\"", "\"pack.json\"", "ends in .onnx"},
    {"\"r.onnx\"", "\"r\\u202e.onnx\"", "models[0].file must consist of"},
    {"\"e3b0", "\"E3B0", "models[0].sha256 must be 64 hexadecimal digits"},
    {"\"e3b0", "\"e3b", "models[0].sha256 must be 64"},
    {"\"file\"", "\"topology\": \"mesh468\", \"file\"", "models[0].topology is for a landmarker only"},
    {"\"file\"", "\"units\": [1], \"file\"", "models[0].units is for an au_estimator only"},
    {"\"file\"", "\"variant\": \"a b\", \"file\"", "models[0].variant must consist"},
    {"\"file\"", "\"path\": 1, \"file\"", "models[0] has a member 'path'"},
    {"\"NCHW\"", "\"NHWC\"", "models[0].input.layout must be \"NCHW\""},
    {"640", "-1", "models[0].input.width must be a whole number from 0 to 4096"},
    {"640", "16385", "models[0].input.width must be a whole number"},
    {"640", "640.5", "models[0].input.width must be a whole number"},
    {"640", "99999999999999999999", "is no JSON"},
    {"640", "0", "models[0].input.width and height must both be 0"},
    {"\"BGR\"", "\"GBR\"", "models[0].input.colour must be \"RGB\" or \"BGR\""},
    {"\"colour\": \"BGR\",", "", "models[0].input.colour is missing"},
    {"\"scale\": 1,", "", "models[0].input.scale is missing"},
    {"\"scale\": 1,", "\"scale\": 0,", "models[0].input.scale must be a number from 1e-06"},
    {"\"scale\": 1,", "\"scale\": 1e300,", "models[0].input.scale must be a number"},
    {"\"scale\": 1,", "\"scale\": \"1\",", "models[0].input.scale must be a number"},
    {"104.5]", "104.5, 1]", "models[0].input.mean must be a list of three"},
    {"104.5]", "null]", "models[0].input.mean must be a number"},
    {"\"mean\": [123, 117, 104.5]", "\"deviation\": [1, 0, 1]", "models[0].input.deviation must be a number"},
    {"\"mean\": [123, 117, 104.5]", "\"crop\": 1", "models[0].input has a member 'crop'"},
    {"\"boxes\": \"loc\", ", "", "models[0].outputs.boxes is missing"},
    {"\"boxes\"", "\"emotion\": \"a\", \"boxes\"", "models[0].outputs has a member 'emotion'"},
    {"\"loc\"", "[]", "models[0].outputs.boxes must be text"},
    {"\"loc\"", "\"@first\"", "models[0].outputs.boxes must be a tensor's name or \"@last\""},
    {"{\"boxes\": \"loc\", \"scores\": \"conf\", \"points\": \"landms\"}", "[]", "models[0].outputs must be an object"},
};

static void expect_refused(const char *text, const char *words)
{
    fm_pack *pack;
    fm_error err = {0};
    assert_int_equal(fm_pack_parse(&pack, text, strlen(text), "/packs/small", &err), FM_E_MODEL);
    assert_null(pack);
    if (!strstr(err.message, words) || !strstr(err.message, "/packs/small/pack.json"))
        fail_msg("'%s' does not say '%s'", err.message, words);
}

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *r = &refusals[i];
        char *text = with(small_manifest, r->old, r->replacement);
        expect_refused(text, r->words);
        free(text);
    }
    expect_refused("", "is no JSON");
    expect_refused("7", "is no JSON");
    expect_refused("[]", "must be an object");
    static const char *const lists[][2] = {
        {"[]}", "models must be a list of 1 to 8"}, {"[1]}", "models[0] must be an object"},
        {"[1,1,1,1,1,1,1,1,1]}", "1 to 8"}, {"{}}", "must be a list"},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char *text = with("{\"format\": 1, \"name\": \"a\", \"licence\": \"b\", \"models\": HERE", "HERE", lists[i][0]);
        expect_refused(text, lists[i][1]);
        free(text);
    }
}

/* A model of each decoding, so that each contract is written and read. */
static void fill(fm_pack *pack)
{
    *pack = (fm_pack){.name = "small", .dir = "/packs/small", .licence = "none \"quoted\" \xc3\xa4"};
    for (int i = 0; i < FM_DECODINGS; i++) {
        fm_pack_model *m = &pack->models[pack->model_count++];
        char text[32];
        snprintf(text, sizeof text, "Model%d", i);
        fm_pack_model_init(m, (fm_decoding)i, text);
        snprintf(m->variant, sizeof m->variant, "v%d", i);
        snprintf(m->file, sizeof m->file, "m%d.onnx", i);
        assert_true(fm_path_join(m->path, pack->dir, m->file));
        memset(m->sha256, "0123456789abcdef"[i], 64);
    }
}

static char *printed(const fm_pack *pack)
{
    char *text;
    fm_error err = {0};
    assert_int_equal(fm_pack_print(pack, &text, &err), FM_OK);
    return text;
}

static void test_round_trip(void **state)
{
    (void)state;
    fm_pack *pack = calloc(1, sizeof *pack), *again;
    assert_non_null(pack);
    fill(pack);
    char *text = printed(pack);
    fm_error err = {0};
    if (fm_pack_parse(&again, text, strlen(text), pack->dir, &err) != FM_OK)
        fail_msg("%s", err.message);
    /* The same to the last bit, figures of the normalisation included; padding is zero in both. */
    for (int i = 0; i < FM_DECODINGS; i++)
        assert_memory_equal(&pack->models[i], &again->models[i], sizeof pack->models[i]);
    assert_string_equal(pack->licence, again->licence);
    char *second = printed(again);
    assert_string_equal(text, second);
    free(second);
    free(text);
    fm_pack_free(&again);

    fm_pack_free(&pack);
}

typedef void spoil(fm_pack *pack);

static void same_variant(fm_pack *pack)
{
    snprintf(pack->models[1].variant, sizeof pack->models[1].variant, "v0");
}

static void no_variant(fm_pack *pack)
{
    pack->models[3].variant[0] = '\0';
}

static void same_file(fm_pack *pack)
{
    snprintf(pack->models[4].file, sizeof pack->models[4].file, "m0.onnx");
}

static void same_name(fm_pack *pack)
{
    snprintf(pack->models[6].name, sizeof pack->models[6].name, "Model0");
}

static void other_topology(fm_pack *pack)
{
    snprintf(pack->models[5].topology, sizeof pack->models[5].topology, "mesh468");
}

static void unit_twice(fm_pack *pack)
{
    pack->models[6].units[7] = 1;
}

static void unit_zero(fm_pack *pack)
{
    pack->models[6].units[7] = 0;
}

static void no_units(fm_pack *pack)
{
    pack->models[6].unit_count = 0;
}

static void test_contradictions(void **state)
{
    (void)state;
    static const struct { spoil *spoil; const char *words; } cases[] = {
        {same_variant, "models[1].variant must be there and differ from that of models[0]"},
        {no_variant, "models[3].variant must be there"},
        {same_file, "models[4].file is that of models[0]"},
        {same_name, "models[6].name is that of models[0], too, which has another role"},
        {other_topology, "models[5].topology must be \"wflw98\", which is what star decodes"},
        {unit_twice, "models[6].units holds 1 twice"},
        {unit_zero, "models[6].units must be a whole number from 1 to 99"},
        {no_units, "models[6].units must be a list of 1 to 32"},
    };
    fm_pack *pack = calloc(1, sizeof *pack);
    assert_non_null(pack);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fill(pack);
        cases[i].spoil(pack);
        char *text = printed(pack);
        expect_refused(text, cases[i].words);
        free(text);
    }
    fm_pack_free(&pack);
}

static void test_contracts(void **state)
{
    (void)state;
    for (int i = 0; i < FM_DECODINGS; i++) {
        const fm_contract *c = fm_decoding_contract((fm_decoding)i);
        assert_string_equal(c->name, fm_decoding_name((fm_decoding)i));
        assert_true(c->outputs[0].key && c->input.name[0]);
        assert_int_equal(c->role == FM_ROLE_LANDMARKER, *c->topology != 0);
    }
    assert_null(fm_decoding_contract(FM_DECODINGS));
    assert_string_equal(fm_decoding_name(FM_DECODINGS), "");
    assert_string_equal(fm_model_role_name(FM_ROLES), "");
    assert_string_equal(fm_model_role_name(FM_ROLE_AU_ESTIMATOR), "au_estimator");
}

/* --- on disk ----------------------------------------------------------------------------- */

static char root[] = "/tmp/fm-pack-XXXXXX";

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static void test_sha256(void **state)
{
    (void)state;
    char hex[FM_SHA256_HEX], path[FM_PATH_MAX];
    fm_error err = {0};
    assert_int_equal(fm_sha256("abc", 3, hex, &err), FM_OK); /* FIPS 180-4's example */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(fm_sha256("", 0, hex, &err), FM_OK);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    put_file(root, "abc", "abc");
    assert_true(fm_path_join(path, root, "abc"));
    assert_int_equal(fm_sha256_file(path, hex, &err), FM_OK);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(fm_sha256_file(root, hex, &err), FM_E_NOT_FOUND); /* a folder */
    assert_true(fm_path_join(path, root, "fifo"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(fm_sha256_file(path, hex, NULL), FM_E_NOT_FOUND); /* and it does not hang */
    put_file(root, "sparse", "");
    assert_true(fm_path_join(path, root, "sparse"));
    err = (fm_error){0};
    assert_int_equal(truncate(path, (off_t)1 << 40), 0); /* hours, if it were read */
    assert_int_equal(fm_sha256_file(path, hex, &err), FM_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "larger than 2 GiB"));
    assert_int_equal(unlink(path), 0);
}

static void test_on_disk(void **state)
{
    (void)state;
    fm_pack *pack;
    fm_error err = {0};
    assert_int_equal(fm_pack_read(&pack, root, &err), FM_E_NOT_FOUND);
    put_file(root, FM_PACK_MANIFEST, small_manifest);
    err = (fm_error){0};
    assert_int_equal(fm_pack_read(&pack, root, &err), FM_OK);
    assert_int_equal(fm_pack_check_file(&pack->models[0], &err), FM_E_MODEL);
    assert_non_null(strstr(err.message, "r.onnx': No such file"));
    put_file(root, "r.onnx", "");
    err = (fm_error){0};
    assert_int_equal(fm_pack_check_file(&pack->models[0], &err), FM_OK);
    put_file(root, "r.onnx", "x");
    assert_int_equal(fm_pack_check_file(&pack->models[0], &err), FM_E_MODEL);
    assert_non_null(strstr(err.message, "its SHA-256 is 2d711642b726b044"));
    fm_pack_free(&pack);

    char *large = malloc((64 << 10) + 2);
    assert_non_null(large);
    memset(large, ' ', (64 << 10) + 1);
    large[(64 << 10) + 1] = '\0';
    put_file(root, FM_PACK_MANIFEST, large);
    free(large);
    err = (fm_error){0};
    assert_int_equal(fm_pack_read(&pack, root, &err), FM_E_MODEL);
    assert_non_null(strstr(err.message, "more than the limit of 65536"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_contracts),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_on_disk),
    };
    return cmocka_run_group_tests_name("pack", tests, make_root, remove_root);
}
