/* Path MTU discovery's memory (RFC 1191, RFC 8201), for datagrams; TCP keeps its own per
 * connection. */
#include "engine/ip/ip.h"
#include "engine/wire/ipv6.h"

enum { PATH_FLOOR = 552 }; /* Linux's min_pmtu: a forged message cannot make datagrams smaller */

unsigned ip_path_slot(const struct berth_ip *destination) {
    const uint8_t *b = destination->bytes;
    return (unsigned)(b[15] ^ b[14] * 5 ^ b[13] * 11) % IP_PATHS;
}

uint32_t ip_path_mtu(const struct ip *ip, const struct berth_ip *destination, unsigned interface,
                     uint64_t now) {
    const struct ip_interface *out = &ip->interfaces[interface];
    uint32_t mtu = berth_ip_is_v4(destination) ? out->mtu : ip6_mtu(out);
    const struct ip_path *path = &ip->paths[ip_path_slot(destination)];
    if (path->mtu != 0 && path->mtu < mtu && now < path->expires &&
        berth_ip_equal(&path->destination, destination))
        return path->mtu;
    return mtu;
}

/* RFC 1191 7, 1191-3: what to try when an old router does not say. */
static uint32_t plateau_below(uint32_t length) {
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};
    for (size_t i = 0; i < sizeof plateaus / sizeof *plateaus; i++)
        if (plateaus[i] < length)
            return plateaus[i];
    return 68;
}

uint32_t ip_path_said(uint32_t mtu, uint32_t quoted_length) {
    if (mtu == 0)
        mtu = plateau_below(quoted_length);
    return mtu < PATH_FLOOR ? PATH_FLOOR : mtu;
}

uint32_t ip6_path_said(uint32_t mtu) {
    return mtu < IPV6_MTU_MIN ? IPV6_MTU_MIN : mtu; /* RFC 8201 4, 8201-1: what any link carries */
}

void ip_path_learn(struct ip *ip, const struct berth_ip *destination, uint32_t mtu, uint64_t now) {
    struct ip_path *path = &ip->paths[ip_path_slot(destination)];
    bool known =
        path->mtu != 0 && now < path->expires && berth_ip_equal(&path->destination, destination);
    if (known && mtu >= path->mtu)
        return; /* RFC 1191 3, 1191-1: such a message never raises it */
    path->destination = *destination;
    path->mtu = mtu;
    path->expires = now + ip->path_lifetime; /* RFC 1191 6.3, RFC 8201 4: 1191-2, 8201-2 */
}
