#include "watch/unwind.h"

#ifdef FMP_CAN_SAMPLE
#include <stdlib.h>
#include <string.h>

#include "watch/unwind_code.h"
#include "watch/unwind_step.h"

/* --- looking for return addresses ----------------------------------------------------- */

/*
 * Hand-written assembly has no rules, and seldom a frame pointer; but its
 * return address lies somewhere above the stack pointer. What else lies there may
 * look like one, above all return addresses of calls that ended long ago. So one is
 * believed if a call stands before it, and if the walk from there, with a call before
 * each return address, comes to the thread's beginning or the copy's end. Of several
 * the one whose walk has the fewest calls that went to another function than where
 * the walk came from; then one whose call says that it went here; then the nearest:
 * if it was a call that ended, it is one too many, and those around it are right.
 */
enum { SEARCH_WORDS = 512, GOOD_MAX = 8, SAVED_WORDS = 8, SEARCHES_MAX = 3, STEPS_MAX = 2000 };

/* What the walks of a sample share: steps that they may still make, and the frames from which some lost their way. */
typedef struct shared {
    unsigned steps;
    unsigned char lost[FMP_SAMPLE_STACK / 64 + 1]; /* bits, by words from the stack pointer */
} shared;

typedef struct walk {
    fmp_unwinder *unwinder;
    fmp_frame frame;
    unsigned searches; /* steps so far that were found by looking */
    bool doubted;      /* a step was, or was by a frame pointer */
    size_t certain;    /* calls before that */
    uint64_t function; /* around the frame, as fmp_code_function has it; 0: not to be compared */
    unsigned strange;  /* calls since that went to another function, so far as that can be told */
    unsigned vague;    /* steps found by looking where the call does not say that it went here */
    bool leans;        /* a frame since was found by the frame pointer, so by more than where it lies */
    fmp_calls calls;
    uint64_t stacks[FMP_UNWIND_MAX]; /* the calls' stack pointers */
} walk;

struct fmp_unwinder {
    fmp_symbols *symbols;
    fmp_rule_cache *cache;
    fmp_code *code;
    shared shared;
    walk best[SEARCHES_MAX], next[SEARCHES_MAX], tried[SEARCHES_MAX]; /* by searches so far; large for a stack */
};

fmp_unwinder *fmp_unwinder_create(fmp_symbols *symbols)
{
    fmp_unwinder *unwinder = calloc(1, sizeof *unwinder);
    if (!unwinder)
        return NULL;
    unwinder->symbols = symbols;
    unwinder->cache = fmp_rule_cache_create(symbols);
    unwinder->code = fmp_code_create();
    if (!unwinder->cache || !unwinder->code)
        fmp_unwinder_free(&unwinder);
    return unwinder;
}

void fmp_unwinder_free(fmp_unwinder **unwinder)
{
    if (!unwinder || !*unwinder)
        return;
    if ((*unwinder)->cache)
        fmp_rule_cache_free((*unwinder)->cache);
    fmp_code_free(&(*unwinder)->code);
    free(*unwinder);
    *unwinder = NULL;
}

void fmp_unwinder_refresh(fmp_unwinder *unwinder)
{
    if (!fmp_symbols_refresh(unwinder->symbols))
        return;
    fmp_rule_cache_clear(unwinder->cache); /* rules may point into what went */
    fmp_code_refresh(unwinder->code);
}

static fmp_step walk_on(walk *w);

typedef struct candidate {
    uint64_t stack, back; /* the caller's stack pointer, and where the call returns to */
} candidate;

static const fmp_rules *rules_of(const walk *w, uint64_t pc, bool exact)
{
    return fmp_rules_at(w->unwinder->cache, exact ? pc : pc - 1);
}

/* Did this call go to the code around `pc`, between the same two functions that have rules? */
static bool calls_here(const walk *w, const fmp_call *call, uint64_t pc, uint64_t function)
{
    return (call->kind == FMP_CALL_DIRECT || call->kind == FMP_CALL_ONWARD) && call->target <= pc &&
           call->function == function && !fmp_rules_at(w->unwinder->cache, call->target)->any;
}

/* Code without rules may have been called by such code too, but then by a call that says so. */
static bool is_candidate(const walk *w, uint64_t function, candidate *c)
{
    c->back = fmp_code_address(c->back);
    if (!fmp_code_is(w->unwinder->code, c->back))
        return false;
    const fmp_call *call = fmp_code_call_before(w->unwinder->code, c->back);
    return call->kind != FMP_CALL_NONE &&
           (rules_of(w, c->back, false)->any || calls_here(w, call, w->frame.pc, function));
}

/* The i-th word above the stack pointer as where the call returns to; false: there are no more. */
static bool candidate_at(const walk *w, size_t i, candidate *c)
{
    const uint64_t begin = (w->frame.registers[FMP_REGISTER_STACK] + 7) & ~(uint64_t)7;
#ifdef __aarch64__
    /* Calls leave the return address in a register, which leaves do not put down: only the frame is unknown. */
    *c = (candidate){.stack = begin + 16 * i, .back = w->frame.registers[FMP_REGISTER_RETURN]};
    return w->frame.exact && i < SEARCH_WORDS / 2;
#else
    c->stack = begin + 8 * i + 8;
    return i < SEARCH_WORDS && fmp_frame_read(&w->frame, begin + 8 * i, &c->back);
#endif
}

/* Registers that functions give back as they were, so that they may be their caller's. */
static const unsigned char kept_registers[] = {
#ifdef __aarch64__
    19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
#else
    3, 6, 12, 13, 14, 15 /* rbx, rbp, r12 to r15 */
#endif
};

/* The frame was reached by a step that may be wrong: did the call in it go to where the walk came from? */
static void see_call(walk *w)
{
    const fmp_call *call = fmp_code_call_before(w->unwinder->code, w->frame.pc);
    w->strange += call->kind == FMP_CALL_DIRECT && w->function != 0 && call->function != w->function;
    w->function = call->around;
}

static void step_to(walk *w, const candidate *c)
{
    uint32_t kept = 0;
    for (size_t i = 0; i < sizeof kept_registers; i++)
        kept |= 1u << kept_registers[i];
    w->vague += !calls_here(w, fmp_code_call_before(w->unwinder->code, c->back), w->frame.pc, w->function);
    w->frame.known = (w->frame.known & kept) | 1u << FMP_REGISTER_STACK;
    w->frame.registers[FMP_REGISTER_STACK] = c->stack;
    w->frame.pc = c->back;
    w->frame.exact = false;
    w->searches++;
    w->doubted = true;
    w->leans = false;
    see_call(w);
}

static bool is_good(fmp_step end)
{
    return end == FMP_STEP_OUTERMOST || end == FMP_STEP_OUTSIDE;
}

static bool put_call(walk *w)
{
    const fmp_frame *f = &w->frame;
    if (w->calls.count == FMP_UNWIND_MAX)
        return false;
    w->stacks[w->calls.count] = f->registers[FMP_REGISTER_STACK];
    w->calls.pc[w->calls.count++] = f->exact ? f->pc + 1 : f->pc; /* all are looked up as return addresses */
    return true;
}

static size_t word_of(const walk *w, uint64_t stack)
{
    return (size_t)((stack - w->frame.sample->registers[FMP_REGISTER_STACK]) / 8) % (FMP_SAMPLE_STACK / 8);
}

static bool is_lost(const walk *w)
{
    const size_t word = word_of(w, w->frame.registers[FMP_REGISTER_STACK]);
    return w->unwinder->shared.lost[word / 8] >> word % 8 & 1;
}

/* Another walk that comes to one of these frames would go on in the same way. */
static void remember_lost(const walk *w, size_t first)
{
    for (size_t i = first; i < w->calls.count && !w->leans; i++) {
        const size_t word = word_of(w, w->stacks[i]);
        w->unwinder->shared.lost[word / 8] |= (unsigned char)(1u << word % 8);
    }
}

/* Both walks are good; where the calls part, which one has the nearer one? */
static bool is_nearer(const walk *a, const walk *b)
{
    for (size_t i = 0; i < a->calls.count && i < b->calls.count; i++)
        if (a->stacks[i] != b->stacks[i])
            return a->stacks[i] < b->stacks[i];
    return false;
}

/*
 * The frame pointer at the call: 0: as it is; else the function used the register for something else, and put
 * what it was down below the return address, if the word there points up the stack. False: it does not.
 */
static bool set_frame_pointer(walk *w, const candidate *c, uint64_t place)
{
    const fmp_sample *sample = w->frame.sample;
    const uint64_t begin = sample->registers[FMP_REGISTER_STACK], at = c->stack - 8 - 8 * place;
    uint64_t is;
    if (place == 0)
        return true;
    if (at < begin || !fmp_frame_read(&w->frame, at, &is) || is < c->stack || is >= begin + sample->stack_size)
        return false;
    w->frame.registers[FMP_REGISTER_FRAME] = is;
    return is % 8 == 0;
}

/* The best walk from a candidate by what the frame pointer may be, if it matters. */
static fmp_step try_candidate(const walk *from, const candidate *c, walk *best)
{
    walk *to = &from->unwinder->tried[from->searches];
    const bool matters = !rules_of(from, c->back, false)->any; /* who knows where: it is not needed at once */
    fmp_step end = FMP_STEP_LOST;
    for (uint64_t place = 0; place <= SAVED_WORDS; place++) {
        *to = *from;
        if (!set_frame_pointer(to, c, place))
            continue;
        step_to(to, c);
        to->calls.searched = true;
        const fmp_step now = put_call(to) ? walk_on(to) : FMP_STEP_OUTSIDE;
        const bool leans = to->leans || matters;
        if (!is_good(now))
            remember_lost(to, from->calls.count);
        if (is_good(now) && (!is_good(end) || to->strange < best->strange ||
                             (to->strange == best->strange && is_nearer(to, best)))) {
            end = now;
            *best = *to;
        }
        if (!leans || (is_good(end) && !matters))
            break;
    }
    return end;
}

/* Both walks are good; `next` begins farther out, on the other one's way or not. */
static bool is_better(const walk *next, const walk *best, uint64_t stack)
{
    if (next->strange != best->strange)
        return next->strange < best->strange;
    bool on_its_way = false;
    for (size_t i = 0; i < best->calls.count; i++)
        on_its_way = on_its_way || best->stacks[i] == stack;
    return next->vague < best->vague && !on_its_way;
}

/* From a frame without rules to the end, by a good walk from a candidate; else the walk is left as it is. */
static fmp_step look_for_caller(walk *w)
{
    if (w->searches >= SEARCHES_MAX || !fmp_symbols_dwfl(w->unwinder->symbols))
        return FMP_STEP_LOST;
    walk *best = &w->unwinder->best[w->searches], *next = &w->unwinder->next[w->searches];
    w->function = fmp_code_function(w->unwinder->code, w->frame.pc);
    fmp_step end = FMP_STEP_LOST;
    size_t good = 0;
    candidate c;
    for (size_t i = 0; good < GOOD_MAX && candidate_at(w, i, &c); i++) {
        if (good > 0 && best->strange == w->strange && best->vague == w->vague)
            break; /* none is better */
        if (!is_candidate(w, w->function, &c))
            continue;
        const fmp_step now = try_candidate(w, &c, next);
        good += is_good(now);
        if (!is_good(now) || (good > 1 && !is_better(next, best, c.stack)))
            continue;
        end = now;
        *best = *next;
    }
    if (is_good(end))
        *w = *best;
    return end;
}

/* By the frame pointer. It may be anything in code that has no rules, but where nothing has any it is what there is. */
static fmp_step follow_frame_pointer(walk *w)
{
    const bool leaf = w->frame.exact;
    const fmp_step step = fmp_step_by_frame_pointer(&w->frame);
    if (!fmp_symbols_dwfl(w->unwinder->symbols))
        return step;
    w->doubted = true;
    return step == FMP_STEP_OUTERMOST && leaf ? FMP_STEP_LOST : step;
}

/* --- the walk -------------------------------------------------------------------------------- */

/* After a step that may be wrong: does the frame look like one? Signals' frames are returned to without a call. */
static bool is_believable(walk *w)
{
    if (w->frame.exact || rules_of(w, w->frame.pc, false)->signal) {
        w->function = 0;
        return true;
    }
    if (fmp_code_call_before(w->unwinder->code, w->frame.pc)->kind == FMP_CALL_NONE)
        return false;
    see_call(w);
    return true;
}

/* To the end, whose kind it returns: FMP_STEP_OUTSIDE also for the limit of calls. */
static fmp_step walk_on(walk *w)
{
    while (w->unwinder->shared.steps > 0) {
        w->unwinder->shared.steps--;
        const fmp_rules *rules = rules_of(w, w->frame.pc, w->frame.exact);
        const bool any = rules->any;
        const fmp_step end = any ? FMP_STEP_ON : look_for_caller(w);
        if (is_good(end))
            return end;
        w->leans = w->leans || !any || rules->cfa_computed || rules->cfa_register == FMP_REGISTER_FRAME;
        const fmp_step step = any ? fmp_step_by_rules(&w->frame, rules) : follow_frame_pointer(w);
        if (step != FMP_STEP_ON)
            return step;
        if (w->frame.pc == 0)
            return w->doubted ? FMP_STEP_LOST : FMP_STEP_OUTERMOST;
        if (w->doubted && (is_lost(w) || !is_believable(w)))
            return FMP_STEP_LOST;
        if (!put_call(w))
            return FMP_STEP_OUTSIDE;
        if (!w->doubted)
            w->certain = w->calls.count;
    }
    return FMP_STEP_LOST;
}

void fmp_unwind(fmp_unwinder *unwinder, const fmp_sample *sample, fmp_calls *calls)
{
    unwinder->shared = (shared){.steps = STEPS_MAX};
    walk w = {.unwinder = unwinder, .certain = 1};
    w.frame = (fmp_frame){.sample = sample, .pc = sample->pc, .exact = true};
    w.frame.known = (uint32_t)((1ull << FMP_REGISTERS) - 1);
    memcpy(w.frame.registers, sample->registers, sizeof w.frame.registers);
    w.calls.count = 1;
    w.calls.pc[0] = sample->pc;
    const fmp_step end = walk_on(&w);
    *calls = w.calls;
    if (!is_good(end))
        calls->count = w.certain; /* a walk that loses its way has been wrong before */
    calls->cut = end != FMP_STEP_OUTERMOST;
    calls->outside = end == FMP_STEP_OUTSIDE && calls->count < FMP_UNWIND_MAX;
    calls->searched = calls->searched && is_good(end);
}
#else
typedef int fmp_no_unwinder_here; /* a file may not be empty */
#endif
