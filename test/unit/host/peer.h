/* A host under test and, on its link, a peer that the test plays octet by octet, in virtual time.
 * The host is 10.0.0.1/24, the peer 10.0.0.2. Memory is counted, and can be made to run out. */
#ifndef TEST_UNIT_HOST_PEER_H
#define TEST_UNIT_HOST_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/wire/arp.h"
#include "engine/wire/checksum.h"
#include "engine/wire/icmp.h"
#include "engine/wire/ipv4.h"
#include "engine/wire/udp.h"
#include "test/unit/base/counting_allocator.h"
#include <berth/socket.h>
#include <errno.h>

enum { PEER_FRAME = 65535 + 14 };
enum { HOST_IP = 0x0a000001, PEER_IP = 0x0a000002 };

struct peer {
    struct counting counting;
    struct berth_host *host;
    struct berth_host_config config;
    int interface;
    size_t link; /* octets of link header: 14 or 0 */
    uint64_t now;
    uint8_t out[PEER_FRAME]; /* the last frame pulled, flat */
    size_t out_length;
    uint16_t id; /* of the next datagram the peer sends */
};

extern const uint8_t host_mac[6], peer_mac[6], everyone[6];

/* A host with one interface. */
void peer_start(struct peer *peer, enum berth_link_type link, uint32_t mtu, uint8_t offloads);
/* The same without an interface yet, from peer->config, which peer_config() has set. */
void peer_config(struct peer *peer);
void peer_start_bare(struct peer *peer);
void peer_add_link(struct peer *peer, enum berth_link_type link, uint32_t mtu, uint8_t offloads);
/* Frees the host; everything it took must be back. */
void peer_stop(struct peer *peer);
/* Time goes on by `ns`; timers fire as they come. */
void peer_wait(struct peer *peer, uint64_t ns);

/* Gives the host a frame, as one block from outside. */
void peer_give(struct peer *peer, const uint8_t *octets, size_t length);
/* The same with its first `split` octets in the frame's header. */
void peer_give_split(struct peer *peer, const uint8_t *octets, size_t length, size_t split);
/* Pulls the next frame into peer->out. False when there is none. */
bool peer_pull(struct peer *peer);
/* Nothing may come. */
#define peer_expect_silence(peer) assert_false(peer_pull(peer))
/* Everything is pulled and dropped; returns how many frames there were. */
size_t peer_drain(struct peer *peer);
/* ARP in both directions is done: the host knows the peer. */
void peer_meet(struct peer *peer);

/* What the last frame pulled is. */
const uint8_t *out_ip(struct peer *peer, struct ipv4_header *header);   /* its payload */
const uint8_t *out_udp(struct peer *peer, struct udp_header *header);   /* its payload, checked */
const uint8_t *out_icmp(struct peer *peer, struct icmp_header *header); /* the quote or data */
void out_arp(struct peer *peer, struct arp_packet *packet);

/* ---- frames from the peer ---- */

/* An IPv4 datagram; the Ethernet header before it. Fields of `header` that are 0 get defaults. */
size_t make_ip(struct peer *peer, uint8_t *to, struct ipv4_header header, const void *payload,
               size_t length);
/* Checksum right. */
size_t make_udp(uint8_t *to, uint32_t source, uint32_t destination, uint16_t source_port,
                uint16_t destination_port, const void *data, size_t length);
size_t make_icmp(uint8_t *to, uint8_t type, uint8_t code, uint32_t rest, const void *data,
                 size_t length);
void give_ip(struct peer *peer, struct ipv4_header header, const void *payload, size_t length);
void give_udp(struct peer *peer, uint16_t source_port, uint16_t destination_port, const void *data,
              size_t length);
void give_icmp(struct peer *peer, uint8_t type, uint8_t code, uint32_t rest, const void *data,
               size_t length);
void give_arp(struct peer *peer, uint16_t operation, const uint8_t *sender_mac, uint32_t sender_ip,
              uint32_t target_ip);

static inline struct berth_endpoint endpoint(uint32_t ip, uint16_t port) {
    struct berth_endpoint at = {.ip = berth_ip_v4(ip), .port = port};
    return at;
}
/* A UDP socket, bound when port is not 0 or ip not 0. */
berth_handle udp_socket(struct peer *peer, uint32_t ip, uint16_t port);
uint32_t test_random(uint64_t *state);

#endif
