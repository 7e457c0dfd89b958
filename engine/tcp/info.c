/* Looking at sockets: names, user data, TCP_INFO, and the rows of `ss`. */
#include "engine/tcp/connection.h"

int tcp_local(const struct tcp *tcp, uint32_t socket, struct berth_endpoint *local) {
    const struct tcp_connection *c = tcp_at(tcp, socket);
    struct berth_ip any = {{0}};
    if ((c->flags & TCP_F_IN_PORTS) || c->tuple.remote_port) {
        local->ip = c->tuple.local;
        local->port = c->tuple.local_port;
    } else if (c->extra && c->extra->bind) {
        *local = c->extra->bound;
    } else {
        local->ip = c->flags & TCP_F_IPV6 ? any : berth_ip_v4(0);
        local->port = 0;
    }
    return 0;
}

int tcp_remote(const struct tcp *tcp, uint32_t socket, struct berth_endpoint *remote) {
    const struct tcp_connection *c = tcp_at(tcp, socket);
    if (c->state == BERTH_TCP_CLOSED || c->state == BERTH_LISTEN || c->state == BERTH_SYN_SENT)
        return -ENOTCONN;
    remote->ip = c->tuple.remote;
    remote->port = c->tuple.remote_port;
    return 0;
}

int tcp_set_user(struct tcp *tcp, uint32_t socket, uint64_t user) {
    tcp_at(tcp, socket)->user = user;
    return 0;
}

static void queues(const struct tcp_connection *c, uint32_t *receive, uint32_t *send) {
    if (c->state == BERTH_LISTEN) {
        *receive = c->extra->listener->accept.count;
        *send = (uint32_t)c->extra->listener->backlog;
    } else {
        *receive = c->active ? c->active->receive.length : 0;
        *send = c->active ? c->active->send.length : 0;
    }
}

static void recovery(const struct tcp_active *a, struct berth_tcp_info *info) {
    const struct loss *l = &a->loss;
    info->recovery = l->flags & LOSS_TIMEOUT          ? 4
                     : a->flags & TCP_A_RECOVERY      ? 3
                     : l->score.sacked || a->dup_acks ? 1
                                                      : 0;
    info->reordering = (l->flags & LOSS_REORDERED) != 0;
    info->sacked = l->score.sacked;
    info->lost = l->score.waiting;
    info->resent = score_out_again(&l->score);
}

int tcp_info(const struct tcp *tcp, uint32_t socket, struct berth_tcp_info *info) {
    const struct tcp_connection *c = tcp_at(tcp, socket);
    const struct tcp_active *a = c->active;
    memset(info, 0, sizeof *info);
    info->state = c->state;
    uint8_t scales = (c->scales & 15) == 15 ? 0 : c->scales; /* an offer is no agreement */
    info->send_wscale = scales & 15;
    info->receive_wscale = scales >> 4;
    info->options = (uint8_t)((c->flags & TCP_F_TIMESTAMPS ? 1 : 0) | (c->sack ? 2 : 0) |
                              (scales ? 4 : 0) | (c->ecn ? 8 : 0));
    info->send_mss = c->mss ? connection_payload_most(c) : 0;
    info->receive_mss = connection_mss_for(tcp, c->interface, berth_ip_is_v4(&c->tuple.remote));
    info->mtu = tcp->interfaces[c->interface % TCP_INTERFACES].mtu;
    info->rto = rtt_rto(tcp, c);
    info->srtt = (uint64_t)(c->srtt >> 3) * 1000;
    info->rttvar = (uint64_t)(c->rttvar >> 2) * 1000;
    info->cwnd = c->cwnd;
    info->ssthresh = c->ssthresh;
    info->send_window = c->snd_wnd;
    info->receive_window = seq_gt(c->rcv_edge, c->rcv_nxt) ? c->rcv_edge - c->rcv_nxt : 0;
    info->receive_clamp = tuning_clamp(tcp, c);
    info->unacked = tcp_flight(c);
    info->congestion = c->congestion;
    info->delayed_ack = tcp->config.tcp_delayed_ack;
    info->pacing_rate = pacing_wish(c);
    info->pacing_rate_max = (uint32_t)tcp_option(c, BERTH_SO_MAX_PACING_RATE, -1);
    tally_tell(tcp, c, info);
    queues(c, &info->receive_queue, &info->send_queue);
    if (a) {
        info->retransmits = a->retransmits;
        info->backoff = a->backoff;
        info->probes = a->probes;
        recovery(a, info);
    }
    return 0;
}

/* ---- rows ---- */

static bool connection_row(const struct tcp *tcp, uint32_t index, struct berth_socket_row *row) {
    const struct tcp_connection *c = tcp_at(tcp, index);
    if (c->state == 0)
        return false;
    memset(row, 0, sizeof *row);
    row->socket = c->flags & TCP_F_ORPHAN ? 0 : (uint64_t)c->generation << 32 | index;
    row->user = c->flags & TCP_F_ORPHAN ? 0 : c->user;
    row->protocol = BERTH_TCP;
    row->family = c->flags & TCP_F_IPV6 ? 6 : 4;
    row->state = c->state;
    tcp_local(tcp, index, &row->local);
    if (row->family == 4)
        row->remote.ip = berth_ip_v4(0);
    if (c->state != BERTH_LISTEN && c->state != BERTH_TCP_CLOSED) {
        row->remote.ip = c->tuple.remote;
        row->remote.port = c->tuple.remote_port;
    }
    queues(c, &row->receive_queue, &row->send_queue);
    if (timer_is_set(&c->timer)) {
        uint64_t when = timer_when(&tcp->wheel, &c->timer);
        row->timer = when > tcp->now ? when - tcp->now : 1;
    }
    return true;
}

static void small_row(struct berth_socket_row *row, const struct tuple *tuple, uint8_t state) {
    memset(row, 0, sizeof *row);
    row->protocol = BERTH_TCP;
    row->family = berth_ip_is_v4(&tuple->remote) ? 4 : 6;
    row->state = state;
    row->local = (struct berth_endpoint){tuple->local, tuple->local_port};
    row->remote = (struct berth_endpoint){tuple->remote, tuple->remote_port};
}

static bool row_of(const struct tcp *tcp, enum tcp_kind kind, uint32_t index,
                   struct berth_socket_row *row) {
    if (kind == TCP_CONNECTION)
        return connection_row(tcp, index, row);
    if (kind == TCP_HALF_OPEN) {
        const struct tcp_half_open *record = pool_at(&tcp->half_opens, index);
        if (record->listener == 0)
            return false;
        small_row(row, &record->tuple, BERTH_SYN_RECEIVED);
        return true;
    }
    const struct tcp_time_wait *record = pool_at(&tcp->time_waits, index);
    if (record->due == 0)
        return false;
    small_row(row, &record->tuple, BERTH_TIME_WAIT);
    return true;
}

/* The cursor is the next record to look at: its kind above, its index below. */
size_t tcp_rows(const struct tcp *tcp, uint64_t *cursor, struct berth_socket_row *rows, size_t max,
                uint64_t now) {
    const struct pool *pools[] = {&tcp->connections, &tcp->half_opens, &tcp->time_waits};
    uint64_t kind = *cursor >> 32;
    uint32_t index = (uint32_t)*cursor;
    size_t count = 0;
    (void)now;
    index = index ? index : 1;
    while (kind < 3 && count < max) {
        if (!pool_has(pools[kind], index)) {
            kind++;
            index = 1;
            continue;
        }
        if (row_of(tcp, (enum tcp_kind)kind, index, &rows[count]))
            count++;
        index++;
    }
    *cursor = kind << 32 | index;
    return count;
}
