#include "test/unit/host/peer6.h"
#include "engine/wire/ethernet.h"

const struct berth_ip host_ip6 = {{0xfd, [15] = 1}}, peer_ip6 = {{0xfd, [15] = 2}};
const struct berth_ip all_nodes6 = {{0xff, 2, [15] = 1}}, any6 = {{0}}, one6 = {{[15] = 1}};
const struct berth_ip host_local6 = {{0xfe, 0x80, [11] = 0xff, [12] = 0xfe, [15] = 1}};
const struct berth_ip peer_local6 = {{0xfe, 0x80, [11] = 0xff, [12] = 0xfe, [15] = 2}};

struct berth_ip ip6(const char *text) {
    struct berth_ip ip;
    assert_int_equal(berth_ip_parse(text, &ip), 0);
    return ip;
}

void peer6_start(struct peer *peer, enum berth_link_type link, uint32_t mtu, uint8_t offloads) {
    peer_start(peer, link, mtu, offloads);
    assert_int_equal(berth_host_add_address(peer->host, peer->interface, &host_ip6, 64), 0);
}

berth_handle udp6_socket(struct peer *peer, struct berth_ip ip, uint16_t port) {
    berth_handle socket;
    struct berth_endpoint local = endpoint6(ip, port);
    assert_int_equal(berth_socket_open(peer->host, 6, BERTH_UDP, &socket), 0);
    if (port != 0)
        assert_int_equal(berth_socket_bind(peer->host, socket, &local), 0);
    return socket;
}

void peer6_meet(struct peer *peer) {
    struct ipv6_header ip;
    struct nd_message message;
    struct berth_endpoint to = endpoint6(peer_ip6, 9);
    if (peer->link == 0)
        return;
    berth_handle socket = udp6_socket(peer, any6, 0);
    assert_int_equal(berth_socket_send_to(peer->host, socket, "x", 1, &to, peer->now), 1);
    assert_true(peer_pull(peer));
    out_nd(peer, &ip, &message);
    give_nd(peer, (struct ipv6_header){0},
            (struct nd_message){.type = ICMP6_NEIGHBOR_ADVERTISEMENT,
                                .solicited = true,
                                .override = true,
                                .target = peer_ip6,
                                .mac = peer_mac});
    assert_int_equal(peer_drain(peer), 1);
    assert_int_equal(berth_socket_close(peer->host, socket, peer->now), 0);
}

const uint8_t *out_ip6(struct peer *peer, struct ipv6_header *header) {
    const uint8_t *ip = peer->out + peer->link;
    size_t length = peer->out_length - peer->link;
    if (peer->link)
        assert_int_equal(load_be16(peer->out + 12), ETHERNET_IPV6);
    assert_int_equal(ipv6_header_parse(ip, length, length, header), 0);
    assert_int_equal(IPV6_HEADER + header->payload_length, length);
    return ip + IPV6_HEADER;
}

static uint16_t sum_of(const struct berth_ip *source, const struct berth_ip *destination,
                       uint8_t protocol, const uint8_t *payload, size_t length) {
    struct checksum sum = {0};
    checksum_add_pseudo(&sum, source, destination, protocol, (uint32_t)length);
    checksum_add(&sum, payload, length);
    return checksum_finish(&sum);
}

static const uint8_t *out_transport(struct peer *peer, uint8_t protocol, struct ipv6_header *ip) {
    const uint8_t *payload = out_ip6(peer, ip);
    assert_int_equal(ip->next, protocol);
    assert_int_equal(sum_of(&ip->source, &ip->destination, protocol, payload, ip->payload_length),
                     0);
    return payload;
}

const uint8_t *out_udp6(struct peer *peer, struct udp_header *header) {
    struct ipv6_header ip;
    const uint8_t *payload = out_transport(peer, 17, &ip);
    assert_int_equal(udp_header_parse(payload, ip.payload_length, ip.payload_length, header), 0);
    assert_int_equal(header->length, ip.payload_length);
    assert_int_not_equal(header->checksum, 0); /* RFC 8200 8.1 */
    return payload + UDP_HEADER;
}

const uint8_t *out_icmp6(struct peer *peer, struct icmp_header *header) {
    struct ipv6_header ip;
    const uint8_t *payload = out_transport(peer, IPV6_ICMP, &ip);
    assert_int_equal(icmp_header_parse(payload, ip.payload_length, header), 0);
    return payload + ICMP_HEADER;
}

void out_nd(struct peer *peer, struct ipv6_header *ip, struct nd_message *message) {
    const uint8_t *payload = out_transport(peer, IPV6_ICMP, ip);
    assert_int_equal(ip->hop_limit, 255);
    assert_int_equal(nd_parse(payload, ip->payload_length, message), 0);
}

static void header_defaults(struct ipv6_header *header) {
    if (berth_ip_equal(&header->source, &any6))
        header->source = peer_ip6;
    if (berth_ip_equal(&header->destination, &any6))
        header->destination = host_ip6;
    if (header->hop_limit == 0)
        header->hop_limit = 64;
}

size_t make_ip6(struct peer *peer, uint8_t *to, struct ipv6_header header, const void *payload,
                size_t length) {
    header_defaults(&header);
    if (peer->link) {
        struct ethernet_header link = {.type = ETHERNET_IPV6};
        memcpy(link.destination, host_mac, 6);
        if (berth_ip_is_multicast(&header.destination))
            nd_group_mac(&header.destination, link.destination);
        memcpy(link.source, peer_mac, 6);
        ethernet_header_write(to, &link);
        to += ETHERNET_HEADER;
    }
    header.payload_length = (uint16_t)length;
    ipv6_header_write(to, &header);
    if (length > 0)
        memcpy(to + IPV6_HEADER, payload, length);
    return peer->link + IPV6_HEADER + length;
}

size_t make_icmp6(uint8_t *to, const struct berth_ip *source, const struct berth_ip *destination,
                  uint8_t type, uint8_t code, uint32_t rest, const void *data, size_t length) {
    struct icmp_header header = {.type = type, .code = code, .rest = rest};
    icmp_header_write(to, &header);
    if (length > 0)
        memcpy(to + ICMP_HEADER, data, length);
    store_be16(to + 2, sum_of(source, destination, IPV6_ICMP, to, ICMP_HEADER + length));
    return ICMP_HEADER + length;
}

size_t make_udp6(uint8_t *to, const struct berth_ip *source, const struct berth_ip *destination,
                 uint16_t source_port, uint16_t destination_port, const void *data, size_t length) {
    struct udp_header header = {.source_port = source_port,
                                .destination_port = destination_port,
                                .length = (uint16_t)(UDP_HEADER + length)};
    udp_header_write(to, &header);
    if (length > 0)
        memcpy(to + UDP_HEADER, data, length);
    store_be16(to + 6, udp_checksum_on_wire(
                           sum_of(source, destination, IPV4_UDP, to, UDP_HEADER + length)));
    return UDP_HEADER + length;
}

static uint8_t scratch[PEER_FRAME], octets[PEER_FRAME];

void give_ip6(struct peer *peer, struct ipv6_header header, const void *payload, size_t length) {
    peer_give(peer, octets, make_ip6(peer, octets, header, payload, length));
}

void give_icmp6(struct peer *peer, uint8_t type, uint8_t code, uint32_t rest, const void *data,
                size_t length) {
    size_t made = make_icmp6(scratch, &peer_ip6, &host_ip6, type, code, rest, data, length);
    give_ip6(peer, (struct ipv6_header){.next = IPV6_ICMP}, scratch, made);
}

void give_udp6(struct peer *peer, uint16_t source_port, uint16_t destination_port, const void *data,
               size_t length) {
    size_t made =
        make_udp6(scratch, &peer_ip6, &host_ip6, source_port, destination_port, data, length);
    give_ip6(peer, (struct ipv6_header){.next = IPV4_UDP}, scratch, made);
}

void give_nd(struct peer *peer, struct ipv6_header header, struct nd_message message) {
    uint8_t payload[ND_LENGTH_MAX];
    bool unspecified = header.flow == 1; /* the caller's word for a source of :: */
    size_t length = nd_write(payload, &message);
    header.next = IPV6_ICMP;
    header.flow = 0;
    if (header.hop_limit == 0)
        header.hop_limit = 255;
    header_defaults(&header);
    if (unspecified)
        header.source = any6;
    store_be16(payload + 2,
               sum_of(&header.source, &header.destination, IPV6_ICMP, payload, length));
    size_t made = make_ip6(peer, octets, header, payload, length);
    if (unspecified)
        memset(octets + peer->link + 8, 0, 16);
    peer_give(peer, octets, made);
}
