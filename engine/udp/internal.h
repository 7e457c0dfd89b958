/* What UDP's own files share. */
#ifndef ENGINE_UDP_INTERNAL_H
#define ENGINE_UDP_INTERNAL_H

#include "engine/base/pool.h"
#include "engine/udp/udp.h"

enum {
    UDP_PAGE = 4096,
    UDP_PAGES_SPARE = 16,  /* empty pages kept for the next datagrams */
    UDP_INLINE_MAX = 1920, /* longer payloads are not copied into pages but held, or have a block */
    UDP_ARENA = 16384 - 64, /* outgoing payloads share blocks of this size */
    UDP_ARENA_MAX = 2048,   /* longer ones get a block of their own */
    UDP_PORT_BUCKETS = 256,
    UDP_RECENT = 64, /* flows whose socket is remembered */
    UDP_SOCKETS_MAX = 1 << 24,
    UDP_SEND_BUFFER = 212992, /* Linux's wmem_default */
};

/* The receive queue is a list of pages, each a run of records: a small datagram costs no
 * allocation, and what waits takes the memory it is charged for. */
struct udp_page {
    struct udp_page *next;
    uint32_t read, write; /* offsets into data */
    uint8_t data[UDP_PAGE - 16];
};

struct udp_record {
    uint32_t length; /* of the payload */
    uint32_t span;   /* octets in the page, a multiple of 8 */
    uint16_t source_port, destination_port;
    uint8_t interface, ttl, tos;
    bool is_block; /* a struct berth_part follows, else the payload */
    struct berth_ip source, destination;
};

struct udp_socket {
    uint32_t free_link; /* the pool's */
    uint32_t generation, index, bind;
    uint32_t event_next, event_previous;
    uint32_t port_next, port_previous; /* sockets whose port is in the same bucket */
    uint64_t user;
    struct berth_endpoint local;
    struct berth_ip bound; /* the address bound to, while `local` shows the connection's */
    struct udp_way way;    /* of the connection */
    struct udp_page *head, *tail;
    uint32_t queued, count; /* octets charged, and datagrams */
    uint32_t receive_buffer, send_buffer, sending;
    uint16_t error;
    uint8_t family, event_bits, ttl, tos, mtu_discover;
    bool open, connected, in_demux, address_given, port_given;
    bool reuse_address, reuse_port, v6_only, broadcast, receive_errors;
    bool shut_read, shut_write, refused; /* refused: a send was, for want of room */
    bool in_events;
};

/* The socket that a flow's last datagram was for. It holds while `version` is the UDP's. */
struct udp_recent {
    struct tuple tuple;
    uint64_t version;
    uint32_t socket;
};

struct udp {
    struct berth_allocator allocator;
    struct berth_counters *counters;
    struct ports *ports;
    struct pool sockets;
    uint32_t events_head, events_tail;
    uint32_t port_buckets[UDP_PORT_BUCKETS];
    uint32_t receive_buffer;
    uint32_t elder;   /* the highest generation before the host was reset */
    uint64_t version; /* counts binds, connections and their ends */
    struct udp_recent recent[UDP_RECENT];
    struct udp_page *spare;
    uint32_t spare_count;
    struct berth_block *arena; /* holds outgoing payloads; NULL before the first */
    uint32_t arena_used;
    struct udp_emit *out; /* a ring */
    uint32_t out_size, out_head, out_count;
};

static inline struct udp_socket *udp_at(const struct udp *udp, uint32_t socket) {
    return pool_at(&udp->sockets, socket);
}

/* queue.c */
bool udp_queue_push(struct udp *udp, struct udp_socket *socket, const struct udp_arrival *arrival);
ssize_t udp_queue_take(struct udp *udp, struct udp_socket *socket, void *data, size_t length,
                       struct berth_datagram *meta, bool peek);
void udp_queue_clear(struct udp *udp, struct udp_socket *socket);
/* events.c */
void udp_event(struct udp *udp, struct udp_socket *socket, unsigned bits);
void udp_event_remove(struct udp *udp, struct udp_socket *socket);
/* output.c */
void udp_output_clear(struct udp *udp);

#endif
