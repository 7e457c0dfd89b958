/* TCP segments in frames, to and from a host under test: for what lies between IP and TCP. */
#ifndef TEST_CONFORMANCE_SEGMENTS_H
#define TEST_CONFORMANCE_SEGMENTS_H

#include "engine/wire/tcp.h"
#include "test/unit/host/peer.h"

struct segment {
    struct ipv4_header ip; /* fields that are 0 get defaults */
    uint16_t source_port, destination_port;
    uint32_t seq, ack;
    uint16_t flags, window;
    const uint8_t *options;
    uint8_t options_length; /* a multiple of 4 */
    const void *data;
    size_t length;
};

static inline uint16_t segment_sum(uint32_t source, uint32_t destination, const uint8_t *segment,
                                   size_t length) {
    struct checksum sum = {0};
    struct berth_ip from = berth_ip_v4(source), to = berth_ip_v4(destination);
    checksum_add_pseudo(&sum, &from, &to, IPV4_TCP, (uint32_t)length);
    checksum_add(&sum, segment, length);
    return checksum_finish(&sum);
}

/* The frame, checksums right; returns its length. */
static inline size_t make_segment(struct peer *peer, uint8_t *to, const struct segment *s) {
    uint8_t octets[2048];
    struct ipv4_header ip = s->ip;
    struct tcp_header header = {.source_port = s->source_port,
                                .destination_port = s->destination_port,
                                .seq = s->seq,
                                .ack = s->ack,
                                .header_length = (uint8_t)(TCP_HEADER_MIN + s->options_length),
                                .flags = s->flags,
                                .window = s->window};
    size_t length = header.header_length + s->length;
    ip.protocol = IPV4_TCP;
    ip.source = ip.source ? ip.source : PEER_IP;
    ip.destination = ip.destination ? ip.destination : HOST_IP;
    tcp_header_write(octets, &header);
    if (s->options_length)
        memcpy(octets + TCP_HEADER_MIN, s->options, s->options_length);
    if (s->length)
        memcpy(octets + header.header_length, s->data, s->length);
    store_be16(octets + 16, segment_sum(ip.source, ip.destination, octets, length));
    return make_ip(peer, to, ip, octets, length);
}

static inline void give_segment(struct peer *peer, const struct segment *segment) {
    uint8_t octets[2048];
    peer_give(peer, octets, make_segment(peer, octets, segment));
}

/* The frame that was pulled last, which must be a segment with a right checksum; its payload. */
static inline const uint8_t *out_segment(struct peer *peer, struct tcp_header *header,
                                         struct ipv4_header *ip) {
    const uint8_t *segment = out_ip(peer, ip);
    size_t length = ipv4_payload_length(ip);
    assert_int_equal(ip->protocol, IPV4_TCP);
    assert_int_equal(segment_sum(ip->source, ip->destination, segment, length), 0);
    assert_int_equal(tcp_header_parse(segment, length, header), 0);
    return segment + header->header_length;
}

static inline berth_handle tcp_socket(struct peer *peer, uint32_t ip, uint16_t port) {
    berth_handle socket;
    struct berth_endpoint local = endpoint(ip, port);
    assert_int_equal(berth_socket_open(peer->host, 4, BERTH_TCP, &socket), 0);
    if (ip != 0 || port != 0)
        assert_int_equal(berth_socket_bind(peer->host, socket, &local), 0);
    return socket;
}

static inline berth_handle tcp_listener(struct peer *peer, uint32_t ip, uint16_t port) {
    berth_handle socket = tcp_socket(peer, ip, port);
    assert_int_equal(berth_socket_listen(peer->host, socket, 5), 0);
    return socket;
}

/* The peer opens from its port 1000 with ISN 100 to `port`; `next` becomes what it sends next. */
static inline berth_handle segments_open(struct peer *peer, berth_handle listener, uint16_t port,
                                         struct segment *next) {
    struct segment syn = {.source_port = 1000,
                          .destination_port = port,
                          .seq = 100,
                          .flags = TCP_SYN,
                          .window = 65535};
    struct tcp_header header;
    struct ipv4_header ip;
    berth_handle socket = 0;
    give_segment(peer, &syn);
    assert_true(peer_pull(peer));
    out_segment(peer, &header, &ip);
    assert_int_equal(header.flags, TCP_SYN | TCP_ACK);
    *next = syn;
    next->seq = 101;
    next->ack = header.seq + 1;
    next->flags = TCP_ACK;
    give_segment(peer, next);
    peer_expect_silence(peer);
    assert_int_equal(berth_socket_accept(peer->host, listener, &socket), 0);
    return socket;
}

#endif
