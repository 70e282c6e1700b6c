/* One step from a frame to its caller's, by what is certain: the rules of the address, or the frame pointer. */
#ifndef FMP_WATCH_UNWIND_STEP_H
#define FMP_WATCH_UNWIND_STEP_H

#include "watch/unwind_rules.h"

/* Where a walk is. */
typedef struct fmp_frame {
    const fmp_sample *sample;
    uint64_t registers[FMP_REGISTERS];
    uint32_t known; /* bits: which registers are */
    uint64_t pc;
    bool exact; /* pc is an instruction that was interrupted, not where a call returns to */
} fmp_frame;

typedef enum fmp_step {
    FMP_STEP_ON = 0,    /* the frame is the caller's now */
    FMP_STEP_OUTERMOST, /* there is no caller */
    FMP_STEP_OUTSIDE,   /* the caller is beyond the copy of the stack */
    FMP_STEP_LOST       /* there is one, but not enough is known to find it, or what is known is wrong */
} fmp_step;

bool fmp_frame_knows(const fmp_frame *frame, int number);
/* A word of the sample's copy of the stack; false: it is not in it. */
bool fmp_frame_read(const fmp_frame *frame, uint64_t address, uint64_t *word);
/* Addresses of code have 48 bits on arm64; above them return addresses are signed (pointer authentication). */
uint64_t fmp_code_address(uint64_t value);

/* Both leave the frame as it is where they do not step on. */
fmp_step fmp_step_by_rules(fmp_frame *frame, const fmp_rules *rules);
/* The frame pointer leads to the caller's and, after it, to where the call returns to. */
fmp_step fmp_step_by_frame_pointer(fmp_frame *frame);

#endif
