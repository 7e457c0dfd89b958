/* Calls that both protocols take alike: handles in, the record's own call behind. */
#include "engine/socket/sockets.h"

static int echo_open(struct sockets *sockets, int family, berth_handle *socket) {
    uint32_t index, generation;
    if (!sockets->echo)
        sockets->echo = echo_new(sockets->config, sockets->ip.random);
    if (!sockets->echo)
        return -ENOMEM;
    int error = udp_open(sockets->echo->sockets, family, &index, &generation);
    if (error)
        return error;
    if (family == 6) /* each family has its own messages */
        udp_set_option(sockets->echo->sockets, index, BERTH_V6ONLY, 1);
    *socket = handle_of_echo(index, generation);
    return 0;
}

int berth_socket_open(struct berth_host *host, int family, enum berth_protocol protocol,
                      berth_handle *socket) {
    struct sockets *sockets = sockets_of(host);
    uint32_t index, generation;
    if (family != 4 && family != 6)
        return -EAFNOSUPPORT;
    if (protocol == BERTH_ICMP)
        return echo_open(sockets, family, socket);
    if (protocol != BERTH_TCP && protocol != BERTH_UDP)
        return -EPROTONOSUPPORT;
    bool udp = protocol == BERTH_UDP;
    int error = udp ? udp_open(sockets->udp, family, &index, &generation)
                    : tcp_open(sockets->tcp, family, &index, &generation);
    if (error)
        return error;
    *socket = udp ? handle_of_udp(index, generation) : handle_of_tcp(index, generation);
    return 0;
}

int berth_socket_close(struct berth_host *host, berth_handle socket, uint64_t now) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    reports_forget(&sockets->reports, sockets->ip.allocator, socket);
    return ref.udp ? udp_close(ref.udp, ref.index)
                   : tcp_close(sockets->tcp, ref.index, sockets_clock(sockets, now));
}

int berth_socket_abort(struct berth_host *host, berth_handle socket, uint64_t now) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    reports_forget(&sockets->reports, sockets->ip.allocator, socket);
    return ref.udp ? udp_close(ref.udp, ref.index)
                   : tcp_abort(sockets->tcp, ref.index, sockets_clock(sockets, now));
}

int berth_socket_shutdown(struct berth_host *host, berth_handle socket, enum berth_how how,
                          uint64_t now) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    return ref.udp ? udp_shutdown(ref.udp, ref.index, how)
                   : tcp_shutdown(sockets->tcp, ref.index, how, sockets_clock(sockets, now));
}

int berth_socket_local(const struct berth_host *host, berth_handle socket,
                       struct berth_endpoint *local) {
    const struct sockets *sockets = sockets_of_const(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    return ref.udp ? udp_local(ref.udp, ref.index, local)
                   : tcp_local(sockets->tcp, ref.index, local);
}

int berth_socket_remote(const struct berth_host *host, berth_handle socket,
                        struct berth_endpoint *remote) {
    const struct sockets *sockets = sockets_of_const(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    return ref.udp ? udp_remote(ref.udp, ref.index, remote)
                   : tcp_remote(sockets->tcp, ref.index, remote);
}

int berth_socket_set_user(struct berth_host *host, berth_handle socket, uint64_t user) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    return ref.udp ? udp_set_user(ref.udp, ref.index, user)
                   : tcp_set_user(sockets->tcp, ref.index, user);
}

int berth_socket_readiness(const struct berth_host *host, berth_handle socket) {
    const struct sockets *sockets = sockets_of_const(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    int bits = ref.udp ? udp_readiness(ref.udp, ref.index) : tcp_readiness(sockets->tcp, ref.index);
    return reports_first(&sockets->reports, socket) ? bits | BERTH_ERROR : bits;
}

int berth_socket_set_option(struct berth_host *host, berth_handle socket, enum berth_option option,
                            int value, uint64_t now) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    return ref.udp ? udp_set_option(ref.udp, ref.index, option, value)
                   : tcp_set_option(sockets->tcp, ref.index, option, value,
                                    sockets_clock(sockets, now));
}

int berth_socket_get_option(struct berth_host *host, berth_handle socket, enum berth_option option,
                            int *value) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    error = ref.udp ? udp_get_option(ref.udp, ref.index, option, value)
                    : tcp_get_option(sockets->tcp, ref.index, option, value);
    if (!error && option == BERTH_IP_TTL && *value <= 0)
        *value = sockets->ip.default_ttl;
    return error;
}
