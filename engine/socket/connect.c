/* Which addresses a socket may bind and connect to: Linux's answers. */
#include "engine/socket/sockets.h"

static bool is_group(const struct sockets *sockets, const struct berth_ip *ip) {
    return berth_ip_is_multicast(ip) || ip_is_broadcast(&sockets->ip, IP_ANY_INTERFACE, ip);
}

bool socket_refuses_v4(const struct sockets *sockets, struct socket_ref ref,
                       const struct berth_ip *ip) {
    int value = 0;
    if (!berth_ip_is_v4(ip))
        return false;
    int error = ref.udp ? udp_get_option(ref.udp, ref.index, BERTH_V6ONLY, &value)
                        : tcp_get_option(sockets->tcp, ref.index, BERTH_V6ONLY, &value);
    return !error && value != 0;
}

int berth_socket_bind(struct berth_host *host, berth_handle socket,
                      const struct berth_endpoint *local) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    struct berth_endpoint now_bound;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    error = ref.udp ? udp_local(ref.udp, ref.index, &now_bound)
                    : tcp_local(sockets->tcp, ref.index, &now_bound);
    if (error)
        return error;
    /* What an unbound socket calls its local address tells its family: the wildcard of it. */
    if (now_bound.port == 0 && berth_ip_is_v4(&now_bound.ip) && !berth_ip_is_v4(&local->ip))
        return -EAFNOSUPPORT;
    if (socket_refuses_v4(sockets, ref, &local->ip))
        return -EINVAL;
    bool own = berth_ip_is_any(&local->ip) || ip_takes_address(&sockets->ip, &local->ip);
    /* Datagrams to a group may be all that a socket wants; a connection never has a group's
     * address (RFC 9293 3.9.2.3). */
    if (!own && !(ref.udp && is_group(sockets, &local->ip)))
        return -EADDRNOTAVAIL;
    return ref.udp ? udp_bind(ref.udp, ref.index, local) : tcp_bind(sockets->tcp, ref.index, local);
}

berth_handle berth_socket_port_owner(struct berth_host *host, enum berth_protocol protocol,
                                     const struct berth_endpoint *local) {
    struct sockets *sockets = sockets_of(host);
    if (protocol == BERTH_UDP) {
        uint32_t owner = ports_conflict(udp_ports(sockets->udp), local, 0);
        return owner ? handle_of_udp(owner, udp_generation(sockets->udp, owner)) : 0;
    }
    if (protocol != BERTH_TCP)
        return 0;
    uint32_t owner = ports_conflict(tcp_ports(sockets->tcp), local, PORTS_STREAM);
    /* Half-open and TIME-WAIT records hold ports too, but are no sockets. */
    uint32_t generation = owner ? tcp_generation(sockets->tcp, owner) : 0;
    return owner && tcp_alive(sockets->tcp, owner, generation) ? handle_of_tcp(owner, generation)
                                                               : 0;
}

bool berth_socket_port_listened(struct berth_host *host, const struct berth_endpoint *local) {
    return ports_lookup(tcp_ports(sockets_of(host)->tcp), &local->ip, local->port, 0) != 0;
}

/* 0.0.0.0 or `::` as a destination is this host (Linux; RFC 1122 3.2.1.3 and RFC 4291 2.5.2 keep
 * them off the wire). */
static void remote_settle(struct berth_ip *remote, const struct berth_ip *bound) {
    if (!berth_ip_is_any(remote))
        return;
    bool v4 = berth_ip_is_v4(remote);
    if (berth_ip_is_v4(bound) == v4 && !berth_ip_is_any(bound))
        *remote = *bound;
    else
        *remote = v4 ? berth_ip_v4(0x7f000001) : (struct berth_ip){.bytes = {[15] = 1}};
}

/* May a socket bound to that address send to that one? Linux's answers where the families differ:
 * `::` takes any. */
static int families_agree(const struct berth_ip *bound, const struct berth_ip *remote) {
    bool bound_v4 = berth_ip_is_v4(bound), remote_v4 = berth_ip_is_v4(remote);
    if (bound_v4 == remote_v4 || (!bound_v4 && berth_ip_is_any(bound)))
        return 0;
    return bound_v4 ? -EAFNOSUPPORT : -EINVAL;
}

int socket_way(const struct sockets *sockets, const struct berth_ip *bound,
               const struct berth_endpoint *remote, struct udp_way *way) {
    struct ip_hop hop;
    way->remote = *remote;
    remote_settle(&way->remote.ip, bound);
    int error = families_agree(bound, &way->remote.ip);
    if (!error)
        error = ip_route(&sockets->ip, &way->remote.ip, IP_ANY_INTERFACE, &hop);
    if (error)
        return error;
    way->interface = hop.interface;
    if (berth_ip_is_any(bound) || is_group(sockets, bound))
        return ip_source(&sockets->ip, &hop, &way->remote.ip, &way->local);
    way->local = *bound;
    /* What comes from 127.0.0.0/8 or ::1 stays in the host. */
    return berth_ip_is_loopback(bound) && hop.kind != IP_LOCAL ? -EINVAL : 0;
}

static int connect_tcp(struct sockets *sockets, uint32_t index, const struct berth_endpoint *remote,
                       uint64_t now) {
    struct berth_endpoint local;
    struct udp_way way;
    int error = tcp_local(sockets->tcp, index, &local);
    if (error)
        return error;
    if (berth_ip_is_v4(&local.ip) && !berth_ip_is_v4(&remote->ip))
        return -EAFNOSUPPORT;
    struct socket_ref ref = {.index = index};
    if (socket_refuses_v4(sockets, ref, &remote->ip))
        return -ENETUNREACH;
    if (remote->port == 0)
        return -ECONNREFUSED; /* nobody listens at port 0, and it never goes out */
    bool diverted = remote->port == sockets->openings.port && !sockets->ip.takes_all;
    error = socket_way(sockets, &local.ip, remote, &way);
    if (error == -ENETUNREACH && diverted)
        error = diverted_way(sockets, &local.ip, remote, &way);
    if (error)
        return error;
    if (way.interface == IP_ANY_INTERFACE)
        way.interface = IP_LOOPBACK;
    /* RFC 9293 3.9.2.3, MUST-46: no connection to a group. */
    if (is_group(sockets, &way.remote.ip))
        return -ENETUNREACH;
    return tcp_connect(sockets->tcp, index, &way.local, way.interface, &way.remote, now);
}

int berth_socket_connect(struct berth_host *host, berth_handle socket,
                         const struct berth_endpoint *remote, uint64_t now) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    now = sockets_clock(sockets, now);
    if (!ref.udp)
        return remote ? connect_tcp(sockets, ref.index, remote, now) : -EAFNOSUPPORT;
    return socket_connect_udp(sockets, ref, remote);
}
