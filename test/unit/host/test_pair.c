#include "test/unit/host/pair.h"

static uint8_t data[1 << 20], got[1 << 20];

static void fill(void) {
    uint64_t seed = 9;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)test_random(&seed);
}

/* Sends all of data from one to the other in virtual time; what comes must be it. */
static void transfer(struct pair *pair, struct peer *from, berth_handle sender, struct peer *to,
                     berth_handle receiver) {
    size_t sent = 0, received = 0;
    for (int rounds = 0; received < sizeof data && rounds < 100000; rounds++) {
        ssize_t more =
            berth_socket_send(from->host, sender, data + sent, sizeof data - sent, 0, pair->a.now);
        assert_true(more >= 0 || more == -EAGAIN);
        sent += more > 0 ? (size_t)more : 0;
        pair_settle(pair);
        more = berth_socket_receive(to->host, receiver, got + received, sizeof got - received, 0,
                                    pair->a.now);
        assert_true(more > 0 || more == -EAGAIN);
        received += more > 0 ? (size_t)more : 0;
        if (more < 0)
            pair_wait(pair, BERTH_MS);
    }
    assert_int_equal(received, sizeof data);
    assert_memory_equal(got, data, sizeof data);
}

/* Both ways, with each thing the link may do for us. */
static void test_tcp(void **state) {
    (void)state;
    static const uint8_t offloads[] = {0, BERTH_OFFLOAD_CHECKSUM,
                                       BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT,
                                       BERTH_OFFLOAD_SEGMENT};
    fill();
    for (size_t i = 0; i < 4; i++) {
        struct pair pair;
        berth_handle client, server;
        uint8_t octet;
        pair_start(&pair, i % 2 ? 9000 : 1500, offloads[i]);
        pair_connect(&pair, 80, &client, &server);
        transfer(&pair, &pair.a, client, &pair.b, server);
        transfer(&pair, &pair.b, server, &pair.a, client);
        if (i == 2)
            assert_in_range(pair.frames, 1, 800);
        else
            assert_true(pair.frames > 200);
        assert_int_equal(berth_socket_close(pair.a.host, client, pair.a.now), 0);
        pair_settle(&pair);
        assert_int_equal(berth_socket_receive(pair.b.host, server, &octet, 1, 0, pair.a.now), 0);
        assert_int_equal(berth_socket_close(pair.b.host, server, pair.a.now), 0);
        pair_wait(&pair, 200 * BERTH_SECOND);
        assert_int_equal(berth_host_deadline(pair.a.host), BERTH_NEVER);
        assert_int_equal(berth_host_deadline(pair.b.host), BERTH_NEVER);
        assert_int_equal(berth_host_counters(pair.a.host)->ip_out_discards, 0);
        assert_int_equal(berth_host_counters(pair.b.host)->tcp_in_errors, 0);
        pair_stop(&pair);
    }
}

/* However the frames are cut: headers in one piece or straddling two, payload anywhere. */
static void test_splits(void **state) {
    (void)state;
    static const size_t splits[] = {1, 14, 20, 33, 34, 40, 54, 60, 66, 70, 100, 160};
    fill();
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        struct pair pair;
        berth_handle client, server;
        pair_start(&pair, 1500, 0);
        pair.split = splits[i];
        pair_connect(&pair, 80, &client, &server);
        size_t sent = 0, received = 0;
        for (size_t piece = 1; received < 60000; piece = piece * 3 % 4093) {
            ssize_t more =
                berth_socket_send(pair.a.host, client, data + sent, piece, 0, pair.a.now);
            sent += more > 0 ? (size_t)more : 0;
            if (sent % 3 == 0)
                pair_settle(&pair);
            more = berth_socket_receive(pair.b.host, server, got + received, sizeof got - received,
                                        0, pair.a.now);
            received += more > 0 ? (size_t)more : 0;
            if (more < 0)
                pair_wait(&pair, BERTH_MS);
        }
        assert_memory_equal(got, data, received);
        assert_int_equal(berth_host_counters(pair.a.host)->tcp_in_errors, 0);
        assert_int_equal(berth_host_counters(pair.b.host)->tcp_in_errors, 0);
        pair_stop(&pair);
    }
}

/* A frame that waits for its neighbour, or for its interface's pull, while the interface loses what
 * it did for us: it gets its checksum, and a large one does not go out. */
static void test_offloads_lost_waiting(void **state) {
    (void)state;
    struct pair pair;
    berth_handle client, server;
    struct berth_interface_config second = {.link = BERTH_LINK_RAW_IP, .mtu = 1500};
    struct berth_endpoint remote = endpoint(PEER_IP, 500);
    const uint8_t both = BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT;
    fill();
    pair_start(&pair, 1500, both);
    berth_handle from = udp_socket(&pair.a, 0, 400), to = udp_socket(&pair.b, 0, 500);
    assert_int_equal(berth_socket_send_to(pair.a.host, from, data, 1000, &remote, pair.a.now),
                     1000);
    struct berth_frame frame;
    assert_int_equal(berth_host_output(pair.a.host, 1, &frame, 1, pair.a.now), 1); /* ARP */
    assert_int_equal(berth_host_set_interface(pair.a.host, 1, 1500, 0), 0);
    assert_int_equal(berth_host_input(pair.b.host, 1, &frame, 1, pair.a.now), 0);
    berth_frame_clear(&frame);
    assert_int_equal(berth_host_output(pair.b.host, 1, &frame, 1, pair.a.now), 1);
    assert_int_equal(berth_host_input(pair.a.host, 1, &frame, 1, pair.a.now), 0);
    berth_frame_clear(&frame);
    assert_int_equal(berth_host_output(pair.a.host, 1, &frame, 1, pair.a.now), 1);
    assert_int_equal(frame.flags & BERTH_FRAME_NO_CHECKSUM, 0);
    assert_int_not_equal(load_be16(frame.header + 14 + 20 + 6), 0);
    assert_int_equal(berth_host_input(pair.b.host, 1, &frame, 1, pair.a.now), 0);
    berth_frame_clear(&frame);
    assert_int_equal(berth_socket_receive(pair.b.host, to, got, 2000, 0, pair.a.now), 1000);

    assert_int_equal(berth_host_set_interface(pair.a.host, 1, 1500, both), 0);
    assert_int_equal(berth_host_add_interface(pair.a.host, &second), 2);
    pair_connect(&pair, 80, &client, &server);
    assert_true(berth_socket_send(pair.a.host, client, data, 50000, 0, pair.a.now) > 0);
    assert_int_equal(berth_host_output(pair.a.host, 2, &frame, 1, pair.a.now), 0);
    assert_int_equal(berth_host_set_interface(pair.a.host, 1, 1500, 0), 0);
    while (berth_host_output(pair.a.host, 1, &frame, 1, pair.a.now) == 1) {
        assert_true(berth_frame_length(&frame) <= 1514);
        berth_frame_clear(&frame);
    }
    assert_true(berth_host_counters(pair.a.host)->ip_out_discards > 0);
    pair_wait(&pair, 10 * BERTH_SECOND);
    assert_true(berth_socket_receive(pair.b.host, server, got, 2000, 0, pair.a.now) > 0);
    pair_stop(&pair);
}

/* An interface that loses its offloads while segments wait for the neighbour and for the pull. */
static void test_offloads_lost(void **state) {
    (void)state;
    struct pair pair;
    berth_handle client, server;
    fill();
    pair_start(&pair, 1500, BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT);
    pair_connect(&pair, 80, &client, &server);
    pair_wait(&pair, 60 * BERTH_SECOND);
    assert_true(berth_socket_send(pair.a.host, client, data, 100000, 0, pair.a.now) > 0);
    assert_int_equal(berth_host_set_interface(pair.a.host, 1, 1500, 0), 0);
    assert_int_equal(berth_host_set_interface(pair.b.host, 1, 1500, 0), 0);
    struct berth_frame frame;
    while (berth_host_output(pair.a.host, 1, &frame, 1, pair.a.now) == 1) {
        assert_true(berth_frame_length(&frame) <= 1514);
        assert_int_equal(frame.flags & BERTH_FRAME_NO_CHECKSUM, 0);
        assert_int_equal(berth_host_input(pair.b.host, 1, &frame, 1, pair.a.now), 0);
        berth_frame_clear(&frame);
    }
    pair_wait(&pair, 5 * BERTH_SECOND);
    assert_true(berth_socket_receive(pair.b.host, server, got, sizeof got, 0, pair.a.now) > 0);
    assert_int_equal(berth_host_set_interface(pair.a.host, 0, 1500, 0), -ENODEV);
    assert_int_equal(berth_host_set_interface(pair.a.host, 7, 1500, 0), -ENODEV);
    assert_int_equal(berth_host_set_interface(pair.a.host, 1, 67, 0), -EINVAL);
    assert_int_equal(berth_host_set_interface(pair.a.host, 1, 65536, 0), -EINVAL);
    pair_stop(&pair);
}

/* connect() to a host that is not there: EHOSTUNREACH after three questions. */
static void test_connect_nobody(void **state) {
    (void)state;
    struct pair pair;
    berth_handle socket;
    struct berth_endpoint nobody = endpoint(0x0a000009, 80);
    int error = 0;
    pair_start(&pair, 1500, 0);
    assert_int_equal(berth_socket_open(pair.a.host, 4, BERTH_TCP, &socket), 0);
    assert_int_equal(berth_socket_connect(pair.a.host, socket, &nobody, pair.a.now), -EINPROGRESS);
    pair_wait(&pair, 2500 * BERTH_MS);
    assert_int_equal(berth_socket_get_option(pair.a.host, socket, BERTH_SO_ERROR, &error), 0);
    assert_int_equal(error, 0);
    pair_wait(&pair, BERTH_SECOND);
    assert_int_equal(berth_socket_get_option(pair.a.host, socket, BERTH_SO_ERROR, &error), 0);
    assert_int_equal(error, EHOSTUNREACH);
    pair_stop(&pair);
}

/* Nobody listens: a reset. A segment to a host's UDP port: port unreachable. */
static void test_refused(void **state) {
    (void)state;
    struct pair pair;
    berth_handle tcp, udp;
    struct berth_endpoint closed = endpoint(PEER_IP, 81);
    int error = 0;
    pair_start(&pair, 1500, 0);
    assert_int_equal(berth_socket_open(pair.a.host, 4, BERTH_TCP, &tcp), 0);
    assert_int_equal(berth_socket_connect(pair.a.host, tcp, &closed, pair.a.now), -EINPROGRESS);
    udp = udp_socket(&pair.a, 0, 0);
    assert_int_equal(berth_socket_connect(pair.a.host, udp, &closed, pair.a.now), 0);
    assert_int_equal(berth_socket_send(pair.a.host, udp, "x", 1, 0, pair.a.now), 1);
    pair_settle(&pair);
    assert_int_equal(berth_socket_get_option(pair.a.host, tcp, BERTH_SO_ERROR, &error), 0);
    assert_int_equal(error, ECONNREFUSED);
    assert_int_equal(berth_socket_receive(pair.a.host, udp, got, 1, 0, pair.a.now), -ECONNREFUSED);
    struct berth_event events[4];
    assert_int_equal(berth_host_events(pair.a.host, events, 4), 2);
    assert_true((events[0].socket == tcp && events[1].socket == udp) ||
                (events[0].socket == udp && events[1].socket == tcp));
    assert_true(events[0].bits & events[1].bits & BERTH_ERROR);
    pair_stop(&pair);
}

/* UDP of every size; what fits the sender's MTU or not, it arrives. */
static void test_udp(void **state) {
    (void)state;
    static const size_t sizes[] = {0,    1,    64,   117,  118,   119,  1471,
                                   1472, 1473, 1919, 1921, 20000, 65507};
    struct pair pair;
    fill();
    for (int kind = 0; kind < 2; kind++) {
        pair_start(&pair, 1500, kind ? BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT : 0);
        berth_handle from = udp_socket(&pair.a, 0, 4000), to = udp_socket(&pair.b, 0, 5000);
        struct berth_endpoint remote = endpoint(PEER_IP, 5000);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct berth_datagram meta;
            ssize_t size = (ssize_t)sizes[i];
            assert_int_equal(
                berth_socket_send_to(pair.a.host, from, data, sizes[i], &remote, pair.a.now), size);
            pair_settle(&pair);
            assert_int_equal(berth_socket_receive_from(pair.b.host, to, got, sizeof got, &meta, 0),
                             size);
            assert_memory_equal(got, data, sizes[i]);
            assert_int_equal(meta.length, sizes[i]);
            assert_int_equal(meta.source.port, 4000);
            assert_int_equal(berth_ip_to_v4(&meta.source.ip), HOST_IP);
            assert_int_equal(meta.destination.port, 5000);
            assert_int_equal(berth_ip_to_v4(&meta.destination.ip), PEER_IP);
            assert_int_equal(meta.interface, 1);
            assert_int_equal(meta.ttl, 64);
        }
        assert_int_equal(berth_socket_send_to(pair.a.host, from, data, 65508, &remote, pair.a.now),
                         -EMSGSIZE);
        pair_stop(&pair);
    }
}

/* The same seed, frames, times and calls give the same frames. */
static uint64_t run_hashed(uint8_t seed) {
    struct pair pair;
    berth_handle client, server;
    uint64_t hash = 1469598103934665603u;
    pair_start(&pair, 1500, 0);
    pair.a.config.seed[5] = seed;
    berth_host_free(pair.a.host);
    peer_start_bare(&pair.a);
    peer_add_link(&pair.a, BERTH_LINK_ETHERNET, 1500, 0);
    pair_connect(&pair, 80, &client, &server);
    berth_socket_send(pair.a.host, client, data, 50000, 0, pair.a.now);
    pair.a.link = 14;
    for (int i = 0; i < 20; i++) {
        while (peer_pull(&pair.a)) {
            for (size_t j = 0; j < pair.a.out_length; j++)
                hash = (hash ^ pair.a.out[j]) * 1099511628211u;
        }
        peer_wait(&pair.a, BERTH_SECOND);
    }
    pair_stop(&pair);
    return hash;
}

static void test_deterministic(void **state) {
    (void)state;
    fill();
    uint64_t first = run_hashed(1);
    assert_true(first == run_hashed(1));
    assert_true(first != run_hashed(2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_offloads_lost_waiting),
        cmocka_unit_test(test_offloads_lost),
        cmocka_unit_test(test_connect_nobody),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_udp),
        cmocka_unit_test(test_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
