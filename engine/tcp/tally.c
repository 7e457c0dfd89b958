#include "engine/tcp/tally.h"
#include "engine/tcp/connection.h"

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
    if (t->busy_since == 0)
        t->busy_since = tcp->now;
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
    uint64_t rate = took ? (t->bytes_acked + acked - t->rate_from) * BERTH_SECOND / took : 0;
    if (rate && (!t->round_limited || rate >= t->rate)) {
        t->rate = rate;
        t->rate_limited = t->round_limited;
    }
}

void tally_acked(struct tcp *tcp, struct tcp_connection *c, uint32_t octets, bool all) {
    struct tcp_tally *t = &c->active->tally;
    t->bytes_acked += octets;
    if (all && t->busy_since) {
        t->busy += tcp->now - t->busy_since;
        t->busy_since = 0;
    }
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
    info->busy = t->busy + (t->busy_since ? tcp->now - t->busy_since : 0);
    info->delivery_rate = t->rate;
    info->application_limited = t->rate_limited;
}
