/*
 * The bytes of a trace file (docs/trace-format.md): a header with a table of
 * areas, then the areas, each either names or the ring of one thread. The
 * writer maps exactly these structures; the reader copies them out of the
 * file and believes none of them.
 *
 * Integers are in the byte order of the machine that wrote them, which the
 * header tells.
 */
#ifndef FMP_TRACE_FORMAT_H
#define FMP_TRACE_FORMAT_H

#include <stdatomic.h>
#include <stdint.h>

#define FMP_TRACE_MAGIC "FMPTRACE" /* 8 bytes, no terminator in the file */

enum {
    FMP_TRACE_VERSION = 1,
    FMP_TRACE_BYTE_ORDER = 0x01020304,
    FMP_TRACE_EVENT_SIZE = 24,
    FMP_TRACE_THREAD_NAME_SIZE = 32,
    /* A ring has one slot more than it has events: the one that may be half written. */
    FMP_TRACE_SPARE_SLOTS = 1,
    FMP_TRACE_THREADS_MAX = 4096,
    FMP_TRACE_EVENTS_MAX = 1 << 28, /* a thread: 6 GiB */
    FMP_TRACE_NAME_AREAS = 24,
    FMP_TRACE_AREAS_MAX = FMP_TRACE_THREADS_MAX + FMP_TRACE_NAME_AREAS,
    FMP_TRACE_STRING_MAX = 4096 /* bytes of a category, an operation or a unit */
};

typedef enum fmp_trace_state {
    FMP_TRACE_RECORDING = 0, /* also what a crash leaves */
    FMP_TRACE_COMPLETE = 1
} fmp_trace_state;

typedef enum fmp_trace_area_type {
    FMP_TRACE_AREA_NAMES = 1,
    FMP_TRACE_AREA_RING = 2
} fmp_trace_area_type;

typedef struct fmp_trace_file_area {
    uint64_t offset; /* from the file's beginning */
    uint64_t size;   /* bytes, its own header included */
    uint32_t type;   /* fmp_trace_area_type */
    uint32_t reserved;
} fmp_trace_file_area;

typedef struct fmp_trace_file_header {
    char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint32_t table_offset; /* of the table of areas */
    uint32_t event_size;
    uint64_t process_id;
    double ns_per_tick;
    uint64_t start_ticks;
    uint64_t start_unix_ns; /* wall-clock time at start_ticks, since 1970 */
    uint32_t events_per_thread;
    uint32_t full;  /* fmp_trace_full */
    uint32_t state; /* fmp_trace_state */
    uint32_t area_max; /* entries that the table has room for */
    _Atomic(uint32_t) area_count; /* entries that are valid */
    uint32_t reserved_1;
    _Atomic(uint64_t) dropped; /* events of threads that got no ring */
    uint64_t names_lost;       /* names that found no room */
    uint64_t reserved_2[20];
} fmp_trace_file_header;

typedef struct fmp_trace_file_names {
    uint32_t type; /* FMP_TRACE_AREA_NAMES */
    uint32_t reserved_1;
    _Atomic(uint64_t) used; /* bytes of records behind this header */
    uint64_t reserved_2[6];
} fmp_trace_file_names;

/* Behind it the three strings without terminators, then zeros up to a multiple of 8. */
typedef struct fmp_trace_file_name {
    uint32_t size; /* of the record, padding included */
    uint32_t name; /* the number that events use */
    uint16_t category, operation, unit; /* lengths in bytes */
    uint16_t reserved;
} fmp_trace_file_name;

typedef struct fmp_trace_file_ring {
    uint32_t type; /* FMP_TRACE_AREA_RING */
    uint32_t slots;
    uint64_t thread_id;
    char name[FMP_TRACE_THREAD_NAME_SIZE]; /* ends with a zero byte */
    uint64_t reserved_1[2];
    _Atomic(uint64_t) head;    /* events ever stored; event n is in slot n % slots */
    _Atomic(uint64_t) dropped; /* events that came when a ring that drops the newest was full */
    uint64_t reserved_2[6];
} fmp_trace_file_ring;

typedef struct fmp_trace_file_event {
    uint64_t start; /* ticks */
    uint64_t value; /* ticks for a scope, else as fmp_event says */
    uint32_t name;
    uint32_t kind; /* fmp_event_kind */
} fmp_trace_file_event;

_Static_assert(sizeof(fmp_trace_file_area) == 24, "file format");
_Static_assert(sizeof(fmp_trace_file_header) == 256, "file format");
_Static_assert(sizeof(fmp_trace_file_names) == 64, "file format");
_Static_assert(sizeof(fmp_trace_file_name) == 16, "file format");
_Static_assert(sizeof(fmp_trace_file_ring) == 128, "file format");
_Static_assert(sizeof(fmp_trace_file_event) == FMP_TRACE_EVENT_SIZE, "file format");

#endif
