#include "inference/cache_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif
#if (defined(__GNUC__) || defined(__clang__)) && (defined(__x86_64__) || defined(__i386__))
#include <cpuid.h>
#define HAS_CPUID 1
#endif

/* To be raised when the entries' format or the options of our sessions change. */
enum { CACHE_FORMAT = 1 };

static bool is_sha256(const char *text)
{
    return text && strlen(text) == FM_SHA256_HEX - 1 && strspn(text, "0123456789abcdef") == FM_SHA256_HEX - 1;
}

/* Hashes the text of a memory stream, which is closed. */
static bool hash_stream(FILE *stream, char **text, size_t *size, char hex[FM_SHA256_HEX])
{
    fm_error ignored = {0};
    const bool written = fclose(stream) == 0;
    const bool hashed = written && fm_sha256(*text, *size, hex, &ignored) == FM_OK;
    free(*text);
    return hashed;
}

/* With its length, so that no two lists of texts look the same. */
static void put(FILE *stream, const char *what, const char *text)
{
    const size_t length = strlen(text);
    fprintf(stream, "%s %zu:", what, length);
    fwrite(text, 1, length, stream); /* a stream that failed says so when it is closed */
    fputc('\n', stream);
}

bool fm_cache_name(const fm_cache_facts *f, char name[FM_SHA256_HEX])
{
    if (!is_sha256(f->model) || !f->runtime || !f->build || !f->provider || !f->processor)
        return false;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return false;
    fprintf(stream, "facemirror graph %d, all optimisations\n", CACHE_FORMAT);
    put(stream, "model", f->model);
    put(stream, "runtime", f->runtime);
    put(stream, "build", f->build);
    put(stream, "provider", f->provider);
    put(stream, "processor", f->processor);
    for (int i = 0; i < f->option_count; i++)
        put(stream, "option", f->options[i]);
    return hash_stream(stream, &text, &size, name);
}

#if defined(__APPLE__)
static bool put_processor(FILE *stream)
{
    static const char *const facts[] = {"machdep.cpu.brand_string", "machdep.cpu.features",
                                        "machdep.cpu.leaf7_features"};
    bool any = false;
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        char value[4096];
        size_t size = sizeof value - 1;
        if (sysctlbyname(facts[i], value, &size, NULL, 0) != 0)
            continue; /* the features are Intel's only */
        value[size] = '\0';
        put(stream, facts[i], value);
        any = true;
    }
    return any;
}
#else
static bool is_fact(const char *line)
{
    static const char *const facts[] = {"vendor_id", "cpu family", "model", "stepping", "flags", /* x86 */
                                        "CPU ", "Features", /* ARM: implementer, architecture, variant, part */
                                        "isa", "uarch", "mvendorid"}; /* RISC-V */
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (strncmp(line, facts[i], strlen(facts[i])) == 0)
            return true;
    return false;
}

/* The first processor of /proc/cpuinfo, without what changes from moment to moment. */
static bool put_processor(FILE *stream)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char *line = NULL;
    size_t room = 0;
    bool any = false;
    while (file && getline(&line, &room, file) > 1) { /* an empty line ends a processor */
        if (!is_fact(line))
            continue;
        put(stream, "fact", line);
        any = true;
    }
    free(line);
    if (file)
        fclose(file);
    return any;
}
#endif

/*
 * What the instruction itself says, by which the runtime chooses: under valgrind, an emulator or a translator the system
 * tells of one processor and the program runs on another. Leaves 1 and 7 (Intel, Software Developer's Manual, CPUID).
 */
static void put_instruction(FILE *stream)
{
#ifdef HAS_CPUID
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d)) /* a and b are not the same on all processors of a machine */
        fprintf(stream, "cpuid 1 %08x %08x\n", c, d);
    for (unsigned sub = 0; sub < 2; sub++)
        if (__get_cpuid_count(7, sub, &a, &b, &c, &d))
            fprintf(stream, "cpuid 7.%u %08x %08x %08x %08x\n", sub, a, b, c, d);
#else
    (void)stream;
#endif
}

bool fm_cache_processor(char out[FM_SHA256_HEX])
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return false;
    const bool any = put_processor(stream);
    put_instruction(stream);
    return hash_stream(stream, &text, &size, out) && any;
}
