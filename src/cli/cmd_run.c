/* facemirror run: clips in; mirrored videos, tables and the profile out. */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/output_stream.h"
#include "cli/run_summary.h"
#include "cli/system_option.h"
#include "fmprof/bridge.h"
#include "inference/provider.h"
#include "models/pack.h"

static const char help[] =
    "Usage: facemirror [run] VIDEO... [-o DIR] [options]\n"
    "\n"
    "Finds the face and its midline in each clip and writes, for STEM.mp4:\n"
    "  STEM_left_mirrored.mp4, STEM_right_mirrored.mp4   the patient's left or right half, mirrored\n"
    "  STEM_debug.mp4                                    landmarks, midline, head pose\n"
    "  STEM_left_mirrored.csv, STEM_right_mirrored.csv   action units, one row a frame\n"
    "  STEM_profile.json                                 where the time went\n"
    "\n"
    "  -o, --output DIR      folder of the outputs, made when missing (default: beside the clip)\n"
    "      --overwrite       replace outputs that are there\n"
    "      --mode MODE       mirror+au (default), mirror, au\n"
    "      --midline KIND    robust (default), brow-chin, pupils\n"
    "      --landmarks KIND  which of the pack's landmark models; of the default pack: attention\n"
    "                        (default: 478 points, lips and eyes closely), plain (faster)\n"
    "      --detector-interval N   the detector looks every N frames also while a face is followed;\n"
    "                        0: only when it is lost (default: 0, or 15 with STAR)\n"
    "      --neutral T       the face is neutral at T seconds (default: estimated over the clip)\n"
    "      --neutral-image F a still of the neutral face\n"
    "      --start T         begin at T seconds (or M:SS)\n"
    "      --duration T      process T seconds\n"
    "      --max-frames N    process N frames\n"
    "      --no-smooth       no filter over time on landmarks and midline\n"
    "      --smooth-cutoff HZ, --smooth-beta B   constants of that filter\n"
    "      --no-flip-average landmarks from one look; default: the mean of the picture and its\n"
    "                        mirror image, which takes out the network's own asymmetry\n"
    "      --no-debug        no debug video\n"
    "      --landmarks-csv   also STEM_landmarks.csv, with blendshapes where the pack has them\n"
    "      --encoder NAME    videotoolbox, nvenc, qsv, vaapi, x264 or FFmpeg's name\n"
    "                        (default: the first of these that works here)\n"
    "      --models PACK     a model pack: the name of an installed one, or a folder\n"
    "      --ep NAME         where models run: auto (default: the fastest of what works here), cpu,\n"
    "                        coreml, cuda, tensorrt, openvino, webgpu, xnnpack...; MODEL=NAME for\n"
    "                        one model (BlazeFace, FaceMesh); may be repeated\n"
    "      --ep-option K=V   an option of that provider; device=gpu|npu|cpu picks a plug-in's device\n"
    "      --ep-library F    the library of a plug-in provider\n"
    "      --no-model-cache  optimise the models anew, and keep nothing for the next run\n"
    "      --au-batch N      faces in one run of a network that estimates action units (4)\n"
    "      --threads N       processor threads to plan for (default: all)\n"
    "      --trace           also every event: STEM_trace.fmptrace, and STEM_trace.json for\n"
    "                        ui.perfetto.dev\n"
    "      --profile-sort K  total (default), self, count, mean, max, p99, name\n"
    "      --profile-percentiles, --profile-self   more columns in the report\n"
    "      --profile-subtract-cost   take the profiler's own cost out of the figures\n"
    "      --profile-ops[=N] times of the models' single operators, from one of N runs (32)\n"
    "      --system[=LIST]   also the system's side of the run: cpu, memory, sample, syscalls, gpu,\n"
    "                        energy by comma, usual (default: all but syscalls, which slows the run\n"
    "                        down) or all; 'sample' writes STEM_samples.folded for flame graphs and\n"
    "                        STEM_samples.speedscope.json for speedscope.app\n"
    "      --system-alloc S  allocations with their stacks: 'exact' (each), or one every S bytes\n"
    "                        (512K)\n"
    "      --system-rate HZ  samples a second of CPU time of each thread (199)\n"
    "      --rules FILE      thresholds for the findings at the report's end: lines 'name = value'\n"
    "      --profile-json-compat     also STEM_profile_compat.json: every sample\n"
    "  -q, --quiet           no progress, no report; errors only\n"
    "      --json            a machine-readable summary on stdout instead of the report\n";

enum {
    OPT_OVERWRITE = 256,
    OPT_MODE,
    OPT_MIDLINE,
    OPT_MESH,
    OPT_INTERVAL,
    OPT_NEUTRAL,
    OPT_NEUTRAL_IMAGE,
    OPT_START,
    OPT_DURATION,
    OPT_MAX_FRAMES,
    OPT_NO_SMOOTH,
    OPT_CUTOFF,
    OPT_BETA,
    OPT_NO_FLIP,
    OPT_NO_DEBUG,
    OPT_LANDMARKS,
    OPT_ENCODER,
    OPT_MODELS,
    OPT_THREADS,
    OPT_AU_BATCH,
    OPT_EP,
    OPT_EP_OPTION,
    OPT_EP_LIBRARY,
    OPT_NO_CACHE,
    OPT_JSON,
    OPT_TRACE,
    OPT_SORT,
    OPT_PERCENTILES,
    OPT_SELF,
    OPT_SUBTRACT,
    OPT_COMPAT,
    OPT_OPS,
    OPT_RULES,
    OPT_SYSTEM,
    OPT_SYSTEM_ALLOC,
    OPT_SYSTEM_RATE
};

static const struct option long_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"overwrite", no_argument, NULL, OPT_OVERWRITE},
    {"mode", required_argument, NULL, OPT_MODE},
    {"midline", required_argument, NULL, OPT_MIDLINE},
    {"landmarks", required_argument, NULL, OPT_MESH},
    {"detector-interval", required_argument, NULL, OPT_INTERVAL},
    {"neutral", required_argument, NULL, OPT_NEUTRAL},
    {"neutral-image", required_argument, NULL, OPT_NEUTRAL_IMAGE},
    {"start", required_argument, NULL, OPT_START},
    {"duration", required_argument, NULL, OPT_DURATION},
    {"max-frames", required_argument, NULL, OPT_MAX_FRAMES},
    {"no-smooth", no_argument, NULL, OPT_NO_SMOOTH},
    {"smooth-cutoff", required_argument, NULL, OPT_CUTOFF},
    {"smooth-beta", required_argument, NULL, OPT_BETA},
    {"no-flip-average", no_argument, NULL, OPT_NO_FLIP},
    {"no-debug", no_argument, NULL, OPT_NO_DEBUG},
    {"landmarks-csv", no_argument, NULL, OPT_LANDMARKS},
    {"encoder", required_argument, NULL, OPT_ENCODER},
    {"models", required_argument, NULL, OPT_MODELS},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"au-batch", required_argument, NULL, OPT_AU_BATCH},
    {"ep", required_argument, NULL, OPT_EP},
    {"ep-option", required_argument, NULL, OPT_EP_OPTION},
    {"ep-library", required_argument, NULL, OPT_EP_LIBRARY},
    {"no-model-cache", no_argument, NULL, OPT_NO_CACHE},
    {"quiet", no_argument, NULL, 'q'},
    {"json", no_argument, NULL, OPT_JSON},
    {"trace", no_argument, NULL, OPT_TRACE},
    {"profile-sort", required_argument, NULL, OPT_SORT},
    {"profile-percentiles", no_argument, NULL, OPT_PERCENTILES},
    {"profile-self", no_argument, NULL, OPT_SELF},
    {"profile-subtract-cost", no_argument, NULL, OPT_SUBTRACT},
    {"profile-ops", optional_argument, NULL, OPT_OPS},
    {"rules", required_argument, NULL, OPT_RULES},
    {"system", optional_argument, NULL, OPT_SYSTEM},
    {"system-alloc", required_argument, NULL, OPT_SYSTEM_ALLOC},
    {"system-rate", required_argument, NULL, OPT_SYSTEM_RATE},
    {"profile-json-compat", no_argument, NULL, OPT_COMPAT},
    {"help", no_argument, NULL, 'h'},
    {0},
};

typedef struct run_command {
    fm_run_options options;
    fm_cli_words ep, ep_options, ep_libraries;
    fm_cli_progress progress;
    bool quiet, json, help;
} run_command;

static bool choose(const char *text, const char *const *names, int count, int *out)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* Options that carry a value to be understood. True: fine. */
static bool take_value(int c, fm_run_options *o)
{
    static const char *const modes[] = {"mirror+au", "mirror", "au"};       /* as fm_run_mode */
    static const char *const midlines[] = {"robust", "brow-chin", "pupils"}; /* as fm_midline_mode */
    int choice = 0;
    int64_t count = 0;
    bool good = true;
    switch (c) {
    case OPT_MODE:
        good = choose(optarg, modes, 3, &choice);
        o->mode = (fm_run_mode)choice;
        break;
    case OPT_MIDLINE:
        good = choose(optarg, midlines, 3, &choice);
        o->midline = (fm_midline_mode)choice;
        break;
    case OPT_INTERVAL:
        good = fm_cli_count(optarg, INT_MAX, &count);
        o->detector_interval = count > 0 ? (int)count : FM_DETECT_WHEN_LOST;
        break;
    case OPT_SORT:
        good = fm_cli_sort(optarg, &o->profile.sort);
        break;
    case OPT_NEUTRAL:
        good = fm_cli_seconds(optarg, &o->neutral_seconds);
        o->neutral = FM_NEUTRAL_TIME;
        break;
    case OPT_START:
        good = fm_cli_seconds(optarg, &o->start);
        break;
    case OPT_DURATION:
        good = fm_cli_seconds(optarg, &o->duration) && o->duration > 0;
        break;
    case OPT_MAX_FRAMES:
        good = fm_cli_count(optarg, INT64_MAX, &o->max_frames) && o->max_frames > 0;
        break;
    case OPT_CUTOFF:
        good = fm_cli_number(optarg, &o->smooth_cutoff_hz) && o->smooth_cutoff_hz > 0;
        break;
    case OPT_BETA:
        good = fm_cli_number(optarg, &o->smooth_beta);
        break;
    case OPT_OPS:
        count = FM_OPS_EVERY;
        good = !optarg || (fm_cli_count(optarg, INT32_MAX, &count) && count > 0);
        o->profile.ops_every = (int)count;
        break;
    case OPT_SYSTEM_ALLOC:
        good = fm_cli_system_alloc(optarg, o);
        break;
    case OPT_SYSTEM_RATE:
        good = fm_cli_system_rate(optarg, o);
        break;
    case OPT_THREADS:
        good = fm_cli_count(optarg, 1024, &count) && count > 0;
        o->threads = (int)count;
        break;
    case OPT_AU_BATCH:
        good = fm_cli_count(optarg, FM_AU_BATCH_MAX, &count) && count > 0;
        o->au_batch = (int)count;
        break;
    default:
        break;
    }
    return good;
}

static const char *option_name(int c)
{
    for (const struct option *option = long_options; option->name; option++) {
        if (option->val == c)
            return option->name;
    }
    return "?";
}

/* -1: go on; else the exit code to end with. */
static int take_option(int c, char **argv, run_command *command)
{
    fm_run_options *o = &command->options;
    switch (c) {
    case 'o':
        o->output_dir = optarg;
        return -1;
    case OPT_OVERWRITE:
        o->overwrite = true;
        return -1;
    case OPT_NEUTRAL_IMAGE:
        o->neutral_image = optarg;
        o->neutral = FM_NEUTRAL_IMAGE;
        return -1;
    case OPT_TRACE:
        o->profile.trace = true;
        return -1;
    case OPT_PERCENTILES:
        o->profile.percentiles = true;
        return -1;
    case OPT_SELF:
        o->profile.self = true;
        return -1;
    case OPT_SUBTRACT:
        o->profile.subtract_cost = true;
        return -1;
    case OPT_RULES:
        o->profile.rules = optarg;
        return -1;
    case OPT_SYSTEM:
        return fm_cli_system_list(optarg, o);
    case OPT_COMPAT:
        o->profile.compat_json = true;
        return -1;
    case OPT_NO_SMOOTH:
        o->no_smooth = true;
        return -1;
    case OPT_NO_FLIP:
        o->no_flip_average = true;
        return -1;
    case OPT_NO_DEBUG:
        o->no_debug_video = true;
        return -1;
    case OPT_LANDMARKS:
        o->landmarks_csv = true;
        return -1;
    case OPT_ENCODER:
        o->encoder = optarg;
        return -1;
    case OPT_MODELS:
        o->models = optarg;
        return -1;
    case OPT_MESH:
        o->landmarks = optarg;
        return -1;
    case OPT_EP:
        return fm_cli_words_add(&command->ep, optarg, "run", "--ep");
    case OPT_EP_OPTION:
        return fm_cli_words_add(&command->ep_options, optarg, "run", "--ep-option");
    case OPT_EP_LIBRARY:
        return fm_cli_words_add(&command->ep_libraries, optarg, "run", "--ep-library");
    case OPT_NO_CACHE:
        o->no_model_cache = true;
        return -1;
    case OPT_JSON:
        command->json = true;
        return -1;
    case 'q':
        command->quiet = true;
        return -1;
    case 'h':
        command->help = true;
        return -1;
    case '?':
    case ':':
        return fm_cli_bad_option("run", c, argv);
    default:
        if (!take_value(c, o))
            return fm_cli_usage("run", "--%s does not take '%s'", option_name(c), optarg);
        return -1;
    }
}

static fm_status check_providers(const run_command *command, const fm_pack *pack, fm_error *err)
{
    const char *names[FM_PACK_MODELS_MAX];
    for (int i = 0; i < pack->model_count; i++)
        names[i] = pack->models[i].name;
    const fm_provider_options providers = fm_cli_providers(&command->ep, &command->ep_options, &command->ep_libraries);
    return fm_provider_options_check(&providers, names, (size_t)pack->model_count, err);
}

int fm_cli_run_check(int argc, char **argv, struct fm_pack **pack)
{
    run_command command = {.options = fm_run_defaults()};
    fm_error err = {0};
    int c;
    fm_cli_options_anew();
    while ((c = getopt_long(argc, argv, ":o:qh", long_options, NULL)) != -1) {
        if (c == 'o' || c == 'q' || c == 'h' || c == OPT_JSON)
            return fm_cli_usage("bench", "-o, -q, --json and --help are not for a configuration");
        const int code = take_option(c, argv, &command);
        if (code >= 0)
            return code;
    }
    if (optind < argc)
        return fm_cli_usage("bench", "'%s' is no option of a run; the clip is the same for all configurations",
                            argv[optind]);
    const int code = fm_cli_system_check(&command.options);
    if (code >= 0)
        return code;
    fm_status status = fm_pack_find(pack, command.options.models, &err);
    if (status == FM_OK)
        status = check_providers(&command, *pack, &err);
    return status == FM_OK ? 0 : fm_cli_fail(&err);
}

/* Whether two paths name one folder, however they are spelt. */
static bool same_folder(const char *a, const char *b)
{
    struct stat x, y;
    return strcmp(a, b) == 0 ||
           (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* Two clips of one name would overwrite each other's outputs. */
static int check_names(char *const *inputs, int count, bool one_folder)
{
    char a[FM_PATH_MAX], b[FM_PATH_MAX], dir_a[FM_PATH_MAX], dir_b[FM_PATH_MAX];
    for (int i = 0; i < count; i++) {
        for (int j = i + 1; j < count; j++) {
            fm_path_stem(a, inputs[i]);
            fm_path_stem(b, inputs[j]);
            fm_path_dir(dir_a, inputs[i]);
            fm_path_dir(dir_b, inputs[j]);
            if (strcmp(a, b) == 0 && (one_folder || same_folder(dir_a, dir_b)))
                return fm_cli_usage("run", "'%s' and '%s' would have the same output names; process them into different folders",
                                    inputs[i], inputs[j]);
        }
    }
    return 0;
}

static void on_warning(void *opaque, const char *message)
{
    run_command *command = opaque;
    fm_cli_progress_clear(&command->progress);
    fprintf(stderr, "facemirror: warning: %s\n", message);
}

static void on_progress(void *opaque, const fm_progress *state)
{
    run_command *command = opaque;
    fm_cli_progress_update(&command->progress, state);
}

/* Scopes for another profiler, where the environment's FMP_BRIDGE asks for it. */
static void annotate(void)
{
    char message[512];
    fmp_annotate(0, message, sizeof message);
    if (message[0])
        fprintf(stderr, "facemirror: scopes for other profilers: %s\n", message);
}

/* Processes one clip, prints what came of it, and returns its exit code. */
static int run_one(run_command *command, const char *input, fm_run_json *json)
{
    fm_error err = {0};
    fm_run_summary *summary = calloc(1, sizeof *summary);
    if (!summary) {
        fm_fail(&err, FM_E_NO_MEMORY, "out of memory");
        return fm_cli_fail(&err);
    }
    command->options.input = input;
    const fm_status status = fm_run(&command->options, summary, &err);
    fm_cli_progress_clear(&command->progress);
    int code = fm_exit_code(status);
    if (status == FM_E_INTERRUPTED && fm_interrupt_exit_code())
        code = fm_interrupt_exit_code();
    if (json)
        fm_run_json_add(json, input, status, code, &err, summary);
    else if (!command->quiet)
        fm_run_print_outputs(stdout, summary);
    if (status != FM_OK)
        fm_cli_fail(&err);
    free(summary);
    return code;
}

int fm_cmd_run(int argc, char **argv)
{
    run_command command = {.options = fm_run_defaults()};
    int c;
    while ((c = getopt_long(argc, argv, ":o:qh", long_options, NULL)) != -1) {
        const int code = take_option(c, argv, &command);
        if (code >= 0)
            return code;
    }
    if (command.help) {
        fputs(help, stdout);
        return 0;
    }
    const int inputs = argc - optind;
    if (inputs < 1)
        return fm_cli_usage("run", "no video was given");
    int code = fm_cli_system_check(&command.options);
    if (code >= 0)
        return code;
    code = check_names(argv + optind, inputs, command.options.output_dir != NULL);
    if (code != 0)
        return code;
    fm_cli_system_restart(&command.options);
    annotate();

    fm_run_json *json = NULL;
    if (command.json && !(json = fm_run_json_create())) {
        fputs("facemirror: out of memory\n", stderr);
        return fm_exit_code(FM_E_NO_MEMORY);
    }
    fm_interrupt_install();
    fm_cli_progress_init(&command.progress, command.quiet);
    command.options.providers = fm_cli_providers(&command.ep, &command.ep_options, &command.ep_libraries);
    command.options.on_progress = on_progress;
    command.options.on_warning = on_warning;
    command.options.should_stop = fm_interrupt_wanted;
    command.options.opaque = &command;
    if (!command.quiet && !command.json) {
        command.options.report = stdout;
        command.options.report_utf8 = fm_cli_utf8(stdout);
    }
    int done = 0;
    for (; done < inputs && !fm_interrupt_wanted(NULL); done++) {
        const int one = run_one(&command, argv[optind + done], json);
        if (code == 0)
            code = one; /* the first thing that went wrong */
    }
    if (done < inputs && code == 0) /* stopped between two clips */
        code = fm_interrupt_exit_code();
    fm_error err = {0};
    fm_status printed = json ? fm_run_json_finish(&json, stdout, &err) : FM_OK;
    if (printed == FM_OK)
        printed = fm_cli_flush(&err);
    if (printed != FM_OK && code == 0) /* else the report has said so */
        code = fm_cli_fail(&err);
    return code;
}
