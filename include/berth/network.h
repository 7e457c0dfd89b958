/* A network: many hosts in one process, on switches, with links that delay, lose and reorder. Still
 * pure: the caller says the time and moves what goes outside. With a virtual clock it is
 * deterministic. */
#ifndef BERTH_NETWORK_H
#define BERTH_NETWORK_H

#include <berth/host.h>
#include <berth/socket.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct berth_network; /* opaque */

struct berth_network_config {
    size_t size; /* of this struct */
    struct berth_allocator allocator;
    uint8_t seed[32];
};
void berth_network_config_init(struct berth_network_config *config);
struct berth_network *berth_network_new(const struct berth_network_config *config);
/* Frees the network and its hosts. */
void berth_network_free(struct berth_network *network);

/* A switch with an IPv4 subnet. Returns its number (0 and up), -EEXIST (name), -EINVAL, -ENOMEM.
 * name: 1..63 characters, copied. */
int berth_network_add_switch(struct berth_network *network, const char *name,
                             const struct berth_ip *subnet, unsigned prefix, uint32_t mtu);
/* Gives the switch an IPv6 subnet of 64 bits, too: hosts that are added from now on get an address
 * in it beside the IPv4 one, ending in the same host number. -EINVAL (no switch, no such subnet, an
 * MTU below 1280), -EEXIST (it has one). */
int berth_network_set_ipv6(struct berth_network *network, int switch_number,
                           const struct berth_ip *subnet);
int berth_network_find_switch(const struct berth_network *network, const char *name); /* -ENOENT */
const char *berth_network_switch_name(const struct berth_network *network, int switch_number);
/* A host on that switch. address NULL: the lowest free one of the subnet. config NULL: defaults;
 * the seed is derived from the network's, and the allocator is the network's in any case. Returns
 * its number, -EEXIST (name), -EADDRINUSE (address), -EADDRNOTAVAIL (outside the subnet, or none
 * left), -EINVAL, -ENOMEM. The network owns the host. */
int berth_network_add_host(struct berth_network *network, const char *name, int switch_number,
                           const struct berth_ip *address, const struct berth_host_config *config);
/* The same with an IPv6 address of choice in the switch's IPv6 subnet. NULL: as
 * berth_network_add_host chooses. */
int berth_network_add_host_dual(struct berth_network *network, const char *name, int switch_number,
                                const struct berth_ip *address, const struct berth_ip *ipv6,
                                const struct berth_host_config *config);
/* Plugs the host into one more switch, with one more interface and addresses there as
 * berth_network_add_host_dual chooses them. A host has one link to a switch at most, so a link goes
 * by these two. Returns the interface's number in the host. -ENOENT (no such host), -EEXIST (it is
 * plugged in there), -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL, -ENOMEM, -ENOSPC. */
int berth_network_plug(struct berth_network *network, int host, int switch_number,
                       const struct berth_ip *address, const struct berth_ip *ipv6);
struct berth_link {
    int switch_number;
    int interface; /* the host's */
    unsigned prefix;
    struct berth_ip address, ipv6; /* ipv6 `::`: none */
};
/* Writes up to `max` links of the host in the order of its interfaces; returns how many it has. */
size_t berth_network_links(const struct berth_network *network, int host, struct berth_link *links,
                           size_t max);
/* A route of the host to prefix/length through the router at `gateway`, which has to be on a link
 * of the host's (else -ENETUNREACH). Length 0: the default route of that family. A host forwards
 * with its sysctls "net.ipv4.ip_forward" and "net.ipv6.conf.all.forwarding" at 1
 * (berth_host_set_sysctl). -ENOENT (no such host), -EINVAL, -ENOSPC. */
int berth_network_add_route(struct berth_network *network, int host, const struct berth_ip *prefix,
                            unsigned length, const struct berth_ip *gateway);
/* Takes the host away with all its sockets, names and frames under way; its number is not used
 * again. -ENOENT. */
int berth_network_remove_host(struct berth_network *network, int host);
/* NULL if removed. */
struct berth_host *berth_network_host(struct berth_network *network, int host);
const char *berth_network_host_name(const struct berth_network *network, int host);
/* The number of the host of that name, or of that address; -ENOENT. */
int berth_network_find_host(const struct berth_network *network, const char *name);
int berth_network_find_address(const struct berth_network *network, const struct berth_ip *address);
/* One past the highest host number. */
int berth_network_host_count(const struct berth_network *network);
/* A host's name stands for its address on a network that the asker is on, too, or for its first
 * one; `host.network` for the one on that network. One more name (alias) for a host's address:
 * labels of letters, digits, '-' and '_', 253 characters in all, any case. -EEXIST, -EINVAL,
 * -ENOENT (no such host), -ENOMEM. */
int berth_network_add_name(struct berth_network *network, const char *name, int host);
/* A name that only this host's programs know, before all others, as if it stood in the host's own
 * /etc/hosts: any address, one of each family. -EINVAL, -ENOENT (no such host), -ENOMEM. */
int berth_network_add_record(struct berth_network *network, int host, const char *name,
                             const struct berth_ip *address);

/* How a delay is spread by its jitter. Uniformly: delay - jitter to delay + jitter. The others have
 * the delay as their mean and the jitter as their standard deviation, as long as little of them is
 * cut off at a delay of 0; pareto's tail is long, and ends after 5 standard deviations. */
enum berth_distribution { BERTH_UNIFORM, BERTH_NORMAL, BERTH_PARETO, BERTH_PARETONORMAL };
/* What the losses follow: each frame's own luck (`loss`); Gilbert and Elliott's good and bad times,
 * chain = {P good to bad, R bad to good, 1-H lost in bad times, 1-K lost in good ones}; or four
 * states, chain = {P13, P31, P32, P23, P14} as tc-netem(8) has them. */
enum berth_loss_model { BERTH_LOSS_RANDOM, BERTH_LOSS_GEMODEL, BERTH_LOSS_STATE };

/* Queries for names that the network does not know are not answered with "no such name" any more
 * but wait for the caller, who asks elsewhere, and then answers. Connections to nameservers that
 * are no address of the host's own go their way. */
void berth_network_forward_names(struct berth_network *network, bool on);
struct berth_name_query {
    int host;
    struct berth_diverted query;
    berth_handle
        stream; /* 0: it came by UDP; else by a TCP connection, and the answer may be long */
};
/* Takes the oldest one (at most 1024 wait; more are dropped). True if there was one. */
bool berth_network_take_query(struct berth_network *network, struct berth_name_query *query);
/* Brings the host the answer, as though from query.destination to query.source. One whose asker is
 * gone is dropped. */
void berth_network_answer_query(struct berth_network *network, const struct berth_name_query *query,
                                const void *data, size_t length, uint64_t now);

/* What a link end does to the frames that leave the host (egress) or come to it (ingress); netem's
 * words. Probabilities and correlations are 0..1; times ns. All zero: unimpaired, and frames may be
 * large and unchecksummed. */
struct berth_impairment {
    size_t size; /* of this struct; 0: as it is in this version */
    uint64_t delay, jitter;
    double loss, duplicate, corrupt;
    double reorder; /* part of the frames sent at once while the others wait `delay` */
    uint64_t rate;  /* bits/s, 0: none */
    uint32_t limit; /* frames waiting, 0: 1000 */
    uint32_t gap;   /* at least gap - 1 frames wait before one goes at once; 0: as 1 */
    enum berth_distribution distribution;
    enum berth_loss_model loss_model;
    double chain[5];
    /* The part of the frames that shares the luck of the frame before: a loss of 10 % with a
     * correlation of 50 % is 10 %, in bursts of twice the length. (In the kernel a correlation
     * makes rare things rarer.) */
    double delay_correlation, loss_correlation, duplicate_correlation, corrupt_correlation,
        reorder_correlation;
};
/* -ENOENT (no such host), -EINVAL (a probability outside 0..1, a chain's that add up to more than
 * 1, reorder without delay, gap without reorder, delay or jitter past 2^62). Frames under way keep
 * their times. A host whose egress has more than delay and jitter makes frames of MTU size; to one
 * whose ingress has, the switch cuts large segments up. */
enum berth_direction { BERTH_EGRESS = 1, BERTH_INGRESS = 2, BERTH_BOTH = 3 };
/* Of all the host's links: */
int berth_network_impair(struct berth_network *network, int host, enum berth_direction direction,
                         const struct berth_impairment *impairment);
/* Of its link to that switch: */
int berth_network_impair_link(struct berth_network *network, int host, int switch_number,
                              enum berth_direction direction,
                              const struct berth_impairment *impairment);
/* How the link is impaired in that one direction (BERTH_EGRESS or BERTH_INGRESS); the host's first
 * one, where no switch is named. impairment->size says how much of it there is; 0: all. */
int berth_network_link_impairment(const struct berth_network *network, int host, int switch_number,
                                  enum berth_direction direction,
                                  struct berth_impairment *impairment);
int berth_network_impairment(const struct berth_network *network, int host,
                             enum berth_direction direction, struct berth_impairment *impairment);

/* Frames that are treated in a way of their own: what is not zero here must fit. */
struct berth_match {
    size_t size;          /* of this struct; 0: as it is in this version */
    uint8_t protocol;     /* IP's number: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6 */
    uint16_t port;        /* of TCP or UDP, at either end */
    struct berth_ip peer; /* the other end: an address of a host, which then is meant with all of
                             them, or of somebody outside */
};
/* What the host's link to that switch (-1: all its links) does to the frames that fit, and to them
 * alone; NULL: no more than to all others. Of several that fit the first one made decides. -ENOENT,
 * -EINVAL (as berth_network_impair; a match that all fit), -ENOSPC (a link has 8), -ENOMEM. */
int berth_network_impair_match(struct berth_network *network, int host, int switch_number,
                               enum berth_direction direction, const struct berth_match *match,
                               const struct berth_impairment *impairment);
/* The number-th of them (from 0) in one direction of that link; -ENOENT: there are no more. */
int berth_network_match(const struct berth_network *network, int host, int switch_number,
                        enum berth_direction direction, unsigned number, struct berth_match *match,
                        struct berth_impairment *impairment);

/* ---- other faults ---- */

/* The cable between host and switch (-1: all its cables) is pulled out, or put in again. What is
 * under way on it is lost; nobody is told. -ENOENT. */
int berth_network_set_link(struct berth_network *network, int host, int switch_number, bool up);
bool berth_network_link_is_up(const struct berth_network *network, int host, int switch_number);
/* Nothing passes between these two, whatever the way, or does again. -ENOENT, -EINVAL, -ENOMEM. */
int berth_network_set_path(struct berth_network *network, int host, int other, bool open);
/* A partition: hosts of different groups do not reach each other. Those of group 0, as all are at
 * first, reach everybody. -ENOENT. */
int berth_network_set_group(struct berth_network *network, int host, uint32_t group);
/* False if a path or groups keep them apart. */
bool berth_network_reaches(const struct berth_network *network, int host, int other);
/* All cables in, all paths open, no groups. What links do to frames stays, and so do hosts. */
void berth_network_heal(struct berth_network *network);
/* A computer that stands still: its time too, and what comes to it is lost (<berth/host.h>).
 * -ENOENT. */
int berth_network_suspend(struct berth_network *network, int host, uint64_t now);
int berth_network_resume(struct berth_network *network, int host, uint64_t now);
/* Its power goes and comes back: its sockets are gone, and their peers hear nothing of it. -ENOENT,
 * -ENOMEM. */
int berth_network_reset_host(struct berth_network *network, int host, uint64_t now);

/* ---- outside ports: a switch port whose other end is the caller (a TAP device, say) ---- */

/* Returns the port's number (0 and up, apart from hosts' numbers), -EINVAL, -ENOMEM. offloads as
 * for an interface: without them frames handed out are of MTU size and checksummed. */
int berth_network_add_outside(struct berth_network *network, int switch_number, const char *name,
                              uint8_t offloads);
int berth_network_outside_input(struct berth_network *network, int outside,
                                const struct berth_frame *frames, size_t count, uint64_t now);
/* Frames for the outside; the caller clears them. At most 4096 wait; more are dropped. */
size_t berth_network_outside_output(struct berth_network *network, int outside,
                                    struct berth_frame *frames, size_t max);
int berth_network_outside_impair(struct berth_network *network, int outside,
                                 enum berth_direction direction,
                                 const struct berth_impairment *impairment);

/* ---- running it ---- */

/* Moves frames until nothing can move at `now`: outputs, links, switches, inputs, timers, names.
 * Returns true when its budget of work ran out first: call again. */
bool berth_network_run(struct berth_network *network, uint64_t now);
/* A call on a socket of `host` was made: it may have output or events. Must follow every such call.
 * Cheap. */
void berth_network_touch(struct berth_network *network, int host);
/* The next time berth_network_run has something to do. */
uint64_t berth_network_deadline(const struct berth_network *network);
struct berth_network_event {
    int host;
    struct berth_event event;
};
size_t berth_network_events(struct berth_network *network, struct berth_network_event *events,
                            size_t max);

/* True if what the host sends to this address comes there at once and whole, and nobody on the way
 * looks into it: the address is the host's own or a neighbour's on a switch of its, no link between
 * them is impaired, nothing is captured, and the network has no outside port. Then, and only then,
 * blocks may be sealed (<berth/frame.h>). */
bool berth_network_is_plain(const struct berth_network *network, int host,
                            const struct berth_ip *address);

/* ---- captures: pcapng, a stream of bytes handed to the caller ---- */

/* Each frame that passes a switch port (once, where it enters the switch; drops are marked with
 * their cause), with an interface description and the names of each port's owner. `write` gets
 * pcapng octets in order, a block at a time; borrowed for the call; it must not call back. NULL
 * stops. wall: ns since 1970 that stands for now = 0. */
typedef void berth_capture_write(void *context, const void *data, size_t length);
int berth_network_capture(struct berth_network *network, berth_capture_write *write, void *context,
                          uint64_t wall);

/* Any number of captures beside that one, of some of the frames. */
enum berth_capture_choice {
    BERTH_CAPTURE_SKIP = 0, /* not wanted */
    BERTH_CAPTURE_TAKE = 1,
    BERTH_CAPTURE_LOSE = 2, /* wanted, but there is no room: counted, and told with the next */
};
struct berth_capture_config {
    size_t size; /* of this struct */
    berth_capture_write *write;
    void *context;
    uint64_t wall;
    int host;          /* only what it sends and what is sent to it; -1: of all */
    int switch_number; /* only of that switch's ports; -1: of all */
    uint32_t snap;     /* octets of a frame that are kept; 0: all */
    /* Chooses by the frame's octets (borrowed; it must not call back); NULL: takes all. */
    enum berth_capture_choice (*choose)(void *context, const uint8_t *frame, uint32_t length);
};
void berth_capture_config_init(struct berth_capture_config *config);
/* Begins one. Its number (1 and up), -EINVAL, -ENOENT (no such host or switch), -ENOMEM. */
int berth_network_capture_add(struct berth_network *network,
                              const struct berth_capture_config *config);
int berth_network_capture_remove(struct berth_network *network, int capture);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
