/* The word that was probably meant: "comand" -> "command". */
#ifndef TOOL_CONTROL_NEAREST_H
#define TOOL_CONTROL_NEAREST_H

#include <stddef.h>

/* Letters to insert, remove, replace or swap (neighbours) to get from one word to the other; words
 * longer than 64 are far from all others. */
unsigned word_distance(const char *a, const char *b);
/* The nearest of `words`, if it is near enough to be worth proposing; else NULL. */
const char *word_nearest(const char *word, const char *const *words, size_t count);

#endif
