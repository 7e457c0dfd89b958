/* What the parts of a network share. Theory of operation: see network.c. */
#ifndef NETWORK_NETWORK_H
#define NETWORK_NETWORK_H

#include "network/capture.h"
#include "network/deadline.h"
#include "network/directory.h"
#include "network/flight.h"
#include "network/link.h"
#include "network/nameserver.h"
#include "network/queries.h"
#include "network/switch.h"
#include "network/walls.h"
#include <berth/network.h>
#include <berth/socket.h>

enum {
    NETWORK_NAME = 64,     /* with its NUL */
    NETWORK_BATCH = 64,    /* frames pulled from a host or off a link at once */
    NETWORK_BUDGET = 4096, /* frames that one berth_network_run moves */
    NETWORK_ETHERNET = 14,
    NETWORK_FRAME_MAX = 65535 + NETWORK_ETHERNET,
};

/* Hosts that wait for something, oldest first; each at most once in a list. */
enum host_list_kind { LIST_OUTPUT, LIST_EVENTS, LIST_KINDS };
struct host_list {
    struct network_host *head, *tail;
};

/* A host, with the ports that it is plugged into, in the order of its interfaces. */
/* A name of one host's own. */
struct record {
    struct record *next;
    struct berth_ip v4, v6; /* unspecified: none of that family */
    char key[256];
};

struct network_host {
    struct deadline deadline; /* first: found from it */
    struct berth_network *network;
    struct berth_host *engine;
    struct network_port *ports;
    struct record *records;
    struct nameserver *nameserver; /* NULL: never needed yet */
    int number;
    uint32_t group; /* of a partition; 0: none */
    struct network_host *next[LIST_KINDS];
    bool listed[LIST_KINDS];
    char name[NETWORK_NAME];
};

/* A switch port, with what is plugged in: a host's interface, or the outside. */
struct network_port {
    struct berth_network *network;
    struct lan *lan;
    int number;                   /* in network->ports, or the outside port's */
    struct network_host *host;    /* NULL: the outside */
    struct network_port *sibling; /* the host's next one */
    int interface;
    uint8_t mac[6];
    uint8_t offloads;                  /* while the link is not impaired */
    struct berth_ip address, address6; /* address6 `::`: none */
    struct link egress, ingress;       /* from the owner to the switch, and back */
    uint32_t capture_id;               /* never used twice */
    struct berth_frame
        *queue; /* the outside's: frames to be taken, a ring; size a power of two or 0 */
    uint32_t queue_size, queue_head, queue_count;
    char name[NETWORK_NAME]; /* its owner's */
};

struct berth_network {
    struct berth_allocator allocator;
    uint8_t seed[32];
    uint64_t now;
    struct lan **lans;
    struct network_host **hosts; /* by number; NULL: removed */
    struct network_port **ports, **outsides;
    uint32_t lan_count, lan_size, host_count, host_size, port_count, port_size, outside_count,
        outside_size;
    struct directory names;     /* of hosts, to their numbers */
    struct directory addresses; /* to the numbers of hosts' ports */
    struct flights flights;
    struct walls walls;
    struct deadlines deadlines;
    struct host_list lists[LIST_KINDS];
    struct queries queries; /* for names of elsewhere */
    struct capture *captures;
    int last_capture, main_capture; /* the latter: berth_network_capture()'s, or 0 */
    uint32_t last_port;
    struct berth_frame output[NETWORK_BATCH], arrived[NETWORK_BATCH];
};

/* network.c */
struct lan *network_lan_of(const struct berth_network *network, int switch_number);
/* Room for one more pointer in a table that grows by doubling. False when memory is out. */
bool network_grow(struct berth_network *network, void *table, uint32_t *size, uint32_t count);

/* True for 1..63 printable characters without spaces. */
bool network_name_fits(const char *name);

/* A key for a purpose, made from the seed. */
struct siphash_key network_key(const struct berth_network *network, uint64_t purpose);

/* Streams of random numbers; links use small ones (link_init). */
enum network_purpose {
    PURPOSE_NAMES = 1,
    PURPOSE_ADDRESSES = 2,
    PURPOSE_HOST = 3,
    PURPOSE_PLACE = 4,
    PURPOSE_NAMESERVER = 5,
};
static inline uint64_t network_purpose(enum network_purpose kind, uint32_t number) {
    return (uint64_t)kind << 56 | number;
}

/* host.c */
void network_seed(const struct berth_network *network, uint64_t purpose, uint8_t seed[32]);
struct network_host *network_host_of(const struct berth_network *network, int host);
/* The port that has that address; NULL if no host has it. */
struct network_port *network_port_at(const struct berth_network *network,
                                     const struct berth_ip *address);
/* The host's port on that switch, or NULL. */
struct network_port *network_link_of(const struct berth_network *network, int host,
                                     int switch_number);
void host_free(struct network_host *host);
void host_list_add(struct network_host *host, enum host_list_kind kind);
struct network_host *host_list_take(struct berth_network *network, enum host_list_kind kind);

/* port.c */
struct network_port *port_new(struct berth_network *network, struct lan *lan, const char *name,
                              int number, struct network_host *host);
void port_free(struct network_port *port);
/* Frames come to the port's owner. Borrowed. */
void port_receive(struct network_port *port, const struct berth_frame *frames, uint32_t count);
int port_impair(struct network_port *port, enum berth_direction direction,
                const struct berth_impairment *what);
/* Of the frames that fit; what NULL: as all others again. -ENOSPC, -ENOMEM. */
int port_impair_match(struct network_port *port, enum berth_direction direction,
                      const struct berth_match *match, const struct berth_impairment *what);

/* Puts a frame into the captures, if there are any; as captures_show(). */
static inline void capture_frame(const struct network_port *from, const struct network_port *to,
                                 const struct berth_frame *frame, const char *cause) {
    const struct berth_network *network = from ? from->network : to ? to->network : NULL;
    if (network && network->captures)
        captures_show(from, to, frame, cause);
}

/* records.c */
bool record_address(const struct network_host *host, const char *key, struct berth_ip *v4,
                    struct berth_ip *v6);
void records_free(struct network_host *host);

/* names.c */
/* Answers what the host's programs asked at port 53. True when the host has output of it. */
bool names_serve(struct network_host *host);
/* The reply to a query of the host's in reply[DNS_REPLY]; its length, or 0: it is none. */
size_t names_reply(const struct network_host *host, const uint8_t *query, size_t length,
                   uint8_t *reply);
/* True when a host of the network has a socket at that address. */
bool names_is_served(const struct berth_network *network, const struct berth_endpoint *server);
/* The key of a name in the directory: lower case, no dot at the end. Its length, or -EINVAL. */
int names_key(const char *name, char key[]);

#endif
