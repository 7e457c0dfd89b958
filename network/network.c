/* A network: theory of operation.
 *
 * Each host is plugged into a port of a switch by a cable with two directions:
 *
 *     host --output--> egress link --> switch --> ingress link --input--> host
 *
 * A link that is not impaired decides nothing: the frames that a host hands out are looked up in
 * the switch and handed to the other host by pointer, in runs, where they lie. An impaired link
 * judges each frame (impair.c); one that has to wait is copied, its blocks shared, into the heap of
 * frames in flight (flight.c). Large segments cross links and ports that do not take them in pieces
 * (split.c).
 *
 * Work is found without looking at every host: ports that may have something to send, and ports
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

/* Streams of random numbers; links use small ones (link_init). */
enum { PURPOSE_NAMES = 1, PURPOSE_ADDRESSES = 2, PURPOSE_HOST = 3, PURPOSE_PLACE = 4 };
#define PURPOSE(kind, number) ((uint64_t)(kind) << 56 | (uint64_t)(uint32_t)(number))

enum { MTU_DEFAULT = 1500, MTU_LEAST = 68, MTU_LEAST_V6 = 1280, MTU_MOST = 65535 };

void berth_network_config_init(struct berth_network_config *config) {
    *config = (struct berth_network_config){.size = sizeof *config,
                                            .allocator = berth_allocator_default()};
}

static struct siphash_key key_for(const struct berth_network *network, uint64_t purpose) {
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
    directory_init(&network->names, allocator, key_for(network, PURPOSE(PURPOSE_NAMES, 0)));
    directory_init(&network->addresses, allocator, key_for(network, PURPOSE(PURPOSE_ADDRESSES, 0)));
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
    network->allocator.release(network->allocator.context, lan, sizeof *lan);
}

void berth_network_free(struct berth_network *network) {
    if (!network)
        return;
    flights_clear(&network->flights);
    for (uint32_t i = 0; i < network->host_count; i++)
        if (network->hosts[i])
            port_free(network->hosts[i]);
    for (uint32_t i = 0; i < network->outside_count; i++)
        port_free(network->outsides[i]);
    for (uint32_t i = 0; i < network->lan_count; i++)
        lan_free(network->lans[i]);
    release_table(network, network->hosts, network->host_size);
    release_table(network, network->outsides, network->outside_size);
    release_table(network, network->lans, network->lan_size);
    directory_clear(&network->names);
    directory_clear(&network->addresses);
    deadlines_clear(&network->deadlines);
    capture_stop(&network->capture, network->allocator);
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

int berth_network_set_ipv6(struct berth_network *network, int switch_number,
                           const struct berth_ip *subnet) {
    static const uint8_t no_host[8] = {0};
    if (switch_number < 0 || (uint32_t)switch_number >= network->lan_count || !subnet ||
        berth_ip_is_v4(subnet) || berth_ip_is_any(subnet) || berth_ip_is_multicast(subnet) ||
        subnet->bytes[0] == 0xfe || memcmp(subnet->bytes + 8, no_host, 8) != 0)
        return -EINVAL;
    struct lan *lan = network->lans[switch_number];
    if (lan->mtu < MTU_LEAST_V6)
        return -EINVAL;
    if (!berth_ip_is_any(&lan->subnet6))
        return -EEXIST;
    lan->subnet6 = *subnet;
    return 0;
}

/* ---- hosts ---- */

struct network_port *network_port_of(const struct berth_network *network, int host) {
    return host >= 0 && (uint32_t)host < network->host_count ? network->hosts[host] : NULL;
}

/* Fills a seed that is all zeroes. */
static void seed_for(const struct berth_network *network, uint64_t purpose, uint8_t seed[32]) {
    struct random random;
    uint8_t any = 0;
    for (size_t i = 0; i < 32; i++)
        any |= seed[i];
    if (any)
        return;
    random_init(&random, network->seed, purpose);
    for (size_t i = 0; i < 32; i++)
        seed[i] = (uint8_t)random_below(&random, 256);
}

/* The host's own configuration, with a seed of its own unless it came with one, and the secret of
 * its address: a computer that takes another's place can open connections that the other's peers
 * still have in TIME-WAIT (RFC 6191). */
static struct berth_host *make_host(struct berth_network *network, int number,
                                    const struct berth_ip *address,
                                    const struct berth_host_config *given) {
    struct berth_host_config config;
    berth_host_config_init(&config);
    config.allocator = network->allocator;
    if (given)
        memcpy(&config, given, given->size < sizeof config ? given->size : sizeof config);
    config.size = sizeof config;
    seed_for(network, PURPOSE(PURPOSE_HOST, number), config.seed);
    seed_for(network, PURPOSE(PURPOSE_PLACE, berth_ip_to_v4(address)), config.tcp_secret);
    return berth_host_new(&config);
}

static int plug_in(struct network_port *port) {
    struct lan *lan = port->lan;
    port->offloads = BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT;
    lan_mac_of_address(&port->address, port->mac);
    struct berth_interface_config interface = {
        .link = BERTH_LINK_ETHERNET, .mtu = lan->mtu, .offloads = port->offloads};
    memcpy(interface.mac, port->mac, sizeof interface.mac);
    port->interface = berth_host_add_interface(port->host, &interface);
    if (port->interface < 0)
        return port->interface;
    int error = berth_host_add_address(port->host, port->interface, &port->address, lan->prefix);
    if (!error && !berth_ip_is_any(&port->address6))
        error = berth_host_add_address(port->host, port->interface, &port->address6, 64);
    if (error)
        return error;
    berth_host_divert_udp(port->host, 53);
    const struct berth_impairment none = {0};
    return port_impair(port, BERTH_BOTH, &none);
}

/* Takes the port into the network's tables; the room in them is there. */
static int enter(struct network_port *port, const char *key, uint32_t key_length) {
    struct berth_network *network = port->network;
    int error = directory_put(&network->names, key, key_length, port->number);
    if (!error)
        error =
            directory_put(&network->addresses, &port->address, sizeof port->address, port->number);
    if (!error && !berth_ip_is_any(&port->address6))
        error = directory_put(&network->addresses, &port->address6, sizeof port->address6,
                              port->number);
    if (error) {
        directory_remove_value(&network->names, port->number);
        directory_remove_value(&network->addresses, port->number);
        return error;
    }
    port->lan->ports[port->lan->port_count++] = port;
    network->hosts[network->host_count++] = port;
    if (network->capture.write)
        port->capture_interface = capture_describe(&network->capture, port->name, port->lan->name);
    port_list_add(port, LIST_OUTPUT);
    return 0;
}

static int check_host_name(const struct berth_network *network, const char *name, char *key) {
    int length = name && network_name_fits(name) ? names_key(name, key) : -EINVAL;
    if (length < 0)
        return -EINVAL;
    if (strcmp(key, "localhost") == 0 ||
        directory_find(&network->names, key, (uint32_t)length) >= 0)
        return -EEXIST;
    return length;
}

int berth_network_add_host(struct berth_network *network, const char *name, int switch_number,
                           const struct berth_ip *wanted, const struct berth_host_config *config) {
    return berth_network_add_host_dual(network, name, switch_number, wanted, NULL, config);
}

int berth_network_add_host_dual(struct berth_network *network, const char *name, int switch_number,
                                const struct berth_ip *wanted, const struct berth_ip *wanted6,
                                const struct berth_host_config *config) {
    char key[DNS_NAME];
    if (switch_number < 0 || (uint32_t)switch_number >= network->lan_count)
        return -EINVAL;
    int length = check_host_name(network, name, key);
    if (length < 0)
        return length;
    struct lan *lan = network->lans[switch_number];
    struct berth_ip address, address6;
    int error = lan_choose_address(lan, wanted, &address);
    if (!error)
        error = lan_choose_ipv6(lan, wanted6, &address, &address6);
    if (error)
        return error;
    if (!network_grow(network, &network->hosts, &network->host_size, network->host_count) ||
        !network_grow(network, &lan->ports, &lan->port_size, lan->port_count) ||
        deadlines_reserve(&network->deadlines, network->host_count + 1))
        return -ENOMEM;
    int number = (int)network->host_count;
    struct berth_host *host = make_host(network, number, &address, config);
    if (!host)
        return -ENOMEM;
    struct network_port *port = port_new(network, lan, name, number, host);
    if (!port) {
        berth_host_free(host);
        return -ENOMEM;
    }
    port->address = address;
    port->address6 = address6;
    error = plug_in(port);
    if (!error)
        error = enter(port, key, (uint32_t)length);
    if (error) {
        port_free(port);
        return error;
    }
    return number;
}

static void leave_lists(struct network_port *port) {
    struct berth_network *network = port->network;
    for (int kind = 0; kind < LIST_KINDS; kind++) {
        struct port_list old = network->lists[kind];
        network->lists[kind] = (struct port_list){0};
        for (struct network_port *at = old.head, *next; at; at = next) {
            next = at->next[kind];
            at->listed[kind] = false;
            if (at != port)
                port_list_add(at, (enum port_list_kind)kind);
        }
    }
}

int berth_network_remove_host(struct berth_network *network, int host) {
    struct network_port *port = network_port_of(network, host);
    if (!port)
        return -ENOENT;
    struct lan *lan = port->lan;
    uint32_t at = 0;
    while (lan->ports[at] != port)
        at++;
    lan->port_count--;
    memmove(&lan->ports[at], &lan->ports[at + 1],
            (lan->port_count - at) * sizeof(struct network_port *));
    leave_lists(port);
    flights_forget(&network->flights, &port->egress, &port->ingress);
    deadlines_change(&network->deadlines, &port->deadline, BERTH_NEVER);
    directory_remove_value(&network->names, host);
    directory_remove_value(&network->addresses, host);
    lan_release_address(lan, &port->address);
    network->hosts[host] = NULL;
    port_free(port);
    return 0;
}

struct berth_host *berth_network_host(struct berth_network *network, int host) {
    struct network_port *port = network_port_of(network, host);
    return port ? port->host : NULL;
}

const char *berth_network_host_name(const struct berth_network *network, int host) {
    const struct network_port *port = network_port_of(network, host);
    return port ? port->name : NULL;
}

int berth_network_host_count(const struct berth_network *network) {
    return (int)network->host_count;
}
