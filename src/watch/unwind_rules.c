#include "watch/unwind_rules.h"

#include <stdlib.h>

enum { CACHE_SIZE = 1 << 13, CACHE_WAYS = 4 };

/* A set of ways for each hash: the oldest entry of the set gives way. Bounded, and nothing has to be moved. */
struct fmp_rule_cache {
    fmp_symbols *symbols;
    unsigned char next[CACHE_SIZE / CACHE_WAYS]; /* the way that is written next */
    fmp_rules entries[CACHE_SIZE];
};

fmp_rule_cache *fmp_rule_cache_create(fmp_symbols *symbols)
{
    fmp_rule_cache *cache = calloc(1, sizeof *cache);
    if (cache)
        cache->symbols = symbols;
    return cache;
}

static void drop(fmp_rules *rules)
{
    free(rules->frame);
    *rules = (fmp_rules){0};
}

void fmp_rule_cache_clear(fmp_rule_cache *cache)
{
    for (size_t i = 0; i < CACHE_SIZE; i++)
        drop(&cache->entries[i]);
}

void fmp_rule_cache_free(fmp_rule_cache *cache)
{
    fmp_rule_cache_clear(cache);
    free(cache);
}

#ifdef FMP_HAVE_LIBDW
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

/* --- libdw's description of a frame, made quick ------------------------------------------ */

static void set_register_rule(Dwarf_Frame *frame, int number, fmp_rule *rule)
{
    Dwarf_Op memory[3], *operations;
    size_t count;
    if (dwarf_frame_register(frame, number, memory, &operations, &count) != 0) {
        rule->kind = FMP_RULE_UNDEFINED;
        return;
    }
    if (count == 0) {
        rule->kind = operations ? FMP_RULE_UNDEFINED : FMP_RULE_SAME;
        return;
    }
    const bool value = operations[count - 1].atom == DW_OP_stack_value;
    const size_t length = value ? count - 1 : count;
    if (operations[0].atom == DW_OP_call_frame_cfa && length == 1)
        *rule = (fmp_rule){.kind = value ? FMP_RULE_CFA_PLUS : FMP_RULE_AT_CFA};
    else if (operations[0].atom == DW_OP_call_frame_cfa && length == 2 && operations[1].atom == DW_OP_plus_uconst)
        *rule = (fmp_rule){.kind = value ? FMP_RULE_CFA_PLUS : FMP_RULE_AT_CFA,
                           .offset = (int32_t)(int64_t)operations[1].number};
    else if (operations[0].atom == DW_OP_regx && length == 1)
        *rule = (fmp_rule){.kind = FMP_RULE_REGISTER, .offset = (int32_t)operations[0].number};
    else if (operations[0].atom >= DW_OP_reg0 && operations[0].atom <= DW_OP_reg31 && length == 1)
        *rule = (fmp_rule){.kind = FMP_RULE_REGISTER, .offset = (int32_t)(operations[0].atom - DW_OP_reg0)};
    else if (operations != memory)
        *rule = (fmp_rule){.kind = value ? FMP_RULE_VALUE : FMP_RULE_EXPRESSION,
                           .operations = operations,
                           .operation_count = length};
    else
        rule->kind = FMP_RULE_UNDEFINED;
}

/* False: the frame's address cannot be said. */
static bool set_cfa(Dwarf_Frame *frame, fmp_rules *rules)
{
    Dwarf_Op *operations;
    size_t count;
    if (dwarf_frame_cfa(frame, &operations, &count) != 0 || count == 0)
        return false;
    if (count == 1 && operations[0].atom == DW_OP_bregx) {
        rules->cfa_register = (int)operations[0].number;
        rules->cfa.offset = (int32_t)(int64_t)operations[0].number2;
        return true;
    }
    rules->cfa_computed = true;
    rules->cfa = (fmp_rule){.kind = FMP_RULE_VALUE, .operations = operations, .operation_count = count};
    return true;
}

static void fill(fmp_rule_cache *cache, fmp_rules *rules)
{
    Dwfl *dwfl = fmp_symbols_dwfl(cache->symbols);
    Dwfl_Module *module = dwfl_addrmodule(dwfl, rules->address);
    if (!module)
        return;
    Dwarf_Addr bias = 0;
    Dwarf_Frame *frame = NULL;
    Dwarf_CFI *table = dwfl_module_eh_cfi(module, &bias);
    if (!table || dwarf_cfi_addrframe(table, rules->address - bias, &frame) != 0) {
        table = dwfl_module_dwarf_cfi(module, &bias);
        if (!table || dwarf_cfi_addrframe(table, rules->address - bias, &frame) != 0)
            return;
    }
    bool signal = false;
    dwarf_frame_info(frame, NULL, NULL, &signal);
    rules->signal = signal;
    rules->any = set_cfa(frame, rules);
    for (int i = 0; rules->any && i < FMP_REGISTERS; i++)
        set_register_rule(frame, i, &rules->registers[i]);
    if (rules->any && rules->cfa_computed)
        rules->frame = frame;
    else
        free(frame);
}

/* --- expressions -------------------------------------------------------------------------- */

enum { STACK_MAX = 16 };

typedef struct machine {
    const fmp_evaluation *with;
    uint64_t stack[STACK_MAX];
    size_t depth;
} machine;

static bool push(machine *m, uint64_t value)
{
    if (m->depth == STACK_MAX)
        return false;
    m->stack[m->depth++] = value;
    return true;
}

static bool push_register(machine *m, uint64_t number, uint64_t offset)
{
    return number < FMP_REGISTERS && (m->with->known >> number & 1) &&
           push(m, m->with->registers[number] + offset);
}

/* Operations on the two topmost values; false: it is none of them. */
static bool two_operands(machine *m, uint8_t operation)
{
    if (m->depth < 2)
        return false;
    const uint64_t b = m->stack[m->depth - 1], a = m->stack[m->depth - 2];
    const int64_t sa = (int64_t)a, sb = (int64_t)b;
    uint64_t result;
    switch (operation) {
    case DW_OP_plus:
        result = a + b;
        break;
    case DW_OP_minus:
        result = a - b;
        break;
    case DW_OP_mul:
        result = a * b;
        break;
    case DW_OP_and:
        result = a & b;
        break;
    case DW_OP_or:
        result = a | b;
        break;
    case DW_OP_shl:
        result = b < 64 ? a << b : 0;
        break;
    case DW_OP_shr:
        result = b < 64 ? a >> b : 0;
        break;
    case DW_OP_ge:
        result = sa >= sb;
        break;
    case DW_OP_gt:
        result = sa > sb;
        break;
    case DW_OP_le:
        result = sa <= sb;
        break;
    case DW_OP_lt:
        result = sa < sb;
        break;
    case DW_OP_eq:
        result = a == b;
        break;
    case DW_OP_ne:
        result = a != b;
        break;
    default:
        return false;
    }
    m->depth--;
    m->stack[m->depth - 1] = result;
    return true;
}

static bool one_operation(machine *m, const Dwarf_Op *operation)
{
    const uint8_t atom = operation->atom;
    if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
        return push(m, atom - DW_OP_lit0);
    if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
        return push_register(m, atom - DW_OP_breg0, operation->number);
    switch (atom) {
    case DW_OP_bregx:
        return push_register(m, operation->number, operation->number2);
    case DW_OP_call_frame_cfa:
        return push(m, m->with->cfa);
    case DW_OP_const1u:
    case DW_OP_const1s:
    case DW_OP_const2u:
    case DW_OP_const2s:
    case DW_OP_const4u:
    case DW_OP_const4s:
    case DW_OP_const8u:
    case DW_OP_const8s:
    case DW_OP_constu:
    case DW_OP_consts:
        return push(m, operation->number); /* libdw extended the sign */
    case DW_OP_plus_uconst:
        if (m->depth < 1)
            return false;
        m->stack[m->depth - 1] += operation->number;
        return true;
    case DW_OP_deref:
        return m->depth > 0 && m->with->read(m->with->context, m->stack[m->depth - 1], &m->stack[m->depth - 1]);
    case DW_OP_dup:
        return m->depth > 0 && push(m, m->stack[m->depth - 1]);
    case DW_OP_nop:
        return true;
    default:
        return two_operands(m, atom);
    }
}

bool fmp_rule_evaluate(const fmp_rule *rule, const fmp_evaluation *with, uint64_t *value)
{
    machine m = {.with = with};
    const Dwarf_Op *operations = rule->operations;
    for (size_t i = 0; i < rule->operation_count; i++)
        if (!one_operation(&m, &operations[i]))
            return false;
    if (m.depth == 0)
        return false;
    *value = m.stack[m.depth - 1];
    return true;
}
#else
static void fill(fmp_rule_cache *cache, fmp_rules *rules)
{
    (void)cache;
    (void)rules; /* none: frame pointers are all there is */
}

bool fmp_rule_evaluate(const fmp_rule *rule, const fmp_evaluation *with, uint64_t *value)
{
    (void)rule;
    (void)with;
    (void)value;
    return false;
}
#endif

const fmp_rules *fmp_rules_at(fmp_rule_cache *cache, uint64_t address)
{
    const uint64_t mixed = address * 0x9E3779B97F4A7C15u; /* Fibonacci hashing */
    const size_t set = (size_t)(mixed >> 40) % (CACHE_SIZE / CACHE_WAYS);
    fmp_rules *ways = &cache->entries[set * CACHE_WAYS];
    for (size_t i = 0; i < CACHE_WAYS; i++)
        if (ways[i].address == address && address != 0)
            return &ways[i];
    fmp_rules *rules = &ways[cache->next[set]];
    cache->next[set] = (unsigned char)((cache->next[set] + 1) % CACHE_WAYS);
    drop(rules);
    rules->address = address;
    fill(cache, rules);
    return rules;
}
