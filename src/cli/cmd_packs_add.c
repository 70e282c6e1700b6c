/* facemirror models add: makes a pack of what its makers publish, or copies one, checked before it appears. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/pack_graphs.h"
#include "models/pack_source.h"
#include "models/pack_store.h"
#include "models/registry.h"

static const char help[] =
    "Usage: facemirror models add SOURCE [options]\n"
    "\n"
    "Installs a model pack for --models NAME. SOURCE is one of\n"
    "  - a folder with OpenFace 3.0's ONNX files, which become the pack 'openface3':\n"
    "    retinaface_mobilenet025_coreml.onnx, star_landmark_98_coreml.onnx,\n"
    "    mtl_efficientnet_b0_coreml.onnx (also without _coreml)\n"
    "  - a folder with MediaPipe's TFLite files, which become the pack 'mediapipe':\n"
    "    face_detection_short_range.tflite, face_landmark.tflite,\n"
    "    face_landmark_with_attention.tflite\n"
    "  - Google's face_landmarker.task, which becomes the pack 'face_landmarker'\n"
    "  - a pack: a folder with a manifest, pack.json (docs/models.md)\n"
    "Each model is opened and its inputs and outputs are checked before the pack appears.\n"
    "\n"
    "      --name NAME   another name for the pack\n"
    "      --to DIR      write the pack there instead of installing it\n"
    "      --overwrite   replace a pack that is there\n"
    "  -q, --quiet       say nothing on success\n";

enum { OPT_NAME = 256, OPT_TO, OPT_OVERWRITE };

static const struct option long_options[] = {
    {"name", required_argument, NULL, OPT_NAME},
    {"to", required_argument, NULL, OPT_TO},
    {"overwrite", no_argument, NULL, OPT_OVERWRITE},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

typedef struct add_command {
    const char *source, *name, *to;
    bool overwrite, quiet, help;
} add_command;

/* A pack on its way from its source to its place. */
typedef struct adding {
    fm_pack_source *source;
    fm_pack_store store;
    fm_runtime *runtime;
} adding;

/* Where the pack goes, into out (FM_PATH_MAX). */
static fm_status choose_place(const add_command *c, const char *name, char *out, fm_error *err)
{
    if (c->to) {
        const int n = snprintf(out, FM_PATH_MAX, "%s", c->to);
        return n >= 0 && n < FM_PATH_MAX ? FM_OK : fm_fail(err, FM_E_OUTPUT, "the path '%.200s...' is too long", c->to);
    }
    char packs[FM_PATH_MAX];
    const fm_status status = fm_registry_user_dir(packs, err);
    if (status == FM_OK && !fm_path_join(out, packs, name))
        return fm_fail(err, FM_E_OUTPUT, "the path '%.200s...' is too long", packs);
    return status;
}

static fm_status add_model(adding *a, int index, fm_error *err)
{
    fm_pack_model *model = &fm_pack_source_pack(a->source)->models[index];
    uint8_t *onnx;
    size_t size;
    fm_status status = fm_pack_source_load(a->source, index, &onnx, &size, err);
    if (status == FM_OK)
        status = fm_pack_graph_check_bytes(a->runtime, model, !fm_pack_source_has_manifest(a->source), onnx, size, err);
    if (status == FM_OK)
        status = fm_pack_store_put(&a->store, model->file, onnx, size, err);
    free(onnx);
    return status;
}

static fm_status add_manifest(adding *a, fm_error *err)
{
    char *text;
    fm_status status = fm_pack_print(fm_pack_source_pack(a->source), &text, err);
    if (status != FM_OK)
        return status;
    fm_pack *again;
    status = fm_pack_parse(&again, text, strlen(text), a->store.target, err); /* what is written can be read */
    if (status == FM_OK)
        status = fm_pack_store_put(&a->store, FM_PACK_MANIFEST, text, strlen(text), err);
    fm_pack_free(&again);
    free(text);
    return status;
}

static fm_status add(const add_command *c, adding *a, fm_error *err)
{
    fm_status status = fm_pack_source_open(&a->source, c->source, err);
    if (status != FM_OK)
        return status;
    fm_pack *pack = fm_pack_source_pack(a->source);
    if (c->name)
        snprintf(pack->name, sizeof pack->name, "%s", c->name);
    char place[FM_PATH_MAX];
    status = choose_place(c, pack->name, place, err);
    if (status == FM_OK)
        status = fm_pack_store_open(&a->store, place, c->overwrite, err);
    if (status == FM_OK)
        status = fm_runtime_create(&a->runtime, NULL, NULL, err);
    for (int i = 0; status == FM_OK && i < pack->model_count; i++) {
        status = add_model(a, i, err);
        if (status == FM_OK && fm_interrupt_wanted(NULL))
            status = fm_fail(err, FM_E_INTERRUPTED, "stopped; no pack was added");
    }
    if (status == FM_OK)
        status = add_manifest(a, err);
    if (status == FM_OK)
        status = fm_pack_store_commit(&a->store, err);
    if (status == FM_OK && !c->quiet)
        printf("%s: %d models in %s\nlicence: %s\n", pack->name, pack->model_count, a->store.target, pack->licence);
    return status;
}

static bool take_option(int c, add_command *command)
{
    switch (c) {
    case OPT_NAME:
        command->name = optarg;
        return true;
    case OPT_TO:
        command->to = optarg;
        return true;
    case OPT_OVERWRITE:
        return command->overwrite = true;
    case 'q':
        return command->quiet = true;
    case 'h':
        return command->help = true;
    default:
        return false;
    }
}

int fm_cmd_packs_add(int argc, char **argv)
{
    add_command command = {0};
    int c;
    while ((c = getopt_long(argc, argv, ":qh", long_options, NULL)) != -1)
        if (!take_option(c, &command))
            return fm_cli_bad_option("models add", c, argv);
    if (command.help) {
        fputs(help, stdout);
        return 0;
    }
    if (argc - optind != 1)
        return fm_cli_usage("models add", "add takes one folder or file");
    if (command.name && !fm_pack_name_ok(command.name))
        return fm_cli_usage("models add", "'%s' is no name for a pack: 1 to 63 letters, digits, '_', '-' and '.', "
                            "the first a letter or digit", command.name);
    command.source = argv[optind];

    fm_interrupt_install();
    fm_error err = {0};
    adding a = {0};
    const fm_status status = add(&command, &a, &err);
    fm_pack_store_discard(&a.store);
    fm_runtime_destroy(&a.runtime);
    fm_pack_source_close(&a.source);
    if (status == FM_E_INTERRUPTED) {
        fm_cli_fail(&err);
        return fm_interrupt_exit_code();
    }
    return status == FM_OK ? 0 : fm_cli_fail(&err);
}
