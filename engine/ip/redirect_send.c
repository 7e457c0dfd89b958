/* Redirects, as a router sends them (RFC 1812 5.2.7.2, RFC 4861 8.2): what it sends back to the
 * link that it came from could have gone the direct way. How often, the limits of all errors say.
 */
#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"
#include "engine/wire/router.h"

enum { ND_HOPS = 255, REDIRECT_HOST = 1 };

/* RFC 1812 5.2.7.2, 1812-6: to who shares a subnet with the better one, and about the one host. */
static void tell4(struct ip *ip, const struct ip_packet *packet, const struct berth_ip *next,
                  uint64_t now) {
    const struct icmp_header header = {
        .type = ICMP_REDIRECT, .code = REDIRECT_HOST, .rest = berth_ip_to_v4(next)};
    const struct ip_route *link = ip_route_find(ip, &packet->source, packet->interface);
    if (ip->send_redirects && link && !link->has_gateway &&
        ip_prefix_covers(&link->prefix, link->length, next))
        icmp_about_forwarded(ip, packet, &header, now);
}

/* RFC 4861 8.2, 4861-19: to a neighbour, of a router by its link-local address or of the
 * destination itself; with its link address, if that is known, and as much of the datagram as any
 * link carries. */
static void tell6(struct ip *ip, const struct ip_packet *packet, const struct berth_ip *next,
                  uint64_t now) {
    const struct berth_ip *local = ip6_link_local_of(ip, packet->interface);
    const struct neighbor *known = neighbor_find(ip, packet->interface, next);
    uint32_t total = packet->header_length + packet->length;
    uint32_t most = IPV6_MTU_MIN - IPV6_HEADER - ND_REDIRECT_MAX;
    uint8_t octets[ND_REDIRECT_MAX];
    struct nd_redirect said = {.target = *next, .destination = packet->destination};
    if (!local || !ip_on_link(ip, packet->interface, &packet->source) ||
        !(ip6_is_link_local(next) || berth_ip_equal(next, &packet->destination)))
        return;
    if (!icmp_may_send(ip, &packet->source, now)) { /* RFC 4861 8.2, 4861-20 */
        ip->counters->icmp_out_rate_limited++;
        return;
    }
    if (known && known->state != NEIGHBOR_INCOMPLETE)
        said.mac = known->mac;
    said.quote_length = (total < most ? total : most) & ~7u;
    struct icmp_about about = {.local = local,
                               .octets = octets,
                               .length = nd_redirect_write(octets, &said),
                               .ttl = ND_HOPS,
                               .interface = packet->interface,
                               .most = (uint32_t)said.quote_length};
    icmp_send_about(ip, packet, &about, now);
}

void redirect_tell(struct ip *ip, const struct ip_packet *packet, const struct berth_ip *next,
                   uint64_t now) {
    if (packet_is_v6(packet))
        tell6(ip, packet, next, now);
    else
        tell4(ip, packet, next, now);
}
