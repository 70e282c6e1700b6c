#include "watch/unwind.h"

#include <stdlib.h>
#include <string.h>

#include "watch/unwind_rules.h"

struct fmp_unwinder {
    fmp_symbols *symbols;
    fmp_rule_cache *cache;
};

fmp_unwinder *fmp_unwinder_create(fmp_symbols *symbols)
{
    fmp_unwinder *unwinder = calloc(1, sizeof *unwinder);
    if (!unwinder)
        return NULL;
    unwinder->symbols = symbols;
    unwinder->cache = fmp_rule_cache_create(symbols);
    if (!unwinder->cache)
        fmp_unwinder_free(&unwinder);
    return unwinder;
}

void fmp_unwinder_free(fmp_unwinder **unwinder)
{
    if (!unwinder || !*unwinder)
        return;
    if ((*unwinder)->cache)
        fmp_rule_cache_free((*unwinder)->cache);
    free(*unwinder);
    *unwinder = NULL;
}

void fmp_unwinder_refresh(fmp_unwinder *unwinder)
{
    if (fmp_symbols_refresh(unwinder->symbols))
        fmp_rule_cache_clear(unwinder->cache); /* rules may point into what went */
}

/* --- one step ---------------------------------------------------------------------- */

/* Where the walk is. */
typedef struct frame {
    const fmp_sample *sample;
    uint64_t registers[FMP_REGISTERS];
    uint32_t known;
    uint64_t pc;
    bool exact; /* pc is an instruction that was interrupted, not where a call returns to */
    bool beyond; /* there is a caller, but not enough is known to find it */
} frame;

static bool read_word(void *opaque, uint64_t address, uint64_t *word)
{
    frame *f = opaque;
    const uint64_t begin = f->sample->registers[FMP_REGISTER_STACK];
    if (address < begin || address - begin >= f->sample->stack_size ||
        f->sample->stack_size - (address - begin) < sizeof *word)
        return false;
    memcpy(word, f->sample->stack + (address - begin), sizeof *word);
    return true;
}

static bool is_known(const frame *f, int number)
{
    return number >= 0 && number < FMP_REGISTERS && (f->known >> number & 1);
}

/* A register of the caller; false: not to be known. */
static bool caller_register(frame *f, const fmp_rule *rule, int number, const fmp_evaluation *with, uint64_t *value)
{
    switch (rule->kind) {
    case FMP_RULE_SAME:
        *value = f->registers[number];
        return is_known(f, number);
    case FMP_RULE_AT_CFA:
        return read_word(f, with->cfa + (uint64_t)(int64_t)rule->offset, value);
    case FMP_RULE_CFA_PLUS:
        *value = with->cfa + (uint64_t)(int64_t)rule->offset;
        return true;
    case FMP_RULE_REGISTER:
        if (!is_known(f, rule->offset))
            return false;
        *value = f->registers[rule->offset];
        return true;
    case FMP_RULE_EXPRESSION:
        return fmp_rule_evaluate(rule, with, value) && read_word(f, *value, value);
    case FMP_RULE_VALUE:
        return fmp_rule_evaluate(rule, with, value);
    default:
        return false;
    }
}

/* Addresses of code have 48 bits; above them Arm signs return addresses (pointer authentication). */
static uint64_t code_address(uint64_t value)
{
#ifdef __aarch64__
    return value & 0xFFFFFFFFFFFFu;
#else
    return value;
#endif
}

static bool canonical_frame(frame *f, const fmp_rules *rules, fmp_evaluation *with)
{
    if (rules->cfa_computed)
        return fmp_rule_evaluate(&rules->cfa, with, &with->cfa);
    if (!is_known(f, rules->cfa_register))
        return false;
    with->cfa = f->registers[rules->cfa_register] + (uint64_t)(int64_t)rules->cfa.offset;
    return true;
}

static bool step_by_rules(frame *f, const fmp_rules *rules)
{
    fmp_evaluation with = {.registers = f->registers, .known = f->known, .read = read_word, .context = f};
    f->beyond = true;
    if (!canonical_frame(f, rules, &with))
        return false;
    /* The stack grows down: a caller's frame is above, or something is wrong. Not where a signal changed stacks. */
    const uint64_t stack = f->registers[FMP_REGISTER_STACK];
    if (!rules->signal && (with.cfa < stack || (with.cfa == stack && !f->exact)))
        return false;
    frame caller = *f;
    caller.known = 0;
    for (int i = 0; i < FMP_REGISTERS; i++) {
        if (caller_register(f, &rules->registers[i], i, &with, &caller.registers[i]))
            caller.known |= 1u << i;
    }
    if (!(caller.known >> FMP_REGISTER_STACK & 1)) {
        caller.registers[FMP_REGISTER_STACK] = with.cfa;
        caller.known |= 1u << FMP_REGISTER_STACK;
    }
    if (!(caller.known >> FMP_REGISTER_RETURN & 1)) {
        f->beyond = rules->registers[FMP_REGISTER_RETURN].kind != FMP_RULE_UNDEFINED; /* so says the outermost frame */
        return false;
    }
    caller.pc = code_address(caller.registers[FMP_REGISTER_RETURN]);
    caller.exact = rules->signal;
    *f = caller;
    return true;
}

/* Without rules: the frame pointer leads to the caller's and, after it, to where the call returns to. */
static bool step_by_frame_pointer(frame *f)
{
    uint64_t at = f->registers[FMP_REGISTER_FRAME], next, back;
    f->beyond = is_known(f, FMP_REGISTER_FRAME) && at != 0;
    if (!f->beyond || at < f->registers[FMP_REGISTER_STACK] || at % 8 != 0)
        return false;
    if (!read_word(f, at, &next) || !read_word(f, at + 8, &back))
        return false;
    if (code_address(back) < 4096)
        return false;
    f->registers[FMP_REGISTER_FRAME] = next;
    f->registers[FMP_REGISTER_STACK] = at + 16;
    f->known = 1u << FMP_REGISTER_FRAME | 1u << FMP_REGISTER_STACK;
    f->pc = code_address(back);
    f->exact = false;
    return true;
}

void fmp_unwind(fmp_unwinder *unwinder, const fmp_sample *sample, fmp_calls *calls)
{
    frame f = {.sample = sample, .pc = sample->pc, .exact = true, .known = (uint32_t)((1ull << FMP_REGISTERS) - 1)};
    memcpy(f.registers, sample->registers, sizeof f.registers);
    *calls = (fmp_calls){.count = 1};
    calls->pc[0] = f.pc;
    for (bool more = true; more;) {
        const fmp_rules *rules = fmp_rules_at(unwinder->cache, f.exact ? f.pc : f.pc - 1);
        more = rules->any ? step_by_rules(&f, rules) : step_by_frame_pointer(&f);
        calls->cut = !more ? f.beyond : f.pc != 0 && calls->count == FMP_UNWIND_MAX;
        if (!more || f.pc == 0 || calls->cut)
            break;
        calls->pc[calls->count++] = f.exact ? f.pc + 1 : f.pc; /* all are looked up as return addresses */
    }
}
