/* A set of ports that can be counted and drawn from in constant time.
 *
 * One bit a port (8 KiB), and above it two levels of counts: of each 256 ports and of each 4,096.
 * So "how many members lie below this port" and "which is the n-th member" read at most 16 + 16
 * counts and 4 words, however full the set is. To draw the n-th of the members, with n random,
 * gives every member the same chance; "the first member after a random place" would give the port
 * behind a long run of others nearly all the chances, and an outsider could guess it (RFC 6056,
 * section 3.1). */
#ifndef ENGINE_PORT_PORT_SET_H
#define ENGINE_PORT_PORT_SET_H

#include "engine/base/random.h"
#include <stdbool.h>
#include <stdint.h>

enum { PORT_COUNT = 65536, PORT_SET_WORDS = PORT_COUNT / 64 };

struct port_set {
    uint64_t words[PORT_SET_WORDS];
    uint16_t groups[256]; /* members among ports 256i .. 256i+255 */
    uint16_t tops[16];    /* members among ports 4096i .. 4096i+4095 */
};

/* No member. */
void port_set_clear(struct port_set *set);
/* Every port but 0, which is nobody's (RFC 6335, section 6). */
void port_set_fill(struct port_set *set);
/* Makes the port a member or not. */
void port_set_put(struct port_set *set, uint16_t port, bool member);
/* Members below `port` (0..65536). */
uint32_t port_set_rank(const struct port_set *set, uint32_t port);
/* The member that has `n` members below it; n < port_set_rank(set, PORT_COUNT). */
uint16_t port_set_nth(const struct port_set *set, uint32_t n);
/* One of the members in first..last, each with the same chance; 0 if there is none. *count: how
 * many there are. */
uint16_t port_set_draw(const struct port_set *set, uint16_t first, uint16_t last,
                       struct random *random, uint32_t *count);

static inline bool port_set_has(const struct port_set *set, uint16_t port) {
    return set->words[port / 64] >> (port % 64) & 1;
}

#endif
