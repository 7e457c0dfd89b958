/* Duplicate address detection (RFC 4862 5.4): an address is tentative until the link was asked
 * whether somebody has it.
 *
 *   WAITING    a little, so that hosts that start together do not ask together
 *   TRIED      dad_transmits solicitations from the unspecified address, a RetransTimer apart
 *   ASSIGNED   nobody answered within a RetransTimer after the last
 *   DUPLICATE  somebody did, or wanted it too
 *
 * Off unless asked for (dad_transmits is 0): a network here gives each address once, and a computer
 * that starts should not wait for seconds to learn that.
 *
 * The time is not known when an address is added: it waits from the first advance on. */
#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"

enum { MAX_DELAY_MS = 1000, AT_ONCE = 1 }; /* RFC 4861 10: MAX_RTR_SOLICITATION_DELAY */

bool dad_start(struct ip *ip, struct ip_address *address) {
    if (ip->dad_transmits == 0 ||
        ip->interfaces[address->interface].link != BERTH_LINK_ETHERNET) /* nobody else is there */
        return false;
    address->state = ADDRESS_WAITING;
    address->probes = ip->dad_transmits;
    address->due = ip->address_due = AT_ONCE;
    return true;
}

void dad_assign(struct ip *ip, struct ip_address *address) {
    bool was_nobody = address->state != ADDRESS_ASSIGNED && ip6_is_link_local(&address->ip);
    address->state = ADDRESS_ASSIGNED;
    address->due = BERTH_NEVER;
    ip->version++;
    if (ip->notify)
        nd_announce(ip, address->interface, &address->ip);
    if (was_nobody) { /* RFC 3590 4: routers do not listen to reports from nobody */
        mld_join_all(ip, address->interface);
        router_start(ip, address->interface);
    }
}

/* RFC 7527 4.1: tells our own solicitations, which a link may bring back, from others'. It is a
 * hash, so that it needs no memory. */
static void nonce_make(const struct ip *ip, const struct ip_address *address,
                       uint8_t nonce[ND_NONCE]) {
    uint64_t words[3] = {0};
    memcpy(words, address->ip.bytes, 16);
    memcpy(&words[2], ip->interfaces[address->interface].mac, ETHERNET_MAC);
    uint64_t hash = siphash13_words(&ip->id_key, words, 3);
    memcpy(nonce, &hash, ND_NONCE);
}

/* ---- somebody has it ---- */

static struct ip_address *tentative(struct ip *ip, unsigned interface,
                                    const struct berth_ip *target) {
    for (uint32_t i = 0; i < ip->address_count; i++) {
        struct ip_address *own = &ip->addresses[i];
        if ((own->state == ADDRESS_WAITING || own->state == ADDRESS_TRIED) &&
            own->interface == interface && berth_ip_equal(&own->ip, target))
            return own;
    }
    return NULL;
}

static void give_up(struct ip *ip, struct ip_address *address) {
    if (address->state == ADDRESS_DUPLICATE)
        return;
    address->state = ADDRESS_DUPLICATE;
    address->due = BERTH_NEVER;
    mld_leave(ip, address);
    address->reports = 0;
}

/* RFC 4862 5.4.5, 4862-5: a link-local address that is made from the link's tells, if it is taken,
 * that the link's is. */
static void disable(struct ip *ip, unsigned interface) {
    ip->interfaces[interface].disabled = true;
    for (uint32_t i = 0; i < ip->address_count; i++)
        if (ip->addresses[i].interface == interface && !berth_ip_is_v4(&ip->addresses[i].ip))
            give_up(ip, &ip->addresses[i]);
    ip->version++;
}

static void duplicate(struct ip *ip, struct ip_address *address) {
    unsigned interface = address->interface;
    struct berth_ip of_link = nd_link_local(ip->interfaces[interface].mac);
    give_up(ip, address);
    if (ip->dad_disables && berth_ip_equal(&address->ip, &of_link))
        disable(ip, interface);
    address_schedule(ip);
}

/* RFC 4862 5.4.3, 4862-3: two who want it do not get it, either of them. */
void dad_solicited(struct ip *ip, unsigned interface, const struct berth_ip *target,
                   const uint8_t *nonce) {
    struct ip_address *address = tentative(ip, interface, target);
    uint8_t own[ND_NONCE];
    if (!address)
        return;
    nonce_make(ip, address, own);
    if (!nonce || memcmp(nonce, own, ND_NONCE) != 0) /* RFC 7527 4.2, 7527-1 */
        duplicate(ip, address);
}

/* RFC 4862 5.4.4, 4862-4 */
void dad_advertised(struct ip *ip, unsigned interface, const struct berth_ip *target) {
    struct ip_address *address = tentative(ip, interface, target);
    if (address)
        duplicate(ip, address);
}

/* ---- time ---- */

/* RFC 4862 5.4.2, 4862-1 */
void dad_proceed(struct ip *ip, struct ip_address *address, uint64_t now) {
    uint8_t nonce[ND_NONCE];
    if (address->state == ADDRESS_WAITING) {
        address->state = ADDRESS_TRIED;
        address->due = now + random_below(ip->random, MAX_DELAY_MS + 1) * BERTH_MS;
    } else if (address->probes > 0) {
        address->probes--;
        address->due = now + ip->interfaces[address->interface].retransmit;
        nonce_make(ip, address, nonce);
        nd_probe(ip, address->interface, &address->ip, nonce);
    } else {
        dad_assign(ip, address);
    }
}

void dad_restart(struct ip *ip) {
    for (unsigned i = 0; i < ip->interface_count; i++)
        ip->interfaces[i].disabled = false;
    for (uint32_t i = 0; i < ip->address_count; i++) {
        struct ip_address *own = &ip->addresses[i];
        if (berth_ip_is_v4(&own->ip) || own->interface == IP_LOOPBACK)
            continue;
        own->due = BERTH_NEVER;
        own->state = ADDRESS_ASSIGNED;
        dad_start(ip, own);
    }
}
