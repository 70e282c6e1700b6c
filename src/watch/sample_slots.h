/*
 * Samples on their way from the signal handler that takes them to the thread
 * that reads them: a bounded pool without locks.
 *
 * The pool belongs to the process and is never given back: a signal that was
 * on its way when sampling ended may still be handled later, on a thread that
 * was not running meanwhile. One sampler at a time.
 */
#ifndef FMP_WATCH_SAMPLE_SLOTS_H
#define FMP_WATCH_SAMPLE_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
#define FMP_CAN_SAMPLE 1
#endif

enum {
    /* Bytes of stack a sample, from the stack pointer up: encoders have frames of 30 KiB. Most stacks end sooner. */
    FMP_SAMPLE_STACK = 96 * 1024,
    FMP_SAMPLE_SLOTS_MAX = 1024,
    /* Numbered as DWARF does: System V ABI for AMD64, figure 3.36; DWARF for the Arm 64-bit Architecture, table 3. */
#ifdef __aarch64__
    FMP_REGISTERS = 32, /* x0 to x30, sp */
    FMP_REGISTER_STACK = 31,
    FMP_REGISTER_FRAME = 29,
    FMP_REGISTER_RETURN = 30
#else
    FMP_REGISTERS = 17, /* rax to r15, return address */
    FMP_REGISTER_STACK = 7,
    FMP_REGISTER_FRAME = 6,
    FMP_REGISTER_RETURN = 16
#endif
};

typedef struct fmp_sample {
    uint64_t thread;
    uint64_t cpu_ns; /* of the thread, from its beginning */
    uint32_t operation;
    uint32_t run;
    uint64_t registers[FMP_REGISTERS];
    uint64_t pc;
    size_t stack_size; /* of the copy, which begins at the stack pointer */
    unsigned char stack[FMP_SAMPLE_STACK];
} fmp_sample;

/* How a stack is read without a crash where it ends. */
typedef enum fmp_stack_reading {
    FMP_STACK_BY_CALL = 0, /* process_vm_readv on itself */
    FMP_STACK_BY_FILE,     /* /proc/self/mem */
    FMP_STACK_BY_PAGE      /* both refused: to the end of the stack pointer's page, which is there */
} fmp_stack_reading;

/* Does the program leave this signal alone? So it does where a parent sampled by it before the fork. */
bool fmp_slots_signal_is_free(int signal);
/* Opens the pool and lets `signal`, which must be free, fill it. 0 or errno. */
int fmp_slots_open(int signal, size_t slots);
/* Is the handler still in place? A program may have taken the signal for itself since. */
bool fmp_slots_hold_signal(void);
fmp_stack_reading fmp_slots_stack_reading(void);
/* Reads this process's memory as the handler reads stacks; returns how many bytes were there. Not in the handler. */
size_t fmp_slots_read(uint64_t at, void *to, size_t size);
/* Samples that found the pool full, since it was opened. */
uint64_t fmp_slots_dropped(void);
/* Fills `full` with the samples that are there, and returns how many; each is given back by fmp_slots_free. */
size_t fmp_slots_full(const fmp_sample *full[FMP_SAMPLE_SLOTS_MAX]);
void fmp_slots_free(const fmp_sample *sample);
/* Ends it: nothing may send the signal any more. What is pending is discarded, the disposition as it was. */
void fmp_slots_close(void);

#endif
