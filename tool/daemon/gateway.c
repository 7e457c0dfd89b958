#define _GNU_SOURCE
#include "tool/daemon/gateway_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { KEY_BITS = 16, SERVE_BATCH = 64, ADDRESS_TRIES = 16 };

/* ---- outlets ---- */

struct outlet *outlet_find(const struct server *server, uint64_t key) {
    const struct gateway *gateway = server->gateway;
    uint32_t index = (uint32_t)key & (OUTLETS_MAX - 1);
    struct outlet *outlet =
        gateway && index < gateway->outlet_size ? gateway->outlets[index] : NULL;
    return outlet && outlet->key == key ? outlet : NULL;
}

static bool outlets_grow(struct gateway *gateway) {
    uint32_t size = gateway->outlet_size ? 2 * gateway->outlet_size : 64;
    if (size > OUTLETS_MAX)
        return false;
    struct outlet **outlets = realloc(gateway->outlets, size * sizeof(struct outlet *));
    if (!outlets)
        return false;
    gateway->outlets = outlets;
    uint8_t *generations = realloc(gateway->generations, size);
    if (!generations)
        return false;
    gateway->generations = generations;
    for (uint32_t i = gateway->outlet_size; i < size; i++) {
        outlets[i] = NULL;
        generations[i] = 0;
    }
    gateway->outlet_hint = gateway->outlet_size;
    gateway->outlet_size = size;
    return true;
}

/* A free place, looked for from where the last one was found. */
static bool place_find(struct gateway *gateway, uint32_t *index) {
    for (uint32_t i = 0; i < gateway->outlet_size; i++) {
        uint32_t at = (gateway->outlet_hint + i) & (gateway->outlet_size - 1);
        if (gateway->outlets[at])
            continue;
        *index = at;
        gateway->outlet_hint = at + 1;
        return true;
    }
    if (!outlets_grow(gateway))
        return false;
    *index = gateway->outlet_hint++;
    return true;
}

/* What nothing is wanted of is not watched at all: epoll would tell of its end again and again. */
int outlet_watch(struct server *server, struct outlet *outlet, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u64 = EPOLL_GATEWAY + outlet->key};
    int operation = events == 0           ? EPOLL_CTL_DEL
                    : outlet->events == 0 ? EPOLL_CTL_ADD
                                          : EPOLL_CTL_MOD;
    if (outlet->fd < 0 || events == outlet->events)
        return 0;
    outlet->events = events;
    return epoll_ctl(server->epoll, operation, outlet->fd, &event) < 0 ? -errno : 0;
}

int outlet_add(struct server *server, struct outlet *outlet, uint32_t events) {
    struct gateway *gateway = server->gateway;
    uint32_t index;
    int result = outlet->fd >= server->descriptors || !place_find(gateway, &index) ? -EMFILE : 0;
    if (result == 0) {
        outlet->key = index | (uint32_t)++gateway->generations[index] << KEY_BITS;
        outlet->events = 0;
        result = outlet_watch(server, outlet, events);
        if (result == 0)
            gateway->outlets[index] = outlet;
    }
    if (result < 0) {
        close(outlet->fd);
        outlet->fd = -1;
    }
    return result;
}

void outlet_close(struct server *server, struct outlet *outlet) {
    if (outlet->fd < 0)
        return;
    server->gateway->outlets[outlet->key & (OUTLETS_MAX - 1)] = NULL;
    close(outlet->fd);
    outlet->fd = -1;
}

void gateway_ready(struct server *server, uint32_t key, uint32_t events, uint64_t now) {
    struct outlet *outlet = outlet_find(server, key);
    if (outlet)
        outlet->ready(server, outlet, events, now);
}

/* ---- the host ---- */

int gateway_host(const struct server *server) {
    return server->gateway ? server->gateway->host : -1;
}

/* The highest address of the link's subnet: the others are given out from the lowest on. */
static uint32_t address_last(const struct berth_link *link) {
    uint32_t bits = link->prefix >= 31 ? 1 : (UINT32_C(1) << (32 - link->prefix)) - 1;
    return (berth_ip_to_v4(&link->address) | bits) - (link->prefix < 31);
}

/* Makes the host. 0 or a negative errno. */
static int host_make(struct server *server, const struct berth_link *link,
                     const struct berth_ip *address) {
    static const char *const names[] = {"gateway", "berth-gateway"};
    int number = -EEXIST;
    for (int i = 0; i < 2 && number == -EEXIST; i++)
        number =
            berth_network_add_host(server->network, names[i], link->switch_number, address, NULL);
    if (number < 0)
        return number;
    server->gateway->host = number;
    berth_host_set_gateway(gateway_engine(server), true);
    berth_network_add_name(server->network, "host.berth", number);
    return 0;
}

/* Plugs the gateway into the switch of that link, if it is not yet. */
static int plug(struct server *server, const struct berth_link *link) {
    struct gateway *gateway = server->gateway;
    int result = -EADDRINUSE;
    for (uint32_t i = 0; i < ADDRESS_TRIES && result == -EADDRINUSE; i++) {
        struct berth_ip address = berth_ip_v4(address_last(link) - i);
        result = gateway->host < 0 ? host_make(server, link, &address)
                                   : berth_network_plug(server->network, gateway->host,
                                                        link->switch_number, &address, NULL);
    }
    return result == -EEXIST || result > 0 ? 0 : result;
}

void gateway_route(struct server *server, int host) {
    struct gateway *gateway = server->gateway;
    struct berth_link link, own;
    struct berth_ip via, any = berth_ip_v4(0), any6 = {{0}};
    if (!gateway || host == gateway->host ||
        berth_network_links(server->network, host, &link, 1) == 0 || plug(server, &link) < 0 ||
        berth_network_links(server->network, gateway->host, &own, 1) == 0)
        return;
    if (gateway_address(server, &link.address, true, &via))
        berth_network_add_route(server->network, host, &any, 0, &via);
    if (!berth_ip_is_any(&link.ipv6) && gateway_address(server, &link.ipv6, false, &via))
        berth_network_add_route(server->network, host, &any6, 0, &via);
}

int gateway_need(struct server *server) {
    struct berth_link link;
    if (server->gateway)
        return 0;
    struct gateway *gateway = calloc(1, sizeof *gateway);
    if (!gateway)
        return -ENOMEM;
    gateway->host = -1;
    server->gateway = gateway;
    int result = 0, count = berth_network_host_count(server->network);
    for (int i = 0; i < count && gateway->host < 0; i++)
        if (berth_network_links(server->network, i, &link, 1) > 0)
            result = plug(server, &link);
    if (result < 0) {
        gateway_free(server);
        return result;
    }
    for (int i = 0; i < count; i++)
        if (berth_network_host(server->network, i))
            gateway_route(server, i);
    return 0;
}

int gateway_open(struct server *server, const struct allow_rule *rules, size_t count, bool all) {
    int result = gateway_need(server);
    if (result < 0)
        return result;
    struct gateway *gateway = server->gateway;
    if (count > GATEWAY_RULES - gateway->rule_count)
        return -E2BIG;
    gateway->open = true;
    gateway->all = gateway->all || all;
    for (size_t i = 0; i < count; i++)
        gateway->rules[gateway->rule_count++] = rules[i];
    berth_network_forward_names(server->network, true);
    return 0;
}

/* ---- what comes ---- */

bool gateway_serve(struct server *server, uint64_t now) {
    struct berth_stray stray;
    struct berth_name_query query;
    int count = 0;
    if (!server->gateway || server->gateway->host < 0)
        return false;
    while (count < SERVE_BATCH && berth_host_take_stray(gateway_engine(server), &stray)) {
        if (stray.protocol == 6)
            relay_stray(server, &stray, now);
        else
            flow_stray(server, &stray, now);
        count++;
    }
    while (count < SERVE_BATCH && berth_network_take_query(server->network, &query)) {
        nameservers_ask(server, &query, now);
        count++;
    }
    if (count > 0)
        gateway_touch(server);
    return count > 0;
}

void gateway_event(struct server *server, const struct berth_event *event, uint64_t now) {
    relay_event(server, event, now);
}

void gateway_tick(struct server *server, uint64_t now) {
    struct gateway *gateway = server->gateway;
    if (!gateway || now < gateway->next_tick)
        return;
    gateway->next_tick = now + BERTH_SECOND;
    for (uint32_t i = 0; i < gateway->outlet_size; i++) {
        struct outlet *outlet = gateway->outlets[i];
        if (outlet && outlet->expires <= now)
            outlet->drop(server, outlet);
    }
    flows_expire(server, now);
}

/* ---- the end ---- */

static void outlets_drop(struct server *server, int host) {
    struct gateway *gateway = server->gateway;
    for (uint32_t i = 0; i < gateway->outlet_size; i++) {
        struct outlet *outlet = gateway->outlets[i];
        if (outlet && (host < 0 || outlet->host == host))
            outlet->drop(server, outlet);
    }
}

void gateway_forget_host(struct server *server, int host) {
    if (server->gateway && host >= 0)
        outlets_drop(server, host);
}

void gateway_free(struct server *server) {
    struct gateway *gateway = server->gateway;
    if (!gateway)
        return;
    outlets_drop(server, -1);
    flows_forget(server, NULL);
    free(gateway->outlets);
    free(gateway->generations);
    free(gateway);
    server->gateway = NULL;
}
