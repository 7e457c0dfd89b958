/* netem's words: "delay 50ms 5ms loss 2%". */
#ifndef TOOL_CLI_NETEM_H
#define TOOL_CLI_NETEM_H

#include <jansson.h>
#include <stddef.h>

/* Reads `count` words into an object of the fields of struct berth_impairment. NULL with a sentence
 * in error[size]. */
json_t *netem_read(int count, char *const *words, char *error, size_t size);

#endif
