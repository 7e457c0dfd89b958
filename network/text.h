/* Lengths of text that may lack its end. */
#ifndef NETWORK_TEXT_H
#define NETWORK_TEXT_H

#include <stddef.h>

/* Characters before the NUL, at most `max`. */
static inline size_t text_length(const char *text, size_t max) {
    size_t length = 0;
    while (length < max && text[length] != '\0')
        length++;
    return length;
}

#endif
