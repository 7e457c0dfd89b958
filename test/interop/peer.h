/* The Berth end of the interoperation test: a network with one host, and the TAP device as its
 * outside. */
#ifndef TEST_INTEROP_PEER_H
#define TEST_INTEROP_PEER_H

#include <berth/network.h>
#include <stdbool.h>
#include <stdio.h>

struct peer;

/* How one connection behaves; see talk.c. */
enum role {
    SERVE_ECHO,
    SERVE_SINK,
    SERVE_SOURCE,
    SERVE_HTTP,
    ASK_ECHO,
    ASK_SINK,
    ASK_SOURCE,
    ASK_HTTP,
};

struct talk {
    enum role role;
    berth_handle socket;
    uint64_t seed, in, out, target; /* octets of the pattern that came, went, and are to go */
    bool connected, in_ended, out_ended, bad;
    uint32_t line_length, reply_length, reply_sent;
    char line[1024];  /* a request, an answer, a head: what is not pattern */
    char reply[1024]; /* ours */
    uint8_t *echo;    /* what came and did not go back yet */
    uint32_t echo_start, echo_end;
};

struct peer_options {
    const char *tap, *capture, *path; /* path: what ASK_HTTP gets */
    bool serve, corrupt_one;
    enum role role;
    struct berth_endpoint remote;
    uint32_t connections;
    uint64_t octets;
    struct berth_impairment impairment;
    struct berth_host_config host; /* as --set changed it */
    uint32_t mtu, black_hole;      /* black_hole: larger frames vanish, both ways; 0: none do */
    struct berth_ip gateways[2];   /* of default routes */
    unsigned gateway_count;
};

struct peer {
    const struct peer_options *options;
    struct berth_network *network;
    struct berth_host *host;
    int host_number, outside, tap;
    uint64_t now;
    FILE *capture;
    struct talk **talks;
    uint32_t talk_count, talk_size;
    uint32_t connected, done, failed;
    bool corrupted;
    berth_handle udp_echo, listeners[4];
};

/* talk.c */
/* Goes on with a conversation as far as it goes. False when it is over: its socket is closed, `bad`
 * says how it went. */
bool talk_step(struct peer *peer, struct talk *talk, uint32_t bits);

/* services.c */
bool services_start(struct peer *peer);
bool clients_start(struct peer *peer);
void services_event(struct peer *peer, const struct berth_event *event);

/* tap_peer.c */
_Noreturn void fatal(const char *what, int error);

#endif
