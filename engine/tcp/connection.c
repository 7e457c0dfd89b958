/* Connection records: made, freed, made busy and idle again. */
#include "engine/tcp/connection.h"

struct tcp_connection *connection_new(struct tcp *tcp, int family) {
    uint32_t index = pool_take(&tcp->connections);
    if (index == 0)
        return NULL;
    struct tcp_connection *c = tcp_at(tcp, index);
    uint32_t generation = (c->generation ? c->generation : tcp->elder) + 1;
    memset(c, 0, sizeof *c);
    c->self = index;
    c->generation = generation ? generation : 1; /* 0 is never a live generation */
    c->state = BERTH_TCP_CLOSED;
    c->flags = family == 6 ? TCP_F_IPV6 : 0;
    c->ssthresh = UINT32_MAX;
    c->congestion = tcp->config.tcp_congestion & 3u;
    timer_link_init(&c->timer);
    return c;
}

static void active_give(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    stream_clear(&a->send, tcp->config.allocator);
    stream_clear(&a->receive, tcp->config.allocator);
    receive_drop_runs(tcp, a);
    loss_reset(tcp, c);
    tcp->memory -= a->charged;
    pool_give(&tcp->actives, a->self);
    c->active = NULL;
}

void connection_drop_active(struct tcp *tcp, struct tcp_connection *c) {
    if (!c->active)
        return;
    c->snd_una = c->snd_nxt = c->active->snd_max;
    active_give(tcp, c);
}

static void extra_give(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_extra *extra = c->extra;
    struct berth_allocator *allocator = &tcp->config.allocator;
    if (!extra)
        return;
    if (extra->bind)
        ports_unbind(tcp->ports, extra->bind);
    if (extra->listener) {
        ring_clear(&extra->listener->accept);
        allocator->release(allocator->context, extra->listener, sizeof *extra->listener);
    }
    allocator->release(allocator->context, extra, sizeof *extra);
    c->extra = NULL;
}

static void leave_ports(struct tcp *tcp, struct tcp_connection *c) {
    if (c->flags & TCP_F_IN_PORTS)
        ports_disconnect(tcp->ports, &c->tuple, tcp_reference(TCP_CONNECTION, c->self));
    c->flags &= (uint16_t)~TCP_F_IN_PORTS;
}

void connection_free(struct tcp *tcp, struct tcp_connection *c) {
    leave_ports(tcp, c);
    if (timer_is_set(&c->timer))
        timer_cancel(&tcp->wheel, c->self);
    connection_drop_active(tcp, c);
    extra_give(tcp, c);
    c->state = 0; /* rings and tables skip it */
    c->flags = 0;
    c->events = 0;
    pool_give(&tcp->connections, c->self);
}

struct tcp_active *connection_activate(struct tcp *tcp, struct tcp_connection *c) {
    if (c->active)
        return c->active;
    uint32_t index = pool_take(&tcp->actives);
    if (index == 0)
        return NULL;
    struct tcp_active *a = pool_at(&tcp->actives, index);
    memset(a, 0, sizeof *a);
    a->self = index;
    stream_init(&a->send);
    stream_init(&a->receive);
    a->snd_max = c->snd_nxt;
    a->snd_wnd_max = c->snd_wnd ? c->snd_wnd : c->mss; /* a closed one says nothing of its size */
    a->recover = a->ecn.reduced_at = c->snd_una - 1;
    a->push_seq = a->small_seq = c->snd_una;
    a->read_seq = c->rcv_nxt;
    a->last_ack_sent = c->rcv_nxt;
    a->quick_acks = TCP_QUICK_ACKS;
    a->loss.end = a->loss.fack = c->snd_una;
    c->active = a;
    tuning_begin(tcp, c);
    tally_restore(c);
    return a;
}

struct tcp_extra *connection_extra(struct tcp *tcp, struct tcp_connection *c) {
    struct berth_allocator *allocator = &tcp->config.allocator;
    if (!c->extra) {
        c->extra = allocator->allocate(allocator->context, sizeof *c->extra);
        if (c->extra)
            memset(c->extra, 0, sizeof *c->extra);
    }
    return c->extra;
}

/* True if `active` holds nothing that the next segment or call will miss. */
static bool is_idle(const struct tcp *tcp, const struct tcp_connection *c) {
    const struct tcp_active *a = c->active;
    bool quiet_state = c->state == BERTH_ESTABLISHED || c->state == BERTH_CLOSE_WAIT ||
                       c->state == BERTH_FIN_WAIT_2;
    return quiet_state && a->send.length == 0 && a->receive.length == 0 && a->run_count == 0 &&
           a->snd_max == c->snd_una && a->delayed_ack_at == 0 &&
           !(c->flags & (TCP_F_ACK_NOW | TCP_F_OUTPUT)) && a->challenge_at == 0 &&
           a->retry_at == 0 && a->pacing.at <= tcp->now && a->tuning.until <= tcp->now &&
           !a->ecn.echo && !a->ecn.reduced &&
           a->backoff == 0 && /* Karn: it lasts until there is a sample */
           timers_rest_at(tcp, c) == BERTH_NEVER &&
           !(a->flags & (TCP_A_SND_URGENT | TCP_A_RCV_URGENT | TCP_A_FIN_AHEAD | TCP_A_PROBE |
                         TCP_A_KEEPALIVE)) &&
           a->keepalive_probes == 0;
}

static void account(struct tcp *tcp, struct tcp_active *a) {
    uint64_t charged = (uint64_t)a->send.charged + a->receive.charged + a->run_octets +
                       a->loss.score.size * sizeof(struct score_range);
    tcp->memory += charged - a->charged;
    a->charged = (uint32_t)charged;
}

void connection_settle(struct tcp *tcp, struct tcp_connection *c) {
    if (c->active) {
        account(tcp, c->active);
        if (c->active->challenge_at <= tcp->now)
            c->active->challenge_at = 0;
        if (timers_rest_at(tcp, c) <= tcp->now)
            congestion_on_idle(tcp, c);
        if (is_idle(tcp, c)) {
            tally_keep(tcp, c);
            active_give(tcp, c);
        }
    }
    connection_wake(tcp, c);
}

void connection_wake(struct tcp *tcp, struct tcp_connection *c) {
    uint64_t next = timers_next(tcp, c);
    if (next == BERTH_NEVER) {
        if (timer_is_set(&c->timer))
            timer_cancel(&tcp->wheel, c->self);
    } else if (!timer_is_set(&c->timer) ||
               timer_when(&tcp->wheel, &c->timer) != (next + BERTH_MS - 1) / BERTH_MS * BERTH_MS) {
        timer_set(&tcp->wheel, c->self, next, c->timer.kind);
    }
}

void connection_abort(struct tcp *tcp, struct tcp_connection *c, int error) {
    if (c->state == BERTH_ESTABLISHED || c->state == BERTH_CLOSE_WAIT)
        tcp->counters->tcp_estab_resets += error == ECONNRESET;
    if (c->state == BERTH_SYN_SENT || c->state == BERTH_SYN_RECEIVED)
        tcp->counters->tcp_attempt_fails++;
    if (c->flags & TCP_F_ORPHAN) {
        connection_free(tcp, c);
        return;
    }
    leave_ports(tcp, c);
    c->state = BERTH_TCP_CLOSED;
    c->timer.kind = (uint8_t)error;
    c->flags &= (uint16_t) ~(TCP_F_ACK_NOW | TCP_F_CONNECTING);
    if (c->active) {
        /* What was received stays readable; what was to be sent is lost (RFC 9293 3.10.7.4, RST).
         */
        struct tcp_active *a = c->active;
        stream_clear(&a->send, tcp->config.allocator);
        receive_drop_runs(tcp, a);
        loss_reset(tcp, c);
        c->snd_una = c->snd_nxt = a->snd_max;
        a->rto_at = a->delayed_ack_at = 0;
        account(tcp, a);
        if (a->receive.length == 0)
            active_give(tcp, c);
    }
    if (timer_is_set(&c->timer))
        timer_cancel(&tcp->wheel, c->self);
    connection_raise(tcp, c,
                     (error ? (unsigned)BERTH_ERROR : 0u) | BERTH_CLOSED | BERTH_READABLE |
                         BERTH_WRITABLE);
}

uint16_t connection_mss_for(const struct tcp *tcp, unsigned interface, bool v4) {
    const struct tcp_interface *at =
        interface < TCP_INTERFACES ? &tcp->interfaces[interface] : NULL;
    uint32_t mtu = !at ? 0 : v4 || at->mtu6 == 0 ? at->mtu : at->mtu6;
    uint32_t headers = TCP_HEADER_MIN + (v4 ? 20u : 40u);
    if (mtu == 0)
        mtu = v4 ? 576 : 1280;
    uint32_t mss = mtu > headers + 48 ? mtu - headers : 48;
    return (uint16_t)(mss > 65495 ? 65495 : mss); /* RFC 9293 MUST-67 */
}

void connection_negotiate(struct tcp *tcp, struct tcp_connection *c,
                          const struct tcp_options *options, bool agreed) {
    bool v4 = berth_ip_is_v4(&c->tuple.remote);
    uint16_t ours = connection_mss_for(tcp, c->interface, v4);
    /* RFC 9293 MUST-15: no MSS option means 536 or 1220. A peer's absurd MSS is floored at 48
     * (CVE-2019-11479's class). */
    uint16_t theirs = options->has_mss ? options->mss : v4 ? 536 : 1220;
    theirs = theirs < 48 ? 48 : theirs;
    int asked = tcp_option(c, BERTH_TCP_MAXSEG, 65535);
    c->mss = theirs < ours ? theirs : ours;
    if (asked < c->mss)
        c->mss = (uint16_t)asked;
    if (c->scales && options->has_wscale) /* RFC 7323 2.2, 7323-W1: only if both did */
        c->scales = (uint8_t)((options->wscale > 14 ? 14 : options->wscale) | (c->scales & 0xf0));
    else
        c->scales = 0;
    c->flags &= (uint16_t)~TCP_F_TIMESTAMPS;
    if (options->has_timestamps && (agreed || tcp->config.tcp_timestamps)) {
        c->flags |= TCP_F_TIMESTAMPS;
        c->ts_recent = options->ts_value;
    }
    /* RFC 2018 section 2 */
    c->sack = options->sack_permitted && (agreed || tcp->config.tcp_sack);
    c->last_heard = tcp_ms(tcp);
    if (c->extra) /* what was known before is of another connection, or of what was not agreed */
        memset(&c->extra->search, 0, sizeof c->extra->search);
    path_start(tcp, c);
}
