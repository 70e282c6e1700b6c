/* How long a path may be, with its NUL, in all of facemirror. */
#ifndef FACEMIRROR_PATH_H
#define FACEMIRROR_PATH_H

enum { FM_PATH_MAX = 4096 };

#endif
