/* The seccomp filter that a program of a virtual computer runs under. */
#ifndef TOOL_RUNNER_FILTER_H
#define TOOL_RUNNER_FILTER_H

#include <linux/filter.h>
#include <stddef.h>

/* Makes the filter from the table of calls.h. 0 or a negative errno; free it with filter_clear. */
int filter_init(struct sock_fprog *filter);
void filter_clear(struct sock_fprog *filter);

/* Puts the calling thread, and all it will start, under the filter. Returns the descriptor at which
 * its calls are answered, or a negative errno. From here on a call of the table blocks until
 * someone answers. */
int filter_install(const struct sock_fprog *filter);

/* Whether this process can install a filter with a listener at all, tried in a child process: 0, or
 * the negative errno that filter_install would give. */
int filter_try(void);

/* What such an errno means, for a person. */
void filter_explain(int error, char *text, size_t size);

#endif
