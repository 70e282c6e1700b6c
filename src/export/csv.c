/* One row an operation, as RFC 4180 has it: CRLF, names in quotes, empty fields where there is no figure. */
#include "fmprof/export.h"
#include "writer.h"

static const char head[] =
    "category,operation,count,threads,total_s,self_s,mean_s,stddev_s,min_s,max_s,first_s,"
    "p50_s,p90_s,p99_s,p999_s,cpu_s,rss_change_bytes,rss_peak_change_bytes,"
    "live_change_bytes,live_peak_change_bytes\r\n";

static void count_field(fmp_writer *w, uint64_t count)
{
    fmp_write_char(w, ',');
    fmp_write_u64(w, count);
}

/* Nanoseconds as seconds, exactly. */
static void time_field(fmp_writer *w, uint64_t nanoseconds)
{
    fmp_write_char(w, ',');
    fmp_write_scaled(w, nanoseconds, 9);
}

static void real_field(fmp_writer *w, double nanoseconds)
{
    fmp_write_char(w, ',');
    if (nanoseconds >= 0 && nanoseconds < 1e300) /* an empty field is CSV's "no figure" */
        fmp_write_double(w, nanoseconds / 1e9);
}

static void bytes_field(fmp_writer *w, bool valid, int64_t bytes)
{
    fmp_write_char(w, ',');
    if (valid)
        fmp_write_i64(w, bytes);
}

static void operation_row(fmp_writer *w, const fmp_operation *op)
{
    bool cpu = op->measures & FMP_MEASURE_CPU, memory = op->measures & FMP_MEASURE_MEMORY;
    fmp_write_csv(w, op->category);
    fmp_write_char(w, ',');
    fmp_write_csv(w, op->operation);
    count_field(w, op->count);
    count_field(w, op->threads > 0 ? (uint64_t)op->threads : 0);
    time_field(w, op->total_ns);
    time_field(w, op->self_ns);
    real_field(w, op->mean_ns);
    real_field(w, op->stddev_ns);
    time_field(w, op->min_ns);
    time_field(w, op->max_ns);
    time_field(w, op->first_ns);
    real_field(w, op->p50_ns);
    real_field(w, op->p90_ns);
    real_field(w, op->p99_ns);
    real_field(w, op->p999_ns);
    if (cpu)
        time_field(w, op->cpu_ns);
    else
        fmp_write_char(w, ',');
    bytes_field(w, memory, op->rss_change);
    bytes_field(w, memory, op->rss_peak_change);
    bytes_field(w, memory, op->live_change);
    bytes_field(w, memory, op->live_peak_change);
    fmp_write_text(w, "\r\n");
}

int fmp_print_csv(FILE *out, const fmp_snapshot *snapshot)
{
    fmp_writer w;
    fmp_writer_open(&w, out);
    fmp_write_text(&w, head);
    for (size_t i = 0; snapshot && i < snapshot->operation_count; i++)
        operation_row(&w, &snapshot->operations[i]);
    return fmp_writer_close(&w);
}
