/* Every parser of the wire, with octets of any kind. The first octet chooses the parser, the second
 * what the parser is told besides; the rest is a copy of its own, so that a read past its end is
 * seen. What was parsed lies within the octets, and written again it is parsed the same. */
#include "engine/wire/arp.h"
#include "engine/wire/ethernet.h"
#include "engine/wire/icmp.h"
#include "engine/wire/icmp6.h"
#include "engine/wire/ipv4.h"
#include "engine/wire/ipv6.h"
#include "engine/wire/router.h"
#include "engine/wire/tcp.h"
#include "engine/wire/tcp_options.h"
#include "engine/wire/udp.h"
#include "test/fuzz/input.h"

static bool within(const void *start, size_t length, const uint8_t *data, size_t size) {
    const uint8_t *from = start;
    return length == 0 || (from >= data && from + length <= data + size);
}

static void try_ethernet(const uint8_t *data, size_t size, uint8_t extra) {
    struct ethernet_header header;
    uint8_t again[ETHERNET_HEADER];
    (void)extra;
    if (ethernet_header_parse(data, size, &header) == 0) {
        ethernet_header_write(again, &header);
        CLAIM(memcmp(again, data, sizeof again) == 0);
    }
}

static void try_arp(const uint8_t *data, size_t size, uint8_t extra) {
    struct arp_packet packet;
    uint8_t again[ARP_LENGTH];
    (void)extra;
    if (arp_packet_parse(data, size, &packet) == 0) {
        arp_packet_write(again, &packet);
        CLAIM(memcmp(again, data, sizeof again) == 0);
    }
}

static void try_ipv4(const uint8_t *data, size_t size, uint8_t extra) {
    struct ipv4_header header, second;
    uint8_t again[IPV4_HEADER_MAX];
    if (ipv4_header_parse(data, size, size + extra, &header) < 0)
        return;
    CLAIM(header.header_length >= IPV4_HEADER_MIN && header.header_length <= size);
    CLAIM(header.total_length >= header.header_length && header.total_length <= size + extra);
    CLAIM(within(header.options, header.options_length, data, size));
    CLAIM(header.fragment_offset + ipv4_payload_length(&header) <= IPV4_LENGTH_MAX);
    ipv4_header_write(again, &header);
    CLAIM(ipv4_header_parse(again, header.header_length, header.total_length, &second) == 0);
    CLAIM(second.source == header.source && second.total_length == header.total_length &&
          second.fragment_offset == header.fragment_offset);
}

static void try_ipv4_quoted(const uint8_t *data, size_t size, uint8_t extra) {
    struct ipv4_header header;
    (void)extra;
    if (ipv4_header_parse_quoted(data, size, &header) == 0)
        CLAIM(header.header_length >= IPV4_HEADER_MIN && header.header_length <= size);
}

static void try_icmp(const uint8_t *data, size_t size, uint8_t extra) {
    struct icmp_header header;
    struct icmp_quote quote;
    uint8_t again[ICMP_HEADER];
    (void)extra;
    if (icmp_header_parse(data, size, &header) == 0) {
        icmp_header_write(again, &header);
        CLAIM(memcmp(again, data, 2) == 0);
    }
    if (icmp_quote_parse(data, size, &quote) == 0) {
        CLAIM(quote.transport_length >= 8);
        CLAIM(within(quote.transport, quote.transport_length, data, size));
    }
}

static void try_icmp6(const uint8_t *data, size_t size, uint8_t extra) {
    struct icmp6_quote quote;
    (void)extra;
    if (icmp6_quote_parse(data, size, &quote) == 0) {
        CLAIM(quote.transport_length >= 8);
        CLAIM(within(quote.transport, quote.transport_length, data, size));
    }
}

static void try_neighbors(const uint8_t *data, size_t size, uint8_t extra) {
    struct nd_message message, second;
    uint8_t again[ND_LENGTH_MAX];
    (void)extra;
    if (nd_parse(data, size, &message) < 0)
        return;
    CLAIM(message.mac == NULL || within(message.mac, ETHERNET_MAC, data, size));
    size_t length = nd_write(again, &message);
    CLAIM(length <= sizeof again && nd_parse(again, length, &second) == 0);
    CLAIM(berth_ip_equal(&message.target, &second.target));
}

static void try_ipv6(const uint8_t *data, size_t size, uint8_t extra) {
    struct ipv6_header header;
    struct ipv6_chain chain;
    uint8_t again[IPV6_HEADER];
    if (ipv6_header_parse(data, size, size + extra, &header) < 0)
        return;
    CLAIM(IPV6_HEADER + header.payload_length <= size + extra);
    ipv6_header_write(again, &header);
    CLAIM(memcmp(again, data, sizeof again) == 0);
    if (ipv6_chain_parse(data, size, &chain) == IPV6_ACCEPT) {
        CLAIM(chain.length <= IPV6_CHAIN_MAX && IPV6_HEADER + chain.length <= size);
        CLAIM(chain.next_at < size);
    }
}

static void try_tcp(const uint8_t *data, size_t size, uint8_t extra) {
    struct tcp_header header;
    struct tcp_options options = {0};
    uint8_t again[TCP_HEADER_MIN], written[40];
    if (tcp_header_parse(data, size, &header) < 0)
        return;
    CLAIM(header.header_length >= TCP_HEADER_MIN && header.header_length <= size);
    CLAIM(within(header.options, header.options_length, data, size));
    tcp_header_write(again, &header);
    CLAIM(memcmp(again, data, 12) == 0);
    tcp_options_parse(header.options, header.options_length, extra & 1, &options);
    CLAIM(options.sack_count <= 4);
    if (tcp_options_parse(header.options, header.options_length, true, &options) == 0 &&
        options.sack_count <= 2)
        CLAIM(tcp_options_write(written, &options) <= sizeof written);
}

static void try_tcp_options(const uint8_t *data, size_t size, uint8_t extra) {
    struct tcp_options options = {0};
    tcp_options_parse(data, size < 40 ? size : 40, extra & 1, &options);
    CLAIM(options.sack_count <= 4 && options.wscale <= 14);
}

static void try_udp(const uint8_t *data, size_t size, uint8_t extra) {
    struct udp_header header;
    uint8_t again[UDP_HEADER];
    if (udp_header_parse(data, size, size + extra, &header) < 0)
        return;
    CLAIM(header.length >= UDP_HEADER && header.length <= size + extra);
    udp_header_write(again, &header);
    CLAIM(memcmp(again, data, sizeof again) == 0);
}

static void try_routers(const uint8_t *data, size_t size, uint8_t extra) {
    struct router_advertisement advertisement;
    struct router_prefix prefix;
    struct nd_redirect redirect, second;
    uint8_t again[ND_REDIRECT_MAX];
    if (extra & 1) {
        if (router_advertisement_parse(data, size, &advertisement) == 0)
            while (router_prefix_next(&advertisement.options, &prefix))
                continue;
        return;
    }
    if (nd_redirect_parse(data, size, &redirect) != 0)
        return;
    CLAIM(!redirect.mac || within(redirect.mac, ETHERNET_MAC, data, size));
    CLAIM(!redirect.quote || within(redirect.quote, redirect.quote_length, data, size));
    redirect.quote_length = 0;
    CLAIM(nd_redirect_parse(again, nd_redirect_write(again, &redirect), &second) == 0);
    CLAIM(berth_ip_equal(&second.target, &redirect.target) &&
          berth_ip_equal(&second.destination, &redirect.destination) && second.quote_length == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const parsers[])(const uint8_t *, size_t, uint8_t) = {
        try_ethernet,  try_arp,  try_ipv4, try_ipv4_quoted, try_icmp, try_icmp6,
        try_neighbors, try_ipv6, try_tcp,  try_tcp_options, try_udp,
    };
    if (size < 2)
        return 0;
    uint8_t *copy = malloc(size - 2 + 1);
    CLAIM(copy != NULL);
    /* Its end is the end of the memory. */
    memcpy(copy + 1, data + 2, size - 2);
    if (data[0] >> 4 == 0xe)
        try_routers(copy + 1, size - 2, data[1]);
    else
        parsers[data[0] % (sizeof parsers / sizeof *parsers)](copy + 1, size - 2, data[1]);
    free(copy);
    return 0;
}
