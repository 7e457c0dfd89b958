/* Who talks: the listeners and what they accept, or the connections that a client opens. */
#include "test/interop/pattern.h"
#include "test/interop/peer.h"
#include <errno.h>
#include <stdlib.h>

static const struct {
    uint16_t port;
    enum role role;
} services[4] = {{PORT_ECHO, SERVE_ECHO},
                 {PORT_SINK, SERVE_SINK},
                 {PORT_SOURCE, SERVE_SOURCE},
                 {PORT_HTTP, SERVE_HTTP}};

/* A socket's user data: below USER_TALK a listener's number, USER_UDP, or a talk's number above. */
enum { USER_UDP = 100, USER_TALK = 1000 };

static struct talk *talk_new(struct peer *peer, enum role role, berth_handle socket) {
    if (peer->talk_count == peer->talk_size) {
        peer->talk_size = peer->talk_size ? 2 * peer->talk_size : 64;
        peer->talks = realloc(peer->talks, peer->talk_size * sizeof(struct talk *));
        if (!peer->talks)
            fatal("realloc", ENOMEM);
    }
    struct talk *talk = calloc(1, sizeof *talk);
    if (!talk)
        fatal("calloc", ENOMEM);
    talk->role = role;
    talk->socket = socket;
    talk->seed = PATTERN_SEED;
    berth_socket_set_user(peer->host, socket, USER_TALK + peer->talk_count);
    peer->talks[peer->talk_count++] = talk;
    return talk;
}

static void talk_go(struct peer *peer, uint32_t number, uint32_t bits) {
    struct talk *talk = peer->talks[number];
    if (!talk || talk_step(peer, talk, bits))
        return;
    peer->done++;
    peer->failed += talk->bad;
    free(talk);
    peer->talks[number] = NULL;
}

static bool listen_at(struct peer *peer, uint32_t i) {
    struct berth_endpoint local = {.port = services[i].port};
    int result = berth_socket_open(peer->host, 6, BERTH_TCP, &peer->listeners[i]);
    if (result == 0)
        result = berth_socket_bind(peer->host, peer->listeners[i], &local);
    if (result == 0)
        result = berth_socket_listen(peer->host, peer->listeners[i], 4096);
    if (result < 0)
        fatal("listen", -result);
    return berth_socket_set_user(peer->host, peer->listeners[i], i) == 0;
}

bool services_start(struct peer *peer) {
    for (uint32_t i = 0; i < 4; i++)
        if (!listen_at(peer, i))
            return false;
    struct berth_endpoint local = {.port = PORT_ECHO};
    int result = berth_socket_open(peer->host, 6, BERTH_UDP, &peer->udp_echo);
    if (result == 0)
        result = berth_socket_bind(peer->host, peer->udp_echo, &local);
    if (result < 0)
        fatal("bind UDP", -result);
    return berth_socket_set_user(peer->host, peer->udp_echo, USER_UDP) == 0;
}

bool clients_start(struct peer *peer) {
    const struct peer_options *options = peer->options;
    int family = berth_ip_is_v4(&options->remote.ip) ? 4 : 6;
    for (uint32_t i = 0; i < options->connections; i++) {
        berth_handle socket;
        int result = berth_socket_open(peer->host, family, BERTH_TCP, &socket);
        if (result < 0)
            fatal("open", -result);
        struct talk *talk = talk_new(peer, options->role, socket);
        talk->target = options->octets;
        result = berth_socket_connect(peer->host, socket, &options->remote, peer->now);
        if (result < 0 && result != -EINPROGRESS)
            fatal("connect", -result);
    }
    return true;
}

static void accept_all(struct peer *peer, uint32_t i) {
    berth_handle connection;
    while (berth_socket_accept(peer->host, peer->listeners[i], &connection) == 0) {
        struct talk *talk = talk_new(peer, services[i].role, connection);
        talk->connected = true;
        talk_go(peer, peer->talk_count - 1, 0);
    }
}

static void echo_datagrams(struct peer *peer) {
    static uint8_t data[65536];
    struct berth_datagram datagram;
    ssize_t got;
    while ((got = berth_socket_receive_from(peer->host, peer->udp_echo, data, sizeof data,
                                            &datagram, 0)) >= 0)
        berth_socket_send_to(peer->host, peer->udp_echo, data, (size_t)got, &datagram.source,
                             peer->now);
}

void services_event(struct peer *peer, const struct berth_event *event) {
    if (event->user == USER_UDP) {
        echo_datagrams(peer);
        return;
    }
    if (event->user < USER_TALK) {
        accept_all(peer, (uint32_t)event->user);
        return;
    }
    uint32_t before = peer->connected;
    talk_go(peer, (uint32_t)(event->user - USER_TALK), event->bits);
    /* The last of many clients is connected: now all may begin. */
    if (peer->options->role == ASK_ECHO && before < peer->connected &&
        peer->connected == peer->options->connections)
        for (uint32_t i = 0; i < peer->talk_count; i++)
            talk_go(peer, i, 0);
}
