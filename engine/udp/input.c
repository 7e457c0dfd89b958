/* Datagrams and errors that come in, and the sockets they are for. */
#include "engine/udp/internal.h"
#include <errno.h>

static void deliver(struct udp *udp, struct udp_socket *socket, const struct udp_arrival *arrival) {
    if (!udp_queue_push(udp, socket, arrival)) {
        udp->counters->udp_receive_buffer_errors++;
        udp->counters->udp_in_errors++;
        return;
    }
    udp->counters->udp_in_datagrams++;
    udp_event(udp, socket, BERTH_READABLE);
}

static uint32_t search_socket(struct udp *udp, const struct tuple *tuple) {
    uint64_t hash = ports_hash(udp->ports, tuple);
    uint32_t found = 0;
    if (ports_connections(udp->ports) > 0)
        found = ports_find_hashed(udp->ports, tuple, hash);
    if (!found)
        found = ports_lookup(udp->ports, &tuple->local, tuple->local_port, hash);
    return found;
}

static bool same_flow(const struct tuple *a, const struct tuple *b) {
    return a->local_port == b->local_port && a->remote_port == b->remote_port &&
           berth_ip_equal(&a->remote, &b->remote) && berth_ip_equal(&a->local, &b->local);
}

/* The socket of one host's datagram: one connected to the sender before one that takes from anyone.
 * A flow's next datagram finds it without a search. */
static uint32_t find_socket(struct udp *udp, const struct tuple *tuple) {
    unsigned slot = tuple->local_port ^ tuple->remote_port * 5u ^ tuple->remote.bytes[15] * 3u;
    struct udp_recent *recent = &udp->recent[slot % UDP_RECENT];
    if (recent->version == udp->version && same_flow(&recent->tuple, tuple))
        return recent->socket;
    uint32_t found = search_socket(udp, tuple);
    if (found) {
        recent->tuple = *tuple;
        recent->socket = found;
        recent->version = udp->version;
    }
    return found;
}

static bool takes_from_group(const struct udp_socket *socket, const struct udp_arrival *arrival) {
    const struct tuple *tuple = &arrival->tuple;
    if (socket->local.port != tuple->local_port)
        return false;
    if (socket->connected)
        return berth_ip_equal(&socket->way.remote.ip, &tuple->remote) &&
               socket->way.remote.port == tuple->remote_port && berth_ip_is_any(&socket->bound);
    if (berth_ip_is_any(&socket->bound))
        return !socket->v6_only || !berth_ip_is_v4(&tuple->local);
    return berth_ip_equal(&socket->bound, &tuple->local);
}

static void input_group(struct udp *udp, const struct udp_arrival *arrival) {
    uint32_t next = udp->port_buckets[arrival->tuple.local_port % UDP_PORT_BUCKETS];
    while (next) {
        struct udp_socket *socket = udp_at(udp, next);
        next = socket->port_next;
        if (takes_from_group(socket, arrival))
            deliver(udp, socket, arrival);
    }
}

bool udp_input(struct udp *udp, const struct udp_arrival *arrival) {
    if (arrival->group) {
        input_group(udp, arrival);
        return true;
    }
    uint32_t found = find_socket(udp, &arrival->tuple);
    if (!found) {
        udp->counters->udp_no_ports++;
        return false;
    }
    deliver(udp, udp_at(udp, found), arrival);
    return true;
}

/* RFC 1122 4.1.3.3, 1122-U2, as Linux does it: a connected socket hears of hard errors, any socket
 * of all when it asked for that (IP_RECVERR). That a path carries less is for those to hear who do
 * not let their datagrams be fragmented on the way. False: nobody sent it, so it is not
 * believed. */
bool udp_error(struct udp *udp, const struct tuple *tuple, int error, bool hard,
               uint32_t *reporter) {
    uint32_t found = find_socket(udp, tuple);
    *reporter = 0;
    if (!found) /* 1191-1 */
        return false;
    struct udp_socket *socket = udp_at(udp, found);
    bool about_size = error == EMSGSIZE, fragments = socket->mtu_discover == UDP_MTU_DONT;
    if (about_size && fragments && berth_ip_is_v4(&tuple->remote))
        return true;
    if (socket->receive_errors || (socket->connected && (about_size ? !fragments : hard))) {
        udp_set_error(udp, found, error);
        udp_event(udp, socket, BERTH_ERROR);
    }
    if (socket->receive_errors)
        *reporter = found;
    return true;
}

bool udp_may_have_sent(struct udp *udp, const struct tuple *tuple) {
    return find_socket(udp, tuple) != 0;
}

void udp_set_error(struct udp *udp, uint32_t socket, int error) {
    udp_at(udp, socket)->error = (uint16_t)error;
}

void udp_raise_error(struct udp *udp, uint32_t socket) {
    udp_event(udp, udp_at(udp, socket), BERTH_ERROR);
}

bool udp_reports(const struct udp *udp, uint32_t socket) {
    return udp_at(udp, socket)->receive_errors;
}
