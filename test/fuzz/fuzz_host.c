/* berth_host_input and all of a host behind it: a host with sockets of all protocols and both
 * families, whose programs, peer, clock and memory do what the input says, in any order. Whatever
 * comes, what the host sends is well formed, its deadline lies ahead, and when it is freed so is
 * all memory. */
#include "engine/wire/icmp.h"
#include "engine/wire/icmp6.h"
#include "engine/wire/tcp.h"
#include "test/fuzz/game.h"

enum { SOCKETS = 12, STEPS = 400 };

struct programs {
    struct game game;
    berth_handle sockets[SOCKETS];
    uint8_t octets[20000];
};

/* The peer is behind a router then. */
static void routes_make(struct game *game) {
    struct berth_ip router = game_router(0, false), router6 = game_router(0, true);
    game->routed = true;
    CLAIM(berth_host_add_route(game->host, 1, &game_peer_v4, 32, &router) == 0);
    if (game->mtu >= 1280)
        CLAIM(berth_host_add_route(game->host, 1, &game_peer_v6, 128, &router6) == 0);
}

static void host_make(struct game *game) {
    struct input *input = game->input;
    uint8_t how = input_8(input);
    struct berth_host_config config;
    berth_host_config_init(&config);
    config.allocator = counting_allocator(&game->counting);
    config.tcp_syncookies = how & 3;
    config.tcp_congestion = how >> 2 & 1;
    config.tcp_sack = !(how & 8);
    config.tcp_timestamps = !(how & 0x10);
    config.memory_limit = how & 0x20 ? 256 * 1024 : 0;
    config.tcp_max_sockets = how & 0x40 ? 4 : 64;
    config.reassembly_limit = 32 * 1024;
    game->host = berth_host_new(&config);
    CLAIM(game->host != NULL);
    static const uint32_t mtus[] = {1500, GAME_MTU, 1280, 576};
    how = input_8(input);
    struct berth_interface_config interface = {
        .link = BERTH_LINK_ETHERNET, .mtu = mtus[how & 3], .offloads = how >> 2 & 3};
    memcpy(interface.mac, game_host_mac, 6);
    game->mtu = interface.mtu;
    CLAIM(berth_host_add_interface(game->host, &interface) == 1);
    CLAIM(berth_host_add_address(game->host, 1, &game_host_v4, 24) == 0);
    /* Not where the MTU is less than IPv6 needs. */
    berth_host_add_address(game->host, 1, &game_host_v6, 64);
    if ((how & 0x30) == 0x10)
        routes_make(game);
}

static void time_pass(struct game *game) {
    uint8_t how = input_8(game->input);
    uint64_t deadline = berth_host_deadline(game->host);
    if (how & 0x80 && deadline != BERTH_NEVER)
        game->now = deadline > game->now ? deadline : game->now;
    else
        game->now += UINT64_C(1) << how % 38;
    /* Time may bring work that brings work at the same time, but not for ever. */
    for (int i = 0; i < 100; i++) {
        berth_host_advance(game->host, game->now);
        game_drain(game);
        if (berth_host_deadline(game->host) > game->now)
            return;
    }
    CLAIM(berth_host_deadline(game->host) > game->now);
}

static void look(struct programs *programs, berth_handle socket) {
    struct berth_host *host = programs->game.host;
    struct berth_socket_row rows[4];
    struct berth_tcp_info info;
    struct berth_endpoint end;
    uint64_t cursor = 0;
    size_t count = 0, n;
    while ((n = berth_host_sockets(host, &cursor, rows, 4)) > 0)
        CLAIM((count += n) < 10000);
    if (berth_socket_tcp_info(host, socket, &info) == 0)
        CLAIM(info.state >= BERTH_ESTABLISHED && info.state <= BERTH_CLOSING);
    berth_socket_local(host, socket, &end);
    berth_socket_remote(host, socket, &end);
    berth_socket_readiness(host, socket);
    berth_socket_urgent(host, socket);
}

static void receive(struct programs *programs, berth_handle socket, uint8_t how) {
    struct game *game = &programs->game;
    size_t length = (how & 0x3f) * 100u + 1;
    struct berth_part parts[4];
    if (how & 0x40) {
        int count = berth_socket_borrow(game->host, socket, parts, 4);
        size_t there = 0;
        for (int i = 0; i < count; i++)
            there += parts[i].length;
        if (count > 0)
            berth_socket_give_back(game->host, socket, there < length ? there : length, game->now);
        return;
    }
    ssize_t got = berth_socket_receive(game->host, socket, programs->octets, length,
                                       how & 0x80 ? BERTH_MSG_PEEK : 0, game->now);
    CLAIM(got <= (ssize_t)length);
}

static void transmit(struct programs *programs, berth_handle socket, uint8_t how) {
    struct game *game = &programs->game;
    size_t length = (how & 0x1f) * (how & 0x20 ? 600u : 7u);
    /* What a socket of BERTH_ICMP takes: an echo request of one of the families. */
    programs->octets[0] = how & 8 ? ICMP_ECHO : ICMP6_ECHO;
    programs->octets[1] = 0;
    unsigned flags = how & 0x40 ? BERTH_MSG_OOB : how & 0x80 ? BERTH_MSG_MORE : 0;
    struct berth_endpoint to = {game_peer_v4, game_port(game->input)};
    if ((how & 0xc0) == 0xc0)
        to.ip = game_peer_v6;
    ssize_t sent =
        how & 0x10
            ? berth_socket_send_to(game->host, socket, programs->octets, length, &to, game->now)
            : berth_socket_send(game->host, socket, programs->octets, length, flags, game->now);
    CLAIM(sent <= (ssize_t)length);
}

static void connect_it(struct game *game, berth_handle socket, uint8_t how) {
    struct berth_endpoint to = {how & 1 ? game_peer_v6 : game_peer_v4, game_port(game->input)};
    if (how & 2)
        to.ip = berth_ip_v4(0x7f000001);
    berth_socket_connect(game->host, socket, how == 0xff ? NULL : &to, game->now);
}

/* A call on a socket, which may be a stale one. */
static void call(struct programs *programs) {
    struct game *game = &programs->game;
    uint8_t what = input_8(game->input), how = input_8(game->input);
    berth_handle *socket = &programs->sockets[(what >> 4) % SOCKETS], accepted;
    struct berth_endpoint local = {.ip = berth_ip_v4(0), .port = game_port(game->input)};
    switch (what & 15) {
    case 0:
    case 1:
        berth_socket_close(game->host, *socket, game->now);
        berth_socket_open(game->host, how & 1 ? 6 : 4,
                          !(how & 2) ? BERTH_TCP
                          : how & 4  ? BERTH_ICMP
                                     : BERTH_UDP,
                          socket);
        break;
    case 2:
        berth_socket_bind(game->host, *socket, &local);
        break;
    case 3:
        if (berth_socket_listen(game->host, *socket, how & 7) == 0 && how & 8)
            berth_socket_set_option(game->host, *socket, BERTH_TCP_DEFER_ACCEPT, 1, game->now);
        break;
    case 4:
        if (berth_socket_accept(game->host, *socket, &accepted) == 0) {
            berth_handle *to = &programs->sockets[how % SOCKETS];
            berth_socket_close(game->host, *to, game->now);
            *to = accepted;
        }
        break;
    case 5:
        connect_it(game, *socket, how);
        break;
    case 6:
    case 7:
    case 8:
        transmit(programs, *socket, how);
        break;
    case 9:
    case 10:
        receive(programs, *socket, how);
        break;
    case 11:
        berth_socket_shutdown(game->host, *socket, how % 3, game->now);
        break;
    case 12:
        if (how & 1)
            berth_socket_close(game->host, *socket, game->now);
        else
            berth_socket_abort(game->host, *socket, game->now);
        break;
    case 13:
        berth_socket_set_option(game->host, *socket, how % (BERTH_V6ONLY + 1),
                                input_8(game->input) - 1, game->now);
        break;
    default:
        look(programs, *socket);
        break;
    }
}

/* Conversations to begin with, as far as the input wants: from there most of it is near. */
static void openings(struct programs *programs) {
    struct game *game = &programs->game;
    uint8_t how = input_8(game->input);
    struct berth_endpoint local = {berth_ip_v4(0), 80}, remote = {game_peer_v4, 7};
    for (int i = 0; i < 3; i++)
        CLAIM(berth_socket_open(game->host, i == 0 ? 6 : 4, i == 2 ? BERTH_UDP : BERTH_TCP,
                                &programs->sockets[i]) == 0);
    berth_socket_bind(game->host, programs->sockets[0], &local);
    berth_socket_listen(game->host, programs->sockets[0], 4);
    berth_socket_bind(game->host, programs->sockets[2], &local);
    berth_socket_connect(game->host, programs->sockets[1], &remote, game->now);
    game_drain(game);
    if (how & 1) {
        game_reply(game, TCP_SYN | TCP_ACK);
        game_drain(game);
        berth_socket_send(game->host, programs->sockets[1], programs->octets,
                          sizeof programs->octets, 0, game->now);
        game_drain(game);
    }
    if (how & 2) {
        game_knock(game, how & 4);
        game_drain(game);
        game_reply(game, how & 8 ? TCP_ACK | TCP_FIN : TCP_ACK);
        game_drain(game);
        berth_socket_accept(game->host, programs->sockets[0], &programs->sockets[3]);
    }
}

static void step(struct programs *programs) {
    static void (*const says[])(struct game *) = {game_segment, game_segment,  game_again,
                                                  game_icmp,    game_datagram, game_fragment,
                                                  game_arp,     game_raw};
    struct game *game = &programs->game;
    struct berth_event events[4];
    uint8_t what = input_8(game->input);
    bool redirects = game->routed && what < 128 && what % 8 == 3 && what & 8;
    /* Memory that has run out is back when time has passed. */
    if (what >= 200 && what < 248)
        counting_recover(&game->counting);
    if (redirects)
        game_redirect(game);
    else if (what < 128)
        says[what % 8](game);
    else if (what < 200)
        call(programs);
    else if (what < 248)
        time_pass(game);
    else if (what < 252)
        game->deaf = what & 1;
    else
        counting_fail_nth(&game->counting, 1 + input_8(game->input) % 8, what & 1);
    /* Sometimes much comes before the host is asked what it has to say. */
    if (!(what & 64))
        game_drain(game);
    while (berth_host_events(game->host, events, 4) == 4)
        continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct programs programs;
    struct input input = {data, size};
    memset(&programs, 0, sizeof programs);
    programs.game.input = &input;
    programs.game.now = BERTH_SECOND;
    host_make(&programs.game);
    openings(&programs);
    for (int i = 0; i < STEPS && input_more(&input); i++)
        step(&programs);
    game_drain(&programs.game);
    berth_host_free(programs.game.host);
    CLAIM(programs.game.counting.blocks == 0);
    return 0;
}
