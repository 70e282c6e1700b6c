#include "report/profile_fields.h"

#include <string.h>

#include "export/utf8.h"

#define FIELDS(table) {table, sizeof table / sizeof table[0]}

static const fm_field run_table[] = {
    {"input", FM_FIELD_FACT, offsetof(fm_report_run, input)},
    {"status", FM_FIELD_FACT, offsetof(fm_report_run, status)},
    {"runtime", FM_FIELD_FACT, offsetof(fm_report_run, runtime)},
    {"encoder", FM_FIELD_FACT, offsetof(fm_report_run, encoder)},
    {"width", FM_FIELD_INT, offsetof(fm_report_run, width)},
    {"height", FM_FIELD_INT, offsetof(fm_report_run, height)},
    {"frames", FM_FIELD_AMOUNT, offsetof(fm_report_run, frames)},
    {"frames_with_face", FM_FIELD_AMOUNT, offsetof(fm_report_run, frames_with_face)},
    {"frames_damaged", FM_FIELD_AMOUNT, offsetof(fm_report_run, frames_damaged)},
    {"wall_seconds", FM_FIELD_TIME, offsetof(fm_report_run, wall_seconds)},
    {"setup_seconds", FM_FIELD_TIME, offsetof(fm_report_run, setup_seconds)},
    {"covered_seconds", FM_FIELD_TIME, offsetof(fm_report_run, covered_seconds)},
    {"threads", FM_FIELD_INT, offsetof(fm_report_run, threads)},
};
const fm_fields fm_run_fields = FIELDS(run_table);

static const fm_field machine_table[] = {
    {"os", FM_FIELD_FACT, offsetof(fm_report_machine, os)},
    {"architecture", FM_FIELD_FACT, offsetof(fm_report_machine, architecture)},
    {"cpu_count", FM_FIELD_INT, offsetof(fm_report_machine, cpu_count)},
    {"cpu_model", FM_FIELD_FACT, offsetof(fm_report_machine, cpu_model)},
};
const fm_fields fm_machine_fields = FIELDS(machine_table);

static const fm_field build_table[] = {
    {"version", FM_FIELD_FACT, offsetof(fm_report_build, version)},
    {"compiler", FM_FIELD_FACT, offsetof(fm_report_build, compiler)},
    {"optimised", FM_FIELD_BOOL, offsetof(fm_report_build, optimised)},
    {"assertions", FM_FIELD_BOOL, offsetof(fm_report_build, assertions)},
};
const fm_fields fm_build_fields = FIELDS(build_table);

static const fm_field model_table[] = {
    {"name", FM_FIELD_FACT, offsetof(fm_report_model, name)},
    {"file", FM_FIELD_FACT, offsetof(fm_report_model, file)},
    {"backend", FM_FIELD_FACT, offsetof(fm_report_model, backend)},
    {"load_seconds", FM_FIELD_TIME, offsetof(fm_report_model, load_seconds)},
};
const fm_fields fm_model_fields = FIELDS(model_table);

static const fm_field breakdown_table[] = {
    {"asked", FM_FIELD_FACT, offsetof(fm_report_breakdown, asked)},
    {"reason", FM_FIELD_FACT, offsetof(fm_report_breakdown, reason)},
    {"operators", FM_FIELD_INT, offsetof(fm_report_breakdown, operators)},
    {"accelerator", FM_FIELD_INT, offsetof(fm_report_breakdown, accelerator)},
    {"partitions", FM_FIELD_INT, offsetof(fm_report_breakdown, partitions)},
    {"crossings", FM_FIELD_INT, offsetof(fm_report_breakdown, crossings)},
    {"crossings_known", FM_FIELD_BOOL, offsetof(fm_report_breakdown, crossings_known)},
    {"parameters", FM_FIELD_AMOUNT, offsetof(fm_report_breakdown, parameters)},
    {"weight_bytes", FM_FIELD_AMOUNT, offsetof(fm_report_breakdown, weight_bytes)},
};
const fm_fields fm_breakdown_fields = FIELDS(breakdown_table);

static const fm_field operator_table[] = {
    {"type", FM_FIELD_TEXT, offsetof(fm_report_operator, type)},
    {"operators", FM_FIELD_INT, offsetof(fm_report_operator, count)},
};
const fm_fields fm_operator_fields = FIELDS(operator_table);

static const fm_field operation_table[] = {
    {"name", FM_FIELD_TEXT, offsetof(fmp_operation, operation)},
    {"count", FM_FIELD_COUNT, offsetof(fmp_operation, count)},
    {"total_seconds", FM_FIELD_SECONDS, offsetof(fmp_operation, total_ns)},
    {"self_seconds", FM_FIELD_SECONDS, offsetof(fmp_operation, self_ns)},
    {"recorded", FM_FIELD_COUNT, offsetof(fmp_operation, recorded)},
    {"children", FM_FIELD_COUNT, offsetof(fmp_operation, children)},
    {"inner", FM_FIELD_COUNT, offsetof(fmp_operation, inner)},
    {"avg_seconds", FM_FIELD_MEAN, offsetof(fmp_operation, mean_ns)},
    {"min", FM_FIELD_SECONDS, offsetof(fmp_operation, min_ns)},
    {"max", FM_FIELD_SECONDS, offsetof(fmp_operation, max_ns)},
    {"first", FM_FIELD_SECONDS, offsetof(fmp_operation, first_ns)},
    {"stddev", FM_FIELD_MEAN, offsetof(fmp_operation, stddev_ns)},
    {"threads", FM_FIELD_INT, offsetof(fmp_operation, threads)},
};
const fm_fields fm_operation_fields = FIELDS(operation_table);

static const fm_field change_table[] = {
    {"rss_change_bytes", FM_FIELD_CHANGE, offsetof(fmp_operation, rss_change)},
    {"rss_peak_change_bytes", FM_FIELD_CHANGE, offsetof(fmp_operation, rss_peak_change)},
    {"live_change_bytes", FM_FIELD_CHANGE, offsetof(fmp_operation, live_change)},
    {"live_peak_change_bytes", FM_FIELD_CHANGE, offsetof(fmp_operation, live_peak_change)},
};
const fm_fields fm_change_fields = FIELDS(change_table);

static const fm_field thread_table[] = {
    {"busy_seconds", FM_FIELD_SECONDS, offsetof(fmp_thread, busy_ns)},
    {"cpu_seconds", FM_FIELD_SECONDS, offsetof(fmp_thread, cpu_ns)},
    {"scopes", FM_FIELD_COUNT, offsetof(fmp_thread, scopes)},
};
const fm_fields fm_thread_fields = FIELDS(thread_table);

static const fm_field metric_table[] = {
    {"category", FM_FIELD_TEXT, offsetof(fmp_metric_value, category)},
    {"name", FM_FIELD_TEXT, offsetof(fmp_metric_value, name)},
    {"unit", FM_FIELD_TEXT, offsetof(fmp_metric_value, unit)},
    {"updates", FM_FIELD_COUNT, offsetof(fmp_metric_value, count)},
};
const fm_fields fm_metric_fields = FIELDS(metric_table);

static const fm_field counter_table[] = {
    {"sum", FM_FIELD_CHANGE, offsetof(fmp_metric_value, sum)},
};
const fm_fields fm_counter_fields = FIELDS(counter_table);

static const fm_field gauge_table[] = {
    {"last", FM_FIELD_CHANGE, offsetof(fmp_metric_value, last)},
    {"min", FM_FIELD_CHANGE, offsetof(fmp_metric_value, min)},
    {"max", FM_FIELD_CHANGE, offsetof(fmp_metric_value, max)},
    {"mean", FM_FIELD_REAL, offsetof(fmp_metric_value, mean)},
};
const fm_fields fm_gauge_fields = FIELDS(gauge_table);

static const fm_field profiler_table[] = {
    {"clock_resolution_ns", FM_FIELD_REAL, offsetof(fmp_snapshot, clock_resolution_ns)},
    {"clock_read_ns", FM_FIELD_REAL, offsetof(fmp_snapshot, clock_read_ns)},
    {"scope_inside_ns", FM_FIELD_REAL, offsetof(fmp_snapshot, cost.inside_ns)},
    {"scope_outside_ns", FM_FIELD_REAL, offsetof(fmp_snapshot, cost.outside_ns)},
    {"cost_subtracted", FM_FIELD_BOOL, offsetof(fmp_snapshot, cost_subtracted)},
    {"lost", FM_FIELD_COUNT, offsetof(fmp_snapshot, lost)},
};
const fm_fields fm_profiler_fields = FIELDS(profiler_table);

void fm_text_cut(char *out, size_t size, const char *text)
{
    size_t length = 0;
    for (const char *at = text; fmp_utf8_next(&at) != 0 && (size_t)(at - text) < size;)
        length = (size_t)(at - text);
    memcpy(out, text, length);
    out[length] = '\0';
}
