/* A host and the hostile peer on its link. What the peer sends is made to fit what the host sent
 * last, so that it gets past the first checks and deep into the host, and to be wrong by a little.
 */
#ifndef TEST_FUZZ_GAME_H
#define TEST_FUZZ_GAME_H

#include "test/fuzz/input.h"
#include "test/unit/base/counting_allocator.h"
#include <berth/socket.h>

enum {
    GAME_FLOWS = 8,
    GAME_MTU = 9000,
    GAME_FRAME = 65535 + 14,
    GAME_PORTS = 4, /* the peer's and the host's ports are of few, so that they meet */
};

/* What the host's last segment on a connection said. */
struct game_flow {
    uint16_t host_port, peer_port;
    uint32_t next, first; /* the host's sequence numbers: behind its last segment, and its start */
    uint32_t ack;
    uint32_t acked; /* what the peer acknowledged last */
    uint32_t ts_value;
    bool v6;
};

struct game {
    struct counting counting;
    struct berth_host *host;
    struct input *input;
    uint64_t now;
    uint32_t mtu;
    bool deaf;   /* the peer does not answer who asks for its link address */
    bool routed; /* the way to the peer leads through a router, and there are others */
    struct game_flow flows[GAME_FLOWS];
    unsigned flow; /* the one written last */
    uint32_t echo; /* identifier and number of the host's last echo request */
    /* The last frame of each direction. */
    uint8_t sent[GAME_FRAME], given[GAME_FRAME];
    size_t sent_length, given_length;
};

extern const uint8_t game_host_mac[6], game_peer_mac[6];
/* Routers: 10.0.0.4 to 10.0.0.7 and fe80::4 to fe80::7; the way leads through the first. */
enum { GAME_ROUTERS = 4 };
struct berth_ip game_router(unsigned which, bool v6);
extern const struct berth_ip game_host_v4, game_peer_v4, game_host_v6, game_peer_v6;

uint16_t game_port(struct input *input);

/* ---- game_out.c: what the host says ---- */

/* Pulls all frames; each must be well formed. */
void game_drain(struct game *game);
/* Checks one frame and remembers what it said. */
void game_watch(struct game *game, const uint8_t *octets, size_t length, bool large);

/* ---- game_in.c: what the peer says ---- */

void game_give(struct game *game, const uint8_t *octets, size_t length);
void game_answer_arp(struct game *game, uint32_t target);
void game_answer_solicitation(struct game *game, const struct berth_ip *target);
void game_segment(struct game *game);
/* The segment that goes on with the connection written last, all right: its handshake, mostly. */
void game_reply(struct game *game, uint8_t flags);
/* A SYN to the host's port 80. */
void game_knock(struct game *game, bool v6);
void game_datagram(struct game *game);
void game_icmp(struct game *game);
/* A better router for what the host sent last, where there are routers. */
void game_redirect(struct game *game);
void game_fragment(struct game *game);
void game_arp(struct game *game);
void game_raw(struct game *game);
void game_again(struct game *game); /* the last frame */

#endif
