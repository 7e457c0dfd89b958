/* One host's TCP: what the host and the sockets may call. It emits segments; the host routes them.
 *
 * A socket is a 32-bit reference to its connection record plus the record's generation; the host's
 * socket layer makes berth_handle of the two. All calls give 0, a count or a negative errno, as the
 * berth_socket_* call of the same name documents in <berth/socket.h>. */
#ifndef ENGINE_TCP_TCP_H
#define ENGINE_TCP_TCP_H

#include "engine/port/port.h"
#include <berth/host.h>
#include <berth/socket.h>

enum { TCP_INTERFACES = 32 };

/* What TCP must know of an interface; the host keeps it true. */
struct tcp_interface {
    uint32_t mtu;         /* octets of an IP datagram */
    uint32_t segment_max; /* octets of an IP datagram that may be handed over whole: mtu, or up to
                             65535 */
    uint32_t mtu6;        /* of an IPv6 datagram, where that is less; or 0 */
};

/* A segment that arrived: its header parsed and its checksum verified by the host. */
struct tcp_segment {
    struct tuple tuple; /* local is the destination */
    uint32_t seq, ack;
    uint16_t flags;  /* TCP_FIN.. in engine/wire/tcp.h */
    uint16_t window; /* as on the wire */
    uint16_t urgent;
    const uint8_t *options; /* borrowed */
    uint8_t options_length;
    uint8_t interface;
    uint8_t tos, ttl;
    uint16_t segment_size; /* large segments: payload octets per wire segment, else 0 */
    uint8_t part_count;
    uint32_t length;                /* payload octets */
    const struct berth_part *parts; /* payload; borrowed, blocks are held where octets are kept; a
                                       part without a block is copied */
    uint64_t hash;                  /* ports_hash of the tuple */
};

/* A segment to be sent. TCP fills it; the host puts the IP header before it and computes the
 * checksum. */
struct tcp_emit {
    struct berth_ip local, remote;
    uint8_t interface; /* 0xff: the host routes by the addresses (answers to strangers) */
    uint8_t tos, ttl;  /* ttl 0: the host's default */
    uint8_t header_length;
    uint16_t segment_size; /* 0, or the payload octets per wire segment of a large one */
    uint8_t part_count;
    uint32_t length;                            /* payload octets */
    uint8_t header[60];                         /* checksum field 0 */
    struct berth_part parts[BERTH_FRAME_PARTS]; /* not held; valid until the next call into TCP */
};

struct tcp; /* opaque to the host */

/* config: borrowed for the call. counters: kept while the TCP lives; TCP adds to its tcp_* fields.
 */
struct tcp *tcp_new(const struct berth_host_config *config, struct random *random,
                    struct berth_counters *counters, uint64_t now);
/* A new one of the same configuration and interfaces, without a socket; handles of `old`'s sockets
 * are none of its. NULL: memory. */
struct tcp *tcp_renewed(const struct tcp *old, struct random *random);
void tcp_free(struct tcp *tcp);
struct ports *tcp_ports(struct tcp *tcp);
/* Its own copy of the configuration; what may change while it runs: see berth_host_set_sysctl. */
struct berth_host_config *tcp_config(struct tcp *tcp);
void tcp_set_interface(struct tcp *tcp, unsigned interface, const struct tcp_interface *what);

/* ---- segments and time ---- */
/* True if these four numbers are a connection's or one's to be, TIME-WAIT apart: its place may be
 * taken anew. */
bool tcp_knows(struct tcp *tcp, const struct tuple *tuple);
void tcp_input(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now);
/* Gives the next segment to be sent; false when nothing waits. */
bool tcp_output(struct tcp *tcp, struct tcp_emit *emit, uint64_t now);
bool tcp_has_output(const struct tcp *tcp);
uint64_t tcp_deadline(struct tcp *tcp);
void tcp_advance(struct tcp *tcp, uint64_t now);
/* True if `seq` may be the sequence number of a segment there that is on its way. */
bool tcp_may_have_sent(struct tcp *tcp, const struct tuple *tuple, uint32_t seq);
/* An ICMP error that quotes a segment of ours: errno for the application, hard or soft (RFC
 * 9293 3.9.2.2, RFC 5927: `seq` must lie in what is in flight). mtu: the next hop's for
 * "fragmentation needed", else 0. The socket whose attempt to connect it is about and who asked for
 * reports (BERTH_IP_RECVERR), else 0. */
uint32_t tcp_icmp_error(struct tcp *tcp, const struct tuple *tuple, uint32_t seq, int error,
                        bool hard, uint32_t mtu, uint64_t now);

/* ---- sockets ---- */
/* *socket: the record's reference, *generation: its generation. */
int tcp_open(struct tcp *tcp, int family, uint32_t *socket, uint32_t *generation);
/* True if that generation of the record lives. */
bool tcp_alive(const struct tcp *tcp, uint32_t socket, uint32_t generation);
uint32_t tcp_generation(const struct tcp *tcp, uint32_t socket);

/* The host has checked that the address is its own. */
int tcp_bind(struct tcp *tcp, uint32_t socket, const struct berth_endpoint *local);
int tcp_listen(struct tcp *tcp, uint32_t socket, int backlog);
int tcp_accept(struct tcp *tcp, uint32_t socket, uint32_t *connection);
/* local: the source address that the host's routing chose (ignored if the socket is bound to a
 * specific address); interface: where the route leads. */
int tcp_connect(struct tcp *tcp, uint32_t socket, const struct berth_ip *local, unsigned interface,
                const struct berth_endpoint *remote, uint64_t now);
ssize_t tcp_send(struct tcp *tcp, uint32_t socket, const void *data, size_t length, unsigned flags,
                 uint64_t now);
ssize_t tcp_send_block(struct tcp *tcp, uint32_t socket, struct berth_block *block, size_t offset,
                       size_t length, unsigned flags, uint64_t now);
ssize_t tcp_send_space(struct tcp *tcp, uint32_t socket);
ssize_t tcp_receive(struct tcp *tcp, uint32_t socket, void *data, size_t length, unsigned flags,
                    uint64_t now);
int tcp_borrow(struct tcp *tcp, uint32_t socket, struct berth_part *parts, int max);
int tcp_give_back(struct tcp *tcp, uint32_t socket, size_t length, uint64_t now);
ssize_t tcp_urgent(struct tcp *tcp, uint32_t socket);
int tcp_shutdown(struct tcp *tcp, uint32_t socket, enum berth_how how, uint64_t now);
int tcp_close(struct tcp *tcp, uint32_t socket, uint64_t now);
int tcp_abort(struct tcp *tcp, uint32_t socket, uint64_t now);
int tcp_local(const struct tcp *tcp, uint32_t socket, struct berth_endpoint *local);
int tcp_remote(const struct tcp *tcp, uint32_t socket, struct berth_endpoint *remote);
int tcp_set_user(struct tcp *tcp, uint32_t socket, uint64_t user);
int tcp_readiness(const struct tcp *tcp, uint32_t socket);
int tcp_set_option(struct tcp *tcp, uint32_t socket, enum berth_option option, int value,
                   uint64_t now);
int tcp_get_option(struct tcp *tcp, uint32_t socket, enum berth_option option, int *value);
int tcp_info(const struct tcp *tcp, uint32_t socket, struct berth_tcp_info *info);
/* Events: up to `max`; events[].socket holds the bare reference (low 32 bits) and generation (high
 * 32 bits). */
size_t tcp_events(struct tcp *tcp, struct berth_event *events, size_t max);
/* Rows of all records (connections, half-open ones, TIME-WAIT ones), socket as for tcp_events. */
size_t tcp_rows(const struct tcp *tcp, uint64_t *cursor, struct berth_socket_row *rows, size_t max,
                uint64_t now);

#endif
