/* The strings and arrays of a profile, freed together. Internal to the report module. */
#ifndef FM_REPORT_PROFILE_MEMORY_H
#define FM_REPORT_PROFILE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "report/profile.h"

/* Zeroed memory that lives as long as the profile. NULL when memory is out. */
void *fm_profile_allocate(fm_profile *profile, size_t count, size_t size);
/* A copy of text in it. NULL when memory is out, or when text is NULL. */
const char *fm_profile_copy(fm_profile *profile, const char *text);
/* Two facts agree: the same text, or neither is known (NULL). */
bool fm_profile_same(const char *a, const char *b);

#endif
