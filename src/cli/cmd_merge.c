/* facemirror merge: the profiles of several runs become one. */
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/output_stream.h"
#include "cli/profiles.h"

static const char help[] =
    "Usage: facemirror merge FILE.json FILE.json... [-o OUT.json]\n"
    "\n"
    "Adds up the profiles of several runs, of one machine or of several: counts, times and\n"
    "histograms add exactly, percentiles are taken anew, peaks are the largest. Facts in which\n"
    "the runs differ (machine, build, models) are noted in the result.\n"
    "\n"
    "  -o, --output FILE   where to write (replaced when it is there; default: stdout)\n";

int fm_cmd_merge(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *path = NULL;
    int c;
    while ((c = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
        switch (c) {
        case 'o':
            path = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            return fm_cli_bad_option("merge", c, argv);
        }
    }
    if (argc - optind < 2)
        return fm_cli_usage("merge", "merge takes two profiles or more");

    fm_error err = {0};
    fm_profile *profile = NULL;
    fm_advice *advice = NULL;
    fm_cli_output output;
    fm_status status = fm_cli_load_profiles(argv + optind, (size_t)(argc - optind), &profile, &err);
    if (status == FM_OK)
        status = fm_cli_advise(profile, NULL, &advice, &err);
    if (status == FM_OK)
        status = fm_cli_output_open(&output, path, &err);
    if (status == FM_OK)
        status = fm_cli_output_close(&output, fm_profile_write(output.stream, profile, &err), &err);
    fm_advice_free(&advice);
    fm_profile_free(&profile);
    return status == FM_OK ? 0 : fm_cli_fail(&err);
}
