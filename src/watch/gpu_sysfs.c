/*
 * https://docs.kernel.org/gpu/amdgpu/thermal.html (gpu_busy_percent) and .../driver-misc.html (mem_info_vram_used).
 * Power of such cards is a hwmon sensor, which the facility energy reads.
 */
#include "watch/gpu_sysfs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "card0", not its connectors ("card0-DP-1"). */
static bool is_card(const char *name)
{
    return strncmp(name, "card", 4) == 0 && name[4] && name[4 + strspn(name + 4, "0123456789")] == '\0';
}

static double number(const fmp_gpu_card *card, const char *file)
{
    int64_t value;
    return fmp_file_integer(card->folder, file, &value) || value < 0 ? (double)NAN : (double)value;
}

void fmp_gpu_card_read(fmp_gpu_card *card, uint64_t now_ns)
{
    const double unknown = (double)NAN, percent = number(card, "gpu_busy_percent");
    const fmp_gpu_reading reading = {.busy = percent <= 100 ? percent / 100 : unknown,
                                     .memory_used = number(card, "mem_info_vram_used"),
                                     .memory_total = number(card, "mem_info_vram_total"),
                                     .watts = unknown,
                                     .joules = unknown,
                                     .celsius = unknown};
    fmp_gpu_sum_add(&card->sum, now_ns, &reading);
}

/* "card0 Radeon Pro W6800", or by its numbers on the bus. */
static void name_card(fmp_gpu_card *card, const char *name)
{
    char text[96], product[64], vendor[16], device[16];
    if (!fmp_file_line(card->folder, "product_name", product, sizeof product) && product[0]) {
        snprintf(text, sizeof text, "%.24s %s", name, product);
    } else {
        fmp_file_line(card->folder, "vendor", vendor, sizeof vendor);
        fmp_file_line(card->folder, "device", device, sizeof device);
        snprintf(text, sizeof text, "%.24s%s%s%s%s", name, vendor[0] ? " " : "", vendor, device[0] ? ":" : "", device);
    }
    fmp_gpu_sum_begin(&card->sum, text);
}

size_t fmp_gpu_cards_find(const char *root, fmp_gpu_card cards[FMP_GPU_CARDS_MAX])
{
    char drm[FMP_FILE_PATH_SIZE], **names;
    size_t count = 0;
    if (!fmp_file_path(drm, "%s/sys/class/drm", root))
        return 0;
    const size_t name_count = fmp_file_names(drm, is_card, &names);
    for (size_t i = 0; i < name_count && count < FMP_GPU_CARDS_MAX; i++) {
        fmp_gpu_card *card = &cards[count];
        int64_t percent;
        if (!fmp_file_path(card->folder, "%s/%s/device", drm, names[i]) ||
            fmp_file_integer(card->folder, "gpu_busy_percent", &percent))
            continue;
        name_card(card, names[i]);
        count++;
    }
    fmp_file_names_free(names, name_count);
    return count;
}
