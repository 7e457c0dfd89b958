/* What peer.h has, for IPv6: the host is fd00::1/64 (and its link-local address) beside 10.0.0.1,
 * the peer fd00::2. */
#ifndef TEST_UNIT_HOST_PEER6_H
#define TEST_UNIT_HOST_PEER6_H

#include "engine/wire/icmp6.h"
#include "test/unit/host/peer.h"

extern const struct berth_ip host_ip6, peer_ip6, all_nodes6, any6, one6;
/* Made from host_mac and peer_mac. */
extern const struct berth_ip host_local6, peer_local6;

struct berth_ip ip6(const char *text);
static inline struct berth_endpoint endpoint6(struct berth_ip ip, uint16_t port) {
    struct berth_endpoint at = {.ip = ip, .port = port};
    return at;
}

void peer6_start(struct peer *peer, enum berth_link_type link, uint32_t mtu, uint8_t offloads);
/* The host has found the peer. */
void peer6_meet(struct peer *peer);
/* A family 6 UDP socket, bound if port is not 0. */
berth_handle udp6_socket(struct peer *peer, struct berth_ip ip, uint16_t port);

/* What the last frame pulled is; sums are checked. */
const uint8_t *out_ip6(struct peer *peer, struct ipv6_header *header);
const uint8_t *out_udp6(struct peer *peer, struct udp_header *header);
const uint8_t *out_icmp6(struct peer *peer, struct icmp_header *header); /* the quote or data */
void out_nd(struct peer *peer, struct ipv6_header *ip, struct nd_message *message);

/* Datagrams from the peer. Fields of `header` that are 0 get defaults: from peer_ip6 to host_ip6,
 * hop limit 64. */
size_t make_ip6(struct peer *peer, uint8_t *to, struct ipv6_header header, const void *payload,
                size_t length);
/* With their checksums. */
size_t make_icmp6(uint8_t *to, const struct berth_ip *source, const struct berth_ip *destination,
                  uint8_t type, uint8_t code, uint32_t rest, const void *data, size_t length);
size_t make_udp6(uint8_t *to, const struct berth_ip *source, const struct berth_ip *destination,
                 uint16_t source_port, uint16_t destination_port, const void *data, size_t length);
void give_ip6(struct peer *peer, struct ipv6_header header, const void *payload, size_t length);
void give_icmp6(struct peer *peer, uint8_t type, uint8_t code, uint32_t rest, const void *data,
                size_t length);
void give_udp6(struct peer *peer, uint16_t source_port, uint16_t destination_port, const void *data,
               size_t length);
/* Neighbour discovery's messages, from and to as the header says (defaults as above; hop limit
 * 255).
 */
void give_nd(struct peer *peer, struct ipv6_header header, struct nd_message message);

#endif
