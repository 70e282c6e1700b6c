/* The sites: (category, operation) pairs, registered once, never freed; metrics are sites too. */
#ifndef FMP_SITE_H
#define FMP_SITE_H

#include "registry.h"

/* Registers the overflow sites and the profiler's own; called once, by the registry. */
void fmp_site_init(void);

/* The site that stands for `site` in a context: of the same category, with the prefix before its name. */
const fmp_site *fmp_site_in_context(const fmp_site *site, const fmp_context *context);

#endif
