/* LISTEN: what arrives for a listener and belongs to no connection yet (RFC 9293,
 * section 3.10.7.2).
 *
 * The accept queue is full when it holds more than `backlog` connections, as on Linux: then a SYN
 * is dropped without a word, and its sender will try again. Half-open records are bounded apart
 * from that: a listener may hold half of the host's, so that a flood of SYNs at one port leaves
 * room for the others. At a bound SYNs are answered by cookies (cookie.c). Where these are switched
 * off, and for a client that has one of our ports in TIME-WAIT (RFC 6191: its ISN is not free), the
 * oldest of those that did not answer the most SYN-ACKs makes room for the new one, since a peer
 * that is there answers within a round trip (RFC 4987, section 3.4). */
#include "engine/tcp/handshake.h"

void listen_input(struct tcp *tcp, struct tcp_connection *listener,
                  const struct tcp_segment *segment, const struct tcp_options *options) {
    if (segment->flags & TCP_RST)
        return;
    if (segment->flags & TCP_ACK) {
        if (!cookie_input(tcp, listener, segment, options) &&
            !cookie_overtaken(tcp, listener, segment, options))
            reply_reset(tcp, segment);
        return;
    }
    if (segment->flags & TCP_SYN)
        listen_syn(tcp, listener, segment, options, NULL);
}

static uint32_t listener_limit(const struct tcp *tcp, const struct tcp_listener *listener) {
    uint32_t half = tcp->config.tcp_syn_backlog_max / 2;
    return half > (uint32_t)listener->backlog ? half : (uint32_t)listener->backlog;
}

/* The listener has its share of half-open records. */
static bool has_share(const struct tcp *tcp, const struct tcp_listener *l) {
    return l->half_open > 0 && l->half_open >= listener_limit(tcp, l);
}

/* Linux's net.ipv4.tcp_syncookies */
static bool wants_cookie(const struct tcp *tcp, const struct tcp_listener *l) {
    if (tcp->config.tcp_syncookies != 1)
        return tcp->config.tcp_syncookies > 1;
    return has_share(tcp, l) || half_open_count(tcp) >= tcp->config.tcp_syn_backlog_max;
}

/* Makes room for one more half-open record; false when there is none to be had. A listener past its
 * share pushes out its own, unless they stand far behind others' that are older still. */
static bool make_room(struct tcp *tcp, const struct tcp_connection *listener) {
    uint32_t most = tcp->config.tcp_syn_backlog_max;
    bool own = has_share(tcp, listener->extra->listener);
    if ((own && half_open_recycle(tcp, listener)) ||
        (half_open_count(tcp) >= most && half_open_recycle(tcp, NULL)))
        tcp->counters->tcp_listen_drops++;
    return half_open_count(tcp) < most;
}

void listen_syn(struct tcp *tcp, struct tcp_connection *listener, const struct tcp_segment *segment,
                const struct tcp_options *options, const uint32_t *floor) {
    const struct tcp_listener *l = listener->extra->listener;
    if (segment->flags & TCP_FIN) /* means nothing good; Linux drops it as well */
        return;
    if (l->accept.count > (uint32_t)l->backlog) {
        tcp->counters->tcp_listen_overflows++;
        tcp->counters->tcp_listen_drops++;
        return;
    }
    if (!floor && wants_cookie(tcp, l)) {
        cookie_answer(tcp, listener, segment, options);
        return;
    }
    uint32_t iss = isn_of(tcp, &segment->tuple);
    if (floor && seq_lt(iss, *floor))
        iss = *floor;
    if (!make_room(tcp, listener) || !half_open_make(tcp, listener, segment, options, iss))
        tcp->counters->tcp_listen_drops++;
}
