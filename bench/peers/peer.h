/*
 * What bench/peers/main.c loads: one shared object for each instrumentation
 * library, so that a library that is not installed is merely not there.
 */
#ifndef PEER_H
#define PEER_H

#include <stddef.h>

typedef struct peer_case {
    const char *name;
    void (*before)(void);    /* not timed, before each batch; may be NULL */
    void (*batch)(int count); /* timed: `count` empty scopes, begin and end */
    void (*after)(void);     /* not timed, after each batch; may be NULL */
} peer_case;

typedef struct peer {
    /* NULL when ready, else a sentence that says why not. `folder` may be written to. */
    const char *(*open)(const char *folder);
    peer_case cases[6]; /* ends with a name of NULL */
} peer;

/* Each shared object has one of this name. */
#define PEER_EXPORT __attribute__((visibility("default")))
extern PEER_EXPORT const peer the_peer;

/* Keeps an empty scope where it stands: neither merged nor moved by the compiler. */
#define PEER_BODY() __asm__ volatile("" ::: "memory")

#endif
