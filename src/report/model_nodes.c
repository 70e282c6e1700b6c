/* The times of a model's nodes in the text report. */
#include <inttypes.h>

#include "export/utf8.h"
#include "report/model_figures.h"
#include "report/report.h"

enum { TYPES_SHOWN = 8, CAUSES_SHOWN = 6, NAME_WIDTH = 44, TYPE_WIDTH = 22, PROVIDER_WIDTH = 12 };

/* Milliseconds with three digits: nodes take microseconds. */
static void fine_ms(char out[FMP_TIME_TEXT_SIZE], uint64_t nanoseconds, uint64_t samples)
{
    fmp_fixed(out, 1e3 * fm_figure_per_run(nanoseconds, samples), 3);
}

static void groups(FILE *out, const char *title, const fm_report_nodes *n, const fm_report_node_group *list,
                   size_t count)
{
    char time[FMP_TIME_TEXT_SIZE], share[FMP_TIME_TEXT_SIZE];
    fprintf(out, "    by %s:", title);
    for (size_t i = 0; i < count && i < TYPES_SHOWN; i++) {
        fine_ms(time, list[i].total_ns, n->samples);
        fm_figure_percent(share, (double)list[i].total_ns, (double)n->node_ns);
        fprintf(out, "%s%d ", i ? ", " : " ", list[i].nodes);
        fmp_utf8_print(out, fm_figure_text(list[i].name, "?"));
        fprintf(out, " %s ms (%s)", time, share);
    }
    if (count > TYPES_SHOWN)
        fprintf(out, " and %zu more", count - TYPES_SHOWN);
    fputc('\n', out);
}

static void costliest(FILE *out, const fm_report_nodes *n)
{
    fprintf(out, "    %-*s %-*s %-*s %9s %6s\n", NAME_WIDTH, "Costliest nodes", TYPE_WIDTH, "Type", PROVIDER_WIDTH,
            "Provider", "ms a run", "%");
    for (size_t i = 0; i < n->costliest_count; i++) {
        const fm_report_node *node = &n->costliest[i];
        char time[FMP_TIME_TEXT_SIZE], share[FMP_TIME_TEXT_SIZE];
        fine_ms(time, node->total_ns, n->samples);
        fm_figure_percent(share, (double)node->total_ns, (double)n->node_ns);
        fputs("    ", out);
        fmp_utf8_print_fitted(out, fm_figure_text(node->name, "(no name)"), NAME_WIDTH);
        fputc(' ', out);
        fmp_utf8_print_fitted(out, fm_figure_text(node->type, "?"), TYPE_WIDTH);
        fputc(' ', out);
        fmp_utf8_print_fitted(out, fm_figure_text(node->provider, "?"), PROVIDER_WIDTH);
        fprintf(out, " %9s %6s\n", time, share);
    }
}

static void boundaries(FILE *out, const fm_report_nodes *n)
{
    char all[FMP_TIME_TEXT_SIZE], copies[FMP_TIME_TEXT_SIZE], base[FMP_TIME_TEXT_SIZE], rate[FMP_TIME_TEXT_SIZE];
    if (n->boundaries == 0)
        return;
    fine_ms(all, n->boundary_ns, n->samples);
    fine_ms(copies, n->copy_ns, n->samples);
    fine_ms(base, n->base_ns, n->samples);
    fmp_fixed(rate, fmp_ratio((double)n->boundaries, (double)n->samples), 1);
    fprintf(out, "    partition boundaries: %s ms in %s hand-overs a run (copies between devices: %s ms; %s gap of "
                 "%s ms taken off each)\n", all, rate, copies, n->base_known ? "the usual" : "the smallest", base);
    for (size_t i = 0; i < n->cause_count && i < CAUSES_SHOWN; i++) {
        const fm_report_boundary *cause = &n->causes[i];
        char sum[FMP_TIME_TEXT_SIZE], inside[FMP_TIME_TEXT_SIZE], around[FMP_TIME_TEXT_SIZE];
        fine_ms(sum, cause->operator_ns + cause->boundary_ns, n->samples);
        fine_ms(inside, cause->operator_ns, n->samples);
        fine_ms(around, cause->boundary_ns, n->samples);
        fprintf(out, "      rewriting %s %d ", cause->nodes == 1 ? "this" : "these", cause->nodes);
        fmp_utf8_print(out, fm_figure_text(cause->type, "?"));
        fprintf(out, " would save up to %s ms a run: %s in the operators, %s at their boundaries\n", sum, inside,
                around);
    }
    if (n->cause_count > CAUSES_SHOWN)
        fprintf(out, "      and %zu more types\n", n->cause_count - CAUSES_SHOWN);
}

void fm_text_nodes(FILE *out, const fm_report_nodes *n)
{
    char run[FMP_TIME_TEXT_SIZE], nodes[FMP_TIME_TEXT_SIZE];
    if (n->samples == 0) {
        fputs("    nodes: no run was sampled\n", out);
        return;
    }
    fine_ms(run, n->run_ns, n->samples);
    fine_ms(nodes, n->node_ns, n->samples);
    fprintf(out, "    %d nodes in %" PRIu64 " sampled %s: %s ms a run, of these %s ms in nodes\n", n->nodes, n->samples,
            n->samples == 1 ? "run" : "runs", run, nodes);
    groups(out, "provider", n, n->providers, n->provider_count);
    groups(out, "type", n, n->types, n->type_count);
    costliest(out, n);
    boundaries(out, n);
    if (n->lost_events > 0 || n->lost_runs > 0)
        fprintf(out,
                "    not attributed: %" PRIu64 " events of these runs; %" PRIu64 " further runs could not be read\n",
                n->lost_events, n->lost_runs);
}
