/* How to come from a frame to its caller's, at one address. */
#ifndef FMP_WATCH_UNWIND_RULES_H
#define FMP_WATCH_UNWIND_RULES_H

#include "watch/unwind.h"

typedef enum fmp_rule_kind {
    FMP_RULE_SAME = 0,
    FMP_RULE_UNDEFINED,
    FMP_RULE_AT_CFA,     /* it lies at CFA + offset */
    FMP_RULE_CFA_PLUS,   /* it is CFA + offset */
    FMP_RULE_REGISTER,   /* it is in the register `offset` */
    FMP_RULE_EXPRESSION, /* it lies where the expression says */
    FMP_RULE_VALUE       /* it is what the expression says */
} fmp_rule_kind;

typedef struct fmp_rule {
    fmp_rule_kind kind;
    int32_t offset;
    const void *operations; /* libdw's Dwarf_Op; they live as long as its rules of the module */
    size_t operation_count;
} fmp_rule;

typedef struct fmp_rules {
    uint64_t address;
    bool any;           /* false: the address has none */
    bool signal;        /* the caller was interrupted here, and not by a call */
    bool cfa_computed;  /* by an expression in `cfa`; else register + offset */
    int cfa_register;
    fmp_rule cfa;
    fmp_rule registers[FMP_REGISTERS];
    void *frame; /* libdw's, kept where `cfa` points into it */
} fmp_rules;

typedef struct fmp_rule_cache fmp_rule_cache;
fmp_rule_cache *fmp_rule_cache_create(fmp_symbols *symbols);
void fmp_rule_cache_free(fmp_rule_cache *cache);
void fmp_rule_cache_clear(fmp_rule_cache *cache);
/* Never NULL; valid until the next call. */
const fmp_rules *fmp_rules_at(fmp_rule_cache *cache, uint64_t address);

/* What an expression is worked out with. */
typedef struct fmp_evaluation {
    const uint64_t *registers;
    uint32_t known; /* bits: which registers are */
    uint64_t cfa;
    bool (*read)(void *context, uint64_t address, uint64_t *word);
    void *context;
} fmp_evaluation;

/* False: it uses what is not known, or not supported. */
bool fmp_rule_evaluate(const fmp_rule *rule, const fmp_evaluation *with, uint64_t *value);

#endif
