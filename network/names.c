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
    return directory_find(&network->addresses, ip, sizeof *ip);
}

int berth_network_add_name(struct berth_network *network, const char *name, int host) {
    char key[DNS_NAME];
    int length = names_key(name, key);
    if (!network_port_of(network, host))
        return -ENOENT;
    if (length < 0)
        return -EINVAL;
    if (is_localhost(key))
        return -EEXIST;
    return directory_put(&network->names, key, (uint32_t)length, host);
}

static const struct berth_ip localhost6 = {.bytes = {[15] = 1}};

static bool zone_address(const void *context, const char *name, struct berth_ip *v4,
                         struct berth_ip *v6) {
    const struct berth_network *network = context;
    if (is_localhost(name)) {
        *v4 = berth_ip_v4(0x7f000001);
        *v6 = localhost6;
        return true;
    }
    const struct network_port *port =
        network_port_of(network, berth_network_find_host(network, name));
    if (port) {
        *v4 = port->address;
        *v6 = port->address6;
    }
    return port;
}

static const char *zone_name(const void *context, const struct berth_ip *address) {
    const struct berth_network *network = context;
    const struct berth_ip localhost = berth_ip_v4(0x7f000001);
    if (berth_ip_equal(address, &localhost) || berth_ip_equal(address, &localhost6))
        return "localhost";
    return berth_network_host_name(network, berth_network_find_address(network, address));
}

/* A nameserver of the network itself. */
static bool is_served(const struct berth_network *network, const struct berth_endpoint *server) {
    const struct network_port *port =
        network_port_of(network, berth_network_find_address(network, &server->ip));
    return port && berth_socket_port_owner(port->host, BERTH_UDP, server) != 0;
}

void names_serve(struct network_port *port) {
    struct berth_network *network = port->network;
    const struct dns_zone zone = {zone_address, zone_name, network};
    struct berth_diverted query;
    while (berth_host_take_diverted(port->host, &query)) {
        if (is_served(network, &query.destination)) {
            berth_host_pass_diverted(port->host, &query, network->now);
            continue;
        }
        uint8_t reply[DNS_REPLY];
        size_t length = dns_answer(&zone, query.data, query.length, reply);
        if (length > 0)
            berth_host_inject_udp(port->host, &query.destination, &query.source, reply, length,
                                  network->now);
        port_list_add(port, LIST_EVENTS);
    }
}
