/* facemirror: the command. Dispatches to one file a subcommand. */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "facemirror/version.h"

static const char help[] =
    "facemirror " FM_VERSION ": mirror the halves of a face video, measure its action units,\n"
    "and profile the run.\n"
    "\n"
    "Usage:\n"
    "  facemirror [run] VIDEO... [-o DIR] [options]   process clips\n"
    "  facemirror demo-clip -o FILE [options]         make a clip with known motion from a portrait\n"
    "  facemirror report FILE... [--format FORMAT]    show the profile of a run again\n"
    "  facemirror merge FILE.json... -o OUT.json      add up the profiles of several runs\n"
    "  facemirror bench VIDEO [--config \"NAME: options\"]...  measure runs that can be trusted\n"
    "  facemirror compare BASE NEW                    what became slower or faster, and how sure that is\n"
    "  facemirror models add|list|remove|verify       model packs: see 'models --help'\n"
    "  facemirror models import FILE.tflite -o FILE.onnx\n"
    "  facemirror models inspect FILE.onnx            what a model is, where it runs, how fast\n"
    "  facemirror doctor [--json]                     what this machine has and what it lacks\n"
    "  facemirror COMMAND --help                      the options of a command\n"
    "  facemirror --version\n"
    "\n"
    "Left and right are the patient's.\n"
    "\n"
    "Exit codes:\n"
    "  0 done             1 internal error      2 wrong usage       3 input not found\n"
    "  4 bad input        5 no face             6 cannot write      7 disk full\n"
    "  8 model missing    9 runtime or encoder  10 out of memory    11 output exists\n"
    "  12 done, but part of the input was damaged                20 compare: worse than allowed\n"
    "  130, 143 stopped by Ctrl-C or SIGTERM; the outputs hold what was done\n";

char **fm_cli_arguments;

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", fm_cmd_run},
    {"bench", fm_cmd_bench},
    {"compare", fm_cmd_compare},
    {"demo-clip", fm_cmd_demo_clip},
    {"doctor", fm_cmd_doctor},
    {"models", fm_cmd_models},
    {"report", fm_cmd_report},
    {"merge", fm_cmd_merge},
};

/* Started with a standard stream closed, its number would go to the next file that is opened: an output, say. */
static void hold_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0) /* read-only: writing still fails, and is told */
            break;
    }
}

int main(int argc, char **argv)
{
    fm_cli_arguments = argv;
    hold_standard_streams();
    /* Characters follow the terminal; numbers keep their decimal point, for tables and JSON. */
    setlocale(LC_CTYPE, "");
    /* A reader of our output that goes away, or a full quota, is an error to report, not a death. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);

    if (argc < 2)
        return fm_cli_usage("", "no video was given");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("facemirror " FM_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    return fm_cmd_run(argc, argv);
}
