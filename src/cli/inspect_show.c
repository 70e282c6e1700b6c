/* Showing what `facemirror models inspect` found, as text and as JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/inspect.h"
#include "export/utf8.h"
#include "report/json_writer.h"
#include "report/profile_nodes.h"

/* (p90 - p10) / median: how far the middle eighty of a hundred runs lie apart. */
static double spread(const fm_latency *l)
{
    return l->median > 0 ? (l->p90 - l->p10) / l->median : 0;
}

/* --- as text ---------------------------------------------------------------------- */

static void print_tensor(const char *kind, const fm_tensor_info *info)
{
    printf("  %-7s %s: float32 ", kind, info->name);
    for (int i = 0; i < info->rank; i++) {
        if (info->dims[i] < 0)
            printf("%s?", i ? "x" : "");
        else
            printf("%s%" PRId64, i ? "x" : "", info->dims[i]);
    }
    puts(info->rank ? "" : "scalar");
}

/* "12.3 M"; "-" for none. */
static void count_text(char out[32], uint64_t count)
{
    if (count == 0)
        snprintf(out, 32, "-");
    else if (count < 10000)
        snprintf(out, 32, "%" PRIu64, count);
    else if (count < 10000000000u)
        snprintf(out, 32, "%.3f M", 1e-6 * (double)count);
    else
        snprintf(out, 32, "%.3f G", 1e-9 * (double)count);
}

static void print_types(const fm_inspection *i)
{
    const fm_breakdown *b = fm_session_breakdown(i->session);
    printf("\n  %-34s %9s %11s %6s%s\n", "Operator", "Total", "Accelerator", "CPU", i->has_macs ? "         MACs" : "");
    for (int k = 0; k < b->type_count; k++) {
        const fm_breakdown_type *type = &b->types[k];
        char macs[32] = "";
        if (i->has_macs)
            count_text(macs, fm_macs_of_type(&i->macs, type->op_type));
        fputs("  ", stdout);
        fmp_utf8_print(stdout, type->op_type);
        printf("%*s %9d %11d %6d", strlen(type->op_type) < 34 ? 34 - (int)strlen(type->op_type) : 0, "",
               type->accelerator + type->cpu, type->accelerator, type->cpu);
        if (i->has_macs)
            printf(" %12s", macs);
        putchar('\n');
    }
}

static void print_macs(const fm_inspection *i)
{
    char text[32];
    if (*i->no_macs) {
        printf("  MACs: not counted, %s\n", i->no_macs);
        return;
    }
    if (!i->has_macs)
        return;
    if (i->macs.type_count == 0 && i->macs.unknown == 0) {
        puts("  MACs: none, the model has no convolution and no product of matrices");
        return;
    }
    count_text(text, i->macs.total);
    printf("  MACs: %s%s a run", i->macs.unknown > 0 ? "at least " : "", text);
    for (int k = 0; k < i->macs.type_count; k++) {
        count_text(text, i->macs.types[k].macs);
        printf("%s %d %s %s", k ? "," : ":", i->macs.types[k].operators, i->macs.types[k].op_type, text);
    }
    puts(" (of the graph as the file has it)");
}

static void print_latency(const fm_session *session, const fm_latency *l)
{
    printf("\n  load: %.1f ms%s\n", 1e3 * fm_session_load_seconds(session),
           fm_session_from_cache(session) ? " (the optimised graph was in the cache)" : "");
    if (l->skipped) {
        printf("  latency: not measured, %s\n", l->skipped);
        return;
    }
    printf("  first run: %.3f ms\n", 1e3 * l->first);
    printf("  latency: median %.3f ms, p90 %.3f ms, min %.3f ms, max %.3f ms, spread %.1f%% (%" PRId64
           " runs after %d to warm up)\n",
           1e3 * l->median, 1e3 * l->p90, 1e3 * l->min, 1e3 * l->max, 100 * spread(l), l->runs,
           FM_INSPECT_WARM_UP_RUNS);
}

/* What the report says about a model. `fallbacks` has room for all operator types. */
static fm_report_model facts_of(const fm_inspection *i, fm_report_operator *fallbacks)
{
    const fm_breakdown *b = fm_session_breakdown(i->session);
    fm_report_model model = {
        .has_breakdown = true,
        .breakdown = {.asked = fm_session_asked(i->session), .reason = fm_session_fallback_reason(i->session),
                      .operators = b->operators, .accelerator = b->accelerator, .partitions = b->partitions,
                      .crossings = b->crossings, .crossings_known = b->crossings_known,
                      .parameters = (int64_t)(b->parameters & INT64_MAX),
                      .weight_bytes = (int64_t)(b->weight_bytes & INT64_MAX), .fallbacks = fallbacks},
        .has_nodes = i->times != NULL,
        .nodes = i->nodes,
    };
    for (int k = 0; k < b->type_count; k++)
        if (b->types[k].cpu > 0)
            fallbacks[model.breakdown.fallback_count++] = (fm_report_operator){b->types[k].op_type, b->types[k].cpu};
    return model;
}

fm_status fm_inspect_print(const fm_inspection *i, fm_error *err)
{
    const fm_breakdown *b = fm_session_breakdown(i->session);
    fm_report_operator *fallbacks = calloc((size_t)b->type_count + 1, sizeof *fallbacks);
    if (!fallbacks)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory");
    const fm_report_model model = facts_of(i, fallbacks);
    printf("%s\n", i->path);
    for (int k = 0; k < fm_session_input_count(i->session); k++)
        print_tensor("input", fm_session_input(i->session, k));
    for (int k = 0; k < fm_session_output_count(i->session); k++)
        print_tensor("output", fm_session_output(i->session, k));
    printf("  runs on %s\n", fm_session_backend(i->session));
    fm_text_breakdown(stdout, &model, i->latency.median);
    print_macs(i);
    print_types(i);
    print_latency(i->session, &i->latency);
    if (model.has_nodes) {
        puts("\n  Inside:");
        fm_text_nodes(stdout, &model.nodes);
    }
    free(fallbacks);
    return fm_stream_status(stdout, "the inspection", err);
}

/* --- as JSON ---------------------------------------------------------------------- */

static void write_tensors(fm_json *json, const char *key, const fm_session *session,
                          const fm_tensor_info *(*get)(const fm_session *, int))
{
    fm_json_open(json, key, '[');
    const fm_tensor_info *info;
    for (int i = 0; (info = get(session, i)); i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "name", info->name);
        fm_json_text(json, "type", "float32");
        fm_json_open_line(json, "shape");
        for (int k = 0; k < info->rank; k++) {
            if (info->dims[k] < 0)
                fm_json_null(json, NULL);
            else
                fm_json_integer(json, NULL, info->dims[k]);
        }
        fm_json_close_line(json);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
}

static void write_breakdown(fm_json *json, const fm_session *session)
{
    const fm_breakdown *b = fm_session_breakdown(session);
    fm_json_open(json, "breakdown", '{');
    fm_json_integer(json, "operators", b->operators);
    fm_json_integer(json, "accelerator", b->accelerator);
    fm_json_integer(json, "cpu", b->cpu);
    fm_json_real(json, "coverage", b->operators > 0 ? (double)b->accelerator / b->operators : (double)NAN);
    fm_json_integer(json, "partitions", b->partitions);
    fm_json_text(json, "fragmentation", fm_report_fragmentation(b->partitions));
    fm_json_integer(json, "crossings", b->crossings);
    fm_json_bool(json, "crossings_known", b->crossings_known);
    fm_json_open(json, "providers", '[');
    for (int i = 0; i < b->provider_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "name", b->providers[i].name);
        fm_json_integer(json, "operators", b->providers[i].operators);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_open(json, "types", '[');
    for (int i = 0; i < b->type_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "type", b->types[i].op_type);
        fm_json_integer(json, "accelerator", b->types[i].accelerator);
        fm_json_integer(json, "cpu", b->types[i].cpu);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

static void write_latency(fm_json *json, const fm_latency *l)
{
    if (l->skipped) {
        fm_json_null(json, "latency");
        return;
    }
    fm_json_open(json, "latency", '{');
    fm_json_integer(json, "warm_up_runs", FM_INSPECT_WARM_UP_RUNS);
    fm_json_integer(json, "runs", l->runs);
    fm_json_real(json, "first", l->first);
    fm_json_real(json, "min", l->min);
    fm_json_real(json, "median", l->median);
    fm_json_real(json, "p90", l->p90);
    fm_json_real(json, "max", l->max);
    fm_json_real(json, "spread", spread(l));
    fm_json_close(json, '}');
}

static void write_macs(fm_json *json, const fm_inspection *i)
{
    if (!i->has_macs) {
        fm_json_null(json, "macs");
        return;
    }
    fm_json_open(json, "macs", '{');
    fm_json_count(json, "total", i->macs.total < INT64_MAX ? i->macs.total : INT64_MAX);
    fm_json_integer(json, "unknown_operators", i->macs.unknown);
    fm_json_open(json, "types", '[');
    for (int k = 0; k < i->macs.type_count; k++) {
        const fm_macs_type *type = &i->macs.types[k];
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "type", type->op_type);
        fm_json_integer(json, "operators", type->operators);
        fm_json_count(json, "macs", type->macs < INT64_MAX ? type->macs : INT64_MAX);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

fm_status fm_inspect_write_json(const fm_inspection *i, fm_error *err)
{
    const fm_session *session = i->session;
    const fm_breakdown *b = fm_session_breakdown(session);
    const fm_report_model nodes = {.has_nodes = i->times != NULL, .nodes = i->nodes};
    fm_json json = fm_json_begin(stdout);
    fm_json_open(&json, NULL, '{');
    fm_json_text(&json, "file", i->path);
    fm_json_text(&json, "runtime", fm_runtime_version(i->runtime));
    write_tensors(&json, "inputs", session, fm_session_input);
    write_tensors(&json, "outputs", session, fm_session_output);
    fm_json_count(&json, "parameters", b->parameters < INT64_MAX ? b->parameters : INT64_MAX);
    fm_json_count(&json, "weight_bytes", b->weight_bytes < INT64_MAX ? b->weight_bytes : INT64_MAX);
    write_macs(&json, i);
    fm_json_text(&json, "asked", fm_session_asked(session));
    fm_json_text(&json, "backend", fm_session_backend(session));
    fm_json_text(&json, "reason", fm_session_fallback_reason(session));
    write_breakdown(&json, session);
    fm_json_real(&json, "load_seconds", fm_session_load_seconds(session));
    fm_json_bool(&json, "from_cache", fm_session_from_cache(session));
    write_latency(&json, &i->latency);
    fm_nodes_write(&json, &nodes);
    fm_json_close(&json, '}');
    return fm_json_finish(&json, "the inspection", err);
}
