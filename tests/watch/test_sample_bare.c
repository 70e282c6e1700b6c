/*
 * Samples in code without unwinding tables (bare.S): the callers are found by
 * looking for return addresses, past what only looks like one. What a call before
 * return addresses looks like.
 */
#include <alloca.h>

#include "sampled_child.h"
#include "watch/sample_slots.h"
#include "watch/unwind_code.h"

#if defined(FMP_CAN_SAMPLE) && defined(FMP_HAVE_LIBDW) && defined(HAVE_BARE)

void near_leaf(uint64_t turns, uint64_t decoy);
void near_frame(uint64_t turns, uint64_t decoy);
void near_outer(uint64_t turns, uint64_t decoy);
void far_leaf(uint64_t turns, uint64_t decoy);
void far_frame(uint64_t turns, uint64_t decoy);
void far_outer(uint64_t turns, uint64_t decoy);

typedef void bare(uint64_t turns, uint64_t decoy);
static volatile int sink;

/* --- callers of different kinds, each with work after the call so that it stays one ---------------- */

#define CALLER(name, function)                                    \
    static FMP_NOINLINE void name(uint64_t turns, uint64_t decoy) \
    {                                                             \
        function(turns, decoy);                                   \
        sink = sink + 1;                                          \
    }
CALLER(calls_near_leaf, near_leaf)
CALLER(calls_near_frame, near_frame)
CALLER(calls_near_outer, near_outer)
CALLER(calls_far_leaf, far_leaf)
CALLER(calls_far_frame, far_frame)
CALLER(calls_far_outer, far_outer)

static bare *volatile pointers[] = {far_leaf, far_frame};
static FMP_NOINLINE void calls_by_pointer(uint64_t turns, uint64_t decoy)
{
    pointers[1](turns, decoy);
    sink = sink + 1;
}

/* Its frame is known by its frame pointer alone, which bare_frame puts down and changes. */
static FMP_NOINLINE void calls_with_frame_pointer(uint64_t turns, uint64_t decoy)
{
    volatile char *room = alloca((size_t)(64 + sink % 2 * 64));
    room[0] = 1;
    pointers[1](turns, decoy);
    sink = sink + room[0];
}

/* Jumps to it: what is there is a call to this function, which is there no more. */
static FMP_NOINLINE void jumps_by_pointer(uint64_t turns, uint64_t decoy)
{
    pointers[0](turns, decoy);
}
CALLER(calls_what_jumps, jumps_by_pointer)

/* --- decoys --------------------------------------------------------------------------------------------- */

static FMP_NOINLINE uint64_t return_address(void)
{
    return (uint64_t)(uintptr_t)__builtin_return_address(0);
}

/* Where a call returned to that ended. */
static FMP_NOINLINE uint64_t stale_direct(void)
{
    const uint64_t address = return_address();
    sink = sink + 1;
    return address;
}

static uint64_t (*volatile by_pointer)(void) = return_address;
static FMP_NOINLINE uint64_t stale_pointer(void)
{
    const uint64_t address = by_pointer();
    sink = sink + 1;
    return address;
}

/* --- the tests -------------------------------------------------------------------------------------------- */

typedef struct found {
    uint64_t all, right, around; /* samples in `inner`; with its callers; with what is around them */
} found;

static bool in_order(const fmp_stack *s, const char *const *callers)
{
    for (size_t i = 0; callers[i]; i++)
        if (i + 1 >= s->frame_count || strcmp(s->frames[i + 1], callers[i]) != 0)
            return false;
    return true;
}

static found run(bare *work, uint64_t decoy, const char *inner, const char *const *callers)
{
    fmp_system *system = start(997, false);
    CHECK(system);
    const double end = thread_seconds() + 0.25;
    while (thread_seconds() < end) {
        FMP_SCOPE("bare", "bare");
        work(about(300000), decoy);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    found f = {0};
    for (size_t i = 0; i < report->stack_count; i++) {
        const fmp_stack *s = &report->stacks[i];
        if (strcmp(s->operation, "bare") != 0 || strcmp(s->frames[0], inner) != 0)
            continue;
        f.all += s->count;
        f.right += in_order(s, callers) && has_frame(s, "main") ? s->count : 0;
        f.around += has_frame(s, callers[0]) && has_frame(s, "main") ? s->count : 0;
    }
    CHECK(f.all > 100);
    CHECK(strstr(facility_says(report, "samples", "how"), "looking for return addresses"));
    if (failures || f.right * 100 < f.all * 97)
        for (size_t i = 0; i < report->stack_count; i++) {
            const fmp_stack *s = &report->stacks[i];
            fprintf(stderr, "%llu:", (unsigned long long)s->count);
            for (size_t k = 0; k < s->frame_count; k++)
                fprintf(stderr, " %s", s->frames[k]);
            fprintf(stderr, "\n");
        }
    fmp_system_report_free(&report);
    return f;
}

#define CALLERS(...) (const char *const[]){__VA_ARGS__, "run", NULL}

/* Instrumented code leaves return addresses on the stack that cannot be told from a caller's: as a perfect decoy below. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static void check_right(bare *work, uint64_t decoy, const char *inner, const char *const *callers)
{
    const found f = run(work, decoy, inner, callers);
    if ((SANITIZED ? f.around : f.right) * 100 >= f.all * 97)
        return;
    fprintf(stderr, "%s called by %s: %llu of %llu are right\n", inner, callers[0], (unsigned long long)f.right,
            (unsigned long long)f.all);
    failures++;
}

static void leaves_have_callers(void)
{
    check_right(calls_near_leaf, 0, "near_leaf", CALLERS("calls_near_leaf"));
    check_right(calls_far_leaf, 0, "far_leaf", CALLERS("calls_far_leaf"));
    check_right(calls_what_jumps, 0, "far_leaf", CALLERS("calls_what_jumps"));
}

static void frames_have_callers(void)
{
    check_right(calls_near_frame, 0, "near_frame", CALLERS("calls_near_frame"));
    check_right(calls_far_frame, 0, "far_frame", CALLERS("calls_far_frame"));
    check_right(calls_by_pointer, 0, "far_frame", CALLERS("calls_by_pointer"));
    check_right(calls_with_frame_pointer, 0, "far_frame", CALLERS("calls_with_frame_pointer"));
}

static void assembly_calls_assembly(void)
{
    check_right(calls_near_outer, 0, "near_frame", CALLERS("near_outer", "calls_near_outer"));
    check_right(calls_far_outer, 0, "far_frame", CALLERS("far_outer", "calls_far_outer"));
}

/* Code, but nothing that was ever returned to; and where a call to another function returned to. */
static void decoys_are_passed_over(void)
{
    const uint64_t stale = stale_direct(), none = (uint64_t)(uintptr_t)stale_pointer + 1;
    check_right(calls_far_frame, none, "far_frame", CALLERS("calls_far_frame"));
    check_right(calls_by_pointer, none, "far_frame", CALLERS("calls_by_pointer"));
    check_right(calls_near_frame, stale, "near_frame", CALLERS("calls_near_frame"));
    check_right(calls_far_frame, stale, "far_frame", CALLERS("calls_far_frame"));
    check_right(calls_by_pointer, stale, "far_frame", CALLERS("calls_by_pointer"));
    check_right(calls_near_outer, stale, "near_frame", CALLERS("near_outer", "calls_near_outer"));
}

/* What cannot be told from a caller may be taken for one; the callers around it are right nevertheless. */
static void a_perfect_decoy_adds_a_call_at_most(void)
{
    const found f = run(calls_by_pointer, stale_pointer(), "far_frame", CALLERS("calls_by_pointer"));
    CHECK(f.around * 100 >= f.all * 97);
}

static void calls_are_known(void **state)
{
    (void)state;
#ifdef __x86_64__
    static const struct {
        unsigned char bytes[FMP_CALL_BYTES];
        fmp_call_kind kind;
    } cases[] = {
        {{0, 0, 0, 0xE8, 0x10, 0, 0, 0}, FMP_CALL_DIRECT},
        {{0, 0, 0, 0, 0, 0, 0xFF, 0xD0}, FMP_CALL_POINTER},                   /* call *%rax */
        {{0, 0, 0, 0, 0, 0, 0xFF, 0x10}, FMP_CALL_POINTER},                   /* call *(%rax) */
        {{0, 0, 0, 0, 0, 0xFF, 0x50, 0x08}, FMP_CALL_POINTER},                /* call *8(%rax) */
        {{0, 0, 0, 0, 0, 0xFF, 0x14, 0xC8}, FMP_CALL_POINTER},                /* call *(%rax,%rcx,8) */
        {{0, 0, 0, 0, 0xFF, 0x54, 0x24, 0x08}, FMP_CALL_POINTER},             /* call *8(%rsp) */
        {{0, 0, 0xFF, 0x15, 1, 2, 3, 4}, FMP_CALL_POINTER},                   /* call *0x4030201(%rip) */
        {{0, 0, 0xFF, 0x97, 1, 2, 3, 4}, FMP_CALL_POINTER},                   /* call *0x4030201(%rdi) */
        {{0, 0xFF, 0x14, 0xC5, 1, 2, 3, 4}, FMP_CALL_POINTER},                /* call *0x4030201(,%rax,8) */
        {{0, 0xFF, 0x94, 0xC8, 1, 2, 3, 4}, FMP_CALL_POINTER},                /* call *0x4030201(%rax,%rcx,8) */
        {{0, 0, 0, 0, 0, 0, 0xFF, 0xE0}, FMP_CALL_NONE},                      /* jmp *%rax */
        {{0, 0, 0, 0, 0, 0, 0xFF, 0x50}, FMP_CALL_NONE},                      /* it ends too soon */
        {{0, 0, 0, 0, 0, 0, 0xFF, 0x14}, FMP_CALL_NONE},
        {{0, 0, 0, 0, 0xFF, 0x10, 0, 0}, FMP_CALL_NONE},                      /* something else follows */
        {{0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90}, FMP_CALL_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fmp_call call = fmp_call_in(cases[i].bytes, 0x1000);
        if (call.kind != cases[i].kind)
            fail_msg("case %zu: %d", i, (int)call.kind);
        assert_int_equal(call.target, call.kind == FMP_CALL_DIRECT ? 0x1010 : 0);
    }
#endif
}

CHILD_TEST(leaves_have_callers)
CHILD_TEST(frames_have_callers)
CHILD_TEST(assembly_calls_assembly)
CHILD_TEST(decoys_are_passed_over)
CHILD_TEST(a_perfect_decoy_adds_a_call_at_most)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_known),
        cmocka_unit_test(test_leaves_have_callers),
        cmocka_unit_test(test_frames_have_callers),
        cmocka_unit_test(test_assembly_calls_assembly),
        cmocka_unit_test(test_decoys_are_passed_over),
        cmocka_unit_test(test_a_perfect_decoy_adds_a_call_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    return 77; /* not written for this machine, or without libdw */
}
#endif
