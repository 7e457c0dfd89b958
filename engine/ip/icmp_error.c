/* ICMP errors about what we sent: their quotes checked, and turned into errors for sockets. */
#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"
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

/* False for what says nothing about a socket: source quench (RFC 6633, 6633-1). */
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

/* RFC 4443 3, with Linux's errno for each code. */
static const struct icmp_meaning unreachable6[] = {
    {ENETUNREACH, false}, {EACCES, true}, {EHOSTUNREACH, false}, {EHOSTUNREACH, false},
    {ECONNREFUSED, true}, {EACCES, true}, {EACCES, true},
};

static bool icmp6_meaning(const struct icmp_header *header, struct icmp_meaning *meaning) {
    switch (header->type) {
    case ICMP6_UNREACHABLE:
        if (header->code >= sizeof unreachable6 / sizeof *unreachable6)
            return false;
        *meaning = unreachable6[header->code];
        return true;
    case ICMP6_PACKET_TOO_BIG:
        *meaning = (struct icmp_meaning){EMSGSIZE, false};
        return true;
    case ICMP6_TIME_EXCEEDED:
        *meaning = (struct icmp_meaning){EHOSTUNREACH, false};
        return true;
    case ICMP6_PARAMETER_PROBLEM:
        *meaning = (struct icmp_meaning){EPROTO, true};
        return true;
    default:
        return false;
    }
}

/* Of an echo request only the identifier is a port. */
static bool error_of_echo(const struct ip *ip, const uint8_t *transport, struct ip_error *error) {
    bool v6 = error->protocol == IPV6_ICMP;
    error->local.port = load_be16(transport + 4);
    return transport[0] == (v6 ? ICMP6_ECHO : ICMP_ECHO) &&
           v6 != berth_ip_is_v4(&error->local.ip) && ip_has_address(ip, &error->local.ip);
}

/* Fills in the four numbers of a datagram of ours from its transport's first octets. */
static bool error_of_ports(const struct ip *ip, uint8_t protocol, const uint8_t *transport,
                           struct ip_error *error) {
    error->protocol = protocol;
    if (protocol == IPV4_ICMP || protocol == IPV6_ICMP)
        return error_of_echo(ip, transport, error);
    error->local.port = load_be16(transport);
    error->remote.port = load_be16(transport + 2);
    error->seq = load_be32(transport + 4);
    return (protocol == IPV4_TCP || protocol == IPV4_UDP) &&
           ip_takes_address(ip, &error->local.ip); /* else it is none of ours */
}

/* The same from a quoted datagram data[0..length) of either family. *total: its own length, as its
 * header says. error->quote_at: where its transport begins. False when it has none. */
bool ip_error_of_quote(const struct ip *ip, const uint8_t *data, size_t length,
                       struct ip_error *error, uint32_t *total) {
    struct icmp_quote quote;
    struct icmp6_quote quote6;
    if (length > 0 && data[0] >> 4 == 6) {
        if (icmp6_quote_parse(data, length, &quote6) != 0)
            return false;
        error->local.ip = quote6.ip.source;
        error->remote.ip = quote6.ip.destination;
        *total = IPV6_HEADER + (uint32_t)quote6.ip.payload_length;
        error->quote_at = (uint32_t)(quote6.transport - data);
        return error_of_ports(ip, quote6.protocol, quote6.transport, error);
    }
    if (icmp_quote_parse(data, length, &quote) != 0)
        return false;
    error->local.ip = berth_ip_v4(quote.ip.source);
    error->remote.ip = berth_ip_v4(quote.ip.destination);
    *total = quote.ip.total_length;
    error->quote_at = (uint32_t)(quote.transport - data);
    return error_of_ports(ip, quote.ip.protocol, quote.transport, error);
}

/* "Fragmentation needed" or "packet too big": the MTU that it speaks of; 0 for other errors. */
static uint32_t error_mtu(const struct icmp_header *header, bool v6, uint32_t total) {
    if (v6)
        return header->type == ICMP6_PACKET_TOO_BIG ? ip6_path_said(header->rest) : 0;
    return header->type == ICMP_UNREACHABLE && header->code == ICMP_FRAGMENTATION_NEEDED
               ? ip_path_said(header->rest & 0xffff, total)
               : 0;
}

/* What a program is told of it beside the errno, as Linux does (ee_info). */
static uint32_t error_info(const struct icmp_header *header, bool v6) {
    if (v6)
        return header->rest;
    if (header->type == ICMP_PARAMETER_PROBLEM)
        return header->rest >> 24;
    return header->type == ICMP_UNREACHABLE && header->code == ICMP_FRAGMENTATION_NEEDED
               ? header->rest & 0xffff
               : 0;
}

/* Where the quote is in the message: `at`, `length` of all after ICMP's header. */
static void error_place(struct ip_error *error, const struct frame_view *view, uint32_t at,
                        uint32_t length) {
    error->view = view;
    error->quote_length = length - error->quote_at;
    error->quote_at += at;
}

enum { QUOTE_READ = IPV6_HEADER + IPV6_CHAIN_MAX + IPV6_TRANSPORT_MAX };

void icmp_error_input(struct ip *ip, const struct ip_packet *packet, uint64_t now) {
    uint8_t octets[ICMP_HEADER + QUOTE_READ];
    uint32_t length = packet->length < sizeof octets ? packet->length : (uint32_t)sizeof octets;
    bool v6 = packet_is_v6(packet);
    uint32_t total;
    struct icmp_header header;
    struct icmp_meaning meaning;
    struct ip_error error = {0};
    view_read(&packet->view, packet->at, length, octets);
    if (icmp_header_parse(octets, length, &header) != 0 ||
        !ip_error_of_quote(ip, octets + ICMP_HEADER, length - ICMP_HEADER, &error, &total) ||
        berth_ip_is_v4(&error.local.ip) == v6) {
        ip->counters->icmp_in_errors++;
        return;
    }
    if (!(v6 ? icmp6_meaning(&header, &meaning) : icmp_meaning(&header, &meaning)))
        return;
    error.error = meaning.error;
    error.hard = meaning.hard;
    error.mtu = error_mtu(&header, v6, total);
    error.info = error_info(&header, v6);
    error.type = header.type;
    error.code = header.code;
    error.ttl = packet->ttl;
    error.tos = packet->tos;
    error.interface = packet->interface;
    error.from = packet->source;
    error.to = packet->destination;
    error_place(&error, &packet->view, packet->at + ICMP_HEADER, packet->length - ICMP_HEADER);
    if (ip->ops.error(ip->ops.context, &error, now) && error.mtu)
        ip_path_learn(ip, &error.remote.ip, error.mtu, now);
}

/* The addresses of a whole header of either family. */
static void addresses_of(const uint8_t *header, struct berth_ip *source,
                         struct berth_ip *destination) {
    if (header[0] >> 4 == 6) {
        memcpy(source->bytes, header + 8, 16);
        memcpy(destination->bytes, header + 24, 16);
    } else {
        *source = berth_ip_v4(load_be32(header + 12));
        *destination = berth_ip_v4(load_be32(header + 16));
    }
}

/* A frame that waits, as a view of all of it. */
static struct frame_view view_of_waiting(const struct waiting_frame *frame) {
    return (struct frame_view){.head = (const uint8_t *)&frame->parts[frame->part_count],
                               .head_length = frame->header_length,
                               .rest = frame->parts,
                               .rest_count = frame->part_count,
                               .rest_length = frame->octets - frame->header_length};
}

/* RFC 1812 5.2.7.1, RFC 4443 3.1: a router tells the datagram's source. */
static void tell_source(struct ip *ip, const struct waiting_frame *frame, bool v6, uint64_t now) {
    struct icmp_header message = {.type = v6 ? ICMP6_UNREACHABLE : ICMP_UNREACHABLE,
                                  .code = v6 ? ICMP6_ADDRESS_UNREACHABLE : ICMP_HOST_UNREACHABLE};
    struct ip_packet packet = {.interface = IP_ANY_INTERFACE, .view = view_of_waiting(frame)};
    packet.header = packet.view.head + ETHERNET_HEADER;
    addresses_of(packet.header, &packet.source, &packet.destination);
    packet.header_length = v6 ? IPV6_HEADER : (uint16_t)((packet.header[0] & 15) * 4);
    packet.protocol = packet.header[v6 ? 6 : 9];
    packet.at = ETHERNET_HEADER + packet.header_length;
    packet.length = frame->octets - packet.at;
    icmp_about_forwarded(ip, &packet, &message, now);
}

/* A program of ours is told what it would be by a message from ourselves, as on Linux. */
void icmp_host_unreachable(struct ip *ip, const struct waiting_frame *frame, uint64_t now) {
    const struct frame_view view = view_of_waiting(frame);
    const uint8_t *header = view.head + ETHERNET_HEADER;
    struct ip_error error = {0};
    uint32_t total, length = frame->octets - ETHERNET_HEADER;
    struct berth_ip source, destination;
    bool v6 = header[0] >> 4 == 6;
    addresses_of(header, &source, &destination);
    if (!ip_takes_address(ip, &source)) {
        tell_source(ip, frame, v6, now);
        return;
    }
    if (!ip_error_of_quote(ip, header, frame->header_length - ETHERNET_HEADER, &error, &total))
        return;
    error.error = EHOSTUNREACH;
    error.type = v6 ? ICMP6_UNREACHABLE : ICMP_UNREACHABLE;
    error.code = v6 ? ICMP6_ADDRESS_UNREACHABLE : ICMP_HOST_UNREACHABLE;
    error.ttl = ip->default_ttl;
    error.from = error.to = source;
    uint32_t most = icmp_quote_max(v6);
    error_place(&error, &view, ETHERNET_HEADER, length < most ? length : most);
    ip->ops.error(ip->ops.context, &error, now);
}
