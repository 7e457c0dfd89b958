/* A switch port: what is plugged in, and how its cable is impaired. */
#include "network/network.h"
#include "network/parcel.h"
#include "network/text.h"
#include <errno.h>
#include <string.h>

/* Frames that wait for the outside's taker; as many as one run may move. */
enum { QUEUE_MAX = NETWORK_BUDGET };

struct network_port *port_new(struct berth_network *network, struct lan *lan, const char *name,
                              int number, struct network_host *host) {
    struct network_port *port =
        network->allocator.allocate(network->allocator.context, sizeof *port);
    if (!port)
        return NULL;
    *port = (struct network_port){.network = network, .lan = lan, .number = number, .host = host};
    port->capture_id = network->last_port++;
    memcpy(port->name, name, text_length(name, NETWORK_NAME - 1));
    link_init(&port->egress, port, true);
    link_init(&port->ingress, port, false);
    return port;
}

void port_free(struct network_port *port) {
    struct berth_allocator allocator = port->network->allocator;
    for (uint32_t i = 0; i < port->queue_count; i++)
        berth_frame_clear(&port->queue[(port->queue_head + i) & (port->queue_size - 1)]);
    if (port->queue)
        allocator.release(allocator.context, port->queue, port->queue_size * sizeof *port->queue);
    filters_clear(&port->egress);
    filters_clear(&port->ingress);
    allocator.release(allocator.context, port, sizeof *port);
}

/* ---- frames that come ---- */

static bool queue_has_room(struct network_port *port) {
    if (port->queue_count < port->queue_size)
        return true;
    if (port->queue_size >= QUEUE_MAX)
        return false;
    uint32_t size = port->queue_size ? 2 * port->queue_size : 64;
    struct berth_allocator allocator = port->network->allocator;
    struct berth_frame *queue = allocator.allocate(allocator.context, size * sizeof *queue);
    if (!queue)
        return false;
    for (uint32_t i = 0; i < port->queue_count; i++)
        parcel_move(&queue[i], &port->queue[(port->queue_head + i) & (port->queue_size - 1)]);
    if (port->queue)
        allocator.release(allocator.context, port->queue, port->queue_size * sizeof *queue);
    port->queue = queue;
    port->queue_size = size;
    port->queue_head = 0;
    return true;
}

static void queue_outside(struct network_port *port, const struct berth_frame *frame) {
    if (!queue_has_room(port)) {
        capture_frame(NULL, port, frame, "dropped: the outside does not take its frames");
        return;
    }
    uint32_t at = (port->queue_head + port->queue_count) & (port->queue_size - 1);
    int error = port->offloads & BERTH_OFFLOAD_CHECKSUM
                    ? parcel_keep(&port->queue[at], frame, port->network->allocator)
                    : parcel_keep_finished(&port->queue[at], frame, port->network->allocator);
    if (error)
        capture_frame(NULL, port, frame, "dropped: out of memory");
    else
        port->queue_count++;
}

void port_receive(struct network_port *port, const struct berth_frame *frames, uint32_t count) {
    if (port->host) {
        for (uint32_t i = 0; i < count && berth_host_is_suspended(port->host->engine); i++)
            capture_frame(NULL, port, &frames[i], "dropped: the computer stands still");
        berth_host_input(port->host->engine, port->interface, frames, count, port->network->now);
        host_list_add(port->host, LIST_OUTPUT);
        host_list_add(port->host, LIST_EVENTS);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        queue_outside(port, &frames[i]);
}

/* ---- impairments ---- */

static void impair_link(struct link *link, const struct berth_impairment *what, bool may_large) {
    impair_set(&link->impair, what);
    link->may_large = may_large;
    link_decide(link);
}

/* A host that sends over a link that treats frames one by one makes them of MTU size itself; to
 * those that come the other way it happens at the switch. Checksums are still left out: a frame
 * that is corrupted gets its own before the bit is flipped. */
static int offer(struct network_port *port) {
    unsigned offloads = port->offloads;
    if (!port->egress.takes_large)
        offloads &= ~(unsigned)BERTH_OFFLOAD_SEGMENT;
    return berth_host_set_interface(port->host->engine, port->interface, port->lan->mtu,
                                    (uint8_t)offloads);
}

int port_impair(struct network_port *port, enum berth_direction direction,
                const struct berth_impairment *given) {
    struct berth_impairment impairment = impair_given(given), *what = &impairment;
    int error = impair_check(what);
    if (error || direction < BERTH_EGRESS || direction > BERTH_BOTH)
        return -EINVAL;
    if (direction & BERTH_INGRESS)
        impair_link(&port->ingress, what, port->offloads & BERTH_OFFLOAD_SEGMENT);
    if (!(direction & BERTH_EGRESS))
        return 0;
    impair_link(&port->egress, what, true);
    return port->host ? offer(port) : 0;
}

int port_impair_match(struct network_port *port, enum berth_direction direction,
                      const struct berth_match *match, const struct berth_impairment *what) {
    struct link *links[] = {&port->egress, &port->ingress};
    for (int i = 0; i < 2; i++) {
        if (!(direction & (i == 0 ? BERTH_EGRESS : BERTH_INGRESS)))
            continue;
        struct filter *filter = filter_find(links[i], match);
        if (!what && filter)
            filter_remove(links[i], filter);
        if (what && !filter)
            filter = filter_add(links[i], match);
        if (what && !filter)
            return links[i]->filter_count == FILTERS_MAX ? -ENOSPC : -ENOMEM;
        if (what)
            impair_set(&filter->impair, what);
        link_decide(links[i]);
    }
    return port->host ? offer(port) : 0;
}
