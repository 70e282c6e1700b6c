/* Symbols: planted functions are found by name, file and line, inlined ones too. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "planted.h"
#include "watch/symbols.h"

/* Where a function begins: C has no cast from functions to objects. */
static uint64_t address_of(void (*function)(uint64_t))
{
    uintptr_t address;
    memcpy(&address, &function, sizeof address);
    return address;
}

#ifdef FMP_HAVE_LIBDW
static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), more = strlen(end);
    return length >= more && strcmp(text + length - more, end) == 0;
}
#endif

static void a_function_is_found(void **state)
{
    (void)state;
    fmp_symbols *symbols = fmp_symbols_create();
    assert_non_null(symbols);
    const uint64_t red = address_of(planted_red);
    const fmp_symbol *symbol = fmp_symbols_find(symbols, red, FMP_ADDRESS_EXACT);
    assert_int_equal(symbol->count, 1);
    assert_string_equal(symbol->frames[0].module, "test_symbols");
#ifdef FMP_HAVE_LIBDW
    assert_string_equal(symbol->frames[0].function, "planted_red");
    assert_true(ends_with(symbol->frames[0].file, "planted.c"));
    assert_in_range(symbol->frames[0].line, planted_red_line - 2, planted_red_line);
    char text[64];
    fmp_symbol_text(text, sizeof text, &symbol->frames[0]);
    assert_non_null(strstr(text, "planted_red (planted.c:"));
#endif
    assert_ptr_equal(fmp_symbols_find(symbols, red, FMP_ADDRESS_EXACT), symbol);
    /* A call may be the last instruction: the return address is behind the function. */
    assert_ptr_equal(fmp_symbols_find(symbols, red + 1, FMP_ADDRESS_RETURN), symbol);
    fmp_symbols_free(&symbols);
    fmp_symbols_free(&symbols);
}

static void an_inlined_function_is_found(void **state)
{
    (void)state;
#ifdef FMP_HAVE_LIBDW
    fmp_symbols *symbols = fmp_symbols_create();
    const uint64_t begin = address_of(planted_caller);
    const fmp_symbol *both = NULL;
    for (uint64_t at = begin; at < begin + 256 && !both; at++) {
        const fmp_symbol *symbol = fmp_symbols_find(symbols, at, FMP_ADDRESS_EXACT);
        if (symbol->count == 2 && symbol->frames[0].line == planted_inlined_line + 1)
            both = symbol;
    }
    assert_non_null(both);
    assert_string_equal(both->frames[0].function, "planted_inlined");
    assert_true(both->frames[0].inlined);
    assert_true(ends_with(both->frames[0].file, "planted.c"));
    assert_string_equal(both->frames[1].function, "planted_caller");
    assert_false(both->frames[1].inlined);
    assert_true(ends_with(both->frames[1].file, "planted.c"));
    assert_int_equal(both->frames[1].line, planted_call_line);
    fmp_symbols_free(&symbols);
#else
    skip();
#endif
}

static void what_is_exported_is_found(void **state)
{
    (void)state;
    fmp_symbols *symbols = fmp_symbols_create();
    const fmp_symbol *symbol = fmp_symbols_find(symbols, address_of(planted_library_work), FMP_ADDRESS_EXACT);
    assert_string_equal(symbol->frames[0].function, "planted_library_work");
    assert_non_null(strstr(symbol->frames[0].module, "planted"));
    void *library = dlsym(RTLD_DEFAULT, "strtol");
    symbol = fmp_symbols_find(symbols, (uint64_t)(uintptr_t)library, FMP_ADDRESS_EXACT);
    assert_non_null(strstr(symbol->frames[symbol->count - 1].function, "strtol"));
    fmp_symbols_free(&symbols);
}

static void addresses_of_nothing_have_names_too(void **state)
{
    (void)state;
    fmp_symbols *symbols = fmp_symbols_create();
    int on_the_stack = 0;
    const uint64_t nowhere[] = {0, 1, 0xDEAD0000u, UINT64_MAX, (uint64_t)(uintptr_t)&on_the_stack,
                                (uint64_t)(uintptr_t)symbols};
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        for (int kind = FMP_ADDRESS_EXACT; kind <= FMP_ADDRESS_RETURN; kind++) {
            const fmp_symbol *symbol = fmp_symbols_find(symbols, nowhere[i], (fmp_address_kind)kind);
            assert_int_equal(symbol->count, 1);
            assert_true(symbol->frames[0].function[0] != '\0');
            assert_string_equal(symbol->frames[0].file, "");
            assert_int_equal(symbol->frames[0].line, 0);
        }
    }
    const fmp_symbol *symbol = fmp_symbols_find(symbols, 0xDEAD0000u, FMP_ADDRESS_EXACT);
    assert_string_equal(symbol->frames[0].function, "0xdead0000");
    assert_string_equal(symbol->frames[0].module, "");
    char text[64], brief[8];
    assert_string_equal(fmp_symbol_text(text, sizeof text, &symbol->frames[0]), "0xdead0000");
    assert_string_equal(fmp_symbol_text(brief, sizeof brief, &symbol->frames[0]), "0xdead0");
    fmp_symbols_free(&symbols);
}

/* A library that comes is seen after a refresh, and not known any more when it went. */
static void libraries_come_and_go(void **state)
{
    (void)state;
    fmp_symbols *symbols = fmp_symbols_create();
    assert_false(fmp_symbols_refresh(symbols));
    void *library = dlopen(LATE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    const uint64_t address = (uint64_t)(uintptr_t)dlsym(library, "planted_library_work");
    assert_true(address != 0);
#ifdef FMP_HAVE_LIBDW
    assert_true(fmp_symbols_refresh(symbols));
    assert_false(fmp_symbols_refresh(symbols));
#endif
    const fmp_symbol *symbol = fmp_symbols_find(symbols, address, FMP_ADDRESS_EXACT);
    assert_string_equal(symbol->frames[0].function, "planted_library_work");
    assert_string_equal(symbol->frames[0].module, strrchr(LATE_LIBRARY, '/') + 1);
    dlclose(library);
#ifdef FMP_HAVE_LIBDW
    if (!dlopen(LATE_LIBRARY, RTLD_NOW | RTLD_NOLOAD)) { /* sanitizers keep libraries */
        assert_true(fmp_symbols_refresh(symbols));
        assert_string_equal(symbol->frames[0].function, "planted_library_work"); /* what was given stays */
        symbol = fmp_symbols_find(symbols, address, FMP_ADDRESS_EXACT);
        assert_string_equal(symbol->frames[0].module, "");
    }
#endif
    fmp_symbols_free(&symbols);
}

static void cpp_names_are_readable(void **state)
{
    (void)state;
    void *library = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_GLOBAL);
    if (!library)
        skip();
    const char *linker_name = "_ZNSt13runtime_errorC1ERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE";
    void *constructor = dlsym(library, linker_name);
    if (!constructor)
        skip();
    fmp_symbols *symbols = fmp_symbols_create();
    const fmp_symbol *symbol = fmp_symbols_find(symbols, (uint64_t)(uintptr_t)constructor, FMP_ADDRESS_EXACT);
    const char *name = symbol->frames[symbol->count - 1].function;
    assert_non_null(strstr(name, "std::runtime_error::runtime_error(std::"));
    fmp_symbols_free(&symbols);
}

/* From the bound on names are not looked up any more, and nothing else happens. */
static void memory_is_bounded(void **state)
{
    (void)state;
    fmp_symbols *symbols = fmp_symbols_create();
    const fmp_symbol *first = fmp_symbols_find(symbols, 0x1000, FMP_ADDRESS_EXACT);
    for (uint64_t i = 1; i < FMP_SYMBOLS_MAX; i++)
        fmp_symbols_find(symbols, 0x1000 + i, FMP_ADDRESS_EXACT);
    assert_string_equal(first->frames[0].function, "0x1000");
    assert_ptr_equal(fmp_symbols_find(symbols, 0x1000, FMP_ADDRESS_EXACT), first);
    const fmp_symbol *beyond = fmp_symbols_find(symbols, address_of(planted_green), FMP_ADDRESS_EXACT);
    assert_int_equal(beyond->count, 1);
    assert_string_equal(beyond->frames[0].function, "(not known)");
    fmp_symbols_free(&symbols);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_is_found),
        cmocka_unit_test(an_inlined_function_is_found),
        cmocka_unit_test(what_is_exported_is_found),
        cmocka_unit_test(addresses_of_nothing_have_names_too),
        cmocka_unit_test(libraries_come_and_go),
        cmocka_unit_test(cpp_names_are_readable),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
