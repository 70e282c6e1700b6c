/* facemirror models ACTION: one function an action; import (a TFLite model becomes an ONNX model) is here. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "models/import.h"

static const char help[] =
    "Usage: facemirror models add SOURCE            install a model pack\n"
    "       facemirror models list                  the packs that are there\n"
    "       facemirror models remove NAME           remove an installed pack\n"
    "       facemirror models verify [NAME|DIR]     compare packs with their manifests\n"
    "       facemirror models inspect FILE.onnx     what a model is, where it runs, how fast\n"
    "       facemirror models import FILE.tflite -o FILE.onnx\n"
    "\n"
    "'facemirror models ACTION --help' says more. A pack is a folder with a manifest\n"
    "(pack.json), which says what each of its models is for; runs take it with --models.\n";

static const char import_help[] =
    "Usage: facemirror models import FILE.tflite -o FILE.onnx\n"
    "\n"
    "Converts a TensorFlow Lite model to ONNX (NCHW, float32). An operator that is not known\n"
    "is named in the error. Nothing is written unless the whole model converts.\n"
    "\n"
    "  -o, --output FILE   the ONNX file (replaced when it is there)\n"
    "  -q, --quiet         say nothing on success\n";

static int import(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *output = NULL;
    bool quiet = false;
    int c;
    while ((c = getopt_long(argc, argv, ":o:qh", options, NULL)) != -1) {
        switch (c) {
        case 'o':
            output = optarg;
            break;
        case 'q':
            quiet = true;
            break;
        case 'h':
            fputs(import_help, stdout);
            return 0;
        default:
            return fm_cli_bad_option("models", c, argv);
        }
    }
    if (argc - optind != 1 || !output)
        return fm_cli_usage("models", "import takes one model and -o FILE.onnx");

    fm_error err = {0};
    if (fm_import_tflite_file(argv[optind], output, &err) != FM_OK)
        return fm_cli_fail(&err);
    if (!quiet)
        printf("%s -> %s\n", argv[optind], output);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} actions[] = {
    {"add", fm_cmd_packs_add},       {"list", fm_cmd_packs_list},   {"remove", fm_cmd_packs_remove},
    {"verify", fm_cmd_packs_verify}, {"inspect", fm_cmd_inspect},   {"import", import},
};

int fm_cmd_models(int argc, char **argv)
{
    if (argc < 2)
        return fm_cli_usage("models", "models needs an action");
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(argv[1], actions[i].name) == 0)
            return actions[i].run(argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(help, stdout);
        return 0;
    }
    return fm_cli_usage("models", "'%s' is no action of models", argv[1]);
}
