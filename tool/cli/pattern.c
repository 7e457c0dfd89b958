#include "tool/cli/pattern.h"

#include <stdlib.h>
#include <string.h>

enum { TOO_MUCH = PATTERN_MOST + 1, GROUPS_MOST = 100, TIMES_MOST = 32768 };

static unsigned bounded(unsigned weight) {
    return weight < TOO_MUCH ? weight : TOO_MUCH;
}

/* A number of at most TIMES_MOST; 0 if there is none. */
static unsigned number_read(const char **at) {
    unsigned value = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
        value = value < TIMES_MOST ? value * 10 + (unsigned)(**at - '0') : TIMES_MOST;
    return value < TIMES_MOST ? value : TIMES_MOST;
}

/* Behind a '{': how often it is written out. */
static unsigned times_read(const char **at) {
    unsigned least = number_read(at), most = least;
    if (**at == ',') {
        ++*at;
        most = number_read(at);
        if (most < least + 1)
            most = least + 1;
    }
    if (**at == '}')
        ++*at;
    return most > 0 ? most : 1;
}

/* Behind a '[', to behind its ']'. */
static void bracket_skip(const char **at) {
    if (**at == '^')
        ++*at;
    if (**at == ']')
        ++*at;
    while (**at && **at != ']') {
        const char *end = NULL;
        if (**at == '[' && (*at)[1] && strchr(".:=", (*at)[1])) {
            char close[] = {(*at)[1], ']', '\0'};
            end = strstr(*at + 2, close);
        }
        *at = end ? end + 2 : *at + 1;
    }
    if (**at)
        ++*at;
}

/* To the end, or to the ')' of its group. */
static unsigned expression_weigh(const char **at, unsigned depth);

/* A character, bracket or group. */
static unsigned atom_weigh(const char **at, unsigned depth) {
    char first = *(*at)++;
    unsigned weight = 1;
    if (first == '\\' && **at) {
        ++*at;
    } else if (first == '[') {
        bracket_skip(at);
    } else if (first == '(') {
        weight = depth < GROUPS_MOST ? 1 + expression_weigh(at, depth + 1) : TOO_MUCH;
        if (**at == ')')
            ++*at;
    }
    return bounded(weight);
}

/* What operators make of an atom of that weight. */
static unsigned repeated_weigh(const char **at, unsigned weight) {
    while (**at && strchr("*?+{", **at)) {
        char operation = *(*at)++;
        unsigned times = operation == '{' ? times_read(at) : operation == '+' ? 2 : 1;
        weight = bounded(weight * times + 1);
    }
    return weight;
}

static unsigned expression_weigh(const char **at, unsigned depth) {
    unsigned sum = 0;
    while (**at && !(**at == ')' && depth > 0) && sum < TOO_MUCH)
        sum = bounded(sum + repeated_weigh(at, atom_weigh(at, depth)));
    return sum;
}

bool pattern_is_small(const char *text) {
    return expression_weigh(&text, 0) < TOO_MUCH;
}
