/* facemirror doctor: what this machine has, what it lacks and why, and what to do about it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/doctor.h"
#include "report/json_writer.h"

static const char help[] =
    "Usage: facemirror doctor [options]\n"
    "\n"
    "Says what this machine has for a run, and for what is missing why, and what to do about\n"
    "it: the build, ONNX Runtime and each execution provider (by a real run of a small\n"
    "network), models, video encoders (by a trial) and decoders, the profiler's clock, the\n"
    "machine, and what may be measured of it. Changes nothing.\n"
    "\n"
    "      --models PACK     the model pack to look at: its folder or name (the default pack)\n"
    "      --ep-option K=V   an option for the providers, as a run takes it; may be repeated\n"
    "      --ep-library F    the library of a plug-in provider; may be repeated\n"
    "      --json            one JSON object (docs/cli.md)\n"
    "\n"
    "Exit codes: 0 a run is possible, 8 models are missing or broken, 9 no runtime or encoder\n"
    "works, or a library of --ep-library does not.\n";

enum { OPT_MODELS = 256, OPT_EP_OPTION, OPT_EP_LIBRARY, OPT_JSON };

static const struct option long_options[] = {
    {"models", required_argument, NULL, OPT_MODELS},
    {"ep-option", required_argument, NULL, OPT_EP_OPTION},
    {"ep-library", required_argument, NULL, OPT_EP_LIBRARY},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {0},
};

typedef struct doctor_command {
    fm_cli_words options, libraries;
    const char *models;
    bool json, help;
} doctor_command;

/* -1: go on; else the exit code to end with. */
static int take_option(int option, char **argv, doctor_command *c)
{
    switch (option) {
    case OPT_MODELS:
        c->models = optarg;
        return -1;
    case OPT_EP_OPTION:
        return fm_cli_words_add(&c->options, optarg, "doctor", "--ep-option");
    case OPT_EP_LIBRARY:
        return fm_cli_words_add(&c->libraries, optarg, "doctor", "--ep-library");
    case OPT_JSON:
        c->json = true;
        return -1;
    case 'h':
        c->help = true;
        return -1;
    default:
        return fm_cli_bad_option("doctor", option, argv);
    }
}

static fm_status examine(const doctor_command *c, int *exit_code, fm_error *err)
{
    const fm_cli_words none = {0};
    const fm_provider_options providers = fm_cli_providers(&none, &c->options, &c->libraries);
    const fm_doctor_options options = {
        .models = c->models,
        .libraries = c->libraries.list,
        .ep_options = c->options.list,
        .library_count = c->libraries.count,
        .ep_option_count = c->options.count,
    };
    fm_doctor *doctor = NULL;
    fm_status status = fm_provider_options_check(&providers, NULL, 0, err);
    if (status == FM_OK)
        status = fm_doctor_examine(&doctor, &options, err);
    if (status != FM_OK)
        return status;
    *exit_code = fm_exit_code(doctor->verdict);
    errno = 0;
    if (c->json) {
        status = fm_doctor_write_json(stdout, doctor, err);
    } else {
        fm_doctor_print(stdout, doctor);
        status = fm_stream_status(stdout, "the findings", err);
    }
    fm_doctor_free(&doctor);
    return status;
}

int fm_cmd_doctor(int argc, char **argv)
{
    doctor_command command = {0};
    int c;
    while ((c = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        const int code = take_option(c, argv, &command);
        if (code >= 0)
            return code;
    }
    if (command.help) {
        fputs(help, stdout);
        return 0;
    }
    if (optind != argc)
        return fm_cli_usage("doctor", "doctor takes no '%s'", argv[optind]);
    fm_error err = {0};
    int exit_code = 0;
    return examine(&command, &exit_code, &err) == FM_OK ? exit_code : fm_cli_fail(&err);
}
