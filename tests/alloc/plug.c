/*
 * A library that is loaded while the program runs; in two variants, whose code
 * has the same length, but whose frames have not.
 */
#include <stdlib.h>

void *plug_take(size_t size);

void *plug_take(size_t size)
{
    volatile char room[PLUG_ROOM];
    room[size % sizeof room] = 1;
    void *volatile block = malloc(size);
    return block;
}
