/* What SO_SNDBUF and SO_RCVBUF make of the number they are given, as Linux does. */
#ifndef ENGINE_BASE_BUFFER_SIZE_H
#define ENGINE_BASE_BUFFER_SIZE_H

#include <stdint.h>

enum {
    BUFFER_SIZE_MOST = 212992, /* net.core.wmem_max and rmem_max */
    BUFFER_SIZE_SEND_LEAST = 4608,
    BUFFER_SIZE_RECEIVE_LEAST = 2304,
};

/* Doubled, for what the octets need besides; within the limits; a negative number is a large one.
 */
static inline uint32_t buffer_size(int value, uint32_t least) {
    uint32_t size = value < 0 || value > BUFFER_SIZE_MOST ? BUFFER_SIZE_MOST : (uint32_t)value;
    return 2 * size < least ? least : 2 * size;
}

#endif
