/* What is to be said about a program file before it is executed. */
#ifndef TOOL_RUNNER_RIGHTS_H
#define TOOL_RUNNER_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>

/* The file that execvp would execute for `name`. false: there is none. */
bool program_find(const char *name, char *path, size_t size);

/* Whether there is a file of that name where programs are looked for, be it one that cannot be
 * executed. A folder of PATH that may not be looked into is as good as empty, as to a shell. */
bool program_exists(const char *name);

/* Whether it would normally run with more rights than its caller has, which no program of a virtual
 * computer can: writes a warning. */
bool rights_explain(const char *name, const char *path, char *text, size_t size);

/* Whether it is made for a processor mode whose system calls the filter refuses (32-bit). */
bool program_is_foreign(const char *path);

#endif
