/* A library that is loaded while the program runs. */
#include <stdlib.h>

void *plug_take(size_t size);

void *plug_take(size_t size)
{
    void *volatile block = malloc(size);
    return block;
}
