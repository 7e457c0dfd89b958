/* What the parts of a network share. Theory of operation: see network.c. */
#ifndef NETWORK_NETWORK_H
#define NETWORK_NETWORK_H

#include "network/capture.h"
#include "network/deadline.h"
#include "network/directory.h"
#include "network/flight.h"
#include "network/link.h"
#include "network/switch.h"
#include <berth/network.h>

enum {
    NETWORK_NAME = 64,     /* with its NUL */
    NETWORK_BATCH = 64,    /* frames pulled from a host or off a link at once */
    NETWORK_BUDGET = 4096, /* frames that one berth_network_run moves */
    NETWORK_ETHERNET = 14,
    NETWORK_FRAME_MAX = 65535 + NETWORK_ETHERNET,
};

/* Ports that wait for something, oldest first; each at most once in a list. */
enum port_list_kind { LIST_OUTPUT, LIST_EVENTS, LIST_KINDS };
struct port_list {
    struct network_port *head, *tail;
};

/* A switch port, with what is plugged in: a host, or the outside. */
struct network_port {
    struct deadline deadline; /* first: found from it */
    struct berth_network *network;
    struct lan *lan;
    int number;              /* the host's, or the outside port's */
    struct berth_host *host; /* NULL: the outside */
    int interface;
    uint8_t mac[6];
    uint8_t offloads;                  /* while the link is not impaired */
    struct berth_ip address, address6; /* address6 `::`: none */
    struct link egress, ingress;       /* from the owner to the switch, and back */
    struct network_port *next[LIST_KINDS];
    bool listed[LIST_KINDS];
    uint32_t capture_interface;
    struct berth_frame
        *queue; /* the outside's: frames to be taken, a ring; size a power of two or 0 */
    uint32_t queue_size, queue_head, queue_count;
    char name[NETWORK_NAME];
};

struct berth_network {
    struct berth_allocator allocator;
    uint8_t seed[32];
    uint64_t now;
    struct lan **lans;
    struct network_port **hosts, **outsides; /* by number; NULL: removed */
    uint32_t lan_count, lan_size, host_count, host_size, outside_count, outside_size;
    struct directory names, addresses; /* of hosts, to their numbers */
    struct flights flights;
    struct deadlines deadlines;
    struct port_list lists[LIST_KINDS];
    struct capture capture;
    struct berth_frame output[NETWORK_BATCH], arrived[NETWORK_BATCH];
};

/* network.c */
struct network_port *network_port_of(const struct berth_network *network, int host);
/* Room for one more pointer in a table that grows by doubling. False when memory is out. */
bool network_grow(struct berth_network *network, void *table, uint32_t *size, uint32_t count);

/* True for 1..63 printable characters without spaces. */
bool network_name_fits(const char *name);

/* port.c */
struct network_port *port_new(struct berth_network *network, struct lan *lan, const char *name,
                              int number, struct berth_host *host);
void port_free(struct network_port *port);
/* Frames come to the port's owner. Borrowed. */
void port_receive(struct network_port *port, const struct berth_frame *frames, uint32_t count);
void port_list_add(struct network_port *port, enum port_list_kind kind);
struct network_port *port_list_take(struct berth_network *network, enum port_list_kind kind);
int port_impair(struct network_port *port, enum berth_direction direction,
                const struct berth_impairment *what);

/* Puts a frame into the capture, if there is one, as seen at the port. `cause`: why it was dropped,
 * or NULL. */
static inline void capture_frame(struct network_port *port, const struct berth_frame *frame,
                                 const char *cause) {
    struct capture *capture = &port->network->capture;
    if (capture->write)
        capture_write_frame(capture, port->capture_interface, frame, port->network->now, cause);
}

/* names.c */
/* Answers what the host's programs asked at port 53. */
void names_serve(struct network_port *port);
/* The key of a name in the directory: lower case, no dot at the end. Its length, or -EINVAL. */
int names_key(const char *name, char key[]);

#endif
