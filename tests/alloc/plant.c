#include "plant.h"

#include <stdlib.h>

void plant(void *blocks[PLANT_BLOCKS])
{
    for (size_t i = 0; i < PLANT_BLOCKS; i++) {
        void *volatile block = malloc(PLANT_SIZE);
        blocks[i] = block;
    }
}

const unsigned plant_line = 8;
