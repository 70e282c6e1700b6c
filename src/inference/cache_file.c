#include "inference/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/mem.h>
#include <libavutil/murmur3.h>

#include "base/file.h"
#include "inference/internal.h"

#define GRAPH_BYTES_MAX ((size_t)1 << 30)
#define HUGE_PAGE ((size_t)2 << 20)

enum {
    CHECKSUM_HEX = 33,  /* 32 digits and the NUL */
    LAST_LINE = 57,     /* "record ", 16 digits, a blank, 32 digits, a line break */
    RECORD_MAX = 1 << 16,
    TYPE_MAX = 160      /* longest name of an operator type */
};

/* Whoever adds to the breakdown adds it to the record as well, and raises CACHE_FORMAT in cache_key.c. */
_Static_assert(sizeof(void *) != 8 || sizeof(fm_breakdown) == 192, "the cache's record holds all of the breakdown");

static bool checksum(const void *data, size_t size, char hex[CHECKSUM_HEX])
{
    uint8_t digest[16];
    struct AVMurMur3 *sum = av_murmur3_alloc();
    if (!sum)
        return false;
    av_murmur3_init(sum);
    av_murmur3_update(sum, data, size);
    av_murmur3_final(sum, digest);
    av_free(sum);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return true;
}

/* --- writing ----------------------------------------------------------------- */

/* The lines but the last; malloc'ed. NULL: no memory, or it cannot be written so that it is read again. */
static char *make_lines(const char *key, size_t graph_size, const char *graph_sum, const fm_breakdown *b, size_t *size)
{
    char *text = NULL;
    FILE *stream = open_memstream(&text, size);
    if (!stream)
        return NULL;
    fprintf(stream, "facemirror graph %s\ngraph %zu %s\nweights %" PRIu64 " %" PRIu64 "\n", key, graph_size, graph_sum,
            b->parameters, b->weight_bytes);
    bool good = true;
    for (int i = 0; i < b->type_count; i++) {
        const char *type = b->types[i].op_type;
        good = good && *type && strlen(type) < TYPE_MAX && !strpbrk(type, " \n");
        fprintf(stream, "operator %d %s\n", b->types[i].cpu, type);
    }
    if (fclose(stream) == 0 && good && *size <= RECORD_MAX)
        return text;
    free(text);
    return NULL;
}

static bool append(const char *path, const char *lines, size_t size)
{
    char sum[CHECKSUM_HEX];
    if (!checksum(lines, size, sum))
        return false;
    FILE *file = fopen(path, "ab");
    if (!file)
        return false;
    const bool written = fwrite(lines, 1, size, file) == size &&
                         fprintf(file, "record %016zx %s\n", size, sum) == LAST_LINE;
    return fclose(file) == 0 && written;
}

bool fm_cache_file_seal(const char *path, const char *key, const fm_breakdown *b)
{
    uint8_t *graph = NULL;
    size_t size = 0, lines_size = 0;
    fm_error ignored = {0};
    char sum[CHECKSUM_HEX];
    if (b->accelerator > 0 || fm_file_read(path, GRAPH_BYTES_MAX, &graph, &size, &ignored) != FM_OK)
        return false;
    char *lines = size > 0 && checksum(graph, size, sum) ? make_lines(key, size, sum, b, &lines_size) : NULL;
    const bool sealed = lines && append(path, lines, lines_size);
    free(lines);
    free(graph);
    return sealed;
}

/* --- reading ----------------------------------------------------------------- */

/* Cuts one line off the text. NULL: there is none left. */
static char *next_line(char **text)
{
    char *line = *text, *end = strchr(line, '\n');
    if (!end)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return line;
}

static bool add_type(fm_breakdown *b, const char *line)
{
    int count = 0, name = 0;
    if (sscanf(line, "operator %9d %n", &count, &name) != 1 || name == 0 || count < 1 || !line[name])
        return false;
    fm_breakdown_type *grown = realloc(b->types, (size_t)(b->type_count + 1) * sizeof *grown);
    if (!grown)
        return false;
    b->types = grown;
    char *type = strdup(line + name);
    if (!type)
        return false;
    b->types[b->type_count++] = (fm_breakdown_type){.op_type = type, .cpu = count};
    b->operators += count;
    return true;
}

/* All operators are on the CPU, so that the types and the weights tell everything. */
static bool read_breakdown(fm_breakdown *b, char *text)
{
    char *line = next_line(&text);
    bool good = line && sscanf(line, "weights %" SCNu64 " %" SCNu64, &b->parameters, &b->weight_bytes) == 2;
    while (good && (line = next_line(&text)))
        good = add_type(b, line);
    b->cpu = b->operators;
    b->crossings_known = true;
    if (b->operators > 0)
        b->providers[b->provider_count++] = (fm_breakdown_provider){fm_provider_suffix(FM_CPU_PROVIDER), b->operators};
    return good;
}

static bool read_lines(fm_cached_graph *out, char *text, const char *key, size_t graph_size)
{
    char head[128], sum[CHECKSUM_HEX], wanted[128];
    snprintf(head, sizeof head, "facemirror graph %s", key);
    const char *line = next_line(&text);
    if (!line || strcmp(line, head) != 0)
        return false;
    line = next_line(&text);
    if (!line || !checksum(out->data, graph_size, sum))
        return false;
    snprintf(wanted, sizeof wanted, "graph %zu %s", graph_size, sum);
    if (strcmp(line, wanted) != 0)
        return false;
    out->graph_size = graph_size;
    return read_breakdown(&out->breakdown, text);
}

/* The lines but the last, as text: they are checked, and the last gives way to a NUL. NULL: they are damaged. */
static char *find_lines(uint8_t *data, size_t size)
{
    char wanted[LAST_LINE + 1], sum[CHECKSUM_HEX];
    if (size < LAST_LINE)
        return NULL;
    char *last = (char *)data + size - LAST_LINE;
    if (memcmp(last, "record ", 7) != 0)
        return NULL;
    const unsigned long long length = strtoull(last + 7, NULL, 16);
    if (length > RECORD_MAX || length > size - LAST_LINE || !checksum(last - length, (size_t)length, sum))
        return NULL;
    snprintf(wanted, sizeof wanted, "record %016llx %s\n", length, sum);
    if (memcmp(last, wanted, LAST_LINE) != 0)
        return NULL;
    *last = '\0';
    return last - length;
}

/*
 * Room for a file. Large ones lie in huge pages where the system has them: with
 * small ones, reading takes thrice as long. (Not a map of the file, of which a
 * part may be gone when it is looked at: a signal, and the end of the program.)
 */
static uint8_t *make_room(size_t size)
{
    const size_t alignment = size < 4 * HUGE_PAGE ? 64 : HUGE_PAGE;
    const size_t rounded = (size + alignment - 1) / alignment * alignment;
    void *room = aligned_alloc(alignment, rounded);
#if defined(MADV_HUGEPAGE)
    if (room && alignment == HUGE_PAGE)
        (void)!madvise(room, rounded, MADV_HUGEPAGE);
#endif
    return room;
}

static bool read_all(int fd, uint8_t *data, size_t size)
{
    for (size_t have = 0; have < size;) {
        const ssize_t got = read(fd, data + have, size - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    return true;
}

static uint8_t *read_file(const char *path, size_t *size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct stat st;
    uint8_t *data = NULL;
    const bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
                      (uintmax_t)st.st_size <= GRAPH_BYTES_MAX + RECORD_MAX + LAST_LINE;
    if (good)
        data = make_room(*size = (size_t)st.st_size);
    if (data && !read_all(fd, data, *size)) {
        free(data);
        data = NULL;
    }
    close(fd);
    return data;
}

bool fm_cache_file_read(const char *path, const char *key, fm_cached_graph *out)
{
    *out = (fm_cached_graph){0};
    size_t size = 0;
    out->data = read_file(path, &size);
    if (!out->data)
        return false;
    char *lines = find_lines(out->data, size);
    if (lines && read_lines(out, lines, key, (size_t)(lines - (char *)out->data)))
        return true;
    fm_breakdown_free(&out->breakdown);
    free(out->data);
    *out = (fm_cached_graph){0};
    return false;
}
