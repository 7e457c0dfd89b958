/* What a host answers to frames of which it cannot know whose they are. Whoever forges their source
 * makes it send no more than he sends himself: one frame for each, and no larger one, but for an
 * MSS option and the header of an ICMP error, of which few go to one destination. */
#include "test/unit/base/mix.h"
#include "test/unit/conformance/segments.h"
#include "test/unit/host/peer6.h"

enum { FRAMES = 2000, OPEN = 80, MSS_OPTION = 4, SYN_ACK_RETRIES = 5 };
enum kind { TCP, UDP, ECHO, STRANGE, KINDS };

struct flood {
    struct peer peer;
    struct mix mix;
    bool v6, one_source;
    uint64_t in, out; /* octets */
    size_t syn_acks;
};

static void start(struct flood *f, uint64_t seed, bool v6, bool one_source) {
    struct berth_endpoint any = endpoint6(any6, OPEN);
    berth_handle listener;
    memset(f, 0, sizeof *f);
    f->mix = (struct mix){seed};
    f->v6 = v6;
    f->one_source = one_source;
    peer6_start(&f->peer, BERTH_LINK_RAW_IP, 1500, 0);
    assert_int_equal(berth_socket_open(f->peer.host, 6, BERTH_TCP, &listener), 0);
    assert_int_equal(berth_socket_bind(f->peer.host, listener, &any), 0);
    assert_int_equal(berth_socket_listen(f->peer.host, listener, 100), 0);
    udp6_socket(&f->peer, any6, OPEN);
}

static struct berth_ip source_of(struct flood *f) {
    struct berth_ip source = f->v6 ? peer_ip6 : berth_ip_v4(PEER_IP);
    if (!f->one_source)
        source.bytes[15] = (uint8_t)(2 + mix_below(&f->mix, 250));
    return source;
}

/* A segment of any flags and options; returns its length. */
static size_t segment_make(struct flood *f, uint8_t *to, uint16_t port) {
    static const uint8_t options[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0,
                                      0, 9, 0, 0,   0, 0, 1, 3,  3, 7};
    static const uint8_t lengths[] = {0, 4, 20};
    struct tcp_header header = {.source_port = (uint16_t)(1 + mix_below(&f->mix, 65535)),
                                .destination_port = port,
                                .seq = (uint32_t)mix_u64(&f->mix),
                                .ack = (uint32_t)mix_u64(&f->mix),
                                .flags = (uint16_t)mix_below(&f->mix, 256),
                                .window = (uint16_t)mix_u64(&f->mix)};
    if (mix_below(&f->mix, 2))
        header.flags = TCP_SYN;
    uint8_t length = lengths[mix_below(&f->mix, 3)];
    header.header_length = (uint8_t)(TCP_HEADER_MIN + length);
    tcp_header_write(to, &header);
    memcpy(to + TCP_HEADER_MIN, options, length);
    return header.header_length + (mix_below(&f->mix, 2) ? mix_below(&f->mix, 1200) : 0);
}

/* The payload of an IP datagram of that kind; *protocol: its. */
static size_t message_make(struct flood *f, enum kind kind, uint8_t *to, uint8_t *protocol,
                           size_t *sum_at) {
    uint16_t port = mix_below(&f->mix, 2) ? OPEN : (uint16_t)(1 + mix_below(&f->mix, 65535));
    size_t length = 8 + (mix_below(&f->mix, 2) ? mix_below(&f->mix, 1400) : 0);
    memset(to, 0, 1500);
    switch (kind) {
    case TCP:
        *protocol = IPV4_TCP;
        *sum_at = 16;
        return segment_make(f, to, port);
    case UDP:
        *protocol = IPV4_UDP;
        *sum_at = 6;
        store_be16(to, (uint16_t)(1 + mix_below(&f->mix, 65535)));
        store_be16(to + 2, port);
        store_be16(to + 4, (uint16_t)length);
        return length;
    case ECHO:
        *protocol = f->v6 ? IPV6_ICMP : IPV4_ICMP;
        *sum_at = 2;
        to[0] = f->v6 ? ICMP6_ECHO : ICMP_ECHO;
        return length;
    default:
        *protocol = 253; /* RFC 3692: nobody's */
        *sum_at = 0;
        return length;
    }
}

/* One frame; returns its length. */
static size_t give(struct flood *f, enum kind kind) {
    uint8_t message[1500], frame[1600], protocol;
    size_t sum_at, length = message_make(f, kind, message, &protocol, &sum_at);
    struct berth_ip source = source_of(f), host = f->v6 ? host_ip6 : berth_ip_v4(HOST_IP);
    struct checksum sum = {0};
    if (protocol != IPV4_ICMP)
        checksum_add_pseudo(&sum, &source, &host, protocol, (uint32_t)length);
    checksum_add(&sum, message, length);
    if (kind != STRANGE)
        store_be16(message + sum_at, checksum_finish(&sum));
    struct ipv4_header v4 = {.source = berth_ip_to_v4(&source), .protocol = protocol};
    struct ipv6_header v6 = {.source = source, .next = protocol};
    length = f->v6 ? make_ip6(&f->peer, frame, v6, message, length)
                   : make_ip(&f->peer, frame, v4, message, length);
    f->in += length;
    peer_give(&f->peer, frame, length);
    return length;
}

/* What comes for it: nothing, or one frame, which is hardly larger. */
static void answer(struct flood *f, enum kind kind, size_t length) {
    size_t header = f->v6 ? IPV6_HEADER : IPV4_HEADER_MIN, more = 0;
    if (!peer_pull(&f->peer))
        return;
    const uint8_t *transport = f->peer.out + header;
    if (kind == TCP && (transport[13] & TCP_SYN) != 0) {
        f->syn_acks++;
        more = MSS_OPTION;
    } else if (kind == UDP || kind == STRANGE) {
        more = header + ICMP_HEADER;
    }
    assert_true(f->peer.out_length <= length + more);
    f->out += f->peer.out_length;
    peer_expect_silence(&f->peer);
}

/* All at once, from many: what goes out is less than what came in. Afterwards only SYN-ACKs go
 * again, each a few times. */
static void floods(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++)
        for (int v6 = 0; v6 < 2; v6++)
            for (enum kind kind = 0; kind < KINDS; kind++) {
                struct flood f;
                start(&f, seed, v6, false);
                for (int i = 0; i < FRAMES; i++)
                    answer(&f, kind, give(&f, kind));
                assert_true(f.out <= f.in + MSS_OPTION * f.syn_acks);
                assert_int_equal(f.syn_acks != 0, kind == TCP);
                assert_true(kind != ECHO || f.out == f.in);
                size_t later = 0;
                for (int second = 0; second < 400; second++) {
                    peer_wait(&f.peer, BERTH_SECOND);
                    later += peer_drain(&f.peer);
                }
                assert_true(later <= SYN_ACK_RETRIES * f.syn_acks);
                peer_stop(&f.peer);
            }
}

/* For as long as anybody likes, in the name of one: the smallest datagrams, that cause errors. */
static void one_victim(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct flood f;
        start(&f, 9, i & 1, true);
        for (int n = 0; n < 20 * FRAMES; n++) {
            answer(&f, i & 2 ? UDP : STRANGE, give(&f, i & 2 ? UDP : STRANGE));
            peer_wait(&f.peer, 5 * BERTH_MS);
        }
        assert_in_range(f.out, 1, f.in / 50);
        peer_stop(&f.peer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(floods), cmocka_unit_test(one_victim)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
