/* facemirror models ACTION; import: a TFLite model becomes an ONNX model. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "models/import.h"

static const char help[] =
    "Usage: facemirror models import FILE.tflite -o FILE.onnx\n"
    "       facemirror models inspect FILE.onnx [options]\n"
    "\n"
    "inspect says what a model is, where it runs and how fast ('models inspect --help').\n"
    "\n"
    "import converts a TensorFlow Lite model to ONNX (NCHW, float32). An operator that is not\n"
    "known is named in the error. Nothing is written unless the whole model converts.\n"
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
            fputs(help, stdout);
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

int fm_cmd_models(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "import") == 0)
        return import(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "inspect") == 0)
        return fm_cmd_inspect(argc - 1, argv + 1);
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    return fm_cli_usage("models", argc < 2 ? "models needs an action" : "'%s' is no action of models",
                        argc < 2 ? "" : argv[1]);
}
