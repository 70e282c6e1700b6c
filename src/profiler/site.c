#include "site.h"

#include <stdlib.h>
#include <string.h>

#include "registry.h"

/* Takes the sites that memory or the table has no room for. */
static struct fmp_site overflow_site = {
    .category = "(overflow)", .operation = "(sites without memory)", .index = 0};
static struct fmp_site cost_site = {
    .category = "(profiler)", .operation = "(empty scope)", .index = 1, .hidden = true};

static void append(struct fmp_site *site)
{
    fmp_registry *registry = &fmp_the_registry;
    if (registry->last_site)
        registry->last_site->next = site;
    else
        registry->first_site = site;
    registry->last_site = site;
    registry->site_count++;
}

void fmp_site_init(void)
{
    append(&overflow_site);
    append(&cost_site);
}

const fmp_site *fmp_registry_cost_site(void)
{
    return &cost_site;
}

/* FNV-1a, 32 bits (Fowler, Noll, Vo), over the string and its end. */
static uint32_t hash_string(uint32_t hash, const char *text)
{
    do {
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    } while (*text++);
    return hash;
}

static struct fmp_site *make_site(const char *category, const char *operation)
{
    size_t category_size = strlen(category) + 1, operation_size = strlen(operation) + 1;
    if (category_size > SIZE_MAX / 4 || operation_size > SIZE_MAX / 4)
        return NULL;
    struct fmp_site *site = malloc(sizeof *site + category_size + operation_size);
    if (!site)
        return NULL;
    char *text = (char *)(site + 1);
    memcpy(text, category, category_size);
    memcpy(text + category_size, operation, operation_size);
    *site = (struct fmp_site){.category = text, .operation = text + category_size};
    return site;
}

const fmp_site *fmp_site_get(const char *category, const char *operation)
{
    fmp_registry_init();
    category = category ? category : "";
    operation = operation ? operation : "";
    fmp_registry *registry = &fmp_the_registry;
    uint32_t hash = hash_string(hash_string(2166136261u, category), operation);
    struct fmp_site **head = &registry->hash[hash % FMP_SITE_HASH_SIZE];

    pthread_mutex_lock(&registry->mutex);
    struct fmp_site *site = *head;
    while (site && (strcmp(site->category, category) != 0 ||
                    strcmp(site->operation, operation) != 0))
        site = site->next_in_hash;
    if (!site && registry->site_count < FMP_SITES_MAX) {
        site = make_site(category, operation);
        if (site) {
            site->index = registry->site_count;
            site->next_in_hash = *head;
            *head = site;
            append(site);
        }
    }
    pthread_mutex_unlock(&registry->mutex);
    return site ? site : &overflow_site;
}
