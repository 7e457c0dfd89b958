#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"
#include <errno.h>

const struct ip_cached *ip_hop_find(struct ip *ip, const struct berth_ip *remote, uint8_t hint,
                                    uint64_t now, int *error) {
    const uint8_t *b = remote->bytes;
    struct ip_cached *slot =
        &ip->cache[(b[15] ^ (unsigned)b[14] * 7 ^ (unsigned)b[13] * 13 ^ hint) % IP_CACHE];
    if (slot->version == ip->version && slot->hint == hint &&
        berth_ip_equal(&slot->destination, remote))
        return slot;
    struct ip_hop hop;
    *error = ip_route(ip, remote, hint, &hop);
    if (*error)
        return NULL;
    redirect_apply(ip, remote, &hop, now);
    struct neighbor *neighbor = NULL;
    if (hop.kind == IP_UNICAST && ip->interfaces[hop.interface].link == BERTH_LINK_ETHERNET) {
        neighbor = neighbor_get(ip, hop.interface, &hop.next, now);
        *error = -ENOBUFS;
        if (!neighbor)
            return NULL;
    }
    slot->destination = *remote;
    slot->neighbor = neighbor;
    slot->hint = hint;
    slot->kind = (uint8_t)hop.kind;
    slot->interface = hop.interface;
    slot->version = ip->version; /* after neighbor_get, which may have evicted one */
    return slot;
}

bool ip_hop_mac(struct ip *ip, const struct ip_cached *hop, const struct berth_ip *remote,
                uint8_t mac[ETHERNET_MAC], uint64_t now) {
    if (hop->neighbor) {
        struct neighbor *entry = hop->neighbor;
        bool usable = true;
        if (entry->state == NEIGHBOR_REACHABLE && now < entry->reachable_until)
            entry->used_at = now;
        else
            usable = neighbor_use(ip, entry, now);
        memcpy(mac, entry->mac, ETHERNET_MAC);
        return usable;
    }
    if (hop->kind == IP_MULTICAST && !berth_ip_is_v4(remote)) {
        nd_group_mac(remote, mac);
    } else if (hop->kind == IP_MULTICAST) { /* RFC 1112 6.4 */
        memcpy(mac, (const uint8_t[]){0x01, 0x00, 0x5e}, 3);
        memcpy(mac + 3, remote->bytes + 13, 3);
        mac[3] &= 0x7f;
    } else {
        memset(mac, 0xff, ETHERNET_MAC);
    }
    return true;
}

static uint32_t sum_halves(uint32_t word) {
    return (word >> 16) + (word & 0xffff);
}

/* Writes the 20 octets of a header without options, in words and with the sum of what is written:
 * it is on each segment's way, and octets read back just after they were written are slow. */
static void ip4_header_write(uint8_t *to, const struct ip_send *send, uint32_t total, uint16_t id,
                             uint8_t ttl) {
    uint32_t source = berth_ip_to_v4(send->local), destination = berth_ip_to_v4(send->remote);
    uint32_t first = UINT32_C(0x45000000) | (uint32_t)send->tos << 16 | total;
    uint32_t second = (uint32_t)id << 16 | (send->dont_fragment ? 0x4000u : 0);
    uint32_t third = (uint32_t)ttl << 24 | (uint32_t)send->protocol << 16;
    uint32_t sum = sum_halves(first) + sum_halves(second) + sum_halves(third) + sum_halves(source) +
                   sum_halves(destination);
    sum = sum_halves(sum);
    sum += sum >> 16;
    store_be32(to, first);
    store_be32(to + 4, second);
    store_be32(to + 8, third | (~sum & 0xffff));
    store_be32(to + 12, source);
    store_be32(to + 16, destination);
}

/* IPv6 has no sum, and says nothing of fragments here. The flow label stays 0 (RFC 6437 3). */
static void ip6_header_write(uint8_t *to, const struct ip_send *send, uint8_t ttl) {
    store_be32(to, UINT32_C(6) << 28 | (uint32_t)send->tos << 20);
    store_be32(to + 4,
               (send->header_length + send->length) << 16 | (uint32_t)send->protocol << 8 | ttl);
    memcpy(to + 8, send->local->bytes, 16);
    memcpy(to + 24, send->remote->bytes, 16);
}

/* Writes the header of a whole datagram; returns its end. */
static uint8_t *ip_header_write(struct ip *ip, uint8_t *at, const struct ip_send *send,
                                uint8_t ttl) {
    if (send_is_v6(send)) {
        ip6_header_write(at, send, ttl);
        return at + IPV6_HEADER;
    }
    /* RFC 6864 4.1: the identification of an atomic datagram means nothing; Linux sends 0. */
    uint32_t id = 0;
    if (!send->dont_fragment)
        id = ip_identification(ip, send->local, send->remote, send->protocol);
    ip4_header_write(at, send, IPV4_HEADER_MIN + send->header_length + send->length, (uint16_t)id,
                     ttl);
    return at + IPV4_HEADER_MIN;
}

void ip_checksum(const struct ip_send *send, uint8_t *transport) {
    struct checksum sum = {0};
    if (send->protocol != IPV4_ICMP)
        checksum_add_pseudo(&sum, send->local, send->remote, send->protocol,
                            send->header_length + send->length);
    checksum_add(&sum, transport, send->header_length);
    checksum_add_parts(&sum, send->parts, send->part_count);
    uint16_t value = checksum_finish(&sum);
    if (send->protocol == IPV4_UDP && value == 0)
        value =
            0xffff; /* RFC 768, 1122-U3: zero means none; RFC 8200 8.1: and IPv6 has always one */
    store_be16(transport + send->checksum_at, value);
}

/* Nearly all headers have one of these lengths, and a copy of known length is a move or two. */
static void header_copy(uint8_t *to, const uint8_t *from, size_t length) {
    switch (length) {
    case 8: /* UDP, ICMP */
        memcpy(to, from, 8);
        break;
    case 20: /* TCP */
        memcpy(to, from, 20);
        break;
    case 32: /* TCP with timestamps */
        memcpy(to, from, 32);
        break;
    default:
        memcpy(to, from, length);
    }
}

static bool payload_is_sealed(const struct ip_send *send) {
    for (unsigned i = 0; i < send->part_count; i++)
        if (send->parts[i].block && send->parts[i].block->sealed)
            return true;
    return false;
}

/* A payload that fits behind the headers is copied there: no block is touched on its way. */
static void frame_add_payload(struct berth_frame *frame, const struct ip_send *send) {
    if (send->length <= (uint32_t)(BERTH_FRAME_HEADER - frame->header_length) &&
        !payload_is_sealed(send)) {
        for (unsigned i = 0; i < send->part_count; i++) {
            memcpy(frame->header + frame->header_length, send->parts[i].data,
                   send->parts[i].length);
            frame->header_length = (uint16_t)(frame->header_length + send->parts[i].length);
        }
        frame->part_count = 0;
        return;
    }
    frame->part_count = send->part_count;
    for (unsigned i = 0; i < send->part_count; i++) {
        frame->parts[i] = send->parts[i];
        berth_block_hold(send->parts[i].block);
    }
}

static void frame_build(struct ip *ip, const struct ip_send *send, const struct ip_interface *out,
                        const uint8_t *mac, struct berth_frame *frame) {
    uint8_t *at = &frame->header[0];
    if (out->link == BERTH_LINK_ETHERNET) {
        memcpy(at, mac, ETHERNET_MAC);
        memcpy(at + 6, out->mac, ETHERNET_MAC);
        store_be16(at + 12, send_is_v6(send) ? ETHERNET_IPV6 : ETHERNET_IPV4);
        at += ETHERNET_HEADER;
    }
    at = ip_header_write(ip, at, send, ip_ttl(ip, send, out));
    header_copy(at, send->header, send->header_length);
    frame->transport_offset = (uint16_t)(at - frame->header);
    frame->header_length = (uint16_t)(frame->transport_offset + send->header_length);
    frame->segment_size = send->segment_size;
    frame->flags = 0;
    bool is_icmp = send->protocol == IPV4_ICMP || send->protocol == IPV6_ICMP;
    if (!is_icmp && (out->offloads & BERTH_OFFLOAD_CHECKSUM) != 0)
        frame->flags = BERTH_FRAME_NO_CHECKSUM;
    else if (send->checksum_at != IP_CHECKSUM_DONE)
        ip_checksum(send, at);
    frame_add_payload(frame, send);
}

int ip_output(struct ip *ip, const struct ip_send *send, struct berth_frame *frame, uint64_t now) {
    int error = 0;
    const struct ip_cached *hop = ip_hop_find(ip, send->remote, send->interface, now, &error);
    if (!hop) {
        if (error == -ENETUNREACH)
            ip->counters->ip_out_no_routes++;
        else
            ip->counters->ip_out_discards++;
        return error;
    }
    struct ip_interface *out = &ip->interfaces[hop->interface];
    ip->counters->ip_out_requests++;
    uint32_t total = send_header(send) + send->header_length + send->length;
    uint8_t mac[ETHERNET_MAC];
    bool usable = out->link == BERTH_LINK_RAW_IP || ip_hop_mac(ip, hop, send->remote, mac, now);
    if (send->may_fragment) {
        uint32_t mtu = ip_path_mtu(ip, send->remote, hop->interface, now);
        if (total > mtu) {
            error = ip_fragment(ip, send, hop->interface, usable ? NULL : hop->neighbor, mac, mtu);
            return error ? error : -EINPROGRESS;
        }
    } else if (total > ip_segment_max(out)) {
        ip->counters->ip_out_discards++;
        return -EMSGSIZE;
    }
    frame_build(ip, send, out, mac, frame);
    if (usable)
        return hop->interface;
    neighbor_wait(ip, hop->neighbor, frame);
    return -EINPROGRESS;
}

void ip_ready(struct ip *ip, unsigned interface, struct berth_frame *frame) {
    struct frame_queue *ready = &ip->interfaces[interface].ready;
    if (ready->count >= IP_READY_FRAMES) {
        berth_frame_clear(frame);
        ip->counters->ip_out_discards++;
    } else if (frame_queue_push(ready, ip->allocator, frame)) {
        ip->ready++;
    } else {
        ip->counters->ip_out_discards++;
    }
}

void ip_post(struct ip *ip, const struct ip_send *send, uint64_t now) {
    struct berth_frame frame;
    int interface = ip_output(ip, send, &frame, now);
    if (interface >= 0)
        ip_ready(ip, (unsigned)interface, &frame);
}

bool ip_take_ready(struct ip *ip, unsigned interface, struct berth_frame *frame) {
    struct ip_interface *out = &ip->interfaces[interface];
    size_t link_header = out->link == BERTH_LINK_ETHERNET ? ETHERNET_HEADER : 0;
    while (frame_queue_pop(&out->ready, ip->allocator, frame)) {
        ip->ready--;
        /* What the interface offered when the frame was built may have gone since. */
        if (berth_frame_length(frame) > link_header + ip_segment_max(out)) {
            berth_frame_clear(frame);
            ip->counters->ip_out_discards++;
            continue;
        }
        if ((frame->flags & BERTH_FRAME_NO_CHECKSUM) != 0 &&
            (out->offloads & BERTH_OFFLOAD_CHECKSUM) == 0)
            berth_frame_finish(frame, link_header);
        return true;
    }
    return false;
}
