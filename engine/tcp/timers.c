/* What waits for time on a connection: retransmission and zero-window probes (one clock, rto_at),
 * the delayed ACK, keep-alive, and the ends of FIN-WAIT-2 and TIME-WAIT. The wheel holds one timer
 * a connection, set to the earliest of them. */
#include "engine/tcp/connection.h"

/* The full time of a point given in ms modulo 2^32 that is not in the future. */
static uint64_t ms_to_time(const struct tcp *tcp, uint32_t ms) {
    return (tcp->now / BERTH_MS - (tcp_ms(tcp) - ms)) * BERTH_MS;
}

/* RFC 9293 3.8.4: MUST-24, MUST-26, MUST-27, MUST-28 */
static uint64_t keepalive_at(const struct tcp *tcp, const struct tcp_connection *c) {
    bool synchronized = c->state != BERTH_LISTEN && c->state != BERTH_SYN_SENT &&
                        c->state != BERTH_SYN_RECEIVED && c->state != BERTH_TCP_CLOSED;
    if (!(c->flags & TCP_F_KEEPALIVE) || !synchronized || tcp_flight(c) != 0)
        return BERTH_NEVER;
    if (c->active && c->active->send.length)
        return BERTH_NEVER; /* probed by the persist timer already */
    uint64_t idle = (uint64_t)tcp_option(c, BERTH_TCP_KEEPIDLE,
                                         (int)(tcp->config.keepalive_idle / BERTH_SECOND));
    uint64_t interval = (uint64_t)tcp_option(c, BERTH_TCP_KEEPINTVL,
                                             (int)(tcp->config.keepalive_interval / BERTH_SECOND));
    unsigned probes = c->active ? c->active->keepalive_probes : 0;
    return ms_to_time(tcp, c->last_heard) + (idle + probes * interval) * BERTH_SECOND;
}

/* An orphan does not wait for the peer's FIN for ever. */
static uint64_t fin_wait_2_end(const struct tcp *tcp, const struct tcp_connection *c) {
    if (c->state != BERTH_FIN_WAIT_2 || !(c->flags & TCP_F_ORPHAN))
        return BERTH_NEVER;
    int linger = tcp_option(c, BERTH_TCP_LINGER2, 0);
    if (linger < 0) /* not at all: its peer is reset (as Linux) */
        return tcp->now;
    uint64_t limit = linger > 0 ? (uint64_t)linger * BERTH_SECOND : tcp->config.tcp_fin_wait_2;
    return ms_to_time(tcp, c->last_heard) + limit;
}

uint64_t timers_rest_at(const struct tcp *tcp, const struct tcp_connection *c) {
    const struct tcp_active *a = c->active;
    if (!a || !a->sent_at || a->send.length || tcp_flight(c) ||
        !tcp->config.tcp_slow_start_after_idle || c->cwnd <= congestion_initial_window(tcp, c))
        return BERTH_NEVER;
    return a->sent_at + (a->congestion.rests + 1u) * rtt_rto(tcp, c);
}

uint64_t timers_next(const struct tcp *tcp, const struct tcp_connection *c) {
    const struct tcp_active *a = c->active;
    uint64_t next = keepalive_at(tcp, c);
    if (a && a->rto_at && a->rto_at < next)
        next = a->rto_at;
    if (a && a->loss.timer_at && a->loss.timer_at < next)
        next = a->loss.timer_at;
    if (a && a->delayed_ack_at && a->delayed_ack_at < next)
        next = a->delayed_ack_at;
    if (a && a->challenge_at && a->challenge_at < next)
        next = a->challenge_at; /* `active` may go then */
    if (a && a->tuning.until > tcp->now && a->tuning.until < next)
        next = a->tuning.until;
    if (a && a->retry_at && a->retry_at < next)
        next = a->retry_at;
    if (a && a->pacing.at > tcp->now && a->pacing.at < next)
        next = a->pacing.at;
    uint64_t end = fin_wait_2_end(tcp, c), rest = timers_rest_at(tcp, c);
    next = end < next ? end : next;
    return rest < next ? rest : next;
}

/* MUST-21 */
static bool too_long(const struct tcp *tcp, const struct tcp_connection *c) {
    int limit = tcp_option(c, BERTH_TCP_USER_TIMEOUT, 0);
    return limit > 0 && c->active->stalled_since &&
           tcp->now - c->active->stalled_since >= (uint64_t)limit * BERTH_MS;
}

/* R2 (RFC 9293 MUST-20, MUST-22): retries after which the connection ends. */
static int retries_allowed(const struct tcp *tcp, const struct tcp_connection *c) {
    if (c->state == BERTH_SYN_SENT)
        return tcp_option(c, BERTH_TCP_SYNCNT, tcp->config.tcp_syn_retries);
    if (c->state == BERTH_SYN_RECEIVED)
        return tcp->config.tcp_synack_retries;
    int retries = tcp->config.tcp_retries_2;
    return (c->flags & TCP_F_ORPHAN) && retries > 8 ? 8 : retries; /* Linux's tcp_orphan_retries */
}

static void give_up(struct tcp *tcp, struct tcp_connection *c) {
    /* An ICMP error that was only noted says better what is wrong (RFC 9293 SHLD-9). */
    int error = (c->active->flags & TCP_A_SOFT_ERROR) && c->extra && c->extra->soft_error
                    ? c->extra->soft_error
                    : ETIMEDOUT;
    tcp->counters->tcp_abort_on_timeout++;
    connection_abort(tcp, c, error);
}

static void persist_due(struct tcp *tcp, struct tcp_connection *c);

static void retransmission_due(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    a->rto_at = 0;
    if (c->snd_wnd == 0 && c->state != BERTH_SYN_SENT && c->state != BERTH_SYN_RECEIVED) {
        /* The peer has closed its window over what is in flight (MUST-34): probes find out when it
         * opens again, and are no reason to give up (SHLD-17). */
        recovery_go_back(tcp, c);
        a->flags |= TCP_A_PERSIST;
        persist_due(tcp, c);
        return;
    }
    if (a->retransmits >= retries_allowed(tcp, c) || too_long(tcp, c)) {
        give_up(tcp, c);
        return;
    }
    bool resized = path_doubt(tcp, c);
    recovery_timeout(tcp, c);
    if (resized)
        recovery_go_back(tcp, c);
}

/* Attackers keep a server's memory with windows that never open: an orphan, which no application
 * looks after, ends when its probes have backed off all the way (RFC 6429, 6429-1; as Linux). */
static bool is_pinned(const struct tcp *tcp, const struct tcp_connection *c) {
    return (c->flags & TCP_F_ORPHAN) && rtt_rto(tcp, c) >= tcp->config.tcp_rto_max;
}

static void persist_due(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    if (c->snd_wnd != 0) {
        a->flags = (uint16_t)((a->flags & ~TCP_A_PERSIST) | TCP_A_FORCE);
        a->rto_at = 0;
        connection_owes(tcp, c);
        return;
    }
    /* Answered probes keep the connection for ever (MUST-37); unanswered ones end it at R2. */
    if (a->probes >= retries_allowed(tcp, c) || too_long(tcp, c) || is_pinned(tcp, c)) {
        give_up(tcp, c);
        return;
    }
    a->probes++;
    if (a->backoff < 32)
        a->backoff++; /* SHLD-30 */
    if (a->stalled_since == 0)
        a->stalled_since = tcp->now;
    a->flags |= TCP_A_PROBE;
    a->rto_at = rtt_expiry(tcp, c);
    tcp->counters->tcp_window_probes++;
    connection_owes(tcp, c);
}

/* Nothing has answered the probes; TCP_USER_TIMEOUT counts instead of their number (as Linux). */
static bool keepalive_is_over(const struct tcp *tcp, const struct tcp_connection *c) {
    uint32_t limit = (uint32_t)tcp_option(c, BERTH_TCP_USER_TIMEOUT, 0);
    uint8_t probes = c->active->keepalive_probes;
    if (limit)
        return probes > 0 && tcp_ms(tcp) - c->last_heard >= limit;
    return probes >= tcp_option(c, BERTH_TCP_KEEPCNT, tcp->config.keepalive_probes);
}

/* RFC 9293 3.8.4: MUST-29 */
static void keepalive_due(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = connection_activate(tcp, c);
    if (!a) { /* no memory for a probe now: as if the peer had been silent for a second less */
        c->last_heard += 1000;
        return;
    }
    if (keepalive_is_over(tcp, c)) {
        reply_abort(tcp, c);
        connection_abort(tcp, c, ETIMEDOUT);
        return;
    }
    a->keepalive_probes++;
    a->flags |= TCP_A_KEEPALIVE;
    tcp->counters->tcp_keepalive_probes++;
    connection_owes(tcp, c);
}

void timers_fire(struct tcp *tcp, struct tcp_connection *c) {
    uint32_t self = c->self, generation = c->generation;
    if (fin_wait_2_end(tcp, c) <= tcp->now) {
        if (tcp_option(c, BERTH_TCP_LINGER2, 0) < 0)
            reply_abort(tcp, c);
        connection_free(tcp, c);
        return;
    }
    if (c->active && c->active->retry_at && c->active->retry_at <= tcp->now) {
        c->active->retry_at = 0;
        connection_owes(tcp, c);
        if (c->events)
            connection_raise(tcp, c, 0);
    }
    if (c->active && c->active->pacing.held && c->active->pacing.at <= tcp->now) {
        c->active->pacing.held = false;
        connection_owes(tcp, c);
    }
    if (c->active && c->active->delayed_ack_at && c->active->delayed_ack_at <= tcp->now) {
        c->active->delayed_ack_at = 0;
        c->pingpong = 0; /* nothing came for it to ride on */
        c->flags |= TCP_F_ACK_NOW;
        connection_owes(tcp, c);
    }
    if (c->active && c->active->loss.timer_at && c->active->loss.timer_at <= tcp->now)
        loss_due(tcp, c);
    if (c->active && c->active->rto_at && c->active->rto_at <= tcp->now) {
        if (c->active->flags & TCP_A_PERSIST)
            persist_due(tcp, c);
        else
            retransmission_due(tcp, c);
    }
    if (tcp_at(tcp, self)->generation != generation || c->state == 0)
        return;
    if (keepalive_at(tcp, c) <= tcp->now)
        keepalive_due(tcp, c);
    if (c->state != 0)
        connection_settle(tcp, c);
}
