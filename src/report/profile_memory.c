#include "report/profile_memory.h"

#include <stdlib.h>
#include <string.h>

typedef struct piece {
    struct piece *next;
    max_align_t bytes[];
} piece;

void *fm_profile_allocate(fm_profile *profile, size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX - sizeof(piece)) / size)
        return NULL;
    piece *new_piece = calloc(1, sizeof *new_piece + count * size);
    if (!new_piece)
        return NULL;
    new_piece->next = profile->memory;
    profile->memory = new_piece;
    return new_piece->bytes;
}

const char *fm_profile_copy(fm_profile *profile, const char *text)
{
    if (!text)
        return NULL;
    const size_t size = strlen(text) + 1;
    char *copy = fm_profile_allocate(profile, size, 1);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void fm_profile_free(fm_profile **profile)
{
    if (!profile || !*profile)
        return;
    for (piece *at = (*profile)->memory; at;) {
        piece *next = at->next;
        free(at);
        at = next;
    }
    fmp_snapshot_free(&(*profile)->snapshot);
    fmp_system_report_free(&(*profile)->system);
    free(*profile);
    *profile = NULL;
}

bool fm_profile_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}
