#include "watch/sample_stacks.h"

#include <stdlib.h>
#include <string.h>

/* Addresses are cut out of chunks, which stay where they are. */
typedef struct chunk {
    struct chunk *next;
    size_t used;
    uint64_t pc[];
} chunk;
enum { CHUNK_PCS = 8192 };

struct fmp_seen_stacks {
    fmp_seen_stack *stacks;
    size_t count, capacity;
    uint32_t *table; /* index + 1; open addressing, twice as large as the stacks' capacity, a power of two */
    chunk *chunks;
    size_t bytes;
};

fmp_seen_stacks *fmp_seen_stacks_create(void)
{
    return calloc(1, sizeof(fmp_seen_stacks));
}

void fmp_seen_stacks_free(fmp_seen_stacks **stacks)
{
    if (!stacks || !*stacks)
        return;
    for (chunk *c = (*stacks)->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free((*stacks)->table);
    free((*stacks)->stacks);
    free(*stacks);
    *stacks = NULL;
}

static uint64_t hash_of(uint32_t operation, bool cut, const uint64_t *pc, size_t count)
{
    uint64_t hash = operation * 2u + cut;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ pc[i]) * 0x9E3779B97F4A7C15u; /* Fibonacci hashing */
        hash ^= hash >> 29;
    }
    return hash;
}

static size_t place_of(const fmp_seen_stacks *stacks, uint32_t operation, bool cut, const uint64_t *pc, size_t count)
{
    const size_t mask = stacks->capacity * 2 - 1;
    size_t at = (size_t)hash_of(operation, cut, pc, count) & mask;
    for (uint32_t index; (index = stacks->table[at]) != 0; at = (at + 1) & mask) {
        const fmp_seen_stack *s = &stacks->stacks[index - 1];
        if (s->operation == operation && s->cut == cut && s->count == count &&
            memcmp(s->pc, pc, count * sizeof *pc) == 0)
            break;
    }
    return at;
}

static bool grow(fmp_seen_stacks *stacks)
{
    const size_t capacity = stacks->capacity ? stacks->capacity * 2 : 512;
    uint32_t *table = calloc(capacity * 2, sizeof *table);
    fmp_seen_stack *bigger = table ? realloc(stacks->stacks, capacity * sizeof *bigger) : NULL;
    if (!bigger) {
        free(table);
        return false;
    }
    free(stacks->table);
    stacks->table = table;
    stacks->stacks = bigger;
    stacks->capacity = capacity;
    for (size_t i = 0; i < stacks->count; i++) {
        const fmp_seen_stack *s = &bigger[i];
        table[place_of(stacks, s->operation, s->cut, s->pc, s->count)] = (uint32_t)i + 1;
    }
    return true;
}

/* NULL: memory is out. */
static uint64_t *room_for(fmp_seen_stacks *stacks, size_t count)
{
    chunk *c = stacks->chunks;
    if (!c || CHUNK_PCS - c->used < count) {
        c = malloc(sizeof *c + CHUNK_PCS * sizeof *c->pc);
        if (!c)
            return NULL;
        c->next = stacks->chunks;
        c->used = 0;
        stacks->chunks = c;
        stacks->bytes += CHUNK_PCS * sizeof *c->pc;
    }
    c->used += count;
    return &c->pc[c->used - count];
}

/* Counts a stack that is there, or one that is made; false: it is not, and may not be made. */
static bool count_stack(fmp_seen_stacks *stacks, fmp_seen_stack what, bool make)
{
    if (stacks->count == stacks->capacity && !grow(stacks))
        return false;
    const size_t at = place_of(stacks, what.operation, what.cut, what.pc, what.count);
    if (stacks->table[at] != 0) {
        fmp_seen_stack *s = &stacks->stacks[stacks->table[at] - 1];
        s->samples++;
        s->ns += what.ns;
        return true;
    }
    uint64_t *pc = make ? room_for(stacks, what.count) : NULL;
    if (!pc)
        return false;
    memcpy(pc, what.pc, what.count * sizeof *pc);
    what.pc = pc;
    what.samples = 1;
    stacks->stacks[stacks->count++] = what;
    stacks->table[at] = (uint32_t)stacks->count;
    return true;
}

bool fmp_seen_stacks_add(fmp_seen_stacks *stacks, uint32_t operation, const fmp_calls *calls, uint64_t ns)
{
    fmp_seen_stack what = {
        .operation = operation, .count = (uint32_t)calls->count, .cut = calls->cut, .pc = calls->pc, .ns = ns};
    if (count_stack(stacks, what, stacks->bytes < FMP_STACKS_BYTES))
        return true;
    what.count = 1;
    what.cut = calls->cut || calls->count > 1;
    count_stack(stacks, what, stacks->bytes < 2 * (size_t)FMP_STACKS_BYTES);
    return false;
}

const fmp_seen_stack *fmp_seen_stacks_all(const fmp_seen_stacks *stacks, size_t *count)
{
    *count = stacks->count;
    return stacks->stacks;
}
