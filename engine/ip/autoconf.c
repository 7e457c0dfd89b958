/* Stateless address autoconfiguration (RFC 4862 5.5): what routers say of prefixes becomes routes
 * to the link and addresses with lifetimes; and the times of all addresses and routes.
 *
 * An address is the prefix and the link address as EUI-64, as Linux's addr_gen_mode 0 has it: who
 * makes a network of computers with known link addresses knows theirs, and the same computer has
 * the same address in each run. */
#include "engine/ip/ip.h"
#include "engine/wire/icmp6.h"
#include "engine/wire/router.h"

static const uint64_t two_hours = 7200 * BERTH_SECOND;

static uint64_t until(uint32_t lifetime, uint64_t now) {
    return lifetime == ROUTER_FOREVER ? BERTH_NEVER : now + lifetime * BERTH_SECOND;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static void schedule_from(struct ip *ip, uint64_t due) {
    for (uint32_t i = 0; i < ip->address_count; i++) {
        const struct ip_address *own = &ip->addresses[i];
        due = earlier(due, earlier(own->due, own->valid_until));
        if (!own->deprecated)
            due = earlier(due, own->preferred_until);
    }
    for (uint32_t i = 0; i < ip->route_count; i++)
        due = earlier(due, ip->routes[i].expires);
    for (unsigned i = 0; i < ip->interface_count; i++)
        if (ip->interfaces[i].solicit_due)
            due = earlier(due, ip->interfaces[i].solicit_due);
    ip->address_due = due;
}

void address_schedule(struct ip *ip) {
    schedule_from(ip, redirect_advance(ip, 0));
}

static void address_remove(struct ip *ip, uint32_t which) {
    struct ip_address gone = ip->addresses[which];
    ip->address_count--;
    memmove(&ip->addresses[which], &ip->addresses[which + 1],
            (ip->address_count - which) * sizeof gone);
    ip->version++;
    if (gone.state != ADDRESS_DUPLICATE)
        mld_leave(ip, &gone);
}

/* ---- prefixes ---- */

/* RFC 4861 6.3.4, 4861-10: what is on link, and how long. */
static void prefix_route(struct ip *ip, unsigned interface, const struct router_prefix *said,
                         const struct berth_ip *prefix, uint64_t now) {
    for (uint32_t i = 0; i < ip->route_count; i++) {
        struct ip_route *route = &ip->routes[i];
        if (route->has_gateway || route->interface != interface || route->length != said->length ||
            route->v4 || !berth_ip_equal(&route->prefix, prefix))
            continue;
        if (route->learned && said->valid == 0)
            ip_route_remove(ip, route);
        else if (route->learned)
            route->expires = until(said->valid, now);
        return; /* and one that was given stays as it is */
    }
    struct ip_route route = {.prefix = *prefix,
                             .length = said->length,
                             .interface = (uint8_t)interface,
                             .learned = true,
                             .expires = until(said->valid, now)};
    if (said->valid != 0 && ip_routes_learned(ip, false) < IP_LEARNED_PREFIXES)
        ip_route_insert(ip, &route);
}

/* RFC 4862 5.5.3 e): an address of that prefix. */
static void address_refresh(struct ip *ip, struct ip_address *own, const struct router_prefix *said,
                            uint64_t now) {
    uint64_t valid = until(said->valid, now), least = now + two_hours;
    own->preferred_until = until(said->preferred, now);
    own->deprecated = said->preferred == 0;
    /* 4862-8: nobody can end it within two hours by saying so. */
    if (valid > least || valid > own->valid_until)
        own->valid_until = valid;
    else if (own->valid_until > least)
        own->valid_until = least;
    ip->version++;
}

/* RFC 4862 5.5.3 d), 4862-7 */
static void address_form(struct ip *ip, unsigned interface, const struct router_prefix *said,
                         uint64_t now) {
    uint32_t learned = 0;
    struct berth_ip address = nd_link_local(ip->interfaces[interface].mac);
    memcpy(address.bytes, said->prefix.bytes, 8);
    for (uint32_t i = 0; i < ip->address_count; i++) {
        struct ip_address *own = &ip->addresses[i];
        learned += own->learned;
        if (!berth_ip_equal(&own->ip, &address))
            continue;
        if (own->learned && own->interface == interface)
            address_refresh(ip, own, said, now);
        return;
    }
    if (said->valid == 0 || learned >= IP_LEARNED_ADDRESSES)
        return;
    struct ip_address *own = ip_address_learn(ip, interface, &address, 64);
    if (!own) /* no memory: the router will say so again */
        return;
    own->valid_until = until(said->valid, now);
    own->preferred_until = until(said->preferred, now);
    own->deprecated = said->preferred == 0;
}

void prefix_hear(struct ip *ip, unsigned interface, const struct router_prefix *said,
                 uint64_t now) {
    /* RFC 4862 5.5.3 b), RFC 4861 6.3.4, 4862-6: the link-local prefix is nobody's to give. */
    if (said->length > 128 || ip6_is_link_local(&said->prefix) ||
        berth_ip_is_multicast(&said->prefix))
        return;
    struct berth_ip prefix = ip_prefix_mask(&said->prefix, said->length);
    if (said->on_link)
        prefix_route(ip, interface, said, &prefix, now);
    /* RFC 4862 5.5.3 a), c) and d), 4862-9. */
    if (ip->autoconf && said->autonomous && said->preferred <= said->valid && said->length == 64)
        address_form(ip, interface, said, now);
}

/* ---- time ---- */

/* RFC 4862 5.5.4, 4862-10: preferred, then deprecated, then gone. */
static bool address_ages(struct ip *ip, uint32_t which, uint64_t now) {
    struct ip_address *own = &ip->addresses[which];
    if (own->valid_until <= now) {
        address_remove(ip, which);
        return false;
    }
    if (!own->deprecated && own->preferred_until <= now) {
        own->deprecated = true;
        ip->version++;
    }
    while (own->due <= now)
        dad_proceed(ip, own, now);
    return true;
}

void address_advance(struct ip *ip, uint64_t now) {
    if (ip->address_due > now)
        return;
    for (uint32_t i = 0; i < ip->address_count;)
        i += address_ages(ip, i, now);
    for (uint32_t i = 0; i < ip->route_count;)
        if (ip->routes[i].expires <= now) /* RFC 4861 6.3.5, 4861-11 */
            ip_route_remove(ip, &ip->routes[i]);
        else
            i++;
    for (unsigned i = 0; i < ip->interface_count; i++)
        router_advance(ip, i, now);
    schedule_from(ip, redirect_advance(ip, now));
}

/* Power was gone: what was learned is, too. */
void address_reset(struct ip *ip) {
    for (uint32_t i = 0; i < ip->address_count;)
        if (ip->addresses[i].learned)
            address_remove(ip, i);
        else
            i++;
    for (uint32_t i = 0; i < ip->route_count;)
        if (ip->routes[i].learned)
            ip_route_remove(ip, &ip->routes[i]);
        else
            i++;
    for (unsigned i = 0; i < ip->interface_count; i++) {
        struct ip_interface *at = &ip->interfaces[i];
        at->hop_limit = 0;
        at->reachable = at->reachable_said = at->mtu6 = 0;
        at->retransmit = BERTH_SECOND;
        ip->ops.resized(ip->ops.context, i);
    }
    dad_restart(ip);
    for (unsigned i = 0; i < ip->interface_count; i++)
        router_start(ip, i);
    address_schedule(ip);
}
