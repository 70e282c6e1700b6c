/* Names of all kinds; files that are cut, bent or made up: what is readable comes, no crash. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <time.h>

#include "profiler/trace_read.h"
#include "trace_fixture.h"

/* Numbers of names, beyond those of the recorder. */
enum { ODD = 1000500, LONG = 1000900, FIRST_OF_MANY = 2000000 };

static const char *const odd_names[] = {
    "say \"hello\" \\ back/slash",
    "\xd0\x9b\xd0\xb8\xd1\x86\xd0\xbe \xe9\xa1\x94 \xf0\x9f\x99\x82",
    "tab\tnewline\nbell\a\x01\x1f\x7f",
    "not UTF-8: \xff\xfe\xc3",
    "",
};

typedef struct file_bytes {
    unsigned char *at;
    size_t size;
} file_bytes;

static file_bytes load(void)
{
    FILE *file = fopen(trace_path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    file_bytes bytes = {.size = (size_t)ftell(file)};
    rewind(file);
    bytes.at = malloc(bytes.size);
    assert_non_null(bytes.at);
    assert_int_equal(fread(bytes.at, 1, bytes.size, file), bytes.size);
    fclose(file);
    return bytes;
}

/* A trace of two threads with some hundred events, one ring gone round. */
static file_bytes small_trace(bool complete)
{
    assert_int_equal(fmp_trace_start(trace_path, &(fmp_trace_options){.events_per_thread = 64}), 0);
    for (uint64_t t = 0; t < 2; t++) {
        struct fmp_trace_ring *ring = attach(t ? "second" : "first");
        for (uint64_t i = 0; i < 40 + 60 * t; i++)
            fmp_trace_put(ring, 1000 + 10 * i, 12 - i % 3 * 5, ODD + (uint32_t)(i % 5),
                          1 + (uint32_t)(i % 7));
        if (t == 0)
            fmp_trace_detach();
    }
    file_bytes recording = load();
    assert_int_equal(fmp_trace_stop(), 0);
    fmp_trace_detach();
    if (!complete)
        return recording;
    free(recording.at);
    return load();
}

static fmp_trace *read_bytes(const file_bytes *bytes, char message[256])
{
    return fmp_trace_read_memory(bytes->at, bytes->size, message, 256);
}

static fmp_trace_file_header *header_of(const file_bytes *bytes)
{
    return (fmp_trace_file_header *)(void *)bytes->at;
}

static fmp_trace_file_area *area_of(const file_bytes *bytes, uint32_t type)
{
    fmp_trace_file_area *area =
        (fmp_trace_file_area *)(void *)(bytes->at + header_of(bytes)->table_offset);
    while (area->type != type)
        area++;
    return area;
}

static fmp_trace_file_ring *ring_of(const file_bytes *bytes)
{
    return (fmp_trace_file_ring *)(void *)(bytes->at + area_of(bytes, FMP_TRACE_AREA_RING)->offset);
}

/* --- names --------------------------------------------------------------------------- */

static void names_of_all_kinds(void **state)
{
    (void)state;
    file_bytes bytes = small_trace(true);
    fmp_trace *trace = read_trace();
    check_trace(trace);
    assert_true(trace->complete);
    const fmp_trace_thread *thread = find_thread(trace, "first");
    for (size_t i = 0; i < thread->event_count; i++) {
        uint64_t number = thread->events[i].start_ns / 10;
        assert_string_equal(name_of(trace, &thread->events[i])->operation, odd_names[number % 5]);
        assert_string_equal(name_of(trace, &thread->events[i])->category, "ODD \"names\"\n");
        assert_string_equal(name_of(trace, &thread->events[i])->unit, "\xc2\xb5s");
    }
    assert_int_equal(thread->event_count, 40);
    assert_int_equal(find_thread(trace, "second")->event_count, 64);
    assert_int_equal(find_thread(trace, "second")->dropped, 36);
    fmp_trace_free(&trace);
    free(bytes.at);
}

static void events_without_a_name_are_shown(void **state)
{
    (void)state;
    assert_int_equal(fmp_trace_start(trace_path, NULL), 0);
    struct fmp_trace_ring *ring = attach("main");
    fmp_trace_put(ring, 1001, 1, 4000000000u, FMP_EVENT_SCOPE);
    fmp_trace_put(ring, 1003, 1, ODD, FMP_EVENT_SCOPE);
    assert_int_equal(fmp_trace_stop(), 0);
    fmp_trace *trace = read_trace();
    check_trace(trace);
    assert_string_equal(name_of(trace, &trace->threads[0].events[0])->operation, "(unnamed)");
    assert_string_equal(name_of(trace, &trace->threads[0].events[1])->operation, odd_names[0]);
    fmp_trace_free(&trace);
}

static void long_names_are_cut_between_characters(void **state)
{
    (void)state;
    /* Two bytes a character from an odd offset: the limit falls inside one. */
    static char text[6000];
    text[0] = 'x';
    for (size_t i = 1; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof text - 1] = '\0';
    assert_int_equal(fmp_trace_start(trace_path, NULL), 0);
    fmp_trace_define_name(LONG, text, text, text);
    fmp_trace_put(attach("main"), 1001, 1, LONG, FMP_EVENT_SCOPE);
    assert_int_equal(fmp_trace_stop(), 0);
    fmp_trace *trace = read_trace();
    const fmp_trace_name *name = name_of(trace, &trace->threads[0].events[0]);
    const char *const part[] = {name->category, name->operation, name->unit};
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(part[i]);
        assert_int_equal(length, FMP_TRACE_STRING_MAX - 1);
        assert_memory_equal(part[i], text, length);
    }
    fmp_trace_free(&trace);
}

static void a_hundred_thousand_names(void **state)
{
    (void)state;
    enum { NAMES = 100000 };
    static char text[NAMES][16];
    assert_int_equal(fmp_trace_start(trace_path, NULL), 0);
    for (uint32_t i = 0; i < NAMES; i++) {
        snprintf(text[i], sizeof text[i], "operation %05u", (unsigned)i);
        fmp_trace_define_name(FIRST_OF_MANY + 3 * i, "MANY", text[i], NULL);
        if (i == NAMES / 2)
            assert_int_equal(fmp_trace_stop(), 0); /* the next trace has the rest at its start */
    }
    assert_int_equal(fmp_trace_start(trace_path, NULL), 0);
    struct fmp_trace_ring *ring = attach("main");
    for (uint32_t i = 0; i < NAMES; i += 1000)
        fmp_trace_put(ring, 1000 + i, 1, FIRST_OF_MANY + 3 * i, FMP_EVENT_MARK);
    assert_int_equal(fmp_trace_stop(), 0);
    fmp_trace *trace = read_trace();
    assert_true(trace->complete);
    assert_true(trace->name_count >= NAMES);
    for (size_t i = 0; i < NAMES / 1000; i++)
        assert_string_equal(name_of(trace, &trace->threads[0].events[i])->operation,
                            text[i * 1000]);
    fmp_trace_free(&trace);
}

/* --- damage -------------------------------------------------------------------------- */

/* Reads the bytes in a block of exactly their size, where a sanitizer sees every step beyond. */
static void must_not_crash(const unsigned char *at, size_t size)
{
    file_bytes copy = {malloc(size ? size : 1), size};
    assert_non_null(copy.at);
    memcpy(copy.at, at, size);
    char message[256];
    fmp_trace *trace = read_bytes(&copy, message);
    if (trace)
        check_trace(trace);
    else
        assert_true(strlen(message) > 10);
    fmp_trace_free(&trace);
    free(copy.at);
}

static void files_cut_anywhere(void **state)
{
    (void)state;
    for (int complete = 0; complete < 2; complete++) {
        file_bytes bytes = small_trace(complete != 0);
        for (size_t size = 0; size < bytes.size; size += size < 400 ? 1 : 61)
            must_not_crash(bytes.at, size);
        /* Whole, but for its last event or so: it is readable, and known as damaged. */
        bytes.size -= complete ? 30 : 0;
        char message[256];
        fmp_trace *trace = read_bytes(&bytes, message);
        assert_non_null(trace);
        assert_false(trace->complete);
        assert_int_equal(trace->thread_count, 2);
        fmp_trace_free(&trace);
        free(bytes.at);
    }
}

static void bytes_bent_anywhere(void **state)
{
    (void)state;
    file_bytes bytes = small_trace(true);
    static const unsigned char bend[] = {0x00, 0xFF, 0x80, 0x01};
    for (size_t at = 0; at < bytes.size; at += at < 1024 ? 1 : 7) {
        unsigned char was = bytes.at[at];
        bytes.at[at] = (unsigned char)(at % 8 == 7 ? 0x7F : was ^ bend[at / 7 % 4]);
        must_not_crash(bytes.at, bytes.size);
        bytes.at[at] = was;
    }
    free(bytes.at);
}

static void refuse(const file_bytes *bytes, const char *because)
{
    char message[256];
    assert_null(read_bytes(bytes, message));
    assert_non_null(strstr(message, because));
}

static void headers_that_cannot_be(void **state)
{
    (void)state;
    file_bytes bytes = small_trace(true);
    fmp_trace_file_header *header = header_of(&bytes), was = *header;
    header->magic[3] = 'x';
    refuse(&bytes, "not a trace");
    *header = was;
    header->byte_order = 0x04030201;
    refuse(&bytes, "byte order");
    *header = was;
    header->version = 2;
    refuse(&bytes, "version 2");
    static const double rates[] = {NAN, INFINITY, -INFINITY, 0.0, -1.0, 1e-300, 1e300};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        *header = was;
        header->ns_per_tick = rates[i];
        refuse(&bytes, "damaged");
    }
    *header = was;
    header->event_size = 25;
    refuse(&bytes, "damaged");
    *header = was;
    header->table_offset = 16;
    refuse(&bytes, "damaged");
    *header = was;
    header->area_max = UINT32_MAX;
    refuse(&bytes, "damaged");
    *header = was;
    char message[256];
    fmp_trace *trace = read_bytes(&bytes, message);
    assert_non_null(trace);
    assert_true(trace->complete);
    fmp_trace_free(&trace);
    free(bytes.at);
}

static void rings_that_cannot_be(void **state)
{
    (void)state;
    file_bytes bytes = small_trace(true);
    fmp_trace_file_ring *ring = ring_of(&bytes);
    uint32_t slots = ring->slots;
    static const uint32_t odd_slots[] = {0, 1, 2, UINT32_MAX, 1u << 28};
    for (size_t i = 0; i < sizeof odd_slots / sizeof *odd_slots; i++) {
        ring->slots = odd_slots[i];
        must_not_crash(bytes.at, bytes.size);
    }
    ring->slots = slots;
    static const uint64_t heads[] = {UINT64_MAX, UINT64_MAX / 2, (uint64_t)1 << 32, 65, 66, 41};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        atomic_store(&ring->head, heads[i]);
        must_not_crash(bytes.at, bytes.size);
    }
    free(bytes.at);
}

/* Events of no kind and beyond all time are left out and counted. */
static void events_that_cannot_be(void **state)
{
    (void)state;
    file_bytes bytes = small_trace(true);
    fmp_trace_file_event *event = (fmp_trace_file_event *)(ring_of(&bytes) + 1);
    event[0].kind = 0;
    event[1].kind = 8;
    event[7] = (fmp_trace_file_event){2000, UINT64_MAX, ODD, FMP_EVENT_SCOPE};
    event[8] = (fmp_trace_file_event){UINT64_MAX, 0, ODD, FMP_EVENT_MARK};
    char message[256];
    fmp_trace *trace = read_bytes(&bytes, message);
    assert_non_null(trace);
    check_trace(trace);
    assert_int_equal(find_thread(trace, "first")->event_count, 36);
    assert_int_equal(find_thread(trace, "first")->dropped, 4);
    assert_int_equal(trace->dropped, 36 + 4);
    fmp_trace_free(&trace);
    free(bytes.at);
}

/* A table full of the same ring must not cost more memory than the file is long. */
static void areas_that_overlap(void **state)
{
    (void)state;
    file_bytes bytes = small_trace(false);
    fmp_trace_file_area ring = *area_of(&bytes, FMP_TRACE_AREA_RING);
    fmp_trace_file_header *header = header_of(&bytes);
    fmp_trace_file_area *table = (fmp_trace_file_area *)(void *)(bytes.at + header->table_offset);
    for (uint32_t i = 0; i < header->area_max; i++)
        table[i] = ring;
    atomic_store(&header->area_count, header->area_max);
    char message[256];
    fmp_trace *trace = read_bytes(&bytes, message);
    assert_non_null(trace);
    check_trace(trace);
    assert_false(trace->complete);
    size_t events = 0;
    for (size_t t = 0; t < trace->thread_count; t++)
        events += trace->threads[t].event_count;
    assert_true(events * FMP_TRACE_EVENT_SIZE <= bytes.size);
    fmp_trace_free(&trace);
    free(bytes.at);
}

static void files_that_are_none(void **state)
{
    (void)state;
    char message[256], path[320];
    assert_null(fmp_trace_read(trace_folder, message, sizeof message));
    assert_non_null(strstr(message, "not a regular file"));
    snprintf(path, sizeof path, "%s/missing", trace_folder);
    assert_null(fmp_trace_read(path, message, sizeof message));
    assert_non_null(strstr(message, "No such file"));
    assert_null(fmp_trace_read(path, NULL, 0));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(fmp_trace_read(path, message, sizeof message)); /* does not wait for a writer */
    unlink(path);
    assert_null(fmp_trace_read_memory(NULL, 0, message, sizeof message));
}

/* Ticks become nanoseconds at the header's rate, also after 49 days at 3 GHz. */
static void rates_and_long_runs(void **state)
{
    (void)state;
    assert_int_equal(fmp_trace_start(trace_path, NULL), 0);
    struct fmp_trace_ring *ring = attach("main");
    const uint64_t days = UINT64_C(49) * 86400 * 3000000000;
    fmp_trace_put(ring, 1000 + 3000, 3000000, ODD, FMP_EVENT_SCOPE);
    fmp_trace_put(ring, 1000 + days, 300, ODD, FMP_EVENT_SCOPE);
    assert_int_equal(fmp_trace_stop(), 0);
    file_bytes bytes = load();
    header_of(&bytes)->ns_per_tick = 1.0 / 3.0;
    char message[256];
    fmp_trace *trace = read_bytes(&bytes, message);
    assert_non_null(trace);
    const fmp_event *event = trace->threads[0].events;
    assert_int_equal(event[0].start_ns, 1000);
    assert_int_equal(event[0].value, 1000000);
    const uint64_t expected = UINT64_C(49) * 86400 * 1000000000;
    assert_true(event[1].start_ns + 2 >= expected && event[1].start_ns <= expected + 2);
    assert_true(event[1].value >= 98 && event[1].value <= 102);
    fmp_trace_free(&trace);
    free(bytes.at);
}

int main(void)
{
    for (uint32_t i = 0; i < 5; i++)
        fmp_trace_define_name(ODD + i, "ODD \"names\"\n", odd_names[i], "\xc2\xb5s");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_of_all_kinds, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(events_without_a_name_are_shown, use_moved_clock,
                                        use_own_clock),
        cmocka_unit_test_setup_teardown(files_cut_anywhere, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(bytes_bent_anywhere, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(headers_that_cannot_be, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(rings_that_cannot_be, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(events_that_cannot_be, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(areas_that_overlap, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(files_that_are_none, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(rates_and_long_runs, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(long_names_are_cut_between_characters, use_moved_clock,
                                        use_own_clock),
        cmocka_unit_test_setup_teardown(a_hundred_thousand_names, use_moved_clock, use_own_clock),
    };
    return cmocka_run_group_tests(tests, make_trace_folder, remove_trace_folder);
}
