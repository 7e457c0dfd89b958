#include "test/unit/host/pair.h"

static void start_one(struct peer *peer, uint32_t ip, const uint8_t *mac, uint32_t mtu,
                      uint8_t offloads) {
    struct berth_interface_config interface = {
        .link = BERTH_LINK_ETHERNET, .mtu = mtu, .offloads = offloads};
    struct berth_ip address = berth_ip_v4(ip);
    peer_config(peer);
    peer->config.seed[0] = mac[5];
    peer_start_bare(peer);
    memcpy(interface.mac, mac, 6);
    peer->interface = berth_host_add_interface(peer->host, &interface);
    peer->link = 14;
    assert_int_equal(peer->interface, 1);
    assert_int_equal(berth_host_add_address(peer->host, 1, &address, 24), 0);
}

void pair_start(struct pair *pair, uint32_t mtu, uint8_t offloads) {
    pair->frames = 0;
    pair->cut = false;
    pair->split = 0;
    start_one(&pair->a, HOST_IP, host_mac, mtu, offloads);
    start_one(&pair->b, PEER_IP, peer_mac, mtu, offloads);
}

void pair_stop(struct pair *pair) {
    berth_host_free(pair->a.host);
    berth_host_free(pair->b.host);
    assert_int_equal(pair->a.counting.blocks, 0);
    assert_int_equal(pair->b.counting.blocks, 0);
}

/* The same octets, the first `split` of them in the header and the rest in one block, as what comes
 * from outside has them. */
static void cut_anew(struct pair *pair, struct berth_frame *frame,
                     struct berth_allocator allocator) {
    static uint8_t octets[PEER_FRAME];
    struct berth_frame made;
    size_t length = berth_frame_read(frame, 0, octets, sizeof octets);
    size_t split = pair->split < length ? pair->split : length;
    assert_int_equal(berth_frame_from_bytes(&made, allocator, octets + split, length - split), 0);
    memcpy(made.header, octets, split);
    made.header_length = (uint16_t)split;
    made.flags = frame->flags;
    made.segment_size = frame->segment_size;
    berth_frame_clear(frame);
    *frame = made;
}

/* Blocks may outlive the host that made them, in the other's queues. */
static size_t carry(struct pair *pair, struct peer *from, struct peer *to) {
    static struct berth_frame frames[32];
    size_t count = berth_host_output(from->host, 1, frames, 32, pair->a.now);
    for (size_t i = 0; i < count && pair->split; i++)
        cut_anew(pair, &frames[i], from->config.allocator);
    if (count > 0 && !pair->cut)
        assert_int_equal(berth_host_input(to->host, 1, frames, count, pair->a.now), 0);
    for (size_t i = 0; i < count; i++)
        berth_frame_clear(&frames[i]);
    pair->frames += count;
    return count;
}

void pair_settle(struct pair *pair) {
    while (carry(pair, &pair->a, &pair->b) + carry(pair, &pair->b, &pair->a) > 0)
        continue;
    assert_false(berth_host_has_output(pair->a.host));
    assert_false(berth_host_has_output(pair->b.host));
}

void pair_wait(struct pair *pair, uint64_t ns) {
    uint64_t until = pair->a.now + ns;
    pair_settle(pair);
    while (pair->a.now < until) {
        uint64_t a = berth_host_deadline(pair->a.host), b = berth_host_deadline(pair->b.host);
        uint64_t next = a < b ? a : b;
        next = next < until ? next : until;
        pair->a.now = next > pair->a.now ? next : pair->a.now + 1;
        berth_host_advance(pair->a.host, pair->a.now);
        berth_host_advance(pair->b.host, pair->a.now);
        pair_settle(pair);
    }
    pair->b.now = pair->a.now;
}

void pair_connect(struct pair *pair, uint16_t port, berth_handle *client, berth_handle *server) {
    berth_handle listener;
    struct berth_endpoint local = endpoint(0, port), remote = endpoint(PEER_IP, port);
    assert_int_equal(berth_socket_open(pair->b.host, 4, BERTH_TCP, &listener), 0);
    assert_int_equal(berth_socket_bind(pair->b.host, listener, &local), 0);
    assert_int_equal(berth_socket_listen(pair->b.host, listener, 8), 0);
    assert_int_equal(berth_socket_open(pair->a.host, 4, BERTH_TCP, client), 0);
    assert_int_equal(berth_socket_connect(pair->a.host, *client, &remote, pair->a.now),
                     -EINPROGRESS);
    pair_settle(pair);
    assert_int_equal(berth_socket_accept(pair->b.host, listener, server), 0);
    assert_int_equal(berth_socket_close(pair->b.host, listener, pair->a.now), 0);
    pair_settle(pair);
}
