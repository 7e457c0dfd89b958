/* Segments for half-open connections: SYN-RECEIVED after LISTEN (RFC 9293, section 3.10.7.4, with
 * the checks of RFC 5961 and RFC 7323), and the step that makes a connection of a record. */
#include "engine/tcp/handshake.h"

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, at most three for each SYN-ACK: two ends that misunderstand
 * one another must not answer each other for ever (RFC 5961 7). */
static void challenge(struct tcp *tcp, struct tcp_half_open *record) {
    bool scaled = (record->scale & HALF_OPEN_SCALE) != HALF_OPEN_SCALE;
    if ((record->scale & HALF_OPEN_CHALLENGES) == HALF_OPEN_CHALLENGES)
        return;
    record->scale += HALF_OPEN_CHALLENGE;
    struct tcp_reply reply = {
        .tuple = record->tuple,
        .seq = record->iss + 1,
        .ack = record->irs + 1,
        .flags = TCP_ACK,
        .window = (uint16_t)(half_open_window(tcp, record) >> (scaled ? record->shift : 0)),
        .interface = half_open_interface(record),
        .has_timestamps = record->scale & HALF_OPEN_TIMESTAMPS,
        .ts_value = tcp_ms(tcp) + isn_ts_offset(tcp, &record->tuple),
        .ts_echo = record->ts_recent,
    };
    reply_queue(tcp, &reply);
    tcp->counters->tcp_challenge_acks++;
}

/* What was said in the SYN, for connection_negotiate. */
static struct tcp_options remembered(const struct tcp_half_open *record) {
    uint8_t scale = record->scale & HALF_OPEN_SCALE;
    return (struct tcp_options){
        .has_mss = record->mss != 0,
        .mss = record->mss,
        .has_wscale = scale != HALF_OPEN_SCALE,
        .wscale = scale,
        .sack_permitted = record->sack,
        .has_timestamps = record->scale & HALF_OPEN_TIMESTAMPS,
        .ts_value = record->ts_recent,
    };
}

/* As on Linux, an accepted socket is born with its listener's options. */
static bool inherit(struct tcp *tcp, struct tcp_connection *c,
                    const struct tcp_connection *listener) {
    const uint16_t flags = TCP_F_NODELAY | TCP_F_KEEPALIVE | TCP_F_OOBINLINE;
    c->flags |= listener->flags & flags;
    c->congestion = listener->congestion;
    if (!listener->extra->options_set)
        return true;
    struct tcp_extra *extra = connection_extra(tcp, c);
    if (!extra)
        return false;
    extra->options_set = listener->extra->options_set;
    memcpy(extra->values, listener->extra->values, sizeof extra->values);
    return true;
}

/* RFC 6298 2.2, 6298-2: the SYN-ACK's round trip, from the echoed timestamp or, if it was sent once
 * only (Karn: MUST-18), from the time it was sent. */
static void sample(struct tcp *tcp, struct tcp_connection *c, const struct tcp_half_open *record,
                   const struct tcp_options *options) {
    uint32_t patience = (uint32_t)(half_open_patience(tcp, 0) / BERTH_MS);
    int32_t ms = -1;
    if (c->flags & TCP_F_TIMESTAMPS && options->has_timestamps && options->ts_echo)
        ms = seq_diff(tcp_ts_now(tcp, c), options->ts_echo);
    else if (half_open_retries(record) == 0)
        ms = seq_diff(tcp_ms(tcp), record->due - patience);
    if (ms >= 0)
        rtt_sample(tcp, c, (uint64_t)ms * BERTH_MS);
}

/* The record as a connection in ESTABLISHED; NULL when there is no memory for one. index: 0 for a
 * record that is made of a cookie, of which it is not known when its SYN-ACK was sent. */
static struct tcp_connection *promote(struct tcp *tcp, const struct tcp_half_open *record,
                                      uint32_t index, const struct tcp_segment *segment,
                                      const struct tcp_options *options) {
    const struct tcp_connection *listener = tcp_at(tcp, record->listener);
    struct tcp_options said = remembered(record);
    struct tcp_connection *c = connection_new(tcp, listener->flags & TCP_F_IPV6 ? 6 : 4);
    if (!c)
        return NULL;
    if (!inherit(tcp, c, listener)) {
        connection_free(tcp, c);
        return NULL;
    }
    c->tuple = record->tuple;
    c->interface = segment->interface & 31u;
    c->state = BERTH_ESTABLISHED;
    c->snd_una = c->snd_nxt = record->iss + 1;
    c->rcv_nxt = record->irs + 1;
    c->rcv_edge = c->rcv_nxt + half_open_window(tcp, record);
    c->ts_offset = isn_ts_offset(tcp, &c->tuple);
    c->scales = tuning_offer(said.has_wscale, record->shift);
    connection_negotiate(tcp, c, &said, true);
    c->ecn = record->ecn;
    c->snd_wnd = (uint32_t)segment->window << (c->scales & 15);
    c->snd_wl1 = segment->seq;
    if (index)
        sample(tcp, c, record, options);
    if (half_open_retries(record) > 0)
        rtt_after_lost_syn(c);
    congestion_start(tcp, c, half_open_retries(record) > 0); /* RFC 5681 3.1, 5681-1 */
    return c;
}

/* A cookie's connection takes its four numbers. */
static bool take_ports(struct tcp *tcp, struct tcp_connection *c) {
    if (ports_connect(tcp->ports, &c->tuple, tcp_reference(TCP_CONNECTION, c->self)) != 0)
        return false;
    c->flags |= TCP_F_IN_PORTS;
    return true;
}

void half_open_complete(struct tcp *tcp, const struct tcp_half_open *record, uint32_t index,
                        const struct tcp_segment *segment, const struct tcp_options *options) {
    struct tcp_connection *listener = tcp_at(tcp, record->listener);
    struct tcp_connection *c = promote(tcp, record, index, segment, options);
    if (c && ((index == 0 && !take_ports(tcp, c)) ||
              !ring_push(&listener->extra->listener->accept, c->self))) {
        connection_free(tcp, c);
        c = NULL;
    }
    if (!c) { /* the client will send again, and so shall we */
        tcp->counters->tcp_listen_drops++;
        return;
    }
    if (index) {
        ports_rename(tcp->ports, &c->tuple, tcp_reference(TCP_HALF_OPEN, index),
                     tcp_reference(TCP_CONNECTION, c->self));
        c->flags |= TCP_F_IN_PORTS;
        half_open_end(tcp, index, false);
    }
    tcp->counters->tcp_passive_opens++;
    connection_raise(tcp, listener, BERTH_ACCEPTABLE);
    connection_input(tcp, c, segment, options);
}

/* ---- the steps of RFC 9293 3.10.7.4, in its order ---- */

/* The client has not seen our SYN-ACK (RFC 9293 3.8.1): it gets it again, at the latest timestamp.
 */
static enum tcp_verdict check_syn_again(struct tcp *tcp, uint32_t index,
                                        const struct tcp_segment *segment,
                                        const struct tcp_options *options) {
    struct tcp_half_open *record = half_open_at(tcp, index);
    const uint16_t flags = TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN;
    if ((segment->flags & flags) != TCP_SYN || segment->seq != record->irs)
        return TCP_CONTINUE;
    if (options->has_timestamps)
        record->ts_recent = options->ts_value;
    if (half_open_retries(record) != HALF_OPEN_RETRIES) /* else its first one is yet to come */
        half_open_answer(tcp, index);
    return TCP_DROP;
}

/* RFC 7323 5.3 R1, 7323-P1: a segment from the past. */
static enum tcp_verdict check_paws(struct tcp *tcp, struct tcp_half_open *record,
                                   const struct tcp_segment *segment,
                                   const struct tcp_options *options) {
    if (!(record->scale & HALF_OPEN_TIMESTAMPS) || !options->has_timestamps ||
        segment->flags & TCP_RST || seq_ge(options->ts_value, record->ts_recent))
        return TCP_CONTINUE;
    tcp->counters->tcp_paws_drops++;
    challenge(tcp, record);
    return TCP_DROP;
}

/* First: the sequence number (9293-E4). Second: RST, which ends the record without a word to the
 * application (MUST-11), if it is exact (RFC 5961 3.2, 5961-1). Fourth: SYN (RFC 5961 4.2, 5961-2).
 */
static enum tcp_verdict check_numbers(struct tcp *tcp, uint32_t index,
                                      const struct tcp_segment *segment) {
    struct tcp_half_open *record = half_open_at(tcp, index);
    bool reset = segment->flags & TCP_RST;
    if (!segment_acceptable(segment, record->irs + 1, half_open_window(tcp, record))) {
        if (!reset)
            challenge(tcp, record);
        return TCP_DROP;
    }
    if (reset && segment->seq == record->irs + 1) {
        tcp->counters->tcp_attempt_fails++;
        half_open_end(tcp, index, true);
        return TCP_DROP;
    }
    if (reset || segment->flags & TCP_SYN) {
        challenge(tcp, record);
        return TCP_DROP;
    }
    return TCP_CONTINUE;
}

/* Fifth: the ACK, of our SYN and nothing else; a wrong one is reset, and the record stays. */
static enum tcp_verdict check_ack(struct tcp *tcp, const struct tcp_half_open *record,
                                  const struct tcp_segment *segment) {
    if (!(segment->flags & TCP_ACK))
        return TCP_DROP;
    if (segment->ack == record->iss + 1 && half_open_retries(record) != HALF_OPEN_RETRIES)
        return TCP_CONTINUE;
    reply_reset(tcp, segment);
    return TCP_DROP;
}

/* Linux's rules for what an application is bothered with: a full accept queue takes no more, and
 * under TCP_DEFER_ACCEPT a client is waited for until it sends octets or its time is over. */
static enum tcp_verdict check_queue(struct tcp *tcp, struct tcp_half_open *record,
                                    const struct tcp_segment *segment) {
    const struct tcp_connection *listener = tcp_at(tcp, record->listener);
    const struct tcp_listener *l = listener->extra->listener;
    unsigned defer = half_open_deferrals(tcp_option(listener, BERTH_TCP_DEFER_ACCEPT, 0));
    bool bare = segment->length == 0 && !(segment->flags & TCP_FIN);
    if (bare && half_open_retries(record) < defer) {
        record->scale |= HALF_OPEN_ACKED;
        return TCP_DROP;
    }
    if (l->accept.count <= (uint32_t)l->backlog)
        return TCP_CONTINUE;
    tcp->counters->tcp_listen_overflows++;
    tcp->counters->tcp_listen_drops++;
    return TCP_DROP;
}

void half_open_input(struct tcp *tcp, uint32_t index, const struct tcp_segment *segment,
                     const struct tcp_options *options) {
    struct tcp_half_open *record = half_open_at(tcp, index);
    if (check_paws(tcp, record, segment, options) == TCP_DROP ||
        check_syn_again(tcp, index, segment, options) == TCP_DROP ||
        check_numbers(tcp, index, segment) == TCP_DROP ||
        check_ack(tcp, record, segment) == TCP_DROP ||
        check_queue(tcp, record, segment) == TCP_DROP)
        return;
    half_open_complete(tcp, record, index, segment, options);
}
