/* The runs of a bench, in turn, and what is kept of each. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "advice/bench_plan.h"
#include "base/file.h"
#include "cli/bench.h"
#include "cli/bench_progress.h"
#include "cli/cli.h"
#include "report/profile_memory.h"

/* FM_E_OUTPUT when it does not fit. */
static fm_status path_in(char out[FM_PATH_MAX], const char *dir, const char *name, fm_error *err)
{
    if (fm_path_join(out, dir, name))
        return FM_OK;
    return fm_fail(err, FM_E_OUTPUT, "the output path in '%.200s...' is too long", dir);
}

static fm_status no_memory(fm_error *err)
{
    return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the runs");
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

bool fm_bench_remove(const char *path, bool foreign)
{
    DIR *folder = opendir(path);
    if (!folder)
        return errno == ENOENT;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char inside[FM_PATH_MAX];
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            !fm_path_join(inside, path, entry->d_name) || lstat(inside, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            fm_bench_remove(inside, foreign);
        else if (foreign || ends_with(inside, ".json") || ends_with(inside, ".csv"))
            unlink(inside);
    }
    closedir(folder);
    return rmdir(path) == 0;
}

/* --- folders --------------------------------------------------------------- */

static fm_status check_free(const fm_bench_job *job, fm_error *err)
{
    static const char *const suffixes[] = {"_bench.json", "_bench"};
    for (size_t i = 0; i < 2 && !job->overwrite; i++) {
        char path[FM_PATH_MAX];
        struct stat st;
        const fm_status status = fm_path_output(path, job->dir, job->stem, suffixes[i], err);
        if (status != FM_OK)
            return status;
        if (lstat(path, &st) == 0)
            return fm_fail(err, FM_E_EXISTS,
                           "'%s' exists already; give --overwrite to replace it, or another folder with -o", path);
    }
    return FM_OK;
}

static fm_status make_folders(fm_bench_job *job, fm_error *err)
{
    char path[FM_PATH_MAX], name[FM_BENCH_NAME_MAX + 32];
    fm_path_stem(job->stem, job->clip);
    if (job->output_dir)
        snprintf(job->dir, sizeof job->dir, "%s", job->output_dir);
    else
        fm_path_dir(job->dir, job->clip);
    fm_status status = fm_make_dirs(job->dir, err);
    if (status == FM_OK)
        status = check_free(job, err);
    if (status == FM_OK)
        status = path_in(path, job->dir, ".facemirror-bench-XXXXXX", err);
    if (status != FM_OK)
        return status;
    if (!mkdtemp(path))
        return fm_fail(err, fm_status_from_errno(errno, FM_E_OUTPUT), "cannot create a folder in '%s': %s", job->dir,
                       strerror(errno));
    memcpy(job->work, path, sizeof job->work);
    for (size_t i = 0; i < job->setting_count && status == FM_OK; i++) {
        snprintf(name, sizeof name, "keep/%s/warm_up", job->settings[i].name);
        status = path_in(path, job->work, name, err);
        if (status == FM_OK)
            status = fm_make_dirs(path, err);
    }
    return status;
}

/* --- one run --------------------------------------------------------------- */

/* The tables replace those of the run before. */
static void keep_tables(const fm_bench_job *job, const char *run_dir, const char *kept_dir)
{
    static const char *const suffixes[] = {"_left_mirrored.csv", "_right_mirrored.csv", "_landmarks.csv"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char from[FM_PATH_MAX], to[FM_PATH_MAX];
        if (fm_path_output(from, run_dir, job->stem, suffixes[i], NULL) == FM_OK &&
            fm_path_output(to, kept_dir, job->stem, suffixes[i], NULL) == FM_OK)
            (void)rename(from, to); /* a run need not have written it */
    }
}

/* Where the profile of the run goes: below the work folder's "keep", and below STEM_bench at the end. */
static fm_status keep_profile(fm_bench_job *job, const fm_bench_setting *setting, fm_bench_run *run, const char *from,
                              size_t number, fm_error *err)
{
    char name[FM_BENCH_NAME_MAX + 64], to[FM_PATH_MAX], shown[FM_PATH_MAX];
    snprintf(name, sizeof name, "%s/%s_%03zu.json", setting->name, run->warm_up ? "warm_up/run" : "run", number);
    fm_status status = path_in(to, job->work, "keep", err);
    if (status == FM_OK)
        status = path_in(shown, to, name, err);
    if (status != FM_OK)
        return status;
    if (rename(from, shown) != 0)
        return fm_fail(err, fm_status_from_errno(errno, FM_E_OUTPUT), "cannot keep '%s': %s", from, strerror(errno));
    snprintf(to, sizeof to, "%.2000s_bench/%s", job->stem, name);
    run->profile = fm_profile_copy(job->bench->memory, to);
    return run->profile ? FM_OK : no_memory(err);
}

static fm_status copy_facts(fm_bench_job *job, size_t which, const fm_profile *profile, fm_error *err)
{
    fm_bench_configuration *c = &job->bench->configurations[which];
    fm_profile *memory = job->bench->memory;
    const fm_report_run *run = &profile->run;
    fm_report_model *models = fm_profile_allocate(memory, run->model_count + 1, sizeof *models);
    c->hashes = fm_profile_allocate(memory, run->model_count + 1, sizeof *c->hashes);
    if (!models || !c->hashes)
        return no_memory(err);
    const fm_pack *pack = job->settings[which].pack;
    for (size_t i = 0; i < run->model_count; i++) {
        models[i] = (fm_report_model){
            .name = fm_profile_copy(memory, run->models[i].name),
            .file = fm_profile_copy(memory, run->models[i].file),
            .backend = fm_profile_copy(memory, run->models[i].backend),
        };
        for (int k = 0; k < pack->model_count && models[i].file; k++)
            if (strcmp(pack->models[k].file, models[i].file) == 0)
                c->hashes[i] = fm_profile_copy(memory, pack->models[k].sha256);
    }
    c->facts = fm_samples_facts_of(memory, run);
    c->facts.models = models;
    c->facts.model_count = run->model_count;
    return FM_OK;
}

static fm_status copy_sample(fm_bench_job *job, const fm_profile *profile, const fm_child *child, fm_sample *out,
                             fm_error *err)
{
    fm_profile *memory = job->bench->memory;
    fm_sample_operation *list = fm_profile_allocate(memory, profile->snapshot->operation_count + 1, sizeof *list);
    if (!list)
        return no_memory(err);
    *out = fm_sample_of_profile(profile, list);
    for (size_t i = 0; i < out->operation_count; i++) {
        list[i].category = fm_profile_copy(memory, list[i].category);
        list[i].name = fm_profile_copy(memory, list[i].name);
        if (!list[i].category || !list[i].name)
            return no_memory(err);
    }
    out->cpu_seconds = child->cpu_seconds;
    out->peak_rss_bytes = child->peak_rss_bytes;
    return FM_OK;
}

static fm_status start_run(const fm_bench_job *job, const fm_bench_setting *setting, const char *run_dir,
                           fm_child *child, fm_error *err)
{
    const char *words[FM_BENCH_WORDS_MAX + 8] = {"facemirror", "run", "-q", "-o", run_dir};
    char errors[FM_PATH_MAX];
    int count = 5;
    for (int i = 0; i < setting->word_count; i++)
        words[count++] = setting->words[i];
    words[count++] = "--";
    words[count] = job->clip;
    const fm_status status = path_in(errors, job->work, "errors", err);
    return status == FM_OK ? fm_child_run(words, errors, child, err) : status;
}

/* The error of a run, as its exit code has it. */
static fm_status run_failed(const fm_bench_setting *setting, const fm_child *child, fm_error *err)
{
    const bool ours = child->exit_code >= 1 && child->exit_code <= -(int)FM_E_DAMAGED;
    return fm_fail(err, ours ? (fm_status)-child->exit_code : FM_E_INTERNAL,
                   "a run of the configuration '%s' ended with %d: %.800s", setting->name, child->exit_code,
                   child->message);
}

static fm_status take_run(fm_bench_job *job, size_t which, bool warm_up, const char *run_dir, const fm_child *child,
                          fm_error *err)
{
    fm_bench_configuration *c = &job->bench->configurations[which];
    fm_bench_run *run = &c->runs[c->run_count];
    char path[FM_PATH_MAX], kept[FM_PATH_MAX], name[FM_BENCH_NAME_MAX + 16];
    fm_profile *profile = NULL;
    size_t number = 1;
    for (size_t i = 0; i < c->run_count; i++)
        number += c->runs[i].warm_up == warm_up;
    fm_status status = fm_path_output(path, run_dir, job->stem, "_profile.json", err);
    if (status == FM_OK)
        status = fm_profile_load(path, &profile, err);
    if (status != FM_OK)
        return status;
    *run = (fm_bench_run){.position = ++job->position, .warm_up = warm_up};
    if (c->facts.frames == 0)
        status = copy_facts(job, which, profile, err);
    if (status == FM_OK)
        status = copy_sample(job, profile, child, &run->sample, err);
    run->process_seconds = child->seconds;
    run->others_share = child->others_share;
    if (status == FM_OK)
        status = fm_bench_note_run(job, run, profile, err);
    fm_profile_free(&profile);
    if (status == FM_OK)
        status = keep_profile(job, &job->settings[which], run, path, number, err);
    snprintf(name, sizeof name, "keep/%s", job->settings[which].name);
    if (status == FM_OK)
        status = path_in(kept, job->work, name, err);
    if (status == FM_OK) {
        keep_tables(job, run_dir, kept);
        c->run_count++;
    }
    return status;
}

static fm_status one_run(fm_bench_job *job, size_t which, bool warm_up, fm_bench_progress *progress, fm_error *err)
{
    char run_dir[FM_PATH_MAX];
    fm_child child;
    fm_bench_progress_begin(progress, job->settings[which].name, warm_up);
    fm_status status = path_in(run_dir, job->work, "run", err);
    if (status == FM_OK)
        status = start_run(job, &job->settings[which], run_dir, &child, err);
    if (status != FM_OK)
        return status;
    const bool good = child.exit_code == 0 || child.exit_code == -(int)FM_E_DAMAGED;
    job->stopped = child.stopped || fm_interrupt_wanted(NULL);
    if (job->stopped) /* what it did is not a whole run */
        return FM_OK;
    if (!good)
        return run_failed(&job->settings[which], &child, err);
    status = take_run(job, which, warm_up, run_dir, &child, err);
    fm_bench_remove(run_dir, true);
    if (status == FM_OK) {
        const fm_bench_configuration *c = &job->bench->configurations[which];
        fm_bench_progress_end(progress, &c->runs[c->run_count - 1]);
    }
    return status;
}

/* --- all runs ---------------------------------------------------------------- */

static fm_status make_document(fm_bench_job *job, fm_error *err)
{
    fm_status status = fm_bench_create(&job->bench, err);
    if (status != FM_OK)
        return status;
    fm_bench *bench = job->bench;
    bench->configurations = fm_profile_allocate(bench->memory, job->setting_count, sizeof *bench->configurations);
    if (!bench->configurations)
        return no_memory(err);
    bench->configuration_count = job->setting_count;
    bench->runs = job->runs;
    bench->warm_up = job->warm_up;
    for (size_t i = 0; i < job->setting_count; i++) {
        fm_bench_configuration *c = &bench->configurations[i];
        c->name = fm_profile_copy(bench->memory, job->settings[i].name);
        c->options = fm_profile_copy(bench->memory, job->settings[i].options);
        c->runs = fm_profile_allocate(bench->memory, FM_STATS_MAX + FM_BENCH_WARM_UP_LIMIT, sizeof *c->runs);
        if (!c->name || !c->options || !c->runs)
            return no_memory(err);
    }
    return FM_OK;
}

static bool is_warm(const fm_bench_job *job, size_t which)
{
    double seconds[FM_BENCH_WARM_UP_LIMIT];
    fm_bench_configuration *c = &job->bench->configurations[which];
    for (size_t i = 0; i < c->run_count; i++)
        seconds[i] = c->runs[i].sample.wall_seconds + c->runs[i].sample.setup_seconds;
    return fm_bench_warm(seconds, c->run_count, job->warm_up, &c->steady);
}

/* Those that are warm wait until all are. */
static fm_status warm_up(fm_bench_job *job, fm_bench_progress *progress, fm_error *err)
{
    fm_status status = FM_OK;
    bool all_warm = false;
    for (size_t round = 0; !all_warm && status == FM_OK && !job->stopped; round++) {
        size_t order[FM_BENCH_CONFIGURATIONS_MAX];
        fm_bench_order(round, job->setting_count, order);
        all_warm = true;
        for (size_t i = 0; i < job->setting_count && status == FM_OK && !job->stopped; i++) {
            if (is_warm(job, order[i]))
                continue;
            status = one_run(job, order[i], true, progress, err);
            all_warm = false;
        }
    }
    return status;
}

static fm_status measure(fm_bench_job *job, fm_bench_progress *progress, fm_error *err)
{
    fm_status status = FM_OK;
    for (size_t round = 0; round < (size_t)job->runs && status == FM_OK && !job->stopped; round++) {
        size_t order[FM_BENCH_CONFIGURATIONS_MAX];
        fm_bench_order(round, job->setting_count, order);
        for (size_t i = 0; i < job->setting_count && status == FM_OK && !job->stopped; i++)
            status = one_run(job, order[i], false, progress, err);
    }
    return status;
}

fm_status fm_bench_measure(fm_bench_job *job, fm_error *err)
{
    fm_bench_progress progress;
    fm_status status = make_document(job, err);
    if (status == FM_OK)
        status = make_folders(job, err);
    if (status == FM_OK)
        status = fm_bench_note_machine(job, err);
    if (status != FM_OK)
        return status;
    const int warm_up_runs = job->warm_up >= 0 ? job->warm_up : FM_BENCH_WARM_UP_MIN;
    fm_bench_progress_init(&progress, (warm_up_runs + job->runs) * (int)job->setting_count, job->quiet);
    status = warm_up(job, &progress, err);
    if (status == FM_OK && !job->stopped) {
        fm_bench_progress_measuring(&progress, job->runs * (int)job->setting_count);
        status = measure(job, &progress, err);
    }
    fm_bench_progress_clear(&progress);
    job->bench->status = job->stopped ? "interrupted" : "ok";
    return status;
}

void fm_bench_clean(fm_bench_job *job)
{
    if (job->work[0])
        fm_bench_remove(job->work, true);
    fm_bench_free(&job->bench);
    for (size_t i = 0; i < job->setting_count; i++)
        fm_bench_setting_free(&job->settings[i]);
}
