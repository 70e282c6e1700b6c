#include "watch/unwind_code.h"

#include "watch/linker_walk.h"
#include "watch/sample_slots.h"

#ifdef FMP_CAN_SAMPLE
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "watch/symbols_internal.h"

enum { CALLS_KEPT = 1 << 12, FUNCTION_BYTES = 2048 };

typedef struct segment {
    uint64_t begin, end;
} segment;

struct fmp_code {
    segment *segments; /* of code, in order */
    size_t count, capacity;
    fmp_call calls[CALLS_KEPT]; /* by address; a newer one takes an older one's place */
};

/* --- where code is ----------------------------------------------------------------- */

static bool room_for_one(fmp_code *code)
{
    if (code->count < code->capacity)
        return true;
    const size_t more = code->capacity ? code->capacity * 2 : 64;
    segment *bigger = realloc(code->segments, more * sizeof *bigger);
    if (!bigger)
        return false;
    code->segments = bigger;
    code->capacity = more;
    return true;
}

static int add_segments(struct dl_phdr_info *info, size_t size, void *opaque)
{
    (void)size;
    fmp_code *code = opaque;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X) || !room_for_one(code))
            continue;
        const uint64_t begin = (uint64_t)info->dlpi_addr + part->p_vaddr;
        code->segments[code->count++] = (segment){begin, begin + part->p_memsz};
    }
    return 0;
}

static int by_begin(const void *left, const void *right)
{
    const segment *a = left, *b = right;
    return a->begin < b->begin ? -1 : a->begin > b->begin;
}

void fmp_code_refresh(fmp_code *code)
{
    code->count = 0;
    memset(code->calls, 0, sizeof code->calls);
    fmp_linker_walk(add_segments, code);
    if (code->count > 0)
        qsort(code->segments, code->count, sizeof *code->segments, by_begin);
}

fmp_code *fmp_code_create(void)
{
    fmp_code *code = calloc(1, sizeof *code);
    if (code)
        fmp_code_refresh(code);
    return code;
}

void fmp_code_free(fmp_code **code)
{
    if (!code || !*code)
        return;
    free((*code)->segments);
    free(*code);
    *code = NULL;
}

bool fmp_code_is(const fmp_code *code, uint64_t address)
{
    size_t low = 0, high = code->count;
    while (low < high) { /* the first that ends behind it */
        const size_t middle = low + (high - low) / 2;
        if (code->segments[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < code->count && code->segments[low].begin <= address;
}

uint64_t fmp_code_function(const fmp_code *code, uint64_t address)
{
    return fmp_code_is(code, address) ? fmp_function_start(address) : 0;
}

/* --- calls --------------------------------------------------------------------------- */

#ifdef __aarch64__
static uint32_t word_at(const unsigned char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Arm Architecture Reference Manual, C6.2: BL; BLR and its kinds that authenticate the pointer. */
fmp_call fmp_call_in(const unsigned char bytes[FMP_CALL_BYTES], uint64_t address)
{
    fmp_call call = {.address = address};
    const uint32_t word = word_at(bytes + FMP_CALL_BYTES - 4);
    if ((word & 0xFC000000u) == 0x94000000u) {
        const int64_t words = (int64_t)((uint64_t)(word & 0x03FFFFFFu) << 38) >> 38;
        call.kind = FMP_CALL_DIRECT;
        call.target = address - 4 + (uint64_t)(words * 4);
    } else if ((word & 0xFFFFFC1Fu) == 0xD63F0000u || (word & 0xFEFFF800u) == 0xD63F0800u) {
        call.kind = FMP_CALL_POINTER;
    }
    return call;
}

/* BR and B: does one that may leave the function stand in these bytes? */
static bool jumps_on(const fmp_code *code, uint64_t at, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i + 4 <= size; i += 4) {
        const uint32_t word = word_at(bytes + i);
        if ((word & 0xFFFFFC1Fu) == 0xD61F0000u)
            return true;
        const int64_t words = (int64_t)((uint64_t)(word & 0x03FFFFFFu) << 38) >> 38;
        if ((word & 0xFC000000u) == 0x14000000u &&
            fmp_code_function(code, at + i + (uint64_t)(words * 4)) != fmp_code_function(code, at))
            return true;
    }
    return false;
}
#else
/* Bytes of a CALL through `modrm`'s operand: Intel 64 manual, volume 2, 2.1.3 and 2.1.5. */
static size_t length_of_pointer_call(const unsigned char *at)
{
    const unsigned mode = at[1] >> 6, operand = at[1] & 7;
    const size_t base = mode != 3 && operand == 4 ? 3 : 2; /* with a byte for scale, index and base */
    if (mode == 1)
        return base + 1;
    if (mode == 2 || (mode == 0 && (operand == 5 || (base == 3 && (at[2] & 7) == 5))))
        return base + 4;
    return base;
}

fmp_call fmp_call_in(const unsigned char bytes[FMP_CALL_BYTES], uint64_t address)
{
    fmp_call call = {.address = address};
    const unsigned char *end = bytes + FMP_CALL_BYTES;
    for (size_t length = 2; length <= 7; length++) {
        const unsigned char *at = end - length;
        if (at[0] == 0xFF && (at[1] >> 3 & 7) == 2 && (length > 2 || (at[1] & 7) != 4) &&
            length_of_pointer_call(at) == length)
            call.kind = FMP_CALL_POINTER;
    }
    if (end[-5] == 0xE8) {
        int32_t distance;
        memcpy(&distance, end - 4, sizeof distance);
        call.kind = FMP_CALL_DIRECT;
        call.target = address + (uint64_t)(int64_t)distance;
    }
    return call;
}

/* JMP through a register or memory, or to another function: does what may be one stand in these bytes? */
static bool jumps_on(const fmp_code *code, uint64_t at, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i + 6 <= size; i++) {
        /* After another such byte it is rather the end of a negative number and the next instruction's begin. */
        if (bytes[i] == 0xFF && (bytes[i + 1] >> 3 & 7) == 4 && (i == 0 || bytes[i - 1] != 0xFF))
            return true;
        if (bytes[i] != 0xE9)
            continue;
        int32_t distance;
        memcpy(&distance, bytes + i + 1, sizeof distance);
        const uint64_t to = at + i + 5 + (uint64_t)(int64_t)distance;
        if (fmp_code_is(code, to) && fmp_code_function(code, to) != fmp_code_function(code, at))
            return true;
    }
    return false;
}
#endif

/* A function's code from its begin, not beyond where the next begins that is in the table. */
static bool goes_elsewhere(const fmp_code *code, uint64_t target, uint64_t function)
{
    unsigned char bytes[FUNCTION_BYTES];
    size_t size = fmp_slots_read(target, bytes, sizeof bytes);
    while (size > 16 && fmp_code_function(code, target + size - 1) != function)
        size /= 2;
    return jumps_on(code, target, bytes, size);
}

static fmp_call look_before(const fmp_code *code, uint64_t address)
{
    unsigned char bytes[FMP_CALL_BYTES];
    const fmp_call none = {.address = address};
    if (address < 4096 || fmp_slots_read(address - sizeof bytes, bytes, sizeof bytes) != sizeof bytes)
        return none;
    fmp_call call = fmp_call_in(bytes, address);
    call.around = fmp_code_function(code, address - 1);
    if (call.kind != FMP_CALL_DIRECT)
        return call;
    if (!fmp_code_is(code, call.target))
        return none; /* it is no call, but another instruction's last bytes */
    call.function = fmp_code_function(code, call.target);
    if (goes_elsewhere(code, call.target, call.function))
        call.kind = FMP_CALL_ONWARD;
    return call;
}

const fmp_call *fmp_code_call_before(fmp_code *code, uint64_t address)
{
    const uint64_t mixed = address * 0x9E3779B97F4A7C15u; /* Fibonacci hashing */
    fmp_call *kept = &code->calls[(size_t)(mixed >> 32) % CALLS_KEPT];
    if (kept->address != address)
        *kept = look_before(code, address);
    return kept;
}
#else
typedef int fmp_no_code_here; /* a file may not be empty */
#endif
