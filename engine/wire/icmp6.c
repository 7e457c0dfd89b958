#include "engine/wire/icmp6.h"

#include <errno.h>

enum { QUOTED_OCTETS = 8 }; /* of the transport: the ports, and TCP's sequence number */

int icmp6_quote_parse(const uint8_t *data, size_t length, struct icmp6_quote *quote) {
    struct ipv6_chain chain;
    if (ipv6_header_parse_quoted(data, length, &quote->ip) != 0)
        return -EINVAL;
    /* What is wrong with the headers of our own datagram is the sender's matter, not ours; but the
     * transport must be found. */
    if (ipv6_chain_parse(data, length, &chain) != IPV6_ACCEPT || chain.fragment_offset != 0)
        return -EINVAL;
    quote->protocol = chain.protocol;
    quote->transport = data + IPV6_HEADER + chain.length;
    quote->transport_length = length - IPV6_HEADER - chain.length;
    return quote->transport_length >= QUOTED_OCTETS ? 0 : -EINVAL;
}

enum {
    OPTION_SOURCE = 1,
    OPTION_TARGET = 2,
    OPTION_NONCE = 14,
    FLAG_ROUTER = 0x80,
    FLAG_SOLICITED = 0x40
};
enum { FLAG_OVERRIDE = 0x20 };

int nd_parse(const uint8_t *data, size_t length, struct nd_message *message) {
    if (length < ND_LENGTH || data[1] != 0)
        return -EINVAL;
    message->type = data[0];
    message->router = (data[4] & FLAG_ROUTER) != 0;
    message->solicited = (data[4] & FLAG_SOLICITED) != 0;
    message->override = (data[4] & FLAG_OVERRIDE) != 0;
    memcpy(message->target.bytes, data + 8, 16);
    message->mac = message->nonce = NULL;
    if (berth_ip_is_multicast(&message->target))
        return -EINVAL;
    uint8_t wanted = data[0] == ICMP6_NEIGHBOR_SOLICITATION ? OPTION_SOURCE : OPTION_TARGET;
    struct reader options = reader_over(data + ND_LENGTH, length - ND_LENGTH);
    while (reader_left(&options) > 0) {
        uint8_t kind = reader_u8(&options), units = reader_u8(&options);
        const uint8_t *octets = units ? reader_take(&options, units * 8u - 2) : NULL;
        if (!octets) /* RFC 4861 4.6, 7.1.1: a length of 0 */
            return -EINVAL;
        if (kind == wanted && units == 1 && !message->mac)
            message->mac = octets;
        if (kind == OPTION_NONCE && units == 1)
            message->nonce = octets;
    }
    return 0;
}

size_t nd_write(uint8_t to[ND_LENGTH_MAX], const struct nd_message *message) {
    bool solicitation = message->type == ICMP6_NEIGHBOR_SOLICITATION;
    memset(to, 0, ND_LENGTH_MAX);
    to[0] = message->type;
    if (!solicitation)
        to[4] = (uint8_t)((message->router ? FLAG_ROUTER : 0) |
                          (message->solicited ? FLAG_SOLICITED : 0) |
                          (message->override ? FLAG_OVERRIDE : 0));
    memcpy(to + 8, message->target.bytes, 16);
    if (!message->mac && !message->nonce)
        return ND_LENGTH;
    to[ND_LENGTH] = !message->mac ? OPTION_NONCE : solicitation ? OPTION_SOURCE : OPTION_TARGET;
    to[ND_LENGTH + 1] = 1;
    memcpy(to + ND_LENGTH + 2, message->mac ? message->mac : message->nonce, ETHERNET_MAC);
    return ND_LENGTH_MAX;
}

struct berth_ip nd_solicited_node(const struct berth_ip *address) {
    struct berth_ip group = {{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};
    memcpy(group.bytes + 13, address->bytes + 13, 3);
    return group;
}

void nd_group_mac(const struct berth_ip *group, uint8_t mac[ETHERNET_MAC]) {
    mac[0] = mac[1] = 0x33;
    memcpy(mac + 2, group->bytes + 12, 4);
}

struct berth_ip nd_link_local(const uint8_t mac[ETHERNET_MAC]) {
    struct berth_ip ip = {{0xfe, 0x80}};
    memcpy(ip.bytes + 8, mac, 3);
    ip.bytes[8] ^= 2;
    ip.bytes[11] = 0xff;
    ip.bytes[12] = 0xfe;
    memcpy(ip.bytes + 13, mac + 3, 3);
    return ip;
}
