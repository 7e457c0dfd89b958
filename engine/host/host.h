/* The inside of a host: the layers, and what goes around between them. */
#ifndef ENGINE_HOST_HOST_H
#define ENGINE_HOST_HOST_H

#include "engine/host/stray.h"
#include "engine/socket/sockets.h"
#include <berth/host.h>

enum {
    LOOP_FRAMES = 64,   /* that wait for the loopback's next round */
    LOOP_ROUNDS = 4096, /* of the loopback in one pull */
    INPUT_BATCH = 32,   /* segments that are hashed and prefetched together */
};

struct berth_host {
    struct sockets sockets; /* first: engine/socket sees no more of a host */
    struct berth_host_config config;
    struct berth_counters counters;
    struct random random, tcp_random;
    struct berth_frame *loop; /* LOOP_FRAMES; taken with the first frame of the host to itself */
    uint32_t loop_count;
    struct strays strays;
    bool udp_events_first;       /* whose turn it is */
    struct berth_host *answerer; /* of diverted connections, or NULL */
};

/* interface.c */
/* IP's word that what fits on an interface has changed. */
void host_resized(void *context, unsigned interface);
/* input.c */
void host_input(struct berth_host *host, unsigned interface, const struct berth_frame *frames,
                size_t count, uint64_t now);
/* A packet that was taken off its link before; its octets need not last. */
void host_input_packet(struct berth_host *host, struct ip_packet *packet, uint64_t now);
/* opening.c */
/* True if the segment was taken: it goes to the answerer, or waits for the caller. */
bool opening_diverts(struct berth_host *host, const struct tcp_emit *emit, uint64_t now);
/* Takes the answerer's next segment in. False: it has none. */
bool answerer_pull(struct berth_host *host, uint64_t now);

/* loopback.c */
/* Takes a frame (given) that the host sends to itself. */
void loop_add(struct berth_host *host, struct berth_frame *frame);
/* Lets the frames that wait come in. */
void loop_round(struct berth_host *host, uint64_t now);
void loop_clear(struct berth_host *host);

#endif
