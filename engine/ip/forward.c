/* Forwarding: what comes for others is sent on (RFC 1812 5, RFC 8200 3), when net.ipv4.ip_forward
 * or net.ipv6.conf.all.forwarding says so. A datagram on its way meets, in this order,
 *
 *   ip_may_forward    addresses that stay on their link, and sources that there is no way back to
 *   a route           longest prefix first; none: "unreachable"
 *   the hop limit     used up: "time exceeded"
 *   the next link     shorter than the datagram: a large segment is cut into those that it stands
 *                     for, a datagram without DF goes in fragments, for others "too big" goes back
 *
 * and becomes a frame of the next link: its first octets are copied, where the hop limit is changed
 * and the link's header gets its place, and the rest is shared. So a large segment, and one whose
 * checksum was never computed, crosses a router as it crosses a switch. */
#include "engine/buffer/split.h"
#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"
#include "engine/wire/tcp.h"
#include <errno.h>

/* RFC 1812 5.3.7, 4.2.2.11, 4.2.3.1, 1812-4; RFC 3927 7: link-local ones stay on their link. */
static bool passes_routers(uint32_t v4) {
    uint32_t net = v4 >> 24;
    return net != 0 && net != 127 && net < 224 && v4 >> 16 != 0xa9fe;
}

bool ip_may_forward(const struct ip *ip, const struct berth_ip *source,
                    const struct berth_ip *destination) {
    if (berth_ip_is_v4(destination))
        /* RFC 3704 2.4, Linux's rp_filter 2: that there is a way back, over whatever interface. */
        return ip->forward && passes_routers(berth_ip_to_v4(source)) &&
               passes_routers(berth_ip_to_v4(destination)) &&
               ip_route_find(ip, source, IP_ANY_INTERFACE);
    /* RFC 4291 2.5.2, 2.5.3, 2.5.6, 4291-2. A link-local source is told (ip_forward). */
    return ip->forward6 && !berth_ip_is_any(source) && !berth_ip_is_any(destination) &&
           !berth_ip_is_loopback(destination) && !berth_ip_is_v4(destination) &&
           !berth_ip_is_multicast(destination) && !ip6_is_link_local(destination);
}

/* ---- the frame of the next link ---- */

static uint32_t link_header(const struct ip_interface *out) {
    return out->link == BERTH_LINK_ETHERNET ? ETHERNET_HEADER : 0;
}

/* RFC 1812 5.3.1, 1812-2, RFC 8200 3, 8200-4; the sum is adjusted, not made anew (RFC 1141): what
 * was wrong stays wrong. */
static void hop_limit_decrease(uint8_t *header) {
    if (header[0] >> 4 == 6) {
        header[7]--;
        return;
    }
    uint32_t sum = load_be16(header + 10) + 0x100u;
    header[8]--;
    store_be16(header + 10, (uint16_t)(sum + (sum >= 0xffff)));
}

/* What of the datagram fits is copied to where the link's header leaves off. */
static bool frame_onward(struct ip *ip, const struct ip_packet *packet,
                         const struct ip_interface *out, struct berth_frame *frame) {
    const struct frame_view *view = &packet->view;
    uint32_t link = link_header(out), start = packet->at - packet->header_length;
    uint32_t total = packet->header_length + packet->length, own = view->head_length - start;
    own = own < total ? own : total;
    own = own < BERTH_FRAME_HEADER - link ? own : BERTH_FRAME_HEADER - link;
    struct berth_part room[VIEW_PARTS];
    const struct berth_part *parts = room;
    struct berth_block *made = NULL;
    int count = 0;
    if (own < total)
        count = ip_parts_to_keep(ip, view, start + own, total - own, room, &parts, &made);
    if (count < 0)
        return false;
    memcpy(frame->header + link, view->head + start, own);
    hop_limit_decrease(frame->header + link);
    for (int i = 0; i < count; i++) {
        frame->parts[i] = parts[i];
        berth_block_hold(parts[i].block);
    }
    if (made)
        berth_block_drop(made);
    frame->header_length = (uint16_t)(link + own);
    frame->part_count = (uint8_t)count;
    frame->flags = packet->flags;
    frame->segment_size = packet->segment_size;
    frame->transport_offset = (uint16_t)(link + packet->header_length);
    return true;
}

/* ---- on its way ---- */

/* A datagram that goes on, and to where. */
struct onward {
    struct ip *ip;
    const struct ip_packet *packet;
    struct ip_interface *out;
    struct neighbor *waits_for; /* whose link address is not known yet, or NULL */
    uint32_t link;
    uint8_t interface;
    uint8_t mac[ETHERNET_MAC];
    uint64_t now;
};

/* The frame (given) is complete but for the link's header. */
static void send_on(const struct onward *onward, struct berth_frame *frame) {
    if (onward->link > 0) {
        memcpy(frame->header, onward->mac, ETHERNET_MAC);
        memcpy(frame->header + ETHERNET_MAC, onward->out->mac, ETHERNET_MAC);
        store_be16(frame->header + 12,
                   packet_is_v6(onward->packet) ? ETHERNET_IPV6 : ETHERNET_IPV4);
    }
    if (onward->waits_for)
        neighbor_wait(onward->ip, onward->waits_for, frame);
    else
        ip_ready(onward->ip, onward->interface, frame);
}

/* RFC 791 3.1: options without the copied flag are in the first fragment only; the others get as
 * much that means nothing in their place. */
static void options_blank(uint8_t *options, uint32_t length) {
    enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_COPIED = 0x80 };
    for (uint32_t at = 0; at < length && options[at] != OPTION_END;) {
        uint32_t size = options[at] == OPTION_NOP ? 1 : at + 1 < length ? options[at + 1] : 0;
        if (size == 0 || size > length - at)
            return;
        if (!(options[at] & OPTION_COPIED))
            memset(options + at, OPTION_NOP, size);
        at += size;
    }
}

/* The fragment of `whole` with payload octets [offset, offset+length). */
static bool fragment_build(const struct berth_frame *whole, uint32_t link, uint32_t offset,
                           uint32_t length, bool last, struct berth_frame *piece) {
    uint8_t *header = &piece->header[link];
    memcpy(header, whole->header + link, IPV4_HEADER_MAX);
    uint32_t size = (header[0] & 15u) * 4, start = link + size + offset, own = 0;
    uint16_t place = load_be16(header + 6);
    if (offset > 0)
        options_blank(header + IPV4_HEADER_MIN, size - IPV4_HEADER_MIN);
    if (start < whole->header_length)
        own = whole->header_length - start;
    own = own < length ? own : length;
    if (own > 0)
        memcpy(header + size, whole->header + start, own);
    uint32_t skip = start + own - whole->header_length;
    int parts = parts_slice(whole->parts, whole->part_count, skip, length - own, piece->parts,
                            BERTH_FRAME_PARTS);
    if (parts < 0)
        return false;
    for (int i = 0; i < parts; i++)
        berth_block_hold(piece->parts[i].block);
    /* Of a fragment the last one may be a middle one (RFC 791 3.2). */
    bool more = !last || (place & 0x2000);
    store_be16(header + 2, (uint16_t)(size + length));
    store_be16(header + 6, (uint16_t)((more ? 0x2000 : 0) | ((place & 0x1fff) + offset / 8)));
    store_be16(header + 10, 0);
    struct checksum sum = {0};
    checksum_add(&sum, header, size);
    store_be16(header + 10, checksum_finish(&sum));
    piece->header_length = (uint16_t)(link + size + own);
    piece->part_count = (uint8_t)parts;
    piece->flags = 0;
    piece->segment_size = 0;
    piece->transport_offset = 0;
    return true;
}

/* RFC 791 3.2, 791-3, RFC 1812 5.2.6: in as few fragments as the link allows. */
static void send_fragments(const struct onward *onward, struct berth_frame *whole) {
    struct berth_counters *counters = onward->ip->counters;
    uint32_t header = (whole->header[onward->link] & 15u) * 4;
    uint32_t payload = (uint32_t)berth_frame_length(whole) - onward->link - header;
    uint32_t size = (onward->out->mtu - header) & ~UINT32_C(7);
    berth_frame_finish(whole, onward->link);
    for (uint32_t offset = 0; offset < payload; offset += size) {
        struct berth_frame piece;
        bool last = payload - offset <= size;
        if (!fragment_build(whole, onward->link, offset, last ? payload - offset : size, last,
                            &piece)) {
            counters->ip_frag_fails++;
            return;
        }
        counters->ip_frag_creates++;
        send_on(onward, &piece);
    }
    counters->ip_frag_oks++;
}

/* RFC 1812 4.3.3.3, 5.2.7.1 with RFC 1191 4, 1812-3; RFC 8200 5, RFC 4443 3.2, 4443-6. */
static void tell_too_big(const struct onward *onward) {
    struct icmp_header header = {
        .type = ICMP_UNREACHABLE, .code = ICMP_FRAGMENTATION_NEEDED, .rest = onward->out->mtu};
    if (packet_is_v6(onward->packet)) {
        header.type = ICMP6_PACKET_TOO_BIG;
        header.code = 0;
    }
    onward->ip->counters->ip_frag_fails++;
    icmp_about_forwarded(onward->ip, onward->packet, &header, onward->now);
}

/* Octets of the largest datagram that the frame stands for. */
static uint32_t datagram_size(const struct onward *onward, const struct berth_frame *frame) {
    uint32_t size = (uint32_t)berth_frame_length(frame) - onward->link;
    uint32_t tcp = frame->transport_offset;
    if (frame->segment_size == 0 || tcp + TCP_HEADER_MIN > frame->header_length)
        return size;
    uint32_t segment =
        tcp - onward->link + (frame->header[tcp + 12] >> 4) * 4u + frame->segment_size;
    return segment < size ? segment : size;
}

/* Sends the frame, whose datagrams fit the link, or may be cut to fit it. Cleared by the caller. */
static void send_pieces(const struct onward *onward, struct berth_frame *large) {
    struct split split;
    struct berth_frame piece;
    if (!split_begin(&split, large, onward->link)) {
        onward->ip->counters->ip_out_discards++;
        return;
    }
    while (split_next(&split, &piece)) {
        if (berth_frame_length(&piece) > onward->link + onward->out->mtu) {
            send_fragments(onward, &piece);
            berth_frame_clear(&piece);
        } else {
            send_on(onward, &piece);
        }
    }
}

static void send_fitting(const struct onward *onward, struct berth_frame *frame) {
    uint32_t size = (uint32_t)berth_frame_length(frame) - onward->link, mtu = onward->out->mtu;
    bool fits = datagram_size(onward, frame) <= mtu;
    if (fits && size <= (frame->segment_size ? ip_segment_max(onward->out) : mtu)) {
        send_on(onward, frame);
        return;
    }
    bool v6 = packet_is_v6(onward->packet);
    if (!fits && (v6 || frame->header[onward->link + 6] & 0x40)) /* DF */
        tell_too_big(onward);
    else if (frame->segment_size)
        send_pieces(onward, frame);
    else
        send_fragments(onward, frame);
    berth_frame_clear(frame);
}

/* ---- the way ---- */

/* RFC 1812 5.2.7.1, 1812-3, RFC 4443 3.1, 4443-6. */
static void tell_unreachable(struct ip *ip, const struct ip_packet *packet, uint64_t now) {
    struct icmp_header header = {.type = ICMP_UNREACHABLE, .code = ICMP_NET_UNREACHABLE};
    if (packet_is_v6(packet)) {
        header.type = ICMP6_UNREACHABLE;
        header.code = ip6_is_link_local(&packet->source) ? ICMP6_BEYOND_SCOPE : ICMP6_NO_ROUTE;
    }
    ip->counters->ip_out_no_routes++;
    icmp_about_forwarded(ip, packet, &header, now);
}

void ip_forward(struct ip *ip, const struct ip_packet *packet, uint64_t now) {
    bool v6 = packet_is_v6(packet);
    int error = -ENETUNREACH;
    const struct ip_cached *hop = NULL;
    if (!v6 || !ip6_is_link_local(&packet->source))
        hop = ip_hop_find(ip, &packet->destination, IP_ANY_INTERFACE, now, &error);
    if (!hop && error == -ENETUNREACH) {
        tell_unreachable(ip, packet, now);
        return;
    }
    /* RFC 2644 2: nor to all hosts of another link. */
    if (!hop || hop->kind != IP_UNICAST) {
        ip->counters->ip_out_discards++;
        return;
    }
    if (packet->ttl <= 1) { /* RFC 1812 5.3.1, 1812-2, RFC 8200 3, 8200-4 */
        struct icmp_header header = {.type = v6 ? ICMP6_TIME_EXCEEDED : ICMP_TIME_EXCEEDED};
        ip->counters->ip_in_header_errors++;
        icmp_about_forwarded(ip, packet, &header, now);
        return;
    }
    struct onward onward = {.ip = ip,
                            .packet = packet,
                            .out = &ip->interfaces[hop->interface],
                            .interface = hop->interface,
                            .now = now};
    /* The hop holds until the next one is looked up. */
    bool back = hop->interface == packet->interface && hop->neighbor;
    struct berth_ip next = back ? hop->neighbor->ip : packet->destination;
    onward.link = link_header(onward.out);
    if (onward.link > 0 && !ip_hop_mac(ip, hop, &packet->destination, onward.mac, now))
        onward.waits_for = hop->neighbor;
    struct berth_frame frame;
    if (!frame_onward(ip, packet, onward.out, &frame)) {
        ip->counters->ip_out_discards++;
        return;
    }
    ip->counters->ip_forw_datagrams++;
    send_fitting(&onward, &frame);
    if (back)
        redirect_tell(ip, packet, &next, now);
}
