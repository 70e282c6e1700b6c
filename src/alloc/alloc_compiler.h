/* Names for the compiler extensions that only the interposer needs; it is built with gcc and clang alone. */
#ifndef FMP_ALLOC_COMPILER_H
#define FMP_ALLOC_COMPILER_H

#include "profiler/compiler.h"

#define FMP_EXPORTED __attribute__((visibility("default")))
#define FMP_CONSTRUCTOR __attribute__((constructor))
/* Where the function that says this returns to. */
#define FMP_RETURNS_TO ((uintptr_t)__builtin_return_address(0))

#endif
