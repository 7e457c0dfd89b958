/* ICMP for IPv6 (RFC 4443) and the messages of neighbour discovery (RFC 4861, section 4). The
 * header has ICMP's form: struct icmp_header, icmp_header_parse and icmp_header_write. */
#ifndef ENGINE_WIRE_ICMP6_H
#define ENGINE_WIRE_ICMP6_H

#include "engine/wire/ethernet.h"
#include "engine/wire/icmp.h"
#include "engine/wire/ipv6.h"

enum icmp6_type {
    ICMP6_UNREACHABLE = 1,
    ICMP6_PACKET_TOO_BIG = 2,
    ICMP6_TIME_EXCEEDED = 3,
    ICMP6_PARAMETER_PROBLEM = 4,
    ICMP6_ECHO = 128,
    ICMP6_ECHO_REPLY = 129,
    ICMP6_LISTENER_QUERY = 130,
    ICMP6_LISTENER_REPORT_1 = 131, /* RFC 2710 */
    ICMP6_LISTENER_DONE = 132,     /* RFC 2710 */
    ICMP6_ROUTER_SOLICITATION = 133,
    ICMP6_ROUTER_ADVERTISEMENT = 134,
    ICMP6_NEIGHBOR_SOLICITATION = 135,
    ICMP6_NEIGHBOR_ADVERTISEMENT = 136,
    ICMP6_REDIRECT = 137,
    ICMP6_LISTENER_REPORT_2 = 143, /* RFC 3810 */
};
enum icmp6_unreachable_code {
    ICMP6_NO_ROUTE = 0,
    ICMP6_PROHIBITED = 1,
    ICMP6_BEYOND_SCOPE = 2,
    ICMP6_ADDRESS_UNREACHABLE = 3,
    ICMP6_PORT_UNREACHABLE = 4,
};
enum { ICMP6_REASSEMBLY_TIME = 1 }; /* a code of time exceeded */

/* RFC 4443 2.1: the high bit says that a message is none of an error. */
static inline bool icmp6_is_error(uint8_t type) {
    return type < 128;
}

/* The datagram that an error message quotes, as icmp_quote. */
struct icmp6_quote {
    struct ipv6_header ip;
    uint8_t protocol;
    const uint8_t *transport;
    size_t transport_length; /* at least 8 */
};
/* Parses what follows the ICMPv6 header. 0, or -EINVAL (no whole headers and 8 octets, or a
 * fragment that is not the first). */
int icmp6_quote_parse(const uint8_t *data, size_t length, struct icmp6_quote *quote);

/* ---- neighbour discovery ---- */

enum { ND_LENGTH = 24, ND_LENGTH_MAX = 32 }; /* without and with an option */
enum { ND_NONCE = 6 };

struct nd_message {
    uint8_t type; /* ICMP6_NEIGHBOR_SOLICITATION or _ADVERTISEMENT */
    bool router, solicited, override;
    struct berth_ip target;
    const uint8_t
        *mac; /* into the parsed octets: the source's (solicitation) or target's, or NULL */
    const uint8_t *nonce; /* of six octets (RFC 3971 5.3.2), or NULL */
};
/* Parses the whole ICMPv6 message data[0..length). 0, or -EINVAL (RFC 4861 7.1: too short, code not
 * 0, the target a group, an option without length or past the end). */
int nd_parse(const uint8_t *data, size_t length, struct nd_message *message);
/* Writes ND_LENGTH octets with checksum 0, or ND_LENGTH_MAX with a link address or, without one, a
 * nonce; returns how many. */
size_t nd_write(uint8_t to[ND_LENGTH_MAX], const struct nd_message *message);

/* RFC 4291 2.7.1: ff02::1:ffXX:XXXX. */
struct berth_ip nd_solicited_node(const struct berth_ip *address);
/* RFC 2464 7: 33:33 and the group's last 32 bits. */
void nd_group_mac(const struct berth_ip *group, uint8_t mac[ETHERNET_MAC]);
/* RFC 4291 2.5.6 and appendix A, RFC 2464 5: fe80:: and the link address as EUI-64. */
struct berth_ip nd_link_local(const uint8_t mac[ETHERNET_MAC]);

#endif
