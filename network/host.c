/* The hosts of a network: how they come, what they are plugged into, and how they go. */
#include "network/dns.h"
#include "network/network.h"
#include "network/text.h"
#include <errno.h>
#include <string.h>

struct network_host *network_host_of(const struct berth_network *network, int host) {
    return host >= 0 && (uint32_t)host < network->host_count ? network->hosts[host] : NULL;
}

struct network_port *network_port_at(const struct berth_network *network,
                                     const struct berth_ip *address) {
    int number = directory_find(&network->addresses, address, sizeof *address);
    return number >= 0 ? network->ports[number] : NULL;
}

struct network_port *network_link_of(const struct berth_network *network, int host,
                                     int switch_number) {
    const struct network_host *of = network_host_of(network, host);
    struct network_port *port = of ? of->ports : NULL;
    while (port && port->lan->number != switch_number)
        port = port->sibling;
    return port;
}

/* ---- lists ---- */

void host_list_add(struct network_host *host, enum host_list_kind kind) {
    struct host_list *list = &host->network->lists[kind];
    if (host->listed[kind])
        return;
    host->listed[kind] = true;
    host->next[kind] = NULL;
    if (list->tail)
        list->tail->next[kind] = host;
    else
        list->head = host;
    list->tail = host;
}

struct network_host *host_list_take(struct berth_network *network, enum host_list_kind kind) {
    struct host_list *list = &network->lists[kind];
    struct network_host *host = list->head;
    if (!host)
        return NULL;
    list->head = host->next[kind];
    if (!list->head)
        list->tail = NULL;
    host->listed[kind] = false;
    return host;
}

static void leave_lists(struct network_host *host) {
    struct berth_network *network = host->network;
    for (int kind = 0; kind < LIST_KINDS; kind++) {
        struct host_list old = network->lists[kind];
        network->lists[kind] = (struct host_list){0};
        for (struct network_host *at = old.head, *next; at; at = next) {
            next = at->next[kind];
            at->listed[kind] = false;
            if (at != host)
                host_list_add(at, (enum host_list_kind)kind);
        }
    }
}

/* ---- a host ---- */

/* Fills a seed that is all zeroes. */
void network_seed(const struct berth_network *network, uint64_t purpose, uint8_t seed[32]) {
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

/* The host's own configuration, with the network's allocator, a seed of its own unless it came with
 * one, and the secret of its (first) address: a computer that takes another's place can open
 * connections that the other's peers still have in TIME-WAIT (RFC 6191). */
static struct berth_host *make_engine(struct berth_network *network, int number,
                                      const struct berth_ip *address,
                                      const struct berth_host_config *given) {
    struct berth_host_config config;
    berth_host_config_init(&config);
    if (given)
        memcpy(&config, given, given->size < sizeof config ? given->size : sizeof config);
    config.size = sizeof config;
    config.allocator = network->allocator;
    network_seed(network, network_purpose(PURPOSE_HOST, (uint32_t)number), config.seed);
    network_seed(network, network_purpose(PURPOSE_PLACE, berth_ip_to_v4(address)),
                 config.tcp_secret);
    return berth_host_new(&config);
}

static struct network_host *host_new(struct berth_network *network, const char *name,
                                     const struct berth_ip *address,
                                     const struct berth_host_config *config) {
    struct network_host *host =
        network->allocator.allocate(network->allocator.context, sizeof *host);
    if (!host)
        return NULL;
    *host = (struct network_host){.network = network, .number = (int)network->host_count};
    deadline_init(&host->deadline);
    memcpy(host->name, name, text_length(name, NETWORK_NAME - 1));
    host->engine = make_engine(network, host->number, address, config);
    if (!host->engine) {
        host_free(host);
        return NULL;
    }
    berth_host_divert_udp(host->engine, 53);
    berth_host_divert_tcp(host->engine, 53);
    return host;
}

void host_free(struct network_host *host) {
    struct berth_allocator allocator = host->network->allocator;
    while (host->ports) {
        struct network_port *port = host->ports;
        host->ports = port->sibling;
        port_free(port);
    }
    records_free(host);
    nameserver_free(host);
    berth_host_free(host->engine);
    allocator.release(allocator.context, host, sizeof *host);
}

/* ---- plugging in ---- */

static int add_interface(struct network_port *port) {
    struct berth_host *engine = port->host->engine;
    struct lan *lan = port->lan;
    port->offloads = BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT;
    lan_mac_of_address(&port->address, port->mac);
    struct berth_interface_config interface = {
        .link = BERTH_LINK_ETHERNET, .mtu = lan->mtu, .offloads = port->offloads};
    memcpy(interface.mac, port->mac, sizeof interface.mac);
    port->interface = berth_host_add_interface(engine, &interface);
    if (port->interface < 0)
        return port->interface;
    int error = berth_host_add_address(engine, port->interface, &port->address, lan->prefix);
    if (!error && !berth_ip_is_any(&port->address6))
        error = berth_host_add_address(engine, port->interface, &port->address6, 64);
    if (error)
        return error;
    const struct berth_impairment none = {0};
    return port_impair(port, BERTH_BOTH, &none);
}

/* Takes the port into the network's tables; the room in them is there. */
static int enter(struct network_port *port) {
    struct berth_network *network = port->network;
    struct directory *addresses = &network->addresses;
    int error = directory_put(addresses, &port->address, sizeof port->address, port->number);
    if (!error && !berth_ip_is_any(&port->address6))
        error = directory_put(addresses, &port->address6, sizeof port->address6, port->number);
    if (!error && !lan_add_station(port->lan, port))
        error = -ENOMEM;
    if (error) {
        directory_remove_value(addresses, port->number);
        return error;
    }
    port->lan->ports[port->lan->port_count++] = port;
    network->ports[network->port_count++] = port;
    struct network_port **link = &port->host->ports;
    while (*link)
        link = &(*link)->sibling;
    *link = port;
    captures_describe(port);
    host_list_add(port->host, LIST_OUTPUT);
    return 0;
}

/* A port with those addresses, which are free. The interface that the host got stays, unused, when
 * memory is out for the rest. */
static int plug_in(struct network_host *host, struct lan *lan, const struct berth_ip *address,
                   const struct berth_ip *address6) {
    struct berth_network *network = host->network;
    if (!network_grow(network, &network->ports, &network->port_size, network->port_count) ||
        !network_grow(network, &lan->ports, &lan->port_size, lan->port_count))
        return -ENOMEM;
    struct network_port *port = port_new(network, lan, host->name, (int)network->port_count, host);
    if (!port)
        return -ENOMEM;
    port->address = *address;
    port->address6 = *address6;
    int error = add_interface(port);
    if (!error)
        error = enter(port);
    if (error)
        port_free(port);
    return error;
}

static int choose_addresses(struct lan *lan, const struct berth_ip *wanted,
                            const struct berth_ip *wanted6, struct berth_ip *address,
                            struct berth_ip *address6) {
    int error = lan_choose_address(lan, wanted, address);
    return error ? error : lan_choose_ipv6(lan, wanted6, address, address6);
}

int berth_network_plug(struct berth_network *network, int host, int switch_number,
                       const struct berth_ip *wanted, const struct berth_ip *wanted6) {
    struct network_host *plugged = network_host_of(network, host);
    struct lan *lan = network_lan_of(network, switch_number);
    struct berth_ip address, address6;
    if (!plugged)
        return -ENOENT;
    if (!lan)
        return -EINVAL;
    if (network_link_of(network, host, switch_number))
        return -EEXIST;
    int error = choose_addresses(lan, wanted, wanted6, &address, &address6);
    if (!error)
        error = plug_in(plugged, lan, &address, &address6);
    return error ? error : network_link_of(network, host, switch_number)->interface;
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
    struct lan *lan = network_lan_of(network, switch_number);
    if (!lan)
        return -EINVAL;
    int length = check_host_name(network, name, key);
    if (length < 0)
        return length;
    struct berth_ip address, address6;
    int error = choose_addresses(lan, wanted, wanted6, &address, &address6);
    if (error)
        return error;
    if (!network_grow(network, &network->hosts, &network->host_size, network->host_count) ||
        deadlines_reserve(&network->deadlines, network->host_count + 1))
        return -ENOMEM;
    struct network_host *host = host_new(network, name, &address, config);
    if (!host)
        return -ENOMEM;
    error = directory_put(&network->names, key, (uint32_t)length, host->number);
    if (!error)
        error = plug_in(host, lan, &address, &address6);
    if (error) {
        directory_remove_value(&network->names, host->number);
        leave_lists(host);
        host_free(host);
        return error;
    }
    network->hosts[network->host_count++] = host;
    return host->number;
}

static void unplug(struct network_port *port) {
    struct berth_network *network = port->network;
    struct lan *lan = port->lan;
    uint32_t at = 0;
    while (lan->ports[at] != port)
        at++;
    lan->port_count--;
    memmove(&lan->ports[at], &lan->ports[at + 1],
            (lan->port_count - at) * sizeof(struct network_port *));
    flights_forget(&network->flights, &port->egress, &port->ingress);
    directory_remove_value(&network->addresses, port->number);
    lan_release_address(lan, &port->address);
    lan_remove_station(lan, port);
    network->ports[port->number] = NULL;
}

int berth_network_remove_host(struct berth_network *network, int host) {
    struct network_host *removed = network_host_of(network, host);
    if (!removed)
        return -ENOENT;
    for (struct network_port *port = removed->ports; port; port = port->sibling)
        unplug(port);
    walls_forget(network, host);
    leave_lists(removed);
    deadlines_change(&network->deadlines, &removed->deadline, BERTH_NEVER);
    directory_remove_value(&network->names, host);
    network->hosts[host] = NULL;
    host_free(removed);
    return 0;
}

/* ---- looking, and routes ---- */

struct berth_host *berth_network_host(struct berth_network *network, int host) {
    const struct network_host *found = network_host_of(network, host);
    return found ? found->engine : NULL;
}

const char *berth_network_host_name(const struct berth_network *network, int host) {
    const struct network_host *found = network_host_of(network, host);
    return found ? found->name : NULL;
}

int berth_network_host_count(const struct berth_network *network) {
    return (int)network->host_count;
}

size_t berth_network_links(const struct berth_network *network, int host, struct berth_link *links,
                           size_t max) {
    const struct network_host *found = network_host_of(network, host);
    size_t count = 0;
    for (const struct network_port *port = found ? found->ports : NULL; port;
         port = port->sibling) {
        if (count < max)
            links[count] = (struct berth_link){.switch_number = port->lan->number,
                                               .interface = port->interface,
                                               .prefix = port->lan->prefix,
                                               .address = port->address,
                                               .ipv6 = port->address6};
        count++;
    }
    return count;
}

int berth_network_add_route(struct berth_network *network, int host, const struct berth_ip *prefix,
                            unsigned length, const struct berth_ip *gateway) {
    const struct network_host *found = network_host_of(network, host);
    if (!found)
        return -ENOENT;
    int error = gateway ? -ENETUNREACH : -EINVAL;
    for (struct network_port *port = found->ports; port && error == -ENETUNREACH;
         port = port->sibling)
        error = berth_host_add_route(found->engine, port->interface, prefix, length, gateway);
    return error;
}
