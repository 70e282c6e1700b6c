#include "advice/compare_format.h"

#include <math.h>

#include "export/figures.h"

static void format_value(char out[FM_CELL], double value, fm_compare_unit unit)
{
    char text[FMP_TIME_TEXT_SIZE];
    if (!isfinite(value)) {
        snprintf(out, FM_CELL, "-");
        return;
    }
    switch (unit) {
    case FM_COMPARE_SECONDS:
        if (value > 0)
            fmp_time_text(text, value);
        else
            snprintf(text, sizeof text, "-");
        break;
    case FM_COMPARE_RATE:
        fmp_fixed(text, value, value < 100 ? 2 : 1);
        break;
    case FM_COMPARE_BYTES:
        fmp_fixed(text, value / (1 << 20), 1);
        snprintf(out, FM_CELL, "%s MiB", text);
        return;
    }
    snprintf(out, FM_CELL, "%s", text);
}

static void format_ratio(char out[FM_CELL], double ratio)
{
    char text[FMP_TIME_TEXT_SIZE];
    fmp_fixed(text, ratio, ratio < 100 ? 3 : 1);
    snprintf(out, FM_CELL, "%s", isfinite(ratio) ? text : "-");
}

static const char *verdict_text(const fm_compare_row *row)
{
    const bool seconds = row->unit != FM_COMPARE_BYTES;
    switch (row->verdict) {
    case FM_COMPARE_NONE:
        return "no verdict";
    case FM_COMPARE_SAME:
        return "no significant difference";
    case FM_COMPARE_BETTER:
        return seconds ? "faster" : "less";
    case FM_COMPARE_WORSE:
        return seconds ? "slower" : "more";
    case FM_COMPARE_NEW:
        return "new";
    case FM_COMPARE_GONE:
        break;
    }
    return "gone";
}

void fm_compare_format(const fm_compare_row *row, fm_compare_cells *out)
{
    char low[FM_CELL], high[FM_CELL];
    format_value(out->base, row->base, row->unit);
    format_value(out->now, row->now, row->unit);
    format_ratio(out->ratio, row->ratio.value);
    format_ratio(low, row->ratio.low);
    format_ratio(high, row->ratio.high);
    if (isfinite(row->ratio.low))
        snprintf(out->interval, FM_CELL, "%.20s to %.20s", low, high);
    else
        snprintf(out->interval, FM_CELL, "-");
    if (!isfinite(row->p))
        snprintf(out->p, FM_CELL, "-");
    else if (row->p < 0.0001)
        snprintf(out->p, FM_CELL, "<0.0001");
    else
        snprintf(out->p, FM_CELL, "%.4f", row->p);
    out->verdict = verdict_text(row);
}

bool fm_compare_shown(const fm_compare_row *row)
{
    return row->share >= 0.001 || (row->verdict != FM_COMPARE_NONE && row->verdict != FM_COMPARE_SAME);
}

void fm_compare_percent(char out[FM_CELL], double share)
{
    char text[FMP_TIME_TEXT_SIZE];
    fmp_fixed(text, share * 100, share < 0.001 ? 4 : 2);
    snprintf(out, FM_CELL, isfinite(share) ? "%s %%" : "-", text);
}
