/*
 * What stands between FMP_API_BEGIN and FMP_API_END is exported by the shared
 * libfmprof, which hides everything else.
 */
#ifndef FMPROF_API_H
#define FMPROF_API_H

#if defined(__GNUC__) || defined(__clang__)
#define FMP_API_BEGIN _Pragma("GCC visibility push(default)")
#define FMP_API_END _Pragma("GCC visibility pop")
#else
#define FMP_API_BEGIN
#define FMP_API_END
#endif

#endif
