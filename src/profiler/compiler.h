/* Names for the compiler extensions that libfmprof uses; each has a plain C17 fallback. */
#ifndef FMP_COMPILER_H
#define FMP_COMPILER_H

#if defined(__GNUC__) || defined(__clang__)
#define FMP_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define FMP_NOINLINE __attribute__((noinline))
/* Not seen outside of the library: reached without the table of addresses that shared libraries need. */
#define FMP_HIDDEN __attribute__((visibility("hidden")))
__extension__ typedef unsigned __int128 fmp_uint128;
#define FMP_UINT128 fmp_uint128
/* Index of the highest set bit of a non-zero 64-bit value. */
#define FMP_HIGH_BIT(value) (63u - (unsigned)__builtin_clzll(value))
/* One pointer fits the static TLS reserve even of a dlopen'ed library, and spares a call per scope. */
#define FMP_TLS_INITIAL_EXEC __attribute__((tls_model("initial-exec")))
#else
#define FMP_UNLIKELY(condition) (condition)
#define FMP_NOINLINE
#define FMP_HIDDEN
#define FMP_TLS_INITIAL_EXEC
#include <stdint.h>
static inline unsigned FMP_HIGH_BIT(uint64_t value)
{
    unsigned bit = 0;
    while (value >>= 1)
        bit++;
    return bit;
}
#endif

#endif
