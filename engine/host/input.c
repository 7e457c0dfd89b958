/* Frames that came in.
 *
 * A batch goes through in rounds: first each frame is checked and reduced to what its protocol
 * wants, and the place of each TCP segment's connection is hashed and prefetched; then the records
 * found there are prefetched; then the segments are given to TCP one after the other. So the cache
 * misses of a batch overlap: with millions of connections they are what a segment costs. All but
 * TCP is done at once, in the first round. */
#include "engine/host/host.h"
#include "engine/wire/icmp6.h"
#include "engine/wire/tcp.h"
#include "engine/wire/udp.h"
#include <errno.h>

struct batch_item {
    struct tcp_segment segment;
    struct berth_part parts[2]; /* more are rare: such a segment is given to TCP at once */
};

struct batch {
    struct berth_host *host;
    uint64_t now;
    uint32_t count;
    struct view_scratch scratch; /* of the frame at hand */
    struct berth_part parts[VIEW_PARTS];
    struct batch_item items[INPUT_BATCH];
};

static void batch_flush(struct batch *batch) {
    struct ports *ports = tcp_ports(batch->host->sockets.tcp);
    for (uint32_t i = 0; i < batch->count && batch->count > 1; i++)
        ports_prefetch_record(ports, batch->items[i].segment.hash);
    for (uint32_t i = 0; i < batch->count; i++)
        tcp_input(batch->host->sockets.tcp, &batch->items[i].segment, batch->now);
    batch->count = 0;
}

/* True if the transport checksum of the packet's first `length` octets is right, or need not be. */
static bool checksum_is_right(const struct ip_packet *packet, uint32_t length) {
    if (packet->flags & (BERTH_FRAME_NO_CHECKSUM | BERTH_FRAME_CHECKSUM_OK))
        return true;
    struct checksum sum = {0};
    checksum_add_pseudo(&sum, &packet->source, &packet->destination, packet->protocol, length);
    view_checksum(&packet->view, packet->at, length, &sum);
    return checksum_finish(&sum) == 0;
}

/* Makes the packet's first octets contiguous; the transport's header starts there. */
static const uint8_t *packet_head(struct batch *batch, struct ip_packet *packet, uint32_t length) {
    if (packet->length < length ||
        !view_ensure(&packet->view, packet->at + length, &batch->scratch))
        return NULL;
    return packet->view.head + packet->at;
}

static bool tcp_header_read(struct batch *batch, struct ip_packet *packet,
                            struct tcp_header *header) {
    const uint8_t *head = packet_head(batch, packet, TCP_HEADER_MIN);
    if (head)
        head = packet_head(batch, packet, (head[12] >> 4) * 4u);
    if (!head)
        return false;
    uint32_t whole = packet->view.head_length - packet->at;
    return tcp_header_parse(head, whole < packet->length ? whole : packet->length, header) == 0;
}

/* Fills in all of the segment but its payload. False: dropped and counted. */
static bool segment_read(struct batch *batch, struct ip_packet *packet,
                         struct tcp_segment *segment) {
    struct berth_host *host = batch->host;
    struct tcp_header header;
    /* Port 0 is nobody's (6335-2); and no connection is with a group (RFC 9293 3.9.2.3, MUST-57).
     */
    if (packet->group || !tcp_header_read(batch, packet, &header) || header.source_port == 0 ||
        header.destination_port == 0) {
        host->counters.tcp_in_errors++;
        return false;
    }
    /* RFC 9293 3.1, MUST-3: the receiver must check it. */
    if (!checksum_is_right(packet, packet->length)) {
        host->counters.tcp_in_checksum_errors++;
        host->counters.tcp_in_errors++;
        return false;
    }
    segment->tuple.local = packet->destination;
    segment->tuple.remote = packet->source;
    segment->tuple.local_port = header.destination_port;
    segment->tuple.remote_port = header.source_port;
    segment->seq = header.seq;
    segment->ack = header.ack;
    segment->flags = header.flags;
    segment->window = header.window;
    segment->urgent = header.urgent;
    segment->options = header.options;
    segment->options_length = header.options_length;
    segment->interface = packet->interface;
    segment->tos = packet->tos;
    segment->ttl = packet->ttl;
    segment->segment_size = packet->segment_size;
    segment->length = packet->length - header.header_length;
    segment->hash = ports_hash(tcp_ports(host->sockets.tcp), &segment->tuple);
    return true;
}

/* A SYN for which a gateway's caller has to look outside first. */
static bool is_stray_syn(struct batch *batch, const struct ip_packet *packet,
                         const struct tcp_segment *segment) {
    struct berth_host *host = batch->host;
    return host->strays.on && (segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
           !tcp_knows(host->sockets.tcp, &segment->tuple) &&
           stray_put(&host->strays, host->config.allocator, packet, segment->tuple.remote_port,
                     segment->tuple.local_port, packet->at);
}

static void input_tcp(struct batch *batch, struct ip_packet *packet, bool lasting) {
    struct batch_item *item = &batch->items[batch->count];
    struct tcp_segment *segment = &item->segment;
    if (!segment_read(batch, packet, segment) || is_stray_syn(batch, packet, segment))
        return;
    uint32_t at = packet->at + packet->length - segment->length;
    int parts = view_slice(&packet->view, at, segment->length, item->parts, 2, &segment->parts);
    /* What lies in the scratch does not last beyond this frame. */
    if (parts >= 0 && lasting && packet->view.head != batch->scratch.head) {
        segment->part_count = (uint8_t)parts;
        ports_prefetch(tcp_ports(batch->host->sockets.tcp), segment->hash);
        if (++batch->count == INPUT_BATCH)
            batch_flush(batch);
        return;
    }
    struct tcp_segment alone = *segment;
    batch_flush(batch);
    parts = view_slice(&packet->view, at, alone.length, batch->parts, VIEW_PARTS, &alone.parts);
    alone.part_count = (uint8_t)parts;
    tcp_input(batch->host->sockets.tcp, &alone, batch->now);
}

/* RFC 768: zero means that there is no checksum. RFC 8200 8.1, 8200-3: over IPv6 there has to be
 * one, if the link does without it or not. */
static bool zero_is_wrong(const struct ip_packet *packet) {
    return packet_is_v6(packet) && (packet->flags & BERTH_FRAME_NO_CHECKSUM) == 0;
}

static void input_udp(struct batch *batch, struct ip_packet *packet) {
    struct berth_host *host = batch->host;
    struct udp_header header;
    const uint8_t *head = packet_head(batch, packet, UDP_HEADER);
    /* RFC 768, RFC 8085, 768-1, 6335-2: a length below 8 or past the payload's end; nobody has port
     * 0, but who wants no answer sends from there. */
    if (!head || udp_header_parse(head, UDP_HEADER, packet->length, &header) != 0 ||
        header.destination_port == 0) {
        host->counters.udp_in_errors++;
        return;
    }
    /* RFC 1122 4.1.3.4, 1122-U4: silently dropped when wrong. */
    if (header.checksum == 0 ? zero_is_wrong(packet) : !checksum_is_right(packet, header.length)) {
        host->counters.udp_in_checksum_errors++;
        host->counters.udp_in_errors++;
        return;
    }
    struct udp_arrival arrival;
    arrival.tuple.local = packet->destination;
    arrival.tuple.remote = packet->source;
    arrival.tuple.local_port = header.destination_port;
    arrival.tuple.remote_port = header.source_port;
    arrival.length = header.length - UDP_HEADER;
    arrival.interface = packet->interface;
    arrival.ttl = packet->ttl;
    arrival.tos = packet->tos;
    arrival.group = packet->group;
    int parts = view_slice(&packet->view, packet->at + UDP_HEADER, arrival.length, batch->parts,
                           VIEW_PARTS, &arrival.parts);
    arrival.part_count = (uint8_t)parts;
    if (!udp_input(host->sockets.udp, &arrival) &&
        !stray_put(&host->strays, host->config.allocator, packet, header.source_port,
                   header.destination_port,
                   packet->at + UDP_HEADER)) /* RFC 1122 4.1.3.1, 1122-U1, RFC 4443 3.1 */
        icmp_report(&host->sockets.ip, packet, ICMP_ABOUT_PORT, batch->now);
}

static bool is_icmp(const struct ip_packet *packet) {
    return packet->protocol == (packet_is_v6(packet) ? IPV6_ICMP : IPV4_ICMP);
}

/* An echo request that a gateway's caller has to send on first. Its identifier and its number stand
 * in for ports. */
static bool is_stray_echo(struct batch *batch, const struct ip_packet *packet) {
    struct berth_host *host = batch->host;
    uint8_t octets[ICMP_HEADER];
    struct icmp_header header;
    if (!host->strays.on || packet->length < ICMP_HEADER)
        return false;
    view_read(&packet->view, packet->at, ICMP_HEADER, octets);
    return icmp_header_parse(octets, ICMP_HEADER, &header) == 0 &&
           header.type == (packet_is_v6(packet) ? ICMP6_ECHO : ICMP_ECHO) &&
           stray_put(&host->strays, host->config.allocator, packet, (uint16_t)(header.rest >> 16),
                     (uint16_t)header.rest, packet->at + ICMP_HEADER);
}

/* `lasting`: the packet's octets live as long as the batch's frames. */
static void input_packet(struct batch *batch, struct ip_packet *packet, bool lasting) {
    struct berth_host *host = batch->host;
    if (packet->protocol == IPV4_TCP) {
        host->counters.ip_in_delivers++;
        input_tcp(batch, packet, lasting);
    } else if (packet->protocol == IPV4_UDP) {
        host->counters.ip_in_delivers++;
        input_udp(batch, packet);
    } else if (is_icmp(packet)) {
        host->counters.ip_in_delivers++;
        if (is_stray_echo(batch, packet))
            return;
        if (packet_is_v6(packet))
            icmp6_input(&host->sockets.ip, packet, batch->now);
        else
            icmp_input(&host->sockets.ip, packet, batch->now);
    } else if (!packet_is_v6(packet) || packet->protocol != IPV6_NONE) { /* RFC 8200 4.7 */
        host->counters.ip_in_unknown_protos++; /* RFC 1122 3.2.2.1, 1122-IC4 */
        icmp_report(&host->sockets.ip, packet, ICMP_ABOUT_PROTOCOL, batch->now);
    }
}

void host_input_packet(struct berth_host *host, struct ip_packet *packet, uint64_t now) {
    struct batch batch;
    batch.host = host;
    batch.now = now;
    batch.count = 0;
    input_packet(&batch, packet, false);
    batch_flush(&batch);
}

static void input_ipv4(struct batch *batch, unsigned interface, struct ip_packet *packet,
                       uint32_t at, bool group) {
    struct ip *ip = &batch->host->sockets.ip;
    struct berth_block *joined;
    struct piece piece;
    enum ip_input what = ip_input(ip, interface, packet, at, group, &piece, &batch->scratch);
    if (what == IP_PACKET) {
        input_packet(batch, packet, true);
    } else if (what == IP_FORWARD) {
        ip_forward(ip, packet, batch->now);
    } else if (what == IP_FRAGMENT &&
               reassembly_add(ip, &ip->reassembly, &piece, packet, &joined, batch->now)) {
        input_packet(batch, packet, false);
        berth_block_drop(joined);
    }
}

static void input_ipv6(struct batch *batch, unsigned interface, struct ip_packet *packet,
                       uint32_t at, bool group) {
    struct ip *ip = &batch->host->sockets.ip;
    struct berth_block *joined;
    struct piece piece;
    enum ip_input what = ip6_input(ip, interface, packet, at, group, &batch->scratch);
    if (what == IP_EXTENDED)
        what = ip6_walk(ip, packet, &piece, &batch->scratch, batch->now);
    if (what == IP_PACKET) {
        input_packet(batch, packet, true);
    } else if (what == IP_FORWARD) {
        ip_forward(ip, packet, batch->now);
    } else if (what == IP_FRAGMENT &&
               ip6_join(ip, &piece, packet, &joined, &batch->scratch, batch->now)) {
        input_packet(batch, packet, false);
        berth_block_drop(joined);
    }
}

static void input_arp(struct batch *batch, unsigned interface, struct frame_view *view) {
    struct ip *ip = &batch->host->sockets.ip;
    struct arp_packet packet;
    if (!view_ensure(view, ETHERNET_HEADER + ARP_LENGTH, &batch->scratch) ||
        arp_packet_parse(view->head + ETHERNET_HEADER, view->head_length - ETHERNET_HEADER,
                         &packet) != 0) {
        batch->host->counters.ip_in_discards++;
        return;
    }
    arp_input(ip, (uint8_t)interface, &packet, batch->now);
}

static void input_ethernet(struct batch *batch, unsigned interface, struct ip_packet *packet) {
    struct berth_host *host = batch->host;
    const struct ip_interface *own = &host->sockets.ip.interfaces[interface];
    struct frame_view *view = &packet->view;
    if (!view_ensure(view, ETHERNET_HEADER, &batch->scratch)) {
        host->counters.ip_in_header_errors++;
        return;
    }
    const uint8_t *link = view->head;
    bool group = ethernet_is_group(link);
    if (!group && memcmp(link, own->mac, ETHERNET_MAC) != 0)
        return; /* a switch flooded what is another's */
    switch (load_be16(link + 12)) {
    case ETHERNET_IPV4:
        input_ipv4(batch, interface, packet, ETHERNET_HEADER, group);
        break;
    case ETHERNET_IPV6:
        input_ipv6(batch, interface, packet, ETHERNET_HEADER, group);
        break;
    case ETHERNET_ARP:
        input_arp(batch, interface, view);
        break;
    default:
        host->counters.ip_in_unknown_protos++;
    }
}

void host_input(struct berth_host *host, unsigned interface, const struct berth_frame *frames,
                size_t count, uint64_t now) {
    struct batch batch;
    batch.host = host;
    batch.now = now;
    batch.count = 0;
    bool ethernet = host->sockets.ip.interfaces[interface].link == BERTH_LINK_ETHERNET;
    for (size_t i = 0; i < count; i++) {
        struct ip_packet packet;
        if (i + 1 < count) { /* as far as the TCP header */
            __builtin_prefetch(&frames[i + 1]);
            __builtin_prefetch(&frames[i + 1].header[64]);
        }
        packet.flags = frames[i].flags;
        packet.segment_size = frames[i].segment_size;
        if (!view_of_frame(&packet.view, &frames[i])) {
            host->counters.ip_in_header_errors++;
            continue;
        }
        if (ethernet)
            input_ethernet(&batch, interface, &packet);
        else if (packet.view.head_length > 0 && packet.view.head[0] >> 4 == 6)
            input_ipv6(&batch, interface, &packet, 0, false);
        else
            input_ipv4(&batch, interface, &packet, 0, false);
    }
    batch_flush(&batch);
}

int berth_host_input(struct berth_host *host, int interface, const struct berth_frame *frames,
                     size_t count, uint64_t now) {
    if (interface <= IP_LOOPBACK || interface >= host->sockets.ip.interface_count)
        return -ENODEV;
    if (host->sockets.suspended)
        return 0; /* as a network card without power: nobody hears */
    host_input(host, (unsigned)interface, frames, count, sockets_clock(&host->sockets, now));
    return 0;
}
