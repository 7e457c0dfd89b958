#include "engine/wire/arp.h"
#include "engine/wire/checksum.h"
#include "engine/wire/ethernet.h"
#include "engine/wire/icmp.h"
#include "engine/wire/icmp6.h"
#include "engine/wire/ipv4.h"
#include "engine/wire/ipv6.h"
#include "engine/wire/tcp.h"
#include "engine/wire/tcp_options.h"
#include "engine/wire/udp.h"
#include "test/fuzz/game.h"

/* A datagram's transport, whole or the first fragment. */
struct transport {
    struct berth_ip source, destination;
    uint8_t protocol;
    bool v6, fragment;
    const uint8_t *data;
    size_t length;
};

static void checksum_check(const struct transport *transport) {
    struct checksum sum = {0};
    if (transport->fragment)
        return;
    if (transport->protocol == IPV4_UDP && transport->data[6] == 0 && transport->data[7] == 0) {
        CLAIM(!transport->v6); /* RFC 8200 8.1 */
        return;
    }
    if (transport->protocol != IPV4_ICMP)
        checksum_add_pseudo(&sum, &transport->source, &transport->destination, transport->protocol,
                            (uint32_t)transport->length);
    checksum_add(&sum, transport->data, transport->length);
    CLAIM(checksum_finish(&sum) == 0);
}

static struct game_flow *flow_of(struct game *game, const struct tcp_header *tcp, bool v6) {
    for (unsigned i = 0; i < GAME_FLOWS; i++)
        if (game->flows[i].host_port == tcp->source_port &&
            game->flows[i].peer_port == tcp->destination_port && game->flows[i].v6 == v6)
            return &game->flows[game->flow = i];
    game->flow = (game->flow + 1) % GAME_FLOWS;
    return &game->flows[game->flow];
}

static void segment_watch(struct game *game, const struct transport *transport) {
    struct tcp_header tcp;
    struct tcp_options options = {0};
    CLAIM(tcp_header_parse(transport->data, transport->length, &tcp) == 0);
    CLAIM(tcp_options_parse(tcp.options, tcp.options_length, true, &options) == 0);
    CLAIM((tcp.flags & (TCP_SYN | TCP_FIN)) != (TCP_SYN | TCP_FIN));
    if (tcp.flags & TCP_RST)
        return;
    uint32_t length = (uint32_t)(transport->length - tcp.header_length);
    length += ((tcp.flags & TCP_SYN) != 0) + ((tcp.flags & TCP_FIN) != 0);
    struct game_flow *flow = flow_of(game, &tcp, transport->v6);
    bool known = flow->host_port == tcp.source_port && !(tcp.flags & TCP_SYN);
    *flow = (struct game_flow){
        .host_port = tcp.source_port,
        .peer_port = tcp.destination_port,
        .first = tcp.seq,
        .next = tcp.seq + length,
        .ack = tcp.ack,
        .acked = known ? flow->acked : tcp.seq,
        .ts_value = options.ts_value,
        .v6 = transport->v6,
    };
}

/* An echo request is a socket's: its identifier is the socket's port. */
static void echo_watch(struct game *game, const struct transport *transport) {
    struct icmp_header icmp;
    if (transport->protocol == (transport->v6 ? IPV6_ICMP : IPV4_ICMP) &&
        icmp_header_parse(transport->data, transport->length, &icmp) == 0 &&
        icmp.type == (transport->v6 ? ICMP6_ECHO : ICMP_ECHO)) {
        CLAIM(icmp.code == 0 && icmp.rest >> 16 != 0);
        game->echo = icmp.rest;
    }
}

static void transport_watch(struct game *game, const struct transport *transport) {
    struct udp_header udp;
    struct nd_message message;
    if (transport->protocol == IPV4_UDP && !transport->fragment)
        CLAIM(udp_header_parse(transport->data, transport->length, transport->length, &udp) == 0 &&
              udp.length == transport->length);
    checksum_check(transport);
    echo_watch(game, transport);
    if (transport->protocol == IPV4_TCP && !transport->fragment)
        segment_watch(game, transport);
    if (transport->v6 && transport->protocol == IPV6_ICMP && !game->deaf &&
        nd_parse(transport->data, transport->length, &message) == 0 &&
        message.type == ICMP6_NEIGHBOR_SOLICITATION)
        game_answer_solicitation(game, &message.target);
}

static void ipv4_watch(struct game *game, const uint8_t *octets, size_t length) {
    struct ipv4_header ip;
    CLAIM(ipv4_header_parse(octets, length, length, &ip) == 0);
    CLAIM(ip.total_length == length);
    transport_watch(game, &(struct transport){.source = berth_ip_v4(ip.source),
                                              .destination = berth_ip_v4(ip.destination),
                                              .protocol = ip.protocol,
                                              .fragment = ipv4_is_fragment(&ip),
                                              .data = octets + ip.header_length,
                                              .length = ipv4_payload_length(&ip)});
}

static void ipv6_watch(struct game *game, const uint8_t *octets, size_t length) {
    struct ipv6_header ip;
    struct ipv6_chain chain;
    CLAIM(ipv6_header_parse(octets, length, length, &ip) == 0);
    CLAIM(IPV6_HEADER + (size_t)ip.payload_length == length);
    CLAIM(ipv6_chain_parse(octets, length, &chain) == IPV6_ACCEPT);
    size_t headers = IPV6_HEADER + (size_t)chain.length;
    transport_watch(game, &(struct transport){.source = ip.source,
                                              .destination = ip.destination,
                                              .protocol = chain.protocol,
                                              .v6 = true,
                                              .fragment = chain.is_fragment,
                                              .data = octets + headers,
                                              .length = length - headers});
}

void game_watch(struct game *game, const uint8_t *octets, size_t length, bool large) {
    struct ethernet_header ethernet;
    struct arp_packet arp;
    CLAIM(ethernet_header_parse(octets, length, &ethernet) == 0);
    CLAIM(memcmp(ethernet.source, game_host_mac, 6) == 0);
    CLAIM(large || length <= game->mtu + ETHERNET_HEADER);
    octets += ETHERNET_HEADER;
    length -= ETHERNET_HEADER;
    if (ethernet.type == ETHERNET_IPV4) {
        ipv4_watch(game, octets, length);
    } else if (ethernet.type == ETHERNET_IPV6) {
        ipv6_watch(game, octets, length);
    } else {
        CLAIM(ethernet.type == ETHERNET_ARP && arp_packet_parse(octets, length, &arp) == 0);
        if (arp.operation == ARP_REQUEST && !game->deaf)
            game_answer_arp(game, arp.target_ip);
    }
}

/* Answers make frames in their turn, and those no answers. */
void game_drain(struct game *game) {
    struct berth_frame frames[8];
    size_t count, all = 0;
    while ((count = berth_host_output(game->host, 1, frames, 8, game->now)) > 0)
        for (size_t i = 0; i < count; i++) {
            CLAIM(all++ < 100000);
            berth_frame_finish(&frames[i], ETHERNET_HEADER);
            CLAIM(berth_frame_length(&frames[i]) <= GAME_FRAME);
            game->sent_length = berth_frame_read(&frames[i], 0, game->sent, GAME_FRAME);
            bool large = frames[i].segment_size > 0;
            berth_frame_clear(&frames[i]);
            game_watch(game, game->sent, game->sent_length, large);
        }
    CLAIM(!berth_host_has_output(game->host));
}
