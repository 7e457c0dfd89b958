/* Running a network: frames in flight land, timers fire, hosts hand out what they have, and all
 * again until nothing moves at the time given or the budget is spent. */
#include "network/network.h"
#include <errno.h>

static uint32_t land(struct berth_network *network) {
    struct link *link;
    const char *lost;
    uint32_t count = flights_take(&network->flights, network->now, network->arrived, NETWORK_BATCH,
                                  &link, &lost);
    if (count == 0)
        return 0;
    if (lost) {
        link->ghosts--;
        link_show_loss(link, network->arrived, lost);
    } else {
        link->impair.queued -= count;
        link_arrive(link, network->arrived, count);
    }
    for (uint32_t i = 0; i < count; i++)
        berth_frame_clear(&network->arrived[i]);
    return count;
}

/* The host's next deadline is asked for when it has been served. */
static uint32_t fire(struct berth_network *network) {
    struct deadline *first = deadlines_first(&network->deadlines);
    if (!first || first->at > network->now)
        return 0;
    struct network_host *host = (struct network_host *)(void *)first;
    deadlines_change(&network->deadlines, first, BERTH_NEVER);
    berth_host_advance(host->engine, network->now);
    host_list_add(host, LIST_OUTPUT);
    host_list_add(host, LIST_EVENTS);
    return 1;
}

static void send_all(struct network_port *port, struct berth_frame *frames, uint32_t count) {
    if (!port->egress.impaired) {
        link_arrive(&port->egress, frames, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *cause = link_carry(&port->egress, &frames[i]);
        if (cause)
            capture_frame(port, NULL, &frames[i], cause);
    }
}

/* Pulls what one interface has, and sends it. What a pull finds for another interface waits there.
 */
static uint32_t pull(struct network_port *port) {
    struct berth_network *network = port->network;
    uint32_t count = (uint32_t)berth_host_output(port->host->engine, port->interface,
                                                 network->output, NETWORK_BATCH, network->now);
    if (count > 0)
        send_all(port, network->output, count);
    for (uint32_t i = 0; i < count; i++)
        berth_frame_clear(&network->output[i]);
    return count;
}

static uint32_t serve(struct berth_network *network) {
    struct network_host *host = host_list_take(network, LIST_OUTPUT);
    if (!host)
        return 0;
    names_serve(host);
    uint32_t count = 0;
    for (struct network_port *port = host->ports; port; port = port->sibling)
        count += pull(port);
    /* What was pulled may have asked for a connection to a nameserver. */
    if (nameserver_serve(host) || berth_host_has_output(host->engine))
        host_list_add(host, LIST_OUTPUT);
    host_list_add(host, LIST_EVENTS);
    uint64_t engine = berth_host_deadline(host->engine), names = nameserver_deadline(host);
    deadlines_change(&network->deadlines, &host->deadline, engine < names ? engine : names);
    return count + 1;
}

bool berth_network_run(struct berth_network *network, uint64_t now) {
    if (now > network->now)
        network->now = now;
    for (uint32_t work = 0; work < NETWORK_BUDGET;) {
        uint32_t done = land(network);
        done += fire(network);
        done += serve(network);
        if (done == 0)
            return false;
        work += done;
    }
    return berth_network_deadline(network) <= network->now;
}

void berth_network_touch(struct berth_network *network, int host) {
    struct network_host *touched = network_host_of(network, host);
    if (!touched)
        return;
    host_list_add(touched, LIST_OUTPUT);
    host_list_add(touched, LIST_EVENTS);
}

uint64_t berth_network_deadline(const struct berth_network *network) {
    if (network->lists[LIST_OUTPUT].head)
        return network->now;
    uint64_t flight = flights_deadline(&network->flights);
    const struct deadline *first = deadlines_first(&network->deadlines);
    return first && first->at < flight ? first->at : flight;
}

size_t berth_network_events(struct berth_network *network, struct berth_network_event *events,
                            size_t max) {
    struct berth_event taken[32];
    size_t count = 0;
    while (count < max && network->lists[LIST_EVENTS].head) {
        struct network_host *host = network->lists[LIST_EVENTS].head;
        size_t room = max - count < 32 ? max - count : 32;
        size_t got = berth_host_events(host->engine, taken, room);
        for (size_t i = 0; i < got; i++)
            events[count++] = (struct berth_network_event){host->number, taken[i]};
        if (got < room)
            host_list_take(network, LIST_EVENTS);
    }
    return count;
}

static bool port_is_plain(const struct network_port *port) {
    return !port->egress.impaired && !port->ingress.impaired;
}

bool berth_network_is_plain(const struct berth_network *network, int host,
                            const struct berth_ip *address) {
    const struct network_host *from = network_host_of(network, host);
    if (!from || network->captures || network->outside_count > 0 || walls_any(&network->walls))
        return false;
    if (berth_host_has_address(from->engine, address))
        return true;
    const struct network_port *to = network_port_at(network, address);
    const struct network_port *own = to ? network_link_of(network, host, to->lan->number) : NULL;
    struct berth_route route; /* a longer prefix may lead elsewhere all the same */
    return own && port_is_plain(own) && port_is_plain(to) &&
           !berth_host_is_suspended(to->host->engine) &&
           !berth_host_is_gateway(to->host->engine) && /* its caller reads what comes */
           berth_host_find_route(from->engine, address, &route) == 0 &&
           route.interface == own->interface && berth_ip_is_any(&route.gateway);
}
