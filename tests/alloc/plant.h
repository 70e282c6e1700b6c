/* Leaks of known size and place. */
#ifndef FMP_TEST_PLANT_H
#define FMP_TEST_PLANT_H

#include <stddef.h>

enum { PLANT_BLOCKS = 37, PLANT_SIZE = 1000 };

/* Takes PLANT_BLOCKS blocks of PLANT_SIZE bytes, in line plant_line of plant.c; gives back none. */
void plant(void *blocks[PLANT_BLOCKS]);
extern const unsigned plant_line;

#endif
