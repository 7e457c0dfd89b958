/* A host: one computer's TCP, UDP and IP as an object.
 *
 * It does no I/O and reads no clock. The caller moves frames and time:
 *
 *   berth_host_input()     a batch of frames that arrived on an interface
 *   berth_host_output()    pulls the frames that are to be sent
 *   berth_host_deadline()  when it wants berth_host_advance() to be called at the latest
 *   berth_host_advance()   time has come to `now`: timers fire
 *   berth_host_events()    what became of the sockets since the last call (edges, no callbacks)
 *
 * input() updates state and sends nothing; what is to be sent waits for output(), so one pull
 * answers a whole batch. After any call on a socket or with input or advance, pull until output()
 * returns 0, then read the events.
 *
 * `now` is in nanoseconds, monotonic, from the caller; time that goes back is treated as standing
 * still. The same configuration, seed, frames, times and calls give the same frames. */
#ifndef BERTH_HOST_H
#define BERTH_HOST_H

#include <berth/addr.h>
#include <berth/frame.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct berth_host; /* opaque */

/* A socket's handle: index and generation. A stale one is -EBADF, never a crash. 0 is never valid.
 */
typedef uint64_t berth_handle;

#define BERTH_NEVER UINT64_MAX
#define BERTH_MS UINT64_C(1000000)
#define BERTH_SECOND UINT64_C(1000000000)

/* Algorithms of congestion control. */
enum berth_congestion {
    BERTH_CUBIC = 0,   /* "cubic": RFC 9438 */
    BERTH_NEWRENO = 1, /* "reno": RFC 5681, 6582 */
};
/* The algorithm's name as Linux has it (NULL: no such number), and the number of a name or -ENOENT.
 */
const char *berth_congestion_name(int congestion);
int berth_congestion_find(const char *name);

/* Set size with berth_host_config_init(), then change what you like. Times in nanoseconds. */
struct berth_host_config {
    size_t size; /* of this struct; set by berth_host_config_init */
    struct berth_allocator allocator;
    uint8_t
        seed[32]; /* all randomness is keyed by it; fill it from getrandom() or a test's constant */
    uint16_t port_first;          /* ephemeral range, inclusive: 1024 */
    uint16_t port_last;           /* 65535 */
    size_t memory_limit;          /* bytes of socket buffers in all; 0: none */
    uint32_t tcp_max_sockets;     /* records of connections; default 16 million, at most 64 */
    uint32_t tcp_send_buffer;     /* octets that a send buffer grows to: 4 MiB */
    uint32_t tcp_receive_buffer;  /* the same of a receive buffer: 6 MiB; its half is the window,
                                     whose scale follows it */
    uint64_t tcp_rto_initial;     /* 1 s    (RFC 6298) */
    uint64_t tcp_rto_min;         /* 200 ms (Linux) */
    uint64_t tcp_rto_max;         /* 120 s  (Linux) */
    uint64_t tcp_delayed_ack;     /* 40 ms  (Linux) */
    uint64_t tcp_time_wait;       /* 60 s   (Linux) */
    uint64_t tcp_fin_wait_2;      /* 60 s for orphans (Linux tcp_fin_timeout) */
    uint32_t tcp_time_wait_max;   /* records: 262144 (Linux tcp_max_tw_buckets) */
    uint32_t tcp_syn_backlog_max; /* half-open records of the host: 65536 */
    uint8_t tcp_syn_retries;      /* 6 */
    uint8_t tcp_synack_retries;   /* 5 */
    uint8_t tcp_retries_1;        /* 3:  then the route is doubted (R1) */
    uint8_t tcp_retries_2;        /* 15: then the connection ends (R2) */
    uint8_t tcp_initial_window;   /* segments: 10 (RFC 6928) */
    uint8_t tcp_congestion;       /* enum berth_congestion: BERTH_CUBIC */
    /* 1: cwnd shrinks while it is not used (RFC 2861) */
    uint8_t tcp_slow_start_after_idle;
    /* SYN cookies (RFC 4987 3.6). 1: when a listener has its share of half-open records; 0: never;
     * 2: always */
    uint8_t tcp_syncookies;
    /* ECN (RFC 3168). 2: for who asks; 1: and we ask; 0: not at all */
    uint8_t tcp_ecn;
    uint8_t tcp_timestamps;     /* 1 */
    uint8_t tcp_window_scaling; /* 1 */
    /* RFC 4821, RFC 8899. 1: segments shrink where large ones vanish, and larger ones are tried
     * again; 0: never; 2: and they begin small */
    uint8_t tcp_mtu_probing;
    uint8_t tcp_sack;            /* 1: selective acknowledgment (Linux net.ipv4.tcp_sack) */
    uint32_t udp_receive_buffer; /* octets a socket queues: 212992 */
    uint64_t keepalive_idle;     /* 7200 s */
    uint64_t keepalive_interval; /* 75 s */
    uint8_t keepalive_probes;    /* 9 */
    uint8_t default_ttl;         /* 64 */
    uint32_t neighbor_max;       /* entries of the neighbour cache: 1024 */
    uint64_t neighbor_reachable; /* 30 s */
    uint32_t reassembly_limit;   /* octets held for incomplete datagrams: 4 MiB (Linux
                                    ipfrag_high_thresh) */
    uint64_t reassembly_timeout; /* 30 s */
    /* Keys the initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 7.1) of
     * connections; zeroes: made from the seed. A host that takes the place of an earlier one at the
     * same address should have the same, so that its new connections are beyond the old ones that
     * still wait in their peers' TIME-WAIT (RFC 6191). */
    uint8_t tcp_secret[32];
    uint64_t reassembly6_timeout; /* of IPv6 datagrams: 60 s (RFC 8200 4.5) */
    uint8_t ipv6_notify; /* new IPv6 addresses are told to the link (Linux's ndisc_notify): 0 */
    /* 1: what berth_tcp_info counts outlasts a connection's idleness, for 300 octets each: 0 */
    uint8_t tcp_keep_tallies;
    /* 1: what comes for others is sent on, as net.ipv4.ip_forward and net.ipv6.conf.all.forwarding:
     * 0 */
    uint8_t ip_forward, ip6_forward;
    uint32_t tcp_probe_threshold; /* octets: a search for larger segments ends within them: 8 */
    uint64_t tcp_probe_interval;  /* and begins again: 600 s */
    uint64_t path_mtu_expires;    /* what routers said of a path is forgotten: 600 s (RFC 1191 6.3,
                                     Linux's net.ipv4.route.mtu_expires) */
    /* 1: receive buffers grow with what the application reads in a round trip (Linux's sysctl of
     * that name) */
    uint8_t tcp_moderate_rcvbuf;
    /* What buffers begin with, and what they have when memory is short (Linux's tcp_wmem 4096 16384
     * 4194304, tcp_rmem 4096 131072 6291456) */
    uint32_t tcp_send_buffer_default, tcp_send_buffer_min;
    uint32_t tcp_receive_buffer_default, tcp_receive_buffer_min;
    /* Requests for a neighbour's link address, one a second, before it counts as not there: 3 (RFC
     * 4861 10; Linux's net.ipv4.neigh.default.mcast_solicit, net.ipv6...) */
    uint8_t arp_requests, nd_requests;
    /* How often a group is reported unasked when it is joined or left (RFC 3810, RFC 2710; Linux's
     * net.ipv6.mld_qrv: 2). For links whose switches pass on what is for a group to its listeners
     * only; computers that have only each other need none: 0 */
    uint8_t mld_robustness;
    /* Duplicate address detection (RFC 4862 5.4) of the IPv6 addresses that are added from then on,
     * as Linux's net.ipv6.conf.default.dad_transmits and accept_dad: how often the link is asked
     * whether somebody has the address, before it is the host's, some 1 to 2 s later. 0 (Linux: 1),
     * so that an address is there when it is added: right where whoever adds it knows that it is
     * unique, as berth_network_* does; with others on the link say 1. accept_dad 0: never; 2: where
     * the link-local address is a duplicate, IPv6 ends on that interface: 1 */
    uint8_t dad_transmits, accept_dad;
    /* Routers' advertisements (RFC 4861 6.3, RFC 4862 5.5), as Linux's net.ipv6.conf.default.* of
     * these names. accept_ra 1: they are asked for and listened to (default routers, prefixes, hop
     * limit, MTU, neighbours' times), unless the host forwards; 2: even then; 0 (Linux: 1), for a
     * host's addresses and routes are its maker's. autoconf 1: addresses are made of the prefixes,
     * with the link address as EUI-64 (addr_gen_mode 0), at most 16. router_solicitations: how
     * often, 4 s apart: 3 (RFC 4861 10; Linux: -1, for ever). Neither DHCPv6 nor names are asked
     * for. */
    uint8_t accept_ra, autoconf, router_solicitations;
    /* Redirects (RFC 1122 3.2.2.2, RFC 4861 8), as Linux's net.ipv4.conf.all.* of these names and
     * net.ipv6.conf.all.accept_redirects. 1: a router may name a better one for a destination, or
     * say that it is on the link, unless the host forwards. secure_redirects 1 and shared_media 0:
     * only gateways of default routes (IPv4). All 1 */
    uint8_t accept_redirects, secure_redirects, shared_media, accept_redirects6;
    /* 1: a host that forwards tells neighbours of a better router, as Linux's
     * net.ipv4.conf.all.send_redirects (IPv4; of IPv6 it always does): 1 */
    uint8_t send_redirects;
};

void berth_host_config_init(struct berth_host_config *config);
/* Sets what Linux's sysctl of that name does ("net.ipv4.tcp_congestion_control", "reno").
 * -ENOENT: no such name here; -EINVAL: no such value. */
int berth_sysctl_set(struct berth_host_config *config, const char *name, const char *value);
/* The names, one by one; NULL after the last. */
const char *berth_sysctl_name(size_t index);

/* A host with no interface but its loopback (127.0.0.0/8 and ::1). `config`: borrowed; NULL for the
 * defaults, with a seed of zeroes. Returns NULL when memory is out or the configuration makes no
 * sense. */
struct berth_host *berth_host_new(const struct berth_host_config *config);
/* Frees the host and all it holds; sends nothing. NULL is allowed. */
void berth_host_free(struct berth_host *host);

/* ---- interfaces and addresses ---- */

enum berth_link_type { BERTH_LINK_ETHERNET = 1, BERTH_LINK_RAW_IP = 2 };

enum berth_offloads {
    BERTH_OFFLOAD_CHECKSUM = 1u << 0, /* frames may go out with BERTH_FRAME_NO_CHECKSUM */
    BERTH_OFFLOAD_SEGMENT = 1u << 1,  /* frames may carry up to 64 KiB, with segment_size set */
};

struct berth_interface_config {
    enum berth_link_type link;
    uint32_t mtu;     /* octets of an IP datagram: 68..65535 */
    uint8_t mac[6];   /* Ethernet only */
    uint8_t offloads; /* enum berth_offloads */
};

/* Adds an interface; returns its number (1 and up; 0 is the loopback) or -ENOMEM, -EINVAL, -ENOSPC.
 */
int berth_host_add_interface(struct berth_host *host, const struct berth_interface_config *config);
/* Changes what the link does for us and its MTU (an impaired link loses its offloads). 0, -ENODEV,
 * -EINVAL. */
int berth_host_set_interface(struct berth_host *host, int interface, uint32_t mtu,
                             uint8_t offloads);
/* Gives the interface an address with its on-link prefix (0..32 for IPv4, 0..128 for IPv6). The
 * first IPv6 address of an interface brings its link-local one along. 0, -ENODEV, -EEXIST,
 * -ENOSPC, -EINVAL (no host's address, or IPv6 on a link with an MTU below 1280), -EACCES (IPv6 has
 * ended there: accept_dad). */
int berth_host_add_address(struct berth_host *host, int interface, const struct berth_ip *address,
                           unsigned prefix);
/* Gives the interface its link-local IPv6 address; with accept_ra what routers say adds the rest.
 * Errors as above; -EEXIST: it has it. */
int berth_host_add_link_local(struct berth_host *host, int interface);
/* Adds a route to prefix/length through `gateway` (NULL: on link). Longest prefix wins.
 * 0, -ENODEV, -EINVAL, -ENETUNREACH (the gateway is not on link), -ENOSPC. */
int berth_host_add_route(struct berth_host *host, int interface, const struct berth_ip *prefix,
                         unsigned length, const struct berth_ip *gateway);
struct berth_route {
    struct berth_ip prefix, gateway; /* gateway unspecified (0.0.0.0, ::): on link */
    unsigned length;
    int interface;
};
/* Writes up to `max` routes, longest prefix first; returns how many there are. */
size_t berth_host_routes(const struct berth_host *host, struct berth_route *routes, size_t max);
/* The route that a datagram to that destination takes; the loopback with the destination's own
 * prefix for the host's own addresses. 0 or -ENETUNREACH. */
int berth_host_find_route(const struct berth_host *host, const struct berth_ip *destination,
                          struct berth_route *route);
/* Changes the ephemeral range, as net.ipv4.ip_local_port_range. 0 or -EINVAL (first > last or first
 * 0). */
int berth_host_set_port_range(struct berth_host *host, uint16_t first, uint16_t last);
/* As berth_sysctl_set, for a host that is there: connections to come go by it, and those that are
 * there where nothing of it was agreed upon. */
int berth_host_set_sysctl(struct berth_host *host, const char *name, const char *value);
enum berth_address_state {
    BERTH_ADDRESS_ASSIGNED = 0,
    BERTH_ADDRESS_TENTATIVE = 1, /* being tried for duplicates: not to be used yet */
    BERTH_ADDRESS_DUPLICATE = 2, /* somebody else on the link has it: not to be used */
};
struct berth_address {
    int interface;
    unsigned prefix;
    struct berth_ip ip;
    uint8_t mac[6];
    bool deprecated; /* its preferred lifetime is over: new talks are from others */
    uint32_t mtu;
    enum berth_address_state state;
    uint64_t valid_until, preferred_until; /* BERTH_NEVER unless it comes from a router */
};
/* Writes up to `max` interface addresses (loopback's too); returns how many there are. */
size_t berth_host_addresses(const struct berth_host *host, struct berth_address *addresses,
                            size_t max);
/* Who is on the links, as far as it is known (ARP, neighbour discovery). States as Linux's NUD_*.
 */
enum berth_neighbor_state {
    BERTH_NEIGHBOR_INCOMPLETE = 1, /* asked for; no link address yet */
    BERTH_NEIGHBOR_REACHABLE = 2,
    BERTH_NEIGHBOR_STALE = 4,
    BERTH_NEIGHBOR_DELAY = 8,
    BERTH_NEIGHBOR_PROBE = 16,
};
struct berth_neighbor {
    int interface;
    enum berth_neighbor_state state;
    struct berth_ip ip;
    uint8_t mac[6];
};
/* Writes up to `max` neighbours as they are at `now`; returns how many there are. */
size_t berth_host_neighbors(const struct berth_host *host, struct berth_neighbor *neighbors,
                            size_t max, uint64_t now);
/* True if `ip` is one of the host's own addresses (127.0.0.0/8 is). */
bool berth_host_has_address(const struct berth_host *host, const struct berth_ip *ip);

/* ---- frames and time ---- */

/* A batch of frames that arrived on `interface`. The frames stay the caller's (parts are held where
 * they are kept; parts without a block are copied). Bad frames are counted and dropped. Returns 0
 * or -ENODEV. */
int berth_host_input(struct berth_host *host, int interface, const struct berth_frame *frames,
                     size_t count, uint64_t now);
/* Pulls up to `max` frames to be sent on `interface`; the caller must berth_frame_clear() each.
 * Returns how many; fewer than `max` means that nothing more waits. */
size_t berth_host_output(struct berth_host *host, int interface, struct berth_frame *frames,
                         size_t max, uint64_t now);
/* False: berth_host_output() would give nothing on any interface. True: pull, and see. Cheap. */
bool berth_host_has_output(const struct berth_host *host);
/* The time at which berth_host_advance() has something to do; BERTH_NEVER if nothing waits for
 * time. */
uint64_t berth_host_deadline(const struct berth_host *host);

/* ---- standing still, and power ---- */

/* The host is suspended: its time stands still, what comes in is dropped, nothing goes out, until
 * it is resumed, for which then no time has passed. */
void berth_host_suspend(struct berth_host *host, uint64_t now);
void berth_host_resume(struct berth_host *host, uint64_t now);
bool berth_host_is_suspended(const struct berth_host *host);
/* Its power goes, and comes back: all sockets (their handles are -EBADF) and all that it learned
 * and held are gone without a word to anybody; interfaces, addresses, routes and settings stay. 0
 * or -ENOMEM (then nothing has happened). */
int berth_host_reset(struct berth_host *host, uint64_t now);

/* Time has come to `now`. */
void berth_host_advance(struct berth_host *host, uint64_t now);

/* ---- events ---- */

enum berth_event_bits {
    BERTH_READABLE = 1u << 0,    /* bytes or a datagram came, or the end of the stream */
    BERTH_WRITABLE = 1u << 1,    /* room in the send buffer again after it was full, or none is
                                    needed any more: sending was shut down */
    BERTH_ACCEPTABLE = 1u << 2,  /* a connection waits in a listener's queue */
    BERTH_CONNECTED = 1u << 3,   /* an active open came to its end, well */
    BERTH_PEER_CLOSED = 1u << 4, /* the peer's FIN is next to be read: receive will say 0 */
    BERTH_ERROR = 1u << 5,       /* an error waits (BERTH_SO_ERROR) */
    BERTH_CLOSED = 1u << 6,      /* nothing more can be sent or received */
    BERTH_URGENT = 1u << 7,      /* the peer's urgent pointer moved on */
};

struct berth_event {
    berth_handle socket;
    uint64_t user; /* what berth_socket_set_user() said */
    uint32_t bits; /* enum berth_event_bits, all since the last report */
};

/* Takes up to `max` events; each socket at most once a call. Edge-triggered. Returns how many. */
size_t berth_host_events(struct berth_host *host, struct berth_event *events, size_t max);

/* ---- diverted datagrams ---- */

/* UDP datagrams that the host's own sockets send to `port` are not routed but kept for the caller,
 * who answers them (names) or lets them pass. 0 switches it off. A datagram to one of the host's
 * own addresses with a socket bound there is never diverted. */
void berth_host_divert_udp(struct berth_host *host, uint16_t port);
struct berth_diverted {
    struct berth_endpoint source, destination;
    size_t length;
    uint8_t data[1500]; /* longer ones are never diverted */
};
/* Takes the oldest diverted datagram (at most 64 wait; more are dropped). True if there was one. */
bool berth_host_take_diverted(struct berth_host *host, struct berth_diverted *datagram);
/* Delivers a datagram to the host's own socket as though it had come from `source`. */
void berth_host_inject_udp(struct berth_host *host, const struct berth_endpoint *source,
                           const struct berth_endpoint *destination, const uint8_t *data,
                           size_t length, uint64_t now);
/* Sends a diverted datagram on its way after all. */
void berth_host_pass_diverted(struct berth_host *host, const struct berth_diverted *datagram,
                              uint64_t now);

/* Connections that the host's own sockets open to `port` (0: none) wait for the caller before
 * anything of them goes out. One to one of the host's own addresses with a socket bound there is
 * never diverted. */
void berth_host_divert_tcp(struct berth_host *host, uint16_t port);
/* Takes the oldest opening (at most 64 wait; the SYNs of more are dropped, and come again); its
 * octets are the host's own. True if there was one. */
bool berth_host_take_opening(struct berth_host *host, struct berth_diverted *opening);
/* The host that answers in whatever address's stead: its listener at that port of both families'
 * wildcards accepts what berth_host_answer_opening() gives it, and the segments of such connections
 * go from TCP to TCP. `host` drives its output and its timers; events and sockets are the caller's.
 * Kept until it is replaced (NULL: by none), or until the host is freed, first. */
void berth_host_set_answerer(struct berth_host *host, struct berth_host *answerer);
void berth_host_answer_opening(struct berth_host *host, const struct berth_diverted *opening,
                               uint64_t now);
/* Lets it go its way after all. 0 or -ENETUNREACH. */
int berth_host_pass_opening(struct berth_host *host, const struct berth_diverted *opening,
                            uint64_t now);

/* ---- gateways ---- */

/* A gateway takes what comes for any unicast address as its own, and its sockets may be bound to
 * any. A SYN of no connection (a listener's, too), a datagram for which there is no socket and an
 * echo request are strays: they wait for the caller, who sees what the world outside says first. */
void berth_host_set_gateway(struct berth_host *host, bool on);
bool berth_host_is_gateway(const struct berth_host *host);
struct berth_stray {
    uint8_t protocol; /* 6 and 17: TCP and UDP; 1 and 58: an echo request */
    uint8_t tos, ttl;
    struct berth_endpoint source, destination; /* an echo's ports: its identifier, its number */
    const uint8_t *data; /* a datagram's or an echo's octets, until the stray is done with */
    size_t length;
    /* The packet itself: */
    struct berth_block *block;
    uint16_t header_length, next_at;
    uint8_t interface, flags;
};
/* Takes the oldest stray (at most 4096 wait; more are dropped). True if there was one. It must come
 * back to one of the three calls below, while the host lives. */
bool berth_host_take_stray(struct berth_host *host, struct berth_stray *stray);
/* It goes on as if it had just come: a SYN to its listener or, where there is none, to a RST; a
 * datagram to a port unreachable; an echo request to its reply. */
void berth_host_admit_stray(struct berth_host *host, struct berth_stray *stray, uint64_t now);
/* Tells its sender that it did not arrive: destination unreachable, with that code. */
enum berth_refusal {
    BERTH_REFUSE_NET,
    BERTH_REFUSE_HOST,
    BERTH_REFUSE_PORT,
    BERTH_REFUSE_PROHIBITED, /* by whoever administers it */
};
void berth_host_refuse_stray(struct berth_host *host, struct berth_stray *stray,
                             enum berth_refusal why, uint64_t now);
void berth_stray_drop(struct berth_stray *stray);
/* Sends a datagram from any address. */
void berth_host_send_udp(struct berth_host *host, const struct berth_endpoint *source,
                         const struct berth_endpoint *destination, const void *data, size_t length,
                         uint64_t now);

/* ---- counters ---- */

/* Names follow the SNMP MIBs (RFC 4022, 4113, 4293) and Linux's TcpExt. */
struct berth_counters {
    uint64_t ip_in_receives, ip_in_header_errors, ip_in_address_errors, ip_in_discards,
        ip_in_delivers, ip_in_unknown_protos, ip_out_requests, ip_out_no_routes, ip_out_discards,
        ip_forw_datagrams, ip_frag_oks, ip_frag_fails, ip_frag_creates, ip_reasm_requireds,
        ip_reasm_oks, ip_reasm_fails, ip_reasm_timeouts;
    uint64_t icmp_in_msgs, icmp_in_errors, icmp_out_msgs, icmp_out_rate_limited;
    uint64_t arp_in, arp_out, neighbor_failed, neighbor_evicted;
    uint64_t udp_in_datagrams, udp_no_ports, udp_in_errors, udp_in_checksum_errors,
        udp_receive_buffer_errors, udp_out_datagrams;
    uint64_t tcp_active_opens, tcp_passive_opens, tcp_attempt_fails, tcp_estab_resets, tcp_in_segs,
        tcp_out_segs, tcp_retrans_segs, tcp_in_errors, tcp_in_checksum_errors, tcp_out_rsts,
        tcp_listen_overflows, tcp_listen_drops, tcp_cookies_sent, tcp_cookies_received,
        tcp_cookies_failed, tcp_time_wait, tcp_time_wait_overflow, tcp_paws_drops,
        tcp_challenge_acks, tcp_out_of_order, tcp_out_of_order_pruned, tcp_keepalive_probes,
        tcp_window_probes, tcp_timeouts, tcp_fast_retransmits, tcp_loss_probes,
        tcp_recoveries_undone, tcp_ecn_reductions, tcp_abort_on_data, tcp_abort_on_timeout,
        tcp_memory_pressure;
};
const struct berth_counters *berth_host_counters(const struct berth_host *host);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
