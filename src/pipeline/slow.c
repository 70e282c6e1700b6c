#include "pipeline/slow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOW_MAX_NS UINT64_C(10000000000)
#define PICTURES "pictures"

const char *fm_slow_text(void)
{
    const char *text = getenv("FACEMIRROR_SLOW");
    return text && *text ? text : NULL;
}

static bool read_time(const char *text, size_t length, fm_slow *out)
{
    static const struct {
        const char *unit;
        uint64_t ns;
        bool cpu;
    } units[] = {
        {"s", 1000000000, false}, {"ms", 1000000, false}, {"us", 1000, false},
        {"s:cpu", 1000000000, true}, {"ms:cpu", 1000000, true}, {"us:cpu", 1000, true},
    };
    uint64_t number = 0;
    size_t digits = 0;
    for (; digits < length && text[digits] >= '0' && text[digits] <= '9' && number < SLOW_MAX_NS; digits++)
        number = 10 * number + (uint64_t)(text[digits] - '0');
    for (size_t i = 0; digits > 0 && i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].unit) != length - digits || strncmp(text + digits, units[i].unit, length - digits) != 0)
            continue;
        *out = (fm_slow){.ns = number * units[i].ns, .cpu = units[i].cpu};
        return number <= SLOW_MAX_NS / units[i].ns;
    }
    return false;
}

static bool is_pictures(const char *name, size_t length)
{
    return length == strlen(PICTURES) && strncmp(name, PICTURES, length) == 0;
}

/* One "NAME=TIME" of the list, or "pictures=N"; *at moves behind it. False: it is none. */
static bool next_entry(const char **at, const char **name, size_t *name_length, fm_slow *slow)
{
    const size_t length = strcspn(*at, ",");
    const char *entry = *at, *equals = memchr(entry, '=', length);
    *at += length + (entry[length] == ',');
    if (!equals || equals == entry)
        return false;
    *name = entry;
    *name_length = (size_t)(equals - entry);
    *slow = (fm_slow){0};
    if (is_pictures(entry, *name_length))
        return length == *name_length + 2 && equals[1] >= '1' && equals[1] <= '9';
    return read_time(equals + 1, length - *name_length - 1, slow);
}

fm_status fm_slow_check(fm_error *err)
{
    const char *name;
    size_t length;
    fm_slow slow;
    for (const char *at = fm_slow_text(); at && *at;)
        if (!next_entry(&at, &name, &length, &slow))
            return fm_fail(err, FM_E_USAGE, "FACEMIRROR_SLOW is '%.100s'; it takes STAGE=TIME,... with times such as 5ms, "
                                            "200us or 5ms:cpu, up to 10s, and pictures=N", fm_slow_text());
    return FM_OK;
}

fm_slow fm_slow_of(const char *wanted)
{
    const char *name;
    size_t length;
    fm_slow slow;
    for (const char *at = fm_slow_text(); at && *at;)
        if (next_entry(&at, &name, &length, &slow) && strlen(wanted) == length && strncmp(wanted, name, length) == 0)
            return slow;
    return (fm_slow){.ns = 0};
}

int fm_slow_pictures(int usual)
{
    const char *name;
    size_t length;
    fm_slow unused;
    for (const char *at = fm_slow_text(); at && *at;)
        if (next_entry(&at, &name, &length, &unused) && is_pictures(name, length))
            return name[length + 1] - '0' < usual ? name[length + 1] - '0' : usual;
    return usual;
}

static uint64_t cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void fm_slow_spend(const fm_slow *slow)
{
    if (slow->cpu) {
        for (const uint64_t began = cpu_now(); cpu_now() - began < slow->ns;)
            ;
        return;
    }
    struct timespec left = {.tv_sec = (time_t)(slow->ns / 1000000000), .tv_nsec = (long)(slow->ns % 1000000000)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}
