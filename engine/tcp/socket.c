/* A socket's life up to its connection: open, bind, listen, accept, connect (RFC 9293 3.9.1;
 * Linux's errno). */
#include "engine/tcp/connection.h"

int tcp_open(struct tcp *tcp, int family, uint32_t *socket, uint32_t *generation) {
    struct tcp_connection *c = connection_new(tcp, family);
    if (!c)
        return tcp->connections.used >= tcp->connections.limit ? -ENOBUFS : -ENOMEM;
    *socket = c->self;
    *generation = c->generation;
    return 0;
}

bool tcp_alive(const struct tcp *tcp, uint32_t socket, uint32_t generation) {
    if (!pool_has(&tcp->connections, socket))
        return false;
    const struct tcp_connection *c = tcp_at(tcp, socket);
    return c->state != 0 && c->generation == generation && !(c->flags & TCP_F_ORPHAN);
}

uint32_t tcp_generation(const struct tcp *tcp, uint32_t socket) {
    return pool_has(&tcp->connections, socket) ? tcp_at(tcp, socket)->generation : 0;
}

static unsigned bind_flags(const struct tcp_connection *c) {
    return (unsigned)PORTS_STREAM |
           (tcp_option(c, BERTH_SO_REUSEADDR, 0) ? (unsigned)PORTS_REUSEADDR : 0u) |
           (tcp_option(c, BERTH_SO_REUSEPORT, 0) ? (unsigned)PORTS_REUSEPORT : 0u) |
           (tcp_option(c, BERTH_V6ONLY, 0) ? (unsigned)PORTS_V6ONLY : 0u);
}

int tcp_bind(struct tcp *tcp, uint32_t socket, const struct berth_endpoint *local) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    if (c->state != BERTH_TCP_CLOSED || (c->extra && c->extra->bind))
        return -EINVAL;
    struct tcp_extra *extra = connection_extra(tcp, c);
    if (!extra)
        return -ENOMEM;
    struct berth_endpoint bound = *local;
    int result = ports_bind(tcp->ports, &bound, bind_flags(c), c->self, &extra->bind);
    if (result == 0)
        extra->bound = bound;
    return result;
}

static struct berth_ip wildcard(const struct tcp_connection *c) {
    struct berth_ip any = {{0}};
    return c->flags & TCP_F_IPV6 ? any : berth_ip_v4(0);
}

static int make_listener(struct tcp *tcp, struct tcp_connection *c) {
    struct berth_allocator *allocator = &tcp->config.allocator;
    struct tcp_extra *extra = connection_extra(tcp, c);
    if (!extra)
        return -ENOMEM;
    if (!extra->bind) { /* an unbound one gets an ephemeral port, as in Linux */
        struct berth_endpoint any = {wildcard(c), 0};
        int result = tcp_bind(tcp, c->self, &any);
        if (result != 0)
            return result;
    }
    struct tcp_listener *listener = allocator->allocate(allocator->context, sizeof *listener);
    if (!listener)
        return -ENOMEM;
    int result = ports_listen(tcp->ports, extra->bind, true);
    if (result != 0) {
        allocator->release(allocator->context, listener, sizeof *listener);
        return result;
    }
    memset(listener, 0, sizeof *listener);
    ring_init(&listener->accept, tcp->config.allocator);
    extra->listener = listener;
    c->state = BERTH_LISTEN;
    c->tuple.local = extra->bound.ip;
    c->tuple.local_port = extra->bound.port;
    return 0;
}

int tcp_listen(struct tcp *tcp, uint32_t socket, int backlog) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    if (c->state != BERTH_LISTEN) {
        if (c->state != BERTH_TCP_CLOSED)
            return -EINVAL;
        int result = make_listener(tcp, c);
        if (result != 0)
            return result;
    }
    c->extra->listener->backlog = backlog < 0 || backlog > 4096 ? 4096 : backlog;
    return 0;
}

int tcp_accept(struct tcp *tcp, uint32_t socket, uint32_t *connection) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    if (c->state != BERTH_LISTEN)
        return -EINVAL;
    uint32_t index = ring_pop(&c->extra->listener->accept);
    if (index == 0)
        return -EAGAIN;
    /* What came while it waited is an edge that its new owner has not seen. */
    struct tcp_connection *accepted = tcp_at(tcp, index);
    connection_raise(tcp, accepted, (unsigned)tcp_readiness(tcp, index));
    *connection = index;
    return 0;
}

/* The ISN: above that of the connection whose TIME-WAIT record of ours makes way for this one. */
static uint32_t choose_isn(struct tcp *tcp, const struct tuple *tuple) {
    uint32_t found = ports_find(tcp->ports, tuple), floor, isn = isn_of(tcp, tuple);
    if (found == 0 || tcp_kind_of(found) != TCP_TIME_WAIT ||
        !time_wait_reuse(tcp, tcp_index_of(found), &floor))
        return isn;
    return seq_lt(isn, floor) ? floor : isn; /* RFC 6191 2 */
}

/* Takes the four numbers: the port bound, or one that the port table chooses; and the ISN that goes
 * with them. */
static int take_tuple(struct tcp *tcp, struct tcp_connection *c, const struct berth_ip *local,
                      const struct berth_endpoint *remote, uint32_t *isn) {
    bool bound = c->extra && c->extra->bind;
    struct tuple tuple = {.local = *local, .remote = remote->ip, .remote_port = remote->port};
    if (bound) {
        if (!berth_ip_is_any(&c->extra->bound.ip))
            tuple.local = c->extra->bound.ip;
        tuple.local_port = c->extra->bound.port;
        *isn = choose_isn(tcp, &tuple);
    }
    c->tuple = tuple; /* the table looks at it through the reference */
    int result = ports_connect(tcp->ports, &c->tuple, tcp_reference(TCP_CONNECTION, c->self));
    if (result != 0)
        return result;
    c->flags |= TCP_F_IN_PORTS;
    if (!bound) /* a port that the table chose is nobody's, not even in TIME-WAIT */
        *isn = isn_of(tcp, &c->tuple);
    return 0;
}

static int start(struct tcp *tcp, struct tcp_connection *c, const struct berth_ip *local,
                 unsigned interface, const struct berth_endpoint *remote) {
    struct tcp_active *a = connection_activate(tcp, c);
    if (!a)
        return -ENOMEM;
    uint32_t isn;
    int result = take_tuple(tcp, c, local, remote, &isn);
    if (result != 0) {
        memset(&c->tuple, 0, sizeof c->tuple);
        connection_drop_active(tcp, c);
        return result;
    }
    c->interface = interface & 31u;
    c->mss = connection_mss_for(tcp, interface, berth_ip_is_v4(&c->tuple.remote));
    c->ts_offset = isn_ts_offset(tcp, &c->tuple);
    c->snd_una = c->snd_nxt = a->snd_max = isn;
    c->rcv_nxt = c->rcv_edge = 0;
    c->state = BERTH_SYN_SENT;
    c->flags |= TCP_F_CONNECTING;
    tcp->counters->tcp_active_opens++;
    connection_owes(tcp, c);
    return -EINPROGRESS;
}

int tcp_connect(struct tcp *tcp, uint32_t socket, const struct berth_ip *local, unsigned interface,
                const struct berth_endpoint *remote, uint64_t now) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    tcp_clock(tcp, now);
    if (c->state == BERTH_SYN_SENT || c->state == BERTH_SYN_RECEIVED)
        return -EALREADY;
    if (c->state != BERTH_TCP_CLOSED) {
        if (!(c->flags & TCP_F_CONNECTING))
            return -EISCONN;
        c->flags &=
            (uint16_t)~TCP_F_CONNECTING; /* a call that was interrupted learns the outcome */
        return 0;
    }
    if (tcp_error(c)) {
        int error = tcp_error(c);
        c->timer.kind = 0;
        return -error;
    }
    connection_drop_active(tcp, c); /* what an earlier connection of this socket left unread */
    if (c->extra)
        memset(&c->extra->tally, 0, sizeof c->extra->tally);
    c->flags &= (uint16_t) ~(TCP_F_FIN_READ | TCP_F_SND_SHUT | TCP_F_RCV_SHUT | TCP_F_TIMESTAMPS |
                             TCP_F_WAS_FULL);
    c->srtt = c->rttvar = 0;
    c->scales = tuning_offer(tcp->config.tcp_window_scaling, tuning_scale(tcp));
    c->ecn = 0;
    c->unanswered = 0;
    return start(tcp, c, local, interface, remote);
}
