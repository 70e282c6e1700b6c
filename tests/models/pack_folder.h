/* Folders with manifests for the tests of packs and of their search path. */
#ifndef FM_TESTS_PACK_FOLDER_H
#define FM_TESTS_PACK_FOLDER_H

/* A sound manifest of one model; its name is "small", and its file, were it there, would be empty. */
extern const char *const small_manifest;

/* Replaces the one occurrence of `old` in a copy of the text, the caller's; a test error when it is not there. */
char *with(const char *text, const char *old, const char *replacement);

/* Writes a file, and its folder when it is missing. */
void put_file(const char *dir, const char *name, const char *text);

#endif
