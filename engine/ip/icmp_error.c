/* ICMP errors about what we sent: their quotes checked, and turned into errors for sockets. */
#include "engine/ip/ip.h"
#include "engine/wire/icmp.h"
#include <errno.h>

struct icmp_meaning {
    int error;
    bool hard;
};

/* RFC 1122 3.2.2.1 and 4.2.3.9, with Linux's errno for each code. */
static const struct icmp_meaning unreachable[] = {
    {ENETUNREACH, false},  {EHOSTUNREACH, false}, {ENOPROTOOPT, true},  {ECONNREFUSED, true},
    {EMSGSIZE, false},     {EOPNOTSUPP, false},   {ENETUNREACH, true},  {EHOSTDOWN, true},
    {ENONET, true},        {ENETUNREACH, true},   {EHOSTUNREACH, true}, {ENETUNREACH, false},
    {EHOSTUNREACH, false}, {EHOSTUNREACH, true},  {EHOSTUNREACH, true}, {EHOSTUNREACH, true},
};

/* False for what says nothing about a socket: redirects (RFC 1122 3.2.2.2 lets a host ignore them;
 * we do, 1122-IC5) and source quench (RFC 6633, 6633-1). */
static bool icmp_meaning(const struct icmp_header *header, struct icmp_meaning *meaning) {
    switch (header->type) {
    case ICMP_UNREACHABLE:
        if (header->code >= sizeof unreachable / sizeof *unreachable)
            return false;
        *meaning = unreachable[header->code];
        return true;
    case ICMP_TIME_EXCEEDED:
        *meaning = (struct icmp_meaning){EHOSTUNREACH, false};
        return true;
    case ICMP_PARAMETER_PROBLEM:
        *meaning = (struct icmp_meaning){EPROTO, true};
        return true;
    default:
        return false;
    }
}

/* Fills in the four numbers of the quoted datagram. False when it has none. */
static bool error_of_quote(const struct ip *ip, const struct icmp_quote *quote,
                           struct ip_error *error) {
    if (quote->ip.protocol != IPV4_TCP && quote->ip.protocol != IPV4_UDP)
        return false;
    error->protocol = quote->ip.protocol;
    error->local.ip = berth_ip_v4(quote->ip.source);
    error->local.port = load_be16(quote->transport);
    error->remote.ip = berth_ip_v4(quote->ip.destination);
    error->remote.port = load_be16(quote->transport + 2);
    error->seq = load_be32(quote->transport + 4);
    return ip_has_address(ip, &error->local.ip); /* else it is none of ours */
}

void icmp_error_input(struct ip *ip, const struct ip_packet *packet, uint64_t now) {
    uint8_t octets[ICMP_HEADER + IPV4_HEADER_MAX + 8];
    uint32_t length = packet->length < sizeof octets ? packet->length : (uint32_t)sizeof octets;
    struct icmp_header header;
    struct icmp_meaning meaning;
    struct icmp_quote quote;
    struct ip_error error = {0};
    view_read(&packet->view, packet->at, length, octets);
    if (icmp_header_parse(octets, length, &header) != 0 ||
        icmp_quote_parse(octets + ICMP_HEADER, length - ICMP_HEADER, &quote) != 0 ||
        !error_of_quote(ip, &quote, &error)) {
        ip->counters->icmp_in_errors++;
        return;
    }
    if (!icmp_meaning(&header, &meaning))
        return;
    error.error = meaning.error;
    error.hard = meaning.hard;
    bool too_big = header.type == ICMP_UNREACHABLE && header.code == ICMP_FRAGMENTATION_NEEDED;
    if (too_big)
        error.mtu = ip_path_said(header.rest & 0xffff, quote.ip.total_length);
    if (ip->ops.error(ip->ops.context, &error, now) && too_big)
        ip_path_learn(ip, &error.remote.ip, error.mtu, now);
}

void icmp_host_unreachable(struct ip *ip, const struct waiting_frame *frame, uint64_t now) {
    const uint8_t *header = (const uint8_t *)&frame->parts[frame->part_count];
    struct icmp_quote quote;
    struct ip_error error = {0};
    if (icmp_quote_parse(header + ETHERNET_HEADER, frame->header_length - ETHERNET_HEADER,
                         &quote) != 0 ||
        !error_of_quote(ip, &quote, &error))
        return;
    error.error = EHOSTUNREACH;
    ip->ops.error(ip->ops.context, &error, now);
}
