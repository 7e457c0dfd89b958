/* Outside ports: switch ports whose other end is the caller. */
#include "network/network.h"
#include "network/parcel.h"
#include <errno.h>
#include <string.h>

static struct network_port *outside_of(const struct berth_network *network, int outside) {
    return outside >= 0 && (uint32_t)outside < network->outside_count ? network->outsides[outside]
                                                                      : NULL;
}

static bool make_learned(struct berth_network *network, struct lan *lan) {
    if (lan->learned)
        return true;
    size_t size = LEARNED_SETS * LEARNED_WAYS * sizeof *lan->learned;
    lan->learned = network->allocator.allocate(network->allocator.context, size);
    if (lan->learned)
        memset(lan->learned, 0, size);
    return lan->learned;
}

int berth_network_add_outside(struct berth_network *network, int switch_number, const char *name,
                              uint8_t offloads) {
    struct lan *lan = network_lan_of(network, switch_number);
    if (!lan || !name || !network_name_fits(name))
        return -EINVAL;
    if (!network_grow(network, &network->outsides, &network->outside_size,
                      network->outside_count) ||
        !network_grow(network, &lan->ports, &lan->port_size, lan->port_count) ||
        !make_learned(network, lan))
        return -ENOMEM;
    struct network_port *port = port_new(network, lan, name, (int)network->outside_count, NULL);
    if (!port)
        return -ENOMEM;
    port->offloads = offloads;
    const struct berth_impairment none = {0};
    port_impair(port, BERTH_BOTH, &none);
    lan->ports[lan->port_count++] = port;
    network->outsides[network->outside_count++] = port;
    captures_describe(port);
    return port->number;
}

static bool is_frame(const struct berth_frame *frame) {
    size_t length = berth_frame_length(frame);
    return length >= NETWORK_ETHERNET && length <= NETWORK_FRAME_MAX;
}

int berth_network_outside_input(struct berth_network *network, int outside,
                                const struct berth_frame *frames, size_t count, uint64_t now) {
    struct network_port *port = outside_of(network, outside);
    if (!port)
        return -ENODEV;
    if (now > network->now)
        network->now = now;
    for (size_t i = 0; i < count;) {
        uint32_t run = 0;
        while (i + run < count && run < NETWORK_BATCH && is_frame(&frames[i + run]) &&
               link_is_direct(&port->egress, &frames[i + run]))
            run++;
        if (run > 0) {
            link_arrive(&port->egress, &frames[i], run);
            i += run;
            continue;
        }
        if (is_frame(&frames[i])) {
            const char *cause = link_carry(&port->egress, &frames[i]);
            if (cause)
                capture_frame(port, NULL, &frames[i], cause);
        }
        i++;
    }
    return 0;
}

size_t berth_network_outside_output(struct berth_network *network, int outside,
                                    struct berth_frame *frames, size_t max) {
    struct network_port *port = outside_of(network, outside);
    size_t taken = 0;
    while (port && taken < max && port->queue_count > 0) {
        parcel_move(&frames[taken++], &port->queue[port->queue_head]);
        port->queue_head = (port->queue_head + 1) & (port->queue_size - 1);
        port->queue_count--;
    }
    return taken;
}

int berth_network_outside_impair(struct berth_network *network, int outside,
                                 enum berth_direction direction,
                                 const struct berth_impairment *impairment) {
    struct network_port *port = outside_of(network, outside);
    return port ? port_impair(port, direction, impairment) : -ENODEV;
}
