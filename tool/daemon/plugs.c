/* The links of a computer: which addresses it is to have, and what it got. */
#include "tool/daemon/computers.h"
#include "tool/daemon/gateway.h"
#include "tool/daemon/lans.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SAID = 64 /* of what a request said, in a sentence */ };

/* A wish, read. */
struct wanted {
    const struct daemon_lan *lan;
    const char *text, *text6; /* NULL: the network's choice */
    struct berth_ip v4, v6;
};

static bool address_read(struct wanted *wanted, const char *ip, char *error) {
    struct berth_ip read;
    if (ip == NULL)
        return true;
    if (berth_ip_parse(ip, &read) < 0) {
        snprintf(error, SENTENCE, "\"%.*s\" is no address", SAID, ip);
        return false;
    }
    if (berth_ip_is_v4(&read)) {
        wanted->text = ip;
        wanted->v4 = read;
    } else {
        wanted->text6 = ip;
        wanted->v6 = read;
    }
    return true;
}

static bool wish_read(struct daemon *daemon, const struct wish *wish, struct wanted *wanted,
                      char *error) {
    *wanted = (struct wanted){.lan = wish->lan};
    if (!address_read(wanted, wish->ip, error) || !address_read(wanted, wish->ip6, error))
        return false;
    if (wanted->lan == NULL && (wanted->text != NULL || wanted->text6 != NULL))
        wanted->lan = lan_of_address(daemon, wanted->text != NULL ? &wanted->v4 : &wanted->v6);
    if (wanted->lan == NULL)
        wanted->lan = lan_first(daemon, error);
    return wanted->lan != NULL;
}

static void failure_say(struct daemon *daemon, const struct daemon_lan *lan, const char *ip,
                        int cause, const char *taker, char *error) {
    const char *subnet = ip != NULL && strchr(ip, ':') != NULL ? lan->subnet6 : lan->subnet;
    if (cause == -EADDRINUSE && ip != NULL)
        snprintf(error, SENTENCE, "%.*s is taken%s%s", SAID, ip, taker != NULL ? " by host " : "",
                 taker != NULL ? taker : "");
    else if (cause == -EADDRNOTAVAIL && ip != NULL && strcmp(subnet, SUBNET_NONE) == 0)
        snprintf(error, SENTENCE, "network %s has no IPv6", daemon->net);
    else if (cause == -EADDRNOTAVAIL && ip != NULL)
        snprintf(error, SENTENCE, "%.*s is no host address of the subnet %s of network %s", SAID,
                 ip, subnet, daemon->net);
    else if (cause == -EADDRNOTAVAIL)
        snprintf(error, SENTENCE, "no address is left in the subnet %s of network %s", lan->subnet,
                 daemon->net);
    else
        snprintf(error, SENTENCE, "cannot add the host: %s",
                 cause == -EEXIST ? "its name is taken (capital letters make no difference)"
                                  : strerror(-cause));
}

/* Says why a link could not be made. Which of the two addresses is it? The first is looked at
 * first. */
static void refusal_say(struct daemon *daemon, struct berth_network *network,
                        const struct wanted *wanted, int cause, char *error) {
    int other = wanted->text != NULL ? berth_network_find_address(network, &wanted->v4) : -1;
    bool second = wanted->text == NULL || (cause == -EADDRINUSE && other < 0);
    if (second && wanted->text6 != NULL)
        other = berth_network_find_address(network, &wanted->v6);
    failure_say(daemon, wanted->lan, second ? wanted->text6 : wanted->text, cause,
                other >= 0 ? berth_network_host_name(network, other) : NULL, error);
}

/* The first link makes the host. Its number or a negative errno. */
static int link_make(struct berth_network *network, const char *name, int number,
                     const struct wanted *wanted) {
    const struct berth_ip *v4 = wanted->text != NULL ? &wanted->v4 : NULL;
    const struct berth_ip *v6 = wanted->text6 != NULL ? &wanted->v6 : NULL;
    if (number >= 0) {
        int result = berth_network_plug(network, number, wanted->lan->number, v4, v6);
        return result < 0 ? result : number;
    }
    struct berth_host_config config;
    berth_host_config_init(&config);
    config.tcp_keep_tallies = 1; /* `ss -i` tells of idle connections, too */
    return berth_network_add_host_dual(network, name, wanted->lan->number, v4, v6, &config);
}

/* What the computer got at its first link. */
static void addresses_note(struct berth_network *network, struct computer *computer, int number) {
    struct berth_link first;
    if (berth_network_links(network, number, &first, 1) == 0)
        return;
    berth_ip_format(&first.address, computer->address);
    if (!berth_ip_is_any(&first.ipv6))
        berth_ip_format(&first.ipv6, computer->address6);
}

int computer_plug(struct daemon *daemon, struct computer *computer, const struct wish *wishes,
                  size_t count, char *error) {
    uint64_t now;
    int number = -1;
    for (size_t i = 0; i < count; i++) {
        struct wanted wanted;
        bool right = wish_read(daemon, &wishes[i], &wanted, error);
        struct berth_network *network = server_lock(daemon->server, &now);
        int result = right ? link_make(network, computer->name, number, &wanted) : -EINVAL;
        if (result < 0 && right)
            refusal_say(daemon, network, &wanted, result, error);
        if (result < 0 && number >= 0)
            berth_network_remove_host(network, number);
        if (result >= 0 && i == 0)
            addresses_note(network, computer, result);
        server_unlock(daemon->server);
        if (result < 0)
            return result;
        number = result;
    }
    server_lock(daemon->server, &now);
    gateway_route(daemon->server, number);
    server_unlock(daemon->server);
    return number;
}

void computer_unplug(struct daemon *daemon, struct computer *computer) {
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    gateway_forget_host(daemon->server, computer->number);
    berth_network_remove_host(network, computer->number);
    server_unlock(daemon->server);
}
