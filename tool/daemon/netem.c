#include "tool/daemon/netem.h"
#include "tool/daemon/faults.h"
#include "tool/daemon/impairments.h"
#include "tool/daemon/lans.h"
#include "tool/daemon/requests.h"
#include "tool/outside/tap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct outside *outside_find(struct daemon *daemon, const char *name) {
    const struct outside *outside = daemon->outsides;
    while (outside != NULL && strcmp(outside->name, name) != 0)
        outside = outside->next;
    return outside;
}

/* ---- which links ---- */

/* A request's target, found. */
struct target {
    const struct outside *outside; /* or */
    struct computer *computer;
    int lan; /* the switch; -1: all */
    unsigned directions;
    bool matched;
    struct berth_match match;
};

static bool match_read(struct daemon *daemon, json_t *only, struct berth_match *match,
                       char *error) {
    static const struct {
        const char *name;
        uint8_t number;
    } protocols[] = {{"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"icmp6", 58}};
    const char *protocol = json_string_value(json_object_get(only, "protocol"));
    const char *to = json_string_value(json_object_get(only, "to"));
    json_int_t port = json_integer_value(json_object_get(only, "port"));
    *match = (struct berth_match){.port = (uint16_t)port};
    for (size_t i = 0; protocol != NULL && i < sizeof protocols / sizeof protocols[0]; i++)
        if (strcmp(protocols[i].name, protocol) == 0)
            match->protocol = protocols[i].number;
    if (port < 0 || port > 65535 || (protocol != NULL && match->protocol == 0)) {
        snprintf(error, SENTENCE, "only: no such %s", protocol != NULL ? "protocol" : "port");
        return false;
    }
    if (port != 0 && (match->protocol == 1 || match->protocol == 58)) {
        snprintf(error, SENTENCE, "only: ICMP has no ports");
        return false;
    }
    if (to == NULL || berth_ip_parse(to, &match->peer) == 0)
        return true;
    const struct computer *peer = computer_require(daemon, to, error);
    return peer != NULL && berth_ip_parse(peer->address, &match->peer) == 0;
}

static bool target_read(struct daemon *daemon, json_t *request, struct target *target,
                        char *error) {
    const char *name = json_string_value(json_object_get(request, "host"));
    const char *lan = json_string_value(json_object_get(request, "network"));
    const char *direction = json_string_value(json_object_get(request, "direction"));
    json_t *only = json_object_get(request, "only");
    *target = (struct target){.lan = -1, .directions = BERTH_BOTH};
    if (direction != NULL)
        target->directions = strcmp(direction, "egress") == 0    ? BERTH_EGRESS
                             : strcmp(direction, "ingress") == 0 ? BERTH_INGRESS
                                                                 : 0;
    if (target->directions == 0) {
        snprintf(error, SENTENCE, "a direction is egress or ingress");
        return false;
    }
    target->outside = outside_find(daemon, name != NULL ? name : "");
    if (target->outside == NULL)
        target->computer = computer_require(daemon, name != NULL ? name : "", error);
    if (target->outside == NULL && target->computer == NULL)
        return false;
    target->matched = only != NULL;
    if (only != NULL && !match_read(daemon, only, &target->match, error))
        return false;
    if (lan == NULL || target->computer == NULL)
        return true;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    struct berth_impairment unused = {.size = 0};
    target->lan = berth_network_find_switch(network, lan);
    if (target->lan < 0 || berth_network_link_impairment(network, target->computer->number,
                                                         target->lan, BERTH_EGRESS, &unused) < 0)
        target->lan = -2;
    server_unlock(daemon->server);
    if (target->lan < 0)
        snprintf(error, SENTENCE, "host %s is not on a network %.60s", target->computer->name, lan);
    return target->lan >= 0;
}

/* ---- what they do ---- */

static bool same_match(const struct berth_match *a, const struct berth_match *b) {
    return a->protocol == b->protocol && a->port == b->port && berth_ip_equal(&a->peer, &b->peer);
}

/* What is merged into: what the frames meet now. */
static void current_read(const struct berth_network *network, const struct target *target, int lan,
                         enum berth_direction direction, struct berth_impairment *impairment) {
    int host = target->computer->number;
    struct berth_match match = {.size = 0};
    for (unsigned i = 0; target->matched; i++) {
        if (berth_network_match(network, host, lan, direction, i, &match, impairment) < 0)
            break;
        if (same_match(&match, &target->match))
            return;
    }
    berth_network_link_impairment(network, host, lan, direction, impairment);
}

static int impairment_write(struct berth_network *network, const struct target *target, int lan,
                            enum berth_direction direction, bool remove,
                            const struct berth_impairment *impairment) {
    int host = target->computer->number;
    if (target->matched)
        return berth_network_impair_match(network, host, lan, direction, &target->match,
                                          remove ? NULL : impairment);
    return berth_network_impair_link(network, host, lan, direction, impairment);
}

/* del takes the filters away, too. */
static int matches_remove(struct berth_network *network, const struct target *target, int lan,
                          enum berth_direction direction) {
    int host = target->computer->number, result = 0;
    struct berth_match match = {.size = 0};
    struct berth_impairment unused = {.size = 0};
    while (result == 0 &&
           berth_network_match(network, host, lan, direction, 0, &match, &unused) == 0)
        result = berth_network_impair_match(network, host, lan, direction, &match, NULL);
    return result;
}

struct change {
    json_t *set;
    bool replace, remove;
};

/* One direction of one link. 0, a negative errno, or 1 with a sentence. */
static int direction_change(struct berth_network *network, const struct target *target, int lan,
                            enum berth_direction direction, const struct change *change,
                            char *error) {
    struct berth_impairment impairment = {.size = 0};
    if (!change->replace)
        current_read(network, target, lan, direction, &impairment);
    if (!impairment_read(change->set, &impairment, error))
        return 1;
    if (change->remove && !target->matched) {
        int result = matches_remove(network, target, lan, direction);
        if (result < 0)
            return result;
    }
    return impairment_write(network, target, lan, direction, change->remove, &impairment);
}

static int links_change(struct berth_network *network, const struct target *target,
                        const struct change *change, char *error) {
    struct berth_link links[32];
    size_t count = berth_network_links(network, target->computer->number, links, 32);
    int result = 0;
    for (size_t i = 0; i < count && i < 32 && result == 0; i++) {
        int lan = links[i].switch_number;
        if (target->lan >= 0 && lan != target->lan)
            continue;
        if (target->directions & BERTH_EGRESS)
            result = direction_change(network, target, lan, BERTH_EGRESS, change, error);
        if (target->directions & BERTH_INGRESS && result == 0)
            result = direction_change(network, target, lan, BERTH_INGRESS, change, error);
    }
    return result;
}

/* ---- what is told ---- */

static void match_pack(struct berth_network *network, json_t *list, const struct berth_match *match,
                       json_t *packed) {
    char to[BERTH_IP_TEXT];
    const char *protocol = match->protocol == 6    ? "tcp"
                           : match->protocol == 17 ? "udp"
                           : match->protocol == 1  ? "icmp"
                           : match->protocol == 58 ? "icmp6"
                                                   : NULL;
    json_t *only = json_object();
    if (protocol != NULL)
        json_object_set_new(only, "protocol", json_string(protocol));
    if (match->port != 0)
        json_object_set_new(only, "port", json_integer(match->port));
    if (!berth_ip_is_any(&match->peer)) {
        int host = berth_network_find_address(network, &match->peer);
        berth_ip_format(&match->peer, to);
        json_object_set_new(only, "to",
                            json_string(host >= 0 ? berth_network_host_name(network, host) : to));
    }
    json_object_set_new(packed, "only", only);
    json_array_append_new(list, packed);
}

static json_t *direction_pack(struct berth_network *network, int host, int lan,
                              enum berth_direction direction) {
    struct berth_impairment impairment = {.size = 0};
    struct berth_match match = {.size = 0};
    berth_network_link_impairment(network, host, lan, direction, &impairment);
    json_t *packed = impairment_pack(&impairment), *matches = json_array();
    for (unsigned i = 0;
         berth_network_match(network, host, lan, direction, i, &match, &impairment) == 0; i++)
        match_pack(network, matches, &match, impairment_pack(&impairment));
    if (json_array_size(matches) > 0)
        json_object_set(packed, "matches", matches);
    json_decref(matches);
    return packed;
}

static json_t *links_pack(struct berth_network *network, const struct target *target) {
    struct berth_link links[32];
    int host = target->computer->number;
    size_t count = berth_network_links(network, host, links, 32);
    json_t *list = json_array();
    for (size_t i = 0; i < count && i < 32; i++) {
        int lan = links[i].switch_number;
        if (target->lan >= 0 && lan != target->lan)
            continue;
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:b,s:o,s:o}", "host", target->computer->name,
                                        "network", berth_network_switch_name(network, lan), "up",
                                        (int)berth_network_link_is_up(network, host, lan), "egress",
                                        direction_pack(network, host, lan, BERTH_EGRESS), "ingress",
                                        direction_pack(network, host, lan, BERTH_INGRESS)));
    }
    return json_pack("{s:b,s:o}", "ok", 1, "links", list);
}

/* A device of the machine has no name on a network, and does the same both ways. */
static json_t *outside_change(struct daemon *daemon, const struct target *target, json_t *set,
                              char *error) {
    struct berth_impairment impairment = {.size = 0};
    if (!impairment_read(set, &impairment, error))
        return NULL;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    int result = berth_network_outside_impair(
        network, target->outside->number, (enum berth_direction)target->directions, &impairment);
    server_unlock(daemon->server);
    if (result < 0) {
        snprintf(error, SENTENCE, "%s", strerror(-result));
        return NULL;
    }
    return json_pack("{s:b,s:[{s:s,s:b,s:o,s:o}]}", "ok", 1, "links", "host", target->outside->name,
                     "up", 1, "egress", impairment_pack(&impairment), "ingress",
                     impairment_pack(&impairment));
}

/* Both directions of a link are alike unless one is named: a delay of 20 ms makes 40 ms there and
 * back. Each is merged with what it does already. */
json_t *fault_netem(struct daemon *daemon, json_t *request, char *error) {
    struct target target;
    struct change change = {.set = json_object_get(request, "set"),
                            .replace = json_is_true(json_object_get(request, "replace")),
                            .remove = json_is_true(json_object_get(request, "del"))};
    if (!target_read(daemon, request, &target, error))
        return NULL;
    if (target.outside != NULL)
        return outside_change(daemon, &target, change.set, error);
    change.replace = change.replace || change.remove;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    int result = json_object_size(change.set) > 0 || change.replace
                     ? links_change(network, &target, &change, error)
                     : 0;
    json_t *reply = result == 0 ? links_pack(network, &target) : NULL;
    server_unlock(daemon->server);
    if (result == -ENOSPC)
        snprintf(error, SENTENCE, "a link of %s has as many filters as it can have, 8",
                 target.computer->name);
    else if (result < 0)
        snprintf(error, SENTENCE, "%s",
                 result == -EINVAL ? "these values make no sense together" : strerror(-result));
    return reply;
}

void request_tap(struct connection *c, json_t *request) {
    struct daemon *daemon = c->daemon;
    const char *name = json_string_value(json_object_get(request, "name"));
    int fd = control_reader_take_fd(&c->reader);
    char error[SENTENCE];
    struct outside *outside = calloc(1, sizeof *outside);
    const char *wrong = fd < 0            ? "tap needs a descriptor"
                        : !tap_is(fd)     ? "that descriptor is not a TAP device's"
                        : outside == NULL ? "out of memory"
                        : name == NULL || !place_name_valid(name) ? "tap needs a name"
                        : outside_find(daemon, name) != NULL || computer_find(daemon, name) != NULL
                            ? "that name is in use already"
                        : lan_first(daemon, error) == NULL ? error
                                                           : NULL;
    if (wrong != NULL) {
        if (fd >= 0)
            close(fd);
        free(outside);
        connection_refuse(c, "%s", wrong);
        return;
    }
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    outside->number = berth_network_add_outside(network, daemon->lans->number, name, 0);
    server_unlock(daemon->server);
    int result = outside->number;
    if (result < 0)
        close(fd);
    else
        result = server_add_outside(daemon->server, outside->number, fd);
    if (result < 0) {
        free(outside);
        connection_refuse(c, "cannot join %.40s: %s", name, strerror(-result));
        return;
    }
    snprintf(outside->name, sizeof outside->name, "%s", name);
    outside->next = daemon->outsides;
    daemon->outsides = outside;
    connection_ok(c);
}

void outsides_free(struct daemon *daemon) {
    while (daemon->outsides != NULL) {
        struct outside *outside = daemon->outsides;
        daemon->outsides = outside->next;
        free(outside);
    }
}
