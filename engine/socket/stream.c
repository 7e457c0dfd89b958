/* Calls of TCP sockets only. */
#include "engine/socket/sockets.h"

/* The TCP record of a handle: 0, -EBADF, or -EOPNOTSUPP for UDP's. */
static int tcp_find(const struct sockets *sockets, berth_handle handle, uint32_t *index) {
    struct socket_ref ref;
    int error = socket_find(sockets, handle, &ref);
    *index = ref.index;
    return error ? error : ref.udp ? -EOPNOTSUPP : 0;
}

int berth_socket_listen(struct berth_host *host, berth_handle socket, int backlog) {
    struct sockets *sockets = sockets_of(host);
    uint32_t index;
    int error = tcp_find(sockets, socket, &index);
    return error ? error : tcp_listen(sockets->tcp, index, backlog);
}

int berth_socket_accept(struct berth_host *host, berth_handle listener, berth_handle *connection) {
    struct sockets *sockets = sockets_of(host);
    uint32_t index, accepted;
    int error = tcp_find(sockets, listener, &index);
    if (!error)
        error = tcp_accept(sockets->tcp, index, &accepted);
    if (!error)
        *connection = handle_of_tcp(accepted, tcp_generation(sockets->tcp, accepted));
    return error;
}

ssize_t berth_socket_send_space(struct berth_host *host, berth_handle socket) {
    struct sockets *sockets = sockets_of(host);
    uint32_t index;
    int error = tcp_find(sockets, socket, &index);
    return error ? error : tcp_send_space(sockets->tcp, index);
}

ssize_t berth_socket_send_block(struct berth_host *host, berth_handle socket,
                                struct berth_block *block, size_t offset, size_t length,
                                unsigned flags, uint64_t now) {
    struct sockets *sockets = sockets_of(host);
    uint32_t index;
    int error = tcp_find(sockets, socket, &index);
    if (error)
        return error;
    return tcp_send_block(sockets->tcp, index, block, offset, length, flags,
                          sockets_clock(sockets, now));
}

int berth_socket_borrow(struct berth_host *host, berth_handle socket, struct berth_part *parts,
                        int max) {
    struct sockets *sockets = sockets_of(host);
    uint32_t index;
    int error = tcp_find(sockets, socket, &index);
    return error ? error : tcp_borrow(sockets->tcp, index, parts, max);
}

int berth_socket_give_back(struct berth_host *host, berth_handle socket, size_t length,
                           uint64_t now) {
    struct sockets *sockets = sockets_of(host);
    uint32_t index;
    int error = tcp_find(sockets, socket, &index);
    if (error)
        return error;
    return tcp_give_back(sockets->tcp, index, length, sockets_clock(sockets, now));
}

ssize_t berth_socket_urgent(struct berth_host *host, berth_handle socket) {
    struct sockets *sockets = sockets_of(host);
    uint32_t index;
    int error = tcp_find(sockets, socket, &index);
    return error ? error : tcp_urgent(sockets->tcp, index);
}

int berth_socket_tcp_info(const struct berth_host *host, berth_handle socket,
                          struct berth_tcp_info *info) {
    const struct sockets *sockets = sockets_of_const(host);
    uint32_t index;
    int error = tcp_find(sockets, socket, &index);
    return error ? error : tcp_info(sockets->tcp, index, info);
}
