/* Which port a client gets.
 *
 * RFC 6056 wants a port that an outsider cannot guess, out of a range as large as possible
 * (section 3.2: 1024-65535), and that collides with no connection in use, one in TIME-WAIT included
 * (section 2.2). The port is drawn at random, each with the same chance (section 3.3.1), with no
 * counter and nothing shared between destinations (whose correlation CVE-2022-1012 and others
 * used). What section 3.3.1 warns of, the cost of many tries when most ports are used, is what
 * spaces (space.h) are for:
 *
 * - Sparse: ports are tried at random, two at a time so that their cache lines are on the way
 *   together. Each try is a look-up in the demultiplexer.
 * - Four tries in a row failed: the destination gets a space. With an eighth of the ports used that
 *   is one call in 4,000, with half of them one in 16, so it is made early, and the calls
 *   whose first tries succeed fill it before ports are scarce. Until then blind tries come first.
 * - Dense: every call draws from the full space.
 *
 * A port that was drawn a moment ago is passed over while ports are plenty: a server that closed
 * its connection holds the four numbers in TIME-WAIT, and takes a SYN for new only by a later
 * timestamp or sequence number (RFC 6191 2), whose clocks tick every millisecond and every 4 us. Of
 * 20,000 short connections a second two or three would wait for the retransmission of their SYN.
 *
 * Only a destination that was dense before anybody asked, or whose space was thrown out, costs one
 * call that fills further than a few ports, and only until that call has found a port.
 *
 * Ports that a bind covers are never drawn for a connection (Linux's connect() skips every bound
 * port too, whatever its address; here only those bound to the same address or to a wildcard that
 * covers it count).
 *
 * A bind to port 0 wants a port that nothing uses. As long as there is one, it is drawn from the
 * set of the ports without a place; when every port of the range is used by something, somewhere, a
 * space for that address tells those that are not used there. */
#include "engine/port/ports.h"
#include <errno.h>

enum { TRIES = 4, TRIES_AT_ONCE = 2, PLENTY = 64 * PORTS_RECENT };

static uint32_t range_size(const struct ports *ports) {
    return (uint32_t)(ports->last - ports->first) + 1;
}

static bool is_recent(const struct ports *ports, uint16_t port) {
    unsigned same = 0;
    for (int i = 0; i < PORTS_RECENT; i++)
        same |= ports->recent[i] == port;
    return same && range_size(ports) >= PLENTY;
}

static void remember(struct ports *ports, uint16_t port) {
    ports->recent[ports->recent_next++ % PORTS_RECENT] = port;
}

/* Tries ports at random. Returns how many rounds of tries it took; 0 if all were taken. */
static int draw_blindly(struct ports *ports, struct tuple *tuple) {
    struct tuple tries[TRIES_AT_ONCE] = {*tuple, *tuple};
    uint64_t hashes[TRIES_AT_ONCE];
    for (int round = 1; round <= TRIES / TRIES_AT_ONCE; round++) {
        uint64_t random = random_u64(ports->random);
        for (int i = 0; i < TRIES_AT_ONCE; i++, random >>= 32) {
            uint64_t scaled = (random & UINT32_MAX) * range_size(ports) >> 32;
            tries[i].local_port = (uint16_t)(ports->first + scaled);
            hashes[i] = candidate_hash(ports, &tries[i]);
        }
        for (int i = 0; i < TRIES_AT_ONCE; i++)
            candidate_prefetch(ports, &tries[i], hashes[i]);
        for (int i = 0; i < TRIES_AT_ONCE; i++) {
            if (candidate_is_free(ports, &tries[i], hashes[i]) &&
                !is_recent(ports, tries[i].local_port)) {
                tuple->local_port = tries[i].local_port;
                remember(ports, tuple->local_port);
                return round;
            }
        }
    }
    return 0;
}

/* Without memory for a space: every port in turn, from a random one on. Slow, but right. */
static bool draw_by_search(struct ports *ports, struct tuple *tuple) {
    uint32_t size = range_size(ports), start = random_below(ports->random, size);
    for (uint32_t i = 0; i < size; i++) {
        tuple->local_port = (uint16_t)(ports->first + (start + i) % size);
        if (candidate_is_free(ports, tuple, ports_hash(ports, tuple)))
            return true;
    }
    return false;
}

int ephemeral_for_connect(struct ports *ports, struct tuple *tuple) {
    struct space_purpose purpose = {tuple->local, tuple->remote, tuple->remote_port, false};
    struct space *space = space_find(ports, &purpose);
    if (!space || !space_is_full(ports, space)) {
        int rounds = draw_blindly(ports, tuple);
        if (space && rounds == 1)
            space_fill(ports, space); /* a cheap call has time for it */
        if (rounds)
            return 0;
    }
    if (!space)
        space = space_need(ports, &purpose);
    if (space)
        tuple->local_port = space_search(ports, space);
    else if (!draw_by_search(ports, tuple))
        tuple->local_port = 0;
    return tuple->local_port ? 0 : -EADDRNOTAVAIL;
}

void ephemeral_watch(struct ports *ports, const struct tuple *tuple) {
    struct space_purpose purpose = {tuple->local, tuple->remote, tuple->remote_port, false};
    struct space *space = space_find(ports, &purpose);
    struct tuple try = *tuple;
    if (!space && !draw_blindly(ports, &try))
        space = space_need(ports, &purpose);
    if (space)
        space_fill(ports, space);
}

/* True if a port with any place at all is no port for that bind, so that the ports without one are
 * all there are. */
static bool needs_whole_port(const struct ports *ports, const struct place_name *name) {
    if (!berth_ip_is_any(&name->ip))
        return false;
    return berth_ip_is_v4(&name->ip) ? ports->places.v6_places == 0 : !name->v6only;
}

uint16_t ephemeral_for_bind(struct ports *ports, const struct place_name *name) {
    const struct port_usage *usage = ports->places.usage;
    if (!usage)
        return (uint16_t)(ports->first + random_below(ports->random, range_size(ports)));
    uint32_t count;
    uint16_t port = port_set_draw(&usage->free, ports->first, ports->last, ports->random, &count);
    if (count >= range_size(ports) / 8 || needs_whole_port(ports, name))
        return port;
    struct space_purpose purpose = {.local = name->ip, .v6only = name->v6only};
    struct space *space = space_need(ports, &purpose);
    if (space)
        space_fill(ports, space); /* ready when the last whole port goes */
    return port || !space ? port : space_search(ports, space);
}
