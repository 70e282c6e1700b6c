#include "advice/places.h"

#include <string.h>

/* The first row that fits. */
static const struct place {
    const char *operation; /* the whole name; or, ending with "*", how it begins */
    const char *stages[2]; /* NULL: outside of all */
} places[] = {
    {"frame_read", {"reader"}},
    {"frame_write_left_mirrored", {"left encoder"}},
    {"frame_write_right_mirrored", {"right encoder"}},
    {"frame_write_debug", {"debug encoder"}},
    {"mirror_left", {"left mirror"}},
    {"mirror_right", {"right mirror"}},
    {"frame_copy", {"debug"}},
    {"debug_overlay", {"debug"}},
    {"au_write_csv", {NULL}},
    {"au_*", {"left mirror", "right mirror"}},
    {"AU_*", {"left mirror", "right mirror"}},
    {"*", {"analysis"}},
};

static bool fits(const char *pattern, const char *operation)
{
    const size_t length = strlen(pattern);
    if (pattern[length - 1] == '*')
        return strncmp(pattern, operation, length - 1) == 0;
    return strcmp(pattern, operation) == 0;
}

static bool has_stage(const fm_report_pipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < pipeline->stage_count; i++) {
        if (strcmp(pipeline->stages[i].name, name) == 0)
            return true;
    }
    return false;
}

double fm_place_share(const fm_report_pipeline *pipeline, size_t stage, const char *operation)
{
    const struct place *place = places;
    while (!fits(place->operation, operation))
        place++;
    int parts = 0;
    bool here = false;
    for (int i = 0; i < 2; i++) {
        const char *name = place->stages[i];
        if (!name || !has_stage(pipeline, name))
            continue;
        parts++;
        here = here || strcmp(name, pipeline->stages[stage].name) == 0;
    }
    return here ? 1.0 / parts : 0;
}
