/*
 * The program's code, as far as a search for return addresses needs it: where
 * there is any, and whether a call stands before an address.
 *
 * Bytes are read as the sampler reads stacks (sample_slots.h), so that a
 * library which goes meanwhile does no harm. Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_UNWIND_CODE_H
#define FMP_WATCH_UNWIND_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fmp_call_kind {
    FMP_CALL_NONE = 0, /* no call ends there, or it cannot be read */
    FMP_CALL_DIRECT,   /* to `target` */
    FMP_CALL_ONWARD,   /* to `target`, which may jump on to elsewhere: a stub of the linker, or a call at its end */
    FMP_CALL_POINTER   /* through a register or memory */
} fmp_call_kind;

typedef struct fmp_call {
    uint64_t address; /* where the call returns to */
    fmp_call_kind kind;
    uint64_t target;   /* 0 where it is not known */
    uint64_t function; /* of the target, as fmp_code_function has it */
    uint64_t around;   /* the function that the call is in, as well */
} fmp_call;

typedef struct fmp_code fmp_code;

fmp_code *fmp_code_create(void); /* NULL when memory is out */
void fmp_code_free(fmp_code **code); /* NULL and *NULL are fine */
/* Libraries came or went: what was known is forgotten. */
void fmp_code_refresh(fmp_code *code);

/* Does an address lie in code of a library or of the program? */
bool fmp_code_is(const fmp_code *code, uint64_t address);
/* Where the function around it begins, or the nearest before it that is in the table for unwinding; 0: not known. */
uint64_t fmp_code_function(const fmp_code *code, uint64_t address);
/* The call that returns to an address of code, of any kind of memory. Never NULL; valid until the next call. */
const fmp_call *fmp_code_call_before(fmp_code *code, uint64_t address);

enum { FMP_CALL_BYTES = 8 };
/* The call that ends at the end of these bytes, which is `address`; apart for tests. Functions are left 0. */
fmp_call fmp_call_in(const unsigned char bytes[FMP_CALL_BYTES], uint64_t address);

#endif
