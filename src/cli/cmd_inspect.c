/* facemirror models inspect: what a model is, what runs where inside it, and how fast it is. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "inference/cache.h"
#include "inference/session.h"
#include "models/sha256.h"
#include "report/json_writer.h"
#include "report/report.h"

static const char help[] =
    "Usage: facemirror models inspect FILE.onnx [options]\n"
    "\n"
    "Says what goes into and comes out of a model, its operators and weights, which of them\n"
    "run on the accelerator and which on the CPU, and measures its latency over zeros.\n"
    "\n"
    "      --ep NAME         auto (default), cpu, coreml, cuda, openvino, webgpu, xnnpack...\n"
    "      --ep-option K=V   an option of that provider; device=gpu|npu|cpu picks a plug-in's device\n"
    "      --ep-library F    the library of a plug-in provider\n"
    "      --shape AxBxC     the size of the input, where the model leaves it open\n"
    "      --runs N          runs that are timed (50); 0: none\n"
    "      --threads N       threads inside one run (1)\n"
    "      --no-model-cache  optimise the model anew, and keep nothing for the next time\n"
    "      --json            one JSON object\n";

enum { OPT_EP = 256, OPT_EP_OPTION, OPT_EP_LIBRARY, OPT_SHAPE, OPT_RUNS, OPT_THREADS, OPT_NO_CACHE, OPT_JSON };
enum { WARM_UP_RUNS = 5, RUNS_DEFAULT = 50, RUNS_MAX = 100000 };

static const struct option long_options[] = {
    {"ep", required_argument, NULL, OPT_EP},
    {"ep-option", required_argument, NULL, OPT_EP_OPTION},
    {"ep-library", required_argument, NULL, OPT_EP_LIBRARY},
    {"shape", required_argument, NULL, OPT_SHAPE},
    {"runs", required_argument, NULL, OPT_RUNS},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"no-model-cache", no_argument, NULL, OPT_NO_CACHE},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {0},
};

typedef struct inspect_command {
    fm_cli_words ep, ep_options, ep_libraries;
    int64_t shape[FM_TENSOR_DIMS_MAX];
    int rank; /* 0: not given */
    int64_t runs, threads;
    bool no_cache, json, help;
} inspect_command;

/* Seconds of runs over zeros. */
typedef struct latency {
    const char *skipped; /* why nothing was measured; NULL: it was */
    int64_t runs;
    double first, min, p10, median, p90, max;
} latency;

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
        return fm_cli_count(optarg, RUNS_MAX, &c->runs) ? -1 : fm_cli_usage("models inspect", "--runs does not take '%s'", optarg);
    case OPT_THREADS:
        return fm_cli_count(optarg, 1024, &c->threads) && c->threads > 0
                   ? -1
                   : fm_cli_usage("models inspect", "--threads does not take '%s'", optarg);
    case OPT_NO_CACHE:
        c->no_cache = true;
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

/* --- measuring ---------------------------------------------------------------- */

static fm_status timed_run(fm_binding *binding, double *seconds, fm_error *err)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    fm_status status = fm_binding_run(binding, err);
    clock_gettime(CLOCK_MONOTONIC, &b);
    *seconds = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
    return status;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* By nearest rank. */
static double percentile(const double *sorted, int64_t count, double share)
{
    const int64_t rank = (int64_t)ceil(share * (double)count);
    return sorted[rank > 0 ? rank - 1 : 0];
}

static fm_status time_runs(fm_binding *binding, int64_t runs, latency *l, fm_error *err)
{
    double *seconds = calloc((size_t)runs, sizeof *seconds), ignored;
    if (!seconds)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for %" PRId64 " timings", runs);
    fm_status status = timed_run(binding, &l->first, err);
    for (int i = 1; status == FM_OK && i < WARM_UP_RUNS; i++)
        status = timed_run(binding, &ignored, err);
    for (int64_t i = 0; status == FM_OK && i < runs; i++)
        status = timed_run(binding, &seconds[i], err);
    if (status == FM_OK) {
        qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
        l->runs = runs;
        l->min = seconds[0];
        l->p10 = percentile(seconds, runs, 0.1);
        l->median = percentile(seconds, runs, 0.5);
        l->p90 = percentile(seconds, runs, 0.9);
        l->max = seconds[runs - 1];
    }
    free(seconds);
    return status;
}

static bool is_open(const fm_tensor_info *info)
{
    for (int i = 1; i < info->rank; i++)
        if (info->dims[i] < 0)
            return true;
    return false;
}

static fm_status measure(fm_session *session, const inspect_command *c, latency *l, fm_error *err)
{
    if (c->runs == 0)
        l->skipped = "no runs were asked for";
    else if (fm_session_input_count(session) != 1)
        l->skipped = "the model has not exactly one input";
    else if (c->rank == 0 && is_open(fm_session_input(session, 0)))
        l->skipped = "the model leaves the size of its input open; give --shape";
    if (l->skipped)
        return FM_OK;
    fm_binding *binding = NULL;
    fm_status status = c->rank > 0 ? fm_binding_create_sized(&binding, session, c->shape, c->rank, err)
                                   : fm_binding_create(&binding, session, err);
    if (status == FM_OK)
        status = time_runs(binding, c->runs, l, err);
    fm_binding_destroy(&binding);
    return status;
}

/* (p90 - p10) / median: how far the middle eighty of a hundred runs lie apart. */
static double spread(const latency *l)
{
    return l->median > 0 ? (l->p90 - l->p10) / l->median : 0;
}

/* --- showing -------------------------------------------------------------------- */

static void print_tensor(const char *kind, const fm_tensor_info *info)
{
    printf("  %-7s %s: float32 ", kind, info->name);
    for (int i = 0; i < info->rank; i++) {
        if (info->dims[i] < 0)
            printf("%s?", i ? "x" : "");
        else
            printf("%s%" PRId64, i ? "x" : "", info->dims[i]);
    }
    puts(info->rank ? "" : "scalar");
}

static void print_types(const fm_breakdown *b)
{
    printf("\n  %-34s %9s %11s %6s\n", "Operator", "Total", "Accelerator", "CPU");
    for (int i = 0; i < b->type_count; i++)
        printf("  %-34s %9d %11d %6d\n", b->types[i].op_type, b->types[i].accelerator + b->types[i].cpu,
               b->types[i].accelerator, b->types[i].cpu);
}

static void print_latency(const fm_session *session, const latency *l)
{
    printf("\n  load: %.1f ms%s\n", 1e3 * fm_session_load_seconds(session),
           fm_session_from_cache(session) ? " (the optimised graph was in the cache)" : "");
    if (l->skipped) {
        printf("  latency: not measured, %s\n", l->skipped);
        return;
    }
    printf("  first run: %.3f ms\n", 1e3 * l->first);
    printf("  latency: median %.3f ms, p90 %.3f ms, min %.3f ms, max %.3f ms, spread %.1f%% (%" PRId64
           " runs after %d to warm up)\n",
           1e3 * l->median, 1e3 * l->p90, 1e3 * l->min, 1e3 * l->max, 100 * spread(l), l->runs, WARM_UP_RUNS);
}

static void print_text(const char *path, const fm_session *session, const fm_report_model *model, const latency *l)
{
    printf("%s\n", path);
    for (int i = 0; i < fm_session_input_count(session); i++)
        print_tensor("input", fm_session_input(session, i));
    for (int i = 0; i < fm_session_output_count(session); i++)
        print_tensor("output", fm_session_output(session, i));
    printf("  runs on %s\n", fm_session_backend(session));
    fm_text_breakdown(stdout, model);
    print_types(fm_session_breakdown(session));
    print_latency(session, l);
}

static void write_tensors(fm_json *json, const char *key, const fm_session *session,
                          const fm_tensor_info *(*get)(const fm_session *, int))
{
    fm_json_open(json, key, '[');
    const fm_tensor_info *info;
    for (int i = 0; (info = get(session, i)); i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "name", info->name);
        fm_json_text(json, "type", "float32");
        fm_json_open_line(json, "shape");
        for (int k = 0; k < info->rank; k++) {
            if (info->dims[k] < 0)
                fm_json_null(json, NULL);
            else
                fm_json_integer(json, NULL, info->dims[k]);
        }
        fm_json_close_line(json);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
}

static void write_breakdown(fm_json *json, const fm_session *session)
{
    const fm_breakdown *b = fm_session_breakdown(session);
    fm_json_open(json, "breakdown", '{');
    fm_json_integer(json, "operators", b->operators);
    fm_json_integer(json, "accelerator", b->accelerator);
    fm_json_integer(json, "cpu", b->cpu);
    fm_json_real(json, "coverage", b->operators > 0 ? (double)b->accelerator / b->operators : (double)NAN);
    fm_json_integer(json, "partitions", b->partitions);
    fm_json_text(json, "fragmentation", fm_report_fragmentation(b->partitions));
    fm_json_integer(json, "crossings", b->crossings);
    fm_json_bool(json, "crossings_known", b->crossings_known);
    fm_json_open(json, "providers", '[');
    for (int i = 0; i < b->provider_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "name", b->providers[i].name);
        fm_json_integer(json, "operators", b->providers[i].operators);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_open(json, "types", '[');
    for (int i = 0; i < b->type_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "type", b->types[i].op_type);
        fm_json_integer(json, "accelerator", b->types[i].accelerator);
        fm_json_integer(json, "cpu", b->types[i].cpu);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

static fm_status write_json(const char *path, const fm_runtime *runtime, const fm_session *session, const latency *l,
                            fm_error *err)
{
    const fm_breakdown *b = fm_session_breakdown(session);
    fm_json json = fm_json_begin(stdout);
    fm_json_open(&json, NULL, '{');
    fm_json_text(&json, "file", path);
    fm_json_text(&json, "runtime", fm_runtime_version(runtime));
    write_tensors(&json, "inputs", session, fm_session_input);
    write_tensors(&json, "outputs", session, fm_session_output);
    fm_json_count(&json, "parameters", b->parameters < INT64_MAX ? b->parameters : INT64_MAX);
    fm_json_count(&json, "weight_bytes", b->weight_bytes < INT64_MAX ? b->weight_bytes : INT64_MAX);
    fm_json_text(&json, "asked", fm_session_asked(session));
    fm_json_text(&json, "backend", fm_session_backend(session));
    fm_json_text(&json, "reason", fm_session_fallback_reason(session));
    write_breakdown(&json, session);
    fm_json_real(&json, "load_seconds", fm_session_load_seconds(session));
    fm_json_bool(&json, "from_cache", fm_session_from_cache(session));
    if (l->skipped) {
        fm_json_null(&json, "latency");
    } else {
        fm_json_open(&json, "latency", '{');
        fm_json_integer(&json, "warm_up_runs", WARM_UP_RUNS);
        fm_json_integer(&json, "runs", l->runs);
        fm_json_real(&json, "first", l->first);
        fm_json_real(&json, "min", l->min);
        fm_json_real(&json, "median", l->median);
        fm_json_real(&json, "p90", l->p90);
        fm_json_real(&json, "max", l->max);
        fm_json_real(&json, "spread", spread(l));
        fm_json_close(&json, '}');
    }
    fm_json_close(&json, '}');
    return fm_json_finish(&json, "the inspection", err);
}

/* --- together --------------------------------------------------------------------- */

static fm_status show(const char *path, const fm_runtime *runtime, fm_session *session, const inspect_command *c,
                      fm_error *err)
{
    latency l = {0};
    fm_status status = measure(session, c, &l, err);
    if (status != FM_OK)
        return status;
    if (c->json)
        return write_json(path, runtime, session, &l, err);
    const fm_breakdown *b = fm_session_breakdown(session);
    fm_report_operator *fallbacks = calloc((size_t)b->type_count + 1, sizeof *fallbacks);
    if (!fallbacks)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory");
    fm_report_model model = {
        .has_breakdown = true,
        .breakdown = {.asked = fm_session_asked(session), .reason = fm_session_fallback_reason(session),
                      .operators = b->operators, .accelerator = b->accelerator, .partitions = b->partitions,
                      .crossings = b->crossings, .crossings_known = b->crossings_known,
                      .parameters = (int64_t)(b->parameters & INT64_MAX),
                      .weight_bytes = (int64_t)(b->weight_bytes & INT64_MAX), .fallbacks = fallbacks},
    };
    for (int i = 0; i < b->type_count; i++)
        if (b->types[i].cpu > 0)
            fallbacks[model.breakdown.fallback_count++] = (fm_report_operator){b->types[i].op_type, b->types[i].cpu};
    print_text(path, session, &model, &l);
    free(fallbacks);
    return fm_stream_status(stdout, "the inspection", err);
}

static void on_log(void *opaque, const char *message)
{
    (void)opaque;
    fprintf(stderr, "facemirror: warning: %s\n", message);
}

static fm_status open_model(fm_session **out, fm_runtime *runtime, const char *path, const fm_provider_options *providers,
                            const inspect_command *c, fm_error *err)
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
