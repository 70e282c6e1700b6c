/* An allocator that comes before the interposer, as one that is linked into a program would: it has its own malloc. */
#include <stddef.h>

void *malloc(size_t size);
void *__libc_malloc(size_t size); /* of glibc, where another malloc ends up */

void *malloc(size_t size)
{
    return __libc_malloc(size);
}
