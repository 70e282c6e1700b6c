/* A folder with a small model and room for a cache of its graph, for each test of the cache. */
#ifndef FM_TEST_CACHE_FIXTURE_H
#define FM_TEST_CACHE_FIXTURE_H

#include <stddef.h>

#include "models/sha256.h"

extern char folder[64];          /* holds the two below */
extern char model[80], cache_path[80]; /* cache_path: not made yet */
extern char hash[FM_SHA256_HEX]; /* of the model */

/* For cmocka, before and after each test. */
int make_folder(void **state);
int remove_folder(void **state);

/* Writes another small model in the place of the first, and its hash. */
void replace_model(float factor);
void hash_model(void);

/* Writes a file. */
void replace(const char *path, const void *data, size_t size);
/* Entries of the cache folder, hidden ones too; 0 when there is no such folder. */
int cache_count(void);
/* The path of its only entry; valid until the next call. */
char *cache_entry(void);

#endif
