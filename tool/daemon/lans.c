#include "tool/daemon/lans.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MTU = 1500, SAID = 64 /* of what a request said, in a sentence */ };
static const char DEFAULT_NAME[] = "lan", DEFAULT_SUBNET[] = "10.0.0.0/24";

/* The subnets that were asked for, in full. False with a sentence. */
static bool subnets_read(const char *subnet, const char *subnet6, struct berth_ip *v4,
                         unsigned *prefix, char text6[SUBNET_TEXT], struct berth_ip *v6,
                         char *error) {
    unsigned prefix6 = 64;
    if (!subnet_parse(subnet, v4, prefix) || !berth_ip_is_v4(v4)) {
        snprintf(error, SENTENCE, "\"%.*s\" is no IPv4 subnet such as 10.0.0.0/24", SAID, subnet);
        return false;
    }
    if (subnet6 != NULL)
        snprintf(text6, SUBNET_TEXT, "%s", subnet6);
    else
        subnet_derive(v4, text6);
    if (strcmp(text6, SUBNET_NONE) != 0 &&
        (!subnet_parse(text6, v6, &prefix6) || berth_ip_is_v4(v6) || prefix6 != 64)) {
        snprintf(error, SENTENCE, "\"%.*s\" is no IPv6 subnet such as fd00:5::/64", SAID, text6);
        return false;
    }
    return true;
}

/* The switch with its subnets; its number or a negative errno. */
static int switch_make(struct daemon *daemon, const char *name, const struct berth_ip *v4,
                       unsigned prefix, const struct berth_ip *v6) {
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    int number = berth_network_add_switch(network, name, v4, prefix, MTU);
    int error = number >= 0 && v6 != NULL ? berth_network_set_ipv6(network, number, v6) : 0;
    server_unlock(daemon->server);
    return error < 0 ? error : number;
}

/* One that stands in the way of a new one: of the same name, or with a subnet in common. */
static const struct daemon_lan *lan_other(const struct daemon *daemon, const char *name,
                                          const char *subnet) {
    const struct daemon_lan *lan = daemon->lans;
    while (lan != NULL && strcmp(lan->name, name) != 0 && !subnet_overlaps(lan->subnet, subnet))
        lan = lan->next;
    return lan;
}

static struct daemon_lan *lan_add(struct daemon *daemon) {
    struct daemon_lan *lan = calloc(1, sizeof *lan), **link = &daemon->lans;
    while (lan != NULL && *link != NULL)
        link = &(*link)->next;
    *link = lan != NULL ? lan : *link;
    return lan;
}

int lan_prepare(struct daemon *daemon, const char *name, const char *subnet, const char *subnet6,
                char *error) {
    struct berth_ip v4, v6;
    unsigned prefix;
    char text6[SUBNET_TEXT];
    if (!place_name_valid(name)) {
        snprintf(error, SENTENCE, "\"%.*s\" is no name for a switch", SAID, name);
        return -EINVAL;
    }
    if (!subnets_read(subnet, subnet6, &v4, &prefix, text6, &v6, error))
        return -EINVAL;
    const struct daemon_lan *other = lan_other(daemon, name, subnet);
    if (other != NULL && strcmp(other->subnet, subnet) == 0 && strcmp(other->subnet6, text6) == 0 &&
        strcmp(other->name, name) == 0)
        return 0;
    if (other != NULL) {
        snprintf(error, SENTENCE,
                 "network %s runs already, with subnets %s and %s on %s: end it first (berth "
                 "down), or choose another network (--net)",
                 daemon->net, other->subnet, other->subnet6, other->name);
        return -EBUSY;
    }
    int number =
        switch_make(daemon, name, &v4, prefix, strcmp(text6, SUBNET_NONE) != 0 ? &v6 : NULL);
    struct daemon_lan *lan = number >= 0 ? lan_add(daemon) : NULL;
    if (lan == NULL) {
        number = number < 0 ? number : -ENOMEM;
        snprintf(error, SENTENCE, "subnets %.*s and %.*s: %s", SAID, subnet, SAID, text6,
                 strerror(-number));
        return number;
    }
    lan->number = number;
    snprintf(lan->name, sizeof lan->name, "%s", name);
    snprintf(lan->subnet, sizeof lan->subnet, "%s", subnet);
    snprintf(lan->subnet6, sizeof lan->subnet6, "%s", text6);
    return 0;
}

struct daemon_lan *lan_first(struct daemon *daemon, char *error) {
    if (daemon->lans == NULL)
        lan_prepare(daemon, DEFAULT_NAME, DEFAULT_SUBNET, NULL, error);
    return daemon->lans;
}

struct daemon_lan *lan_find(struct daemon *daemon, const char *name) {
    struct daemon_lan *lan = daemon->lans;
    while (lan != NULL && strcmp(lan->name, name) != 0)
        lan = lan->next;
    return lan;
}

const struct daemon_lan *lan_of_address(const struct daemon *daemon, const struct berth_ip *ip) {
    for (const struct daemon_lan *lan = daemon->lans; lan != NULL; lan = lan->next)
        if (subnet_contains(berth_ip_is_v4(ip) ? lan->subnet : lan->subnet6, ip))
            return lan;
    return daemon->lans;
}

void lans_free(struct daemon *daemon) {
    while (daemon->lans != NULL) {
        struct daemon_lan *lan = daemon->lans;
        daemon->lans = lan->next;
        free(lan);
    }
}
