/* A network: theory of operation.
 *
 * Each interface of a host is plugged into a port of a switch by a cable with two directions:
 *
 *     host --output--> egress link --> switch --> ingress link --input--> host
 *
 * A link that is not impaired decides nothing: the frames that a host hands out are looked up in
 * the switch and handed to the other host by pointer, in runs, where they lie. An impaired link
 * judges each frame (impair.c); one that has to wait is copied, its blocks shared, into the heap of
 * frames in flight (flight.c). Large segments cross links and ports that do not take them in pieces
 * (split.c).
 *
 * Work is found without looking at every host: hosts that may have something to send, and hosts
 * that may have events, wait in two lists; hosts' timers are in a heap (deadline.c).
 * berth_network_run (run.c) goes round until frames in flight, timers and the first list have
 * nothing more for the time given.
 *
 * The order is always that of arrival, and luck comes from the seed, so the same calls and times
 * give the same frames. */
#include "network/network.h"
#include "network/dns.h"
#include "network/text.h"
#include <errno.h>
#include <string.h>

enum { MTU_DEFAULT = 1500, MTU_LEAST = 68, MTU_LEAST_V6 = 1280, MTU_MOST = 65535 };

void berth_network_config_init(struct berth_network_config *config) {
    *config = (struct berth_network_config){.size = sizeof *config,
                                            .allocator = berth_allocator_default()};
}

struct siphash_key network_key(const struct berth_network *network, uint64_t purpose) {
    struct random random;
    random_init(&random, network->seed, purpose);
    return random_key(&random);
}

struct berth_network *berth_network_new(const struct berth_network_config *given) {
    struct berth_network_config config;
    berth_network_config_init(&config);
    if (given)
        memcpy(&config, given, given->size < sizeof config ? given->size : sizeof config);
    struct berth_allocator allocator = config.allocator;
    struct berth_network *network = allocator.allocate(allocator.context, sizeof *network);
    if (!network)
        return NULL;
    memset(network, 0, offsetof(struct berth_network, output));
    network->allocator = allocator;
    memcpy(network->seed, config.seed, sizeof network->seed);
    directory_init(&network->names, allocator,
                   network_key(network, network_purpose(PURPOSE_NAMES, 0)));
    directory_init(&network->addresses, allocator,
                   network_key(network, network_purpose(PURPOSE_ADDRESSES, 0)));
    flights_init(&network->flights, allocator);
    deadlines_init(&network->deadlines, allocator);
    return network;
}

static void release_table(struct berth_network *network, void *table, uint32_t size) {
    if (table)
        network->allocator.release(network->allocator.context, table, size * sizeof(void *));
}

static void lan_free(struct lan *lan) {
    struct berth_network *network = lan->network;
    if (lan->learned)
        network->allocator.release(network->allocator.context, lan->learned,
                                   LEARNED_SETS * LEARNED_WAYS * sizeof *lan->learned);
    release_table(network, lan->ports, lan->port_size);
    release_table(network, lan->stations, lan->station_size);
    network->allocator.release(network->allocator.context, lan, sizeof *lan);
}

void berth_network_free(struct berth_network *network) {
    if (!network)
        return;
    flights_clear(&network->flights);
    walls_clear(network);
    for (uint32_t i = 0; i < network->host_count; i++)
        if (network->hosts[i])
            host_free(network->hosts[i]);
    for (uint32_t i = 0; i < network->outside_count; i++)
        port_free(network->outsides[i]);
    for (uint32_t i = 0; i < network->lan_count; i++)
        lan_free(network->lans[i]);
    release_table(network, network->hosts, network->host_size);
    release_table(network, network->ports, network->port_size);
    release_table(network, network->outsides, network->outside_size);
    release_table(network, network->lans, network->lan_size);
    directory_clear(&network->names);
    directory_clear(&network->addresses);
    deadlines_clear(&network->deadlines);
    captures_end(network);
    queries_clear(&network->queries, network->allocator);
    network->allocator.release(network->allocator.context, network, sizeof *network);
}

bool network_grow(struct berth_network *network, void *table, uint32_t *size, uint32_t count) {
    if (count < *size)
        return true;
    uint32_t larger = *size ? 2 * *size : 8;
    void *old,
        *new = network->allocator.allocate(network->allocator.context, larger * sizeof(void *));
    if (!new)
        return false;
    memcpy(&old, table, sizeof old);
    if (count > 0)
        memcpy(new, old, count * sizeof(void *));
    release_table(network, old, *size);
    memcpy(table, &new, sizeof new);
    *size = larger;
    return true;
}

bool network_name_fits(const char *name) {
    size_t length = text_length(name, NETWORK_NAME);
    if (length == 0 || length == NETWORK_NAME)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f)
            return false;
    return true;
}

/* ---- switches ---- */

/* A subnet that hosts can have addresses in: not this network's, loopback's or a group's (RFC
 * 6890). */
static bool is_usable_subnet(uint32_t subnet, unsigned prefix) {
    uint32_t first = subnet >> 24;
    return prefix >= 8 && prefix <= 31 && first != 0 && first != 127 && first < 224;
}

static int check_lan(const struct berth_network *network, const char *name,
                     const struct berth_ip *subnet, unsigned prefix, uint32_t mtu) {
    if (!name || !network_name_fits(name) || !subnet || !berth_ip_is_v4(subnet) ||
        !is_usable_subnet(berth_ip_to_v4(subnet), prefix) || mtu < MTU_LEAST || mtu > MTU_MOST)
        return -EINVAL;
    for (uint32_t i = 0; i < network->lan_count; i++)
        if (strcmp(network->lans[i]->name, name) == 0)
            return -EEXIST;
    return 0;
}

int berth_network_add_switch(struct berth_network *network, const char *name,
                             const struct berth_ip *subnet, unsigned prefix, uint32_t mtu) {
    mtu = mtu ? mtu : MTU_DEFAULT;
    int error = check_lan(network, name, subnet, prefix, mtu);
    if (error)
        return error;
    if (!network_grow(network, &network->lans, &network->lan_size, network->lan_count))
        return -ENOMEM;
    struct lan *lan = network->allocator.allocate(network->allocator.context, sizeof *lan);
    if (!lan)
        return -ENOMEM;
    *lan = (struct lan){.network = network,
                        .number = (int)network->lan_count,
                        .subnet = berth_ip_to_v4(subnet) & ~(UINT32_MAX >> prefix),
                        .prefix = prefix,
                        .mtu = mtu};
    memcpy(lan->name, name, strlen(name));
    network->lans[network->lan_count++] = lan;
    return lan->number;
}

struct lan *network_lan_of(const struct berth_network *network, int switch_number) {
    return switch_number >= 0 && (uint32_t)switch_number < network->lan_count
               ? network->lans[switch_number]
               : NULL;
}

int berth_network_find_switch(const struct berth_network *network, const char *name) {
    for (uint32_t i = 0; i < network->lan_count; i++)
        if (strcmp(network->lans[i]->name, name) == 0)
            return (int)i;
    return -ENOENT;
}

const char *berth_network_switch_name(const struct berth_network *network, int switch_number) {
    const struct lan *lan = network_lan_of(network, switch_number);
    return lan ? lan->name : NULL;
}

int berth_network_set_ipv6(struct berth_network *network, int switch_number,
                           const struct berth_ip *subnet) {
    static const uint8_t no_host[8] = {0};
    struct lan *lan = network_lan_of(network, switch_number);
    if (!lan || !subnet || berth_ip_is_v4(subnet) || berth_ip_is_any(subnet) ||
        berth_ip_is_multicast(subnet) || subnet->bytes[0] == 0xfe ||
        memcmp(subnet->bytes + 8, no_host, 8) != 0)
        return -EINVAL;
    if (lan->mtu < MTU_LEAST_V6)
        return -EINVAL;
    if (!berth_ip_is_any(&lan->subnet6))
        return -EEXIST;
    lan->subnet6 = *subnet;
    return 0;
}
