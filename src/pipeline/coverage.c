#include "pipeline/coverage.h"

#include "fmprof/fmprof.h"

void fm_coverage_init(fm_coverage *c)
{
    pthread_mutex_init(&c->lock, NULL);
    c->inside = 0;
    c->since_ns = c->total_ns = 0;
}

void fm_coverage_destroy(fm_coverage *c)
{
    pthread_mutex_destroy(&c->lock);
}

void fm_coverage_enter(fm_coverage *c)
{
    pthread_mutex_lock(&c->lock);
    if (c->inside++ == 0)
        c->since_ns = fmp_now();
    pthread_mutex_unlock(&c->lock);
}

void fm_coverage_leave(fm_coverage *c)
{
    pthread_mutex_lock(&c->lock);
    if (--c->inside == 0)
        c->total_ns += fmp_now() - c->since_ns;
    pthread_mutex_unlock(&c->lock);
}
