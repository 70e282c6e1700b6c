#include "watch/linker_walk.h"

#ifdef __linux__
#include <pthread.h>

static pthread_mutex_t walking = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    pthread_mutex_lock(&walking);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&walking);
}

static void heed_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

int fmp_linker_walk(int (*visit)(struct dl_phdr_info *info, size_t size, void *context), void *context)
{
    pthread_once(&once, heed_forks);
    pthread_mutex_lock(&walking);
    const int result = dl_iterate_phdr(visit, context);
    pthread_mutex_unlock(&walking);
    return result;
}
#else
typedef int linker_walk_is_for_linux; /* a file may not be empty */
#endif
