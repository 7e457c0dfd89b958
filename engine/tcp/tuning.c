/* Buffers that tune themselves (Linux's tcp_rmem, tcp_wmem and tcp_moderate_rcvbuf).
 *
 * THEORY. Receiving (dynamic right-sizing; Linux's tcp_rcv_space_adjust): the window must be what
 * arrives in a round trip, and what arrives is what the application has read in one. So once a
 * receive RTT it is looked how much that was; if it was more than ever before, the buffer becomes
 * twice that (losses leave the rest waiting), and more by how fast it grows (slow start doubles it
 * while our ACK is on its way). The receive RTT comes from timestamps: how old is the echo in a
 * full segment; without them it is the time that a whole window takes, of which the shortest
 * counts. `clamp` keeps the window behind the buffer: it opens by twice what has come, so that a
 * peer is promised much only after it has sent much.
 *
 * A buffer of n octets is a window of n / 2: the other half is for what segments pin beyond their
 * octets (Linux's tcp_adv_win_scale = 1; window.c counts it). What SO_RCVBUF has set stays.
 *
 * Sending (tcp_sndbuf_expand): two windows as cwnd allows them, each segment with its overhead as
 * Linux has it; the buffer follows cwnd, which an idle connection's record keeps.
 *
 * Idleness: a reader that keeps up empties the buffer with each segment, and the connection would
 * be idle, and all this forgotten, many times in a round trip. So what has had a full segment stays
 * busy until none has come for an RTO. What an idle one remembers of its buffer is the window that
 * it has promised, which never shrinks. */
#include "engine/tcp/connection.h"

enum {
    FULL = 536,            /* octets of a segment that is likely not the last */
    INITIAL_SEGMENTS = 10, /* RFC 6928; Linux's TCP_INIT_CWND */
    SEGMENT_HEADERS = 640, /* Linux's MAX_TCP_HEADER and what ends an sk_buff... */
    SEGMENT_RECORD = 256,  /* ...which itself is this */
};

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static uint32_t greatest(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static bool is_set(const struct tcp_connection *c, enum berth_option option) {
    return tcp_option(c, option, 0) != 0;
}

/* ---- the receive buffer ---- */

static uint32_t usual(const struct tcp *tcp) {
    return least(tcp->config.tcp_receive_buffer_default, tcp->config.tcp_receive_buffer);
}

static uint32_t promised(const struct tcp_connection *c) {
    return seq_gt(c->rcv_edge, c->rcv_nxt) ? c->rcv_edge - c->rcv_nxt : 0;
}

uint32_t tuning_receive_buffer(const struct tcp *tcp, const struct tcp_connection *c) {
    if (is_set(c, BERTH_SO_RCVBUF)) /* Linux's SOCK_RCVBUF_LOCK */
        return (uint32_t)tcp_option(c, BERTH_SO_RCVBUF, 0);
    if (c->active)
        return c->active->tuning.buffer;
    uint32_t known = least(promised(c), UINT32_MAX / 2) * 2;
    return c->state == BERTH_LISTEN ? usual(tcp) : greatest(usual(tcp), known);
}

/* What a buffer of that size holds while memory lasts. */
static uint32_t under_pressure(const struct tcp *tcp, uint32_t limit, uint32_t granted) {
    uint64_t most = tcp->config.memory_limit;
    if (most == 0 || tcp->memory <= most / 4 * 3)
        return limit;
    tcp->counters->tcp_memory_pressure++;
    if (tcp->memory >= most)
        return 0;
    return least(limit, greatest(limit / 8, granted));
}

uint32_t tuning_receive_limit(const struct tcp *tcp, const struct tcp_connection *c) {
    return under_pressure(tcp, tuning_receive_buffer(tcp, c) / 2,
                          tcp->config.tcp_receive_buffer_min / 2);
}

uint32_t tuning_clamp(const struct tcp *tcp, const struct tcp_connection *c) {
    return c->active ? c->active->tuning.clamp
                     : greatest(promised(c), least(tuning_receive_buffer(tcp, c) / 2, 65535));
}

uint32_t tuning_first_window(const struct tcp *tcp, const struct tcp_connection *c, uint32_t mss,
                             uint32_t options) {
    bool set = is_set(c, BERTH_SO_RCVBUF);
    uint32_t buffer = set ? (uint32_t)tcp_option(c, BERTH_SO_RCVBUF, 0) : usual(tcp);
    uint32_t full = mss > options ? mss - options : 1;
    uint32_t window = under_pressure(tcp, buffer / 2, tcp->config.tcp_receive_buffer_min / 2);
    window = window > full ? window / full * full : window; /* whole segments, as Linux */
    return least(window, 65535); /* a SYN's is never scaled (RFC 7323 2.2) */
}

uint8_t tuning_scale(const struct tcp *tcp) {
    uint8_t scale = 0;
    while (scale < 14 && tcp->config.tcp_receive_buffer >> scale > 65535)
        scale++;
    return scale;
}

void tuning_begin(const struct tcp *tcp, struct tcp_connection *c) {
    struct tuning *t = &c->active->tuning;
    uint32_t known = least(promised(c), UINT32_MAX / 2), mss = c->mss ? c->mss : FULL;
    memset(t, 0, sizeof *t);
    t->buffer = greatest(usual(tcp), known * 2);
    t->clamp = greatest(known, least(tuning_receive_limit(tcp, c), 65535));
    t->space = least(t->clamp, INITIAL_SEGMENTS * mss);
    t->seq = c->active->read_seq;
    t->since = tcp->now;
}

/* ---- the receive RTT ---- */

static uint32_t microseconds(uint64_t ns) {
    uint64_t us = ns / 1000;
    return us == 0 ? 1 : us > UINT32_MAX >> 3 ? UINT32_MAX >> 3 : (uint32_t)us;
}

/* Linux's tcp_rcv_rtt_measure_ts: smoothed as SRTT is. */
void tuning_echo(const struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment,
                 const struct tcp_options *options) {
    struct tcp_active *a = c->active;
    if (!a || !options->has_timestamps || !(c->flags & TCP_F_TIMESTAMPS))
        return;
    struct tuning *t = &a->tuning;
    uint32_t length = segment->segment_size ? segment->segment_size : segment->length;
    uint32_t full = a->tally.longest ? a->tally.longest : least(FULL, c->mss);
    if (options->ts_echo == 0 || options->ts_echo == t->echo || length < full)
        return; /* one that is not full may have waited for the application */
    t->echo = options->ts_echo;
    int32_t ms = seq_diff(tcp_ts_now(tcp, c), options->ts_echo);
    if (ms < 0 || ms > 120000)
        return;
    uint32_t sample = microseconds((uint64_t)(ms ? ms : 1) * BERTH_MS);
    t->rtt = t->rtt ? t->rtt - (t->rtt >> 3) + sample : sample << 3;
}

/* Linux's tcp_rcv_rtt_measure: the shortest time in which a window came. */
static void time_window(const struct tcp *tcp, struct tcp_connection *c) {
    struct tuning *t = &c->active->tuning;
    if (t->rtt_from && seq_lt(c->rcv_nxt, t->rtt_seq))
        return;
    uint32_t sample = microseconds(tcp->now - t->rtt_from) << 3;
    if (t->rtt_from && !(c->flags & TCP_F_TIMESTAMPS) && (t->rtt == 0 || sample < t->rtt))
        t->rtt = sample;
    t->rtt_seq = c->rcv_nxt + promised(c);
    t->rtt_from = tcp->now;
}

void tuning_heard(const struct tcp *tcp, struct tcp_connection *c,
                  const struct tcp_segment *segment) {
    struct tuning *t = &c->active->tuning;
    uint64_t rto = rtt_rto(tcp, c);
    time_window(tcp, c);
    tuning_grow(tcp, c, segment);
    if (segment->length >= FULL && t->until < tcp->now + rto) /* not a timer for each segment */
        t->until = tcp->now + 2 * rto;
}

/* Linux's tcp_grow_window. Segments that pin far more than they carry open nothing. */
void tuning_grow(const struct tcp *tcp, struct tcp_connection *c,
                 const struct tcp_segment *segment) {
    const struct tcp_active *a = c->active;
    struct tuning *t = &c->active->tuning;
    uint32_t limit = tuning_receive_limit(tcp, c), held = a->receive.length + a->run_octets;
    if (segment->length < 128 || limit <= held || limit - held <= t->clamp)
        return;
    t->clamp += least(limit - held - t->clamp, 2 * greatest(segment->length, c->mss));
}

/* ---- what the application reads ---- */

static void resize(const struct tcp *tcp, struct tcp_connection *c, uint32_t copied) {
    struct tuning *t = &c->active->tuning;
    uint64_t window = 2 * (uint64_t)copied + 16u * c->mss;
    window += 2 * (window * (copied - t->space) / t->space);
    uint64_t buffer = 2 * window, most = tcp->config.tcp_receive_buffer;
    buffer = buffer < most ? buffer : most;
    if (buffer > t->buffer)
        t->buffer = (uint32_t)buffer;
}

void tuning_read(const struct tcp *tcp, struct tcp_connection *c) {
    struct tuning *t = &c->active->tuning;
    uint32_t copied = c->active->read_seq - t->seq;
    if (t->rtt == 0 || tcp->now - t->since < (uint64_t)(t->rtt >> 3) * 1000)
        return;
    if (copied > t->space) {
        if (tcp->config.tcp_moderate_rcvbuf && !is_set(c, BERTH_SO_RCVBUF))
            resize(tcp, c, copied);
        t->space = copied;
    }
    t->seq = c->active->read_seq;
    t->since = tcp->now;
}

/* ---- the send buffer ---- */

/* Octets of memory that Linux counts for a segment. */
static uint32_t segment_cost(const struct tcp_connection *c) {
    uint32_t size = 1;
    while (size < c->mss + (uint32_t)SEGMENT_HEADERS)
        size *= 2;
    return size + SEGMENT_RECORD;
}

uint32_t tuning_send_buffer(const struct tcp *tcp, const struct tcp_connection *c) {
    uint32_t most = tcp->config.tcp_send_buffer;
    uint32_t buffer = least(tcp->config.tcp_send_buffer_default, most);
    if (is_set(c, BERTH_SO_SNDBUF)) /* SOCK_SNDBUF_LOCK */
        return (uint32_t)tcp_option(c, BERTH_SO_SNDBUF, 0);
    if (c->mss == 0 || c->cwnd == 0)
        return buffer; /* no connection yet */
    uint64_t segments = greatest(INITIAL_SEGMENTS, c->cwnd / c->mss);
    uint64_t wish = 2 * segments * segment_cost(c);
    return greatest(buffer, wish < most ? (uint32_t)wish : most);
}

uint32_t tuning_send_limit(const struct tcp *tcp, const struct tcp_connection *c) {
    return under_pressure(tcp, tuning_send_buffer(tcp, c), tcp->config.tcp_send_buffer_min);
}
