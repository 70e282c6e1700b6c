/* facemirror bench: many runs of one clip, in turn between configurations, and what they took. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/cli.h"
#include "cli/output_stream.h"

static const char help[] =
    "Usage: facemirror bench VIDEO [--config \"NAME: run options\"]... [options]\n"
    "\n"
    "Runs a clip many times, each time in a process of its own, and says how long that takes\n"
    "and how sure this is: medians with a 95 % interval, spread, the cost of the first run.\n"
    "Several configurations run in turn (A B, B A, ...), so that a machine that slows down\n"
    "favours none, and are compared with the first, operation by operation.\n"
    "\n"
    "      --config \"NAME: OPTIONS\"   options of 'facemirror run', quoted as for a shell; may be\n"
    "                        repeated (default: \"default:\", without options)\n"
    "      --runs N          measured runs of each configuration (10; 6 or more for a verdict)\n"
    "      --warmup N|auto   runs before them (default: auto: until times no longer fall, 2 to 6)\n"
    "  -o, --output DIR      folder of the results (default: beside the clip)\n"
    "      --overwrite       replace results that are there\n"
    "      --json            print the document instead of the table\n"
    "  -q, --quiet           no progress, no table\n"
    "\n"
    "Writes STEM_bench.json (docs/bench-json.md), and into STEM_bench/ the profile of every run,\n"
    "a merged one for each configuration, and the tables of its last run. 'facemirror compare'\n"
    "reads all of these. Ctrl-C ends the run that is on and keeps what was measured.\n";

enum { OPT_CONFIG = 256, OPT_RUNS, OPT_WARM_UP, OPT_OVERWRITE, OPT_JSON };

static const struct option long_options[] = {
    {"config", required_argument, NULL, OPT_CONFIG},
    {"runs", required_argument, NULL, OPT_RUNS},
    {"warmup", required_argument, NULL, OPT_WARM_UP},
    {"output", required_argument, NULL, 'o'},
    {"overwrite", no_argument, NULL, OPT_OVERWRITE},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

enum { RUNS_DEFAULT = 10 };

typedef struct bench_command {
    fm_bench_job job;
    fm_cli_words configurations;
    bool json, help;
} bench_command;

static int take_warm_up(const char *text, int *out)
{
    int64_t count;
    if (strcmp(text, "auto") == 0) {
        *out = -1;
        return -1;
    }
    if (!fm_cli_count(text, FM_BENCH_WARM_UP_LIMIT, &count))
        return fm_cli_usage("bench", "--warmup takes 'auto' or 0 to %d, not '%s'", FM_BENCH_WARM_UP_LIMIT, text);
    *out = (int)count;
    return -1;
}

/* -1: go on; else the exit code to end with. */
static int take_option(int option, char **argv, bench_command *c)
{
    int64_t count;
    switch (option) {
    case OPT_CONFIG:
        return fm_cli_words_add(&c->configurations, optarg, "bench", "--config");
    case OPT_RUNS:
        if (!fm_cli_count(optarg, FM_STATS_MAX, &count) || count < 1)
            return fm_cli_usage("bench", "--runs takes 1 to %d, not '%s'", FM_STATS_MAX, optarg);
        c->job.runs = (int)count;
        return -1;
    case OPT_WARM_UP:
        return take_warm_up(optarg, &c->job.warm_up);
    case 'o':
        c->job.output_dir = optarg;
        return -1;
    case OPT_OVERWRITE:
        c->job.overwrite = true;
        return -1;
    case OPT_JSON:
        c->json = true;
        return -1;
    case 'q':
        c->job.quiet = true;
        return -1;
    case 'h':
        c->help = true;
        return -1;
    default:
        return fm_cli_bad_option("bench", option, argv);
    }
}

/* 0, or the exit code to end with. */
static int take_configurations(bench_command *c)
{
    if (c->configurations.count > FM_BENCH_CONFIGURATIONS_MAX)
        return fm_cli_usage("bench", "more than %d configurations", FM_BENCH_CONFIGURATIONS_MAX);
    if (c->configurations.count == 0)
        c->configurations.list[c->configurations.count++] = "default:";
    for (int i = 0; i < c->configurations.count; i++) {
        fm_bench_setting *setting = &c->job.settings[c->job.setting_count++];
        const int code = fm_bench_setting_parse(setting, c->configurations.list[i]);
        if (code != 0)
            return code;
        for (size_t k = 0; k + 1 < c->job.setting_count; k++)
            if (strcmp(c->job.settings[k].name, setting->name) == 0)
                return fm_cli_usage("bench", "two configurations are called '%s'", setting->name);
    }
    return 0;
}

static bool measured_anything(const fm_bench *bench)
{
    for (size_t i = 0; i < bench->configuration_count; i++)
        for (size_t k = 0; k < bench->configurations[i].run_count; k++)
            if (!bench->configurations[i].runs[k].warm_up)
                return true;
    return false;
}

static fm_status show(const bench_command *c, fm_error *err)
{
    if (c->json)
        return fm_bench_write(stdout, c->job.bench, err);
    return c->job.quiet ? FM_OK : fm_bench_print(stdout, &c->job, fm_cli_utf8(stdout), err);
}

static fm_status bench(bench_command *c, fm_error *err)
{
    fm_status status = fm_bench_measure(&c->job, err);
    if (status != FM_OK)
        return status;
    if (!measured_anything(c->job.bench))
        return fm_fail(err, FM_E_INTERRUPTED, "stopped before a run was measured; nothing is written");
    status = fm_bench_note_result(&c->job, err);
    if (status == FM_OK)
        status = fm_bench_publish(&c->job, err);
    if (status == FM_OK)
        status = show(c, err);
    if (status == FM_OK && c->job.stopped)
        status = fm_fail(err, FM_E_INTERRUPTED, "stopped; the results hold the %d runs before", c->job.position);
    return status;
}

/* The clip is a file that can be read: what it holds the first run says. */
static fm_status check_clip(const char *clip, fm_error *err)
{
    FILE *file = fopen(clip, "rb");
    if (!file)
        return fm_fail(err, FM_E_NOT_FOUND, "cannot open '%s'", clip);
    fclose(file);
    return FM_OK;
}

static int run_bench(bench_command *c)
{
    fm_error err = {0};
    int code = take_configurations(c);
    if (code == 0) {
        fm_interrupt_install();
        fm_status status = check_clip(c->job.clip, &err);
        if (status == FM_OK)
            status = bench(c, &err);
        if (status != FM_OK)
            code = fm_cli_fail(&err);
        if (status == FM_E_INTERRUPTED && fm_interrupt_exit_code())
            code = fm_interrupt_exit_code();
    }
    fm_bench_clean(&c->job);
    return code;
}

int fm_cmd_bench(int argc, char **argv)
{
    bench_command *command = calloc(1, sizeof *command);
    if (!command) {
        fputs("facemirror: out of memory\n", stderr);
        return fm_exit_code(FM_E_NO_MEMORY);
    }
    command->job.runs = RUNS_DEFAULT;
    command->job.warm_up = -1;
    int c, code = -1;
    while (code < 0 && (c = getopt_long(argc, argv, ":o:qh", long_options, NULL)) != -1)
        code = take_option(c, argv, command);
    if (code < 0 && command->help)
        code = fputs(help, stdout) < 0;
    else if (code < 0 && optind != argc - 1)
        code = optind == argc ? fm_cli_usage("bench", "no video was given")
                              : fm_cli_usage("bench", "bench takes one video, not also '%s'", argv[optind + 1]);
    if (code < 0) {
        command->job.clip = argv[optind];
        code = run_bench(command);
    }
    free(command);
    return code;
}
