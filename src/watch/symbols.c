/* Keeps what was looked up: addresses and texts in hash tables, both until the symboliser is freed. */
#include "watch/symbols.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch/symbols_internal.h"

typedef struct text {
    struct text *next; /* in the hash chain */
    uint64_t hash;
    char characters[];
} text;

typedef struct found {
    uint64_t address; /* of the instruction */
    bool gone;        /* its library is: kept for whoever was given it, found no more */
    fmp_symbol symbol;
    fmp_symbol_frame frames[];
} found;

enum { TEXT_CHAINS = 1 << 12, NAME_MAX_SHOWN = 1000 };

typedef char *demangler(const char *name, char *buffer, size_t *size, int *status);

struct fmp_symbols {
    fmp_symbol_source *source;
    demangler *demangle; /* of the C++ library that the process has; NULL: none was found yet */
    bool demangler_looked_for;
    text *texts[TEXT_CHAINS];
    found **table; /* open addressing; capacity is a power of two */
    size_t count, capacity;
};

static const fmp_symbol_frame unknown_frame = {.function = "(not known)", .module = "", .file = ""};
static const fmp_symbol unknown = {.frames = &unknown_frame, .count = 1};

fmp_symbols *fmp_symbols_create(void)
{
    fmp_symbols *symbols = calloc(1, sizeof *symbols);
    if (!symbols)
        return NULL;
    symbols->capacity = 1024;
    symbols->table = calloc(symbols->capacity, sizeof *symbols->table);
    symbols->source = symbols->table ? fmp_symbol_source_create() : NULL;
    if (!symbols->source)
        fmp_symbols_free(&symbols);
    return symbols;
}

void fmp_symbols_free(fmp_symbols **symbols)
{
    if (!symbols || !*symbols)
        return;
    fmp_symbols *s = *symbols;
    *symbols = NULL;
    for (size_t i = 0; s->table && i < s->capacity; i++)
        free(s->table[i]);
    free(s->table);
    for (size_t i = 0; i < TEXT_CHAINS; i++)
        for (text *t = s->texts[i], *next; t; t = next) {
            next = t->next;
            free(t);
        }
    if (s->source)
        fmp_symbol_source_free(s->source);
    free(s);
}

bool fmp_symbols_refresh(fmp_symbols *symbols)
{
    const bool changed = fmp_symbol_source_refresh(symbols->source, symbols);
    if (changed)
        symbols->demangler_looked_for = symbols->demangle != NULL; /* what came may be the C++ library */
    return changed;
}

void *fmp_symbols_dwfl(fmp_symbols *symbols)
{
    return fmp_symbol_source_dwfl(symbols->source);
}

const char *fmp_symbols_source(void)
{
    return fmp_symbol_source_name();
}

/* --- texts ------------------------------------------------------------------------- */

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash_of_text(const char *characters)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (const unsigned char *c = (const unsigned char *)characters; *c; c++)
        hash = (hash ^ *c) * 0x100000001B3u;
    return hash;
}

const char *fmp_symbols_text(fmp_symbols *symbols, const char *characters)
{
    if (!characters || !characters[0])
        return "";
    const uint64_t hash = hash_of_text(characters);
    text **chain = &symbols->texts[hash % TEXT_CHAINS];
    for (text *t = *chain; t; t = t->next)
        if (t->hash == hash && strcmp(t->characters, characters) == 0)
            return t->characters;
    const size_t size = strlen(characters) + 1;
    text *t = malloc(sizeof *t + size);
    if (!t)
        return "";
    t->next = *chain;
    t->hash = hash;
    memcpy(t->characters, characters, size);
    *chain = t;
    return t->characters;
}

/* The C++ library is asked for by name: this one needs none, but where there are C++ names there is one. */
static demangler *demangler_of(fmp_symbols *symbols)
{
    if (!symbols->demangler_looked_for) {
        symbols->demangler_looked_for = true;
        void *function = dlsym(RTLD_DEFAULT, "__cxa_demangle");
        memcpy(&symbols->demangle, &function, sizeof function); /* C has no cast from objects to functions */
    }
    return symbols->demangle;
}

const char *fmp_symbols_name(fmp_symbols *symbols, const char *linker_name)
{
    demangler *demangle = linker_name && strncmp(linker_name, "_Z", 2) == 0 ? demangler_of(symbols) : NULL;
    int status = -1;
    char *readable = demangle ? demangle(linker_name, NULL, NULL, &status) : NULL;
    if (!readable || status != 0) {
        free(readable);
        return fmp_symbols_text(symbols, linker_name);
    }
    if (strlen(readable) > NAME_MAX_SHOWN) /* templates of templates: nobody reads on */
        memcpy(readable + NAME_MAX_SHOWN - 3, "...", sizeof "...");
    const char *kept = fmp_symbols_text(symbols, readable);
    free(readable);
    return kept;
}

const char *fmp_symbols_offset(fmp_symbols *symbols, const char *module, uint64_t offset)
{
    char name[512];
    if (module[0])
        snprintf(name, sizeof name, "%.480s+0x%" PRIx64, module, offset);
    else
        snprintf(name, sizeof name, "0x%" PRIx64, offset);
    return fmp_symbols_text(symbols, name);
}

const char *fmp_symbols_file_name(fmp_symbols *symbols, const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return fmp_symbols_text(symbols, slash && slash[1] ? slash + 1 : path);
}

/* --- addresses ---------------------------------------------------------------------- */

static size_t place_of(const fmp_symbols *symbols, uint64_t address)
{
    const uint64_t mixed = address * 0x9E3779B97F4A7C15u; /* Fibonacci hashing */
    size_t at = (size_t)(mixed >> 32) & (symbols->capacity - 1);
    for (const found *f; (f = symbols->table[at]) && (f->gone || f->address != address);)
        at = (at + 1) & (symbols->capacity - 1);
    return at;
}

/* Room for one more at less than three quarters full. */
static bool make_room(fmp_symbols *symbols)
{
    if (symbols->count < symbols->capacity / 4 * 3)
        return true;
    found **before = symbols->table, **bigger = calloc(symbols->capacity * 2, sizeof *bigger);
    if (!bigger)
        return false;
    const size_t old = symbols->capacity;
    symbols->table = bigger;
    symbols->capacity = old * 2;
    for (size_t i = 0; i < old; i++)
        if (before[i])
            bigger[place_of(symbols, before[i]->address)] = before[i];
    free(before);
    return true;
}

void fmp_symbols_forget(fmp_symbols *symbols, uint64_t start, uint64_t end)
{
    for (size_t i = 0; i < symbols->capacity; i++) {
        found *f = symbols->table[i];
        if (f && f->address >= start && f->address < end)
            f->gone = true;
    }
}

const fmp_symbol *fmp_symbols_find(fmp_symbols *symbols, uint64_t address, fmp_address_kind kind)
{
    if (kind == FMP_ADDRESS_RETURN && address > 0)
        address--; /* the call may be the function's last instruction */
    const found *known = symbols->table[place_of(symbols, address)];
    if (known)
        return &known->symbol;
    if (symbols->count >= FMP_SYMBOLS_MAX || !make_room(symbols))
        return &unknown;
    fmp_symbol_frame frames[FMP_INLINED_MAX];
    const size_t count = fmp_symbol_source_find(symbols->source, symbols, address, frames);
    found *kept = malloc(sizeof *kept + count * sizeof *frames);
    if (!kept)
        return &unknown;
    *kept = (found){.address = address, .symbol = {.frames = kept->frames, .count = count}};
    memcpy(kept->frames, frames, count * sizeof *frames);
    symbols->table[place_of(symbols, address)] = kept;
    symbols->count++;
    return &kept->symbol;
}

char *fmp_symbol_text(char *out, size_t size, const fmp_symbol_frame *frame)
{
    const char *slash = strrchr(frame->file, '/');
    const char *file = slash && slash[1] ? slash + 1 : frame->file;
    if (file[0] && frame->line > 0)
        snprintf(out, size, "%s (%s:%u)", frame->function, file, frame->line);
    else if (frame->module[0] && !strchr(frame->function, '+'))
        snprintf(out, size, "%s (%s)", frame->function, frame->module);
    else
        snprintf(out, size, "%s", frame->function);
    return out;
}
