/* The version of facemirror, as `facemirror --version` prints it. */
#ifndef FACEMIRROR_VERSION_H
#define FACEMIRROR_VERSION_H

/* Kept equal to meson.build's by a test. */
#define FM_VERSION "0.1.0"

#endif
