/* ICMP (RFC 792; RFC 1122 3.2.2): the echo server, and the errors we send. */
#include "engine/wire/icmp.h"
#include "engine/ip/ip.h"

enum { ICMP_QUOTE_MAX = 576 - IPV4_HEADER_MIN - ICMP_HEADER }; /* RFC 1812 4.3.2.3 */

/* The octets of the packet's payload from `offset` on, as parts with blocks. A part that is only
 * borrowed makes it one copied block. Returns the number of parts; -1 when memory is out. *made:
 * the block to drop afterwards, or NULL. */
static int payload_parts(struct ip *ip, const struct ip_packet *packet, uint32_t offset,
                         struct berth_part *own, const struct berth_part **parts,
                         struct berth_block **made) {
    uint32_t length = packet->length - offset;
    *made = NULL;
    int count = view_slice(&packet->view, packet->at + offset, length, own, VIEW_PARTS, parts);
    bool held = count >= 0 && count <= BERTH_FRAME_PARTS;
    for (int i = 0; i < count && held; i++)
        held = (*parts)[i].block != NULL;
    if (held)
        return count;
    *made = berth_block_new(ip->allocator, length);
    if (!*made)
        return -1;
    view_read(&packet->view, packet->at + offset, length, (*made)->data);
    own[0] = (struct berth_part){.block = *made, .data = (*made)->data, .length = length};
    *parts = own;
    return 1;
}

/* RFC 1122 3.2.2.6, 1122-IC3: the same identifier, sequence number and data; the addresses change
 * places. */
static void echo_reply(struct ip *ip, const struct ip_packet *packet,
                       const struct icmp_header *request, uint64_t now) {
    struct berth_part own[VIEW_PARTS];
    const struct berth_part *parts;
    struct berth_block *made;
    uint8_t header[ICMP_HEADER];
    struct icmp_header reply = {.type = ICMP_ECHO_REPLY, .rest = request->rest};
    int count = payload_parts(ip, packet, ICMP_HEADER, own, &parts, &made);
    if (count < 0) {
        ip->counters->ip_out_discards++;
        return;
    }
    icmp_header_write(header, &reply);
    struct ip_send send = {
        .local = &packet->destination,
        .remote = &packet->source,
        .header = header,
        .header_length = ICMP_HEADER,
        .parts = parts,
        .part_count = (uint8_t)count,
        .length = packet->length - ICMP_HEADER,
        .protocol = IPV4_ICMP,
        .tos = packet->tos,
        .interface = packet->interface,
        .checksum_at = 2,
        .may_fragment = true,
    };
    ip->counters->icmp_out_msgs++;
    ip_post(ip, &send, now);
    if (made)
        berth_block_drop(made);
}

void icmp_input(struct ip *ip, const struct ip_packet *packet, uint64_t now) {
    uint8_t octets[ICMP_HEADER];
    struct icmp_header header;
    struct checksum sum = {0};
    ip->counters->icmp_in_msgs++;
    view_checksum(&packet->view, packet->at, packet->length, &sum);
    if (packet->length < ICMP_HEADER || checksum_finish(&sum) != 0) {
        ip->counters->icmp_in_errors++;
        return;
    }
    view_read(&packet->view, packet->at, ICMP_HEADER, octets);
    if (icmp_header_parse(octets, ICMP_HEADER, &header) != 0)
        return;
    /* RFC 1122 3.2.2: unknown types in silence (1122-IC6). 3.2.2.6: no echo to a group address. */
    if (header.type == ICMP_ECHO && !packet->group)
        echo_reply(ip, packet, &header, now);
    else if (icmp_is_error(header.type))
        icmp_error_input(ip, packet, now);
}

/* ---- errors that we send ---- */

enum {
    ICMP_RATE = 1000, /* errors a second in all; Linux's icmp_msgs_per_sec */
    ICMP_BURST = 50,
    ICMP_DESTINATION_BURST = 6, /* then one a second to one destination; Linux's icmp_ratelimit */
};

/* RFC 1812 4.3.2.8, 1812-1. First the destination's own budget, so that errors to one tell another
 * nothing; and the common one with a little noise, so that it cannot be counted out. */
static bool icmp_may_send(struct ip *ip, const struct berth_ip *destination, uint64_t now) {
    uint64_t words[2];
    memcpy(words, destination->bytes, 16);
    uint64_t *slot = &ip->icmp_slots[siphash13_words(&ip->icmp_key, words, 2) % IP_ICMP_SLOTS];
    uint64_t full = *slot > now ? *slot : now;
    if (full - now > (ICMP_DESTINATION_BURST - 1) * BERTH_SECOND)
        return false;
    uint64_t added = (now - ip->icmp_filled) / (BERTH_SECOND / ICMP_RATE);
    if (ip->icmp_filled == 0 || added > ICMP_BURST) {
        ip->icmp_tokens = ICMP_BURST;
        ip->icmp_filled = now;
    } else {
        uint64_t tokens = ip->icmp_tokens + added;
        ip->icmp_tokens = tokens < ICMP_BURST ? (uint32_t)tokens : ICMP_BURST;
        ip->icmp_filled += added * (BERTH_SECOND / ICMP_RATE);
    }
    if (ip->icmp_tokens == 0)
        return false;
    uint32_t cost = random_below(ip->random, 3) == 0 ? 2 : 1;
    ip->icmp_tokens -= cost < ip->icmp_tokens ? cost : ip->icmp_tokens;
    *slot = full + BERTH_SECOND;
    return true;
}

/* RFC 792, 1122-IC2: the header and what fits of the data. */
static struct berth_block *quote_new(struct ip *ip, const struct ip_packet *packet,
                                     uint32_t *length) {
    uint32_t data = packet->length;
    if (packet->header_length + data > ICMP_QUOTE_MAX)
        data = ICMP_QUOTE_MAX - packet->header_length;
    *length = packet->header_length + data;
    struct berth_block *quote = berth_block_new(ip->allocator, *length);
    if (!quote)
        return NULL;
    memcpy(quote->data, packet->header, packet->header_length);
    view_read(&packet->view, packet->at, data, quote->data + packet->header_length);
    return quote;
}

void icmp_send_error(struct ip *ip, const struct ip_packet *packet, uint8_t type, uint8_t code,
                     uint64_t now) {
    /* RFC 1122 3.2.2, 1122-IC1: never about an ICMP message (we answer none with an error) nor
     * about what came to many; sources that are no single host's were dropped before, and fragments
     * are joined. */
    if (packet->group || packet->protocol == IPV4_ICMP)
        return;
    if (packet->interface != IP_LOOPBACK && !icmp_may_send(ip, &packet->source, now)) {
        ip->counters->icmp_out_rate_limited++;
        return;
    }
    uint32_t length;
    struct berth_block *quote = quote_new(ip, packet, &length);
    if (!quote) {
        ip->counters->ip_out_discards++;
        return;
    }
    uint8_t octets[ICMP_HEADER];
    struct icmp_header header = {.type = type, .code = code};
    icmp_header_write(octets, &header);
    struct berth_part part = {.block = quote, .data = quote->data, .length = length};
    struct ip_send send = {
        .local = &packet->destination,
        .remote = &packet->source,
        .header = octets,
        .header_length = ICMP_HEADER,
        .parts = &part,
        .part_count = 1,
        .length = length,
        .protocol = IPV4_ICMP,
        .interface = packet->interface,
        .checksum_at = 2,
        .may_fragment = true,
    };
    ip->counters->icmp_out_msgs++;
    ip_post(ip, &send, now);
    berth_block_drop(quote);
}
