#include "failing_calls.h"

#include <errno.h>
#include <libavcodec/packet.h>
#include <libavutil/frame.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_long calls, allocations, failing;

void fail_call(long n)
{
    atomic_store(&calls, 0);
    atomic_store(&allocations, 0);
    atomic_store(&failing, n);
}

long calls_made(void)
{
    return atomic_load(&calls);
}

long allocations_made(void)
{
    return atomic_load(&allocations);
}

static bool fails(void)
{
    return atomic_fetch_add(&calls, 1) + 1 == atomic_load(&failing);
}

static bool fails_to_allocate(void)
{
    atomic_fetch_add(&allocations, 1);
    return fails();
}

/* Names that the linker gives to a wrapped function and to its wrapper. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
AVFrame *__real_av_frame_alloc(void);
int __real_av_frame_get_buffer(AVFrame *frame, int align);
int __real_av_frame_copy_props(AVFrame *to, const AVFrame *from);
int __real_av_frame_ref(AVFrame *to, const AVFrame *from);
AVPacket *__real_av_packet_alloc(void);
AVPacket *__real_av_packet_clone(const AVPacket *packet);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
AVFrame *__wrap_av_frame_alloc(void);
int __wrap_av_frame_get_buffer(AVFrame *frame, int align);
int __wrap_av_frame_copy_props(AVFrame *to, const AVFrame *from);
int __wrap_av_frame_ref(AVFrame *to, const AVFrame *from);
AVPacket *__wrap_av_packet_alloc(void);
AVPacket *__wrap_av_packet_clone(const AVPacket *packet);

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *__wrap_malloc(size_t size)
{
    return fails_to_allocate() ? no_memory() : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_to_allocate() ? no_memory() : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails_to_allocate() ? no_memory() : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails_to_allocate() ? no_memory() : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return fails_to_allocate() ? no_memory() : __real_strdup(text);
}

AVFrame *__wrap_av_frame_alloc(void)
{
    return fails_to_allocate() ? no_memory() : __real_av_frame_alloc();
}

int __wrap_av_frame_get_buffer(AVFrame *frame, int align)
{
    return fails_to_allocate() ? AVERROR(ENOMEM) : __real_av_frame_get_buffer(frame, align);
}

int __wrap_av_frame_copy_props(AVFrame *to, const AVFrame *from)
{
    return fails() ? AVERROR(ENOMEM) : __real_av_frame_copy_props(to, from);
}

int __wrap_av_frame_ref(AVFrame *to, const AVFrame *from)
{
    return fails() ? AVERROR(ENOMEM) : __real_av_frame_ref(to, from);
}

AVPacket *__wrap_av_packet_alloc(void)
{
    return fails_to_allocate() ? no_memory() : __real_av_packet_alloc();
}

AVPacket *__wrap_av_packet_clone(const AVPacket *packet)
{
    return fails_to_allocate() ? no_memory() : __real_av_packet_clone(packet);
}
