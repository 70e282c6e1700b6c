#include "alloc/live.h"

enum { CAPACITY_FIRST = 512 };

void fmp_live_begin(fmp_live *live, fmp_pages *pages)
{
    live->pages = pages;
    for (size_t i = 0; i < FMP_LIVE_SHARDS; i++) {
        live->shards[i] = (fmp_live_shard){0};
        pthread_mutex_init(&live->shards[i].lock, NULL);
    }
}

void fmp_live_end(fmp_live *live)
{
    for (size_t i = 0; i < FMP_LIVE_SHARDS; i++) {
        fmp_live_shard *shard = &live->shards[i];
        fmp_pages_unmap(live->pages, shard->entries, shard->capacity * sizeof *shard->entries);
        pthread_mutex_destroy(&shard->lock);
        *shard = (fmp_live_shard){0};
    }
}

static fmp_live_shard *shard_of(fmp_live *live, uint64_t hash)
{
    return &live->shards[(hash >> 42) % FMP_LIVE_SHARDS];
}

static size_t home_of(const fmp_live_shard *shard, uint64_t hash)
{
    return (size_t)(hash >> 12) & (shard->capacity - 1);
}

/* The slot that holds the address, or the free one where it belongs. */
static fmp_live_entry *slot_of(const fmp_live_shard *shard, uintptr_t pointer)
{
    size_t i = home_of(shard, fmp_live_hash(pointer));
    while (shard->entries[i].pointer && shard->entries[i].pointer != pointer)
        i = (i + 1) & (shard->capacity - 1);
    return &shard->entries[i];
}

/* Room for one more; without memory for a larger table the old one is filled to 7/8. */
static bool make_room(fmp_live *live, fmp_live_shard *shard)
{
    if (shard->count < shard->capacity / 4 * 3)
        return true;
    fmp_live_shard larger = *shard;
    larger.capacity = shard->capacity ? shard->capacity * 2 : CAPACITY_FIRST;
    larger.entries = fmp_pages_map(live->pages, larger.capacity * sizeof *larger.entries);
    if (!larger.entries)
        return shard->count < shard->capacity / 8 * 7;
    for (size_t i = 0; i < shard->capacity; i++)
        if (shard->entries[i].pointer)
            *slot_of(&larger, shard->entries[i].pointer) = shard->entries[i];
    fmp_pages_unmap(live->pages, shard->entries, shard->capacity * sizeof *shard->entries);
    shard->entries = larger.entries;
    shard->capacity = larger.capacity;
    return true;
}

bool fmp_live_add(fmp_live *live, const fmp_live_entry *entry, fmp_live_entry *replaced)
{
    *replaced = (fmp_live_entry){0};
    fmp_live_shard *shard = shard_of(live, fmp_live_hash(entry->pointer));
    pthread_mutex_lock(&shard->lock);
    const bool room = make_room(live, shard);
    if (room) {
        fmp_live_entry *slot = slot_of(shard, entry->pointer);
        *replaced = *slot;
        *slot = *entry;
        shard->count += replaced->pointer == 0;
    }
    pthread_mutex_unlock(&shard->lock);
    return room;
}

/* Entries behind a hole move up, unless that would put them before their home. */
static void close_hole(fmp_live_shard *shard, size_t hole)
{
    const size_t mask = shard->capacity - 1;
    for (size_t i = (hole + 1) & mask; shard->entries[i].pointer; i = (i + 1) & mask) {
        const size_t home = home_of(shard, fmp_live_hash(shard->entries[i].pointer));
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            shard->entries[hole] = shard->entries[i];
            hole = i;
        }
    }
    shard->entries[hole] = (fmp_live_entry){0};
}

bool fmp_live_remove(fmp_live *live, uintptr_t pointer, fmp_live_entry *out)
{
    bool there = false;
    fmp_live_shard *shard = shard_of(live, fmp_live_hash(pointer));
    pthread_mutex_lock(&shard->lock);
    if (shard->count) {
        fmp_live_entry *slot = slot_of(shard, pointer);
        there = slot->pointer != 0;
        if (there) {
            *out = *slot;
            close_hole(shard, (size_t)(slot - shard->entries));
            shard->count--;
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return there;
}

void fmp_live_each(fmp_live *live, void (*visit)(const fmp_live_entry *entry, void *context), void *context)
{
    for (fmp_live_shard *shard = live->shards; shard < live->shards + FMP_LIVE_SHARDS; shard++) {
        pthread_mutex_lock(&shard->lock);
        for (size_t i = 0; i < shard->capacity; i++)
            if (shard->entries[i].pointer)
                visit(&shard->entries[i], context);
        pthread_mutex_unlock(&shard->lock);
    }
}
