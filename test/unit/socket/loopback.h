/* Two sockets of one host. */
#ifndef TEST_SOCKET_LOOPBACK_H
#define TEST_SOCKET_LOOPBACK_H

#include "test/unit/host/peer.h"

/* One pull takes all that the host has for itself; the loopback is no one else's interface. */
static inline void settle(struct peer *peer) {
    struct berth_frame frame;
    assert_int_equal(berth_host_output(peer->host, 0, &frame, 1, peer->now), 0);
    assert_false(berth_host_has_output(peer->host));
}

/* Brings `size` octets from one to the other. */
static inline void carry(struct peer *peer, berth_handle from, berth_handle to, const uint8_t *data,
                         uint8_t *got, size_t size) {
    size_t sent = 0, received = 0;
    while (received < size) {
        ssize_t more = berth_socket_send(peer->host, from, data + sent, size - sent, 0, peer->now);
        sent += more > 0 ? (size_t)more : 0;
        settle(peer);
        more = berth_socket_receive(peer->host, to, got + received, size - received, 0, peer->now);
        received += more > 0 ? (size_t)more : 0;
        if (more < 0)
            peer_wait(peer, BERTH_MS);
    }
    assert_memory_equal(got, data, size);
}

#endif
