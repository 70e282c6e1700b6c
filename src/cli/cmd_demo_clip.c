/* facemirror demo-clip: a still portrait becomes a clip with known motion. */
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "demo/demo_clip.h"

static const char help[] =
    "Usage: facemirror demo-clip -o FILE.mp4 [options]\n"
    "\n"
    "Makes a clip from a still portrait: gentle head motion, two blinks, a brow raise and a\n"
    "one-sided smile. Because the motion is made, the true place of each landmark is known.\n"
    "\n"
    "  -o, --output FILE    the clip\n"
    "      --portrait FILE  a still with one face (default: the one that 'make setup' fetched)\n"
    "      --truth FILE     also write the true landmarks as CSV\n"
    "      --seconds S      length (6)\n"
    "      --fps F          frames per second (30)\n"
    "      --size WxH       picture size, even numbers (720x960)\n"
    "      --smile SIDE     the patient's side that smiles: left or right (left)\n"
    "      --models PACK    a model pack that has the plain face mesh: its name or folder\n"
    "      --overwrite      replace files that are there\n"
    "  -q, --quiet          say nothing on success\n";

enum { OPT_PORTRAIT = 256, OPT_TRUTH, OPT_SECONDS, OPT_FPS, OPT_SIZE, OPT_SMILE, OPT_MODELS, OPT_OVERWRITE };

static const struct option long_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"portrait", required_argument, NULL, OPT_PORTRAIT},
    {"truth", required_argument, NULL, OPT_TRUTH},
    {"seconds", required_argument, NULL, OPT_SECONDS},
    {"fps", required_argument, NULL, OPT_FPS},
    {"size", required_argument, NULL, OPT_SIZE},
    {"smile", required_argument, NULL, OPT_SMILE},
    {"models", required_argument, NULL, OPT_MODELS},
    {"overwrite", no_argument, NULL, OPT_OVERWRITE},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* -1: go on; else the exit code to end with. */
static int take_option(int c, char **argv, fm_demo_options *options, bool *quiet)
{
    char rest;
    switch (c) {
    case 'o':
        options->output = optarg;
        return -1;
    case OPT_PORTRAIT:
        options->portrait = optarg;
        return -1;
    case OPT_TRUTH:
        options->truth_csv = optarg;
        return -1;
    case OPT_SECONDS:
        if (!fm_cli_seconds(optarg, &options->seconds) || options->seconds <= 0)
            return fm_cli_usage("demo-clip", "'%s' is no length in seconds", optarg);
        return -1;
    case OPT_FPS:
        if (!fm_cli_number(optarg, &options->fps) || options->fps <= 0)
            return fm_cli_usage("demo-clip", "'%s' is no frame rate", optarg);
        return -1;
    case OPT_SIZE:
        if (sscanf(optarg, "%5dx%5d%c", &options->width, &options->height, &rest) != 2 ||
            options->width <= 0 || options->height <= 0)
            return fm_cli_usage("demo-clip", "'%s' is no size such as 720x960", optarg);
        return -1;
    case OPT_SMILE:
        if (!fm_cli_side(optarg, &options->smile_side))
            return fm_cli_usage("demo-clip", "'%s' is no side: left or right", optarg);
        return -1;
    case OPT_MODELS:
        options->models = optarg;
        return -1;
    case OPT_OVERWRITE:
        options->overwrite = true;
        return -1;
    case 'q':
        *quiet = true;
        return -1;
    case 'h':
        fputs(help, stdout);
        return 0;
    default:
        return fm_cli_bad_option("demo-clip", c, argv);
    }
}

int fm_cmd_demo_clip(int argc, char **argv)
{
    fm_demo_options options = {0};
    bool quiet = false;
    int c;
    while ((c = getopt_long(argc, argv, ":o:qh", long_options, NULL)) != -1) {
        const int code = take_option(c, argv, &options, &quiet);
        if (code >= 0)
            return code;
    }
    if (!options.output || optind != argc)
        return fm_cli_usage("demo-clip", "demo-clip takes -o FILE.mp4 and options only");

    fm_error err = {0};
    fm_interrupt_install();
    options.should_stop = fm_interrupt_wanted;
    const fm_status status = fm_demo_clip(&options, &err);
    if (status != FM_OK) {
        const int code = fm_cli_fail(&err);
        return status == FM_E_INTERRUPTED ? fm_interrupt_exit_code() : code;
    }
    if (!quiet) {
        printf("%s\n", options.output);
        if (options.truth_csv)
            printf("%s\n", options.truth_csv);
    }
    return 0;
}
