/* The window that is offered to the peer: as much as the buffer holds, in steps worth sending (RFC
 * 9293 3.8.6.2.2), its right edge never moving left (SHLD-14), whatever happens to the buffer's
 * limit meanwhile. */
#include "engine/tcp/connection.h"

static uint32_t room(const struct tcp *tcp, const struct tcp_connection *c) {
    uint32_t limit = tuning_receive_limit(tcp, c), clamp = tuning_clamp(tcp, c);
    const struct tcp_active *a = c->active;
    uint32_t held = a ? a->receive.length + a->run_octets : 0;
    if (a && a->receive.charged > held) /* small segments pin more memory than they carry */
        held += (a->receive.charged - held) / 2;
    uint32_t free = limit > held ? limit - held : 0;
    return free < clamp ? free : clamp;
}

/* What an empty buffer offers. A step is half of it at most: on links with segments as large as the
 * first window, what is promised by and by never grew by a whole segment, and a closed window
 * stayed closed. */
static uint32_t most_room(const struct tcp *tcp, const struct tcp_connection *c) {
    uint32_t limit = tuning_receive_limit(tcp, c), clamp = tuning_clamp(tcp, c);
    return limit < clamp ? limit : clamp;
}

/* SHLD-14, MUST-39, 7323-W3 */
uint32_t window_to_offer(const struct tcp *tcp, const struct tcp_connection *c) {
    unsigned shift = c->scales >> 4;
    uint32_t most = 65535u << shift;
    uint32_t offered = c->rcv_edge - c->rcv_nxt; /* what was promised and not used */
    uint32_t free = room(tcp, c);
    uint32_t half = most_room(tcp, c) / 2, step = half < c->mss ? half : c->mss;
    if (seq_lt(c->rcv_edge, c->rcv_nxt))
        offered = 0;
    if (free > most)
        free = most;
    free = free >> shift << shift; /* RFC 7323 2.3: what the wire cannot say is not promised */
    if (free < offered + step)
        free = offered; /* not worth a step, or the buffer shrank */
    return free;
}

/* MUST-39 */
bool window_update_due(const struct tcp *tcp, const struct tcp_connection *c) {
    uint32_t offered = seq_lt(c->rcv_edge, c->rcv_nxt) ? 0 : c->rcv_edge - c->rcv_nxt;
    uint32_t next = window_to_offer(tcp, c);
    /* From closed to open at once; else when a good part of the buffer has opened, so that reading
     * costs no segment a call. */
    return next > offered && (offered < c->mss || next - offered >= most_room(tcp, c) / 2);
}
