/* The errors that we send (RFC 792, RFC 1122 3.2.2; RFC 4443 2.4, 3): when, how many, and what they
 * quote. */
#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"

enum {
    ICMP_RATE = 1000, /* errors a second in all; Linux's icmp_msgs_per_sec */
    ICMP_BURST = 50,
    ICMP_DESTINATION_BURST = 6, /* then one a second to one destination; Linux's icmp_ratelimit */
};

/* RFC 1812 4.3.2.8, 1812-1, RFC 4443 2.4 (f), 4443-3. First the destination's own budget, so that
 * errors to one tell another nothing; and the common one with a little noise, so that it cannot be
 * counted out.
 */
static bool icmp_common_may_send(struct ip *ip, uint64_t now) {
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
    return true;
}

bool icmp_may_send(struct ip *ip, const struct berth_ip *destination, uint64_t now) {
    if (!destination)
        return icmp_common_may_send(ip, now);
    uint64_t words[2];
    memcpy(words, destination->bytes, 16);
    uint64_t *slot = &ip->icmp_slots[siphash13_words(&ip->icmp_key, words, 2) % IP_ICMP_SLOTS];
    uint64_t full = *slot > now ? *slot : now;
    if (full - now > (ICMP_DESTINATION_BURST - 1) * BERTH_SECOND || !icmp_common_may_send(ip, now))
        return false;
    *slot = full + BERTH_SECOND;
    return true;
}

/* RFC 4443 2.4 (f) asks for a limit; as on Linux a path's MTU is no matter of a few a second to one
 * destination: each of its connections has to hear of it. */
static bool is_about_size(const struct icmp_header *header, bool v6) {
    return v6 ? header->type == ICMP6_PACKET_TOO_BIG
              : header->type == ICMP_UNREACHABLE && header->code == ICMP_FRAGMENTATION_NEEDED;
}

/* RFC 792, 1122-IC2, RFC 4443 2.4 (c): the header and what fits of the data. */
static struct berth_block *quote_new(struct ip *ip, const struct ip_packet *packet, uint32_t most,
                                     uint32_t *length) {
    uint32_t data = packet->length;
    if (packet->header_length + data > most)
        data = most - packet->header_length;
    *length = packet->header_length + data;
    struct berth_block *quote = berth_block_new(ip->allocator, *length);
    if (!quote)
        return NULL;
    memcpy(quote->data, packet->header, packet->header_length);
    view_read(&packet->view, packet->at, data, quote->data + packet->header_length);
    return quote;
}

void icmp_send_about(struct ip *ip, const struct ip_packet *packet, const struct icmp_about *about,
                     uint64_t now) {
    uint32_t length;
    struct berth_block *quote = quote_new(ip, packet, about->most, &length);
    if (!quote) {
        ip->counters->ip_out_discards++;
        return;
    }
    struct berth_part part = {.block = quote, .data = quote->data, .length = length};
    struct ip_send send = {
        .local = about->local,
        .remote = &packet->source,
        .header = about->octets,
        .header_length = about->length,
        .parts = &part,
        .part_count = 1,
        .length = length,
        .protocol = packet_is_v6(packet) ? IPV6_ICMP : IPV4_ICMP,
        .ttl = about->ttl,
        .interface = about->interface,
        .checksum_at = 2,
        .may_fragment = true,
    };
    ip->counters->icmp_out_msgs++;
    ip_post(ip, &send, now);
    berth_block_drop(quote);
}

/* `interface`: that it should take, or IP_ANY_INTERFACE. */
static void error_send(struct ip *ip, const struct ip_packet *packet, const struct berth_ip *local,
                       const struct icmp_header *header, uint8_t interface, uint64_t now) {
    bool v6 = packet_is_v6(packet);
    uint8_t octets[ICMP_HEADER];
    if (interface != IP_LOOPBACK &&
        !icmp_may_send(ip, is_about_size(header, v6) ? NULL : &packet->source, now)) {
        ip->counters->icmp_out_rate_limited++;
        return;
    }
    icmp_header_write(octets, header);
    icmp_send_about(ip, packet,
                    &(struct icmp_about){.local = local,
                                         .octets = octets,
                                         .length = ICMP_HEADER,
                                         .interface = interface,
                                         .most = icmp_quote_max(v6)},
                    now);
}

/* RFC 4443 2.4 (e), 4443-1: no error about an error (or a redirect), nor to a source that names no
 * host. */
static bool may_be_about(const struct ip_packet *packet) {
    uint32_t at = packet->at, end = packet->at + packet->length;
    uint8_t protocol = packet->protocol, header[8] = {0};
    if (berth_ip_is_any(&packet->source))
        return false;
    /* What is wrong may stand in a header before the error's own. */
    for (unsigned count = 0; ipv6_is_extension(protocol); count++) {
        if (count == IPV6_CHAIN_HEADERS || end - at < sizeof header)
            return true;
        view_read(&packet->view, at, sizeof header, header);
        uint32_t size = protocol == IPV6_FRAGMENT ? 8 : (header[1] + 1u) * 8;
        if (size > end - at)
            return true;
        protocol = header[0];
        at += size;
    }
    if (protocol != IPV6_ICMP || at == end)
        return true;
    view_read(&packet->view, at, 1, header);
    return !icmp6_is_error(header[0]) && header[0] != ICMP6_REDIRECT;
}

void icmp6_problem(struct ip *ip, const struct ip_packet *packet, uint8_t code, uint32_t pointer,
                   bool tell_group, uint64_t now) {
    struct icmp_header header = {.type = ICMP6_PARAMETER_PROBLEM, .code = code, .rest = pointer};
    struct ip_hop hop = {
        .kind = IP_UNICAST, .interface = packet->interface, .next = packet->source};
    struct berth_ip local = packet->destination;
    if (!may_be_about(packet) || (packet->group && !tell_group))
        return;
    /* RFC 4443 2.2: from an address of ours, where the datagram did not go to one. */
    if (packet->group && ip_source(ip, &hop, &packet->source, &local) != 0)
        return;
    error_send(ip, packet, &local, &header, packet->interface, now);
}

static void report6(struct ip *ip, const struct ip_packet *packet, enum icmp_cause cause,
                    uint64_t now) {
    struct icmp_header header = {.type = ICMP6_UNREACHABLE, .code = ICMP6_PORT_UNREACHABLE};
    if (cause == ICMP_ABOUT_PROTOCOL) {
        icmp6_problem(ip, packet, IPV6_PROBLEM_NEXT_HEADER, packet->next_at, false, now);
        return;
    }
    if (cause == ICMP_ABOUT_REASSEMBLY) {
        header.type = ICMP6_TIME_EXCEEDED;
        header.code = ICMP6_REASSEMBLY_TIME;
    }
    if (!packet->group && may_be_about(packet))
        error_send(ip, packet, &packet->destination, &header, packet->interface, now);
}

void icmp_report(struct ip *ip, const struct ip_packet *packet, enum icmp_cause cause,
                 uint64_t now) {
    static const struct icmp_header headers[] = {
        [ICMP_ABOUT_PORT] = {.type = ICMP_UNREACHABLE, .code = ICMP_PORT_UNREACHABLE},
        [ICMP_ABOUT_PROTOCOL] = {.type = ICMP_UNREACHABLE, .code = ICMP_PROTOCOL_UNREACHABLE},
        [ICMP_ABOUT_REASSEMBLY] = {.type = ICMP_TIME_EXCEEDED, .code = 1},
    };
    if (packet_is_v6(packet))
        report6(ip, packet, cause, now);
    /* RFC 1122 3.2.2, 1122-IC1: never about an ICMP message (we answer none with an error) nor
     * about what came to many; sources that are no single host's were dropped before, and fragments
     * are joined. */
    else if (!packet->group && packet->protocol != IPV4_ICMP)
        error_send(ip, packet, &packet->destination, &headers[cause], packet->interface, now);
}

/* RFC 1812 4.3.2.7: not about an ICMP error, nor a fragment that is not the first. */
static bool may_be_about4(const struct ip_packet *packet) {
    uint8_t type;
    if (load_be16(packet->header + 6) & 0x1fff)
        return false;
    if (packet->protocol != IPV4_ICMP || packet->length == 0)
        return true;
    view_read(&packet->view, packet->at, 1, &type);
    return !icmp_is_error(type) && type != ICMP_REDIRECT;
}

void icmp_about_forwarded(struct ip *ip, const struct ip_packet *packet,
                          const struct icmp_header *header, uint64_t now) {
    bool v6 = packet_is_v6(packet);
    uint8_t interface =
        v6 && ip6_is_link_local(&packet->source) ? packet->interface : (uint8_t)IP_ANY_INTERFACE;
    struct ip_hop hop;
    struct berth_ip local;
    /* RFC 1812 4.3.2.4: from the address of the way that it takes. */
    if ((v6 ? may_be_about(packet) : may_be_about4(packet)) &&
        ip_route(ip, &packet->source, interface, &hop) == 0 &&
        ip_source(ip, &hop, &packet->source, &local) == 0)
        error_send(ip, packet, &local, header, interface, now);
}
