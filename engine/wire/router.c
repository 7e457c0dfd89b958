#include "engine/wire/router.h"
#include "engine/wire/icmp6.h"
#include <errno.h>

enum { HEADER = 16, OPTION_SOURCE = 1, OPTION_PREFIX = 3, OPTION_MTU = 5 };
enum { REDIRECT_HEADER = 40, OPTION_TARGET = 2, OPTION_REDIRECTED = 4, REDIRECTED_RESERVED = 6 };
enum { PREFIX_UNITS = 4, FLAG_ON_LINK = 0x80, FLAG_AUTONOMOUS = 0x40 };

/* Takes an option: its octets after type and length; NULL at the end, or where one is wrong. */
static const uint8_t *option_next(struct reader *options, uint8_t *kind, uint8_t *units) {
    *kind = reader_u8(options);
    *units = reader_u8(options);
    return *units ? reader_take(options, *units * 8u - 2) : NULL;
}

int router_advertisement_parse(const uint8_t *data, size_t length,
                               struct router_advertisement *advertisement) {
    if (length < HEADER || data[1] != 0)
        return -EINVAL;
    *advertisement = (struct router_advertisement){
        .hop_limit = data[4],
        .lifetime = load_be16(data + 6),
        .reachable = load_be32(data + 8),
        .retransmit = load_be32(data + 12),
        .options = reader_over(data + HEADER, length - HEADER),
    };
    struct reader options = advertisement->options;
    while (reader_left(&options) > 0) {
        uint8_t kind, units;
        const uint8_t *octets = option_next(&options, &kind, &units);
        if (!octets)
            return -EINVAL;
        if (kind == OPTION_SOURCE && units == 1)
            advertisement->mac = octets;
        if (kind == OPTION_MTU && units == 1)
            advertisement->mtu = load_be32(octets + 2);
    }
    return 0;
}

bool router_prefix_next(struct reader *options, struct router_prefix *prefix) {
    while (reader_left(options) > 0) {
        uint8_t kind, units;
        const uint8_t *octets = option_next(options, &kind, &units);
        if (!octets)
            return false;
        if (kind != OPTION_PREFIX || units != PREFIX_UNITS)
            continue;
        prefix->length = octets[0];
        prefix->on_link = (octets[1] & FLAG_ON_LINK) != 0;
        prefix->autonomous = (octets[1] & FLAG_AUTONOMOUS) != 0;
        prefix->valid = load_be32(octets + 2);
        prefix->preferred = load_be32(octets + 6);
        memcpy(prefix->prefix.bytes, octets + 14, 16);
        return true;
    }
    return false;
}

int nd_redirect_parse(const uint8_t *data, size_t length, struct nd_redirect *redirect) {
    if (length < REDIRECT_HEADER || data[1] != 0)
        return -EINVAL;
    *redirect = (struct nd_redirect){0};
    memcpy(redirect->target.bytes, data + 8, 16);
    memcpy(redirect->destination.bytes, data + 24, 16);
    if (berth_ip_is_multicast(&redirect->destination))
        return -EINVAL;
    struct reader options = reader_over(data + REDIRECT_HEADER, length - REDIRECT_HEADER);
    while (reader_left(&options) > 0) {
        uint8_t kind, units;
        const uint8_t *octets = option_next(&options, &kind, &units);
        if (!octets)
            return -EINVAL;
        if (kind == OPTION_TARGET && units == 1)
            redirect->mac = octets;
        if (kind == OPTION_REDIRECTED) {
            redirect->quote = octets + REDIRECTED_RESERVED;
            redirect->quote_length = units * 8u - 2 - REDIRECTED_RESERVED;
        }
    }
    return 0;
}

uint8_t nd_redirect_write(uint8_t to[ND_REDIRECT_MAX], const struct nd_redirect *redirect) {
    uint8_t at = REDIRECT_HEADER;
    memset(to, 0, ND_REDIRECT_MAX);
    to[0] = ICMP6_REDIRECT;
    memcpy(to + 8, redirect->target.bytes, 16);
    memcpy(to + 24, redirect->destination.bytes, 16);
    if (redirect->mac) {
        to[at] = OPTION_TARGET;
        to[at + 1] = 1;
        memcpy(to + at + 2, redirect->mac, ETHERNET_MAC);
        at += 8;
    }
    to[at] = OPTION_REDIRECTED;
    to[at + 1] = (uint8_t)(1 + redirect->quote_length / 8);
    return (uint8_t)(at + 8);
}

void router_solicitation_write(uint8_t to[ROUTER_SOLICITATION], const uint8_t mac[ETHERNET_MAC]) {
    memset(to, 0, ROUTER_SOLICITATION);
    to[0] = ICMP6_ROUTER_SOLICITATION;
    to[8] = OPTION_SOURCE;
    to[9] = 1;
    memcpy(to + 10, mac, ETHERNET_MAC);
}
