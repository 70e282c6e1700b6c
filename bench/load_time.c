/*
 * How long the models of a pack take to load: optimised anew or taken from the
 * cache of optimised graphs, one after the other or side by side. Ways are
 * interleaved in each round, and medians are shown. Wall and CPU time stand side
 * by side: on a busy machine the CPU time is the one to compare.
 */
#include <dirent.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "inference/open_many.h"
#include "models/pack.h"
#include "timing.h"

enum { ROUNDS_DEFAULT = 21, ROUNDS_MAX = 999, MODELS_MAX = 16 };

typedef enum way { WAY_ANEW, WAY_CACHED, WAYS } way;

typedef struct series {
    double wall[WAYS][ROUNDS_MAX], cpu[WAYS][ROUNDS_MAX];
} series;

typedef struct subject {
    char name[64], path[FM_PATH_MAX], sha256[FM_SHA256_HEX];
    series ms;
    double hash_ms[ROUNDS_MAX]; /* CPU */
} subject;

typedef struct moment {
    double wall, cpu;
} moment;

typedef struct bench {
    fm_runtime *runtime;
    char cache_dir[64];
    subject *subjects;
    int count, rounds;
    series after, beside; /* one after the other, side by side */
} bench;

/* --- what is loaded ------------------------------------------------------------ */

static fm_status add_subject(bench *b, const char *name, const char *path, fm_error *err)
{
    if (b->count == MODELS_MAX)
        return fm_fail(err, FM_E_USAGE, "more than %d models", MODELS_MAX);
    subject *s = &b->subjects[b->count++];
    snprintf(s->name, sizeof s->name, "%.63s", name);
    snprintf(s->path, sizeof s->path, "%s", path);
    return fm_sha256_file(path, s->sha256, err);
}

/* What a run with action units loads of it. */
static fm_status add_pack(bench *b, const char *name, fm_error *err)
{
    fm_pack *pack = NULL;
    fm_status status = fm_pack_find(&pack, name, err);
    for (int role = 0; status == FM_OK && role < FM_ROLES; role++) {
        const fm_pack_model *model = fm_pack_model_of(pack, (fm_model_role)role, NULL);
        if (model)
            status = add_subject(b, model->name, model->path, err);
    }
    fm_pack_free(&pack);
    return status;
}

/* --- measuring ------------------------------------------------------------------- */

static moment now(void)
{
    return (moment){clock_ms(CLOCK_MONOTONIC), clock_ms(CLOCK_PROCESS_CPUTIME_ID)};
}

static void add(series *to, way how, int round, moment since)
{
    const moment end = now();
    to->wall[how][round] = end.wall - since.wall;
    to->cpu[how][round] = end.cpu - since.cpu;
}

static fm_session_options options_for(const bench *b, const subject *s, way how)
{
    return (fm_session_options){
        .intra_threads = 1, .cache_dir = how == WAY_CACHED ? b->cache_dir : NULL, .sha256 = s->sha256};
}

static fm_status open_after(bench *b, way how, int round, fm_error *err)
{
    fm_session *sessions[MODELS_MAX] = {NULL};
    fm_status status = FM_OK;
    const moment start = now();
    for (int i = 0; i < b->count && status == FM_OK; i++) {
        subject *s = &b->subjects[i];
        const fm_session_options options = options_for(b, s, how);
        const moment before = now();
        status = fm_session_open(&sessions[i], b->runtime, s->path, &options, err);
        add(&s->ms, how, round, before);
    }
    add(&b->after, how, round, start);
    for (int i = 0; i < b->count; i++)
        fm_session_close(&sessions[i]);
    return status;
}

static fm_status open_beside(bench *b, way how, int round, fm_error *err)
{
    fm_session *sessions[MODELS_MAX] = {NULL};
    fm_session_request requests[MODELS_MAX];
    for (int i = 0; i < b->count; i++)
        requests[i] = (fm_session_request){.path = b->subjects[i].path, .options = options_for(b, &b->subjects[i], how),
                                           .out = &sessions[i]};
    const moment start = now();
    const fm_status status = fm_sessions_open(requests, b->count, b->runtime, err);
    add(&b->beside, how, round, start);
    for (int i = 0; i < b->count; i++)
        fm_session_close(&sessions[i]);
    return status;
}

static fm_status measure(bench *b, fm_error *err)
{
    fm_status status = open_after(b, WAY_CACHED, 0, err); /* fills the cache */
    for (int round = 0; round < b->rounds && status == FM_OK; round++) {
        for (int turn = 0; turn < WAYS && status == FM_OK; turn++) {
            const way how = (way)((round + turn) % WAYS);
            status = open_after(b, how, round, err);
            if (status == FM_OK)
                status = open_beside(b, how, round, err);
        }
        for (int i = 0; i < b->count && status == FM_OK; i++) {
            char hash[FM_SHA256_HEX];
            const moment start = now();
            status = fm_sha256_file(b->subjects[i].path, hash, err);
            b->subjects[i].hash_ms[round] = now().cpu - start.cpu;
        }
    }
    return status;
}

/* --- showing ------------------------------------------------------------------------ */

static void print_line(const char *name, series *ms, int rounds)
{
    double wall[WAYS], cpu[WAYS];
    for (int i = 0; i < WAYS; i++) {
        wall[i] = median_of(ms->wall[i], rounds);
        cpu[i] = median_of(ms->cpu[i], rounds);
    }
    printf("%-32s %8.1f %8.1f %6.2f %10.1f %8.1f %6.2f", name, wall[WAY_ANEW], wall[WAY_CACHED],
           wall[WAY_ANEW] / wall[WAY_CACHED], cpu[WAY_ANEW], cpu[WAY_CACHED], cpu[WAY_ANEW] / cpu[WAY_CACHED]);
}

static void print_table(bench *b)
{
    printf("ONNX Runtime %s, %ld processors, %d rounds, medians in ms\n\n%-32s %24s %26s\n",
           fm_runtime_version(b->runtime), sysconf(_SC_NPROCESSORS_ONLN), b->rounds, "", "wall: anew   cached  ratio", "CPU: anew   cached  ratio");
    for (int i = 0; i < b->count; i++) {
        subject *s = &b->subjects[i];
        print_line(s->name, &s->ms, b->rounds);
        printf("   (SHA-256: %.1f)\n", median_of(s->hash_ms, b->rounds));
    }
    print_line("all, one after the other", &b->after, b->rounds);
    puts("");
    print_line("all, side by side", &b->beside, b->rounds);
    puts("");
}

static void remove_cache(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0); /* refuses "." and ".." */
    if (dir)
        closedir(dir);
    rmdir(path);
}

static fm_status run(bench *b, const char *pack, char **files, int file_count, fm_error *err)
{
    snprintf(b->cache_dir, sizeof b->cache_dir, "/tmp/load-time-XXXXXX");
    b->subjects = calloc(MODELS_MAX, sizeof *b->subjects);
    if (!b->subjects || !mkdtemp(b->cache_dir))
        return fm_fail(err, FM_E_OUTPUT, "cannot make a folder in /tmp");
    fm_status status = file_count > 0 ? FM_OK : add_pack(b, pack, err);
    for (int i = 0; i < file_count && status == FM_OK; i++)
        status = add_subject(b, fm_path_name(files[i]), files[i], err);
    if (status == FM_OK)
        status = fm_runtime_create(&b->runtime, NULL, NULL, err);
    if (status == FM_OK)
        status = measure(b, err);
    if (status == FM_OK)
        print_table(b);
    fm_runtime_destroy(&b->runtime);
    remove_cache(b->cache_dir);
    return status;
}

static int usage(FILE *stream, int code)
{
    fputs("Usage: load_time [--models PACK] [--rounds N] [FILE.onnx...]\n"
          "Times the loading of a pack's models, or of files: anew and cached, one after the other and side by side.\n",
          stream);
    return code;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"models", required_argument, NULL, 'm'},
                                            {"rounds", required_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *pack = NULL;
    long rounds = ROUNDS_DEFAULT;
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        char *end = NULL;
        switch (c) {
        case 'm':
            pack = optarg;
            break;
        case 'n':
            rounds = strtol(optarg, &end, 10);
            if (*end || rounds < 1 || rounds > ROUNDS_MAX)
                return usage(stderr, 2);
            break;
        case 'h':
            return usage(stdout, 0);
        default:
            return usage(stderr, 2);
        }
    }
    fm_error err = {0};
    bench *b = calloc(1, sizeof *b);
    if (!b)
        return fm_exit_code(FM_E_NO_MEMORY);
    b->rounds = (int)rounds;
    const fm_status status = run(b, pack, argv + optind, argc - optind, &err);
    if (status != FM_OK)
        fprintf(stderr, "load_time: %s\n", err.message);
    free(b->subjects);
    free(b);
    return fm_exit_code(status);
}
