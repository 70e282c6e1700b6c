/* Accelerators: use, memory, power. NVIDIA's by NVML, AMD's by sysfs. */
#include <stdlib.h>

#include "watch/gpu_nvml.h"
#include "watch/gpu_sysfs.h"

typedef struct gpu_state {
    fmp_gpu_nvml *nvidia;
    size_t card_count;
    fmp_gpu_card cards[FMP_GPU_CARDS_MAX];
} gpu_state;

static void find_cards(gpu_state *state, const char *root, fmp_tables *tables)
{
#ifdef __APPLE__
    (void)state;
    (void)root;
    fmp_facility_says(tables, FMP_SYSTEM_GPU, "GPU and Neural Engine", FMP_STATE_NOT_PERMITTED,
                      "this system tells what they did to root alone, by its own tool; which of them takes which "
                      "operation of a model is in the model's breakdown",
                      "beside the run: sudo powermetrics --samplers gpu_power,ane_power");
#else
    state->card_count = fmp_gpu_cards_find(root, state->cards);
    if (state->card_count)
        fmp_facility_says(tables, FMP_SYSTEM_GPU, "AMD devices", FMP_STATE_ON,
                          fmp_tables_text(tables, "sysfs (gpu_busy_percent), %zu device%s", state->card_count,
                                          state->card_count == 1 ? "" : "s"),
                          "");
    else
        fmp_facility_says(tables, FMP_SYSTEM_GPU, "AMD devices", FMP_STATE_NOT_HERE,
                          "no card under /sys/class/drm that says how busy it is", "");
#endif
}

static void *start(const fmp_system_options *options, const fmp_watch_info *info, fmp_tables *tables)
{
    gpu_state *state = calloc(1, sizeof *state);
    if (!state)
        return NULL;
    state->nvidia = fmp_gpu_nvml_start(options, tables);
    find_cards(state, info->root, tables);
    if (!state->nvidia && state->card_count == 0) {
        free(state);
        return NULL;
    }
    for (size_t i = 0; i < state->card_count; i++)
        fmp_gpu_card_read(&state->cards[i], info->start_ns);
    return state;
}

static void read_cards(void *opaque, const fmp_watch_info *info, uint64_t now_ns)
{
    (void)info;
    gpu_state *state = opaque;
    for (size_t i = 0; i < state->card_count; i++)
        fmp_gpu_card_read(&state->cards[i], now_ns);
}

static void stop(void *opaque, const fmp_watch_info *info, fmp_tables *tables)
{
    gpu_state *state = opaque;
    if (state->nvidia)
        fmp_gpu_nvml_stop(state->nvidia, info->units, tables);
    for (size_t i = 0; i < state->card_count; i++)
        fmp_gpu_sum_tell(&state->cards[i].sum, info->units, tables);
    free(state);
}

const fmp_facility_calls fmp_facility_gpu = {FMP_SYSTEM_GPU, start, read_cards, stop, NULL};
