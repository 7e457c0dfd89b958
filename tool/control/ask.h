/* Requests and replies as JSON values, and the refusals as sentences. */
#ifndef TOOL_CONTROL_ASK_H
#define TOOL_CONTROL_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Sends `request` (given; NULL counts as out of memory) with `nfds` borrowed descriptors and waits
 * for its reply; notes that come before it are printed. The reply (the caller's), or NULL with a
 * sentence in error[size]. got: gets the descriptor that came with it, or -1; may be NULL. *ended
 * becomes true when the daemon said meanwhile that the network ends; may be NULL. */
json_t *control_ask(int fd, json_t *request, const int *fds, int nfds, int *got, bool *ended,
                    char *error, size_t size);

#endif
