/* Trees of files in place of /sys and /proc, in the build folder: what is put into them is all there is. */
#ifndef FMP_TEST_FAKE_TREE_H
#define FMP_TEST_FAKE_TREE_H

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct fake_tree {
    char root[256];
} fake_tree;

static inline void tree_make(fake_tree *tree)
{
    const char *folder = getenv("TMPDIR");
    snprintf(tree->root, sizeof tree->root, "%.200s/fmp-tree-XXXXXX", folder ? folder : "/tmp");
    if (!mkdtemp(tree->root))
        abort();
}

/* Writes a file, its folders as well. */
static inline void tree_put(const fake_tree *tree, const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%.200s/%.300s", tree->root, path);
    for (char *slash = whole + strlen(tree->root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(whole, 0755);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    if (!file || fputs(text, file) < 0 || fclose(file))
        abort();
}

static inline void tree_put_number(const fake_tree *tree, const char *path, long long number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld\n", number);
    tree_put(tree, path, text);
}

static inline void tree_remove(const fake_tree *tree, const char *path)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%.200s/%.300s", tree->root, path);
    if (remove(whole))
        abort();
}

static inline int tree_remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status, (void)kind, (void)ftw;
    return remove(path);
}

static inline void tree_free(fake_tree *tree)
{
    nftw(tree->root, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
