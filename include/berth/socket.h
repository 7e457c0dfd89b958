/* Sockets of a host. Never blocking: 0 or a count, or a negative errno (-EAGAIN where a call would
 * wait). Linux's semantics and errno are meant everywhere. Every pointer argument is borrowed for
 * the call. */
#ifndef BERTH_SOCKET_H
#define BERTH_SOCKET_H

#include <berth/host.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum berth_protocol {
    /* Echo requests, as Linux's SOCK_DGRAM sockets of IPPROTO_ICMP (family 4) and IPPROTO_ICMPV6
     * (6). Datagrams are whole ICMP messages: requests (8 or 128) go out with the socket's port as
     * their identifier and with their checksum; their answers come. Remote ports are 0. */
    BERTH_ICMP = 1,
    BERTH_TCP = 6,
    BERTH_UDP = 17,
};

/* A new, unbound socket. family: 4, or 6 (dual-stack unless BERTH_V6ONLY).
 * -EAFNOSUPPORT, -EPROTONOSUPPORT, -ENOBUFS (limit), -ENOMEM. */
int berth_socket_open(struct berth_host *host, int family, enum berth_protocol protocol,
                      berth_handle *socket);

/* Linux's rules. Port 0: the host chooses. -EINVAL (bound already), -EADDRNOTAVAIL (not our
 * address), -EADDRINUSE. */
int berth_socket_bind(struct berth_host *host, berth_handle socket,
                      const struct berth_endpoint *local);
/* Who holds the port that a bind to `local` would need: the handle of the first conflicting socket,
 * or 0. */
berth_handle berth_socket_port_owner(struct berth_host *host, enum berth_protocol protocol,
                                     const struct berth_endpoint *local);
/* True if a connection that comes for `local`, one of the host's own addresses, finds a listener.
 */
bool berth_socket_port_listened(struct berth_host *host, const struct berth_endpoint *local);
/* Makes it a listener (an unbound one gets an ephemeral port), or changes its backlog. backlog is
 * clamped to 0..4096. -EADDRINUSE, -EINVAL (connected). */
int berth_socket_listen(struct berth_host *host, berth_handle socket, int backlog);
/* Takes a connection from the listener's queue; -EAGAIN, -EINVAL (not listening). */
int berth_socket_accept(struct berth_host *host, berth_handle listener, berth_handle *connection);
/* TCP: starts an active open: -EINPROGRESS, and BERTH_CONNECTED or BERTH_ERROR follows; -EALREADY,
 * -EISCONN, -EADDRNOTAVAIL (no port left), -EADDRINUSE (these four numbers are in use),
 * -ENETUNREACH, -EACCES (broadcast), -ECONNREFUSED and so on when the last attempt failed. UDP:
 * sets the peer, 0; remote NULL dissolves it. */
int berth_socket_connect(struct berth_host *host, berth_handle socket,
                         const struct berth_endpoint *remote, uint64_t now);

enum berth_message_flags {
    BERTH_MSG_OOB = 1u << 0,  /* the last octet is urgent */
    BERTH_MSG_PEEK = 1u << 1, /* receive: leave it in the queue */
    BERTH_MSG_MORE = 1u << 2, /* more follows: a partial segment may wait */
};

/* TCP: copies octets into the send buffer; returns how many were taken. -EAGAIN, -EPIPE,
 * -ECONNRESET and the other pending errors, -ENOTCONN. UDP: a datagram to the connected peer. */
ssize_t berth_socket_send(struct berth_host *host, berth_handle socket, const void *data,
                          size_t length, unsigned flags, uint64_t now);
/* TCP: copies received octets out; 0 at the end of the stream; -EAGAIN. UDP: the next datagram, cut
 * to `length`. */
ssize_t berth_socket_receive(struct berth_host *host, berth_handle socket, void *data,
                             size_t length, unsigned flags, uint64_t now);

/* ---- without copying (TCP) ---- */

/* Octets that berth_socket_send would take now; 0 if full; negative errno as berth_socket_send. */
ssize_t berth_socket_send_space(struct berth_host *host, berth_handle socket);
/* Queues block->data[offset .. offset+length) by reference (short runs may be copied). The bytes
 * must not change any more. Takes all or, past the send buffer's limit, what fits; returns the
 * count. Errors as send. */
ssize_t berth_socket_send_block(struct berth_host *host, berth_handle socket,
                                struct berth_block *block, size_t offset, size_t length,
                                unsigned flags, uint64_t now);
/* Points parts[0..max) at received octets in order, from the read position on; each part's block
 * keeps its bytes alive, but only berth_block_hold() keeps the block once the octets are given
 * back. Never crosses the urgent octet: a run ends just before it, and a run that starts at it
 * holds it alone (see berth_socket_urgent). Returns the number of parts; 0 with nothing to read;
 * negative errno. */
int berth_socket_borrow(struct berth_host *host, berth_handle socket, struct berth_part *parts,
                        int max);
/* Takes the first `length` octets out of the receive queue (no more than were there). */
int berth_socket_give_back(struct berth_host *host, berth_handle socket, size_t length,
                           uint64_t now);
/* Octets before the urgent one (SIOCATMARK is 0), or -EINVAL when there is none unread. */
ssize_t berth_socket_urgent(struct berth_host *host, berth_handle socket);

/* ---- datagrams (UDP) ---- */

struct berth_datagram {
    struct berth_endpoint source;      /* receive: who sent it. send: leave zero */
    struct berth_endpoint destination; /* receive: the local address it came to. send: where to */
    size_t length;                     /* receive: the datagram's whole length, even if cut */
    int interface;
    uint8_t ttl, tos;
};
/* `to` NULL: the connected peer. -EDESTADDRREQ, -EMSGSIZE (over 65507, over IPv6 65527),
 * -ENETUNREACH, -EACCES (broadcast not allowed), -EAGAIN (queue full), -ECONNREFUSED (pending, then
 * cleared), -EINVAL (port 0). */
ssize_t berth_socket_send_to(struct berth_host *host, berth_handle socket, const void *data,
                             size_t length, const struct berth_endpoint *to, uint64_t now);
/* What one datagram shall have in the place of its socket's. */
struct berth_send_options {
    struct berth_ip source; /* one of the host's addresses; unspecified: as ever */
    int ttl, tos;           /* -1: as ever */
};
/* The same with options, which may be NULL. -ENETUNREACH (IPv6: -EINVAL): not our address; -EINVAL:
 * not of that family. */
ssize_t berth_socket_send_with(struct berth_host *host, berth_handle socket, const void *data,
                               size_t length, const struct berth_endpoint *to,
                               const struct berth_send_options *options, uint64_t now);
/* Returns the octets copied (the datagram is cut to `length`); `meta` may be NULL. -EAGAIN, pending
 * errors. */
ssize_t berth_socket_receive_from(struct berth_host *host, berth_handle socket, void *data,
                                  size_t length, struct berth_datagram *meta, unsigned flags);

/* ---- what went wrong (BERTH_IP_RECVERR) ---- */

enum berth_error_origin { BERTH_BY_HOST = 1, BERTH_BY_ICMP, BERTH_BY_ICMP6 }; /* SO_EE_ORIGIN_* */

/* An ICMP error about what the socket sent (TCP: about its attempt to connect), or that a datagram
 * was too long. */
struct berth_error_report {
    struct berth_endpoint remote; /* where it was to go */
    struct berth_ip offender;     /* who said so; unspecified for BERTH_BY_HOST */
    struct berth_ip local;        /* the address of ours that was told */
    int error;                    /* errno, positive */
    uint32_t info;                /* an MTU, or the place of what is wrong */
    size_t length;                /* octets that are quoted, even if cut */
    int interface;
    uint8_t origin, type, code; /* enum berth_error_origin; ICMP's */
    uint8_t ttl, tos;           /* of the message */
};
/* Takes the oldest report; returns the octets copied of what it quotes: the datagram's payload, an
 * echo request or a segment from its header on. Reports wait as long as they fit into the receive
 * buffer; what comes then is not reported. With BERTH_MSG_PEEK it stays. The pending error becomes
 * the next report's, or none. -EAGAIN; BERTH_ERROR holds while there are any. */
ssize_t berth_socket_receive_report(struct berth_host *host, berth_handle socket, void *data,
                                    size_t length, struct berth_error_report *report,
                                    unsigned flags);

/* ---- the end ---- */

/* With BERTH_SHUT_RD what is there, and what still comes, can be read, and then 0 instead of
 * -EAGAIN. With both directions shut (a FIN was sent) what comes is lost, and the peer gets a RST.
 */
enum berth_how { BERTH_SHUT_RD = 0, BERTH_SHUT_WR = 1, BERTH_SHUT_RDWR = 2 };
int berth_socket_shutdown(struct berth_host *host, berth_handle socket, enum berth_how how,
                          uint64_t now);
/* The handle is stale at once; what is still to be sent is sent (or a RST if unread data is lost,
 * RFC 9293 3.6.1; SO_LINGER 0 too). A listener's waiting connections are reset. */
int berth_socket_close(struct berth_host *host, berth_handle socket, uint64_t now);
/* RST, whatever is queued; the handle is stale at once. */
int berth_socket_abort(struct berth_host *host, berth_handle socket, uint64_t now);

/* ---- names, options, looking ---- */

int berth_socket_local(const struct berth_host *host, berth_handle socket,
                       struct berth_endpoint *local);
/* -ENOTCONN. */
int berth_socket_remote(const struct berth_host *host, berth_handle socket,
                        struct berth_endpoint *remote);
int berth_socket_set_user(struct berth_host *host, berth_handle socket, uint64_t user);
/* The level: enum berth_event_bits that hold now (readable, writable, acceptable, peer closed,
 * error, closed). */
int berth_socket_readiness(const struct berth_host *host, berth_handle socket);

enum berth_option {
    BERTH_SO_REUSEADDR,
    BERTH_SO_REUSEPORT,
    BERTH_SO_KEEPALIVE,
    BERTH_SO_BROADCAST,
    BERTH_SO_LINGER, /* -1 off, else seconds */
    BERTH_SO_OOBINLINE,
    BERTH_SO_SNDBUF,
    BERTH_SO_RCVBUF,
    BERTH_SO_MAX_PACING_RATE, /* octets a second, 32 bits without a sign; -1: no limit */
    BERTH_SO_ERROR,           /* get: the pending error (positive errno), cleared */
    BERTH_SO_ACCEPTCONN,      /* get */
    BERTH_TCP_NODELAY,
    BERTH_TCP_CORK,
    BERTH_TCP_QUICKACK,
    BERTH_TCP_MAXSEG,
    BERTH_TCP_KEEPIDLE, /* s */
    BERTH_TCP_KEEPINTVL,
    BERTH_TCP_KEEPCNT,
    BERTH_TCP_SYNCNT,
    BERTH_TCP_LINGER2,      /* s; -1: do not wait in FIN-WAIT-2 */
    BERTH_TCP_USER_TIMEOUT, /* ms */
    BERTH_TCP_DEFER_ACCEPT, /* s: rounded up to a SYN-ACK's retransmission */
    BERTH_TCP_NOTSENT_LOWAT,
    BERTH_TCP_CONGESTION, /* enum berth_congestion; -ENOENT for another number */
    BERTH_IP_TTL,
    BERTH_IP_TOS,
    BERTH_IP_RECVERR,
    BERTH_IP_MTU_DISCOVER,
    BERTH_V6ONLY,
};
/* -ENOPROTOOPT, -EINVAL. */
int berth_socket_set_option(struct berth_host *host, berth_handle socket, enum berth_option option,
                            int value, uint64_t now);
int berth_socket_get_option(struct berth_host *host, berth_handle socket, enum berth_option option,
                            int *value);

/* RFC 9293 section 3.3.2, numbered as Linux does, so that TCP_INFO and `ss` need no map. */
enum berth_tcp_state {
    BERTH_ESTABLISHED = 1,
    BERTH_SYN_SENT,
    BERTH_SYN_RECEIVED,
    BERTH_FIN_WAIT_1,
    BERTH_FIN_WAIT_2,
    BERTH_TIME_WAIT,
    BERTH_TCP_CLOSED,
    BERTH_CLOSE_WAIT,
    BERTH_LAST_ACK,
    BERTH_LISTEN,
    BERTH_CLOSING,
};

struct berth_tcp_info {
    uint8_t state, send_wscale, receive_wscale;
    uint8_t options; /* bit 0 timestamps, 1 SACK, 2 wscale, 3 ECN, 4 ECN and seen in use */
    uint8_t retransmits, backoff, probes;
    uint8_t congestion;          /* enum berth_congestion */
    uint8_t recovery;            /* Linux's tcpi_ca_state: 0 open, 1 disorder, 3 recovery, 4 loss */
    uint8_t reordering;          /* 1: reordering was seen */
    uint8_t application_limited; /* delivery_rate was no more for no more was to be sent */
    uint32_t send_mss, receive_mss, mtu;
    uint64_t rto, srtt, rttvar; /* ns */
    uint64_t min_rtt;           /* ns; 0: no sample yet */
    uint64_t delayed_ack;       /* ns */
    uint32_t cwnd;              /* octets */
    uint32_t ssthresh;          /* octets; UINT32_MAX: none yet */
    uint32_t send_window, receive_window;
    uint32_t unacked; /* octets in flight */
    /* Octets, ss's Send-Q and Recv-Q; for a listener backlog and waiting. */
    uint32_t send_queue, receive_queue;
    /* Octets of those in flight that the peer holds (SACK); lost and to be sent again; sent again.
     */
    uint32_t sacked, lost, resent;
    uint64_t pacing_rate; /* octets a second: what the windows ask for; 0: not known yet */
    /* Counters, from the beginning or (tcp_keep_tallies is 0) since the connection was idle.
     * Segments are counted as on the wire, a large frame as those that it becomes. */
    uint32_t retransmitted; /* segments */
    uint32_t segments_out, segments_in, data_segments_out, data_segments_in;
    uint32_t out_of_order; /* segments that came so */
    uint32_t dsacks;       /* duplicates that the peer has told of (RFC 2883) */
    uint32_t received_mss; /* octets of the longest segment that came */
    uint64_t bytes_acked, bytes_received, bytes_sent, bytes_retransmitted;
    uint64_t delivery_rate; /* octets a second, of a round trip */
    uint64_t busy;          /* ns with octets unacknowledged */
    uint64_t now;           /* the host's time, which stands still while nothing happens on it */
    /* Of `busy`, ns: the peer's window held octets back; the send buffer was too small. */
    uint64_t window_limited, buffer_limited;
    uint32_t
        reordering_degree;    /* segments that octets were late by at most; 3 at first, as Linux */
    uint32_t reordering_seen; /* how many times they were */
    uint32_t pacing_rate_max; /* SO_MAX_PACING_RATE; UINT32_MAX: none */
    uint32_t marked;          /* segments whose acknowledgment echoed a mark (ECN) */
    uint64_t receive_rtt;     /* ns: of the receive buffer's tuning; 0: no sample yet */
    uint32_t receive_space;   /* octets that the application read in one, at most */
    uint32_t receive_clamp;   /* how far the window may be open */
    /* ns from then to `now`: data was sent, data came, anything came; BERTH_NEVER: it did not */
    uint64_t since_sent, since_received, since_heard;
};
int berth_socket_tcp_info(const struct berth_host *host, berth_handle socket,
                          struct berth_tcp_info *info);

/* One row of the host's sockets. TIME-WAIT and half-open records come with socket 0. */
struct berth_socket_row {
    berth_handle socket;
    uint64_t user;
    enum berth_protocol protocol;
    int family;
    uint8_t state; /* enum berth_tcp_state; UDP: BERTH_TCP_CLOSED, or BERTH_ESTABLISHED when
                      connected */
    struct berth_endpoint local, remote;
    uint32_t receive_queue, send_queue;
    uint64_t timer; /* ns until its timer fires; 0 none */
};
/* Sockets of BERTH_ICMP have no rows. Copies rows from *cursor on (0 at first, then what the last
 * call left there), at most `max`. Returns how many; 0 at the end. Rows that come or go in between
 * may be missed or seen. */
size_t berth_host_sockets(const struct berth_host *host, uint64_t *cursor,
                          struct berth_socket_row *rows, size_t max);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
