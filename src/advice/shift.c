#include "advice/shift.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "advice/csv_table.h"
#include "advice/shift_series.h"
#include "base/file.h"
#include "report/profile_fields.h" /* fm_text_cut */

/* --- two tables side by side ---------------------------------------------- */

typedef struct reader {
    fm_csv_table *table;
    const char *path;
    int frame_column, success_column;
    int64_t frame; /* of the current row */
    bool success, end;
} reader;

typedef struct tables {
    reader base, now;
} tables;

static fm_status open_reader(reader *r, const char *path, fm_error *err)
{
    r->path = path;
    r->frame = -1;
    const fm_status status = fm_csv_open(&r->table, path, err);
    if (status != FM_OK)
        return status;
    r->frame_column = fm_csv_column(r->table, "frame");
    r->success_column = fm_csv_column(r->table, "success");
    if (r->frame_column < 0 || r->success_column < 0)
        return fm_fail(err, FM_E_BAD_INPUT, "'%s' has no columns 'frame' and 'success'", path);
    return FM_OK;
}

static fm_status advance(reader *r, fm_error *err)
{
    const int64_t before = r->frame;
    double success = 0;
    fm_status status = fm_csv_next(r->table, &r->end, err);
    if (status != FM_OK || r->end)
        return status;
    status = fm_csv_integer(r->table, r->frame_column, &r->frame, err);
    if (status == FM_OK)
        status = fm_csv_number(r->table, r->success_column, &success, err);
    r->success = success > 0;
    if (status == FM_OK && r->frame <= before)
        return fm_fail(err, FM_E_BAD_INPUT, "'%s': frame %lld comes twice or out of order; a table has one row a frame",
                       r->path, (long long)r->frame);
    return status;
}

static void close_tables(tables *t)
{
    fm_csv_close(&t->base.table);
    fm_csv_close(&t->now.table);
}

static fm_status open_tables(tables *t, const char *base, const char *now, fm_error *err)
{
    *t = (tables){0};
    fm_status status = open_reader(&t->base, base, err);
    if (status == FM_OK)
        status = open_reader(&t->now, now, err);
    if (status == FM_OK)
        status = advance(&t->base, err);
    if (status == FM_OK)
        status = advance(&t->now, err);
    return status;
}

/* Calls `compare` for each frame that shows a face in both. */
static fm_status walk(tables *t, fm_shift_frames *frames,
                      fm_status (*compare)(void *context, const tables *t, fm_error *err), void *context, fm_error *err)
{
    reader *a = &t->base, *b = &t->now;
    fm_status status = FM_OK;
    while (status == FM_OK && (!a->end || !b->end)) {
        const bool in_base = !a->end && (b->end || a->frame <= b->frame);
        const bool in_now = !b->end && (a->end || b->frame <= a->frame);
        if (!in_base || !in_now) {
            frames->missing++;
        } else if (a->success && b->success) {
            frames->compared++;
            status = compare(context, t, err);
        } else {
            frames->face_in_one += a->success != b->success;
        }
        if (status == FM_OK && in_base)
            status = advance(a, err);
        if (status == FM_OK && in_now)
            status = advance(b, err);
    }
    return status;
}

/* --- landmarks ------------------------------------------------------------ */

enum { POINTS_MAX = FM_CSV_COLUMNS_MAX / 2 };

typedef struct points {
    int count;
    int x[POINTS_MAX], y[POINTS_MAX]; /* columns */
} points;

typedef struct landmarks {
    points base, now;
    int canthus[2]; /* the outer ones; -1: not known */
    fm_series pixels, share;
    double point_max;
} landmarks;

static void find_points(points *p, const fm_csv_table *table)
{
    /* Names are looked up where they should stand, so that thousands of columns need no thousand searches. */
    for (int i = 0; i < fm_csv_columns(table) && p->count < POINTS_MAX; i++) {
        char x[24], y[24];
        snprintf(x, sizeof x, "x_%d", p->count);
        snprintf(y, sizeof y, "y_%d", p->count);
        if (strcmp(fm_csv_column_name(table, i), x) == 0 && i + 1 < fm_csv_columns(table) &&
            strcmp(fm_csv_column_name(table, i + 1), y) == 0) {
            p->x[p->count] = i;
            p->y[p->count++] = i + 1;
        }
    }
}

static fm_status point_of(const reader *r, const points *p, int i, double out[2], fm_error *err)
{
    const fm_status status = fm_csv_number(r->table, p->x[i], &out[0], err);
    return status == FM_OK ? fm_csv_number(r->table, p->y[i], &out[1], err) : status;
}

static fm_status eye_distance(const landmarks *l, const tables *t, double *out, fm_error *err)
{
    double a[2], b[2];
    *out = (double)NAN;
    if (l->canthus[0] < 0)
        return FM_OK;
    fm_status status = point_of(&t->base, &l->base, l->canthus[0], a, err);
    if (status == FM_OK)
        status = point_of(&t->base, &l->base, l->canthus[1], b, err);
    *out = hypot(a[0] - b[0], a[1] - b[1]);
    return status;
}

static fm_status compare_points(void *context, const tables *t, fm_error *err)
{
    landmarks *l = context;
    double sum = 0, eyes;
    int count = 0;
    fm_status status = eye_distance(l, t, &eyes, err);
    for (int i = 0; i < l->base.count && status == FM_OK; i++) {
        double a[2], b[2];
        status = point_of(&t->base, &l->base, i, a, err);
        if (status == FM_OK)
            status = point_of(&t->now, &l->now, i, b, err);
        const double moved = hypot(a[0] - b[0], a[1] - b[1]);
        if (status != FM_OK || !isfinite(moved))
            continue;
        sum += moved;
        count++;
        l->point_max = fmax(l->point_max, moved);
    }
    if (status != FM_OK || count == 0)
        return status;
    status = fm_series_add(&l->pixels, t->base.frame, sum / count, err);
    if (status == FM_OK && eyes > 0)
        status = fm_series_add(&l->share, t->base.frame, sum / count / eyes, err);
    return status;
}

/* Of MediaPipe's meshes and of WFLW's 98 points. */
static void find_canthi(landmarks *l)
{
    const bool mesh = l->base.count >= 468, wflw = l->base.count == 98;
    l->canthus[0] = mesh ? 33 : wflw ? 60 : -1;
    l->canthus[1] = mesh ? 263 : wflw ? 72 : -1;
}

static fm_status compare_landmarks(fm_shift *shift, const char *base, const char *now, fm_error *err)
{
    fm_shift_landmarks *out = &shift->landmarks;
    tables t;
    landmarks *l = calloc(1, sizeof *l);
    if (!l)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the landmarks");
    fm_status status = open_tables(&t, base, now, err);
    if (status == FM_OK) {
        find_points(&l->base, t.base.table);
        find_points(&l->now, t.now.table);
        find_canthi(l);
        out->points = l->base.count;
        if (l->base.count == 0 || l->base.count != l->now.count)
            snprintf(shift->why, sizeof shift->why, "landmarks are not compared: %d points and %d points",
                     l->base.count, l->now.count);
        else
            out->compared = true;
    }
    if (out->compared)
        status = walk(&t, &out->frames, compare_points, l, err);
    out->compared = out->compared && status == FM_OK;
    out->pixels = fm_series_figures(&l->pixels);
    out->share = fm_series_figures(&l->share);
    out->point_max = l->point_max;
    fm_series_free(&l->pixels);
    fm_series_free(&l->share);
    free(l);
    close_tables(&t);
    return status;
}

/* --- action units ----------------------------------------------------------- */

typedef struct unit {
    char name[FM_SHIFT_NAME];
    int base, now;                   /* columns of the intensity */
    int base_presence, now_presence; /* -1: none */
    fm_series change;
    int64_t presence;
} unit;

typedef struct units {
    unit list[FM_SHIFT_UNITS_MAX];
    size_t count;
} units;

/* Columns "AU12_r" that both tables have, with "AU12_c". */
static void find_units(units *u, const tables *t)
{
    for (int i = 0; i < fm_csv_columns(t->base.table) && u->count < FM_SHIFT_UNITS_MAX; i++) {
        const char *name = fm_csv_column_name(t->base.table, i);
        const size_t length = strlen(name);
        const int now = strncmp(name, "AU", 2) == 0 ? fm_csv_column(t->now.table, name) : -1;
        if (now < 0 || length < 4 || length - 2 >= FM_SHIFT_NAME || strcmp(name + length - 2, "_r") != 0)
            continue;
        unit *one = &u->list[u->count++];
        char presence[FM_SHIFT_NAME + 4];
        snprintf(one->name, sizeof one->name, "%.*s", (int)(length - 2), name);
        snprintf(presence, sizeof presence, "%s_c", one->name);
        one->base = i;
        one->now = now;
        one->base_presence = fm_csv_column(t->base.table, presence);
        one->now_presence = fm_csv_column(t->now.table, presence);
    }
}

static fm_status compare_presence(unit *u, const tables *t, fm_error *err)
{
    double a, b;
    if (u->base_presence < 0 || u->now_presence < 0)
        return FM_OK;
    fm_status status = fm_csv_number(t->base.table, u->base_presence, &a, err);
    if (status == FM_OK)
        status = fm_csv_number(t->now.table, u->now_presence, &b, err);
    if (status == FM_OK)
        u->presence += (a > 0) != (b > 0);
    return status;
}

static fm_status compare_units(void *context, const tables *t, fm_error *err)
{
    units *u = context;
    fm_status status = FM_OK;
    for (size_t i = 0; i < u->count && status == FM_OK; i++) {
        double a, b;
        status = fm_csv_number(t->base.table, u->list[i].base, &a, err);
        if (status == FM_OK)
            status = fm_csv_number(t->now.table, u->list[i].now, &b, err);
        if (status == FM_OK && isfinite(a) && isfinite(b))
            status = fm_series_add(&u->list[i].change, t->base.frame, fabs(a - b), err);
        if (status == FM_OK)
            status = compare_presence(&u->list[i], t, err);
    }
    return status;
}

static fm_status keep_units(units *u, fm_shift_table *out, fm_error *err)
{
    out->units = calloc(FM_SHIFT_UNITS_MAX, sizeof *out->units);
    if (!out->units)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the action units");
    for (size_t i = 0; i < u->count; i++) {
        if (u->list[i].change.count == 0) /* empty throughout: it cannot be measured */
            continue;
        fm_shift_unit *kept = &out->units[out->unit_count++];
        memcpy(kept->name, u->list[i].name, sizeof kept->name);
        kept->change = fm_series_figures(&u->list[i].change);
        kept->presence = u->list[i].presence;
    }
    return FM_OK;
}

static fm_status compare_table(fm_shift_table *out, const char *base, const char *now, fm_error *err)
{
    tables t;
    units u = {.count = 0};
    fm_status status = open_tables(&t, base, now, err);
    if (status == FM_OK) {
        find_units(&u, &t);
        status = walk(&t, &out->frames, compare_units, &u, err);
    }
    if (status == FM_OK)
        status = keep_units(&u, out, err);
    out->compared = status == FM_OK && u.count > 0;
    for (size_t i = 0; i < u.count; i++)
        fm_series_free(&u.list[i].change);
    close_tables(&t);
    return status;
}

/* --- which files ------------------------------------------------------------- */

/* The table of a folder with that end of its name; "" when there is none, or more than one. */
static void find_table(char out[FM_PATH_MAX], const char *dir, const char *stem, const char *suffix)
{
    out[0] = '\0';
    struct stat st;
    if (stem && *stem) {
        if (fm_path_output(out, dir, stem, suffix, NULL) != FM_OK || stat(out, &st) != 0)
            out[0] = '\0';
        return;
    }
    DIR *folder = opendir(dir);
    int found = 0;
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        const size_t length = strlen(entry->d_name), tail = strlen(suffix);
        if (entry->d_name[0] == '.' || length < tail || strcmp(entry->d_name + length - tail, suffix) != 0)
            continue;
        if (++found > 1 || !fm_path_join(out, dir, entry->d_name))
            out[0] = '\0';
    }
    if (folder)
        closedir(folder);
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

enum { LANDMARKS, LEFT, RIGHT, TABLES };

static fm_status compare_file(fm_shift *out, int which, const char *base, const char *now, fm_error *err)
{
    if (which == LANDMARKS)
        return compare_landmarks(out, base, now, err);
    return compare_table(which == LEFT ? &out->left : &out->right, base, now, err);
}

fm_status fm_shift_measure(fm_shift *out, const char *base_dir, const char *base_stem, const char *now_dir,
                           const char *now_stem, fm_error *err)
{
    static const char *const suffixes[TABLES] = {"_landmarks.csv", "_left_mirrored.csv", "_right_mirrored.csv"};
    *out = (fm_shift){.asked = true};
    fm_text_cut(out->base, sizeof out->base, base_dir);
    fm_text_cut(out->now, sizeof out->now, now_dir);
    int pairs = 0;
    bool same = false;
    fm_status status = FM_OK;
    for (int i = 0; i < TABLES && status == FM_OK; i++) {
        char base[FM_PATH_MAX], now[FM_PATH_MAX];
        find_table(base, base_dir, base_stem, suffixes[i]);
        find_table(now, now_dir, now_stem, suffixes[i]);
        if (!*base || !*now)
            continue;
        pairs++;
        if (same_file(base, now))
            same = true;
        else
            status = compare_file(out, i, base, now, err);
    }
    if (same)
        snprintf(out->why, sizeof out->why, "both sides have the same tables: there is nothing to compare");
    else if (pairs == 0)
        snprintf(out->why, sizeof out->why, "no table of results (landmarks, action units) lies in both folders");
    return status;
}

void fm_shift_free(fm_shift *shift)
{
    free(shift->left.units);
    free(shift->right.units);
    shift->left.units = shift->right.units = NULL;
}
