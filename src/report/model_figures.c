#include "report/model_figures.h"

#include <stdio.h>
#include <string.h>

void fm_figure_percent(char out[FMP_TIME_TEXT_SIZE], double part, double whole)
{
    char figure[FMP_TIME_TEXT_SIZE];
    fmp_fixed(figure, 100 * fmp_ratio(part, whole), 1);
    snprintf(out, FMP_TIME_TEXT_SIZE, "%.24s%s", figure, strcmp(figure, "n/a") == 0 ? "" : "%");
}

void fm_figure_ms(char out[FMP_TIME_TEXT_SIZE], double seconds)
{
    char figure[FMP_TIME_TEXT_SIZE];
    fmp_fixed(figure, 1e3 * seconds, 1);
    snprintf(out, FMP_TIME_TEXT_SIZE, "%.24s%s", figure, strcmp(figure, "n/a") == 0 ? "" : " ms");
}

const char *fm_figure_text(const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

double fm_figure_per_run(uint64_t nanoseconds, uint64_t samples)
{
    return fmp_ratio((double)nanoseconds * 1e-9, (double)samples);
}

uint64_t fm_nodes_gap_ns(const fm_report_nodes *nodes)
{
    return nodes->boundary_ns > nodes->copy_ns ? nodes->boundary_ns - nodes->copy_ns : 0;
}
