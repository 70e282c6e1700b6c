#include "inference/cache_slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inference/cache_folder.h"
#include "inference/cache_key.h"

#ifdef __APPLE__
#define OS_CACHE "Library/Caches"
#else
#define OS_CACHE ".cache"
#endif

bool fm_cache_dir(char out[FM_PATH_MAX])
{
    const char *own = getenv("FACEMIRROR_CACHE"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own && *own)
        return fm_path_join(out, NULL, own);
    if (cache && *cache == '/') /* the specification has relative ones ignored */
        return fm_path_join(out, cache, "facemirror/graphs");
    return home && *home && fm_path_join(out, home, OS_CACHE "/facemirror/graphs");
}

static bool make_name(char name[FM_SHA256_HEX], const fm_runtime *runtime, const fm_session_options *o,
                      const char *full)
{
    char processor[FM_SHA256_HEX];
    if (!o->cache_dir || !*o->cache_dir || !o->sha256 || !fm_cache_processor(processor))
        return false;
    const bool cpu = strcmp(full, FM_CPU_PROVIDER) == 0;
    const fm_cache_facts facts = {
        .model = o->sha256,
        .runtime = runtime->version,
        .build = runtime->api->GetBuildInfoString(),
        .provider = full,
        .processor = processor,
        .options = o->provider.options,
        .option_count = cpu ? 0 : o->provider.option_count, /* they are for the others */
    };
    return fm_cache_name(&facts, name);
}

void fm_cache_find(fm_cache_slot *slot, const fm_runtime *runtime, const fm_session_options *options, const char *full)
{
    char name[FM_SHA256_HEX + sizeof FM_CACHE_SUFFIX];
    *slot = (fm_cache_slot){.dir = options->cache_dir, .model = options->sha256};
    if (strcmp(full, FM_CPU_PROVIDER) != 0 || !make_name(slot->key, runtime, options, full)) {
        slot->key[0] = '\0';
        return;
    }
    snprintf(name, sizeof name, "%s" FM_CACHE_SUFFIX, slot->key);
    if (!fm_path_join(slot->path, slot->dir, name))
        slot->key[0] = '\0';
}

bool fm_cache_take(const fm_cache_slot *slot, fm_cached_graph *graph)
{
    if (!slot->key[0] || access(slot->path, F_OK) != 0)
        return false;
    if (!fm_cache_file_read(slot->path, slot->key, graph)) {
        fm_cache_drop(slot);
        return false;
    }
    fm_cache_touch(slot->path);
    return true;
}

void fm_cache_drop(const fm_cache_slot *slot)
{
    unlink(slot->path);
}

const char *fm_cache_reserve(fm_cache_slot *slot)
{
    fm_error ignored = {0};
    if (!slot->key[0] || fm_make_dirs(slot->dir, &ignored) != FM_OK ||
        fm_outfile_open(&slot->file, slot->path, true, &ignored) != FM_OK)
        return NULL;
    return slot->file.partial_path;
}

/*
 * Whether the bytes are those of the hash: a file that was replaced while it
 * was loaded must not be kept under the other's name. Names of files with
 * weights are the values of "location" (TensorProto.external_data of onnx.proto).
 */
static bool is_whole_model(const fm_cache_slot *slot, const void *data, size_t size)
{
    static const char location[] = "\x0a\x08location"; /* a key of eight bytes in protobuf's wire format */
    char hex[FM_SHA256_HEX];
    fm_error ignored = {0};
    return data && !memmem(data, size, location, sizeof location - 1) &&
           fm_sha256(data, size, hex, &ignored) == FM_OK && strcmp(hex, slot->model) == 0;
}

void fm_cache_store(fm_cache_slot *slot, const void *data, size_t size, const fm_breakdown *breakdown)
{
    fm_error ignored = {0};
    if (!is_whole_model(slot, data, size) || !fm_cache_file_seal(slot->file.partial_path, slot->key, breakdown) ||
        fm_outfile_commit(&slot->file, &ignored) != FM_OK) {
        fm_cache_abandon(slot);
        return;
    }
    fm_cache_prune(slot->dir, fm_path_name(slot->path), FM_CACHE_ENTRIES_MAX, FM_CACHE_BYTES_MAX);
}

void fm_cache_abandon(fm_cache_slot *slot)
{
    fm_outfile_discard(&slot->file);
}

bool fm_cache_provider_folder(char out[FM_PATH_MAX], const fm_runtime *runtime, const fm_session_options *o,
                              const char *full)
{
    char key[FM_SHA256_HEX], name[64 + FM_SHA256_HEX];
    fm_error ignored = {0};
    if (!make_name(key, runtime, o, full))
        return false;
    snprintf(name, sizeof name, "%.62s-%s", fm_provider_suffix(full), key);
    if (!fm_path_join(out, o->cache_dir, name) || fm_make_dirs(out, &ignored) != FM_OK)
        return false;
    fm_cache_touch(out);
    fm_cache_prune(o->cache_dir, name, FM_CACHE_ENTRIES_MAX, FM_CACHE_BYTES_MAX);
    return true;
}
