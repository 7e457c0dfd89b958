/* Datagrams of UDP sockets, and echo requests: where to, from which address, and may they. */
#include "engine/socket/sockets.h"
#include "engine/wire/udp.h"

/* The caller takes what goes to the diverted port (and says what comes back), unless a socket of
 * this host is bound there. */
static bool is_diverted(const struct sockets *sockets, const struct berth_endpoint *remote,
                        size_t length) {
    if (sockets->divert.port == 0 || remote->port != sockets->divert.port ||
        length > DIVERT_LENGTH_MAX)
        return false;
    return !ip_has_address(&sockets->ip, &remote->ip) ||
           ports_lookup(udp_ports(sockets->udp), &remote->ip, remote->port, 0) == 0;
}

int diverted_way(const struct sockets *sockets, const struct berth_ip *bound,
                 const struct berth_endpoint *remote, struct udp_way *way) {
    int error = socket_way(sockets, bound, remote, way);
    if (!error)
        return 0;
    struct ip_hop hop = {.kind = IP_UNICAST, .interface = 1, .next = remote->ip};
    way->remote = *remote;
    way->interface = IP_ANY_INTERFACE;
    if (!berth_ip_is_any(bound) && berth_ip_is_v4(bound) == berth_ip_is_v4(&remote->ip))
        way->local = *bound;
    else if (ip_source(&sockets->ip, &hop, &remote->ip, &way->local) != 0)
        way->local = berth_ip_is_v4(&remote->ip) ? berth_ip_v4(0x7f000001)
                                                 : (struct berth_ip){.bytes = {[15] = 1}};
    return 0;
}

/* An echo request goes to no port. */
static struct berth_endpoint remote_of(struct socket_ref ref, const struct berth_endpoint *remote) {
    return (struct berth_endpoint){.ip = remote->ip, .port = ref.echo ? 0 : remote->port};
}

/* Every datagram that has no options of its own. */
static const struct berth_send_options as_ever = {.ttl = -1, .tos = -1};

static int find_way(struct sockets *sockets, struct socket_ref ref,
                    const struct berth_endpoint *remote, size_t length,
                    const struct berth_send_options *options, struct udp_way *way) {
    struct berth_ip bound;
    int value;
    if (!family_takes(udp_family(ref.udp, ref.index), &remote->ip))
        return -EAFNOSUPPORT;
    if (socket_refuses_v4(sockets, ref, &remote->ip))
        return -ENETUNREACH;
    udp_bound(ref.udp, ref.index, &bound);
    if (!berth_ip_is_any(&options->source)) {
        bool v4 = berth_ip_is_v4(&remote->ip);
        if (berth_ip_is_v4(&options->source) != v4)
            return -EINVAL;
        if (!ip_has_address(&sockets->ip, &options->source)) /* Linux's errno */
            return v4 ? -ENETUNREACH : -EINVAL;
        bound = options->source;
    }
    int error = is_diverted(sockets, remote, length) ? diverted_way(sockets, &bound, remote, way)
                                                     : socket_way(sockets, &bound, remote, way);
    if (error)
        return error;
    if (ip_is_broadcast(&sockets->ip, IP_ANY_INTERFACE, &way->remote.ip) &&
        (udp_get_option(ref.udp, ref.index, BERTH_SO_BROADCAST, &value) != 0 || !value))
        return -EACCES;
    return 0;
}

int socket_connect_udp(struct sockets *sockets, struct socket_ref ref,
                       const struct berth_endpoint *remote) {
    struct udp_way way;
    if (!remote)
        return udp_disconnect(ref.udp, ref.index);
    const struct berth_endpoint to = remote_of(ref, remote);
    int error = find_way(sockets, ref, &to, 0, &as_ever, &way);
    return error ? error : udp_connect(ref.udp, ref.index, &way);
}

/* RFC 8085 3.2, 8085-1: a sender that minds the path's MTU hears of it before, not in fragments. */
static int check_size(struct sockets *sockets, struct socket_ref ref, const struct udp_way *way,
                      size_t length, uint64_t now) {
    int mode = UDP_MTU_WANT;
    bool v4 = berth_ip_is_v4(&way->remote.ip);
    bool unseen = (v4 || ref.echo) && length > UINT16_MAX; /* Linux looks no further at it */
    if (ref.echo)
        length -= ICMP_HEADER; /* as long as UDP's, and there already */
    size_t whole = (v4 ? IPV4_HEADER_MIN : IPV6_HEADER) + UDP_HEADER + length;
    bool endless = length > (v4 ? UDP_PAYLOAD_MAX : UDP_PAYLOAD_MAX_V6);
    if (!endless && (whole <= 552 || way->interface == IP_ANY_INTERFACE))
        return 0;
    if (way->interface == IP_ANY_INTERFACE)
        return -EMSGSIZE;
    udp_get_option(ref.udp, ref.index, BERTH_IP_MTU_DISCOVER, &mode);
    uint32_t mtu = sockets->ip.interfaces[way->interface].mtu;
    if (mode <= UDP_MTU_DO)
        mtu = ip_path_mtu(&sockets->ip, &way->remote.ip, way->interface, now);
    if (!endless && (mode < UDP_MTU_DO || mode == UDP_MTU_OMIT || whole <= mtu))
        return 0;
    if (!unseen)
        socket_report_size(sockets, ref, &way->remote, mtu);
    return -EMSGSIZE;
}

static ssize_t send_way(struct sockets *sockets, struct socket_ref ref, const struct udp_way *way,
                        const struct berth_send_options *options, const void *data, size_t length,
                        uint64_t now) {
    int error = check_size(sockets, ref, way, length, now);
    if (!error)
        error = udp_autobind(ref.udp, ref.index);
    if (error)
        return error;
    if (is_diverted(sockets, &way->remote, length)) {
        struct berth_endpoint source;
        udp_local(ref.udp, ref.index, &source);
        source.ip = way->local;
        divert_put(&sockets->divert, sockets->ip.allocator, &source, &way->remote, data, length);
        return (ssize_t)length;
    }
    return udp_send(ref.udp, ref.index, way, options->ttl, options->tos, data, length);
}

static ssize_t send_datagram(struct sockets *sockets, struct socket_ref ref, const void *data,
                             size_t length, const struct berth_endpoint *to,
                             const struct berth_send_options *options, uint64_t now) {
    if (udp_is_shut(ref.udp, ref.index))
        return -EPIPE;
    int error = ref.echo ? echo_check(udp_family(ref.udp, ref.index), data, length) : 0;
    if (!error)
        error = udp_take_error(ref.udp, ref.index);
    if (error)
        return error;
    const struct udp_way *connected = to ? NULL : udp_connection(ref.udp, ref.index);
    if (!to && !connected)
        return -EDESTADDRREQ;
    if (!to)
        to = &connected->remote;
    if (to->port == 0 && !ref.echo) /* one may connect to it, but nothing is ever sent there */
        return -EINVAL;
    if (connected && berth_ip_is_any(&options->source))
        return send_way(sockets, ref, connected, options, data, length, now);
    struct udp_way way;
    const struct berth_endpoint remote = remote_of(ref, to);
    error = find_way(sockets, ref, &remote, length, options, &way);
    return error ? error : send_way(sockets, ref, &way, options, data, length, now);
}

ssize_t berth_socket_send(struct berth_host *host, berth_handle socket, const void *data,
                          size_t length, unsigned flags, uint64_t now) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    now = sockets_clock(sockets, now);
    if (!ref.udp)
        return tcp_send(sockets->tcp, ref.index, data, length, flags, now);
    return flags & BERTH_MSG_OOB ? -EOPNOTSUPP
                                 : send_datagram(sockets, ref, data, length, NULL, &as_ever, now);
}

ssize_t berth_socket_send_with(struct berth_host *host, berth_handle socket, const void *data,
                               size_t length, const struct berth_endpoint *to,
                               const struct berth_send_options *options, uint64_t now) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    now = sockets_clock(sockets, now);
    if (!options)
        options = &as_ever;
    return ref.udp ? send_datagram(sockets, ref, data, length, to, options, now) : -EOPNOTSUPP;
}

ssize_t berth_socket_send_to(struct berth_host *host, berth_handle socket, const void *data,
                             size_t length, const struct berth_endpoint *to, uint64_t now) {
    return berth_socket_send_with(host, socket, data, length, to, &as_ever, now);
}

ssize_t berth_socket_receive(struct berth_host *host, berth_handle socket, void *data,
                             size_t length, unsigned flags, uint64_t now) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    now = sockets_clock(sockets, now);
    if (!ref.udp)
        return tcp_receive(sockets->tcp, ref.index, data, length, flags, now);
    return udp_receive(ref.udp, ref.index, data, length, NULL, flags);
}

ssize_t berth_socket_receive_from(struct berth_host *host, berth_handle socket, void *data,
                                  size_t length, struct berth_datagram *meta, unsigned flags) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    if (!ref.udp)
        return -EOPNOTSUPP;
    return udp_receive(ref.udp, ref.index, data, length, meta, flags);
}
