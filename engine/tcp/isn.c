/* Numbers that an outsider cannot foresee: initial sequence numbers and timestamp offsets.
 *
 * RFC 6528, section 3: ISN = M + F(four numbers, secret). M ticks every 4 us, so the sequence
 * numbers of one pair of sockets rise from connection to connection; F is SipHash-2-4 under a key
 * of 128 bits from the host's seed, so those of another pair tell nothing about them. */
#include "engine/tcp/connection.h"

enum { ISN_TICK = 4000 }; /* ns */

_Static_assert(sizeof(struct tuple) == 36, "a tuple has no holes: it is hashed as octets");

/* RFC 9293 3.4.1, MUST-8, MUST-9, SHLD-1; RFC 6528 3, 6528-1, 6528-2 */
uint32_t isn_of(const struct tcp *tcp, const struct tuple *tuple) {
    uint64_t clock = tcp->now / ISN_TICK;
    return (uint32_t)(clock + siphash(&tcp->isn_key, tuple, sizeof *tuple));
}

/* RFC 7323 5.4, 7.1, 7323-T6: one clock of ms for all, shifted for each pair of sockets, so that it
 * shows neither how long the host is up nor that two connections are one host's. The same four
 * numbers give the same shift: a later incarnation's timestamps are greater (RFC 6191, section 2).
 */
uint32_t isn_ts_offset(const struct tcp *tcp, const struct tuple *tuple) {
    return (uint32_t)(siphash(&tcp->ts_key, tuple, sizeof *tuple) >> 32);
}
