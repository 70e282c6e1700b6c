/*
 * The pack that is asked for; where the default pack's folder has its models
 * but no manifest yet, as set-ups before manifests left it, one in memory.
 *
 * Thread-safety: as fm_pack_find.
 */
#ifndef FM_PIPELINE_DEFAULT_PACK_H
#define FM_PIPELINE_DEFAULT_PACK_H

#include "models/pack.h"

/* As fm_pack_find. */
fm_status fm_pack_find_or_default(fm_pack **out, const char *name_or_dir, fm_error *err);

#endif
