/* Who owns a port: Linux's rules (net/ipv4/inet_connection_sock.c, net/ipv4/udp.c, net/ipv6).
 *
 * Two binds to one port are in each other's way when their addresses overlap, that is, when
 * - they are equal, or
 * - one is 0.0.0.0 and the other any IPv4 address, or
 * - one is `::` and the other any address, but for IPv4 ones if the `::` is V6ONLY,
 *
 * unless
 * - both have SO_REUSEADDR and, for TCP, the one that is there does not listen, or
 * - both have SO_REUSEPORT (all programs of a virtual computer count as one user's).
 *
 * A connection (accepted, made or in TIME-WAIT) stands in the way of a bind that has neither
 * option. A bind to port 0 shares with nobody, whatever the options.
 *
 * V6ONLY counts as it was at the bind, as Linux lets nobody change it later; the other two count as
 * they are. */
#include "engine/port/ports.h"
#include <errno.h>

enum { BINDS_MAX = 1 << 24, REUSE = PORTS_REUSEADDR | PORTS_REUSEPORT };

/* What a bind wants, and what was found in its way. */
struct request {
    struct place_name name;
    unsigned flags;
    uint32_t except;     /* a bind that is not in its own way; 0 none */
    bool no_connections; /* connections are not in the way */
    uint32_t holder;     /* out: the owner of the bind in the way; 0 if it is a connection */
    struct berth_ip at;  /* out: where */
};

void table_init(struct ports *ports) {
    pool_init(&ports->binds, ports->allocator, sizeof(struct bind), BINDS_MAX);
}

void table_clear(struct ports *ports) {
    for (uint32_t i = 1; i < ports->binds.high; i++)
        if (bind_at(ports, i)->owner)
            ports_unbind(ports, i);
    pool_clear(&ports->binds);
}

static bool may_share(unsigned mine, const struct bind *other) {
    unsigned both = mine & other->flags;
    if (both & PORTS_REUSEPORT)
        return true;
    return (both & PORTS_REUSEADDR) && !((mine & PORTS_STREAM) && other->listening);
}

static bool place_refuses(const struct ports *ports, uint32_t at, struct request *request) {
    const struct place *place = place_at(&ports->places, at);
    request->at = place->ip;
    request->holder = 0;
    for (uint32_t i = place->binds; i; i = bind_at(ports, i)->next) {
        const struct bind *other = bind_at(ports, i);
        if (i != request->except && !may_share(request->flags, other)) {
            request->holder = other->owner;
            return true;
        }
    }
    return place->connections && !request->no_connections && !(request->flags & REUSE);
}

/* True if something is in the way; says what. */
static bool is_refused(const struct ports *ports, struct request *request) {
    const struct place_table *table = &ports->places;
    uint32_t at = place_first(table, request->name.port);
    if (berth_ip_is_any(&request->name.ip)) {
        for (; at; at = place_at(table, at)->next) {
            const struct place *place = place_at(table, at);
            if (place_overlaps(&request->name, &place->ip, place->v6only) &&
                place_refuses(ports, at, request))
                return true;
        }
        return false;
    }
    struct place_name names[3];
    int count = at ? place_covering(&request->name, names) : 0;
    for (int i = 0; i < count; i++) {
        at = place_find(table, &names[i]);
        if (at && place_refuses(ports, at, request))
            return true;
    }
    return false;
}

static struct place_name name_of(const struct berth_endpoint *local, unsigned flags) {
    bool v6_any = berth_ip_is_any(&local->ip) && !berth_ip_is_v4(&local->ip);
    return (struct place_name){local->ip, local->port, v6_any && (flags & PORTS_V6ONLY)};
}

/* ---- coming and going ---- */

/* Puts a new record into its place's list, at the head. */
static void bind_link(struct ports *ports, uint32_t reference) {
    struct bind *bind = bind_at(ports, reference);
    struct place *place = place_at(&ports->places, bind->place);
    bind->next = place->binds;
    bind->previous = 0;
    if (bind->next)
        bind_at(ports, bind->next)->previous = reference;
    place->binds = reference;
    struct place_name name = {place->ip, place->port, place->v6only};
    if (!bind->next)
        spaces_note_bind(ports, &name);
}

static void bind_unlink(struct ports *ports, const struct bind *bind) {
    struct place *place = place_at(&ports->places, bind->place);
    if (bind->previous)
        bind_at(ports, bind->previous)->next = bind->next;
    else
        place->binds = bind->next;
    if (bind->next)
        bind_at(ports, bind->next)->previous = bind->previous;
    struct place_name name = {place->ip, place->port, place->v6only};
    if (!place->binds)
        spaces_note_bind(ports, &name);
}

static void binds_trim(struct ports *ports) {
    if (ports->binds.used == 0) {
        pool_clear(&ports->binds);
        table_init(ports);
    }
}

static void bind_give(struct ports *ports, uint32_t reference) {
    bind_at(ports, reference)->owner = 0;
    pool_give(&ports->binds, reference);
    binds_trim(ports);
}

/* A record at that place, in its list; 0 when memory is out. */
static uint32_t bind_make(struct ports *ports, const struct place_name *name, unsigned flags,
                          uint32_t owner) {
    uint32_t reference = pool_take(&ports->binds);
    if (!reference) {
        binds_trim(ports);
        return 0;
    }
    struct bind *bind = bind_at(ports, reference);
    *bind = (struct bind){.owner = owner, .flags = (uint8_t)flags};
    bind->place = place_need(ports, name);
    if (!bind->place) {
        bind_give(ports, reference);
        return 0;
    }
    bind_link(ports, reference);
    return reference;
}

int ports_bind(struct ports *ports, struct berth_endpoint *local, unsigned flags, uint32_t owner,
               uint32_t *bind) {
    struct request request = {.name = name_of(local, flags), .flags = flags};
    if (local->port == 0)
        request.name.port = ephemeral_for_bind(ports, &request.name);
    if (request.name.port == 0 || (local->port && is_refused(ports, &request)))
        return -EADDRINUSE;
    uint32_t reference = bind_make(ports, &request.name, flags, owner);
    if (!reference)
        return -ENOMEM;
    if (!(flags & PORTS_STREAM)) {
        int error = listen_start(ports, reference);
        if (error) {
            ports_unbind(ports, reference);
            return error;
        }
    }
    local->port = request.name.port;
    *bind = reference;
    return 0;
}

void ports_unbind(struct ports *ports, uint32_t reference) {
    if (!pool_has(&ports->binds, reference) || !bind_at(ports, reference)->owner)
        return;
    struct bind *bind = bind_at(ports, reference);
    uint32_t place = bind->place;
    listen_stop(ports, reference);
    bind_unlink(ports, bind);
    place_drop_unused(ports, place);
    bind_give(ports, reference);
}

void ports_set_flags(struct ports *ports, uint32_t reference, unsigned flags) {
    struct bind *bind = bind_at(ports, reference);
    bind->flags = (uint8_t)((flags & REUSE) | (bind->flags & ~(unsigned)REUSE));
}

int ports_listen(struct ports *ports, uint32_t reference, bool listening) {
    struct bind *bind = bind_at(ports, reference);
    if (!listening) {
        listen_stop(ports, reference);
        return 0;
    }
    if (bind->listening)
        return 0;
    const struct place *place = place_at(&ports->places, bind->place);
    struct request request = {.name = {place->ip, place->port, place->v6only},
                              .flags = bind->flags,
                              .except = reference,
                              .no_connections = true};
    return is_refused(ports, &request) ? -EADDRINUSE : listen_start(ports, reference);
}

uint32_t ports_conflict(struct ports *ports, const struct berth_endpoint *local, unsigned flags) {
    struct request request = {
        .name = name_of(local, flags), .flags = flags, .no_connections = true};
    return local->port && is_refused(ports, &request) ? request.holder : 0;
}

uint32_t ports_conflict_connection(struct ports *ports, const struct berth_endpoint *local,
                                   unsigned flags) {
    struct request request = {.name = name_of(local, flags), .flags = flags};
    if (local->port == 0 || !is_refused(ports, &request) || request.holder)
        return 0;
    return demux_any_at(ports, &request.at, local->port);
}

bool ports_in_use(struct ports *ports, uint16_t port) {
    return place_first(&ports->places, port) != 0;
}
