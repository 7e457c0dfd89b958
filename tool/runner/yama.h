/* The machine's rule for who may look into whose processes. */
#ifndef TOOL_RUNNER_YAMA_H
#define TOOL_RUNNER_YAMA_H

#include <stdbool.h>

enum { YAMA_ALL = 0, YAMA_ANCESTORS = 1, YAMA_PRIVILEGED = 2, YAMA_NOBODY = 3 };

/* kernel.yama.ptrace_scope; YAMA_ALL where there is no Yama. */
int yama_scope(void);

/* Whether it lets this process look only into its own descendants. */
bool yama_ancestors_only(int scope);

/* What to do about a scope that is one of the last two, in words; static. */
const char *yama_remedy(int scope);

#endif
