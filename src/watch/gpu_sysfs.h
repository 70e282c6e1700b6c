/* Cards that say in sysfs how busy they are: AMD's. Thread-safety: one thread at a time. */
#ifndef FMP_WATCH_GPU_SYSFS_H
#define FMP_WATCH_GPU_SYSFS_H

#include "watch/energy_file.h"
#include "watch/gpu_sum.h"

enum { FMP_GPU_CARDS_MAX = 32 };

typedef struct fmp_gpu_card {
    fmp_gpu_sum sum;
    char folder[FMP_FILE_PATH_SIZE];
} fmp_gpu_card;

/* Cards under root/sys/class/drm; returns how many. */
size_t fmp_gpu_cards_find(const char *root, fmp_gpu_card cards[FMP_GPU_CARDS_MAX]);
void fmp_gpu_card_read(fmp_gpu_card *card, uint64_t now_ns);

#endif
