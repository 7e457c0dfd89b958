/* Routers' messages of neighbour discovery (RFC 4861 4.1, 4.2, 4.5, 4.6). */
#ifndef ENGINE_WIRE_ROUTER_H
#define ENGINE_WIRE_ROUTER_H

#include "engine/base/bytes.h"
#include "engine/wire/ethernet.h"
#include <berth/addr.h>

enum { ROUTER_SOLICITATION = 16 }; /* octets, with a link address */
enum { ROUTER_FOREVER = UINT32_MAX };

struct router_advertisement {
    uint8_t hop_limit;     /* 0: the router does not say */
    uint16_t lifetime;     /* s, as a default router; 0: it is none */
    uint32_t reachable;    /* ms; 0: it does not say */
    uint32_t retransmit;   /* likewise */
    uint32_t mtu;          /* likewise */
    const uint8_t *mac;    /* into the parsed octets, or NULL */
    struct reader options; /* for router_prefix_next */
};
/* Parses a whole ICMPv6 message. 0, or -EINVAL (RFC 4861 6.1.2: too short, code not 0, an option
 * without length or past the end). */
int router_advertisement_parse(const uint8_t *data, size_t length,
                               struct router_advertisement *advertisement);

struct router_prefix {
    struct berth_ip prefix;
    uint8_t length; /* may be more than 128 */
    bool on_link, autonomous;
    uint32_t valid, preferred; /* s, or ROUTER_FOREVER */
};
/* The next prefix of those options, which were parsed; false: no more. */
bool router_prefix_next(struct reader *options, struct router_prefix *prefix);

struct nd_redirect {
    struct berth_ip target, destination;
    const uint8_t *mac;   /* the target's, into the parsed octets, or NULL */
    const uint8_t *quote; /* the datagram that was redirected, likewise */
    size_t quote_length;  /* with padding */
};
/* Parses a whole ICMPv6 message. 0, or -EINVAL (RFC 4861 8.1: too short, code not 0, the
 * destination a group, an option without length or past the end). */
int nd_redirect_parse(const uint8_t *data, size_t length, struct nd_redirect *redirect);

/* Writes it with checksum 0, as far as its quote, of which redirect->quote_length octets are to
 * follow (a multiple of 8); returns how many octets there are. */
enum { ND_REDIRECT_MAX = 56 };
uint8_t nd_redirect_write(uint8_t to[ND_REDIRECT_MAX], const struct nd_redirect *redirect);

/* Writes a solicitation with checksum 0. */
void router_solicitation_write(uint8_t to[ROUTER_SOLICITATION], const uint8_t mac[ETHERNET_MAC]);

#endif
