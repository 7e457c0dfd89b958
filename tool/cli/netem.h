/* netem's words: "delay 50ms 5ms loss 2%". */
#ifndef TOOL_CLI_NETEM_H
#define TOOL_CLI_NETEM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Reads one word with what belongs to it, and nothing else ("delay 50ms 5ms 25% distribution
 * normal"), into an object of the fields of struct berth_impairment. NULL with a sentence in
 * error[size]. */
json_t *netem_property(int count, char *const *words, char *error, size_t size);
/* Reads "TARGET [egress|ingress] [only ...] [del | [replace] WORD VALUE...]" into a request. NULL
 * with a sentence. */
json_t *netem_request(int count, char *const *words, char *error, size_t size);

/* A line for each link, or for each direction of one that differ, in words that can be read again.
 */
void netem_print(FILE *file, const json_t *links);

#endif
