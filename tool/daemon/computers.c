#include "tool/daemon/computers.h"
#include "tool/control/nearest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MTU = 1500, SAID = 64 /* of what a request said, in a sentence */ };

/* "10.0.0.0/24" */
static bool subnet_parse(const char *text, struct berth_ip *ip, unsigned *prefix) {
    char address[BERTH_IP_TEXT], *end;
    const char *slash = strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) >= sizeof address || slash[1] < '0' ||
        slash[1] > '9')
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    unsigned long value = strtoul(slash + 1, &end, 10);
    *prefix = (unsigned)value;
    return *end == '\0' && value <= 32 && berth_ip_parse(address, ip) == 0 && berth_ip_is_v4(ip);
}

int network_prepare(struct daemon *daemon, const char *switch_name, const char *subnet,
                    char *error) {
    struct berth_ip ip;
    unsigned prefix;
    if (daemon->switch_number >= 0) {
        if (strcmp(daemon->subnet, subnet) == 0)
            return 0;
        snprintf(error, SENTENCE,
                 "network %s runs already, with subnet %s: end it first (berth down), or choose "
                 "another network (--net)",
                 daemon->net, daemon->subnet);
        return -EBUSY;
    }
    if (!place_name_valid(switch_name) || !subnet_parse(subnet, &ip, &prefix)) {
        snprintf(error, SENTENCE, "\"%.*s\" is no IPv4 subnet such as 10.0.0.0/24", SAID, subnet);
        return -EINVAL;
    }
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    int number = berth_network_add_switch(network, switch_name, &ip, prefix, MTU);
    server_unlock(daemon->server);
    if (number < 0) {
        snprintf(error, SENTENCE, "subnet %.*s: %s", SAID, subnet, strerror(-number));
        return number;
    }
    daemon->switch_number = number;
    snprintf(daemon->switch_name, sizeof daemon->switch_name, "%s", switch_name);
    snprintf(daemon->subnet, sizeof daemon->subnet, "%s", subnet);
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

static void add_failure_say(struct daemon *daemon, const char *ip, int cause, const char *taker,
                            char *error) {
    if (cause == -EADDRINUSE && ip != NULL)
        snprintf(error, SENTENCE, "%.*s is taken%s%s", SAID, ip,
                 taker[0] != '\0' ? " by host " : "", taker);
    else if (cause == -EADDRNOTAVAIL && ip != NULL)
        snprintf(error, SENTENCE, "%.*s is no host address of the subnet %s of network %s", SAID,
                 ip, daemon->subnet, daemon->net);
    else if (cause == -EADDRNOTAVAIL)
        snprintf(error, SENTENCE, "no address is left in the subnet %s of network %s",
                 daemon->subnet, daemon->net);
    else
        snprintf(error, SENTENCE, "cannot add the host: %s", strerror(-cause));
}

/* Adds it to the network. Its number, or a negative errno; taker: who has the address, if anybody.
 */
static int computer_make(struct daemon *daemon, struct computer *computer,
                         const struct berth_ip *wanted, char taker[NAME_TEXT]) {
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    int number =
        berth_network_add_host(network, computer->name, daemon->switch_number, wanted, NULL);
    int other =
        number == -EADDRINUSE && wanted != NULL ? berth_network_find_address(network, wanted) : -1;
    const char *other_name = other >= 0 ? berth_network_host_name(network, other) : NULL;
    snprintf(taker, NAME_TEXT, "%s", other_name != NULL ? other_name : "");
    if (number >= 0) {
        struct berth_address found[8];
        size_t count = berth_host_addresses(berth_network_host(network, number), found, 8);
        for (size_t i = 0; i < count && i < 8; i++)
            if (!berth_ip_is_loopback(&found[i].ip))
                berth_ip_format(&found[i].ip, computer->address);
    }
    server_unlock(daemon->server);
    return number;
}

static void name_first_free(struct daemon *daemon, char name[NAME_TEXT]) {
    unsigned number = 0;
    do
        snprintf(name, NAME_TEXT, "pc%u", ++number);
    while (computer_find(daemon, name) != NULL);
}

/* In order of numbers, which only grow: the new one is last. */
static void computer_link(struct daemon *daemon, struct computer *computer) {
    struct computer **link = &daemon->computers;
    while (*link != NULL)
        link = &(*link)->next;
    *link = computer;
}

struct computer *computer_add(struct daemon *daemon, const char *name, const char *ip,
                              char *error) {
    struct berth_ip wanted;
    char taker[NAME_TEXT];
    if (name != NULL && !name_check(daemon, name, error))
        return NULL;
    if (ip != NULL && (berth_ip_parse(ip, &wanted) < 0 || !berth_ip_is_v4(&wanted))) {
        snprintf(error, SENTENCE, "\"%.*s\" is no IPv4 address", SAID, ip);
        return NULL;
    }
    struct computer *computer = calloc(1, sizeof *computer);
    if (computer == NULL) {
        snprintf(error, SENTENCE, "out of memory");
        return NULL;
    }
    if (name != NULL)
        snprintf(computer->name, sizeof computer->name, "%s", name);
    else
        name_first_free(daemon, computer->name);
    computer->since = time(NULL);
    computer->number = computer_make(daemon, computer, ip != NULL ? &wanted : NULL, taker);
    if (computer->number < 0) {
        add_failure_say(daemon, ip, computer->number, taker, error);
        free(computer);
        return NULL;
    }
    computer_link(daemon, computer);
    return computer;
}

static void computer_remove(struct daemon *daemon, struct computer **link) {
    struct computer *computer = *link;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    berth_network_remove_host(network, computer->number);
    server_unlock(daemon->server);
    *link = computer->next;
    free(computer);
}

void computers_tidy(struct daemon *daemon) {
    struct computer **link = &daemon->computers;
    while (*link != NULL) {
        if (!(*link)->kept && (*link)->users == 0)
            computer_remove(daemon, link);
        else
            link = &(*link)->next;
    }
}

void computers_free(struct daemon *daemon) {
    while (daemon->computers != NULL) {
        struct computer *computer = daemon->computers;
        daemon->computers = computer->next;
        free(computer);
    }
}
