/* How large an extended regular expression becomes when it is compiled. */
#ifndef BERTH_TOOL_CLI_PATTERN_H
#define BERTH_TOOL_CLI_PATTERN_H

#include <stdbool.h>

enum { PATTERN_MOST = 2000 };

/* Whether `text` (borrowed) stays below PATTERN_MOST characters, brackets, groups and operators
 * with everything that is repeated written out, as regcomp() does it. It would take memory and time
 * without a bound: "a++++", each + of which doubles what is before it, or "((a{999}){999}){999}".
 */
bool pattern_is_small(const char *text);

#endif
