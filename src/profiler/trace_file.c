#include "trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FIRST_NAME_AREA = 64 * 1024, /* bytes; each area is twice the one before ... */
    NAME_AREA_DOUBLINGS = 6,     /* ... up to 4 MiB: 80 MiB in all */
    MOVED_ALIGNMENT = 64,
    COPY_CHUNK = 64 * 1024
};

static uint64_t round_up(uint64_t value, uint64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static uint64_t page_size(void)
{
    long size = sysconf(_SC_PAGESIZE);
    return size > 0 ? (uint64_t)size : 4096;
}

/* Allocates the bytes on disk and makes the file that long. 0 or an errno value. */
static int allocate(int fd, uint64_t offset, uint64_t size)
{
    /* Beyond the limit the kernel would send SIGXFSZ, which kills. */
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        offset + size > limit.rlim_cur)
        return EFBIG;
#if defined(__APPLE__)
    static const char zeros[COPY_CHUNK];
    while (size > 0) {
        size_t part = size < sizeof zeros ? (size_t)size : sizeof zeros;
        ssize_t written = pwrite(fd, zeros, part, (off_t)offset);
        if (written < 0 && errno != EINTR)
            return errno;
        if (written > 0) {
            offset += (uint64_t)written;
            size -= (uint64_t)written;
        }
    }
    return 0;
#else
    int error;
    do
        error = posix_fallocate(fd, (off_t)offset, (off_t)size);
    while (error == EINTR);
    return error;
#endif
}

static void *map(int fd, uint64_t offset, uint64_t size)
{
    if (size > SIZE_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    void *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    return memory == MAP_FAILED ? NULL : memory;
}

static int open_new(const char *path, int *fd)
{
    struct stat status;
    if (lstat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            return EISDIR;
        if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode))
            return EINVAL; /* a device or a pipe cannot be mapped, and is not ours to unlink */
        if (unlink(path) != 0)
            return errno;
    }
    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return *fd < 0 ? errno : 0;
}

int fmp_trace_file_create(fmp_trace_file *file, const char *path,
                          const fmp_trace_file_start *start)
{
    *file = (fmp_trace_file){.fd = -1};
    int error = open_new(path, &file->fd);
    if (error)
        return error;
    uint32_t area_max = start->threads_max + FMP_TRACE_NAME_AREAS;
    file->header_size = round_up(
        sizeof(fmp_trace_file_header) + area_max * sizeof(fmp_trace_file_area), page_size());
    file->end = file->header_size;
    error = allocate(file->fd, 0, file->header_size);
    if (!error) {
        file->header = map(file->fd, 0, file->header_size);
        error = file->header ? 0 : errno;
    }
    if (error) {
        close(file->fd);
        file->fd = -1;
        unlink(path);
        return error;
    }
    fmp_trace_file_header *header = file->header;
    file->table = (fmp_trace_file_area *)(header + 1);
    header->version = FMP_TRACE_VERSION;
    header->byte_order = FMP_TRACE_BYTE_ORDER;
    header->table_offset = sizeof *header;
    header->event_size = FMP_TRACE_EVENT_SIZE;
    header->process_id = (uint64_t)getpid();
    header->ns_per_tick = start->ns_per_tick;
    header->start_ticks = start->ticks;
    header->start_unix_ns = start->unix_ns;
    header->events_per_thread = start->events_per_thread;
    header->full = start->full;
    header->state = FMP_TRACE_RECORDING;
    header->area_max = area_max;
    memcpy(header->magic, FMP_TRACE_MAGIC, sizeof header->magic);
    return 0;
}

void *fmp_trace_file_add_area(fmp_trace_file *file, uint32_t type, uint64_t *size)
{
    uint32_t count = atomic_load_explicit(&file->header->area_count, memory_order_relaxed);
    if (count >= file->header->area_max) {
        errno = ENOSPC;
        return NULL;
    }
    *size = round_up(*size, page_size());
    int error = allocate(file->fd, file->end, *size);
    void *memory = error ? NULL : map(file->fd, file->end, *size);
    if (!memory) {
        errno = error ? error : errno;
        return NULL;
    }
    file->table[count] = (fmp_trace_file_area){file->end, *size, type, 0};
    file->end += *size;
    return memory;
}

void fmp_trace_file_commit_area(fmp_trace_file *file)
{
    uint32_t count = atomic_load_explicit(&file->header->area_count, memory_order_relaxed);
    atomic_store_explicit(&file->header->area_count, count + 1, memory_order_release);
}

/* --- names ------------------------------------------------------------------- */

static int add_name_area(fmp_trace_file *file)
{
    if (file->name_areas >= FMP_TRACE_NAME_AREAS)
        return ENOSPC;
    uint32_t doublings =
        file->name_areas < NAME_AREA_DOUBLINGS ? file->name_areas : NAME_AREA_DOUBLINGS;
    uint64_t size = (uint64_t)FIRST_NAME_AREA << doublings;
    fmp_trace_file_names *names = fmp_trace_file_add_area(file, FMP_TRACE_AREA_NAMES, &size);
    if (!names)
        return errno;
    names->type = FMP_TRACE_AREA_NAMES;
    fmp_trace_file_commit_area(file);
    if (file->names)
        munmap(file->names, (size_t)file->names_size);
    file->names = names;
    file->names_size = size;
    file->name_areas++;
    return 0;
}

/* Cuts between two characters. */
static uint16_t cut_length(const char *text)
{
    size_t length = strnlen(text, FMP_TRACE_STRING_MAX + 1);
    if (length > FMP_TRACE_STRING_MAX) {
        length = FMP_TRACE_STRING_MAX;
        while (length > FMP_TRACE_STRING_MAX - 4 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
    }
    return (uint16_t)length;
}

int fmp_trace_file_add_name(fmp_trace_file *file, uint32_t name, const char *category,
                            const char *operation, const char *unit)
{
    fmp_trace_file_name record = {.name = name,
                                  .category = cut_length(category),
                                  .operation = cut_length(operation),
                                  .unit = cut_length(unit)};
    record.size = (uint32_t)round_up(
        sizeof record + record.category + record.operation + record.unit, 8);
    uint64_t used = 0;
    if (file->names)
        used = atomic_load_explicit(&file->names->used, memory_order_relaxed);
    if (!file->names || sizeof *file->names + used + record.size > file->names_size) {
        int error = add_name_area(file);
        if (error) {
            file->header->names_lost++;
            return error;
        }
        used = 0;
    }
    char *to = (char *)(file->names + 1) + used;
    memcpy(to, &record, sizeof record);
    to += sizeof record;
    memcpy(to, category, record.category);
    memcpy(to + record.category, operation, record.operation);
    memcpy(to + record.category + record.operation, unit, record.unit);
    atomic_store_explicit(&file->names->used, used + record.size, memory_order_release);
    return 0;
}

/* --- the end ----------------------------------------------------------------- */

static bool transfer(int fd, void *buffer, size_t size, uint64_t offset, bool write)
{
    char *at = buffer;
    while (size > 0) {
        ssize_t done = write ? pwrite(fd, at, size, (off_t)offset)
                             : pread(fd, at, size, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            if (done == 0)
                errno = EIO;
            return false;
        }
        at += done;
        size -= (size_t)done;
        offset += (uint64_t)done;
    }
    return true;
}

/* How many bytes of an area hold something. */
static bool used_of_area(const fmp_trace_file *file, const fmp_trace_file_area *area,
                         uint64_t *used)
{
    if (area->type == FMP_TRACE_AREA_NAMES) {
        fmp_trace_file_names names;
        if (!transfer(file->fd, &names, sizeof names, area->offset, false))
            return false;
        *used = sizeof names + atomic_load_explicit(&names.used, memory_order_relaxed);
    } else {
        fmp_trace_file_ring ring;
        if (!transfer(file->fd, &ring, sizeof ring, area->offset, false))
            return false;
        uint64_t head = atomic_load_explicit(&ring.head, memory_order_relaxed);
        *used = sizeof ring + (head < ring.slots ? head : ring.slots) * FMP_TRACE_EVENT_SIZE;
    }
    return true;
}

static bool copy_down(int fd, uint64_t from, uint64_t to, uint64_t size)
{
    char chunk[COPY_CHUNK];
    while (size > 0) {
        size_t part = size < sizeof chunk ? (size_t)size : sizeof chunk;
        if (!transfer(fd, chunk, part, from, false) || !transfer(fd, chunk, part, to, true))
            return false;
        from += part;
        to += part;
        size -= part;
    }
    return true;
}

/* Moves areas down over what the ones before do not use; the table always tells the truth. */
static int move_together(fmp_trace_file *file, uint64_t *end)
{
    uint64_t cursor = file->header_size;
    uint32_t count = atomic_load_explicit(&file->header->area_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        fmp_trace_file_area area = file->table[i];
        uint64_t used;
        if (!used_of_area(file, &area, &used))
            return errno;
        /* One that would overlap itself stays where it is: a crash must not find it torn. */
        if (cursor + used <= area.offset) {
            if (!copy_down(file->fd, area.offset, cursor, used))
                return errno;
            area.offset = cursor;
        }
        area.size = used;
        file->table[i] = area;
        cursor = round_up(area.offset + used, MOVED_ALIGNMENT);
        *end = area.offset + used;
    }
    return 0;
}

int fmp_trace_file_finish(fmp_trace_file *file, double ns_per_tick, bool move)
{
    file->header->ns_per_tick = ns_per_tick;
    file->header->state = FMP_TRACE_COMPLETE;
    if (!move)
        return 0;
    uint64_t end = file->header_size;
    int error = move_together(file, &end);
    if (!error && ftruncate(file->fd, (off_t)end) != 0)
        error = errno;
    return error;
}

void fmp_trace_file_close(fmp_trace_file *file)
{
    if (file->names)
        munmap(file->names, (size_t)file->names_size);
    file->names = NULL;
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

void fmp_trace_file_unmap_header(fmp_trace_file *file)
{
    if (file->header)
        munmap(file->header, (size_t)file->header_size);
    file->header = NULL;
}
