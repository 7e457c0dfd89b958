/* Faults in words, as the command line and berth.yaml have them. */
#ifndef TOOL_CLI_FAULTS_H
#define TOOL_CLI_FAULTS_H

#include <jansson.h>
#include <stddef.h>

/* The request that `word` (netem, link, partition, heal, kill, pause, unpause, restart) with its
 * operands is. NULL with a sentence in error[size]. */
json_t *fault_request(const char *word, int count, char *const *operands, char *error, size_t size);
/* The words, NULL-terminated. */
extern const char *const fault_words[];

#endif
