/* The network's names: whatever nameserver a program asks, the network answers, unless a program of
 * the network is bound there. */
#include "network/dns.h"
#include "network/network.h"
#include "network/text.h"
#include <berth/socket.h>
#include <errno.h>
#include <string.h>

int names_key(const char *name, char key[]) {
    size_t length = text_length(name, DNS_NAME + 1);
    if (length > 1 && name[length - 1] == '.')
        length--;
    if (length >= DNS_NAME)
        return -EINVAL;
    for (size_t i = 0; i < length; i++)
        key[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    key[length] = '\0';
    return dns_name_valid(key) ? (int)length : -EINVAL;
}

/* RFC 6761, section 6.3. */
static bool is_localhost(const char *name) {
    const char *last = strrchr(name, '.');
    return strcmp(last ? last + 1 : name, "localhost") == 0;
}

int berth_network_find_host(const struct berth_network *network, const char *name) {
    char key[DNS_NAME];
    int length = names_key(name, key);
    return length < 0 ? -ENOENT : directory_find(&network->names, key, (uint32_t)length);
}

int berth_network_find_address(const struct berth_network *network, const struct berth_ip *ip) {
    const struct network_port *port = network_port_at(network, ip);
    return port ? port->host->number : -ENOENT;
}

int berth_network_add_name(struct berth_network *network, const char *name, int host) {
    char key[DNS_NAME];
    int length = names_key(name, key);
    if (!network_host_of(network, host))
        return -ENOENT;
    if (length < 0)
        return -EINVAL;
    if (is_localhost(key))
        return -EEXIST;
    return directory_put(&network->names, key, (uint32_t)length, host);
}

static const struct berth_ip localhost6 = {.bytes = {[15] = 1}};

/* Who asks. */
struct asker {
    const struct berth_network *network;
    const struct network_host *host;
};

/* `host.network`: the host's address there. */
static const struct network_port *find_on_network(const struct berth_network *network,
                                                  const char *name) {
    char key[DNS_NAME];
    const char *dot = strrchr(name, '.');
    if (!dot)
        return NULL;
    int lan = berth_network_find_switch(network, dot + 1);
    memcpy(key, name, (size_t)(dot - name));
    key[dot - name] = '\0';
    return network_link_of(network, berth_network_find_host(network, key), lan);
}

/* The host of that name, at its address on a network that the asker is on, too, if there is one;
 * else at its first. */
static const struct network_port *find_for(const struct asker *asker, const char *name) {
    const struct berth_network *network = asker->network;
    const struct network_host *host =
        network_host_of(network, berth_network_find_host(network, name));
    if (!host)
        return find_on_network(network, name);
    for (const struct network_port *own = asker->host->ports; own; own = own->sibling) {
        const struct network_port *port = network_link_of(network, host->number, own->lan->number);
        if (port)
            return port;
    }
    return host->ports;
}

static bool zone_address(const void *context, const char *name, struct berth_ip *v4,
                         struct berth_ip *v6) {
    if (is_localhost(name)) {
        *v4 = berth_ip_v4(0x7f000001);
        *v6 = localhost6;
        return true;
    }
    const struct asker *asker = context;
    if (record_address(asker->host, name, v4, v6))
        return true;
    const struct network_port *port = find_for(asker, name);
    if (port) {
        *v4 = port->address;
        *v6 = port->address6;
    }
    return port;
}

static const char *zone_name(const void *context, const struct berth_ip *address) {
    const struct asker *asker = context;
    const struct berth_ip localhost = berth_ip_v4(0x7f000001);
    if (berth_ip_equal(address, &localhost) || berth_ip_equal(address, &localhost6))
        return "localhost";
    return berth_network_host_name(asker->network,
                                   berth_network_find_address(asker->network, address));
}

bool names_is_served(const struct berth_network *network, const struct berth_endpoint *server) {
    const struct network_port *port = network_port_at(network, &server->ip);
    return port && berth_socket_port_owner(port->host->engine, BERTH_UDP, server) != 0;
}

size_t names_reply(const struct network_host *host, const uint8_t *query, size_t length,
                   uint8_t *reply) {
    const struct asker asker = {host->network, host};
    const struct dns_zone zone = {zone_address, zone_name, &asker};
    return dns_answer(&zone, query, length, reply);
}

bool names_serve(struct network_host *host) {
    struct berth_network *network = host->network;
    struct berth_diverted query;
    bool any = nameserver_serve(host);
    while (berth_host_take_diverted(host->engine, &query)) {
        any = true;
        if (names_is_served(network, &query.destination)) {
            berth_host_pass_diverted(host->engine, &query, network->now);
            continue;
        }
        uint8_t reply[DNS_REPLY];
        size_t length = names_reply(host, query.data, query.length, reply);
        if (network->queries.on && dns_is_unknown(reply, length)) {
            queries_put(&network->queries, network->allocator, host->number, &query, 0);
            continue;
        }
        if (length > 0)
            berth_host_inject_udp(host->engine, &query.destination, &query.source, reply, length,
                                  network->now);
        host_list_add(host, LIST_EVENTS);
    }
    return any;
}

void berth_network_answer_query(struct berth_network *network, const struct berth_name_query *query,
                                const void *data, size_t length, uint64_t now) {
    struct network_host *host = network_host_of(network, query->host);
    if (now > network->now)
        network->now = now;
    if (!host)
        return;
    if (query->stream)
        nameserver_answer(host, query->stream, data, length);
    else
        berth_host_inject_udp(host->engine, &query->query.destination, &query->query.source, data,
                              length, network->now);
    berth_network_touch(network, query->host);
}
