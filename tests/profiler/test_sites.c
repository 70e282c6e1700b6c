/* Sites, their names and the contexts that rename them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "fake_clock.h"

static void sites_are_found_again(void **state)
{
    (void)state;
    char category[] = "CAT", operation[] = "op";
    const fmp_site *site = fmp_site_get(category, operation);
    category[0] = 'X'; /* the strings were copied */
    assert_ptr_equal(fmp_site_get("CAT", "op"), site);
    assert_ptr_not_equal(fmp_site_get("CAT", "op2"), site);
    assert_ptr_not_equal(fmp_site_get("CATo", "p"), site);
    assert_non_null(fmp_site_get(NULL, NULL));
}

static void names_pass_through_unchanged(void **state)
{
    (void)state;
    static const char *const name[] = {
        "\"quoted\" \\back\\slash", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "tab\tline\nbell\a\x1b[31m",
        "broken \xff\xc3(", "", "<tag> & 'more' %s %n", "semi;colon,comma"};
    enum { COUNT = sizeof name / sizeof name[0] };
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < COUNT; k++)
            fmp_record(fmp_site_get(name[i], name[k]), 1);
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->operation_count, COUNT * COUNT);
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < COUNT; k++)
            assert_int_equal(find_operation(s, name[i], name[k])->count, 1);
    fmp_snapshot_free(&s);
}

static void contexts_tell_pipelines_apart(void **state)
{
    (void)state;
    const fmp_site *star = fmp_site_get("MODEL", "STAR");
    const fmp_context *au = fmp_context_get("AU_"), *face = fmp_context_get("FaceMirror_");
    assert_ptr_equal(fmp_context_get("AU_"), au);
    assert_ptr_not_equal(au, face);
    assert_null(fmp_context_set(au));
    for (int i = 0; i < 3; i++) {
        FMP_SCOPE_SITE(star);
        fake_now += 10;
        assert_ptr_equal(fmp_context_set(face), au); /* the open scope stays what it is */
        {
            FMP_SCOPE_SITE(star);
            fake_now += 1;
        }
        assert_ptr_equal(fmp_context_set(au), face);
    }
    fmp_record(star, 5);
    fmp_mark(fmp_site_get("MODEL", "mark"));
    assert_ptr_equal(fmp_context_set(NULL), au);
    {
        FMP_SCOPE_SITE(star);
        fake_now += 100;
    }
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->operation_count, 4);
    assert_int_equal(find_operation(s, "MODEL", "AU_STAR")->count, 4);
    assert_int_equal(find_operation(s, "MODEL", "AU_STAR")->total_ns, 33 + 5);
    assert_int_equal(find_operation(s, "MODEL", "AU_STAR")->self_ns, 30 + 5);
    assert_int_equal(find_operation(s, "MODEL", "FaceMirror_STAR")->total_ns, 3);
    assert_int_equal(find_operation(s, "MODEL", "STAR")->total_ns, 100);
    assert_int_equal(find_operation(s, "MODEL", "AU_mark")->count, 1);
    fmp_snapshot_free(&s);
}

static void many_contexts(void **state)
{
    (void)state;
    enum { CONTEXTS = 200 };
    const fmp_site *site = fmp_site_get("CONTEXTS", "x");
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < CONTEXTS; i++) {
            char prefix[16];
            snprintf(prefix, sizeof prefix, "%d ", i);
            fmp_context_set(fmp_context_get(prefix));
            fmp_record(site, (uint64_t)i);
        }
    fmp_context_set(NULL);
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->operation_count, CONTEXTS);
    for (int i = 0; i < CONTEXTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d x", i);
        assert_int_equal(find_operation(s, "CONTEXTS", name)->total_ns, 2 * i);
    }
    fmp_snapshot_free(&s);
}

static void a_hundred_thousand_sites(void **state)
{
    (void)state;
    enum { SITES = 100000 };
    char name[32];
    for (int i = 0; i < SITES; i++) {
        snprintf(name, sizeof name, "operation %d", i);
        const fmp_site *site = fmp_site_get(i % 2 ? "ODD" : "EVEN", name);
        fmp_record(site, (uint64_t)i + 1);
        fmp_record(site, (uint64_t)i + 1);
    }
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->operation_count, SITES);
    uint64_t sum = 0;
    for (size_t i = 0; i < s->operation_count; i++) {
        assert_int_equal(s->operations[i].count, 2);
        sum += s->operations[i].self_ns;
        if (i > 0 && strcmp(s->operations[i].category, s->operations[i - 1].category) == 0)
            assert_true(s->operations[i].total_ns <= s->operations[i - 1].total_ns);
    }
    assert_string_equal(s->operations[0].category, "ODD");
    assert_int_equal(sum, (uint64_t)SITES * (SITES + 1));
    assert_int_equal(s->self_ns, sum);
    assert_int_equal(s->lost, 0);
    fmp_snapshot_free(&s);
}

#define FAKE(test) cmocka_unit_test_setup(test, use_fake_clock)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE(sites_are_found_again),
        FAKE(names_pass_through_unchanged),
        FAKE(contexts_tell_pipelines_apart),
        FAKE(many_contexts),
        FAKE(a_hundred_thousand_sites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
