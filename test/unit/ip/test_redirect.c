/* Redirects of IPv4 (RFC 792, RFC 1122 3.2.2.2), packet by packet: 10.0.0.2 is the gateway, and
 * there are others on the link. */
#include "test/unit/conformance/segments.h"
#include "test/unit/ip/redirects.h"

enum { LINK = 0x0a000000, FAR = 0x0c000001, QUOTE = 28 };

static void start(struct peer *peer) {
    struct berth_ip everywhere = berth_ip_v4(0), gateway = berth_ip_v4(PEER_IP);
    peer_start(peer, BERTH_LINK_ETHERNET, 1500, 0);
    assert_int_equal(berth_host_add_route(peer->host, 1, &everywhere, 0, &gateway), 0);
}

/* A redirect; its quote is the datagram sent last, unless there is another. */
struct redirect {
    uint32_t source, target;
    uint8_t code;
    const uint8_t *quote;
    size_t length;
};

static void redirect(struct peer *peer, struct redirect said) {
    uint8_t quote[60], message[80];
    size_t length = said.length ? said.length : QUOTE;
    memcpy(quote, said.quote ? said.quote : peer->out + ETHERNET_HEADER, length);
    size_t made = make_icmp(message, ICMP_REDIRECT, said.code, said.target, quote, length);
    give_ip(
        peer,
        (struct ipv4_header){.protocol = IPV4_ICMP, .source = said.source ? said.source : PEER_IP},
        message, made);
}

static uint8_t far_hop(struct peer *peer, berth_handle socket) {
    return next_hop(peer, socket, endpoint(FAR, 9));
}

/* Of each kind, about the one host; what goes to others does not move. [1122-IC9, 1122-IC11] */
static void followed(void **state) {
    (void)state;
    for (uint8_t code = 0; code < 4; code++) {
        struct peer peer;
        struct berth_event events[8];
        start(&peer);
        berth_handle socket = udp_socket(&peer, 0, 500);
        assert_int_equal(far_hop(&peer, socket), 2);
        berth_host_events(peer.host, events, 8);
        uint64_t errors = berth_host_counters(peer.host)->icmp_in_errors;
        redirect(&peer, (struct redirect){.target = LINK + 3, .code = code});
        assert_int_equal(berth_host_counters(peer.host)->icmp_in_errors, errors);
        assert_int_equal(berth_host_events(peer.host, events, 8), 0); /* no socket hears of it */
        assert_int_equal(far_hop(&peer, socket), 3);
        assert_int_equal(far_hop(&peer, socket), 3);
        assert_int_equal(next_hop(&peer, socket, endpoint(FAR + 1, 9)), 2);
        peer_expect_silence(&peer);
        peer_stop(&peer);
    }
}

/* From another than the first hop: from nobody, from the destination, and from the gateway that was
 * left. [1122-IC5] */
static void from_others(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    berth_handle socket = udp_socket(&peer, 0, 500);
    static const uint32_t others[] = {LINK + 3, LINK + 4, FAR};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(far_hop(&peer, socket), 2);
        redirect(&peer, (struct redirect){.source = others[i], .target = LINK + 3});
        assert_int_equal(far_hop(&peer, socket), 2);
    }
    redirect(&peer, (struct redirect){.target = LINK + 3});
    assert_int_equal(far_hop(&peer, socket), 3);
    redirect(&peer, (struct redirect){.target = LINK + 4});
    assert_int_equal(far_hop(&peer, socket), 3);
    /* A neighbour is reached without a gateway, and cannot send us to one. */
    assert_int_equal(next_hop(&peer, socket, endpoint(LINK + 7, 9)), 7);
    redirect(&peer, (struct redirect){.source = LINK + 7, .target = LINK + 3});
    assert_int_equal(next_hop(&peer, socket, endpoint(LINK + 7, 9)), 7);
    peer_stop(&peer);
}

/* To what is no gateway on this link: elsewhere, ourselves, all, a group, nobody. [1122-IC10] */
static void to_no_gateway(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    struct berth_ip second = berth_ip_v4(LINK + 8);
    assert_int_equal(berth_host_add_address(peer.host, 1, &second, 24), 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    static const uint32_t targets[] = {0x0b000003, HOST_IP,    LINK + 8,   LINK + 255,
                                       0xffffffff, 0xe0000001, 0x7f000001, 0};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        assert_int_equal(far_hop(&peer, socket), 2);
        redirect(&peer, (struct redirect){.target = targets[i]});
        assert_int_equal(far_hop(&peer, socket), 2);
    }
    peer_stop(&peer);
}

/* That quote no datagram of ours, of no kind that there is, or come to a group. */
static void not_about_us(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    berth_handle socket = udp_socket(&peer, 0, 500);
    uint8_t right[QUOTE], wrong[QUOTE];
    struct redirect said = {.target = LINK + 3, .quote = wrong};
    assert_int_equal(far_hop(&peer, socket), 2);
    memcpy(right, peer.out + ETHERNET_HEADER, QUOTE);
    static const struct {
        uint8_t at, flip;
    } changes[] = {
        {0, 0x20}, /* the version */
        {9, 1},    /* the protocol: one that we do not speak */
        {9, 0x17}, /* TCP */
        {9, 0x10}, /* an echo, and nobody pings */
        {12, 1},   /* the source: not our address */
        {21, 1},   /* its port: nobody's */
        {7, 1},    /* a later fragment */
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint64_t errors = berth_host_counters(peer.host)->icmp_in_errors;
        memcpy(wrong, right, QUOTE);
        wrong[changes[i].at] ^= changes[i].flip;
        redirect(&peer, said);
        assert_int_equal(far_hop(&peer, socket), 2);
        assert_int_equal(berth_host_counters(peer.host)->icmp_in_errors, errors + 1);
    }
    memcpy(wrong, right, QUOTE);
    said.length = QUOTE - 1;
    redirect(&peer, said);
    assert_int_equal(far_hop(&peer, socket), 2);
    said.length = 0;
    said.code = 4;
    redirect(&peer, said);
    assert_int_equal(far_hop(&peer, socket), 2);
    uint8_t message[64];
    size_t made = make_icmp(message, ICMP_REDIRECT, 1, LINK + 3, right, QUOTE);
    give_ip(
        &peer,
        (struct ipv4_header){.protocol = IPV4_ICMP, .source = PEER_IP, .destination = LINK + 255},
        message, made);
    assert_int_equal(far_hop(&peer, socket), 2);
    said.code = 0;
    assert_int_equal(berth_socket_close(peer.host, socket, peer.now), 0);
    redirect(&peer, said); /* who sent it is gone */
    socket = udp_socket(&peer, 0, 501);
    assert_int_equal(far_hop(&peer, socket), 2);
    peer_stop(&peer);
}

/* The gateway redirects to .3 by a segment with that number; true if it is believed. */
static bool believes(struct peer *peer, const uint8_t quote[QUOTE], uint32_t seq) {
    uint8_t said[QUOTE];
    berth_handle socket = udp_socket(peer, 0, 0);
    memcpy(said, quote, QUOTE);
    store_be32(said + 24, seq);
    redirect(peer, (struct redirect){.target = LINK + 3, .quote = said});
    bool moved = far_hop(peer, socket) == 3;
    if (moved)
        redirect(peer, (struct redirect){.source = LINK + 3, .target = PEER_IP});
    assert_int_equal(far_hop(peer, socket), 2);
    assert_int_equal(berth_socket_close(peer->host, socket, peer->now), 0);
    return moved;
}

/* Of TCP: between what was acknowledged and what is sent next, in all states. [5927-1] */
static void in_flight(void **state) {
    (void)state;
    struct peer peer;
    uint8_t quote[QUOTE];
    struct berth_endpoint far = endpoint(FAR, 80);
    struct tcp_header header;
    struct ipv4_header ip;
    start(&peer);
    berth_handle socket = tcp_socket(&peer, HOST_IP, 1000);
    assert_int_equal(berth_socket_connect(peer.host, socket, &far, peer.now), -EINPROGRESS);
    do
        assert_true(peer_pull(&peer));
    while (answer_question(&peer));
    memcpy(quote, peer.out + ETHERNET_HEADER, QUOTE);
    out_segment(&peer, &header, &ip);
    uint32_t isn = header.seq;
    assert_false(believes(&peer, quote, isn - 1));
    assert_true(believes(&peer, quote, isn));
    assert_false(believes(&peer, quote, isn + 2));
    struct segment next = {.ip = {.source = FAR},
                           .source_port = 80,
                           .destination_port = 1000,
                           .seq = 99,
                           .ack = isn + 1,
                           .flags = TCP_SYN | TCP_ACK,
                           .window = 65535};
    give_segment(&peer, &next);
    assert_int_equal(peer_drain(&peer), 1);
    assert_false(believes(&peer, quote, isn));
    assert_true(believes(&peer, quote, isn + 1)); /* its ACK */
    assert_false(believes(&peer, quote, isn + 2));
    assert_int_equal(berth_socket_send(peer.host, socket, "hello", 5, 0, peer.now), 5);
    assert_int_equal(peer_drain(&peer), 1);
    assert_false(believes(&peer, quote, isn));
    assert_true(believes(&peer, quote, isn + 1));
    assert_true(believes(&peer, quote, isn + 6));
    assert_false(believes(&peer, quote, isn + 7));
    quote[21] ^= 1; /* another port: no such connection */
    assert_false(believes(&peer, quote, isn + 1));
    peer_stop(&peer);
}

/* The same of a connection that begins, and of one that has ended. [5927-1] */
static void at_both_ends(void **state) {
    (void)state;
    struct peer peer;
    uint8_t quote[QUOTE];
    struct tcp_header header;
    struct ipv4_header ip;
    start(&peer);
    berth_handle listener = tcp_listener(&peer, 0, 80), socket = 0;
    struct segment next = {.ip = {.source = FAR},
                           .source_port = 1000,
                           .destination_port = 80,
                           .seq = 99,
                           .flags = TCP_SYN,
                           .window = 65535};
    give_segment(&peer, &next);
    do
        assert_true(peer_pull(&peer));
    while (answer_question(&peer));
    memcpy(quote, peer.out + ETHERNET_HEADER, QUOTE);
    out_segment(&peer, &header, &ip);
    assert_int_equal(header.flags, TCP_SYN | TCP_ACK);
    assert_false(believes(&peer, quote, header.seq - 1));
    assert_true(believes(&peer, quote, header.seq));
    assert_false(believes(&peer, quote, header.seq + 1));
    next.seq++;
    next.ack = header.seq + 1;
    next.flags = TCP_ACK;
    give_segment(&peer, &next);
    assert_int_equal(berth_socket_accept(peer.host, listener, &socket), 0);
    assert_int_equal(berth_socket_close(peer.host, socket, peer.now), 0);
    assert_int_equal(peer_drain(&peer), 1); /* its FIN */
    next.ack++;
    next.flags = TCP_FIN | TCP_ACK;
    give_segment(&peer, &next);
    assert_int_equal(peer_drain(&peer), 1);
    assert_false(believes(&peer, quote, header.seq + 2)); /* TIME-WAIT */
    peer_stop(&peer);
}

/* A program that pings may be redirected, too. */
static void echo(void **state) {
    (void)state;
    struct peer peer;
    berth_handle socket;
    start(&peer);
    assert_int_equal(berth_socket_open(peer.host, 4, BERTH_ICMP, &socket), 0);
    struct berth_endpoint far = endpoint(FAR, 0);
    uint8_t request[16] = {ICMP_ECHO};
    for (uint8_t hop = 2; hop <= 3; hop++) {
        assert_int_equal(
            berth_socket_send_to(peer.host, socket, request, sizeof request, &far, peer.now),
            sizeof request);
        do
            assert_true(peer_pull(&peer));
        while (answer_question(&peer));
        assert_int_equal(peer.out[5], hop);
        redirect(&peer, (struct redirect){.target = LINK + 3});
    }
    peer_stop(&peer);
}

/* The new one redirects in its turn, and back: then nothing is left to expire.
 * [1122-IC9] */
static void on_and_back(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    berth_handle socket = udp_socket(&peer, 0, 500);
    assert_int_equal(far_hop(&peer, socket), 2);
    redirect(&peer, (struct redirect){.target = LINK + 3});
    assert_int_equal(far_hop(&peer, socket), 3);
    redirect(&peer, (struct redirect){.source = LINK + 3, .target = LINK + 4});
    assert_int_equal(far_hop(&peer, socket), 4);
    redirect(&peer, (struct redirect){.source = LINK + 4, .target = LINK + 4});
    assert_int_equal(far_hop(&peer, socket), 4);
    redirect(&peer, (struct redirect){.source = LINK + 4, .target = PEER_IP});
    assert_int_equal(far_hop(&peer, socket), 2);
    peer_wait(&peer, 1);
    assert_int_equal(berth_host_deadline(peer.host), BERTH_NEVER);
    peer_stop(&peer);
}

/* It is forgotten after five minutes, however busy it is. [1122-IC9] */
static void expires(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    berth_handle socket = udp_socket(&peer, 0, 500);
    assert_int_equal(far_hop(&peer, socket), 2);
    redirect(&peer, (struct redirect){.target = LINK + 3});
    uint64_t until = peer.now + 300 * BERTH_SECOND;
    assert_int_equal(next_hop(&peer, socket, endpoint(FAR + 1, 9)), 2);
    peer_wait(&peer, BERTH_SECOND);
    redirect(&peer, (struct redirect){.target = LINK + 4});
    for (int i = 0; i < 30; i++) {
        peer_wait(&peer, (until - peer.now) / 2);
        assert_int_equal(far_hop(&peer, socket), 3);
        while (peer_pull(&peer))
            answer_question(&peer); /* whether it is still there */
    }
    peer_wait(&peer, until - peer.now - 1);
    assert_int_equal(far_hop(&peer, socket), 3);
    assert_int_equal(berth_host_deadline(peer.host), until);
    peer_wait(&peer, 1);
    assert_int_equal(far_hop(&peer, socket), 2);
    assert_int_equal(next_hop(&peer, socket, endpoint(FAR + 1, 9)), 4);
    peer_wait(&peer, BERTH_SECOND);
    assert_int_equal(next_hop(&peer, socket, endpoint(FAR + 1, 9)), 2);
    peer_stop(&peer);
}

/* One that does not answer is none: the next datagram goes to the old gateway again. */
static void no_answer(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    berth_handle socket = udp_socket(&peer, 0, 500);
    struct berth_endpoint far = endpoint(FAR, 9);
    assert_int_equal(far_hop(&peer, socket), 2);
    redirect(&peer, (struct redirect){.target = LINK + 3});
    assert_int_equal(berth_socket_send_to(peer.host, socket, "x", 1, &far, peer.now), 1);
    assert_int_equal(peer_drain(&peer), 1); /* a request for it */
    peer_wait(&peer, 3 * BERTH_SECOND);
    peer_drain(&peer);
    assert_int_equal(far_hop(&peer, socket), 2);
    peer_stop(&peer);
}

/* A route that was changed by its owner goes before; the redirect was another gateway's. */
static void route_changes(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    berth_handle socket = udp_socket(&peer, 0, 500);
    assert_int_equal(far_hop(&peer, socket), 2);
    redirect(&peer, (struct redirect){.target = LINK + 3});
    assert_int_equal(far_hop(&peer, socket), 3);
    struct berth_ip prefix = berth_ip_v4(FAR & 0xffff0000), gateway = berth_ip_v4(LINK + 4);
    assert_int_equal(berth_host_add_route(peer.host, 1, &prefix, 16, &gateway), 0);
    assert_int_equal(far_hop(&peer, socket), 4);
    redirect(&peer, (struct redirect){.source = LINK + 3, .target = LINK + 5});
    assert_int_equal(far_hop(&peer, socket), 4);
    redirect(&peer, (struct redirect){.source = LINK + 4, .target = LINK + 5});
    assert_int_equal(far_hop(&peer, socket), 5);
    /* On another link that gateway is another's. */
    struct peer second = peer;
    second.interface = 2;
    struct berth_interface_config link = {.link = BERTH_LINK_ETHERNET, .mtu = 1500};
    memcpy(link.mac, host_mac, 6);
    assert_int_equal(berth_host_add_interface(peer.host, &link), 2);
    struct berth_ip own = berth_ip_v4(0x0a010001), on_link = berth_ip_v4(LINK + 4);
    assert_int_equal(berth_host_add_address(peer.host, 2, &own, 24), 0);
    assert_int_equal(berth_host_add_route(peer.host, 2, &on_link, 32, NULL), 0);
    prefix = berth_ip_v4(FAR & 0xffffff00);
    assert_int_equal(berth_host_add_route(peer.host, 2, &prefix, 24, &on_link), 0);
    assert_int_equal(far_hop(&second, socket), 4);
    redirect(&second, (struct redirect){.source = LINK + 4, .target = LINK + 5});
    assert_int_equal(far_hop(&second, socket), 4); /* LINK + 5 is not there */
    peer_stop(&peer);
}

/* There is room for 64; who comes later takes it, and no more memory is. */
static void bounded(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    berth_handle socket = udp_socket(&peer, 0, 500);
    enum { HOSTS = 1000 };
    size_t octets = 0;
    unsigned moved = 0;
    for (uint32_t i = 0; i < HOSTS; i++) {
        next_hop(&peer, socket, endpoint(FAR + i, 9));
        redirect(&peer, (struct redirect){.target = LINK + 3});
        assert_int_equal(next_hop(&peer, socket, endpoint(FAR + i, 9)), 3);
        if (i == 0)
            octets = peer.counting.octets;
        assert_int_equal(peer.counting.octets, octets);
    }
    for (uint32_t i = 0; i < HOSTS; i++)
        moved += next_hop(&peer, socket, endpoint(FAR + i, 9)) == 3;
    assert_in_range(moved, 32, 64);
    peer_stop(&peer);
}

/* Without memory it is not taken, and no harm is done. [1122-IC9] */
static void out_of_memory(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    berth_handle socket = udp_socket(&peer, 0, 500);
    assert_int_equal(far_hop(&peer, socket), 2);
    counting_fail_nth(&peer.counting, 1, true);
    redirect(&peer, (struct redirect){.target = LINK + 3});
    counting_recover(&peer.counting);
    assert_int_equal(far_hop(&peer, socket), 2);
    redirect(&peer, (struct redirect){.target = LINK + 3});
    assert_int_equal(far_hop(&peer, socket), 3);
    peer_stop(&peer);
}

static void set(struct peer *peer, const char *name, const char *value) {
    assert_int_equal(berth_host_set_sysctl(peer->host, name, value), 0);
}

/* Nobody's who does not want any, and no router's; what was taken before is forgotten. [1812-5] */
static void not_wanted(void **state) {
    (void)state;
    static const struct {
        const char *name, *value, *back;
    } settings[] = {{"net.ipv4.conf.all.accept_redirects", "0", "1"},
                    {"net.ipv4.conf.default.accept_redirects", "0", "1"},
                    {"net.ipv4.ip_forward", "1", "0"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct peer peer;
        start(&peer);
        berth_handle socket = udp_socket(&peer, 0, 500);
        assert_int_equal(far_hop(&peer, socket), 2);
        redirect(&peer, (struct redirect){.target = LINK + 3});
        assert_int_equal(far_hop(&peer, socket), 3);
        set(&peer, settings[i].name, settings[i].value);
        assert_int_equal(far_hop(&peer, socket), 2);
        redirect(&peer, (struct redirect){.target = LINK + 3});
        assert_int_equal(far_hop(&peer, socket), 2);
        set(&peer, settings[i].name, settings[i].back);
        redirect(&peer, (struct redirect){.target = LINK + 3});
        assert_int_equal(far_hop(&peer, socket), 3);
        assert_int_equal(berth_host_reset(peer.host, peer.now), 0);
        socket = udp_socket(&peer, 0, 500);
        assert_int_equal(far_hop(&peer, socket), 2);
        peer_stop(&peer);
    }
}

/* Linux's secure_redirects counts where the link has one subnet (shared_media 0): to gateways of
 * default routes only. */
static void secure(void **state) {
    (void)state;
    struct peer peer;
    start(&peer);
    struct berth_ip everywhere = berth_ip_v4(0), third = berth_ip_v4(LINK + 3);
    struct berth_ip net = berth_ip_v4(0x0d000000), fourth = berth_ip_v4(LINK + 4);
    assert_int_equal(berth_host_add_route(peer.host, 1, &everywhere, 0, &third), 0);
    assert_int_equal(berth_host_add_route(peer.host, 1, &net, 8, &fourth), 0);
    berth_handle socket = udp_socket(&peer, 0, 500);
    set(&peer, "net.ipv4.conf.all.shared_media", "0");
    assert_int_equal(far_hop(&peer, socket), 2);
    redirect(&peer, (struct redirect){.target = LINK + 4});
    assert_int_equal(far_hop(&peer, socket), 2);
    redirect(&peer, (struct redirect){.target = LINK + 3});
    assert_int_equal(far_hop(&peer, socket), 3);
    redirect(&peer, (struct redirect){.source = LINK + 3, .target = LINK + 4});
    assert_int_equal(far_hop(&peer, socket), 3);
    set(&peer, "net.ipv4.conf.all.secure_redirects", "0");
    assert_int_equal(far_hop(&peer, socket), 2);
    redirect(&peer, (struct redirect){.target = LINK + 4});
    assert_int_equal(far_hop(&peer, socket), 4);
    peer_stop(&peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(followed),      cmocka_unit_test(from_others),
        cmocka_unit_test(to_no_gateway), cmocka_unit_test(not_about_us),
        cmocka_unit_test(in_flight),     cmocka_unit_test(at_both_ends),
        cmocka_unit_test(echo),          cmocka_unit_test(on_and_back),
        cmocka_unit_test(expires),       cmocka_unit_test(no_answer),
        cmocka_unit_test(route_changes), cmocka_unit_test(bounded),
        cmocka_unit_test(out_of_memory), cmocka_unit_test(not_wanted),
        cmocka_unit_test(secure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
