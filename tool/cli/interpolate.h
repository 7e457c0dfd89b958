/* Variables in a description, in Compose's words:
 *
 *   ${NAME} $NAME   its value; an error if it is not set
 *   ${NAME:-WORD}   WORD if it is not set or empty     ${NAME-WORD}   if it is not set
 *   ${NAME:+WORD}   WORD if it is set and not empty    ${NAME+WORD}   if it is set
 *   ${NAME:?WORD}   an error that says WORD if it is not set or empty; ${NAME?WORD}
 *   $$              a dollar
 *
 * WORD may have variables in it. What is put in is not looked at again. */
#ifndef TOOL_CLI_INTERPOLATE_H
#define TOOL_CLI_INTERPOLATE_H

#include <stddef.h>

enum { INTERPOLATE_MAX = 1 << 20 /* octets of a result */ };

typedef const char *interpolate_find(void *context, const char *name);

/* The text with its variables replaced, to be freed; NULL with a sentence in error[size]. */
char *interpolate(const char *text, interpolate_find *find, void *context, char *error,
                  size_t size);

#endif
