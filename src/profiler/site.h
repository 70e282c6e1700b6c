/* The sites: (category, operation) pairs, registered once, never freed. */
#ifndef FMP_SITE_H
#define FMP_SITE_H

/* Registers the overflow site (index 0) and the profiler's own; called once, by the registry. */
void fmp_site_init(void);

#endif
