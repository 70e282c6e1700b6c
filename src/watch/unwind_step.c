#include "watch/unwind_step.h"

#include <string.h>

uint64_t fmp_code_address(uint64_t value)
{
#ifdef __aarch64__
    return value & 0xFFFFFFFFFFFFu;
#else
    return value;
#endif
}

bool fmp_frame_read(const fmp_frame *frame, uint64_t address, uint64_t *word)
{
    const fmp_sample *sample = frame->sample;
    const uint64_t begin = sample->registers[FMP_REGISTER_STACK];
    if (address < begin || address - begin >= sample->stack_size ||
        sample->stack_size - (address - begin) < sizeof *word)
        return false;
    memcpy(word, sample->stack + (address - begin), sizeof *word);
    return true;
}

/* What a step reads, and whether some of it was beyond the copy. */
typedef struct reading {
    const fmp_frame *frame;
    bool outside;
} reading;

/* No frame is as large: an address farther off is no stack's. */
enum { FRAME_BYTES_MAX = 1024 * 1024 };

static bool is_outside(const fmp_frame *frame, uint64_t address)
{
    const uint64_t last = frame->sample->registers[FMP_REGISTER_STACK] + frame->sample->stack_size - sizeof address;
    return address > last && address - last < FRAME_BYTES_MAX;
}

static bool read_word(void *opaque, uint64_t address, uint64_t *word)
{
    reading *r = opaque;
    if (fmp_frame_read(r->frame, address, word))
        return true;
    r->outside = r->outside || is_outside(r->frame, address);
    return false;
}

bool fmp_frame_knows(const fmp_frame *frame, int number)
{
    return number >= 0 && number < FMP_REGISTERS && (frame->known >> number & 1);
}

/* A register of the caller; false: not to be known. */
static bool caller_register(const fmp_frame *f, const fmp_rule *rule, int number, const fmp_evaluation *with,
                            uint64_t *value)
{
    switch (rule->kind) {
    case FMP_RULE_SAME:
        *value = f->registers[number];
        return fmp_frame_knows(f, number);
    case FMP_RULE_AT_CFA:
        return with->read(with->context, with->cfa + (uint64_t)(int64_t)rule->offset, value);
    case FMP_RULE_CFA_PLUS:
        *value = with->cfa + (uint64_t)(int64_t)rule->offset;
        return true;
    case FMP_RULE_REGISTER:
        if (!fmp_frame_knows(f, rule->offset))
            return false;
        *value = f->registers[rule->offset];
        return true;
    case FMP_RULE_EXPRESSION:
        return fmp_rule_evaluate(rule, with, value) && with->read(with->context, *value, value);
    case FMP_RULE_VALUE:
        return fmp_rule_evaluate(rule, with, value);
    default:
        return false;
    }
}

static bool canonical_frame(const fmp_frame *f, const fmp_rules *rules, fmp_evaluation *with)
{
    if (rules->cfa_computed)
        return fmp_rule_evaluate(&rules->cfa, with, &with->cfa);
    if (!fmp_frame_knows(f, rules->cfa_register))
        return false;
    with->cfa = f->registers[rules->cfa_register] + (uint64_t)(int64_t)rules->cfa.offset;
    return true;
}

fmp_step fmp_step_by_rules(fmp_frame *f, const fmp_rules *rules)
{
    reading all = {.frame = f}, back = {.frame = f};
    fmp_evaluation with = {.registers = f->registers, .known = f->known, .read = read_word, .context = &all};
    if (!canonical_frame(f, rules, &with))
        return all.outside ? FMP_STEP_OUTSIDE : FMP_STEP_LOST;
    /* The stack grows down: a caller's frame is above, or something is wrong. Not where a signal changed stacks. */
    const uint64_t stack = f->registers[FMP_REGISTER_STACK];
    if (!rules->signal && (with.cfa < stack || (with.cfa == stack && !f->exact)))
        return FMP_STEP_LOST;
    fmp_frame caller = *f;
    caller.known = 0;
    for (int i = 0; i < FMP_REGISTERS; i++) {
        with.context = i == FMP_REGISTER_RETURN ? &back : &all;
        if (caller_register(f, &rules->registers[i], i, &with, &caller.registers[i]))
            caller.known |= 1u << i;
    }
    if (!(caller.known >> FMP_REGISTER_STACK & 1)) {
        caller.registers[FMP_REGISTER_STACK] = with.cfa;
        caller.known |= 1u << FMP_REGISTER_STACK;
    }
    if (!(caller.known >> FMP_REGISTER_RETURN & 1))
        return rules->registers[FMP_REGISTER_RETURN].kind == FMP_RULE_UNDEFINED ? FMP_STEP_OUTERMOST /* so it says */
               : back.outside                                                   ? FMP_STEP_OUTSIDE
                                                                                : FMP_STEP_LOST;
    caller.pc = fmp_code_address(caller.registers[FMP_REGISTER_RETURN]);
    caller.exact = rules->signal;
    *f = caller;
    return FMP_STEP_ON;
}

fmp_step fmp_step_by_frame_pointer(fmp_frame *f)
{
    uint64_t at = f->registers[FMP_REGISTER_FRAME], next, back;
    if (!fmp_frame_knows(f, FMP_REGISTER_FRAME))
        return FMP_STEP_LOST;
    if (at == 0)
        return FMP_STEP_OUTERMOST;
    if (at < f->registers[FMP_REGISTER_STACK] || at % 8 != 0)
        return FMP_STEP_LOST;
    if (!fmp_frame_read(f, at, &next) || !fmp_frame_read(f, at + 8, &back))
        return FMP_STEP_LOST;
    if (fmp_code_address(back) < 4096)
        return FMP_STEP_LOST;
    f->registers[FMP_REGISTER_FRAME] = next;
    f->registers[FMP_REGISTER_STACK] = at + 16;
    f->known = 1u << FMP_REGISTER_FRAME | 1u << FMP_REGISTER_STACK;
    f->pc = fmp_code_address(back);
    f->exact = false;
    return FMP_STEP_ON;
}
