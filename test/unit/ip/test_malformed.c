#include "test/unit/host/peer.h"

static uint8_t good[2048];

/* A UDP datagram that arrives; each case spoils it. */
static size_t make_good(struct peer *peer, struct ipv4_header header) {
    uint8_t message[200];
    size_t made = make_udp(message, PEER_IP, HOST_IP, 1000, 7000, "ABCDEFGHIJ", 10);
    header.protocol = IPV4_UDP;
    return make_ip(peer, good, header, message, made);
}

static void fix_header(uint8_t *ip) {
    struct checksum sum = {0};
    store_be16(ip + 10, 0);
    checksum_add(&sum, ip, (ip[0] & 15u) * 4);
    store_be16(ip + 10, checksum_finish(&sum));
}

static bool arrives(struct peer *peer, berth_handle socket, size_t length) {
    uint8_t got[100];
    peer_give(peer, good, length);
    ssize_t received = berth_socket_receive(peer->host, socket, got, sizeof got, 0, peer->now);
    assert_true(received == -EAGAIN || received == 10);
    peer_expect_silence(peer); /* RFC 1122 3.2.1: what is wrong is dropped in silence */
    return received == 10;
}

/* RFC 1122 3.2.1.1, 3.2.1.2: each field of the header, made wrong. [1122-IP1, 1122-IP5] */
static void test_header(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        bool fix, passes;
    } cases[] = {
        {0, 0x45, true, true},  {0, 0x55, true, false}, {0, 0x65, true, false},
        {0, 0x05, true, false}, {0, 0x44, true, false}, {0, 0x40, true, false},
        {0, 0x4f, true, false}, {2, 0xff, true, false}, {3, 19, true, false},
        {3, 20, true, false},   {3, 27, true, false},   {3, 39, true, false},
        {3, 37, true, false},   {10, 0, false, false},  {8, 1, true, true}, /* TTL 1 is ours */
        {8, 0, true, true},     {1, 0xff, true, true},  {6, 0x40, true, true},
        {6, 0x20, true, false}, {7, 1, true, false},    {16, 11, true, false},
        {19, 2, true, false},   {9, 200, true, false},
    };
    struct peer peer;
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_meet(&peer);
    berth_handle socket = udp_socket(&peer, 0, 7000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = make_good(&peer, (struct ipv4_header){0});
        good[14 + cases[i].at] = cases[i].value;
        if (cases[i].fix)
            fix_header(good + 14);
        if (cases[i].at == 9) { /* an unknown protocol is the one thing that is answered */
            peer_give(&peer, good, length);
            assert_int_equal(peer_drain(&peer), 1);
            continue;
        }
        assert_int_equal(arrives(&peer, socket, length), cases[i].passes);
    }
    /* The link may pad, but not cut. */
    size_t length = make_good(&peer, (struct ipv4_header){0});
    assert_true(arrives(&peer, socket, length + 18));
    assert_true(arrives(&peer, socket, length + 1000));
    for (size_t cut = 1; cut <= length; cut++)
        assert_false(arrives(&peer, socket, length - cut));
    peer_stop(&peer);
}

/* RFC 1122 3.2.1.3: sources that no host has, and destinations that are not ours. [1122-IP2,
 * 1122-IP6, 1122-IP9, 1122-IP10, 1122-U6] */
static void test_addresses(void **state) {
    (void)state;
    static const struct {
        uint32_t source, destination;
        bool passes;
    } cases[] = {
        {PEER_IP, HOST_IP, true},     {0x0b010203, HOST_IP, true},     {HOST_IP, HOST_IP, false},
        {0x7f000001, HOST_IP, false}, {0x7f000002, 0x7f000001, false}, {PEER_IP, 0x7f000001, false},
        {1, HOST_IP, false},          {0x00010203, HOST_IP, false},    {0xe0000001, HOST_IP, false},
        {0xefffffff, HOST_IP, false}, {0xf0000001, HOST_IP, false},    {0xffffffff, HOST_IP, false},
        {0x0a0000ff, HOST_IP, false}, {PEER_IP, 0x0a000003, false},    {PEER_IP, 0x0b000001, false},
        {PEER_IP, 0xffffffff, true},  {PEER_IP, 0x0a0000ff, true},     {PEER_IP, 0xe0000001, true},
        {PEER_IP, 0xe0000002, false}, {PEER_IP, 0xefffffff, false},    {PEER_IP, 0x0b0000ff, false},
    };
    struct peer peer;
    uint8_t message[200];
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    peer_meet(&peer);
    berth_handle socket = udp_socket(&peer, 0, 7000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t made =
            make_udp(message, cases[i].source, cases[i].destination, 1000, 7000, "ABCDEFGHIJ", 10);
        struct ipv4_header ip = {
            .protocol = IPV4_UDP, .source = cases[i].source, .destination = cases[i].destination};
        made = make_ip(&peer, good, ip, message, made);
        if (cases[i].destination >> 28 == 0xe || (cases[i].destination & 0xff) == 0xff)
            memset(good, 0xff, 6);
        assert_int_equal(arrives(&peer, socket, made), cases[i].passes);
    }
    /* One host's datagram in a frame to everyone (RFC 1122 3.3.6), or to another's link address. */
    size_t made = make_good(&peer, (struct ipv4_header){0});
    memset(good, 0xff, 6);
    assert_false(arrives(&peer, socket, made));
    made = make_good(&peer, (struct ipv4_header){0});
    good[5] = 77;
    assert_false(arrives(&peer, socket, made));
    peer_stop(&peer);
}

/* RFC 1122 3.2.1.8, RFC 7126: options are skipped, wrong ones too; source routes are refused.
 * [1122-IP4, 1122-IP7, MUST-51, MUST-52, MUST-53, SHLD-24, MAY-10, MAY-11] */
static void test_options(void **state) {
    (void)state;
    static const struct {
        uint8_t octets[12];
        bool passes;
    } cases[] = {
        {{1, 1, 1, 1}, true},
        {{0, 9, 9, 9}, true},
        {{7, 7, 4, 0, 0, 0, 0, 0}, true},  /* record route */
        {{68, 8, 5, 0, 0, 0, 0, 0}, true}, /* timestamp */
        {{148, 4, 0, 0}, true},            /* router alert */
        {{200, 0, 0, 0}, true},            /* impossible length */
        {{200, 1, 131, 3}, true},          /* likewise: nothing after it is read */
        {{200, 99, 0, 0}, true},
        {{131, 7, 4, 10, 0, 0, 3, 0}, false}, /* loose source route */
        {{137, 7, 4, 10, 0, 0, 3, 0}, false}, /* strict */
        {{1, 1, 131, 3, 4, 0, 0, 0}, false},
        {{148, 4, 0, 0, 137, 3, 4, 0}, false},
    };
    struct peer peer;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 7000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = make_good(
            &peer, (struct ipv4_header){.options = cases[i].octets, .options_length = 12});
        assert_int_equal(arrives(&peer, socket, length), cases[i].passes);
    }
    peer_stop(&peer);
}

/* RFC 768, RFC 1122 4.1.3.4: lengths and checksums. [768-1, 1122-U4, 6335-2] */
static void test_udp_header(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        bool passes;
    } cases[] = {
        {4, 1, false},    {5, 0, false},   {5, 7, false},  {5, 19, false},
        {6, 0xaa, false}, {8, 'X', false}, {17, 0, false}, {1, 99, false},
    };
    struct peer peer;
    peer_start(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    berth_handle socket = udp_socket(&peer, 0, 7000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = make_good(&peer, (struct ipv4_header){0});
        good[20 + cases[i].at] = cases[i].value;
        assert_int_equal(arrives(&peer, socket, length), cases[i].passes);
    }
    for (size_t port = 0; port < 4; port += 2) { /* port 0 is nobody's, but may be the source */
        size_t length = make_good(&peer, (struct ipv4_header){0});
        store_be16(good + 20 + port, 0);
        store_be16(good + 26, 0);
        assert_int_equal(arrives(&peer, socket, length), port == 0);
    }
    size_t length = make_good(&peer, (struct ipv4_header){0});
    store_be16(good + 26, 0); /* no checksum */
    good[29] = 'X';
    assert_true(arrives(&peer, socket, length));
    /* A length that says less than there is: the rest is not the datagram's. */
    uint8_t message[64];
    size_t made = make_udp(message, PEER_IP, HOST_IP, 1000, 7000, "ABCDEFGHIJ", 10);
    memset(message + made, 9, 20);
    made = make_ip(&peer, good, (struct ipv4_header){.protocol = IPV4_UDP}, message, made + 20);
    assert_true(arrives(&peer, socket, made));
    peer_stop(&peer);
}

/* Frames of all lengths, of other types, and of pieces that no link makes. */
static void test_frames(void **state) {
    (void)state;
    struct peer peer;
    uint8_t zeroes[100] = {0};
    peer_start(&peer, BERTH_LINK_ETHERNET, 1500, 0);
    for (size_t length = 0; length < sizeof zeroes; length++)
        peer_give(&peer, zeroes, length);
    static const uint16_t types[] = {0x0000, 0x05dc, 0x0800, 0x0806,
                                     0x86dd, 0x8100, 0x88cc, 0xffff};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (size_t length = 14; length < sizeof zeroes; length++) {
            memcpy(zeroes, host_mac, 6);
            store_be16(zeroes + 12, types[i]);
            peer_give(&peer, zeroes, length);
        }
    struct berth_frame frame = {0};
    assert_int_equal(berth_host_input(peer.host, 1, &frame, 1, peer.now), 0);
    frame.header_length = BERTH_FRAME_HEADER + 1;
    assert_int_equal(berth_host_input(peer.host, 1, &frame, 1, peer.now), 0);
    frame.header_length = 14;
    frame.part_count = BERTH_FRAME_PARTS + 1;
    assert_int_equal(berth_host_input(peer.host, 1, &frame, 1, peer.now), 0);
    assert_int_equal(berth_host_input(peer.host, 0, &frame, 1, peer.now), -ENODEV);
    assert_int_equal(berth_host_input(peer.host, 2, &frame, 1, peer.now), -ENODEV);
    assert_int_equal(berth_host_input(peer.host, -1, &frame, 1, peer.now), -ENODEV);
    peer_expect_silence(&peer);
    peer_stop(&peer);
}

/* Seeded random changes to frames of every kind, cut and split anywhere: nothing may trip. */
static size_t make_any(struct peer *peer, uint8_t *to, uint64_t *seed) {
    uint8_t message[1600], inner[1600], data[1400];
    size_t length = test_random(seed) % (test_random(seed) % 4 == 0 ? 1400 : 64);
    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)test_random(seed);
    struct ipv4_header ip = {.protocol = IPV4_UDP};
    size_t made = make_udp(message, PEER_IP, HOST_IP, 1000, 7000, data, length);
    switch (test_random(seed) % 8) {
    case 0:
        ip.protocol = IPV4_ICMP;
        made = make_icmp(message, ICMP_ECHO, 0, 1, data, length);
        break;
    case 1: { /* an error that quotes a datagram of the host */
        struct ipv4_header quoted = {.protocol = test_random(seed) % 2 ? IPV4_UDP : IPV4_TCP,
                                     .source = HOST_IP,
                                     .destination = PEER_IP};
        size_t link = peer->link;
        made = make_udp(message, HOST_IP, PEER_IP, 7000, 1000, data, length);
        peer->link = 0;
        made = make_ip(peer, inner, quoted, message, made);
        peer->link = link;
        ip.protocol = IPV4_ICMP;
        made = make_icmp(message, (uint8_t)(3 + test_random(seed) % 10),
                         (uint8_t)(test_random(seed) % 17), test_random(seed) % 2000, inner,
                         made < 1400 ? made : 1400);
        break;
    }
    case 2: /* a TCP segment, its checksum wrong or not looked at */
        ip.protocol = IPV4_TCP;
        memset(message + 8, 0, 12);
        message[12] = (uint8_t)(test_random(seed) << 4);
        message[13] = (uint8_t)test_random(seed);
        made = made < 40 ? 40 : made;
        break;
    case 3: /* a fragment */
        ip.id = (uint16_t)(1 + test_random(seed) % 4);
        ip.fragment_offset = (uint16_t)(test_random(seed) % 32 * 8);
        ip.more_fragments = test_random(seed) % 4 != 0;
        made &= test_random(seed) % 4 ? ~(size_t)7 : ~(size_t)0;
        break;
    case 4: { /* ARP */
        struct arp_packet packet = {.operation = (uint16_t)(1 + test_random(seed) % 2),
                                    .sender_ip = PEER_IP + test_random(seed) % 3,
                                    .target_ip = HOST_IP};
        memcpy(packet.sender_mac, peer_mac, 6);
        memcpy(to, host_mac, 6);
        store_be16(to + 12, ETHERNET_ARP);
        arp_packet_write(to + 14, &packet);
        return 14 + ARP_LENGTH;
    }
    default:
        break;
    }
    return make_ip(peer, to, ip, message, made);
}

static void mutate(uint8_t *octets, size_t *length, size_t link, uint64_t *seed) {
    for (uint32_t changes = test_random(seed) % 4; changes > 0 && *length > 0; changes--) {
        size_t at = test_random(seed) % *length;
        if (test_random(seed) % 2)
            at %= 64; /* mostly the headers */
        if (at >= *length)
            continue;
        if (test_random(seed) % 2)
            octets[at] = (uint8_t)test_random(seed);
        else
            octets[at] = (uint8_t)(octets[at] ^ 1u << test_random(seed) % 8);
    }
    if (test_random(seed) % 8 == 0 && *length > 0)
        *length -= test_random(seed) % *length;
    if (test_random(seed) % 2 && *length >= link + 20 && *length >= link + (octets[link] & 15u) * 4)
        fix_header(octets + link);
}

static void fuzz(enum berth_link_type link, int rounds, uint64_t seed) {
    struct peer peer;
    uint8_t octets[2048];
    peer_start(&peer, link, 1500, 0);
    udp_socket(&peer, 0, 7000);
    for (int i = 0; i < rounds; i++) {
        struct berth_frame frames[4] = {0};
        size_t count = 1 + test_random(&seed) % 4;
        for (size_t j = 0; j < count; j++) {
            size_t length = make_any(&peer, octets, &seed);
            mutate(octets, &length, peer.link, &seed);
            assert_int_equal(
                berth_frame_from_bytes(&frames[j], peer.config.allocator, octets, length), 0);
            if (test_random(&seed) % 2 && length > 0) { /* some octets into the header */
                size_t split = test_random(&seed) % BERTH_FRAME_HEADER;
                split = split < length ? split : length;
                memcpy(frames[j].header, octets, split);
                frames[j].header_length = (uint16_t)split;
                frames[j].parts[0].data += split;
                frames[j].parts[0].length -= (uint32_t)split;
            }
            if (test_random(&seed) % 2)
                frames[j].flags = BERTH_FRAME_CHECKSUM_OK;
        }
        assert_int_equal(berth_host_input(peer.host, 1, frames, count, peer.now), 0);
        for (size_t j = 0; j < count; j++)
            berth_frame_clear(&frames[j]);
        if (i % 16 == 0) {
            peer_wait(&peer, test_random(&seed) % BERTH_SECOND);
            peer_drain(&peer);
        }
    }
    peer_drain(&peer);
    peer_stop(&peer);
}

static void test_fuzz(void **state) {
    (void)state;
    fuzz(BERTH_LINK_ETHERNET, 60000, 1);
    fuzz(BERTH_LINK_RAW_IP, 60000, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),  cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_options), cmocka_unit_test(test_udp_header),
        cmocka_unit_test(test_frames),  cmocka_unit_test(test_fuzz),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
