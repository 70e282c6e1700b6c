/* facemirror models inspect: what a model is, what runs where inside it, and how fast it is. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/inspect.h"
#include "inference/cache.h"
#include "models/sha256.h"

static const char help[] =
    "Usage: facemirror models inspect FILE.onnx [options]\n"
    "\n"
    "Says what goes into and comes out of a model, its operators and weights, which of them\n"
    "run on the accelerator and which on the CPU, and measures its latency over zeros; then, in\n"
    "runs of their own, where the time goes inside: by operator type, the costliest nodes, what\n"
    "boundaries between devices cost.\n"
    "\n"
    "      --ep NAME         auto (default), cpu, coreml, cuda, openvino, webgpu, xnnpack...\n"
    "      --ep-option K=V   an option of that provider; device=gpu|npu|cpu picks a plug-in's device\n"
    "      --ep-library F    the library of a plug-in provider\n"
    "      --shape AxBxC     the size of the input, where the model leaves it open\n"
    "      --runs N          runs that are timed (50); 0: none\n"
    "      --threads N       threads inside one run (1)\n"
    "      --no-model-cache  optimise the model anew, and keep nothing for the next time\n"
    "      --no-nodes        no times of single nodes, and multiplications (MACs) are not counted\n"
    "      --json            one JSON object\n";

enum { OPT_EP = 256, OPT_EP_OPTION, OPT_EP_LIBRARY, OPT_SHAPE, OPT_RUNS, OPT_THREADS, OPT_NO_CACHE, OPT_NO_NODES,
       OPT_JSON };
enum { RUNS_DEFAULT = 50, RUNS_MAX = 100000 };

static const struct option long_options[] = {
    {"ep", required_argument, NULL, OPT_EP},
    {"ep-option", required_argument, NULL, OPT_EP_OPTION},
    {"ep-library", required_argument, NULL, OPT_EP_LIBRARY},
    {"shape", required_argument, NULL, OPT_SHAPE},
    {"runs", required_argument, NULL, OPT_RUNS},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"no-model-cache", no_argument, NULL, OPT_NO_CACHE},
    {"no-nodes", no_argument, NULL, OPT_NO_NODES},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {0},
};

typedef struct inspect_command {
    fm_cli_words ep, ep_options, ep_libraries;
    int64_t shape[FM_TENSOR_DIMS_MAX];
    int rank; /* 0: not given */
    int64_t runs, threads;
    bool no_cache, no_nodes, json, help;
} inspect_command;

/* --- arguments --------------------------------------------------------------- */

static bool parse_shape(const char *text, inspect_command *c)
{
    c->rank = 0;
    for (const char *at = text;;) {
        char *end;
        errno = 0;
        const long long dim = strtoll(at, &end, 10);
        if (end == at || errno || dim < 1 || c->rank == FM_TENSOR_DIMS_MAX)
            return false;
        c->shape[c->rank++] = dim;
        if (!*end)
            return true;
        if (*end != 'x')
            return false;
        at = end + 1;
    }
}

/* -1: go on; else the exit code to end with. */
static int take_option(int option, char **argv, inspect_command *c)
{
    switch (option) {
    case OPT_EP:
        return fm_cli_words_add(&c->ep, optarg, "models inspect", "--ep");
    case OPT_EP_OPTION:
        return fm_cli_words_add(&c->ep_options, optarg, "models inspect", "--ep-option");
    case OPT_EP_LIBRARY:
        return fm_cli_words_add(&c->ep_libraries, optarg, "models inspect", "--ep-library");
    case OPT_SHAPE:
        return parse_shape(optarg, c) ? -1 : fm_cli_usage("models inspect", "--shape does not take '%s'", optarg);
    case OPT_RUNS:
        return fm_cli_count(optarg, RUNS_MAX, &c->runs)
                   ? -1
                   : fm_cli_usage("models inspect", "--runs does not take '%s'", optarg);
    case OPT_THREADS:
        return fm_cli_count(optarg, 1024, &c->threads) && c->threads > 0
                   ? -1
                   : fm_cli_usage("models inspect", "--threads does not take '%s'", optarg);
    case OPT_NO_CACHE:
        c->no_cache = true;
        return -1;
    case OPT_NO_NODES:
        c->no_nodes = true;
        return -1;
    case OPT_JSON:
        c->json = true;
        return -1;
    case 'h':
        c->help = true;
        return -1;
    default:
        return fm_cli_bad_option("models inspect", option, argv);
    }
}

/* --- together --------------------------------------------------------------------- */

static fm_status show(const char *path, fm_runtime *runtime, fm_session *session, const inspect_command *c,
                      fm_error *err)
{
    const fm_inspect_options options = {.dims = c->shape, .rank = c->rank, .runs = c->runs, .no_nodes = c->no_nodes};
    fm_inspection inspection = {.path = path, .runtime = runtime, .session = session};
    fm_status status = fm_inspect_measure(&inspection, runtime, &options, err);
    if (status == FM_OK)
        status = c->json ? fm_inspect_write_json(&inspection, err) : fm_inspect_print(&inspection, err);
    fm_inspect_free(&inspection);
    return status;
}

static void on_log(void *opaque, const char *message)
{
    (void)opaque;
    fprintf(stderr, "facemirror: warning: %s\n", message);
}

static fm_status open_model(fm_session **out, fm_runtime *runtime, const char *path,
                            const fm_provider_options *providers, const inspect_command *c, fm_error *err)
{
    char cache_dir[FM_PATH_MAX], sha256[FM_SHA256_HEX];
    fm_error ignored = {0}; /* a file that cannot be read is told of on opening it */
    const bool cached = !c->no_cache && fm_cache_dir(cache_dir) && fm_sha256_file(path, sha256, &ignored) == FM_OK;
    const fm_session_options options = {
        .intra_threads = (int)c->threads,
        .provider = fm_provider_for(providers, ""),
        .input_dims = c->rank > 0 ? c->shape : NULL,
        .input_rank = c->rank,
        .cache_dir = cached ? cache_dir : NULL,
        .sha256 = cached ? sha256 : NULL,
    };
    return fm_session_open(out, runtime, path, &options, err);
}

static fm_status inspect(const char *path, const inspect_command *c, fm_error *err)
{
    const fm_provider_options providers = fm_cli_providers(&c->ep, &c->ep_options, &c->ep_libraries);
    fm_runtime *runtime = NULL;
    fm_session *session = NULL;
    fm_status status = fm_provider_options_check(&providers, NULL, 0, err);
    if (status == FM_OK)
        status = fm_runtime_create(&runtime, on_log, NULL, err);
    for (int i = 0; status == FM_OK && i < providers.library_count; i++)
        status = fm_runtime_add_library(runtime, providers.libraries[i], err);
    if (status == FM_OK)
        status = open_model(&session, runtime, path, &providers, c, err);
    if (status == FM_OK)
        status = show(path, runtime, session, c, err);
    fm_session_close(&session);
    fm_runtime_destroy(&runtime);
    return status;
}

int fm_cmd_inspect(int argc, char **argv)
{
    inspect_command command = {.runs = RUNS_DEFAULT, .threads = 1};
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
    if (argc - optind != 1)
        return fm_cli_usage("models inspect", "inspect takes one model");
    fm_error err = {0};
    return inspect(argv[optind], &command, &err) == FM_OK ? 0 : fm_cli_fail(&err);
}
