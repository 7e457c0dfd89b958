/* Two hosts on one Ethernet link, in virtual time: 10.0.0.1 and 10.0.0.2. */
#ifndef TEST_UNIT_HOST_PAIR_H
#define TEST_UNIT_HOST_PAIR_H

#include "test/unit/host/peer.h"

struct pair {
    struct peer a, b; /* b is 10.0.0.2; both use a's clock */
    size_t frames;    /* carried so far */
    bool cut;         /* nothing is carried */
    size_t split;     /* where frames are cut anew into header and one part; 0: they are not */
};

void pair_start(struct pair *pair, uint32_t mtu, uint8_t offloads);
void pair_stop(struct pair *pair);
/* Carries frames until none is left. */
void pair_settle(struct pair *pair);
/* The same while time goes on. */
void pair_wait(struct pair *pair, uint64_t ns);
/* A TCP connection from a to b's port: *client on a, *server on b. */
void pair_connect(struct pair *pair, uint16_t port, berth_handle *client, berth_handle *server);

#endif
