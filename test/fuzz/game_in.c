#include "engine/base/bytes.h"
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

const uint8_t game_host_mac[6] = {2, 0, 0, 0, 0, 1}, game_peer_mac[6] = {2, 0, 0, 0, 0, 2};
const struct berth_ip game_host_v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}},
                      game_peer_v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2}},
                      game_host_v6 = {{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
                      game_peer_v6 = {{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};

struct berth_ip game_router(unsigned which, bool v6) {
    struct berth_ip ip = berth_ip_v4(0x0a000000);
    if (v6)
        ip = (struct berth_ip){{0xfe, 0x80}};
    ip.bytes[15] = (uint8_t)(GAME_ROUTERS + which % GAME_ROUTERS);
    return ip;
}

/* All of them are played by the peer. */
static bool is_router(const struct game *game, const struct berth_ip *address) {
    struct berth_ip router = game_router(address->bytes[15], !berth_ip_is_v4(address));
    return game->routed && berth_ip_equal(&router, address);
}

uint16_t game_port(struct input *input) {
    static const uint16_t ports[GAME_PORTS] = {7, 80, 5000, 5001};
    return ports[input_8(input) % GAME_PORTS];
}

/* As one block, or with the headers in the frame's own room. Without memory it is lost. */
void game_give(struct game *game, const uint8_t *octets, size_t length) {
    struct berth_frame frame;
    size_t split = length < 54 ? length : 54;
    struct berth_allocator allocator = berth_allocator_default();
    if (octets != game->given)
        memcpy(game->given, octets, length);
    game->given_length = length;
    split = game->given_length % 2 ? split : 0;
    CLAIM(berth_frame_from_bytes(&frame, allocator, octets + split, length - split) == 0);
    memcpy(frame.header, octets, split);
    frame.header_length = (uint16_t)split;
    CLAIM(berth_host_input(game->host, 1, &frame, 1, game->now) == 0);
    berth_frame_clear(&frame);
}

static void ethernet_put(uint8_t *to, uint16_t type) {
    struct ethernet_header ethernet = {.type = type};
    memcpy(ethernet.destination, game_host_mac, 6);
    memcpy(ethernet.source, game_peer_mac, 6);
    ethernet_header_write(to, &ethernet);
}

/* ---- link addresses ---- */

static void arp_give(struct game *game, const struct arp_packet *packet) {
    uint8_t frame[ETHERNET_HEADER + ARP_LENGTH];
    ethernet_put(frame, ETHERNET_ARP);
    arp_packet_write(frame + ETHERNET_HEADER, packet);
    game_give(game, frame, sizeof frame);
}

void game_answer_arp(struct game *game, uint32_t target) {
    struct berth_ip address = berth_ip_v4(target);
    struct arp_packet packet = {
        .operation = ARP_REPLY,
        .sender_ip = is_router(game, &address) ? target : berth_ip_to_v4(&game_peer_v4),
        .target_ip = berth_ip_to_v4(&game_host_v4)};
    memcpy(packet.sender_mac, game_peer_mac, 6);
    memcpy(packet.target_mac, game_host_mac, 6);
    arp_give(game, &packet);
}

void game_arp(struct game *game) {
    struct arp_packet packet = {.operation = 1 + input_8(game->input) % 3,
                                .sender_ip = 0x0a000000u + input_8(game->input),
                                .target_ip = 0x0a000000u + input_8(game->input)};
    input_octets(game->input, packet.sender_mac, 6);
    arp_give(game, &packet);
}

/* ---- datagrams ---- */

/* Puts link and IP header before the transport at `to` + room, computes its checksum at checksum_at
 * unless it is to be wrong, and gives the frame. */
enum { ROOM = ETHERNET_HEADER + IPV6_HEADER };

static void transport_give_from(struct game *game, const struct berth_ip *from, uint8_t protocol,
                                size_t length, size_t checksum_at, bool wrong) {
    static const uint8_t zeroes[2];
    uint8_t *transport = game->given + ROOM;
    bool v6 = !berth_ip_is_v4(from);
    const struct berth_ip *to = v6 ? &game_host_v6 : &game_host_v4;
    size_t header = v6 ? IPV6_HEADER : IPV4_HEADER_MIN;
    uint8_t *start = transport - header - ETHERNET_HEADER;
    struct checksum sum = {0};
    memcpy(transport + checksum_at, zeroes, 2);
    if (protocol != IPV4_ICMP)
        checksum_add_pseudo(&sum, from, to, protocol, (uint32_t)length);
    checksum_add(&sum, transport, length);
    store_be16(transport + checksum_at, (uint16_t)(checksum_finish(&sum) ^ wrong));
    ethernet_put(start, v6 ? ETHERNET_IPV6 : ETHERNET_IPV4);
    if (v6)
        ipv6_header_write(start + ETHERNET_HEADER,
                          &(struct ipv6_header){.source = *from,
                                                .destination = *to,
                                                .payload_length = (uint16_t)length,
                                                .next = protocol,
                                                .hop_limit = 255});
    else
        ipv4_header_write(start + ETHERNET_HEADER,
                          &(struct ipv4_header){.header_length = IPV4_HEADER_MIN,
                                                .ttl = 64,
                                                .tos = game->input->left & 3, /* ECN */
                                                .protocol = protocol,
                                                .total_length = (uint16_t)(header + length),
                                                .source = berth_ip_to_v4(from),
                                                .destination = berth_ip_to_v4(to)});
    memmove(game->given, start, ETHERNET_HEADER + header + length);
    game_give(game, game->given, ETHERNET_HEADER + header + length);
}

static void transport_give(struct game *game, bool v6, uint8_t protocol, size_t length,
                           size_t checksum_at, bool wrong) {
    transport_give_from(game, v6 ? &game_peer_v6 : &game_peer_v4, protocol, length, checksum_at,
                        wrong);
}

void game_answer_solicitation(struct game *game, const struct berth_ip *target) {
    struct nd_message message = {.type = ICMP6_NEIGHBOR_ADVERTISEMENT,
                                 .solicited = true,
                                 .override = true,
                                 .target = *target,
                                 .mac = game_peer_mac};
    if (berth_ip_equal(target, &game_peer_v6) || is_router(game, target))
        transport_give(game, true, IPV6_ICMP, nd_write(game->given + ROOM, &message), 2, false);
}

void game_datagram(struct game *game) {
    uint8_t how = input_8(game->input);
    size_t length = UDP_HEADER + (how & 0x0f) * (how & 0x10 ? 90u : 1u);
    struct udp_header udp = {.source_port = game_port(game->input),
                             .destination_port = game_port(game->input),
                             .length = (uint16_t)(how & 0x20 ? input_16(game->input) : length)};
    memset(game->given + ROOM, 'd', length);
    udp_header_write(game->given + ROOM, &udp);
    transport_give(game, how & 0x40, IPV4_UDP, length, 6, how & 0x80);
}

/* Near what fits, or anywhere. */
static uint32_t near(struct input *input, uint32_t fits) {
    uint8_t how = input_8(input);
    if (how < 128)
        return fits;
    if (how < 192)
        return fits + (how - 160u) * 100;
    if (how < 224)
        return fits - 1 + (how & 3);
    return how < 240 ? fits + 0x7ffffff8u + how : input_32(input);
}

static size_t options_put(struct game *game, const struct game_flow *flow, uint8_t *to) {
    struct tcp_options options = {0};
    uint8_t how = input_8(game->input);
    size_t length;
    if (how < 100)
        return 0;
    if (how < 130) {
        input_octets(game->input, to, 40);
        return how & 0x1c ? how & 0x1c : 40u;
    }
    options.has_timestamps = how & 1;
    options.ts_value = near(game->input, (uint32_t)(game->now / 1000000));
    options.ts_echo = near(game->input, flow->ts_value);
    if (how & 2) {
        options.has_mss = options.has_wscale = options.sack_permitted = true;
        options.mss = input_16(game->input);
        options.wscale = input_8(game->input);
    } else if (how & 4) {
        options.sack_count = (uint8_t)(1 + how / 8 % 3);
        for (unsigned i = 0; i < options.sack_count; i++) {
            options.sack[i].left = near(game->input, flow->acked + how / 32 * 1448u);
            options.sack[i].right = near(game->input, options.sack[i].left + 1448);
        }
    }
    length = tcp_options_write(to, &options);
    CLAIM(length <= 40);
    return length;
}

void game_segment(struct game *game) {
    struct input *input = game->input;
    uint8_t how = input_8(input), *to = game->given + ROOM;
    struct game_flow flow = game->flows[how & 7 ? game->flow : how / 8 % GAME_FLOWS];
    if (flow.host_port == 0 || (how & 0xc0) == 0xc0)
        flow = (struct game_flow){.host_port = game_port(input),
                                  .peer_port = (uint16_t)(6000 + (how & 3)),
                                  .v6 = how & 0x20,
                                  .ack = 100};
    struct tcp_header tcp = {.source_port = flow.peer_port,
                             .destination_port = flow.host_port,
                             .seq = near(input, flow.ack),
                             .ack = near(input, how & 0x10 ? flow.acked : flow.next),
                             .flags = input_8(input)};
    tcp.window = input_16(input);
    uint8_t size = input_8(input);
    if (tcp.flags & TCP_URG)
        tcp.urgent = input_8(input);
    size_t length = TCP_HEADER_MIN + options_put(game, &flow, to + TCP_HEADER_MIN);
    tcp.header_length = (uint8_t)length;
    size_t payload = size < 128 ? size / 8 : (size - 128u) * 11;
    memset(to + length, 's', payload);
    tcp_header_write(to, &tcp);
    transport_give(game, flow.v6, IPV4_TCP, length + payload, 16, (how & 0x3f) == 0x3f);
    if (tcp.flags & TCP_ACK)
        game->flows[game->flow].acked = tcp.ack;
}

static void plain_give(struct game *game, const struct game_flow *flow, uint8_t flags) {
    uint8_t *to = game->given + ROOM;
    struct tcp_options options = {.has_timestamps = true,
                                  .ts_value = (uint32_t)(game->now / 1000000),
                                  .ts_echo = flow->ts_value};
    options.has_mss = options.has_wscale = options.sack_permitted = flags & TCP_SYN;
    options.mss = 1460;
    options.wscale = 7;
    size_t length = TCP_HEADER_MIN + tcp_options_write(to + TCP_HEADER_MIN, &options);
    tcp_header_write(to, &(struct tcp_header){.source_port = flow->peer_port,
                                              .destination_port = flow->host_port,
                                              .seq = flow->ack,
                                              .ack = flow->next,
                                              .flags = flags,
                                              .window = 60000,
                                              .header_length = (uint8_t)length});
    transport_give(game, flow->v6, IPV4_TCP, length, 16, false);
}

void game_reply(struct game *game, uint8_t flags) {
    struct game_flow *flow = &game->flows[game->flow];
    plain_give(game, flow, flags);
    flow->acked = flow->next;
    if (flags & (TCP_SYN | TCP_FIN))
        flow->ack++;
}

void game_knock(struct game *game, bool v6) {
    plain_give(game, &(struct game_flow){.host_port = 80, .peer_port = 6000, .ack = 99, .v6 = v6},
               TCP_SYN);
}

/* An error that quotes what the host sent last, or an echo. */
void game_icmp(struct game *game) {
    struct input *input = game->input;
    uint8_t *to = game->given + ROOM;
    bool v6 = game->sent_length > 13 && load_be16(game->sent + 12) == ETHERNET_IPV6;
    struct icmp_header icmp = {.type = input_8(input), .code = input_8(input) & 0x0f};
    icmp.rest = icmp.type & 0x80 ? input_32(input) : input_16(input);
    if ((icmp.type == ICMP_ECHO_REPLY || icmp.type == ICMP6_ECHO_REPLY) && !(icmp.rest & 1))
        icmp.rest = game->echo; /* the answer that is waited for */
    size_t cut = input_8(input), length = ICMP_HEADER;
    if (game->sent_length > ETHERNET_HEADER) {
        size_t quote = game->sent_length - ETHERNET_HEADER;
        quote = quote < cut ? quote : cut;
        memcpy(to + length, game->sent + ETHERNET_HEADER, quote);
        length += quote;
    }
    icmp_header_write(to, &icmp);
    transport_give(game, v6, v6 ? IPV6_ICMP : IPV4_ICMP, length, 2, false);
}

/* The router's message at `to`, without what it quotes; returns its length. */
static size_t redirect_put(struct game *game, bool v6, uint8_t *to) {
    struct input *input = game->input;
    uint8_t how = input_8(input), code = input_8(input);
    struct berth_ip target = how & 1 ? game_router(how >> 1, v6) : v6 ? game_peer_v6 : game_peer_v4;
    if (how & 0x10)
        target.bytes[15] = input_8(input);
    if (!v6) {
        icmp_header_write(to, &(struct icmp_header){.type = ICMP_REDIRECT,
                                                    .code = code & 7,
                                                    .rest = berth_ip_to_v4(&target)});
        return ICMP_HEADER;
    }
    memset(to, 0, 8);
    to[0] = ICMP6_REDIRECT;
    to[1] = code < 240 ? 0 : code;
    memcpy(to + 8, target.bytes, 16);
    memcpy(to + 24, how & 0x20 ? target.bytes : game_peer_v6.bytes, 16);
    if (!(how & 0x40))
        return 40;
    to[40] = how & 0x80 ? input_8(input) : 2;
    to[41] = how & 0x80 ? input_8(input) : 1;
    memcpy(to + 42, game_peer_mac, 6);
    to[47] = (uint8_t)(to[47] + (code & 1));
    return 48;
}

void game_redirect(struct game *game) {
    struct input *input = game->input;
    uint8_t *to = game->given + ROOM, from = input_8(input);
    bool v6 = game->sent_length > 13 && load_be16(game->sent + 12) == ETHERNET_IPV6;
    size_t cut = input_8(input) | 0x40u, length = redirect_put(game, v6, to);
    size_t quote = game->sent_length > ETHERNET_HEADER ? game->sent_length - ETHERNET_HEADER : 0;
    quote = (quote < cut ? quote : cut) & ~(size_t)7;
    if (v6) {
        memset(to + length, 0, 8);
        to[length] = 4;
        to[length + 1] = (uint8_t)(1 + quote / 8);
        length += 8;
    }
    memcpy(to + length, game->sent + ETHERNET_HEADER, quote);
    struct berth_ip source = game_router(from < 192 ? 0 : from, v6);
    transport_give_from(game, &source, v6 ? IPV6_ICMP : IPV4_ICMP, length + quote, 2, false);
}

void game_fragment(struct game *game) {
    struct input *input = game->input;
    uint8_t how = input_8(input);
    size_t length = 8u * (1 + input_8(input) % 180) - (how & 3);
    uint16_t at = (uint16_t)(8 * (how & 4 ? input_16(input) % 8192 : input_8(input) % 8 * 10));
    struct ipv4_header ip = {.header_length = IPV4_HEADER_MIN,
                             .ttl = 64,
                             .protocol = how & 8 ? IPV4_UDP : IPV4_ICMP,
                             .id = how >> 4 & 3,
                             .fragment_offset = at,
                             .more_fragments = how & 0x40,
                             .total_length = (uint16_t)(IPV4_HEADER_MIN + length),
                             .source = berth_ip_to_v4(&game_peer_v4),
                             .destination = berth_ip_to_v4(&game_host_v4)};
    uint8_t *to = game->given;
    ethernet_put(to, ETHERNET_IPV4);
    ipv4_header_write(to + ETHERNET_HEADER, &ip);
    memset(to + ETHERNET_HEADER + IPV4_HEADER_MIN, 0, length);
    if (at == 0)
        udp_header_write(to + ETHERNET_HEADER + IPV4_HEADER_MIN,
                         &(struct udp_header){.source_port = 9,
                                              .destination_port = game_port(input),
                                              .length = (uint16_t)(8 * input_8(input))});
    game_give(game, to, ETHERNET_HEADER + IPV4_HEADER_MIN + length);
}

/* The last frame once more with some octets changed, or octets of the input alone. */
void game_raw(struct game *game) {
    struct input *input = game->input;
    uint8_t how = input_8(input);
    size_t length = game->given_length;
    if (how & 1 || length < 34) {
        length = ETHERNET_HEADER + input_8(input) % 128;
        ethernet_put(game->given, how & 2 ? ETHERNET_IPV6 : ETHERNET_IPV4);
        input_octets(input, game->given + ETHERNET_HEADER, length - ETHERNET_HEADER);
    } else {
        for (int i = 0; i < 1 + (how >> 6); i++)
            game->given[input_16(input) % (length < 120 ? length : 120)] = input_8(input);
        if (how & 8)
            length -= input_8(input) % (length - ETHERNET_HEADER);
    }
    if (how & 4 && load_be16(game->given + 12) == ETHERNET_IPV4 && length >= 34) {
        struct checksum sum = {0};
        size_t header = 4u * (game->given[14] & 15);
        store_be16(game->given + 24, 0);
        checksum_add(&sum, game->given + 14, header < length - 14 ? header : length - 14);
        store_be16(game->given + 24, checksum_finish(&sum));
    }
    game_give(game, game->given, length);
}

void game_again(struct game *game) {
    if (game->given_length > 0)
        game_give(game, game->given, game->given_length);
}
