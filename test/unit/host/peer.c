#include "test/unit/host/peer.h"
#include "engine/wire/ethernet.h"

const uint8_t host_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2},
              everyone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

void peer_config(struct peer *peer) {
    memset(peer, 0, sizeof *peer);
    berth_host_config_init(&peer->config);
    peer->config.allocator = counting_allocator(&peer->counting);
    memset(peer->config.seed, 7, sizeof peer->config.seed);
    peer->now = BERTH_SECOND;
    peer->id = 1;
}

void peer_start_bare(struct peer *peer) {
    peer->host = berth_host_new(&peer->config);
    assert_non_null(peer->host);
}

void peer_add_link(struct peer *peer, enum berth_link_type link, uint32_t mtu, uint8_t offloads) {
    struct berth_interface_config interface = {.link = link, .mtu = mtu, .offloads = offloads};
    struct berth_ip own = berth_ip_v4(HOST_IP);
    memcpy(interface.mac, host_mac, sizeof interface.mac);
    peer->interface = berth_host_add_interface(peer->host, &interface);
    assert_int_equal(peer->interface, 1);
    assert_int_equal(berth_host_add_address(peer->host, peer->interface, &own, 24), 0);
    peer->link = link == BERTH_LINK_ETHERNET ? ETHERNET_HEADER : 0;
}

void peer_start(struct peer *peer, enum berth_link_type link, uint32_t mtu, uint8_t offloads) {
    peer_config(peer);
    peer_start_bare(peer);
    peer_add_link(peer, link, mtu, offloads);
}

void peer_stop(struct peer *peer) {
    berth_host_free(peer->host);
    assert_int_equal(peer->counting.blocks, 0);
    assert_int_equal(peer->counting.octets, 0);
}

void peer_wait(struct peer *peer, uint64_t ns) {
    uint64_t until = peer->now + ns;
    for (;;) {
        uint64_t deadline = berth_host_deadline(peer->host);
        if (deadline > until)
            break;
        if (deadline > peer->now)
            peer->now = deadline;
        berth_host_advance(peer->host, peer->now);
        if (berth_host_deadline(peer->host) == deadline)
            peer->now++; /* a deadline that has passed must not stay */
    }
    peer->now = until;
    berth_host_advance(peer->host, until);
}

void peer_give_split(struct peer *peer, const uint8_t *octets, size_t length, size_t split) {
    struct berth_frame frame = {0};
    struct counting before = peer->counting;
    counting_recover(&peer->counting); /* only the host's memory runs out */
    split = split < length ? split : length;
    frame.header_length = (uint16_t)split;
    memcpy(frame.header, octets, split);
    if (split < length) {
        frame.parts[0].block = berth_block_new(peer->config.allocator, (uint32_t)(length - split));
        memcpy(frame.parts[0].block->data, octets + split, length - split);
        frame.parts[0].data = frame.parts[0].block->data;
        frame.parts[0].length = (uint32_t)(length - split);
        frame.part_count = 1;
    }
    peer->counting.fail_at = before.fail_at;
    peer->counting.fail_from = before.fail_from;
    peer->counting.calls = before.calls;
    assert_int_equal(berth_host_input(peer->host, peer->interface, &frame, 1, peer->now), 0);
    berth_frame_clear(&frame);
}

void peer_give(struct peer *peer, const uint8_t *octets, size_t length) {
    peer_give_split(peer, octets, length, 0);
}

bool peer_pull(struct peer *peer) {
    struct berth_frame frame;
    memset(&frame, 0xee, sizeof frame);
    if (berth_host_output(peer->host, peer->interface, &frame, 1, peer->now) == 0)
        return false;
    berth_frame_finish(&frame, peer->link);
    peer->out_length = berth_frame_read(&frame, 0, peer->out, sizeof peer->out);
    assert_int_equal(peer->out_length, berth_frame_length(&frame));
    berth_frame_clear(&frame);
    return true;
}

size_t peer_drain(struct peer *peer) {
    size_t count = 0;
    while (peer_pull(peer))
        count++;
    return count;
}

void peer_meet(struct peer *peer) {
    if (peer->link == 0)
        return;
    berth_handle socket = udp_socket(peer, 0, 0);
    struct berth_endpoint to = endpoint(PEER_IP, 9);
    struct arp_packet packet;
    assert_int_equal(berth_socket_send_to(peer->host, socket, "x", 1, &to, peer->now), 1);
    assert_true(peer_pull(peer));
    out_arp(peer, &packet);
    give_arp(peer, ARP_REPLY, peer_mac, PEER_IP, HOST_IP);
    assert_int_equal(peer_drain(peer), 1);
    assert_int_equal(berth_socket_close(peer->host, socket, peer->now), 0);
}

const uint8_t *out_ip(struct peer *peer, struct ipv4_header *header) {
    const uint8_t *ip = peer->out + peer->link;
    size_t length = peer->out_length - peer->link;
    if (peer->link)
        assert_int_equal(load_be16(peer->out + 12), ETHERNET_IPV4);
    assert_int_equal(ipv4_header_parse(ip, length, length, header), 0);
    assert_int_equal(header->total_length, length);
    return ip + header->header_length;
}

static uint16_t transport_sum(const struct ipv4_header *header, const uint8_t *payload) {
    struct checksum sum = {0};
    struct berth_ip source = berth_ip_v4(header->source);
    struct berth_ip destination = berth_ip_v4(header->destination);
    uint16_t length = ipv4_payload_length(header);
    if (header->protocol != IPV4_ICMP)
        checksum_add_pseudo(&sum, &source, &destination, header->protocol, length);
    checksum_add(&sum, payload, length);
    return checksum_finish(&sum);
}

const uint8_t *out_udp(struct peer *peer, struct udp_header *header) {
    struct ipv4_header ip;
    const uint8_t *payload = out_ip(peer, &ip);
    assert_int_equal(ip.protocol, IPV4_UDP);
    assert_int_equal(
        udp_header_parse(payload, ipv4_payload_length(&ip), ipv4_payload_length(&ip), header), 0);
    assert_int_equal(header->length, ipv4_payload_length(&ip));
    assert_int_not_equal(header->checksum, 0);
    assert_int_equal(transport_sum(&ip, payload), 0);
    return payload + UDP_HEADER;
}

const uint8_t *out_icmp(struct peer *peer, struct icmp_header *header) {
    struct ipv4_header ip;
    const uint8_t *payload = out_ip(peer, &ip);
    assert_int_equal(ip.protocol, IPV4_ICMP);
    assert_int_equal(transport_sum(&ip, payload), 0);
    assert_int_equal(icmp_header_parse(payload, ipv4_payload_length(&ip), header), 0);
    return payload + ICMP_HEADER;
}

void out_arp(struct peer *peer, struct arp_packet *packet) {
    assert_int_equal(load_be16(peer->out + 12), ETHERNET_ARP);
    assert_int_equal(
        arp_packet_parse(peer->out + ETHERNET_HEADER, peer->out_length - ETHERNET_HEADER, packet),
        0);
}

size_t make_ip(struct peer *peer, uint8_t *to, struct ipv4_header header, const void *payload,
               size_t length) {
    if (peer->link) {
        struct ethernet_header link = {.type = ETHERNET_IPV4};
        memcpy(link.destination, host_mac, 6);
        memcpy(link.source, peer_mac, 6);
        ethernet_header_write(to, &link);
        to += ETHERNET_HEADER;
    }
    if (header.header_length == 0)
        header.header_length = (uint8_t)(IPV4_HEADER_MIN + header.options_length);
    if (header.ttl == 0)
        header.ttl = 64;
    if (header.source == 0)
        header.source = PEER_IP;
    if (header.destination == 0)
        header.destination = HOST_IP;
    if (header.id == 0)
        header.id = peer->id++;
    header.total_length = (uint16_t)(header.header_length + length);
    ipv4_header_write(to, &header);
    if (length > 0)
        memcpy(to + header.header_length, payload, length);
    return peer->link + header.header_length + length;
}

size_t make_udp(uint8_t *to, uint32_t source, uint32_t destination, uint16_t source_port,
                uint16_t destination_port, const void *data, size_t length) {
    struct udp_header header = {.source_port = source_port,
                                .destination_port = destination_port,
                                .length = (uint16_t)(UDP_HEADER + length)};
    struct ipv4_header ip = {.source = source,
                             .destination = destination,
                             .protocol = IPV4_UDP,
                             .header_length = IPV4_HEADER_MIN,
                             .total_length = (uint16_t)(IPV4_HEADER_MIN + UDP_HEADER + length)};
    udp_header_write(to, &header);
    if (length > 0)
        memcpy(to + UDP_HEADER, data, length);
    store_be16(to + 6, udp_checksum_on_wire(transport_sum(&ip, to)));
    return UDP_HEADER + length;
}

size_t make_icmp(uint8_t *to, uint8_t type, uint8_t code, uint32_t rest, const void *data,
                 size_t length) {
    struct icmp_header header = {.type = type, .code = code, .rest = rest};
    struct checksum sum = {0};
    icmp_header_write(to, &header);
    if (length > 0)
        memcpy(to + ICMP_HEADER, data, length);
    checksum_add(&sum, to, ICMP_HEADER + length);
    store_be16(to + 2, checksum_finish(&sum));
    return ICMP_HEADER + length;
}

static uint8_t scratch[PEER_FRAME], frame_octets[PEER_FRAME];

void give_ip(struct peer *peer, struct ipv4_header header, const void *payload, size_t length) {
    peer_give(peer, frame_octets, make_ip(peer, frame_octets, header, payload, length));
}

void give_udp(struct peer *peer, uint16_t source_port, uint16_t destination_port, const void *data,
              size_t length) {
    size_t made = make_udp(scratch, PEER_IP, HOST_IP, source_port, destination_port, data, length);
    give_ip(peer, (struct ipv4_header){.protocol = IPV4_UDP}, scratch, made);
}

void give_icmp(struct peer *peer, uint8_t type, uint8_t code, uint32_t rest, const void *data,
               size_t length) {
    size_t made = make_icmp(scratch, type, code, rest, data, length);
    give_ip(peer, (struct ipv4_header){.protocol = IPV4_ICMP}, scratch, made);
}

void give_arp(struct peer *peer, uint16_t operation, const uint8_t *sender_mac, uint32_t sender_ip,
              uint32_t target_ip) {
    uint8_t octets[60] = {0};
    struct ethernet_header link = {.type = ETHERNET_ARP};
    struct arp_packet packet = {
        .operation = operation, .sender_ip = sender_ip, .target_ip = target_ip};
    memcpy(link.destination, operation == ARP_REQUEST ? everyone : host_mac, 6);
    memcpy(link.source, sender_mac, 6);
    memcpy(packet.sender_mac, sender_mac, 6);
    if (operation == ARP_REPLY)
        memcpy(packet.target_mac, host_mac, 6);
    ethernet_header_write(octets, &link);
    arp_packet_write(octets + ETHERNET_HEADER, &packet);
    peer_give(peer, octets, sizeof octets); /* with Ethernet's padding */
}

berth_handle udp_socket(struct peer *peer, uint32_t ip, uint16_t port) {
    berth_handle socket;
    struct berth_endpoint local = endpoint(ip, port);
    assert_int_equal(berth_socket_open(peer->host, 4, BERTH_UDP, &socket), 0);
    if (ip != 0 || port != 0)
        assert_int_equal(berth_socket_bind(peer->host, socket, &local), 0);
    return socket;
}

uint32_t test_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}
