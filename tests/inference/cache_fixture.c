#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_fixture.h"

#include "base/file.h"
#include "small_model.h"

char folder[64];
char model[80], cache_path[80];
char hash[FM_SHA256_HEX];

int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/fm-cache-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(model, sizeof model, "%s/model.onnx", folder);
    snprintf(cache_path, sizeof cache_path, "%s/cache", folder);
    replace_model(0.3f);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void hash_model(void)
{
    fm_error err = {0};
    assert_int_equal(fm_sha256_file(model, hash, &err), FM_OK);
}

void replace_model(float factor)
{
    small_model_write(model, factor);
    hash_model();
}

void replace(const char *path, const void *data, size_t size)
{
    fm_error err = {0};
    if (fm_file_write(path, data, size, &err) != FM_OK)
        fail_msg("%s", err.message);
}

static int scan(char last[FM_PATH_MAX])
{
    int count = 0;
    DIR *dir = opendir(cache_path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        assert_true(fm_path_join(last, cache_path, entry->d_name));
        count++;
    }
    if (dir)
        closedir(dir);
    return count;
}

int cache_count(void)
{
    char last[FM_PATH_MAX];
    return scan(last);
}

char *cache_entry(void)
{
    static char path[FM_PATH_MAX];
    assert_int_equal(scan(path), 1);
    return path;
}
