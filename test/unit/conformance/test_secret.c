/* What must not be guessed comes from the seed, all of it. */
#include "test/unit/conformance/segments.h"

enum { DRAWS = 4 };

/* The ports of a few connects and binds, and the initial sequence numbers, of a host of this seed.
 */
static void draw(const uint8_t seed[32], uint32_t *ports, uint32_t *isns) {
    struct peer peer;
    struct tcp_header header;
    struct ipv4_header ip;
    peer_config(&peer);
    memcpy(peer.config.seed, seed, sizeof peer.config.seed);
    peer_start_bare(&peer);
    peer_add_link(&peer, BERTH_LINK_RAW_IP, 1500, 0);
    for (unsigned i = 0; i < DRAWS; i++) {
        struct berth_endpoint to = endpoint(PEER_IP, 9), local;
        berth_handle socket = tcp_socket(&peer, 0, 0);
        assert_int_equal(berth_socket_connect(peer.host, socket, &to, peer.now), -EINPROGRESS);
        assert_true(peer_pull(&peer));
        out_segment(&peer, &header, &ip);
        ports[i] = header.source_port;
        isns[i] = header.seq;
        socket = udp_socket(&peer, HOST_IP, 0);
        assert_int_equal(berth_socket_local(peer.host, socket, &local), 0);
        ports[i] = ports[i] << 16 | local.port;
    }
    peer_stop(&peer);
}

/* 6056-4, 6528-2: each octet of the 256-bit seed changes all ports and all initial sequence
 * numbers; the same seed gives the same. */
static void each_octet_counts(void **state) {
    (void)state;
    uint8_t seed[32];
    uint32_t ports[DRAWS], isns[DRAWS], other_ports[DRAWS], other_isns[DRAWS];
    for (unsigned i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(i * 37 + 1);
    draw(seed, ports, isns);
    draw(seed, other_ports, other_isns);
    assert_memory_equal(ports, other_ports, sizeof ports);
    assert_memory_equal(isns, other_isns, sizeof isns);
    for (unsigned i = 0; i < sizeof seed; i++) {
        seed[i] ^= 1;
        draw(seed, other_ports, other_isns);
        for (unsigned j = 0; j < DRAWS; j++) {
            assert_int_not_equal(ports[j], other_ports[j]);
            assert_int_not_equal(isns[j], other_isns[j]);
        }
        seed[i] ^= 1;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_octet_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
