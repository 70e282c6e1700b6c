#include "pipeline/au_spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fm_au_spool {
    const fm_outfile *table;
    FILE *file;
    int64_t added, read;
};

fm_status fm_au_spool_create(fm_au_spool **out, const fm_outfile *table, fm_error *err)
{
    *out = NULL;
    char path[FM_PATH_MAX + 8];
    snprintf(path, sizeof path, "%s.spool", table->partial_path);
    fm_au_spool *s = calloc(1, sizeof *s);
    if (!s)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the table '%s'", table->final_path);
    s->table = table;
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        const fm_status status = fm_outfile_failed(table, err);
        free(s);
        return status;
    }
    unlink(path);
    s->file = fdopen(fd, "w+b");
    if (!s->file) {
        close(fd);
        free(s);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the table '%s'", table->final_path);
    }
    *out = s;
    return FM_OK;
}

void fm_au_spool_destroy(fm_au_spool **spool)
{
    if (*spool) {
        fclose((*spool)->file);
        free(*spool);
    }
    *spool = NULL;
}

fm_status fm_au_spool_add(fm_au_spool *s, const fm_au_row *row, fm_error *err)
{
    if (fwrite(row, sizeof *row, 1, s->file) != 1)
        return fm_outfile_failed(s->table, err);
    s->added++;
    return FM_OK;
}

fm_status fm_au_spool_rewind(fm_au_spool *s, fm_error *err)
{
    if (fflush(s->file) != 0) /* rewind would not tell */
        return fm_outfile_failed(s->table, err);
    rewind(s->file);
    s->read = 0;
    return FM_OK;
}

fm_status fm_au_spool_next(fm_au_spool *s, fm_au_row *row, bool *there, fm_error *err)
{
    *there = s->read < s->added;
    if (!*there)
        return FM_OK;
    if (fread(row, sizeof *row, 1, s->file) != 1)
        return fm_outfile_failed(s->table, err);
    s->read++;
    return FM_OK;
}
