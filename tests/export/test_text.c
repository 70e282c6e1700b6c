/* The text report of known figures, read back as a reader would: by lines and columns. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/figures.h"
#include "export/utf8.h"
#include "sample.h"

enum { ROW_COLUMNS = 90, NAME_COLUMNS = 30 };

/* Columns of a line on a terminal. */
static int columns_of(const char *line)
{
    int columns = 0;
    while (*line && *line != '\n')
        columns += fmp_utf8_columns(fmp_utf8_next(&line));
    return columns;
}

static void report_has_the_known_form(void **state)
{
    (void)state;
    fmp_snapshot snapshot = sample_snapshot();
    const char *const notes[] = {"This is a debug build: times mean little."};
    fmp_text_options options = {.notes = notes, .note_count = 1};
    char *text = text_of(&snapshot, &options);
    const char *start =
        "================================================================================\n"
        "DETAILED PERFORMANCE PROFILING\n"
        "================================================================================\n"
        "\n"
        "NOTE: This is a debug build: times mean little.\n"
        "\n"
        "Total Profiled Time: 235.478s\n"
        "\n"
        "--------------------------------------------------------------------------------\n"
        "Category: MODEL_INFERENCE\n"
        "--------------------------------------------------------------------------------\n"
        "Total Time: 198.234s (84.2% of total)\n"
        "\n"
        "Operation                         Count      Total        Avg        Min        Max      %\n"
        "------------------------------ -------- ---------- ---------- ---------- ---------- ------\n"
        "MTL_coreml                         1942   112.345s     57.8ms     52.1ms     89.3ms  56.7%\n"
        "STAR_coreml                        1942    63.234s     32.6ms     30.1ms     51.2ms  31.9%\n"
        "RetinaFace_coreml                   971    22.655s     23.3ms     20.1ms     45.5ms  11.4%\n"
        "\n";
    if (strncmp(text, start, strlen(start)) != 0)
        print_message("%s", text);
    assert_memory_equal(text, start, strlen(start));
    /* encode holds nested scopes, so its category shows self time as well. */
    has_line(text, "Total Time: 30.144s (12.8% of total)");
    has_line(text, "Operation                         Count      Total       Self        Avg        "
                   "Min        Max      %");
    has_line(text, "encode                             1942    30.000s    20.000s     15.4ms     "
                   "10.0ms     30.0ms  66.3%");
    has_line(text, "reflect                            1942     7.100s      3.6ms    0.042us      "
                   "4.9ms 100.0%");
    free(text);
}

/* Walks the rows of every category: columns in line, order falling, shares that add up to 100. */
static void check_tables(const char *text, int expected_columns)
{
    int tables = 0;
    for (const char *at = text; (at = strstr(at, "\nOperation ")) != NULL; tables++) {
        const char *line = strchr(at + 1, '\n') + 1; /* the rule */
        assert_int_equal(columns_of(at + 1), expected_columns);
        assert_int_equal(columns_of(line), expected_columns);
        int tenths = 0;
        for (line = strchr(line, '\n') + 1; *line != '\n'; line = strchr(line, '\n') + 1) {
            assert_int_equal(columns_of(line), expected_columns);
            const char *percent = strchr(line, '\n') - 1;
            assert_int_equal(*percent, '%');
            tenths += (int)lround(atof(percent - 5) * 10);
        }
        assert_int_equal(tenths, 1000);
        at = line;
    }
    assert_true(tables > 0);
}

static void shares_add_up_and_columns_line_up(void **state)
{
    (void)state;
    enum { COUNT = 700 };
    static fmp_operation operations[COUNT];
    static char names[COUNT][32];
    uint64_t random = 12345, self = 0;
    for (int i = 0; i < COUNT; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX generator */
        snprintf(names[i], sizeof names[i], "operation %d", i);
        operations[i] = (fmp_operation){
            .category = i < 3 ? "A" : i < 10 ? "B" : "C", .operation = names[i], .count = 1 + random % 7,
            .total_ns = random >> 40, .self_ns = random >> 40, .mean_ns = 1e9,
            .max_ns = UINT64_MAX, .threads = 1};
        self += operations[i].self_ns;
    }
    operations[0].count = UINT64_MAX;
    fmp_snapshot snapshot = {.operations = operations, .operation_count = COUNT, .self_ns = self};
    char *text = text_of(&snapshot, NULL);
    check_tables(text, ROW_COLUMNS);
    int tenths = 0;
    for (const char *at = text; (at = strstr(at, "\nTotal Time: ")) != NULL; at++)
        tenths += (int)lround(atof(strchr(at, '(') + 1) * 10);
    assert_int_equal(tenths, 1000);
    free(text);
}

static void odd_names_keep_the_columns(void **state)
{
    (void)state;
    static fmp_operation operations[] = {
        OPERATION("ODD\nCATEGORY\x1b[2J", "plain", 1, 9.0, 9.0, 9.0, 9.0, 9.0),
        OPERATION("ODD\nCATEGORY\x1b[2J",
                  "a_very_long_operation_name_that_ends_in_its_backend_onnx_cpu", 1, 8.0, 8.0, 8.0,
                  8.0, 8.0),
        OPERATION("ODD\nCATEGORY\x1b[2J", "Gesichtserkennung f\xC3\xBCr K\xC3\xB6pfe", 1, 7.0, 7.0,
                  7.0, 7.0, 7.0),
        OPERATION("ODD\nCATEGORY\x1b[2J", "\xE9\xA1\x94\xE6\xA4\x9C\xE5\x87\xBA", 1, 6.0, 6.0, 6.0,
                  6.0, 6.0),
        OPERATION("ODD\nCATEGORY\x1b[2J", "tab\tnewline\nescape\x1b[31m", 1, 5.0, 5.0, 5.0, 5.0,
                  5.0),
        OPERATION("ODD\nCATEGORY\x1b[2J", "broken \xFF\xC3( \xED\xA0\x80 utf-8", 1, 4.0, 4.0, 4.0,
                  4.0, 4.0),
        OPERATION("ODD\nCATEGORY\x1b[2J", "", 1, 3.0, 3.0, 3.0, 3.0, 3.0),
        OPERATION("ODD\nCATEGORY\x1b[2J",
                  "\xE9\xA1\x94\xE6\xA4\x9C\xE5\x87\xBA\xE9\xA1\x94\xE6\xA4\x9C\xE5\x87\xBA\xE9\xA1"
                  "\x94\xE6\xA4\x9C\xE5\x87\xBA\xE9\xA1\x94\xE6\xA4\x9C\xE5\x87\xBA\xE9\xA1\x94\xE6"
                  "\xA4\x9C\xE5\x87\xBA\xE9\xA1\x94\xE6\xA4\x9C\xE5\x87\xBA",
                  1, 2.0, 2.0, 2.0, 2.0, 2.0),
        OPERATION("ODD\nCATEGORY\x1b[2J", "e\xCC\x81" "combining\xE2\x80\xAE reversed", 1, 1.0, 1.0,
                  1.0, 1.0, 1.0),
    };
    fmp_snapshot snapshot = {.operations = operations,
                             .operation_count = sizeof operations / sizeof operations[0],
                             .self_ns = SECONDS(45)};
    for (int utf8 = 0; utf8 < 2; utf8++) {
        fmp_text_options options = {.utf8 = utf8};
        char *text = text_of(&snapshot, &options);
        check_tables(text, ROW_COLUMNS);
        assert_null(strchr(text, '\x1b'));
        assert_null(strchr(text, '\t'));
        has_line(text, "Category: ODD?CATEGORY?[2J");
        assert_non_null(strstr(text, "\na_very_long_o...ckend_onnx_cpu "));
        assert_non_null(strstr(text, "\nGesichtserkennung f\xC3\xBCr K\xC3\xB6pfe    "));
        assert_non_null(strstr(text, "\ntab?newline?escape?[31m "));
        assert_non_null(strstr(text, "\nbroken ?\?( ?\?? utf-8 "));
        assert_non_null(strstr(text, "\ne\xCC\x81" "combining? reversed "));
        free(text);
    }
}

static void utf8_rules_are_box_drawing(void **state)
{
    (void)state;
    fmp_snapshot snapshot = sample_snapshot();
    fmp_text_options options = {.utf8 = true};
    char *text = text_of(&snapshot, &options);
    assert_null(strstr(text, "---"));
    assert_null(strstr(text, "==="));
    assert_memory_equal(text, "\xE2\x95\x90\xE2\x95\x90", 6);
    assert_int_equal(columns_of(text), 80);
    free(text);
}

static void nothing_recorded_is_said(void **state)
{
    (void)state;
    fmp_snapshot empty = {0};
    const fmp_text_options odd[] = {{.wall_seconds = 0},
                                    {.wall_seconds = (double)NAN, .covered_seconds = -1},
                                    {.wall_seconds = 2, .covered_seconds = (double)INFINITY}};
    for (int i = 0; i < 6; i++) {
        char *text = text_of(i % 2 ? &empty : NULL, &odd[i / 2]);
        assert_non_null(strstr(text, "\nTotal Profiled Time: 0us\n"));
        assert_non_null(strstr(text, "\nNothing was recorded: "));
        assert_null(strstr(text, "nan"));
        assert_null(strstr(text, "inf"));
        free(text);
    }
    /* Recorded, but every duration is zero: shares of nothing are zero. */
    fmp_operation zero = {.category = "Z", .operation = "zero", .count = 3};
    fmp_snapshot zeros = {.operations = &zero, .operation_count = 1};
    char *text = text_of(&zeros, NULL);
    has_line(text, "Total Time: 0us (0.0% of total)");
    assert_null(strstr(text, "nan"));
    free(text);
}

static void lost_scopes_are_told(void **state)
{
    (void)state;
    fmp_snapshot snapshot = sample_snapshot();
    snapshot.lost = 7;
    char *text = text_of(&snapshot, NULL);
    assert_non_null(strstr(text, "\nNOTE: 7 scopes are missing"));
    free(text);
}

static void times_are_humane(void **state)
{
    (void)state;
    const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0us"}, {42e-9, "0.042us"}, {999.4e-9, "0.999us"}, {999.6e-9, "1.0us"},
                 {3.21e-6, "3.2us"}, {999.94e-6, "999.9us"}, {999.96e-6, "1.0ms"},
                 {57.84e-3, "57.8ms"}, {999.94e-3, "999.9ms"}, {999.96e-3, "1.000s"},
                 {112.345, "112.345s"}, {99999.9, "99999.900s"}, {123456.7, "123457s"},
                 {1e12, "1.00e+12s"}, {-1, "n/a"}, {(double)NAN, "n/a"}, {(double)INFINITY, "n/a"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[FMP_TIME_TEXT_SIZE];
        fmp_time_text(text, cases[i].seconds);
        assert_string_equal(text, cases[i].text);
        assert_true(strlen(text) <= 10);
    }
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        skip();
    fmp_snapshot snapshot = sample_snapshot();
    errno = 0;
    assert_int_equal(fmp_print_text(full, &snapshot, NULL), -1);
    assert_int_equal(errno, ENOSPC);
    fclose(full);
}

/* The operations of the table that begins at `text`, in its order: the first column of each row, joined. */
static char *operations_of(const char *text)
{
    char *names = calloc(1, 4096);
    const char *head = strstr(text, "\nOperation ");
    assert_non_null(names);
    assert_non_null(head);
    const char *line = strchr(head + 1, '\n') + 1;
    for (line = strchr(line, '\n') + 1; *line != '\n'; line = strchr(line, '\n') + 1) {
        strncat(names, line, strcspn(line, " "));
        strcat(names, " ");
    }
    return names;
}

static void operations_are_sorted_as_asked(void **state)
{
    (void)state;
    fmp_operation operations[] = {
        {.category = "C", .operation = "b", .count = 5, .total_ns = 40, .self_ns = 10, .mean_ns = 8,
         .max_ns = 9, .p99_ns = 9},
        {.category = "C", .operation = "a", .count = 1, .total_ns = 30, .self_ns = 30, .mean_ns = 30,
         .max_ns = 30, .p99_ns = 8},
        {.category = "C", .operation = "c", .count = 9, .total_ns = 20, .self_ns = 20, .mean_ns = 2,
         .max_ns = 12, .p99_ns = 12},
    };
    fmp_snapshot snapshot = {.operations = operations, .operation_count = 3, .self_ns = 60};
    static const char *const expected[] = {
        [FMP_SORT_TOTAL] = "b a c ", [FMP_SORT_SELF] = "a c b ", [FMP_SORT_COUNT] = "c b a ",
        [FMP_SORT_MEAN] = "a b c ",  [FMP_SORT_MAX] = "a c b ",  [FMP_SORT_P99] = "c b a ",
        [FMP_SORT_NAME] = "a b c "};
    for (int by = FMP_SORT_TOTAL; by <= FMP_SORT_NAME; by++) {
        fmp_text_options options = {.sort = (fmp_sort)by};
        char *text = text_of(&snapshot, &options);
        char *names = operations_of(text);
        assert_string_equal(names, expected[by]);
        check_tables(text, ROW_COLUMNS + 11);
        free(names);
        free(text);
    }
}

static void percentiles_stand_in_for_the_extremes(void **state)
{
    (void)state;
    fmp_operation op = {.category = "C", .operation = "op", .count = 1000, .total_ns = 5000000,
                        .self_ns = 5000000, .mean_ns = 5000, .p50_ns = 4000, .p90_ns = 6000,
                        .p99_ns = 9000, .p999_ns = 12000};
    fmp_snapshot snapshot = {.operations = &op, .operation_count = 1, .self_ns = 5000000};
    for (int self = 0; self < 2; self++) {
        fmp_text_options options = {.percentiles = true, .self = self};
        char *text = text_of(&snapshot, &options);
        check_tables(text, ROW_COLUMNS + 22 + 11 * self);
        has_line(text, self ? "op                                 1000      5.0ms      5.0ms      5.0us      "
                              "4.0us      6.0us      9.0us     12.0us 100.0%"
                            : "op                                 1000      5.0ms      5.0us      4.0us      "
                              "6.0us      9.0us     12.0us 100.0%");
        free(text);
    }
}

static void the_whole_adds_up_to_the_wall_time(void **state)
{
    (void)state;
    fmp_snapshot snapshot = sample_snapshot();
    fmp_text_options options = {.wall_seconds = 250, .covered_seconds = 240};
    char *text = text_of(&snapshot, &options);
    has_line(text, "A scope is open                  240.000s   96.0%");
    has_line(text, "(unexplained)                     10.000s    4.0%");
    has_line(text, "Wall time                        250.000s  100.0%");
    has_line(text, "Scopes busy at a time: 0.94 on average, 47.1% of 2 threads");
    free(text);

    options.covered_seconds = 0; /* not known, two threads: the busier one is a bound */
    text = text_of(&snapshot, &options);
    has_line(text, "A scope is open, at least        198.234s   79.3%");
    has_line(text, "(unexplained), at most            51.766s   20.7%");
    free(text);

    snapshot.thread_count = 1; /* one thread: its scopes explain what they take */
    text = text_of(&snapshot, &options);
    has_line(text, "A scope is open                  235.478s   94.2%");
    has_line(text, "(unexplained)                     14.522s    5.8%");
    free(text);
}

static void every_figure_is_shown(void **state)
{
    (void)state;
    fmp_operation operations[] = {
        {.category = "IO", .operation = "wait", .count = 4, .total_ns = 1000000000, .self_ns = 1000000000,
         .measures = FMP_MEASURE_CPU, .cpu_ns = 250000000},
        {.category = "IO", .operation = "spin", .count = 1, .total_ns = 5, .self_ns = 5,
         .measures = FMP_MEASURE_CPU, .cpu_ns = 7},
        {.category = "IO", .operation = "load", .count = 2, .total_ns = 1, .self_ns = 1,
         .measures = FMP_MEASURE_MEMORY, .rss_change = 8 << 20, .rss_peak_change = 6 << 20,
         .live_change = -512, .live_peak_change = 2048},
    };
    fmp_metric_value metrics[] = {
        {.category = "VIDEO", .name = "frames", .unit = "frames", .count = 971, .sum = 971},
        {.category = "QUEUE", .name = "depth", .unit = "items", .gauge = true, .count = 30, .last = 2,
         .min = -1, .max = 9, .mean = 3.25},
    };
    fmp_thread thread = {.name = "io", .busy_ns = 1000000006, .cpu_ns = 250000007, .scopes = 7};
    fmp_snapshot snapshot = {.operations = operations, .operation_count = 3, .threads = &thread,
                             .thread_count = 1, .metrics = metrics, .metric_count = 2,
                             .self_ns = 1000000006, .scopes = 7, .cost = {12.5, 7.25},
                             .clock = "clock_gettime", .clock_reason = "the TSC is not invariant",
                             .clock_resolution_ns = 1, .clock_read_ns = 21.3};
    fmp_text_options options = {.wall_seconds = 2};
    char *text = text_of(&snapshot, &options);
    has_line(text, "wait                               1.000s    250.0ms    750.0ms   75.0%");
    has_line(text, "spin                              0.005us    0.007us        0us    0.0%");
    has_line(text, "load                                    2    +8.0 MiB    +6.0 MiB      -512 B    +2.0 KiB");
    has_line(text, "frames                                971                  971        485.5 frames");
    has_line(text, "depth                                  30          2         -1        3.2          9 items");
    has_line(text, "io                                      7     1.000s    250.0ms   50.0%");
    has_line(text, "Profiler's own cost:  0.138us (7 scopes x 19.8 ns, 0.000% of the wall time)");
    has_line(text, "Of one scope:         12.5 ns inside it, 7.2 ns in the one around it (not subtracted)");
    has_line(text, "Clock:                clock_gettime, a tick of 1.000 ns, a reading of 21.3 ns");
    has_line(text, "Why no better clock:  the TSC is not invariant");
    free(text);
    snapshot.cost_subtracted = true;
    text = text_of(&snapshot, NULL);
    assert_non_null(strstr(text, " (subtracted above)\n"));
    assert_null(strstr(text, "WALL TIME"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_has_the_known_form),
        cmocka_unit_test(shares_add_up_and_columns_line_up),
        cmocka_unit_test(odd_names_keep_the_columns),
        cmocka_unit_test(utf8_rules_are_box_drawing),
        cmocka_unit_test(nothing_recorded_is_said),
        cmocka_unit_test(lost_scopes_are_told),
        cmocka_unit_test(times_are_humane),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(operations_are_sorted_as_asked),
        cmocka_unit_test(percentiles_stand_in_for_the_extremes),
        cmocka_unit_test(the_whole_adds_up_to_the_wall_time),
        cmocka_unit_test(every_figure_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
