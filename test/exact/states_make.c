#define _GNU_SOURCE
#include "test/exact/states.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

/* ---- streams ---- */

static void tcp_fresh(struct scene *scene) {
    scene->fd = tcp_new();
    scene->other = listener_new(5);
    scene->port = port_of(scene->other);
}

static void tcp_bound(struct scene *scene) {
    scene->fd = bound_new(SOCK_STREAM);
    scene->other = listener_new(5);
    scene->port = port_of(scene->other);
}

static void tcp_listening(struct scene *scene) {
    scene->fd = listener_new(5);
    scene->other = listener_new(5);
    scene->port = port_of(scene->other);
}

static void tcp_pending(struct scene *scene) {
    scene->fd = listener_new(5);
    scene->other = tcp_new();
    scene->port = port_of(scene->fd);
    connect_to(scene->other, scene->port);
    poll_until(scene->fd, POLLIN);
}

static void tcp_connected(struct scene *scene) {
    struct pair pair = pair_new();
    scene->fd = pair.client;
    scene->other = pair.server;
    scene->third = pair.listener;
    scene->port = port_of(pair.listener);
}

static void tcp_accepted(struct scene *scene) {
    struct pair pair = pair_new();
    scene->fd = pair.server;
    scene->other = pair.client;
    scene->third = pair.listener;
    scene->port = port_of(pair.listener);
}

static void peer_says(struct scene *scene, const char *text, int flags, unsigned bit) {
    if (send(scene->other, text, strlen(text), flags) < 0)
        perror("send");
    poll_until(scene->fd, bit);
}

static void tcp_readable(struct scene *scene) {
    tcp_connected(scene);
    peer_says(scene, "hello", 0, POLLIN);
}

static void tcp_urgent(struct scene *scene) {
    tcp_connected(scene);
    peer_says(scene, "ab!", MSG_OOB, POLLPRI);
}

static void tcp_urgent_inline(struct scene *scene) {
    int on = 1;
    tcp_connected(scene);
    setsockopt(scene->fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    peer_says(scene, "ab!", MSG_OOB, POLLPRI);
}

static void tcp_shut_write(struct scene *scene) {
    tcp_connected(scene);
    shutdown(scene->fd, SHUT_WR);
    poll_until(scene->other, POLLIN);
}

static void tcp_shut_read(struct scene *scene) {
    tcp_connected(scene);
    shutdown(scene->fd, SHUT_RD);
}

static void tcp_shut_both(struct scene *scene) {
    tcp_connected(scene);
    shutdown(scene->fd, SHUT_RDWR);
    poll_until(scene->other, POLLIN);
}

static void tcp_peer_shut(struct scene *scene) {
    tcp_connected(scene);
    shutdown(scene->other, SHUT_WR);
    poll_until(scene->fd, POLLRDHUP);
}

static void tcp_peer_shut_after(struct scene *scene) {
    tcp_readable(scene);
    shutdown(scene->other, SHUT_WR);
    poll_until(scene->fd, POLLRDHUP);
}

static void tcp_both_shut(struct scene *scene) {
    tcp_shut_write(scene);
    shutdown(scene->other, SHUT_WR);
    poll_until(scene->fd, POLLRDHUP);
    poll_until(scene->fd, POLLHUP);
}

static void peer_closes(struct scene *scene) {
    close(scene->other);
    scene->other = -1;
    scene->busy = true;
}

static void tcp_peer_closed(struct scene *scene) {
    tcp_connected(scene);
    peer_closes(scene);
    poll_until(scene->fd, POLLRDHUP);
}

static void tcp_reset(struct scene *scene) {
    struct linger linger = {1, 0};
    tcp_connected(scene);
    setsockopt(scene->other, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    peer_closes(scene);
    poll_until(scene->fd, POLLHUP | POLLERR);
}

static void tcp_reset_told(struct scene *scene) {
    int error;
    socklen_t length = sizeof error;
    tcp_reset(scene);
    getsockopt(scene->fd, SOL_SOCKET, SO_ERROR, &error, &length);
}

static void tcp_reset_after(struct scene *scene) {
    struct linger linger = {1, 0};
    tcp_readable(scene);
    setsockopt(scene->other, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    peer_closes(scene);
    poll_until(scene->fd, POLLHUP | POLLERR);
}

static void tcp_broken_pipe(struct scene *scene) {
    tcp_peer_closed(scene);
    if (send(scene->fd, "x", 1, 0) < 0)
        perror("send");
    poll_until(scene->fd, POLLHUP);
}

static void tcp_refused(struct scene *scene) {
    scene->fd = tcp_new();
    scene->other = listener_new(5);
    scene->port = port_of(scene->other);
    connect_to(scene->fd, dead_port(SOCK_STREAM));
}

static void tcp_refused_later(struct scene *scene) {
    scene->fd = tcp_new();
    scene->other = listener_new(5);
    scene->port = port_of(scene->other);
    nonblocking_set(scene->fd, true);
    connect_to(scene->fd, dead_port(SOCK_STREAM));
    poll_until(scene->fd, POLLERR);
}

static void tcp_connected_later(struct scene *scene) {
    scene->fd = tcp_new();
    scene->other = listener_new(5);
    scene->port = port_of(scene->other);
    nonblocking_set(scene->fd, true);
    connect_to(scene->fd, scene->port);
    poll_until(scene->fd, POLLOUT);
}

/* ---- datagrams ---- */

static void udp_fresh(struct scene *scene) {
    scene->fd = udp_new();
    scene->other = bound_new(SOCK_DGRAM);
    scene->port = port_of(scene->other);
}

static void udp_bound(struct scene *scene) {
    scene->fd = bound_new(SOCK_DGRAM);
    scene->other = bound_new(SOCK_DGRAM);
    scene->port = port_of(scene->other);
}

static void udp_readable(struct scene *scene) {
    udp_bound(scene);
    struct sockaddr_in to = loopback(port_of(scene->fd));
    sendto(scene->other, "hello", 5, 0, (struct sockaddr *)&to, sizeof to);
    poll_until(scene->fd, POLLIN);
}

static void udp_readable_empty(struct scene *scene) {
    udp_bound(scene);
    struct sockaddr_in to = loopback(port_of(scene->fd));
    sendto(scene->other, "", 0, 0, (struct sockaddr *)&to, sizeof to);
    poll_until(scene->fd, POLLIN);
}

static void udp_connected(struct scene *scene) {
    udp_bound(scene);
    connect_to(scene->fd, scene->port);
    connect_to(scene->other, port_of(scene->fd));
}

static void udp_connected_readable(struct scene *scene) {
    udp_connected(scene);
    send(scene->other, "first", 5, 0);
    send(scene->other, "second", 6, 0);
    poll_until(scene->fd, POLLIN);
}

static void udp_refused(struct scene *scene) {
    udp_bound(scene);
    connect_to(scene->fd, dead_port(SOCK_DGRAM));
    send(scene->fd, "x", 1, 0);
    for (int i = 0; i < 100 && poll_now(scene->fd) == POLLOUT; i++)
        settle();
}

static void udp_shut_read(struct scene *scene) {
    udp_connected(scene);
    shutdown(scene->fd, SHUT_RD);
}

static void udp_shut_write(struct scene *scene) {
    udp_connected(scene);
    shutdown(scene->fd, SHUT_WR);
}

static void udp_dissolved(struct scene *scene) {
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    udp_connected(scene);
    (void)connect(scene->fd, &none, sizeof none);
}

const struct state states[] = {
    {"tcp fresh", tcp_fresh},
    {"tcp bound", tcp_bound},
    {"tcp listening", tcp_listening},
    {"tcp listening, one waits", tcp_pending},
    {"tcp connected", tcp_connected},
    {"tcp connected later", tcp_connected_later},
    {"tcp accepted", tcp_accepted},
    {"tcp readable", tcp_readable},
    {"tcp urgent", tcp_urgent},
    {"tcp urgent inline", tcp_urgent_inline},
    {"tcp shut for writing", tcp_shut_write},
    {"tcp shut for reading", tcp_shut_read},
    {"tcp shut for both", tcp_shut_both},
    {"tcp peer has shut", tcp_peer_shut},
    {"tcp peer has shut after data", tcp_peer_shut_after},
    {"tcp both have shut", tcp_both_shut},
    {"tcp peer has closed", tcp_peer_closed},
    {"tcp reset", tcp_reset},
    {"tcp reset and told", tcp_reset_told},
    {"tcp reset after data", tcp_reset_after},
    {"tcp broken pipe", tcp_broken_pipe},
    {"tcp refused", tcp_refused},
    {"tcp refused later", tcp_refused_later},
    {"udp fresh", udp_fresh},
    {"udp bound", udp_bound},
    {"udp readable", udp_readable},
    {"udp readable, empty", udp_readable_empty},
    {"udp connected", udp_connected},
    {"udp connected, readable", udp_connected_readable},
    {"udp refused", udp_refused},
    {"udp shut for reading", udp_shut_read},
    {"udp shut for writing", udp_shut_write},
    {"udp dissolved", udp_dissolved},
};
const size_t state_count = sizeof states / sizeof states[0];

void scene_close(struct scene *scene) {
    const int ends[] = {scene->fd, scene->other, scene->third};
    for (int i = 0; i < 3; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}
