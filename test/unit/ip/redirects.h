/* Two families' redirects have this in common: which neighbour a datagram went to. The router whose
 * address ends in N has the link address 02:00:00:00:00:0N. */
#ifndef TEST_UNIT_IP_REDIRECTS_H
#define TEST_UNIT_IP_REDIRECTS_H

#include "engine/wire/ethernet.h"
#include "test/unit/host/peer6.h"

static inline void mac_of(uint8_t n, uint8_t mac[6]) {
    memcpy(mac, peer_mac, 6);
    mac[5] = n;
}

/* Whom the host asks for in the frame pulled last answers, if it is a question. */
static inline bool answer_question(struct peer *peer) {
    uint8_t mac[6];
    if (load_be16(peer->out + 12) == ETHERNET_ARP) {
        struct arp_packet packet;
        out_arp(peer, &packet);
        mac_of((uint8_t)packet.target_ip, mac);
        give_arp(peer, ARP_REPLY, mac, packet.target_ip, HOST_IP);
        return true;
    }
    if (load_be16(peer->out + 12) == ETHERNET_IPV6 && peer->out[20] == IPV6_ICMP &&
        peer->out[54] == ICMP6_NEIGHBOR_SOLICITATION) {
        struct ipv6_header ip;
        struct nd_message message;
        out_nd(peer, &ip, &message);
        mac_of(message.target.bytes[15], mac);
        give_nd(peer, (struct ipv6_header){.source = message.target, .destination = ip.source},
                (struct nd_message){.type = ICMP6_NEIGHBOR_ADVERTISEMENT,
                                    .router = true,
                                    .solicited = true,
                                    .override = true,
                                    .target = message.target,
                                    .mac = mac});
        return true;
    }
    return false;
}

/* The neighbour that gets what is sent there; the datagram stays in peer->out. */
static inline uint8_t next_hop(struct peer *peer, berth_handle socket, struct berth_endpoint to) {
    assert_int_equal(berth_socket_send_to(peer->host, socket, "hello", 5, &to, peer->now), 5);
    do
        assert_true(peer_pull(peer));
    while (answer_question(peer));
    assert_memory_equal(peer->out, peer_mac, 5);
    return peer->out[5];
}

#endif
