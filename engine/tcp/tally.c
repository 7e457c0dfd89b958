#include "engine/tcp/tally.h"
#include "engine/tcp/connection.h"

enum { REORDERING = 3, REORDERING_MOST = 300 }; /* Linux's tcp_reordering and tcp_max_reordering */

static uint32_t pieces(uint32_t octets, uint32_t size) {
    return size && octets ? (octets - 1) / size + 1 : octets != 0;
}

/* 0 stands for "never". */
static uint32_t stamp(const struct tcp *tcp) {
    uint32_t ms = tcp_ms(tcp);
    return ms ? ms : 1;
}

void tally_sent(struct tcp *tcp, struct tcp_connection *c, uint32_t octets, uint32_t mss,
                bool fresh) {
    struct tcp_tally *t = &c->active->tally;
    uint32_t segments = pieces(octets, mss);
    if (octets == 0)
        return;
    t->segments_out += segments - 1; /* that there was one has been counted */
    t->data_out += segments;
    t->bytes_sent += octets;
    t->sent_ms = stamp(tcp);
    if (t->hold == TALLY_IDLE)
        tally_hold(tcp, c, TALLY_BUSY);
    if (!fresh) {
        t->bytes_resent += octets;
        t->resent += segments;
    }
}

void tally_heard(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment) {
    struct tcp_tally *t = &c->active->tally;
    uint32_t segments = pieces(segment->length, segment->segment_size);
    t->segments_in += segments ? segments : 1;
    if (segments == 0)
        return;
    uint32_t length = segment->segment_size ? segment->segment_size : segment->length;
    t->data_in += segments;
    t->received_ms = stamp(tcp);
    t->longest = length > t->longest ? length : t->longest;
}

void tally_round_begins(struct tcp_connection *c) {
    struct tcp_tally *t = &c->active->tally;
    t->rate_from = t->bytes_acked;
    t->round_limited = connection_unsent(c) == 0;
}

/* A rate that the application did not let be higher says something of the path only if it is higher
 * than the last one (draft-cheng-iccrg-delivery-rate-estimation, as Linux). */
void tally_round_ends(struct tcp *tcp, struct tcp_connection *c, uint32_t acked) {
    struct tcp_tally *t = &c->active->tally;
    uint64_t took = tcp->now - c->active->rtt_at;
    took = took > 1000 ? took : 1000; /* as the RTT: a microsecond at least */
    uint64_t rate = (t->bytes_acked + acked - t->rate_from) * BERTH_SECOND / took;
    if (rate && (!t->round_limited || rate >= t->rate)) {
        t->rate = rate;
        t->rate_limited = t->round_limited;
    }
}

void tally_acked(struct tcp *tcp, struct tcp_connection *c, uint32_t octets, bool all) {
    struct tcp_tally *t = &c->active->tally;
    t->bytes_acked += octets;
    if (all)
        tally_hold(tcp, c, TALLY_IDLE);
}

void tally_hold(const struct tcp *tcp, struct tcp_connection *c, enum tally_hold hold) {
    struct tcp_tally *t = &c->active->tally;
    t->held[t->hold] += tcp->now - t->held_since;
    t->held_since = tcp->now;
    t->hold = (uint8_t)hold;
}

void tally_reordered(struct tcp_connection *c, uint32_t octets) {
    struct tcp_tally *t = &c->active->tally;
    uint32_t segments = pieces(octets, connection_payload_most(c));
    t->reordered++;
    segments = segments < REORDERING_MOST ? segments : REORDERING_MOST;
    if (segments > (t->reordering ? t->reordering : REORDERING))
        t->reordering = (uint16_t)segments;
}

/* The lower one that there is. */
static uint32_t lower(uint32_t a, uint32_t b) {
    return a && (b == 0 || a < b) ? a : b;
}

void tally_keep(struct tcp *tcp, struct tcp_connection *c) {
    c->active->tally.min_rtt = lower(c->active->loss.min_rtt, c->active->tally.min_rtt);
    c->active->tally.receive_rtt = c->active->tuning.rtt;
    c->active->tally.receive_space = c->active->tuning.space;
    if ((c->extra || tcp->config.tcp_keep_tallies) && connection_extra(tcp, c))
        c->extra->tally = c->active->tally;
}

void tally_restore(struct tcp_connection *c) {
    struct tuning *tuning = &c->active->tuning;
    if (!c->extra)
        return;
    c->active->tally = c->extra->tally;
    tuning->rtt = c->active->tally.receive_rtt;
    if (c->active->tally.receive_space)
        tuning->space = c->active->tally.receive_space;
}

static uint64_t since(const struct tcp *tcp, uint32_t ms) {
    return ms ? (uint64_t)(tcp_ms(tcp) - ms) * BERTH_MS : BERTH_NEVER;
}

void tally_tell(const struct tcp *tcp, const struct tcp_connection *c,
                struct berth_tcp_info *info) {
    static const struct tcp_tally none = {0};
    const struct tcp_tally *t = c->active ? &c->active->tally : c->extra ? &c->extra->tally : &none;
    info->bytes_acked = t->bytes_acked;
    info->bytes_received = t->bytes_received;
    info->bytes_sent = t->bytes_sent;
    info->bytes_retransmitted = t->bytes_resent;
    info->segments_out = t->segments_out;
    info->segments_in = t->segments_in;
    info->data_segments_out = t->data_out;
    info->data_segments_in = t->data_in;
    info->retransmitted = t->resent;
    info->out_of_order = t->out_of_order;
    info->dsacks = t->dsacks;
    info->received_mss = t->longest;
    info->min_rtt = (uint64_t)lower(c->active ? c->active->loss.min_rtt : 0, t->min_rtt) * 1000;
    info->receive_rtt =
        (uint64_t)((c->active ? c->active->tuning.rtt : t->receive_rtt) >> 3) * 1000;
    info->receive_space = c->active ? c->active->tuning.space : t->receive_space;
    info->now = tcp->now;
    info->since_sent = since(tcp, t->sent_ms);
    info->since_received = since(tcp, t->received_ms);
    info->since_heard = since(tcp, c->last_heard);
    uint64_t held[TALLY_HOLDS];
    memcpy(held, t->held, sizeof held);
    held[t->hold] += tcp->now - t->held_since;
    info->busy = held[TALLY_BUSY] + held[TALLY_WINDOW] + held[TALLY_BUFFER];
    info->window_limited = held[TALLY_WINDOW];
    info->buffer_limited = held[TALLY_BUFFER];
    info->reordering_degree = t->reordering ? t->reordering : REORDERING;
    info->reordering_seen = t->reordered;
    info->marked = t->marked;
    info->options |= t->ecn_seen ? 16 : 0;
    info->delivery_rate = t->rate;
    info->application_limited = t->rate_limited;
}
