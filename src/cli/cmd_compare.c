/* facemirror compare: what became slower or faster, how sure that is, and whether the results are the same. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice/bench_doc.h"
#include "advice/compare.h"
#include "cli/cli.h"
#include "cli/output_stream.h"

static const char help[] =
    "Usage: facemirror compare [options] BASE NEW\n"
    "       facemirror compare [options] BASE... -- NEW...\n"
    "       facemirror compare [options] BENCH.json\n"
    "       facemirror compare --outputs BASE_DIR NEW_DIR\n"
    "\n"
    "Compares the time of two sides, operation by operation, and what they measured. A side is\n"
    "a document of 'facemirror bench', a folder of profiles, or profiles (STEM_profile.json),\n"
    "one a run. Runs are the samples: with fewer than 6 on a side there are figures and no\n"
    "verdict. \"slower\" and \"faster\" stand where the rank test has p < 0.05 and the change is\n"
    "more than 1 %. A single bench document: its first configuration against its second.\n"
    "\n"
    "      --fail-above P    exit code 20 when wall time, CPU time, or an operation of 5 % of the\n"
    "                        work or more is slower by more than P percent, with significance\n"
    "      --fail-shift P    exit code 20 when landmarks moved, in 5 % of the frames, by more than P\n"
    "                        percent of the eye distance\n"
    "      --outputs BASE_DIR NEW_DIR   folders with the tables of both sides (default: beside the\n"
    "                        profiles, or where the bench has put them)\n"
    "      --base-config NAME, --new-config NAME   which configuration of a bench document\n"
    "  -f, --format FORMAT   text (default), markdown, json\n"
    "  -o, --output FILE     where to write (replaced when it is there; default: stdout)\n"
    "\n"
    "Exit codes: 0 compared; 20 worse than allowed; 4 also when --fail-above or --fail-shift\n"
    "cannot be judged (too few runs, other clip, machine or build, no landmarks).\n";

enum { OPT_FAIL = 256, OPT_SHIFT, OPT_OUTPUTS, OPT_BASE, OPT_NEW };

static const struct option long_options[] = {
    {"fail-above", required_argument, NULL, OPT_FAIL},
    {"fail-shift", required_argument, NULL, OPT_SHIFT},
    {"outputs", required_argument, NULL, OPT_OUTPUTS},
    {"base-config", required_argument, NULL, OPT_BASE},
    {"new-config", required_argument, NULL, OPT_NEW},
    {"format", required_argument, NULL, 'f'},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

typedef enum format { TEXT, MARKDOWN, JSON, FORMATS } format;

typedef struct side {
    const char *const *paths;
    size_t count;
    const char *configuration;
    const char *outputs; /* NULL: as the side says */
} side;

typedef struct compare_command {
    side base, now;
    double fail_above, fail_shift; /* shares; NAN: not asked for */
    format format;
    const char *output;
    bool help;
} compare_command;

/* "5" and "5%" are 0.05. */
static bool take_percent(const char *text, double *out)
{
    char digits[32];
    size_t length = strlen(text);
    length -= length > 0 && text[length - 1] == '%';
    if (length == 0 || length >= sizeof digits)
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (!fm_cli_number(digits, out))
        return false;
    *out /= 100;
    return true;
}

static bool take_format(const char *text, format *out)
{
    static const char *const names[FORMATS] = {"text", "markdown", "json"}; /* as format */
    for (int i = 0; i < FORMATS; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (format)i;
            return true;
        }
    }
    return false;
}

/* The word behind the option's own, too. */
static int take_outputs(int argc, char **argv, compare_command *c)
{
    c->base.outputs = optarg;
    if (optind >= argc || strncmp(argv[optind], "--", 2) == 0)
        return fm_cli_usage("compare", "--outputs takes two folders");
    c->now.outputs = argv[optind++];
    return -1;
}

/* -1: go on; else the exit code to end with. */
static int take_option(int option, int argc, char **argv, compare_command *c)
{
    switch (option) {
    case OPT_FAIL:
    case OPT_SHIFT:
        if (!take_percent(optarg, option == OPT_FAIL ? &c->fail_above : &c->fail_shift))
            return fm_cli_usage("compare", "--fail-%s takes percents such as 5%%, not '%s'",
                                option == OPT_FAIL ? "above" : "shift", optarg);
        return -1;
    case OPT_OUTPUTS:
        return take_outputs(argc, argv, c);
    case OPT_BASE:
        c->base.configuration = optarg;
        return -1;
    case OPT_NEW:
        c->now.configuration = optarg;
        return -1;
    case 'f':
        return take_format(optarg, &c->format) ? -1 : fm_cli_usage("compare", "'%s' is no format", optarg);
    case 'o':
        c->output = optarg;
        return -1;
    case 'h':
        c->help = true;
        return -1;
    default:
        return fm_cli_bad_option("compare", option, argv);
    }
}

/* Where "--" stands, or argc. */
static int find_separator(int argc, char **argv)
{
    int i = 1;
    while (i < argc && strcmp(argv[i], "--") != 0)
        i++;
    return i;
}

/* Which words are which side. 0, or the exit code to end with. */
static int take_sides(compare_command *c, char **words, int count, char **behind, int behind_count)
{
    c->base.paths = (const char *const *)words;
    c->now.paths = (const char *const *)(behind ? behind : words + 1);
    c->base.count = (size_t)(behind ? count : count > 0);
    c->now.count = (size_t)(behind ? behind_count : count > 1);
    if (!behind && count > 2)
        return fm_cli_usage("compare", "more than two files: part the sides by '--', as in BASE... -- NEW...");
    if (behind && (count == 0 || behind_count == 0))
        return fm_cli_usage("compare", "'--' stands between two sides, and one has no file");
    if (count == 0 && !c->base.outputs)
        return fm_cli_usage("compare", "nothing to compare was given");
    return 0;
}

/* One document: its configurations against each other. */
static fm_status configurations_of(const char *path, side *base, side *now, char names[2][256], fm_error *err)
{
    uint8_t *data;
    size_t size;
    fm_bench *bench;
    fm_status status = fm_file_read(path, FM_PROFILE_BYTES_MAX, &data, &size, err);
    if (status != FM_OK)
        return status;
    status = fm_bench_parse(data, size, path, &bench, err);
    free(data);
    if (status != FM_OK)
        return status;
    if (bench->configuration_count < 2)
        status = fm_fail(err, FM_E_USAGE, "'%.300s' has one configuration; give a second file to compare with", path);
    if (status == FM_OK && bench->configuration_count > 2 && (!base->configuration || !now->configuration))
        status = fm_fail(err, FM_E_USAGE, "'%.300s' has %zu configurations; give --base-config and --new-config", path,
                         bench->configuration_count);
    side *const sides[] = {base, now};
    for (size_t i = 0; i < 2 && status == FM_OK; i++) {
        if (sides[i]->configuration)
            continue;
        snprintf(names[i], sizeof names[i], "%s", bench->configurations[i].name);
        sides[i]->configuration = names[i];
    }
    fm_bench_free(&bench);
    return status;
}

static fm_status load_sides(compare_command *c, fm_samples **base, fm_samples **now, fm_error *err)
{
    char names[2][256];
    fm_status status = FM_OK;
    if (c->now.count == 0) {
        status = configurations_of(c->base.paths[0], &c->base, &c->now, names, err);
        c->now.paths = c->base.paths;
        c->now.count = 1;
    }
    if (status == FM_OK)
        status = fm_samples_load(base, c->base.paths, c->base.count, c->base.configuration, err);
    if (status == FM_OK)
        status = fm_samples_load(now, c->now.paths, c->now.count, c->now.configuration, err);
    return status;
}

/* The results: where the command says, or beside the profiles of both sides. */
static fm_status compare_results(const compare_command *c, fm_comparison *comparison, fm_error *err)
{
    const fm_samples *base = comparison->base, *now = comparison->now;
    if (c->base.outputs)
        return fm_shift_measure(&comparison->shift, c->base.outputs, NULL, c->now.outputs, NULL, err);
    if (!base->tables[0] || !now->tables[0])
        return FM_OK;
    return fm_shift_measure(&comparison->shift, base->tables, base->stem, now->tables, now->stem, err);
}

static fm_status write_comparison(const compare_command *c, const fm_comparison *comparison, fm_error *err)
{
    fm_cli_output output;
    fm_status status = fm_cli_output_open(&output, c->output, err);
    if (status != FM_OK)
        return status;
    if (c->format == JSON)
        status = fm_comparison_json(output.stream, comparison, err);
    else if (c->format == MARKDOWN)
        status = fm_comparison_markdown(output.stream, comparison, err);
    else
        status = fm_comparison_text(output.stream, comparison, output.stream == stdout && fm_cli_utf8(stdout), err);
    return fm_cli_output_close(&output, status, err);
}

static fm_status judge_shift(const fm_shift *shift, double allowed, fm_error *err)
{
    if (!shift->landmarks.compared || !isfinite(shift->landmarks.share.p95))
        return fm_fail(err, FM_E_BAD_INPUT,
                       "--fail-shift cannot be judged: both sides need STEM_landmarks.csv (run with --landmarks-csv)");
    if (shift->landmarks.share.p95 <= allowed)
        return FM_OK;
    return fm_fail(err, FM_E_WORSE,
                   "landmarks moved by %.3f %% of the eye distance in 5 %% of the frames; %g %% is allowed",
                   shift->landmarks.share.p95 * 100, allowed * 100);
}

static fm_status judge(const compare_command *c, const fm_comparison *comparison, fm_error *err)
{
    fm_status status = FM_OK;
    if (isfinite(c->fail_above))
        status = fm_comparison_judge(comparison, c->fail_above, err);
    if (status == FM_OK && isfinite(c->fail_shift))
        status = judge_shift(&comparison->shift, c->fail_shift, err);
    return status;
}

static fm_status compare(compare_command *c, fm_error *err)
{
    fm_samples *base = NULL, *now = NULL;
    fm_comparison *comparison = NULL;
    fm_comparison results_alone = {0};
    fm_status status = FM_OK;
    if (c->base.count > 0) {
        status = load_sides(c, &base, &now, err);
        if (status == FM_OK)
            status = fm_comparison_make(&comparison, base, now, err);
    }
    fm_comparison *made = comparison ? comparison : &results_alone;
    if (status == FM_OK)
        status = compare_results(c, made, err);
    if (status == FM_OK)
        status = write_comparison(c, made, err);
    if (status == FM_OK)
        status = judge(c, made, err);
    fm_shift_free(&results_alone.shift);
    fm_comparison_free(&comparison);
    fm_samples_free(&base);
    fm_samples_free(&now);
    return status;
}

/* The options among the words behind argv[0]; the others are then behind them, from *rest on. As take_option. */
static int take_options(int argc, char **argv, compare_command *command, int *rest)
{
    int c, code = -1;
    fm_cli_options_anew();
    while (code < 0 && (c = getopt_long(argc, argv, ":f:o:h", long_options, NULL)) != -1)
        code = take_option(c, argc, argv, command);
    *rest = optind;
    return code;
}

int fm_cmd_compare(int argc, char **argv)
{
    compare_command command = {.fail_above = (double)NAN, .fail_shift = (double)NAN};
    const int separator = find_separator(argc, argv);
    const bool parted = separator < argc;
    int before, behind = 0;
    int code = take_options(separator, argv, &command, &before);
    if (code < 0 && parted)
        code = take_options(argc - separator, argv + separator, &command, &behind);
    if (code >= 0)
        return code;
    if (command.help) {
        fputs(help, stdout);
        return 0;
    }
    code = take_sides(&command, argv + before, separator - before, parted ? argv + separator + behind : NULL,
                      parted ? argc - separator - behind : 0);
    if (code != 0)
        return code;
    if (isfinite(command.fail_above) && command.base.count == 0)
        return fm_cli_usage("compare", "--fail-above needs profiles, and --outputs alone has none");
    fm_error err = {0};
    return compare(&command, &err) == FM_OK ? 0 : fm_cli_fail(&err);
}
