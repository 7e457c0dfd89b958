/* Which links do what to frames. */
#include "network/network.h"
#include <errno.h>

int berth_network_impair(struct berth_network *network, int host, enum berth_direction direction,
                         const struct berth_impairment *impairment) {
    const struct network_host *impaired = network_host_of(network, host);
    int error = impaired ? 0 : -ENOENT;
    for (struct network_port *port = impaired ? impaired->ports : NULL; port && !error;
         port = port->sibling)
        error = port_impair(port, direction, impairment);
    return error;
}

int berth_network_impair_link(struct berth_network *network, int host, int switch_number,
                              enum berth_direction direction,
                              const struct berth_impairment *impairment) {
    struct network_port *port = network_link_of(network, host, switch_number);
    return port ? port_impair(port, direction, impairment) : -ENOENT;
}

static int impairment_read(const struct network_port *port, enum berth_direction direction,
                           struct berth_impairment *impairment) {
    if (!port)
        return -ENOENT;
    if (direction != BERTH_EGRESS && direction != BERTH_INGRESS)
        return -EINVAL;
    const struct link *link = direction == BERTH_EGRESS ? &port->egress : &port->ingress;
    impair_tell(&link->impair, impairment);
    return 0;
}

int berth_network_impairment(const struct berth_network *network, int host,
                             enum berth_direction direction, struct berth_impairment *impairment) {
    const struct network_host *impaired = network_host_of(network, host);
    return impairment_read(impaired ? impaired->ports : NULL, direction, impairment);
}

int berth_network_link_impairment(const struct berth_network *network, int host, int switch_number,
                                  enum berth_direction direction,
                                  struct berth_impairment *impairment) {
    return impairment_read(network_link_of(network, host, switch_number), direction, impairment);
}

/* ---- of some frames alone ---- */

int berth_network_impair_match(struct berth_network *network, int host, int switch_number,
                               enum berth_direction direction, const struct berth_match *given,
                               const struct berth_impairment *impairment) {
    const struct network_host *of = network_host_of(network, host);
    struct berth_match match = filter_given(given);
    struct berth_impairment what = {0};
    int error = filter_check(&match), found = -ENOENT;
    if (impairment && !error) {
        what = impair_given(impairment);
        error = impair_check(&what);
    }
    if (error || direction < BERTH_EGRESS || direction > BERTH_BOTH)
        return -EINVAL;
    for (struct network_port *port = of ? of->ports : NULL; port; port = port->sibling) {
        if (switch_number >= 0 && port->lan->number != switch_number)
            continue;
        found = port_impair_match(port, direction, &match, impairment ? &what : NULL);
        if (found)
            break;
    }
    return found;
}

int berth_network_match(const struct berth_network *network, int host, int switch_number,
                        enum berth_direction direction, unsigned number, struct berth_match *match,
                        struct berth_impairment *impairment) {
    const struct network_port *port = network_link_of(network, host, switch_number);
    const struct link *link = !port                        ? NULL
                              : direction == BERTH_EGRESS  ? &port->egress
                              : direction == BERTH_INGRESS ? &port->ingress
                                                           : NULL;
    if (!link || number >= link->filter_count)
        return -ENOENT;
    filter_tell(&link->filters[number], match);
    impair_tell(&link->filters[number].impair, impairment);
    return 0;
}
