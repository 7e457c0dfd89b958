#include "tool/cli/interpolate.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 255, DEPTH_MAX = 8 };

static const char NAME_START[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
static const char NAME_REST[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

struct result {
    char *text;
    size_t length, size;
    interpolate_find *find;
    void *context;
    char *error;
    size_t error_size;
};

static bool refuse(struct result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool refuse(struct result *result, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result->error, result->error_size, format, arguments);
    va_end(arguments);
    return false;
}

static bool put(struct result *result, const char *text, size_t length) {
    if (length > INTERPOLATE_MAX - result->length)
        return refuse(result, "too long with its variables");
    if (result->length + length + 1 > result->size) {
        size_t size = 2 * (result->length + length + 1);
        char *larger = realloc(result->text, size);
        if (larger == NULL)
            return refuse(result, "out of memory");
        result->text = larger;
        result->size = size;
    }
    if (length > 0)
        memcpy(result->text + result->length, text, length);
    result->length += length;
    result->text[result->length] = '\0';
    return true;
}

static bool expand(struct result *result, const char *text, size_t length, int depth);

/* Where the brace that was opened before `at` closes; NULL: nowhere. */
static const char *brace_end(const char *at, const char *end) {
    for (int open = 1; at < end; at++) {
        if (at[0] == '$' && at + 1 < end && at[1] == '$') {
            at++;
        } else if (at[0] == '$' && at + 1 < end && at[1] == '{') {
            open++;
            at++;
        } else if (*at == '}' && --open == 0) {
            return at;
        }
    }
    return NULL;
}

static bool unset(struct result *result, const char *name) {
    return refuse(result,
                  "the variable %.80s is not set (${%.80s:-} is empty then; $$ is a dollar)", name,
                  name);
}

static bool needed(struct result *result, const char *name, const char *why, size_t length) {
    char text[128];
    snprintf(text, sizeof text, "%s%.*s", length > 0 ? ": " : "", length < 100 ? (int)length : 100,
             why);
    return refuse(result, "the variable %.80s is needed%s", name, text);
}

/* ${NAME OPERATOR WORD}, where the operator is one of - + ?, with or without a colon. */
static bool choose(struct result *result, const char *name, const char *operator, const char * end,
                   int depth) {
    const char *value = result->find(result->context, name);
    bool colon = operator[0] == ':';
    const char *word = operator+(colon ? 2 : 1);
    bool there = value != NULL && !(colon && value[0] == '\0');
    switch (operator[colon ? 1 : 0]) {
    case '-':
        return there ? put(result, value, strlen(value))
                     : expand(result, word, (size_t)(end - word), depth + 1);
    case '+':
        return !there || expand(result, word, (size_t)(end - word), depth + 1);
    default:
        if (there)
            return put(result, value, strlen(value));
        return needed(result, name, word, (size_t)(end - word));
    }
}

static bool plain(struct result *result, const char *name) {
    const char *value = result->find(result->context, name);
    return value != NULL ? put(result, value, strlen(value)) : unset(result, name);
}

/* What a dollar begins; *at is behind it, and behind all of it afterwards. */
static bool variable(struct result *result, const char **at, const char *end, int depth) {
    char name[NAME_MAX_LENGTH + 1];
    bool braces = *at < end && **at == '{';
    const char *start = *at + braces;
    size_t length = start < end && memchr(NAME_START, *start, sizeof NAME_START - 1) != NULL
                        ? strspn(start, NAME_REST)
                        : 0;
    if (length > (size_t)(end - start))
        length = (size_t)(end - start);
    if (length == 0 || length > NAME_MAX_LENGTH)
        return refuse(result, "a $ is followed by the name of a variable ($$ is a dollar)");
    memcpy(name, start, length);
    name[length] = '\0';
    const char *rest = start + length;
    if (!braces) {
        *at = rest;
        return plain(result, name);
    }
    const char *close = brace_end(rest, end);
    if (close == NULL)
        return refuse(result, "${%.80s is not closed", name);
    *at = close + 1;
    if (rest == close)
        return plain(result, name);
    size_t colon = rest[0] == ':';
    if (rest + colon < close && strchr("-+?", rest[colon]) != NULL)
        return choose(result, name, rest, close, depth);
    return refuse(result, "after ${%.80s only :- - :+ + :? ? and } can follow", name);
}

static bool expand(struct result *result, const char *text, size_t length, int depth) {
    const char *end = text + length;
    if (depth > DEPTH_MAX)
        return refuse(result, "variables inside of variables, too deep");
    while (text < end) {
        const char *dollar = memchr(text, '$', (size_t)(end - text));
        if (dollar == NULL)
            dollar = end;
        if (!put(result, text, (size_t)(dollar - text)))
            return false;
        if (dollar == end)
            break;
        text = dollar + 1;
        if (text < end && *text == '$') {
            if (!put(result, "$", 1))
                return false;
            text++;
        } else if (!variable(result, &text, end, depth)) {
            return false;
        }
    }
    return true;
}

char *interpolate(const char *text, interpolate_find *find, void *context, char *error,
                  size_t size) {
    struct result result = {.find = find, .context = context, .error = error, .error_size = size};
    if (put(&result, "", 0) && expand(&result, text, strlen(text), 0))
        return result.text;
    free(result.text);
    return NULL;
}
