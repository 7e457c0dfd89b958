/* One host's UDP (RFC 768): what the host and the sockets may call. It queues datagrams; the host
 * routes them. A socket is a 32-bit reference below 2^31 plus its generation, as TCP's are
 * (engine/tcp/tcp.h), and calls give 0, a count or a negative errno, as the berth_socket_* call of
 * the same name says. */
#ifndef ENGINE_UDP_UDP_H
#define ENGINE_UDP_UDP_H

#include "engine/port/port.h"
#include <berth/host.h>
#include <berth/socket.h>

/* A datagram that arrived: its header parsed and its checksum verified by the host. */
struct udp_arrival {
    struct tuple tuple;             /* local is the destination */
    const struct berth_part *parts; /* payload; borrowed; large blocks are held */
    uint8_t part_count;
    uint8_t interface, ttl, tos;
    bool group; /* to a broadcast or multicast address: every socket that matches gets it */
    uint32_t length;
};

/* A datagram to be sent. */
struct udp_emit {
    struct tuple tuple;
    struct berth_part payload; /* the taker drops its block, if there is one */
    uint32_t socket, generation;
    uint8_t interface, ttl, tos; /* ttl 0: the host's default */
    bool dont_fragment;
};

/* Where a datagram goes, as the host's routing said. */
struct udp_way {
    struct berth_ip local;
    struct berth_endpoint remote;
    uint8_t interface;
};

/* IP_MTU_DISCOVER's values. The last two send without DF; OMIT, which nameservers ask for, lets
 * what is larger than the link's MTU be fragmented, too. */
enum { UDP_MTU_DONT, UDP_MTU_WANT, UDP_MTU_DO, UDP_MTU_PROBE, UDP_MTU_INTERFACE, UDP_MTU_OMIT };

struct udp; /* opaque to the host */

struct udp *udp_new(const struct berth_host_config *config, struct random *random,
                    struct berth_counters *counters);
/* A new one without a socket; handles of `old`'s sockets are none of its. NULL: memory. */
struct udp *udp_renewed(const struct udp *old, const struct berth_host_config *config,
                        struct random *random);
void udp_free(struct udp *udp);
struct ports *udp_ports(struct udp *udp);

/* ---- datagrams ---- */
/* False when no socket is there for it (the host answers "port unreachable"). */
bool udp_input(struct udp *udp, const struct udp_arrival *arrival);
bool udp_output(struct udp *udp, struct udp_emit *emit);
bool udp_has_output(const struct udp *udp);
/* True if a socket may have sent a datagram with these ports and addresses. */
bool udp_may_have_sent(struct udp *udp, const struct tuple *tuple);
/* An error about a datagram of ours: errno, positive. True if a socket may have sent it. *reporter:
 * that socket, if it asked for reports (BERTH_IP_RECVERR), else 0. */
bool udp_error(struct udp *udp, const struct tuple *tuple, int error, bool hard,
               uint32_t *reporter);

/* ---- sockets ---- */
int udp_open(struct udp *udp, int family, uint32_t *socket, uint32_t *generation);
bool udp_alive(const struct udp *udp, uint32_t socket, uint32_t generation);
uint32_t udp_generation(const struct udp *udp, uint32_t socket);
/* The host has checked that the address is its own, or a group's. */
int udp_bind(struct udp *udp, uint32_t socket, const struct berth_endpoint *local);
/* Gives an unbound socket a port of the host's choice. */
int udp_autobind(struct udp *udp, uint32_t socket);
int udp_connect(struct udp *udp, uint32_t socket, const struct udp_way *way);
int udp_disconnect(struct udp *udp, uint32_t socket);
/* Queues one datagram. ttl, tos: -1, or in the place of the socket's. */
ssize_t udp_send(struct udp *udp, uint32_t socket, const struct udp_way *way, int ttl, int tos,
                 const void *data, size_t length);
/* Queues a datagram of a socket that may be gone. */
void udp_pass(struct udp *udp, const struct berth_endpoint *source,
              const struct berth_endpoint *destination, const void *data, size_t length,
              bool dont_fragment);
ssize_t udp_receive(struct udp *udp, uint32_t socket, void *data, size_t length,
                    struct berth_datagram *meta, unsigned flags);
int udp_shutdown(struct udp *udp, uint32_t socket, enum berth_how how);
int udp_close(struct udp *udp, uint32_t socket);
int udp_local(const struct udp *udp, uint32_t socket, struct berth_endpoint *local);
int udp_remote(const struct udp *udp, uint32_t socket, struct berth_endpoint *remote);
int udp_set_user(struct udp *udp, uint32_t socket, uint64_t user);
int udp_readiness(const struct udp *udp, uint32_t socket);
int udp_set_option(struct udp *udp, uint32_t socket, enum berth_option option, int value);
int udp_get_option(struct udp *udp, uint32_t socket, enum berth_option option, int *value);
/* The pending error as a negative errno, cleared; 0 if none. */
int udp_take_error(struct udp *udp, uint32_t socket);
/* What SO_ERROR is to say: errno, positive, or 0. */
void udp_set_error(struct udp *udp, uint32_t socket, int error);
/* A report waits: BERTH_ERROR. */
void udp_raise_error(struct udp *udp, uint32_t socket);
bool udp_reports(const struct udp *udp, uint32_t socket);
/* The address it is bound to, or the wildcard; connections aside. */
void udp_bound(const struct udp *udp, uint32_t socket, struct berth_ip *bound);
/* True when it may send no more. */
bool udp_is_shut(const struct udp *udp, uint32_t socket);
int udp_family(const struct udp *udp, uint32_t socket);
/* Of a connected socket. */
const struct udp_way *udp_connection(const struct udp *udp, uint32_t socket);
/* events[].socket and rows[].socket: the reference in the low 32 bits, the generation in the high.
 */
size_t udp_events(struct udp *udp, struct berth_event *events, size_t max);
size_t udp_rows(const struct udp *udp, uint64_t *cursor, struct berth_socket_row *rows, size_t max);

#endif
