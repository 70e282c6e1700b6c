/* libFuzzer target of the loader of bench documents; see README.md. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice/bench_doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *written(const fm_bench *bench, size_t *size)
{
    char *text = NULL;
    fm_error err = {0};
    FILE *out = open_memstream(&text, size);
    if (!out || fm_bench_write(out, bench, &err) != FM_OK)
        abort();
    fclose(out);
    return text;
}

/* What was loaded is written, loaded, and written with the same bytes. */
static void check_round_trip(const fm_bench *bench)
{
    size_t first_size = 0, second_size = 0;
    fm_error err = {0};
    fm_bench *again = NULL;
    char *first = written(bench, &first_size);
    if (fm_bench_parse(first, first_size, "first", &again, &err) != FM_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    char *second = written(again, &second_size);
    if (first_size != second_size || memcmp(first, second, first_size) != 0)
        abort();
    fm_bench_free(&again);
    free(second);
    free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fm_bench *bench = NULL;
    fm_error err = {0};
    if (fm_bench_parse(data, size, "input", &bench, &err) != FM_OK)
        return 0;
    check_round_trip(bench);
    for (size_t i = 0; i < bench->configuration_count; i++) {
        fm_samples *samples = NULL;
        fm_bench_summarise(&bench->configurations[i]);
        if (fm_bench_samples(bench, &bench->configurations[i], &samples, &err) == FM_OK)
            fm_samples_free(&samples);
    }
    fm_bench_free(&bench);
    return 0;
}
