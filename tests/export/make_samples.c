/*
 * Writes synthetic traces and a snapshot in every format, and what they hold
 * as plain lines, for the consumers that read the formats back.
 * usage: make_samples FOLDER            small and random samples
 *        make_samples FOLDER EVENTS     one trace of so many events; says how long each format takes
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "synthetic.h"

static const char *folder;

static FILE *create(const char *sample, const char *suffix)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", folder, sample, suffix);
    FILE *file = fopen(path, "wb");
    if (!file) {
        fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
        exit(1);
    }
    return file;
}

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool timed;

static void finish(FILE *file, int printed, const char *suffix, double begun)
{
    double took = now() - begun;
    long size = ftell(file);
    if (printed != 0 || fclose(file) != 0) {
        fprintf(stderr, "cannot write *%s: %s\n", suffix, strerror(errno));
        exit(1);
    }
    if (timed)
        printf("%-22s %10.1f MB %8.3f s\n", suffix, (double)size / 1e6, took);
}

static void hex(FILE *out, const char *text)
{
    fputc(' ', out);
    fputc('x', out); /* so that an empty one is a word, too */
    for (; *text; text++)
        fprintf(out, "%02x", (unsigned char)*text);
}

/* The truth: one line a fact, strings in hexadecimal. */
static void print_trace_truth(FILE *out, const fmp_trace *trace)
{
    fprintf(out, "trace %" PRIu64 " %" PRIu64 " %d\n", trace->process_id, trace->dropped,
            trace->complete);
    for (size_t i = 0; i < trace->name_count; i++) {
        fprintf(out, "name");
        hex(out, trace->names[i].category);
        hex(out, trace->names[i].operation);
        hex(out, trace->names[i].unit);
        fputc('\n', out);
    }
    for (size_t t = 0; t < trace->thread_count; t++) {
        const fmp_trace_thread *thread = &trace->threads[t];
        fprintf(out, "thread %" PRIu64 " %" PRIu64, thread->id, thread->dropped);
        hex(out, thread->name);
        fputc('\n', out);
        for (size_t i = 0; i < thread->event_count; i++) {
            const fmp_event *event = &thread->events[i];
            fprintf(out, "event %d %" PRIu64 " %" PRIu64 " %" PRIu32 "\n", (int)event->kind,
                    event->start_ns, event->value, event->name);
        }
    }
}

static void print_snapshot_truth(FILE *out, const fmp_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        const fmp_operation *op = &snapshot->operations[i];
        fprintf(out, "operation");
        hex(out, op->category);
        hex(out, op->operation);
        fprintf(out, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                     " %.17g %.17g %u %" PRIu64 " %" PRId64 " %" PRId64 "\n",
                op->count, op->total_ns, op->self_ns, op->min_ns, op->max_ns, op->first_ns,
                op->mean_ns, op->p999_ns, op->measures, op->cpu_ns, op->rss_change,
                op->live_change);
    }
}

static void write_trace(const char *sample, const fmp_trace *trace)
{
    double begun = now();
    FILE *file = create(sample, ".trace.json");
    finish(file, fmp_print_chrome_trace(file, trace), ".trace.json", begun);
    begun = now();
    file = create(sample, ".perfetto");
    finish(file, fmp_print_perfetto(file, trace), ".perfetto", begun);
    begun = now();
    file = create(sample, ".speedscope.json");
    finish(file, fmp_print_speedscope_trace(file, trace, sample), ".speedscope.json", begun);
    begun = now();
    file = create(sample, ".folded.txt");
    finish(file, fmp_print_folded_trace(file, trace), ".folded.txt", begun);
    if (!timed) {
        file = create(sample, ".truth");
        print_trace_truth(file, trace);
        finish(file, 0, ".truth", begun);
    }
}

static void write_snapshot(const char *sample, const fmp_snapshot *snapshot)
{
    FILE *file = create(sample, ".csv");
    finish(file, fmp_print_csv(file, snapshot), ".csv", 0);
    file = create(sample, ".speedscope.json");
    finish(file, fmp_print_speedscope(file, snapshot, "a \"title\" \xFF"), ".speedscope.json", 0);
    file = create(sample, ".folded.txt");
    finish(file, fmp_print_folded(file, snapshot), ".folded.txt", 0);
    file = create(sample, ".truth");
    print_snapshot_truth(file, snapshot);
    finish(file, 0, ".truth", 0);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: make_samples FOLDER [EVENTS]\n", stderr);
        return 2;
    }
    folder = argv[1];
    timed = argc > 2;
    fmp_trace *random = timed ? synthetic_random(strtoull(argv[2], NULL, 10), 8, 1)
                              : synthetic_random(20000, 5, 7);
    write_trace(timed ? "large" : "random", random);
    synthetic_free(random);
    if (!timed) {
        static const fmp_trace nothing = {.complete = true};
        static const fmp_snapshot none = {0};
        write_trace("small", &synthetic_small);
        write_trace("empty", &nothing);
        write_snapshot("snapshot", &synthetic_snapshot);
        write_snapshot("nothing", &none);
    }
    return 0;
}
