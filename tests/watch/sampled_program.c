/*
 * A program that samples itself while it does planted work, for tests that compare it with other tools.
 * usage: sampled_program SECONDS SAMPLES_HZ [FOLDER]
 *   SAMPLES_HZ 0: it does the work alone
 *   FOLDER gets stacks.folded, stacks.speedscope.json and stacks.truth: "operation;outer;inner count", hexadecimal
 * Prints "function SELF_SECONDS" of each function that took time.
 */
#include <stdlib.h>

#include "sampled.h"

static FILE *file_in(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, "w");
}

static void write_hexadecimal(FILE *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        fprintf(out, "%02x", *c);
}

static int write_truth(FILE *out, const fmp_system_report *report)
{
    for (size_t i = 0; i < report->stack_count; i++) {
        const fmp_stack *s = &report->stacks[i];
        write_hexadecimal(out, s->operation);
        for (size_t f = s->frame_count; f-- > 0;) {
            fputc(';', out);
            write_hexadecimal(out, s->frames[f]);
        }
        fprintf(out, " %llu\n", (unsigned long long)s->count);
    }
    return 0;
}

static int write_all(const char *folder, const fmp_system_report *report)
{
    FILE *folded = file_in(folder, "stacks.folded"), *scope = file_in(folder, "stacks.speedscope.json"),
         *truth = file_in(folder, "stacks.truth");
    if (!folded || !scope || !truth)
        return -1;
    int failed = fmp_print_system_folded(folded, report) | fmp_print_system_speedscope(scope, report, "planted") |
                 write_truth(truth, report);
    failed |= fclose(folded) | fclose(scope) | fclose(truth);
    return failed;
}

/* What no name should do to a format is put into the stacks beside what was sampled. */
static int write_hostile(const char *folder)
{
    static const char *const frames[] = {"a;b c\n\t\"\\", "", "\xff\xfe not UTF-8", "\xC3\xA9t\xC3\xA9",
                                         "std::map<int, x>"};
    const fmp_stack stacks[] = {{"op;era\ntion", frames, 5, 3},
                                {"", frames + 1, 4, 1},
                                {"op;era\ntion", frames + 2, 3, 18446744073709551615u / 4},
                                {"empty", NULL, 0, 7}};
    const fmp_system_report report = {.stacks = stacks, .stack_count = sizeof stacks / sizeof stacks[0]};
    return write_all(folder, &report);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "hostile") == 0)
        return write_hostile(argv[2]) ? 1 : 0;
    if (argc < 3)
        return 2;
    const fmp_system_options options = {.facilities = FMP_SYSTEM_SAMPLE,
                                        .samples_hz = (unsigned)strtoul(argv[2], NULL, 10)};
    fmp_system *system = options.samples_hz ? fmp_system_start(&options) : NULL;
    planted_rounds(strtod(argv[1], NULL));
    fmp_system_report *report = fmp_system_stop(&system, 0);
    const fmp_table *functions = report ? fmp_system_table(report, "functions") : NULL;
    for (size_t i = 0; functions && i < functions->row_count; i++)
        printf("%s %.6f\n", fmp_table_text(functions, i, fmp_table_column(functions, "function")),
               fmp_table_number(functions, i, fmp_table_column(functions, "self_seconds")));
    const int failed = report && argc > 3 ? write_all(argv[3], report) : 0;
    fmp_system_report_free(&report);
    return failed ? 1 : 0;
}
