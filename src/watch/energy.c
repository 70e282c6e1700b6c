#include "watch/facility.h"

static void *start(const fmp_system_options *options, const fmp_watch_info *info, fmp_tables *tables)
{
    (void)options;
    (void)info;
    fmp_facility_says(tables, FMP_SYSTEM_ENERGY, "", FMP_STATE_NOT_HERE, "not written yet", "");
    return NULL;
}

static void stop(void *state, const fmp_watch_info *info, fmp_tables *tables)
{
    (void)state;
    (void)info;
    (void)tables;
}

const fmp_facility_calls fmp_facility_energy = {FMP_SYSTEM_ENERGY, start, NULL, stop};
