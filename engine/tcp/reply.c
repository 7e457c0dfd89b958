/* Answers that belong to no connection: they wait in a ring of fixed size, so that no flood of
 * segments makes the host hold more than that. A SYN-ACK's options are made from its half-open
 * record only when it is sent; if the record has ended by then, the answer goes with it. */
#include "engine/tcp/handshake.h"

void reply_queue(struct tcp *tcp, const struct tcp_reply *reply) {
    if (tcp->reply_count == TCP_REPLIES) {
        tcp->reply_head = (tcp->reply_head + 1) % TCP_REPLIES;
        tcp->reply_count--;
    }
    tcp->replies[(tcp->reply_head + tcp->reply_count) % TCP_REPLIES] = *reply;
    tcp->reply_count++;
}

/* RFC 9293 3.10.7.1, 3.5.2, 9293-E1: a RST that the sender of the segment will believe. */
void reply_reset(struct tcp *tcp, const struct tcp_segment *segment) {
    if (segment->flags & TCP_RST)
        return;
    struct tcp_reply reply = {.tuple = segment->tuple, .interface = 0xff, .flags = TCP_RST};
    if (segment->flags & TCP_ACK) {
        reply.seq = segment->ack;
    } else {
        reply.ack = segment->seq + segment_span(segment);
        reply.flags = TCP_RST | TCP_ACK;
    }
    reply_queue(tcp, &reply);
}

/* RFC 9293 3.10.5. SND.NXT is the highest number sent, which falls not back with our snd_nxt: only
 * a RST at exactly the peer's RCV.NXT is believed (RFC 5961 3.2). */
void reply_abort(struct tcp *tcp, const struct tcp_connection *c) {
    struct tcp_reply reply = {
        .tuple = c->tuple,
        .seq = tcp_snd_max(c),
        .ack = c->rcv_nxt,
        .flags = TCP_RST | TCP_ACK,
        .interface = c->interface,
        .tos = (uint8_t)tcp_option(c, BERTH_IP_TOS, 0),
        .ttl = (uint8_t)tcp_option(c, BERTH_IP_TTL, 0),
        .has_timestamps = c->flags & TCP_F_TIMESTAMPS, /* RFC 7323 3.2, 7323-T1 */
        .ts_value = tcp_ts_now(tcp, c),
        .ts_echo = c->ts_recent,
    };
    reply_queue(tcp, &reply);
}

static void reply_write(const struct tcp_reply *reply, const struct tcp_options *options,
                        struct tcp_emit *emit) {
    size_t octets = tcp_options_write(emit->header + TCP_HEADER_MIN, options);
    struct tcp_header header = {
        .source_port = reply->tuple.local_port,
        .destination_port = reply->tuple.remote_port,
        .seq = reply->seq,
        .ack = reply->ack,
        .header_length = (uint8_t)(TCP_HEADER_MIN + octets),
        .flags = reply->flags,
        .window = reply->window,
    };
    tcp_header_write(emit->header, &header);
    emit->local = reply->tuple.local;
    emit->remote = reply->tuple.remote;
    emit->interface = reply->interface;
    emit->tos = reply->tos;
    emit->ttl = reply->ttl;
    emit->header_length = header.header_length;
    emit->segment_size = 0;
    emit->part_count = 0;
    emit->length = 0;
}

bool reply_emit(struct tcp *tcp, struct tcp_emit *emit) {
    while (tcp->reply_count > 0) {
        const struct tcp_reply *reply = &tcp->replies[tcp->reply_head];
        tcp->reply_head = (tcp->reply_head + 1) % TCP_REPLIES;
        tcp->reply_count--;
        struct tcp_options options = {.has_timestamps = reply->has_timestamps,
                                      .ts_value = reply->ts_value,
                                      .ts_echo = reply->ts_echo,
                                      .has_mss = reply->mss != 0,
                                      .mss = reply->mss,
                                      .has_wscale = reply->scaled,
                                      .wscale = tuning_scale(tcp),
                                      .sack_permitted = reply->sack};
        if (reply->half_open && !half_open_synack(tcp, reply, &options))
            continue;
        reply_write(reply, &options, emit);
        tcp->counters->tcp_out_segs++;
        if (reply->flags & TCP_RST)
            tcp->counters->tcp_out_rsts++;
        return true;
    }
    return false;
}
