/* A router between 10.0.0.0/24 (Ethernet, where the peer is) and 10.0.1.0/24 (raw IP, or Ethernet);
 * behind 10.0.1.9 lie 10.2.0.0/16 and, narrower, what is unreachable. */
#include "test/unit/host/peer.h"
#include <string.h>

enum {
    SOURCE = PEER_IP,
    FAR = 0x0a000109,    /* 10.0.1.9 */
    AWAY = 0x0a020001,   /* 10.2.0.1, behind it */
    OWN_FAR = 0x0a000101 /* ours, there */
};

static uint8_t data[3000];

static void router_config(struct peer *peer) {
    peer_config(peer);
    peer->config.ip_forward = 1;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
}

static void router_start(struct peer *peer, enum berth_link_type far, uint32_t mtu,
                         uint8_t offloads) {
    router_config(peer);
    peer_start_bare(peer);
    peer_add_link(peer, BERTH_LINK_ETHERNET, 1500, BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT);
    struct berth_interface_config interface = {.link = far, .mtu = mtu, .offloads = offloads};
    const struct berth_ip own = berth_ip_v4(OWN_FAR), gateway = berth_ip_v4(FAR),
                          behind = berth_ip_v4(0x0a020000);
    memcpy(interface.mac, host_mac, 6);
    assert_int_equal(berth_host_add_interface(peer->host, &interface), 2);
    assert_int_equal(berth_host_add_address(peer->host, 2, &own, 24), 0);
    assert_int_equal(berth_host_add_route(peer->host, 2, &behind, 16, &gateway), 0);
    peer_meet(peer);
}

/* From here on the test is on that side. */
static void side(struct peer *peer, int interface, size_t link) {
    peer->interface = interface;
    peer->link = link;
}

static size_t give(struct peer *peer, uint8_t *octets, struct ipv4_header ip, size_t length) {
    uint8_t payload[3100];
    ip.protocol = ip.protocol ? ip.protocol : IPV4_UDP;
    size_t made = length;
    if (ip.protocol == IPV4_UDP && !ip.fragment_offset)
        made = make_udp(payload, ip.source ? ip.source : SOURCE, ip.destination, 4000, 5000, data,
                        length);
    else
        memcpy(payload, data, length);
    made = make_ip(peer, octets, ip, payload, made);
    peer_give(peer, octets, made);
    return made;
}

/* [1812-2] RFC 1812 5.3.1: counted down, the sum right, nothing else changed; at every cut of the
 * frame that came. */
static void test_onward(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 90, 110, 118, 400, 1472};
    static const size_t splits[] = {0, 14, 20, 34, 40, 42, 100, 160};
    struct peer peer;
    struct ipv4_header ip;
    uint8_t octets[1600], payload[1600];
    router_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizeof splits / sizeof *splits; j++) {
            side(&peer, 1, 14);
            size_t made = make_udp(payload, SOURCE, AWAY, 4000, 5000, data, sizes[i]);
            made = make_ip(&peer, octets,
                           (struct ipv4_header){.protocol = IPV4_UDP,
                                                .destination = AWAY,
                                                .tos = 0x2a,
                                                .ttl = (uint8_t)(2 + i * 30 + j)},
                           payload, made);
            peer_give_split(&peer, octets, made, splits[j]);
            peer_expect_silence(&peer);
            side(&peer, 2, 0);
            assert_true(peer_pull(&peer));
            out_ip(&peer, &ip);
            assert_int_equal(ip.ttl, 1 + i * 30 + j);
            assert_int_equal(peer.out_length, made - 14);
            assert_memory_equal(peer.out, octets + 14, 8);
            assert_memory_equal(peer.out + 12, octets + 14 + 12, made - 14 - 12);
            peer_expect_silence(&peer);
        }
    assert_int_equal(berth_host_counters(peer.host)->ip_forw_datagrams, 56);
    peer_stop(&peer);
}

/* RFC 1141: the adjusted sum, for all identifications, thus all sums. */
static void test_sum(void **state) {
    (void)state;
    struct peer peer;
    struct ipv4_header ip;
    uint8_t octets[100];
    router_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (uint32_t id = 1; id <= 0xffff; id += 1) {
        side(&peer, 1, 14);
        give(&peer, octets,
             (struct ipv4_header){.destination = AWAY, .id = (uint16_t)id, .ttl = 255}, 0);
        side(&peer, 2, 0);
        assert_true(peer_pull(&peer));
        out_ip(&peer, &ip);
    }
    peer_stop(&peer);
}

static void expect_error(struct peer *peer, uint8_t type, uint8_t code, uint32_t rest,
                         const uint8_t *octets) {
    struct icmp_header icmp;
    struct ipv4_header ip;
    side(peer, 1, 14);
    assert_true(peer_pull(peer));
    const uint8_t *quote = out_icmp(peer, &icmp);
    assert_int_equal(icmp.type, type);
    assert_int_equal(icmp.code, code);
    assert_int_equal(icmp.rest, rest);
    assert_memory_equal(quote, octets + 14, 28);
    out_ip(peer, &ip);
    assert_int_equal(ip.source, HOST_IP);
    assert_int_equal(ip.destination, SOURCE);
    assert_true(ip.total_length <= 576);
    peer_expect_silence(peer);
}

/* [1812-3] RFC 1812 5.2.7.1, 5.3.1. */
static void test_errors(void **state) {
    (void)state;
    struct peer peer;
    uint8_t octets[1600];
    router_start(&peer, BERTH_LINK_RAW_IP, 1000, 0);
    give(&peer, octets, (struct ipv4_header){.destination = 0x08080808}, 10);
    expect_error(&peer, ICMP_UNREACHABLE, ICMP_NET_UNREACHABLE, 0, octets);
    give(&peer, octets, (struct ipv4_header){.destination = AWAY, .ttl = 1}, 10);
    expect_error(&peer, ICMP_TIME_EXCEEDED, 0, 0, octets);
    /* RFC 1191 4, at each of the MTU's sides. */
    give(&peer, octets, (struct ipv4_header){.destination = AWAY, .dont_fragment = true}, 973);
    expect_error(&peer, ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, 1000, octets);
    give(&peer, octets, (struct ipv4_header){.destination = AWAY, .dont_fragment = true}, 972);
    peer_expect_silence(&peer);
    side(&peer, 2, 0);
    assert_true(peer_pull(&peer));
    /* For the router itself, at its other address (the weak host model), even at its last hop. */
    side(&peer, 1, 14);
    give(&peer, octets, (struct ipv4_header){.destination = OWN_FAR, .ttl = 1}, 10);
    assert_true(peer_pull(&peer));
    struct icmp_header icmp;
    struct ipv4_header ip;
    out_icmp(&peer, &icmp);
    assert_int_equal(icmp.code, ICMP_PORT_UNREACHABLE);
    out_ip(&peer, &ip);
    assert_int_equal(ip.source, OWN_FAR);
    peer_stop(&peer);
}

/* [1812-1] RFC 1812 4.3.2.8: few errors to one; but each that is too big hears of it. */
static void test_rate(void **state) {
    (void)state;
    struct peer peer;
    uint8_t octets[1600];
    router_start(&peer, BERTH_LINK_RAW_IP, 1000, 0);
    for (int i = 0; i < 20; i++)
        give(&peer, octets, (struct ipv4_header){.destination = AWAY, .ttl = 1}, 10);
    assert_int_equal(peer_drain(&peer), 6);
    for (int i = 0; i < 20; i++)
        give(&peer, octets, (struct ipv4_header){.destination = AWAY, .dont_fragment = true}, 1400);
    assert_int_equal(peer_drain(&peer), 20);
    peer_stop(&peer);
}

/* [1812-4] What is not forwarded, and of what nobody is told. */
static void test_silence(void **state) {
    (void)state;
    static const struct ipv4_header wrong[] = {
        {.destination = 0xffffffff}, /* RFC 1812 4.2.2.11 */
        {.destination = 0x0a0000ff}, /* to all of this link */
        {.destination = 0x0a0001ff}, /* to all of another: RFC 2644 */
        {.destination = 0xe0000005},
        {.destination = 0xf0000001},
        {.destination = 0x7f000001},
        {.destination = 0x00000001},
        {.destination = 0xa9fe0001}, /* RFC 3927 7 */
        {.destination = AWAY, .source = 0xa9fe0001},
        {.destination = AWAY, .source = 0x7f000001},
        {.destination = AWAY, .source = 0xe0000001},
        {.destination = AWAY, .source = 0xffffffff},
        {.destination = AWAY, .source = 0x0a0000ff},
        {.destination = AWAY, .source = HOST_IP},
        {.destination = AWAY, .source = 0x08080808}, /* no way back: RFC 3704 2.4 */
    };
    struct peer peer;
    uint8_t octets[1600], message[64];
    router_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        side(&peer, 1, 14);
        give(&peer, octets, wrong[i], 10);
        peer_expect_silence(&peer);
        side(&peer, 2, 0);
        peer_expect_silence(&peer);
    }
    /* What came to all of the link (RFC 1812 5.3.4). */
    side(&peer, 1, 14);
    size_t made = make_udp(message, SOURCE, AWAY, 1, 2, data, 10);
    made = make_ip(&peer, octets, (struct ipv4_header){.destination = AWAY, .protocol = IPV4_UDP},
                   message, made);
    memcpy(octets, everyone, 6);
    peer_give(&peer, octets, made);
    peer_expect_silence(&peer);
    /* RFC 1812 4.3.2.7: no error about an error, nor about a later fragment. */
    made = make_icmp(message, ICMP_UNREACHABLE, 1, 0, data, 40);
    give_ip(&peer, (struct ipv4_header){.destination = 0x08080808, .protocol = IPV4_ICMP}, message,
            made);
    give(&peer, octets, (struct ipv4_header){.destination = 0x08080808, .fragment_offset = 800},
         10);
    peer_expect_silence(&peer);
    side(&peer, 2, 0);
    peer_expect_silence(&peer);
    assert_int_equal(berth_host_counters(peer.host)->ip_forw_datagrams, 0);
    side(&peer, 1, 14);
    give(&peer, octets, (struct ipv4_header){.destination = AWAY}, 10); /* as all others are */
    side(&peer, 2, 0);
    assert_int_equal(peer_drain(&peer), 1);
    peer_stop(&peer);
}

/* RFC 1812 2.2.8.1: who is no router drops what is for others. */
static void test_host(void **state) {
    (void)state;
    struct peer peer;
    uint8_t octets[200];
    router_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (int on = 0; on < 2; on++) {
        side(&peer, 1, 14);
        assert_int_equal(berth_host_set_sysctl(peer.host, "net.ipv4.ip_forward", on ? "1" : "0"),
                         0);
        give(&peer, octets, (struct ipv4_header){.destination = AWAY}, 10);
        peer_expect_silence(&peer);
        side(&peer, 2, 0);
        assert_int_equal(peer_drain(&peer), on);
    }
    peer_stop(&peer);
}

/* [791-3] RFC 791 3.2, RFC 1812 5.2.6: the pieces make the whole again; options as their copied
 * flag says; a fragment's last piece is not the last while more follow. */
static void test_fragments(void **state) {
    (void)state;
    static const uint8_t options[] = {7, 4, 4, 0, 0x94, 4, 0, 0}; /* record route, router alert */
    struct peer peer;
    struct ipv4_header ip;
    uint8_t octets[1600], joined[1600];
    router_start(&peer, BERTH_LINK_RAW_IP, 300, 0);
    for (int more = 0; more < 2; more++) {
        side(&peer, 1, 14);
        struct ipv4_header header = {.destination = AWAY,
                                     .id = 0x7777,
                                     .options = options,
                                     .options_length = sizeof options,
                                     .fragment_offset = more ? 2000 : 0,
                                     .more_fragments = more};
        size_t whole = give(&peer, octets, header, 1001) - 14 - 28, at = 0;
        peer_expect_silence(&peer);
        side(&peer, 2, 0);
        while (peer_pull(&peer)) {
            const uint8_t *payload = out_ip(&peer, &ip);
            assert_true(ip.total_length <= 300);
            assert_int_equal(ip.id, 0x7777);
            assert_int_equal(ip.ttl, 63);
            assert_int_equal(ip.fragment_offset, at + (more ? 2000 : 0));
            assert_memory_equal(ip.options + 4, options + 4, 4);
            assert_memory_equal(ip.options, at == 0 ? options : (const uint8_t *)"\1\1\1\1", 4);
            memcpy(joined + at, payload, ipv4_payload_length(&ip));
            at += ipv4_payload_length(&ip);
            assert_int_equal(ip.more_fragments, at < whole || more);
            assert_true(at == whole || ipv4_payload_length(&ip) == 272);
        }
        assert_int_equal(at, whole);
        assert_memory_equal(joined, octets + 14 + 28, whole);
    }
    assert_int_equal(berth_host_counters(peer.host)->ip_frag_oks, 2);
    /* A checksum that the sender left to its link is made for the whole before. */
    uint8_t udp[8 + 500] = {0};
    store_be16(udp + 4, sizeof udp);
    memcpy(udp + 8, data, 500);
    side(&peer, 1, 14);
    size_t made =
        make_ip(&peer, octets, (struct ipv4_header){.destination = AWAY, .protocol = IPV4_UDP}, udp,
                sizeof udp);
    struct berth_frame frame = {.header_length = 42,
                                .transport_offset = 34,
                                .flags = BERTH_FRAME_NO_CHECKSUM,
                                .part_count = 1};
    memcpy(frame.header, octets, 42);
    frame.parts[0] = (struct berth_part){.data = octets + 42, .length = (uint32_t)(made - 42)};
    assert_int_equal(berth_host_input(peer.host, 1, &frame, 1, peer.now), 0);
    size_t at = 0;
    side(&peer, 2, 0);
    while (peer_pull(&peer)) {
        const uint8_t *payload = out_ip(&peer, &ip);
        memcpy(joined + at, payload, ipv4_payload_length(&ip));
        at += ipv4_payload_length(&ip);
    }
    assert_int_equal(at, sizeof udp);
    assert_int_not_equal(load_be16(joined + 6), 0);
    struct checksum sum = {0};
    struct berth_ip source = berth_ip_v4(SOURCE), destination = berth_ip_v4(AWAY);
    checksum_add_pseudo(&sum, &source, &destination, IPV4_UDP, sizeof udp);
    checksum_add(&sum, joined, at);
    assert_int_equal(checksum_finish(&sum), 0);
    peer_stop(&peer);
}

/* A TCP segment of `length` octets that stands for many of `segment`. */
static void give_large(struct peer *peer, size_t length, uint16_t segment, bool dont_fragment) {
    uint8_t octets[14 + 40 + sizeof data], tcp[20 + sizeof data] = {0};
    side(peer, 1, 14);
    store_be16(tcp, 1000);
    store_be16(tcp + 2, 80);
    store_be32(tcp + 4, 0xfffffff0);
    tcp[12] = 5 << 4;
    tcp[13] = 0x18;
    memcpy(tcp + 20, data, length);
    size_t made =
        make_ip(peer, octets,
                (struct ipv4_header){
                    .destination = AWAY, .protocol = IPV4_TCP, .dont_fragment = dont_fragment},
                tcp, 20 + length);
    struct berth_frame frame = {.header_length = 54,
                                .transport_offset = 34,
                                .segment_size = segment,
                                .flags = BERTH_FRAME_NO_CHECKSUM};
    memcpy(frame.header, octets, 54);
    frame.parts[0] = (struct berth_part){.data = octets + 54, .length = (uint32_t)(made - 54)};
    frame.part_count = 1;
    assert_int_equal(berth_host_input(peer->host, 1, &frame, 1, peer->now), 0);
}

/* What comes out on the other side, in order. Returns the number of frames. */
static size_t expect_stream(struct peer *peer, size_t length, size_t most) {
    size_t at = 0, frames = 0;
    struct ipv4_header ip;
    side(peer, 2, 0);
    while (peer_pull(peer)) {
        const uint8_t *tcp = out_ip(peer, &ip);
        size_t payload = ipv4_payload_length(&ip) - 20u;
        struct checksum sum = {0};
        struct berth_ip source = berth_ip_v4(ip.source), destination = berth_ip_v4(ip.destination);
        checksum_add_pseudo(&sum, &source, &destination, IPV4_TCP, ipv4_payload_length(&ip));
        checksum_add(&sum, tcp, ipv4_payload_length(&ip));
        assert_int_equal(checksum_finish(&sum), 0);
        assert_true(payload <= most);
        assert_int_equal(load_be32(tcp + 4), (uint32_t)(0xfffffff0 + at));
        assert_memory_equal(tcp + 20, data + at, payload);
        at += payload;
        frames++;
    }
    assert_int_equal(at, length);
    return frames;
}

/* Large segments pass whole where the next link takes them, else in the segments that they are. */
static void test_large(void **state) {
    (void)state;
    const uint8_t both = BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT;
    struct peer peer;
    router_start(&peer, BERTH_LINK_RAW_IP, 1000, both);
    give_large(&peer, 2900, 960, true);
    assert_int_equal(expect_stream(&peer, 2900, 2900), 1);
    assert_int_equal(berth_host_set_interface(peer.host, 2, 1000, 0), 0);
    give_large(&peer, 2900, 960, true);
    assert_int_equal(expect_stream(&peer, 2900, 960), 4);
    /* Its segments do not fit: one error. */
    struct icmp_header icmp;
    give_large(&peer, 2900, 961, true);
    assert_true(peer_pull(&peer));
    out_icmp(&peer, &icmp);
    assert_int_equal(icmp.code, ICMP_FRAGMENTATION_NEEDED);
    assert_int_equal(icmp.rest, 1000);
    peer_expect_silence(&peer);
    side(&peer, 2, 0);
    peer_expect_silence(&peer);
    /* Or, if it may, each of them goes in fragments: 976 + 5 of 981 octets. */
    give_large(&peer, 2900, 961, false);
    side(&peer, 2, 0);
    assert_int_equal(peer_drain(&peer), 3 * 2 + 1);
    peer_stop(&peer);
}

/* The next hop is asked for, what waits goes to it, and if it is not there the source hears of it
 * (RFC 1812 5.2.7.1). */
static void test_neighbor(void **state) {
    (void)state;
    static const uint8_t far_mac[6] = {2, 0, 0, 0, 9, 9};
    struct peer peer;
    struct arp_packet arp;
    struct ipv4_header ip;
    uint8_t octets[1600];
    router_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    for (int answer = 0; answer < 2; answer++) {
        side(&peer, 1, 14);
        give(&peer, octets, (struct ipv4_header){.destination = AWAY}, 700);
        side(&peer, 2, 14);
        assert_true(peer_pull(&peer));
        out_arp(&peer, &arp);
        assert_int_equal(arp.target_ip, FAR);
        assert_int_equal(arp.sender_ip, OWN_FAR);
        if (!answer) {
            peer_wait(&peer, 4 * BERTH_SECOND);
            peer_drain(&peer);
            side(&peer, 1, 14);
            assert_true(peer_pull(&peer));
            struct icmp_header icmp;
            const uint8_t *quote = out_icmp(&peer, &icmp);
            assert_int_equal(icmp.type, ICMP_UNREACHABLE);
            assert_int_equal(icmp.code, ICMP_HOST_UNREACHABLE);
            assert_memory_equal(quote + 12, octets + 14 + 12, 16);
            continue;
        }
        give_arp(&peer, ARP_REPLY, far_mac, FAR, OWN_FAR);
        assert_true(peer_pull(&peer));
        assert_memory_equal(peer.out, far_mac, 6);
        out_ip(&peer, &ip);
        assert_int_equal(ip.ttl, 63);
    }
    peer_stop(&peer);
}

/* Whatever allocation fails, nothing is lost but the datagram. */
static void test_memory(void **state) {
    (void)state;
    struct peer peer;
    uint8_t octets[1600];
    router_start(&peer, BERTH_LINK_RAW_IP, 600, 0);
    for (uint64_t fail = 1; fail < 12; fail++)
        for (int large = 0; large < 2; large++) {
            side(&peer, 1, 14);
            size_t calls = peer.counting.calls;
            peer.counting.fail_from = calls + fail;
            if (large)
                give_large(&peer, 2900, 560, true);
            else
                give(&peer, octets, (struct ipv4_header){.destination = AWAY, .ttl = (uint8_t)fail},
                     1400);
            counting_recover(&peer.counting);
            peer_drain(&peer);
            side(&peer, 2, 0);
            peer_drain(&peer);
        }
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_onward),    cmocka_unit_test(test_sum),
        cmocka_unit_test(test_errors),    cmocka_unit_test(test_rate),
        cmocka_unit_test(test_silence),   cmocka_unit_test(test_host),
        cmocka_unit_test(test_fragments), cmocka_unit_test(test_large),
        cmocka_unit_test(test_neighbor),  cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
