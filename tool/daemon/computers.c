#include "tool/daemon/computers.h"
#include "tool/control/nearest.h"
#include "tool/daemon/departures.h"
#include "tool/daemon/subnets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MTU = 1500, SAID = 64 /* of what a request said, in a sentence */ };

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

int network_prepare(struct daemon *daemon, const char *switch_name, const char *subnet,
                    const char *subnet6, char *error) {
    struct berth_ip v4, v6;
    unsigned prefix;
    char text6[SUBNET_TEXT];
    if (!place_name_valid(switch_name)) {
        snprintf(error, SENTENCE, "\"%.*s\" is no name for a switch", SAID, switch_name);
        return -EINVAL;
    }
    if (!subnets_read(subnet, subnet6, &v4, &prefix, text6, &v6, error))
        return -EINVAL;
    if (daemon->switch_number >= 0) {
        if (strcmp(daemon->subnet, subnet) == 0 && strcmp(daemon->subnet6, text6) == 0)
            return 0;
        snprintf(error, SENTENCE,
                 "network %s runs already, with subnets %s and %s: end it first (berth down), or "
                 "choose another network (--net)",
                 daemon->net, daemon->subnet, daemon->subnet6);
        return -EBUSY;
    }
    int number =
        switch_make(daemon, switch_name, &v4, prefix, strcmp(text6, SUBNET_NONE) != 0 ? &v6 : NULL);
    if (number < 0) {
        snprintf(error, SENTENCE, "subnets %.*s and %.*s: %s", SAID, subnet, SAID, text6,
                 strerror(-number));
        return number;
    }
    daemon->switch_number = number;
    snprintf(daemon->switch_name, sizeof daemon->switch_name, "%s", switch_name);
    snprintf(daemon->subnet, sizeof daemon->subnet, "%s", subnet);
    snprintf(daemon->subnet6, sizeof daemon->subnet6, "%s", text6);
    return 0;
}

struct computer *computer_find(struct daemon *daemon, const char *name) {
    struct computer *computer = daemon->computers;
    while (computer != NULL && strcmp(computer->name, name) != 0)
        computer = computer->next;
    return computer;
}

struct computer *computer_require(struct daemon *daemon, const char *name, char *error) {
    struct computer *computer = computer_find(daemon, name);
    if (computer != NULL)
        return computer;
    const char *best = NULL;
    for (struct computer *c = daemon->computers; c != NULL; c = c->next) {
        const char *pair[2] = {c->name, best};
        best = word_nearest(name, pair, best != NULL ? 2 : 1);
        if (best == NULL)
            best = pair[1];
    }
    if (best != NULL)
        snprintf(error, SENTENCE, "no host \"%.*s\" in network %s (did you mean \"%s\"?)", SAID,
                 name, daemon->net, best);
    else
        snprintf(error, SENTENCE, "no host \"%.*s\" in network %s (berth hosts lists them)", SAID,
                 name, daemon->net);
    return NULL;
}

static bool name_check(struct daemon *daemon, const char *name, char *error) {
    struct berth_ip ip;
    if (!place_name_valid(name) || berth_ip_parse(name, &ip) == 0) {
        snprintf(error, SENTENCE,
                 "\"%.*s\" is no name for a host: use letters, digits, - _ and ., at most %d", SAID,
                 name, PLACE_NAME);
        return false;
    }
    if (computer_find(daemon, name) != NULL) {
        snprintf(error, SENTENCE, "host %s is there already", name);
        return false;
    }
    return true;
}

/* The addresses that a new computer is to have; NULL: the network's choice. */
struct wanted {
    const char *text, *text6;
    struct berth_ip v4, v6;
};

static bool wanted_read(struct wanted *wanted, const char *ip, char *error) {
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

static void add_failure_say(struct daemon *daemon, const char *ip, int cause, const char *taker,
                            char *error) {
    const char *subnet = ip != NULL && strchr(ip, ':') != NULL ? daemon->subnet6 : daemon->subnet;
    if (cause == -EADDRINUSE && ip != NULL)
        snprintf(error, SENTENCE, "%.*s is taken%s%s", SAID, ip,
                 taker[0] != '\0' ? " by host " : "", taker);
    else if (cause == -EADDRNOTAVAIL && ip != NULL && strcmp(subnet, SUBNET_NONE) == 0)
        snprintf(error, SENTENCE, "network %s has no IPv6", daemon->net);
    else if (cause == -EADDRNOTAVAIL && ip != NULL)
        snprintf(error, SENTENCE, "%.*s is no host address of the subnet %s of network %s", SAID,
                 ip, subnet, daemon->net);
    else if (cause == -EADDRNOTAVAIL)
        snprintf(error, SENTENCE, "no address is left in the subnet %s of network %s",
                 daemon->subnet, daemon->net);
    else
        snprintf(error, SENTENCE, "cannot add the host: %s", strerror(-cause));
}

/* What the computer got. */
static void addresses_note(struct berth_network *network, struct computer *computer, int number) {
    struct berth_address found[8];
    size_t count = berth_host_addresses(berth_network_host(network, number), found, 8);
    for (size_t i = 0; i < count && i < 8; i++) {
        /* Link-local ones have no name and are no user's choice: the network does not know them. */
        if (berth_network_find_address(network, &found[i].ip) == number)
            berth_ip_format(&found[i].ip,
                            berth_ip_is_v4(&found[i].ip) ? computer->address : computer->address6);
    }
}

/* Adds it to the network. Its number, or a negative errno with a sentence. */
static int computer_make(struct daemon *daemon, struct computer *computer,
                         const struct wanted *wanted, char *error) {
    uint64_t now;
    const struct berth_ip *v4 = wanted->text != NULL ? &wanted->v4 : NULL;
    const struct berth_ip *v6 = wanted->text6 != NULL ? &wanted->v6 : NULL;
    struct berth_host_config config;
    berth_host_config_init(&config);
    config.tcp_keep_tallies = 1; /* `ss -i` tells of idle connections, too */
    struct berth_network *network = server_lock(daemon->server, &now);
    int number = berth_network_add_host_dual(network, computer->name, daemon->switch_number, v4, v6,
                                             &config);
    if (number >= 0) {
        addresses_note(network, computer, number);
    } else {
        /* Which of the two is it? The first is looked at first. */
        int other = v4 != NULL ? berth_network_find_address(network, v4) : -1;
        bool second = v4 == NULL || (number == -EADDRINUSE && other < 0);
        if (second && v6 != NULL)
            other = berth_network_find_address(network, v6);
        const char *taker = other >= 0 ? berth_network_host_name(network, other) : NULL;
        add_failure_say(daemon, second ? wanted->text6 : wanted->text, number,
                        taker != NULL ? taker : "", error);
    }
    server_unlock(daemon->server);
    return number;
}

static void name_first_free(struct daemon *daemon, char name[NAME_TEXT]) {
    unsigned number = 0;
    do
        snprintf(name, NAME_TEXT, "pc%u", ++number);
    while (computer_find(daemon, name) != NULL || departures_name(daemon, name));
}

/* In order of numbers, which only grow: the new one is last. */
static void computer_link(struct daemon *daemon, struct computer *computer) {
    struct computer **link = &daemon->computers;
    while (*link != NULL)
        link = &(*link)->next;
    *link = computer;
}

struct computer *computer_add(struct daemon *daemon, const char *name, const char *ip,
                              const char *ip6, char *error) {
    struct wanted wanted = {.text = NULL};
    if (name != NULL && !name_check(daemon, name, error))
        return NULL;
    if (!wanted_read(&wanted, ip, error) || !wanted_read(&wanted, ip6, error))
        return NULL;
    struct computer *computer = calloc(1, sizeof *computer);
    if (computer == NULL) {
        snprintf(error, SENTENCE, "out of memory");
        return NULL;
    }
    if (name != NULL)
        snprintf(computer->name, sizeof computer->name, "%s", name);
    else
        name_first_free(daemon, computer->name);
    departures_hasten(daemon, computer->name, ip, ip6);
    computer->since = time(NULL);
    computer->number = computer_make(daemon, computer, &wanted, error);
    if (computer->number < 0 && daemon->departures != NULL) { /* they have addresses, too */
        departures_hasten(daemon, NULL, NULL, NULL);
        computer->number = computer_make(daemon, computer, &wanted, error);
    }
    if (computer->number < 0) {
        free(computer);
        return NULL;
    }
    computer_link(daemon, computer);
    return computer;
}

bool computer_answers_to(const struct computer *computer, const char *ip) {
    struct berth_ip wanted, own;
    if (ip == NULL)
        return true;
    if (berth_ip_parse(ip, &wanted) < 0)
        return false;
    return berth_ip_parse(berth_ip_is_v4(&wanted) ? computer->address : computer->address6, &own) ==
               0 &&
           berth_ip_equal(&own, &wanted);
}

void computers_tidy(struct daemon *daemon) {
    struct computer **link = &daemon->computers;
    while (*link != NULL) {
        struct computer *computer = *link;
        if (computer->kept || computer->users > 0) {
            link = &computer->next;
            continue;
        }
        *link = computer->next;
        computer_leave(daemon, computer);
    }
    departures_look(daemon);
}

static void list_free(struct computer *computer) {
    while (computer != NULL) {
        struct computer *next = computer->next;
        free(computer);
        computer = next;
    }
}

void computers_free(struct daemon *daemon) {
    list_free(daemon->computers);
    list_free(daemon->departures);
    daemon->computers = daemon->departures = NULL;
}
