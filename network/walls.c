/* Faults that are not a link's own: partitions, cables that are out, computers that stand still or
 * lose their power. */
#include "network/walls.h"
#include "engine/base/bytes.h"
#include "engine/wire/ethernet.h"
#include "network/network.h"
#include <errno.h>
#include <string.h>

/* ---- who is kept apart ---- */

static uint64_t pair_of(int one, int other) {
    uint32_t low = (uint32_t)(one < other ? one : other);
    uint32_t high = (uint32_t)(one < other ? other : one);
    return (uint64_t)low << 32 | high;
}

static uint32_t pair_find(const struct walls *walls, uint64_t pair) {
    uint32_t at = 0;
    while (at < walls->count && walls->pairs[at] != pair)
        at++;
    return at;
}

static bool apart(const struct network_host *one, const struct network_host *other) {
    if (!one || !other || one == other)
        return false;
    if (one->group != 0 && other->group != 0 && one->group != other->group)
        return true;
    const struct walls *walls = &one->network->walls;
    return pair_find(walls, pair_of(one->number, other->number)) < walls->count;
}

static const struct network_host *host_at(const struct berth_network *network,
                                          const struct berth_ip *address) {
    const struct network_port *port = network_port_at(network, address);
    return port ? port->host : NULL;
}

bool walls_between(const struct network_port *from, const struct network_port *to,
                   const struct berth_frame *frame) {
    uint8_t head[ETHERNET_HEADER + 40];
    struct berth_ip source, destination;
    if (apart(from->host, to->host))
        return true;
    size_t length = berth_frame_read(frame, 0, head, sizeof head);
    const uint8_t *ip = head + ETHERNET_HEADER;
    if (length >= ETHERNET_HEADER + 20 && load_be16(head + 12) == ETHERNET_IPV4) {
        source = berth_ip_v4(load_be32(ip + 12));
        destination = berth_ip_v4(load_be32(ip + 16));
    } else if (length == sizeof head && load_be16(head + 12) == ETHERNET_IPV6) {
        memcpy(source.bytes, ip + 8, 16);
        memcpy(destination.bytes, ip + 24, 16);
    } else {
        return false;
    }
    return apart(host_at(from->network, &source), host_at(from->network, &destination));
}

static int pair_add(struct berth_network *network, uint64_t pair) {
    struct walls *walls = &network->walls;
    if (walls->count == walls->size) {
        uint32_t size = walls->size ? 2 * walls->size : 8;
        struct berth_allocator *allocator = &network->allocator;
        uint64_t *pairs = allocator->allocate(allocator->context, size * sizeof *pairs);
        if (!pairs)
            return -ENOMEM;
        if (walls->pairs) {
            memcpy(pairs, walls->pairs, walls->count * sizeof *pairs);
            allocator->release(allocator->context, walls->pairs, walls->size * sizeof *pairs);
        }
        walls->pairs = pairs;
        walls->size = size;
    }
    walls->pairs[walls->count++] = pair;
    return 0;
}

void walls_forget(struct berth_network *network, int host) {
    struct walls *walls = &network->walls;
    for (uint32_t i = walls->count; i-- > 0;)
        if (walls->pairs[i] >> 32 == (uint32_t)host || (uint32_t)walls->pairs[i] == (uint32_t)host)
            walls->pairs[i] = walls->pairs[--walls->count];
    walls->grouped -= network->hosts[host]->group != 0;
}

void walls_clear(struct berth_network *network) {
    struct walls *walls = &network->walls;
    if (walls->pairs)
        network->allocator.release(network->allocator.context, walls->pairs,
                                   walls->size * sizeof *walls->pairs);
    *walls = (struct walls){0};
}

int berth_network_set_path(struct berth_network *network, int host, int other, bool open) {
    struct walls *walls = &network->walls;
    if (!network_host_of(network, host) || !network_host_of(network, other))
        return -ENOENT;
    if (host == other)
        return -EINVAL;
    uint64_t pair = pair_of(host, other);
    uint32_t at = pair_find(walls, pair);
    if (!open)
        return at < walls->count ? 0 : pair_add(network, pair);
    if (at < walls->count)
        walls->pairs[at] = walls->pairs[--walls->count];
    return 0;
}

int berth_network_set_group(struct berth_network *network, int host, uint32_t group) {
    struct network_host *moved = network_host_of(network, host);
    if (!moved)
        return -ENOENT;
    network->walls.grouped -= moved->group != 0;
    network->walls.grouped += group != 0;
    moved->group = group;
    return 0;
}

bool berth_network_reaches(const struct berth_network *network, int host, int other) {
    return !apart(network_host_of(network, host), network_host_of(network, other));
}

/* ---- cables ---- */

int berth_network_set_link(struct berth_network *network, int host, int switch_number, bool up) {
    const struct network_host *of = network_host_of(network, host);
    int found = -ENOENT;
    for (struct network_port *port = of ? of->ports : NULL; port; port = port->sibling) {
        if (switch_number >= 0 && port->lan->number != switch_number)
            continue;
        port->egress.down = port->ingress.down = !up;
        link_decide(&port->egress);
        link_decide(&port->ingress);
        found = 0;
    }
    return found;
}

bool berth_network_link_is_up(const struct berth_network *network, int host, int switch_number) {
    const struct network_port *port = network_link_of(network, host, switch_number);
    return port && !port->egress.down;
}

void berth_network_heal(struct berth_network *network) {
    walls_clear(network);
    for (uint32_t i = 0; i < network->host_count; i++) {
        if (!network->hosts[i])
            continue;
        network->hosts[i]->group = 0;
        berth_network_set_link(network, (int)i, -1, true);
    }
}

/* ---- computers ---- */

static struct network_host *host_now(struct berth_network *network, int host, uint64_t now) {
    if (now > network->now)
        network->now = now;
    return network_host_of(network, host);
}

int berth_network_suspend(struct berth_network *network, int host, uint64_t now) {
    struct network_host *still = host_now(network, host, now);
    if (!still)
        return -ENOENT;
    berth_host_suspend(still->engine, network->now);
    deadlines_change(&network->deadlines, &still->deadline, BERTH_NEVER);
    return 0;
}

int berth_network_resume(struct berth_network *network, int host, uint64_t now) {
    struct network_host *resumed = host_now(network, host, now);
    if (!resumed)
        return -ENOENT;
    berth_host_resume(resumed->engine, network->now);
    berth_network_touch(network, host);
    return 0;
}

int berth_network_reset_host(struct berth_network *network, int host, uint64_t now) {
    struct network_host *reset = host_now(network, host, now);
    if (!reset)
        return -ENOENT;
    int error = berth_host_reset(reset->engine, network->now);
    if (!error)
        nameserver_free(reset); /* its connections ended without a word */
    berth_network_touch(network, host);
    return error;
}
