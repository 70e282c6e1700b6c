/* The files of a bench get their names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/bench.h"
#include "cli/profiles.h"
#include "report/profile_memory.h"

static fm_status write_profile(const char *path, const fm_profile *profile, fm_error *err)
{
    fm_outfile file;
    FILE *stream;
    fm_status status = fm_outfile_open(&file, path, true, err);
    if (status == FM_OK)
        status = fm_outfile_stream(&file, &stream, err);
    return status == FM_OK ? fm_outfile_end(&file, stream, fm_profile_write(stream, profile, err), err) : status;
}

static bool is_measured(const fm_bench_run *run)
{
    return !run->warm_up;
}

/* One profile of all measured runs, beside the folders of their own. */
static fm_status merge(fm_bench_job *job, fm_bench_configuration *c, const char *keep, fm_error *err)
{
    char name[FM_BENCH_NAME_MAX + 32], merged[FM_PATH_MAX], shown[FM_PATH_MAX];
    char **paths = calloc(FM_STATS_MAX, sizeof *paths);
    size_t count = 0;
    fm_profile *profile = NULL;
    fm_status status = paths ? FM_OK : fm_fail(err, FM_E_NO_MEMORY, "out of memory for the merged profile");
    for (size_t i = 0; i < c->run_count && status == FM_OK; i++) {
        if (!is_measured(&c->runs[i]))
            continue;
        snprintf(name, sizeof name, "%s/run_%03zu.json", c->name, count + 1);
        paths[count] = malloc(FM_PATH_MAX);
        if (!paths[count] || !fm_path_join(paths[count], keep, name))
            status = fm_fail(err, FM_E_NO_MEMORY, "out of memory for the merged profile");
        count++;
    }
    snprintf(name, sizeof name, "%s_profile.json", c->name);
    if (status == FM_OK && count > 0)
        status = fm_cli_load_profiles(paths, count, &profile, err);
    if (status == FM_OK && profile && fm_path_join(merged, keep, name))
        status = write_profile(merged, profile, err);
    fm_profile_free(&profile);
    for (size_t i = 0; paths && i < count; i++)
        free(paths[i]);
    free(paths);
    if (status != FM_OK || count == 0)
        return status;
    snprintf(shown, sizeof shown, "%.2000s_bench/%s", job->stem, name);
    c->merged = fm_profile_copy(job->bench->memory, shown);
    snprintf(shown, sizeof shown, "%.2000s_bench/%s", job->stem, c->name);
    c->tables = fm_profile_copy(job->bench->memory, shown);
    return FM_OK;
}

/* What an earlier bench has left there; files of others stay, and then it cannot be replaced. */
static fm_status give_folder_its_name(const fm_bench_job *job, const char *keep, fm_error *err)
{
    char path[FM_PATH_MAX];
    fm_status status = fm_path_output(path, job->dir, job->stem, "_bench", err);
    if (status != FM_OK)
        return status;
    if (job->overwrite && !fm_bench_remove(path, false))
        return fm_fail(err, FM_E_EXISTS, "cannot replace '%s': it holds files that no bench has written", path);
    if (rename(keep, path) != 0)
        return fm_fail(err, fm_status_from_errno(errno, FM_E_OUTPUT), "cannot rename to '%s': %s", path,
                       strerror(errno));
    return FM_OK;
}

static fm_status write_document(const fm_bench_job *job, fm_error *err)
{
    char path[FM_PATH_MAX];
    fm_outfile file;
    FILE *stream;
    fm_status status = fm_path_output(path, job->dir, job->stem, "_bench.json", err);
    if (status == FM_OK)
        status = fm_outfile_open(&file, path, job->overwrite, err);
    if (status != FM_OK)
        return status;
    status = fm_outfile_stream(&file, &stream, err);
    return status == FM_OK ? fm_outfile_end(&file, stream, fm_bench_write(stream, job->bench, err), err) : status;
}

fm_status fm_bench_publish(fm_bench_job *job, fm_error *err)
{
    char keep[FM_PATH_MAX];
    if (!fm_path_join(keep, job->work, "keep"))
        return fm_fail(err, FM_E_OUTPUT, "the output path in '%.200s...' is too long", job->work);
    fm_status status = FM_OK;
    for (size_t i = 0; i < job->bench->configuration_count && status == FM_OK; i++)
        status = merge(job, &job->bench->configurations[i], keep, err);
    if (status == FM_OK)
        status = give_folder_its_name(job, keep, err);
    return status == FM_OK ? write_document(job, err) : status;
}
