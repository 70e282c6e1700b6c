#include "watch/threads.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch/proc_text.h"

/* Full figures are dear, and what they tell changes slowly; a new thread gets its name soon after it began. */
enum { FULL_INTERVAL_NS = 1000000000, FULL_READINGS_AT_FIRST = 2, ENDED_KEPT_MAX = 256 };

bool fmp_threads_create(fmp_threads *threads, const char *root)
{
    *threads = (fmp_threads){.source = fmp_thread_source_create(root)};
    if (!threads->source)
        return false;
    threads->others = fmp_thread_source_none(threads->source);
    return true;
}

void fmp_threads_free(fmp_threads *threads)
{
    for (size_t i = 0; i < threads->living_count; i++)
        fmp_thread_source_close(threads->source, &threads->living[i].files);
    fmp_thread_source_free(&threads->source);
    free(threads->living);
    free(threads->ended);
    free(threads->current);
    *threads = (fmp_threads){0};
}

/* Room for one more; false when memory is out. */
static bool grow(fmp_watched **array, size_t count, size_t *room)
{
    if (count < *room)
        return true;
    const size_t more = *room ? 2 * *room : 32;
    fmp_watched *grown = realloc(*array, more * sizeof *grown);
    if (!grown)
        return false;
    *array = grown;
    *room = more;
    return true;
}

/* The first living thread whose id is not smaller. */
static size_t place_of(const fmp_threads *threads, uint64_t id)
{
    size_t from = 0, to = threads->living_count;
    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        if (threads->living[middle].id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

fmp_watched *fmp_threads_find(const fmp_threads *threads, uint64_t id)
{
    const size_t at = place_of(threads, id);
    return at < threads->living_count && threads->living[at].id == id ? &threads->living[at] : NULL;
}

static void begin_thread(const fmp_threads *threads, fmp_watched *thread, uint64_t id)
{
    const fmp_thread_figures none = fmp_thread_source_none(threads->source);
    *thread = (fmp_watched){
        .id = id, .files = FMP_NO_THREAD_FILES, .first = none, .last = none, .since_ns = threads->before_ns};
    thread->until_ns = thread->since_ns;
}

static void found(void *context, uint64_t id)
{
    fmp_threads *threads = context;
    const size_t at = place_of(threads, id);
    if (at < threads->living_count && threads->living[at].id == id)
        return;
    if (!grow(&threads->living, threads->living_count, &threads->living_room))
        return; /* it counts in the difference to the process */
    memmove(&threads->living[at + 1], &threads->living[at], (threads->living_count - at) * sizeof *threads->living);
    threads->living_count++;
    begin_thread(threads, &threads->living[at], id);
}

/* --- what a thread did ------------------------------------------------------------ */

static fmp_thread_figures did(const fmp_watched *thread)
{
    const fmp_thread_figures *a = &thread->first, *b = &thread->last;
    return (fmp_thread_figures){
        .cpu_ns = fmp_growth(a->cpu_ns, b->cpu_ns),
        .ready_ns = fmp_growth(a->ready_ns, b->ready_ns),
        .voluntary = fmp_growth(a->voluntary, b->voluntary),
        .involuntary = fmp_growth(a->involuntary, b->involuntary),
        .migrations = fmp_growth(a->migrations, b->migrations),
        .major_faults = fmp_growth(a->major_faults, b->major_faults),
    };
}

static void add(double *sum, double value)
{
    if (isnan(*sum))
        *sum = value;
    else if (!isnan(value))
        *sum += value;
}

static void add_figures(fmp_thread_figures *sum, const fmp_thread_figures *figures)
{
    add(&sum->cpu_ns, figures->cpu_ns);
    add(&sum->ready_ns, figures->ready_ns);
    add(&sum->voluntary, figures->voluntary);
    add(&sum->involuntary, figures->involuntary);
    add(&sum->migrations, figures->migrations);
    add(&sum->major_faults, figures->major_faults);
}

/* For comparing: not a number is least. */
static double cpu_of(const fmp_watched *thread)
{
    const double cpu = fmp_growth(thread->first.cpu_ns, thread->last.cpu_ns);
    return isnan(cpu) ? -1 : cpu;
}

static void add_to_others(fmp_threads *threads, const fmp_watched *thread)
{
    const fmp_thread_figures figures = did(thread);
    add_figures(&threads->others, &figures);
    threads->others_wall_ns += thread->until_ns - thread->since_ns;
}

/* Keeps an ended thread, or in place of it and the others the one that took least CPU time. */
static void keep_ended(fmp_threads *threads, const fmp_watched *thread)
{
    if (threads->ended_count < ENDED_KEPT_MAX && grow(&threads->ended, threads->ended_count, &threads->ended_room)) {
        threads->ended[threads->ended_count++] = *thread;
        return;
    }
    fmp_watched *least = NULL;
    for (size_t i = 0; i < threads->ended_count; i++)
        if (!least || cpu_of(&threads->ended[i]) < cpu_of(least))
            least = &threads->ended[i];
    if (!least || cpu_of(thread) <= cpu_of(least)) {
        add_to_others(threads, thread);
        return;
    }
    add_to_others(threads, least);
    *least = *thread;
}

static void end_thread(fmp_threads *threads, fmp_watched *thread)
{
    fmp_thread_source_close(threads->source, &thread->files);
    if (thread->track)
        fmp_gauge_set(thread->track, 0);
    if (thread->readings > 0) /* else it ended before it could be read */
        keep_ended(threads, thread);
}

/* --- readings ---------------------------------------------------------------------- */

/* False when the thread is gone. */
static bool read_thread(fmp_threads *threads, fmp_watched *thread, bool all)
{
    const double before = thread->last.cpu_ns;
    fmp_thread_figures now = thread->last;
    if (!fmp_thread_source_quick(threads->source, thread->id, &thread->files, &now))
        return false;
    if (now.cpu_ns < before) { /* another thread has got the id of one that ended */
        end_thread(threads, thread);
        begin_thread(threads, thread, thread->id);
        const double cpu_ns = now.cpu_ns, ready_ns = now.ready_ns;
        now = thread->last;
        now.cpu_ns = cpu_ns;
        now.ready_ns = ready_ns;
    }
    thread->last = now;
    thread->until_ns = threads->now_ns;
    const bool ran = !(now.cpu_ns == before);
    const bool due = ran && threads->now_ns - thread->full_ns >= FULL_INTERVAL_NS;
    if (all || thread->readings < FULL_READINGS_AT_FIRST || due) {
        char name[FMP_THREAD_NAME_SIZE] = "";
        fmp_thread_source_full(threads->source, thread->id, &thread->last, name);
        thread->full_ns = threads->now_ns;
        if (!thread->named && *name)
            memcpy(thread->name, name, sizeof name);
    }
    thread->readings += thread->readings < FULL_READINGS_AT_FIRST;
    return true;
}

static void read_living(fmp_threads *threads, bool all)
{
    size_t left = 0;
    for (size_t i = 0; i < threads->living_count; i++) {
        fmp_watched *thread = &threads->living[i];
        if (!read_thread(threads, thread, all)) {
            end_thread(threads, thread);
            continue;
        }
        if (left != i)
            threads->living[left] = *thread;
        left++;
    }
    threads->living_count = left;
}

void fmp_threads_ask(fmp_threads *threads)
{
    size_t count = fmp_threads_current(threads->current, threads->current_room);
    if (count > threads->current_room) {
        const size_t room = count + count / 2;
        fmp_thread_current *grown = realloc(threads->current, room * sizeof *grown);
        if (grown) {
            threads->current = grown;
            threads->current_room = room;
            count = fmp_threads_current(grown, room);
        }
    }
    threads->current_count = count < threads->current_room ? count : threads->current_room;
}

/* "thread 7": what the profiler calls those that the program gives no name. */
static bool automatic(const char *name)
{
    return strncmp(name, "thread ", 7) == 0 && name[7] && name[7 + strspn(name + 7, "0123456789")] == '\0';
}

static void take_names(fmp_threads *threads, uint64_t watcher)
{
    for (size_t i = 0; i < threads->current_count; i++) {
        fmp_watched *thread = fmp_threads_find(threads, threads->current[i].id);
        if (!thread || automatic(threads->current[i].name))
            continue;
        memcpy(thread->name, threads->current[i].name, sizeof thread->name);
        thread->named = true;
    }
    fmp_watched *watching = watcher ? fmp_threads_find(threads, watcher) : NULL;
    if (watching) {
        snprintf(watching->name, sizeof watching->name, "(profiler's watch)");
        watching->named = true;
    }
}

static void find_threads(fmp_threads *threads)
{
    if (fmp_thread_source_each(threads->source, found, threads))
        return;
    for (size_t i = 0; i < threads->current_count; i++) /* better those than none */
        found(threads, threads->current[i].id);
}

void fmp_threads_begin(fmp_threads *threads, uint64_t now_ns)
{
    threads->now_ns = threads->before_ns = now_ns;
    fmp_threads_ask(threads);
    /* Twice: a listing may leave out threads when others end meanwhile. */
    find_threads(threads);
    find_threads(threads);
    read_living(threads, true);
    take_names(threads, 0);
    threads->ended_count = 0;
    for (size_t i = 0; i < threads->living_count; i++)
        threads->living[i].first = threads->living[i].last;
}

void fmp_threads_settle(fmp_threads *threads, bool begins)
{
    for (size_t i = 0; i < threads->living_count; i++) {
        fmp_watched *thread = &threads->living[i];
        fmp_thread_source_quick(threads->source, thread->id, &thread->files, &thread->last);
        if (begins)
            thread->first = thread->last;
    }
}

void fmp_threads_read(fmp_threads *threads, uint64_t now_ns, uint64_t watcher, bool all)
{
    threads->before_ns = threads->now_ns;
    threads->now_ns = now_ns > threads->before_ns ? now_ns : threads->before_ns;
    find_threads(threads);
    read_living(threads, all);
    take_names(threads, watcher);
    /* Last: what this reading took is in it. */
    fmp_watched *watching = watcher ? fmp_threads_find(threads, watcher) : NULL;
    if (watching)
        fmp_thread_source_quick(threads->source, watcher, &watching->files, &watching->last);
}

/* --- the table ----------------------------------------------------------------------- */

enum { ROWS_MAX = 64 };

static int by_time(const void *left, const void *right)
{
    const fmp_watched *a = *(const fmp_watched *const *)left, *b = *(const fmp_watched *const *)right;
    if (a->since_ns != b->since_ns)
        return a->since_ns < b->since_ns ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

typedef struct numbered {
    const fmp_watched *thread;
    unsigned number; /* among those with its name, from 1 */
} numbered;

static int by_cpu(const void *left, const void *right)
{
    const numbered *a = left, *b = right;
    const double x = cpu_of(a->thread), y = cpu_of(b->thread);
    return x != y ? (x < y ? 1 : -1) : by_time(&a->thread, &b->thread);
}

static void row(fmp_tables *tables, const char *name, double wall_ns, const fmp_thread_figures *figures)
{
    fmp_table_row(tables, (fmp_cell[]){FMP_TEXT(name), FMP_NUMBER(wall_ns / 1e9), FMP_NUMBER(figures->cpu_ns / 1e9),
                                       FMP_NUMBER(figures->ready_ns / 1e9), FMP_NUMBER(figures->voluntary),
                                       FMP_NUMBER(figures->involuntary), FMP_NUMBER(figures->migrations),
                                       FMP_NUMBER(figures->major_faults)});
}

static void thread_row(fmp_tables *tables, const numbered *n)
{
    const fmp_thread_figures figures = did(n->thread);
    const char *name = *n->thread->name ? n->thread->name : "(no name)";
    if (n->number > 1)
        name = fmp_tables_text(tables, "%s #%u", name, n->number);
    row(tables, name, (double)(n->thread->until_ns - n->thread->since_ns), &figures);
}

/* Threads in the order in which they began, which is what numbers those of one name. NULL: memory is out. */
static numbered *all_threads(const fmp_threads *threads, size_t count)
{
    const fmp_watched **order = malloc(count * sizeof *order);
    numbered *all = malloc(count * sizeof *all);
    if (!order || !all) {
        free(order);
        free(all);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        order[i] = i < threads->ended_count ? &threads->ended[i] : &threads->living[i - threads->ended_count];
    qsort(order, count, sizeof *order, by_time);
    for (size_t i = 0; i < count; i++) {
        all[i] = (numbered){order[i], 1};
        for (size_t k = i; k-- > 0;)
            if (strcmp(all[k].thread->name, order[i]->name) == 0) {
                all[i].number = all[k].number + 1;
                break;
            }
    }
    free(order);
    qsort(all, count, sizeof *all, by_cpu);
    return all;
}

/* What the process did and no thread was seen to do. */
static fmp_thread_figures unseen(const fmp_thread_figures *process, const fmp_thread_figures *seen)
{
    return (fmp_thread_figures){
        .cpu_ns = fmp_growth(seen->cpu_ns, process->cpu_ns),
        .ready_ns = (double)NAN,
        .voluntary = fmp_growth(seen->voluntary, process->voluntary),
        .involuntary = fmp_growth(seen->involuntary, process->involuntary),
        .migrations = (double)NAN,
        .major_faults = fmp_growth(seen->major_faults, process->major_faults),
    };
}

void fmp_threads_table(const fmp_threads *threads, const fmp_thread_figures *process, fmp_tables *tables)
{
    const size_t count = threads->ended_count + threads->living_count;
    numbered *all = count > 0 ? all_threads(threads, count) : NULL;
    fmp_thread_figures others = threads->others, sum = threads->others;
    double others_wall_ns = (double)threads->others_wall_ns;
    fmp_table_begin(tables, "threads");
    for (size_t i = 0; all && i < count; i++) {
        const fmp_thread_figures figures = did(all[i].thread);
        add_figures(&sum, &figures);
        if (i < ROWS_MAX) {
            thread_row(tables, &all[i]);
            continue;
        }
        add_figures(&others, &figures);
        others_wall_ns += (double)(all[i].thread->until_ns - all[i].thread->since_ns);
    }
    free(all);
    if (others_wall_ns > 0)
        row(tables, "(others)", others_wall_ns, &others);
    const fmp_thread_figures rest = unseen(process, &sum);
    const double share = rest.cpu_ns / process->cpu_ns; /* not a number: nothing to tell */
    if (share > 0.0005)
        row(tables, "(ended between readings)", (double)NAN, &rest);
}
