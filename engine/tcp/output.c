/* What a connection sends next, one segment a call (RFC 9293 3.8.6, 3.7.4; RFC 5681).
 *
 * THEORY. Nobody pushes segments out: whoever changes a connection so that it may have something to
 * send puts it into the output ring, and here, when the host pulls, it is decided what that is: a
 * SYN, a retransmission that recovery asked for, a probe, new octets as far as cwnd and the peer's
 * window go, a FIN, or a bare ACK. So acknowledgments coalesce, and ride on data, by themselves.
 * Every segment carries the ACK and the window of the moment, and so settles what was owed. */
#include "engine/tcp/connection.h"

/* The SACK blocks that the next segment carries. data: it is to have octets, and at least half of
 * its room is for them. */
static unsigned sack_blocks(const struct tcp_connection *c, bool data) {
    if (!c->sack || !c->active)
        return 0;
    unsigned count = sack_count(&c->active->said), most = c->flags & TCP_F_TIMESTAMPS ? 3 : 4;
    while (data && count && sack_length(count) > connection_payload_most(c) / 2)
        count--;
    return count < most ? count : most;
}

/* Octets of payload in a full segment of now (RFC 6691). */
static uint32_t payload_most(const struct tcp_connection *c) {
    return connection_payload_most(c) - sack_length(sack_blocks(c, true));
}

/* Says what is held beyond a gap (RFC 2018 section 4: in every segment that acknowledges). */
static void fill_sack(struct tcp *tcp, struct tcp_connection *c, struct tcp_emit *emit,
                      unsigned blocks) {
    struct tcp_active *a = c->active;
    struct tcp_options options = {
        .has_timestamps = (c->flags & TCP_F_TIMESTAMPS) != 0,
        .ts_value = tcp_ts_now(tcp, c),
        .ts_echo = c->ts_recent,
    };
    sack_say(&a->said, a->duplicates, blocks, &options);
    a->said.twice.left = a->said.twice.right; /* RFC 2883 section 4: once only */
    emit->header_length =
        (uint8_t)(TCP_HEADER_MIN + tcp_options_write(emit->header + TCP_HEADER_MIN, &options));
    emit->header[12] = (uint8_t)(emit->header_length << 2);
}

/* Writes the header, with so many SACK blocks; what it says of ACK and window is noted as said. */
static void fill(struct tcp *tcp, struct tcp_connection *c, struct tcp_emit *emit, uint32_t seq,
                 uint16_t flags, unsigned blocks) {
    uint8_t *h = emit->header;
    uint32_t window = window_to_offer(tcp, c);
    unsigned shift = c->scales >> 4;
    emit->local = c->tuple.local;
    emit->remote = c->tuple.remote;
    emit->interface = c->interface;
    emit->tos = c->extra ? (uint8_t)tcp_option(c, BERTH_IP_TOS, 0) : 0;
    emit->ttl = c->extra ? (uint8_t)tcp_option(c, BERTH_IP_TTL, 0) : 0;
    emit->segment_size = 0;
    emit->part_count = 0;
    emit->length = 0;
    emit->header_length = (uint8_t)(TCP_HEADER_MIN + connection_timestamps_length(c));
    store_be16(h, c->tuple.local_port);
    store_be16(h + 2, c->tuple.remote_port);
    store_be32(h + 4, seq);
    store_be32(h + 8, c->rcv_nxt);
    h[12] = (uint8_t)(emit->header_length << 2);
    h[13] =
        (uint8_t)(flags | (c->active && c->active->ecn.echo ? TCP_ECE : 0)); /* RFC 3168 6.1.3 */
    store_be16(h + 14, (uint16_t)(window >> shift));
    store_be32(h + 16, 0);
    if (c->flags & TCP_F_TIMESTAMPS) {
        store_be32(h + 20, 0x0101080a); /* NOP NOP, kind 8, length 10 */
        store_be32(h + 24, tcp_ts_now(tcp, c));
        store_be32(h + 28, c->ts_recent);
    }
    if (blocks)
        fill_sack(tcp, c, emit, blocks);
    c->rcv_edge = seq_max(c->rcv_edge, c->rcv_nxt + window);
    c->flags &= (uint16_t)~TCP_F_ACK_NOW;
    if (c->active) {
        struct tcp_active *a = c->active;
        if (a->quick_acks && a->last_ack_sent != c->rcv_nxt)
            a->quick_acks--;
        a->last_ack_sent = c->rcv_nxt;
        a->ack_octets = 0;
        a->delayed_ack_at = 0;
        a->flags &= (uint16_t) ~(TCP_A_PUSHED | TCP_A_PUSHED_TWICE);
        a->tally.segments_out++;
    }
    tcp->counters->tcp_out_segs++;
}

/* Starts the clocks of what has been sent, [seq, end); `fresh`: never sent before. */
static void sent(struct tcp *tcp, struct tcp_connection *c, uint32_t seq, uint32_t end,
                 bool fresh) {
    struct tcp_active *a = c->active;
    if (a->rto_at == 0 || (a->flags & TCP_A_PERSIST)) {
        a->flags &= (uint16_t)~TCP_A_PERSIST;
        a->rto_at = 0;
    }
    if (a->stalled_since == 0)
        a->stalled_since = tcp->now;
    if (a->rto_at == 0)
        a->rto_at = rtt_expiry(tcp, c); /* RFC 6298 5.1 */
    a->sent_at = tcp->now;
    a->congestion.rests = 0;
    if (c->unanswered && tcp_ms(tcp) - c->last_heard < tcp->config.tcp_delayed_ack / BERTH_MS)
        c->pingpong = 1; /* an answer: see receive.c */
    c->unanswered = 0;
    if (!fresh) {
        a->rtt_at = 0; /* Karn: what was timed may be what was sent again */
        tcp->counters->tcp_retrans_segs++;
    } else if (a->rtt_at == 0) {
        a->rtt_seq = end;
        a->rtt_at = tcp->now;
        tally_round_begins(c);
    }
    if (loss_is_used(c))
        loss_sent(tcp, c, seq, end, fresh);
}

static bool send_syn(struct tcp *tcp, struct tcp_connection *c, struct tcp_emit *emit) {
    struct tcp_active *a = c->active;
    bool reply = c->state == BERTH_SYN_RECEIVED;
    struct tcp_options options = {.has_mss = true};
    bool fresh = a->snd_max == c->snd_una;
    int asked = tcp_option(c, BERTH_TCP_MAXSEG, 65535);
    bool v4 = berth_ip_is_v4(&c->tuple.remote);
    options.mss = connection_mss_for(tcp, c->interface, v4);
    if (asked < options.mss)
        options.mss = (uint16_t)asked;
    options.has_wscale = c->scales != 0;
    options.wscale = c->scales >> 4;
    options.has_timestamps =
        tcp->config.tcp_timestamps && (!reply || (c->flags & TCP_F_TIMESTAMPS));
    options.sack_permitted = tcp->config.tcp_sack && (!reply || c->sack);
    options.ts_value = tcp_ts_now(tcp, c);
    options.ts_echo = reply ? c->ts_recent : 0;
    fill(tcp, c, emit, c->snd_una, (uint16_t)(TCP_SYN | (reply ? TCP_ACK : ecn_syn_flags(tcp, c))),
         0);
    if (!reply)
        store_be32(emit->header + 8, 0);
    uint32_t window =
        tuning_first_window(tcp, c, connection_mss_for(tcp, c->interface, v4),
                            reply && c->flags & TCP_F_TIMESTAMPS ? TCP_TIMESTAMPS : 0);
    store_be16(emit->header + 14, (uint16_t)window);
    c->rcv_edge = c->rcv_nxt + window;
    emit->header_length =
        (uint8_t)(TCP_HEADER_MIN + tcp_options_write(emit->header + TCP_HEADER_MIN, &options));
    emit->header[12] = (uint8_t)(emit->header_length << 2);
    c->snd_nxt = c->snd_una + 1;
    a->snd_max = seq_max(a->snd_max, c->snd_nxt);
    sent(tcp, c, c->snd_una, c->snd_nxt, fresh);
    return true;
}

static void mark_urgent(const struct tcp_connection *c, struct tcp_emit *emit, uint32_t seq) {
    const struct tcp_active *a = c->active;
    if (!(a->flags & TCP_A_SND_URGENT) || !seq_gt(a->urgent_seq, seq))
        return;
    uint32_t ahead =
        a->urgent_seq - seq; /* the octet after the urgent one, as Linux and RFC 6093 have it */
    emit->header[13] |= TCP_URG;
    store_be16(emit->header + 18, (uint16_t)(ahead > 65535 ? 65535 : ahead));
}

/* A segment with octets [seq, seq+length) of the stream, and the FIN if it is their end. */
static bool send_data(struct tcp *tcp, struct tcp_connection *c, struct tcp_emit *emit,
                      uint32_t seq, uint32_t length, bool fin) {
    struct tcp_active *a = c->active;
    uint32_t mss = payload_most(c), got = 0;
    int parts = 0;
    if (length)
        parts =
            stream_view(&a->send, seq - c->snd_una, length, emit->parts, BERTH_FRAME_PARTS, &got);
    if (got < length) { /* too many pieces for one frame */
        length = got > mss ? got / mss * mss : got;
        parts =
            stream_view(&a->send, seq - c->snd_una, length, emit->parts, BERTH_FRAME_PARTS, &got);
        fin = false;
    }
    uint32_t end = seq + length, all = c->snd_una + a->send.length;
    uint16_t flags = TCP_ACK;
    if (length && (end == all || (seq_ge(end, a->push_seq) && seq_lt(seq, a->push_seq))))
        flags |= TCP_PSH; /* MUST-61 */
    if (fin)
        flags |= TCP_FIN;
    fill(tcp, c, emit, seq, flags, sack_blocks(c, length != 0));
    emit->part_count = (uint8_t)parts;
    emit->length = length;
    emit->segment_size = length > mss ? (uint16_t)mss : 0;
    mark_urgent(c, emit, seq);
    if (length && length % mss != 0)
        a->small_seq = end;
    end += fin;
    bool fresh = seq_ge(seq, a->snd_max);
    if (!fresh)
        path_resent(tcp, c, seq);
    ecn_mark(c, emit, fresh);
    if (seq_gt(end, c->snd_nxt))
        c->snd_nxt = end;
    a->snd_max = seq_max(a->snd_max, c->snd_nxt);
    tally_sent(tcp, c, length, mss, fresh);
    sent(tcp, c, seq, end, fresh);
    pacing_sent(tcp, c, length);
    if (c->flags & TCP_F_WAS_FULL && c->extra) /* TCP_NOTSENT_LOWAT counts what was not sent */
        transfer_tell_of_room(tcp, c);
    return true;
}

/* A segment without octets one below what is expected: the peer answers it with an ACK (keep-alive,
 * SHLD-12; zero-window probe, MUST-36). */
static bool send_probe(struct tcp *tcp, struct tcp_connection *c, struct tcp_emit *emit) {
    c->active->flags &= (uint16_t) ~(TCP_A_PROBE | TCP_A_KEEPALIVE);
    fill(tcp, c, emit, c->snd_una - 1, TCP_ACK, sack_blocks(c, false));
    mark_urgent(c, emit, c->snd_una - 1); /* MUST-62 */
    return true;
}

/* The most octets one segment may carry toward this connection's interface: a multiple of mss. */
static uint32_t segment_most(const struct tcp *tcp, const struct tcp_connection *c, uint32_t mss) {
    const struct tcp_interface *interface = &tcp->interfaces[c->interface % TCP_INTERFACES];
    if (interface->segment_max <= interface->mtu || (c->active->flags & TCP_A_RECOVERY))
        return mss;
    uint32_t headers = (berth_ip_is_v4(&c->tuple.remote) ? 20u : 40u) + TCP_HEADER_MIN +
                       connection_timestamps_length(c) + sack_length(sack_blocks(c, true));
    uint32_t most = interface->segment_max > headers ? interface->segment_max - headers : mss;
    return most > mss ? most / mss * mss : mss;
}

/* True if a segment shorter than mss may go (RFC 9293 3.7.4 Nagle, 3.8.6.2.1 SWS). all: it is all
 * there is. */
static bool small_may_go(const struct tcp_connection *c, uint32_t seq, uint32_t length, bool all) {
    const struct tcp_active *a = c->active;
    if (seq_lt(seq, a->snd_max) || (a->flags & TCP_A_FORCE))
        return true; /* a retransmission; or the override timer fired */
    if (!all)
        return length >=
               a->snd_wnd_max / 2; /* MUST-38: the window, not the data, is what is small */
    if (c->flags & TCP_F_SND_SHUT)
        return true;
    if ((a->flags & TCP_A_SND_URGENT) && seq_gt(a->urgent_seq, seq))
        return true;
    if (tcp_option(c, BERTH_TCP_CORK, 0) ||
        ((a->flags & TCP_A_MORE) && a->more_seq == seq + length))
        return false;
    if (c->flags & TCP_F_NODELAY)
        return true;
    /* Hold it while an earlier small one is unacknowledged (SHLD-7; Minshall's variant, as in
     * Linux). */
    return !(seq_gt(a->small_seq, c->snd_una) && seq_le(a->small_seq, c->snd_nxt) &&
             a->snd_max != c->snd_una);
}

static bool fin_waits(const struct tcp_connection *c) {
    return c->state == BERTH_FIN_WAIT_1 || c->state == BERTH_CLOSING || c->state == BERTH_LAST_ACK;
}

/* Nothing may go though octets wait and nothing is in flight: only time or the peer can help
 * (MUST-36, MUST-38); else the retransmission timer does (6298-4, 5681-4). */
static void wait_for_window(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    if (a->rto_at != 0 || a->snd_max != c->snd_una)
        return;
    a->flags |= TCP_A_PERSIST;
    if (c->snd_wnd == 0)
        a->stalled_since = tcp->now; /* 6429-1 */
    /* The override is RFC 9293's 0.1-1 s; corked octets wait as long as Linux makes them, 200 ms.
     */
    a->rto_at = c->snd_wnd == 0 ? rtt_expiry(tcp, c) : tcp->now + 200 * BERTH_MS;
}

/* One segment of `size`, larger than the others, when cwnd has room for it. */
static bool send_larger(struct tcp *tcp, struct tcp_connection *c, struct tcp_emit *emit,
                        uint16_t size) {
    uint32_t seq = c->snd_nxt;
    uint16_t mss = c->mss;
    c->mss = size;
    uint32_t length = payload_most(c);
    bool goes = loss_room(c) >= length && send_data(tcp, c, emit, seq, length, false);
    c->mss = mss;
    if (goes)
        path_tried(c, seq, c->snd_nxt);
    return goes;
}

/* Nothing more goes now: for what reason? As Linux's chronograph has it (tcp_write_xmit,
 * tcp_cwnd_validate). */
static void note_hold(const struct tcp *tcp, struct tcp_connection *c, uint32_t waiting,
                      uint32_t congestion, uint32_t offered) {
    enum tally_hold hold = c->active->send.length ? TALLY_BUSY : TALLY_IDLE;
    if (waiting > offered && offered <= congestion)
        hold = TALLY_WINDOW;
    else if (!waiting && hold && congestion && c->flags & TCP_F_WAS_FULL)
        hold = TALLY_BUFFER;
    if (hold != c->active->tally.hold)
        tally_hold(tcp, c, hold);
}

static bool send_new(struct tcp *tcp, struct tcp_connection *c, struct tcp_emit *emit) {
    struct tcp_active *a = c->active;
    uint32_t ahead = c->snd_nxt - c->snd_una;
    if (ahead > a->send.length) /* the FIN is out */
        return false;
    uint32_t waiting = a->send.length - ahead;
    if (waiting && pacing_holds(tcp, c))
        return false;
    uint32_t offered = c->snd_wnd > ahead ? c->snd_wnd - ahead : 0;
    uint16_t larger = path_wants(tcp, c, waiting, offered);
    if (larger)
        return send_larger(tcp, c, emit, larger);
    uint32_t congestion = loss_room(c), mss = payload_most(c);
    uint32_t usable = congestion < offered ? congestion : offered;
    uint32_t length = waiting < usable ? waiting : usable;
    bool all = length == waiting, fin = all && fin_waits(c);
    if (c->snd_wnd == 0 && seq_lt(c->snd_nxt, a->snd_max))
        fin = false; /* it did not go through a closed window: it is probed instead */
    if (!all && congestion < offered) {
        a->flags |= TCP_A_CWND_FULL;
        a->cwnd_seq = c->snd_nxt;
        if (!(a->flags & TCP_A_FORCE))
            length -= length % mss; /* cwnd is no reason for small segments */
    }
    uint32_t most = pacing_most(c, segment_most(tcp, c, mss), mss);
    if (length > most) {
        length = most;
        all = fin = false;
    }
    if (length % mss != 0 && !small_may_go(c, c->snd_nxt, length, all)) {
        length = length / mss * mss; /* what is full may go, the rest waits */
        fin = false;
    }
    if (length == 0 && !fin) {
        note_hold(tcp, c, waiting, congestion, offered);
        if (waiting)
            wait_for_window(tcp, c);
        return false;
    }
    a->flags &= (uint16_t)~TCP_A_FORCE;
    return send_data(tcp, c, emit, c->snd_nxt, length, fin);
}

/* Octets [seq, end) again, or as many of them as a segment holds, with the FIN if it is theirs. */
static bool send_again(struct tcp *tcp, struct tcp_connection *c, struct tcp_emit *emit,
                       uint32_t seq, uint32_t end) {
    struct tcp_active *a = c->active;
    uint32_t mss = payload_most(c), octets = c->snd_una + a->send.length;
    bool fin = seq_gt(end, octets) && octets - seq <= mss && fin_waits(c);
    uint32_t length = seq_min(end, octets) - seq;
    if (length == 0 && !fin)
        return false;
    if (seq == c->snd_una)
        a->rto_at = 0; /* RFC 6582 3.2 step 3: the timer starts anew with a retransmission */
    return send_data(tcp, c, emit, seq, length < mss ? length : mss, fin);
}

/* What recovery has found lost. */
static bool send_lost(struct tcp *tcp, struct tcp_connection *c, struct tcp_emit *emit) {
    uint32_t seq, end;
    if (c->active->resend) {
        c->active->resend = 0;
        return send_again(tcp, c, emit, c->snd_una, c->active->snd_max);
    }
    return loss_next(c, &seq, &end) && send_again(tcp, c, emit, seq, end);
}

/* A tail loss probe (RFC 8985 7.3): a new segment, even beyond cwnd; else the last one again. */
static bool send_tail(struct tcp *tcp, struct tcp_connection *c, struct tcp_emit *emit) {
    struct tcp_active *a = c->active;
    a->loss.flags &= (uint16_t)~LOSS_PROBE_DUE;
    a->limited = 1;
    bool fresh = a->send.length > c->snd_nxt - c->snd_una && send_new(tcp, c, emit);
    a->limited = 0;
    if (!fresh && !send_again(tcp, c, emit, tlp_last(c), a->snd_max))
        return false;
    tlp_sent(tcp, c, fresh);
    return true;
}

bool connection_output(struct tcp *tcp, struct tcp_connection *c, struct tcp_emit *emit) {
    struct tcp_active *a = c->active;
    if (c->state == BERTH_SYN_SENT || c->state == BERTH_SYN_RECEIVED) {
        if (a && c->snd_nxt == c->snd_una)
            return send_syn(tcp, c, emit);
        if (c->state == BERTH_SYN_SENT)
            return false;
    } else if (c->state == BERTH_TCP_CLOSED || c->state == BERTH_LISTEN || c->state == 0) {
        return false;
    }
    if (a && c->state != BERTH_SYN_RECEIVED) {
        if (send_lost(tcp, c, emit))
            return true;
        if (a->loss.flags & LOSS_PROBE_DUE && send_tail(tcp, c, emit))
            return true;
        if ((a->flags & (TCP_A_PROBE | TCP_A_KEEPALIVE)))
            return send_probe(tcp, c, emit);
        /* RFC 6675 NextSeg: what is lost goes before what is new. */
        bool lost_first = a->loss.score.waiting && !(a->loss.flags & LOSS_FRTO);
        if (!lost_first && (a->send.length || fin_waits(c)) && send_new(tcp, c, emit))
            return true;
    }
    if (!(c->flags & TCP_F_ACK_NOW) && !(a && a->duplicates))
        return false;
    /* The first ACK of its number is no duplicate. */
    bool duplicate = a && a->duplicates && a->last_ack_sent == c->rcv_nxt;
    fill(tcp, c, emit, tcp_snd_max(c), TCP_ACK, sack_blocks(c, false));
    if (duplicate)
        a->duplicates--;
    return true;
}
