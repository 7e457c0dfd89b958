/* Who has that address? A question to all of a link (ARP) or to a solicited-node group (neighbour
 * discovery) is only that host's to answer, and the switch knows its hosts; so it need not go to
 * all. Switches for many stations do the same (RFC 9161). With 1,000 hosts on one switch, each of
 * which meets each, a billion frames less are delivered. */
#include "engine/base/bytes.h"
#include "engine/wire/arp.h"
#include "engine/wire/ethernet.h"
#include "engine/wire/icmp6.h"
#include "engine/wire/ipv6.h"
#include "network/network.h"
#include <string.h>

enum { SOLICITATION = ETHERNET_HEADER + IPV6_HEADER, ASKED_READ = SOLICITATION + ND_LENGTH };

static bool asked_address(const uint8_t *octets, size_t length, struct berth_ip *address) {
    struct arp_packet arp;
    uint16_t type = load_be16(octets + 12);
    if (type == ETHERNET_ARP &&
        arp_packet_parse(octets + ETHERNET_HEADER, length - ETHERNET_HEADER, &arp) == 0) {
        *address = berth_ip_v4(arp.target_ip);
        /* Who tells of itself tells all. */
        return arp.operation == ARP_REQUEST && arp.sender_ip != arp.target_ip;
    }
    if (type != ETHERNET_IPV6 || length < ASKED_READ || octets[ETHERNET_HEADER + 6] != IPV6_ICMP ||
        octets[SOLICITATION] != ICMP6_NEIGHBOR_SOLICITATION)
        return false;
    memcpy(address->bytes, octets + ETHERNET_HEADER + 8, 16);
    if (berth_ip_is_any(address)) /* who wants it asks all: somebody outside may have it, too */
        return false;
    memcpy(address->bytes, octets + SOLICITATION + 8, 16);
    return true;
}

struct network_port *switch_asked(const struct lan *lan, const struct berth_frame *frame) {
    uint8_t octets[ASKED_READ];
    struct berth_ip address;
    size_t length = berth_frame_read(frame, 0, octets, sizeof octets);
    if (length < ETHERNET_HEADER || !asked_address(octets, length, &address))
        return NULL;
    struct network_port *port = network_port_at(lan->network, &address);
    return port && port->lan == lan ? port : NULL;
}
