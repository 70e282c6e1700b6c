/* Not Intel's: what the bridge uses of ittnotify.h, for fake_itt.c. */
#ifndef FMP_TEST_FAKE_ITTNOTIFY_H
#define FMP_TEST_FAKE_ITTNOTIFY_H

typedef struct ___itt_domain {
    const char *nameA;
} __itt_domain;
typedef struct ___itt_string_handle {
    const char *strA;
} __itt_string_handle;
typedef struct ___itt_id {
    unsigned long long d1, d2, d3;
} __itt_id;
static const __itt_id __itt_null = {0, 0, 0};

__itt_domain *__itt_domain_create(const char *name);
__itt_string_handle *__itt_string_handle_create(const char *name);
void __itt_task_begin(const __itt_domain *domain, __itt_id task, __itt_id parent, __itt_string_handle *name);
void __itt_task_end(const __itt_domain *domain);
void __itt_thread_set_name(const char *name);

#endif
