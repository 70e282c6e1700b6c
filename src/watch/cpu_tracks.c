#include "watch/cpu_tracks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fmprof/trace.h"

/* A name in the profiler's registry stays until the process ends: not one for each of a thousand threads. */
enum { TRACKS_MAX = 64, TRACK_NAME_SIZE = 64 };

static double process_cpu_ns(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
        return (double)NAN;
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int64_t percent(double spent_ns, double wall_ns)
{
    const double value = 100 * spent_ns / wall_ns;
    return value > 0 && value < 1e9 ? (int64_t)(value + 0.5) : 0;
}

/* The lowest number that no other thread of its name has; 0: there are too many. */
static unsigned free_number(const fmp_threads *threads, const fmp_watched *thread)
{
    bool taken[TRACKS_MAX + 1] = {false};
    unsigned number = 1;
    for (size_t i = 0; i < threads->living_count; i++) {
        const fmp_watched *other = &threads->living[i];
        if (other->track && other->track_number <= TRACKS_MAX && strcmp(other->name, thread->name) == 0)
            taken[other->track_number] = true;
    }
    while (number <= TRACKS_MAX && taken[number])
        number++;
    return number <= TRACKS_MAX ? number : 0;
}

static size_t track_count(const fmp_threads *threads)
{
    size_t count = 0;
    for (size_t i = 0; i < threads->living_count; i++)
        count += threads->living[i].track != NULL;
    return count;
}

static void begin_track(const fmp_threads *threads, fmp_watched *thread)
{
    char name[TRACK_NAME_SIZE];
    const unsigned number = track_count(threads) < TRACKS_MAX ? free_number(threads, thread) : 0;
    if (number == 0)
        return;
    if (number == 1)
        snprintf(name, sizeof name, "CPU of %s", thread->name);
    else
        snprintf(name, sizeof name, "CPU of %s #%u", thread->name, number);
    thread->track_number = number;
    thread->track = fmp_gauge_get("SYSTEM", name, "%");
    thread->track_value = -1;
}

/* Steps alone: a line keeps its value. */
static void set_track(fmp_watched *thread, double wall_ns)
{
    const int64_t value = percent(thread->last.cpu_ns - thread->track_cpu_ns, wall_ns);
    if (value == thread->track_value)
        return;
    fmp_gauge_set(thread->track, value);
    thread->track_value = value;
}

void fmp_cpu_tracks_set(fmp_cpu_tracks *tracks, fmp_threads *threads)
{
    if (!fmp_trace_running()) {
        tracks->process = NULL;
        return;
    }
    const bool begun = tracks->process != NULL;
    const double cpu_ns = process_cpu_ns(), wall_ns = (double)(threads->now_ns - tracks->at_ns);
    if (!begun)
        tracks->process = fmp_gauge_get("SYSTEM", "CPU use", "%");
    else if (wall_ns > 0)
        fmp_gauge_set(tracks->process, percent(cpu_ns - tracks->process_cpu_ns, wall_ns));
    for (size_t i = 0; i < threads->living_count; i++) {
        fmp_watched *thread = &threads->living[i];
        /* From its second reading on: it has its name then, and something to be compared with. */
        if (begun && wall_ns > 0 && thread->track_cpu_ns > 0 && !thread->track && *thread->name)
            begin_track(threads, thread);
        if (begun && wall_ns > 0 && thread->track)
            set_track(thread, wall_ns);
        thread->track_cpu_ns = thread->last.cpu_ns;
    }
    tracks->process_cpu_ns = cpu_ns;
    tracks->at_ns = threads->now_ns;
}
