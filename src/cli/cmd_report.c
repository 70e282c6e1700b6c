/* facemirror report: a profile or a trace that was written before, in any format. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "advice/what_if_print.h"
#include "cli/cli.h"
#include "cli/output_stream.h"
#include "cli/profiles.h"

static const char help[] =
    "Usage: facemirror report FILE... [--format FORMAT] [-o OUT]\n"
    "\n"
    "Shows the profile of a run that has ended. FILE is a profile (STEM_profile.json) or the\n"
    "trace of a run (STEM_trace.fmptrace); several profiles are added up, as by 'merge'.\n"
    "\n"
    "  -f, --format FORMAT\n"
    "        of a profile:\n"
    "          text        tables (default)\n"
    "          json        the profile itself\n"
    "          csv         one row an operation\n"
    "          speedscope  for speedscope.app\n"
    "          folded      collapsed stacks, for flame graphs\n"
    "        of a trace:\n"
    "          trace       Chrome Trace Event JSON: ui.perfetto.dev, chrome://tracing\n"
    "          perfetto    Perfetto's protobuf, for long runs\n"
    "          speedscope, folded\n"
    "          compat      every sample, in the shape {timings, memory, counts}\n"
    "      --what-if CHANGES\n"
    "        predicts the speed of the run if operations of it were faster, slower, or absent, by a\n"
    "        simulation of its stages, threads and queues; as text or json. Several by comma:\n"
    "          MTL=2x      a model, operation, category or stage twice as fast (0.5x: half as fast)\n"
    "          debug=off   not done at all\n"
    "          MTL=+3ms    a call takes so much more (-3ms: less, 3ms: exactly that; s, ms, us)\n"
    "        ':cpu' or ':wait' behind a change: its time is a processor's, or is not. The option may\n"
    "        be repeated, each time as a question of its own.\n"
    "  -o, --output OUT    where to write (replaced when it is there; default: stdout)\n"
    "      --subtract-cost take the profiler's own cost out of the figures of a profile\n"
    "      --rules FILE    thresholds for the findings of text and json: lines 'name = value'\n"
    "  For text:\n"
    "      --sort KEY      total (default), self, count, mean, max, p99, name\n"
    "      --percentiles   p50, p90, p99 and p99.9 in the place of min and max\n"
    "      --self          a column of self times in every category\n";

typedef enum format {
    TEXT, JSON, CSV, SPEEDSCOPE, FOLDED, CHROME, PERFETTO, COMPAT, FORMATS, NONE = FORMATS
} format;

static const struct {
    const char *name;
    bool of_profile, of_trace;
} formats[FORMATS] = {
    [TEXT] = {"text", true, false},          [JSON] = {"json", true, false},
    [CSV] = {"csv", true, false},            [SPEEDSCOPE] = {"speedscope", true, true},
    [FOLDED] = {"folded", true, true},       [CHROME] = {"trace", false, true},
    [PERFETTO] = {"perfetto", false, true},  [COMPAT] = {"compat", false, true},
};
#define PROFILE_FORMATS "text, json, csv, speedscope, folded"
#define TRACE_FORMATS "trace, perfetto, speedscope, folded, compat"

typedef struct report_command {
    format format;
    const char *output, *rules;
    fm_report_options text;
    bool sort_given, subtract_cost, help;
    fm_cli_words what_if;
} report_command;

enum { OPT_SORT = 256, OPT_PERCENTILES, OPT_SELF, OPT_SUBTRACT, OPT_WHAT_IF, OPT_RULES };

static format find_format(const char *name)
{
    format f = TEXT;
    while (f < FORMATS && strcmp(formats[f].name, name) != 0)
        f++;
    return f;
}

static bool take_sort(const char *name, report_command *command)
{
    command->sort_given = fm_cli_sort(name, &command->text.sort);
    return command->sort_given;
}

/* -1: go on; else the exit code to end with. */
static int take_option(int c, char **argv, report_command *command)
{
    switch (c) {
    case 'f':
        command->format = find_format(optarg);
        if (command->format == NONE)
            return fm_cli_usage("report", "'%s' is no format", optarg);
        return -1;
    case 'o':
        command->output = optarg;
        return -1;
    case 'h':
        command->help = true;
        return -1;
    case OPT_SORT:
        return take_sort(optarg, command) ? -1 : fm_cli_usage("report", "--sort does not take '%s'", optarg);
    case OPT_PERCENTILES:
        command->text.percentiles = true;
        return -1;
    case OPT_SELF:
        command->text.self = true;
        return -1;
    case OPT_SUBTRACT:
        command->subtract_cost = true;
        return -1;
    case OPT_WHAT_IF:
        return fm_cli_words_add(&command->what_if, optarg, "report", "--what-if");
    case OPT_RULES:
        command->rules = optarg;
        return -1;
    default:
        return fm_cli_bad_option("report", c, argv);
    }
}

/* What a printer of fmprof/export.h returned. */
static fm_status printed(int result, fm_error *err)
{
    if (result == 0)
        return FM_OK;
    const int cause = errno ? errno : EIO;
    return fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT), "cannot write the report: %s", strerror(cause));
}

static fm_status write_profile(FILE *out, const fm_profile *profile, const report_command *command, const char *title,
                               fm_error *err)
{
    if (command->what_if.count > 0) {
        const fm_what_if_options options = {.json = command->format == JSON, .utf8 = command->text.utf8};
        return fm_what_if_print(out, &profile->run, profile->snapshot, command->what_if.list,
                                (size_t)command->what_if.count, &options, err);
    }
    switch (command->format) {
    case JSON:
        return fm_profile_write(out, profile, err);
    case CSV:
        return printed(fmp_print_csv(out, profile->snapshot), err);
    case SPEEDSCOPE:
        return printed(fmp_print_speedscope(out, profile->snapshot, title), err);
    case FOLDED:
        return printed(fmp_print_folded(out, profile->snapshot), err);
    default:
        return fm_report_text(out, profile->snapshot, &profile->run, &command->text, err);
    }
}

static fm_status write_trace(FILE *out, const fmp_trace *trace, const report_command *command, const char *title,
                             fm_error *err)
{
    switch (command->format) {
    case PERFETTO:
        return printed(fmp_print_perfetto(out, trace), err);
    case SPEEDSCOPE:
        return printed(fmp_print_speedscope_trace(out, trace, title), err);
    case FOLDED:
        return printed(fmp_print_folded_trace(out, trace), err);
    case COMPAT:
        return fm_report_compat_json(out, trace, NULL, err);
    default:
        return printed(fmp_print_chrome_trace(out, trace), err);
    }
}

static fm_status report_profiles(report_command *command, char *const *paths, size_t count, fm_error *err)
{
    fm_profile *profile = NULL;
    fm_advice *advice = NULL;
    fm_cli_output output;
    fm_status status = fm_cli_load_profiles(paths, count, &profile, err);
    if (status == FM_OK && command->subtract_cost)
        fmp_snapshot_subtract_cost(profile->snapshot);
    if (status == FM_OK)
        status = fm_cli_advise(profile, command->rules, &advice, err);
    if (status == FM_OK)
        status = fm_cli_output_open(&output, command->output, err);
    if (status == FM_OK) {
        command->text.utf8 = output.stream == stdout && fm_cli_utf8(stdout);
        const char *title = profile->run.input ? profile->run.input : fm_path_name(paths[0]);
        status = write_profile(output.stream, profile, command, title, err);
        status = fm_cli_output_close(&output, status, err);
    }
    fm_advice_free(&advice);
    fm_profile_free(&profile);
    return status;
}

static fm_status report_trace(const report_command *command, const char *path, fm_error *err)
{
    char message[FM_ERROR_MESSAGE_MAX]; /* it names the file */
    fmp_trace *trace = fmp_trace_read(path, message, sizeof message);
    if (!trace)
        return fm_fail(err, FM_E_BAD_INPUT, "%s", message);
    if (!trace->complete)
        fprintf(stderr, "facemirror: warning: the program did not end '%s': it holds what came before\n", path);
    if (trace->dropped > 0)
        fprintf(stderr, "facemirror: warning: '%s' lacks %llu events, for which its buffers were too small\n", path,
                (unsigned long long)trace->dropped);
    fm_cli_output output;
    fm_status status = fm_cli_output_open(&output, command->output, err);
    if (status == FM_OK) {
        status = write_trace(output.stream, trace, command, fm_path_name(path), err);
        status = fm_cli_output_close(&output, status, err);
    }
    fmp_trace_free(&trace);
    return status;
}

/* Does the file begin as traces do? */
static fm_status is_trace(const char *path, bool *trace, fm_error *err)
{
    static const char magic[] = "FMPTRACE"; /* docs/trace-format.md */
    char head[sizeof magic - 1];
    *trace = false;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* opening a FIFO must not hang */
    if (fd < 0)
        return fm_fail(err, FM_E_NOT_FOUND, "cannot open '%s': %s", path, strerror(errno));
    *trace = read(fd, head, sizeof head) == (ssize_t)sizeof head && memcmp(head, magic, sizeof head) == 0;
    close(fd);
    return FM_OK;
}

/* 0: the format fits; else the exit code to end with. */
static int check_format(report_command *command, bool trace, const char *path)
{
    if (command->format == NONE && !trace)
        command->format = TEXT;
    if (command->format == NONE)
        return fm_cli_usage("report", "'%s' is a trace; say which --format: " TRACE_FORMATS, path);
    const char *name = formats[command->format].name;
    if (trace && !formats[command->format].of_trace)
        return fm_cli_usage("report", "'%s' is a trace, which --format %s does not fit, but these do: " TRACE_FORMATS,
                            path, name);
    if (!trace && !formats[command->format].of_profile)
        return fm_cli_usage("report", "'%s' is no trace, as --format %s needs; a profile can be: " PROFILE_FORMATS,
                            path, name);
    if (command->format != TEXT && (command->sort_given || command->text.percentiles || command->text.self))
        return fm_cli_usage("report", "--sort, --percentiles and --self are for --format text");
    if (command->what_if.count > 0 && (trace || (command->format != TEXT && command->format != JSON)))
        return fm_cli_usage("report", "--what-if is for profiles, and for --format text or json");
    if (command->rules && command->format != TEXT && command->format != JSON)
        return fm_cli_usage("report", "--rules is for --format text and json");
    if (trace && command->subtract_cost)
        return fm_cli_usage("report", "--subtract-cost is for profiles, and '%s' is a trace", path);
    if (command->format == PERFETTO && (!command->output || strcmp(command->output, "-") == 0) && isatty(STDOUT_FILENO))
        return fm_cli_usage("report", "--format perfetto is binary; write it to a file with -o");
    return 0;
}

int fm_cmd_report(int argc, char **argv)
{
    static const struct option options[] = {
        {"format", required_argument, NULL, 'f'},
        {"output", required_argument, NULL, 'o'},
        {"sort", required_argument, NULL, OPT_SORT},
        {"percentiles", no_argument, NULL, OPT_PERCENTILES},
        {"self", no_argument, NULL, OPT_SELF},
        {"subtract-cost", no_argument, NULL, OPT_SUBTRACT},
        {"what-if", required_argument, NULL, OPT_WHAT_IF},
        {"rules", required_argument, NULL, OPT_RULES},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    report_command command = {.format = NONE};
    int c, code;
    while ((c = getopt_long(argc, argv, ":f:o:h", options, NULL)) != -1) {
        if ((code = take_option(c, argv, &command)) >= 0)
            return code;
    }
    if (command.help) {
        fputs(help, stdout);
        return 0;
    }
    const int files = argc - optind;
    if (files < 1)
        return fm_cli_usage("report", "no profile was given");

    fm_error err = {0};
    bool trace = false;
    for (int i = 0; i < files && !trace; i++) {
        if (is_trace(argv[optind + i], &trace, &err) != FM_OK)
            return fm_cli_fail(&err);
        if (trace && files > 1)
            return fm_cli_usage("report", "'%s' is a trace, and only profiles can be added up", argv[optind + i]);
    }
    if ((code = check_format(&command, trace, argv[optind])) != 0)
        return code;
    const fm_status status = trace ? report_trace(&command, argv[optind], &err)
                                   : report_profiles(&command, argv + optind, (size_t)files, &err);
    return status == FM_OK ? 0 : fm_cli_fail(&err);
}
