/* Neighbours: the link addresses of the hosts on our links, found by ARP (RFC 826; RFC 1122 2.3.2)
 * or neighbour discovery (RFC 4861 7).
 *
 *   state       link address   leaves it
 *   INCOMPLETE  none yet       a request to all (IPv6: to the solicited-node group) at 0, 1 and 2
 * s; given up at 3 s REACHABLE   confirmed      30 s after the answer it counts as STALE (seen at
 * the next use) STALE       not confirmed  the next use sends it on and probes it; IPv6: goes to
 * DELAY DELAY       in use         IPv6: 5 s later it is probed PROBE       in use         a
 * unicast request at 0, 1 and 2 s; given up at 3 s
 *
 * An entry that is given up is forgotten, and who waits for it is told. The cache is bounded. Three
 * lists say who goes first when it is full: PASSIVE entries (learned from others' requests, never
 * used), then INCOMPLETE ones, then the ACTIVE one used longest ago; and what others send never
 * evicts any but passive ones. So neither a flood of requests nor a scan of ours costs an active
 * neighbour its place. */
#ifndef ENGINE_IP_NEIGHBOR_H
#define ENGINE_IP_NEIGHBOR_H

#include "engine/base/pool.h"
#include "engine/base/random.h"
#include "engine/base/timer_wheel.h"
#include "engine/ip/frame_queue.h"
#include "engine/wire/arp.h"
#include <berth/host.h>

struct ip;
struct ip_packet;

enum neighbor_state {
    NEIGHBOR_INCOMPLETE = 1,
    NEIGHBOR_REACHABLE,
    NEIGHBOR_STALE,
    NEIGHBOR_DELAY,
    NEIGHBOR_PROBE
};
enum neighbor_list {
    NEIGHBOR_LIST_PASSIVE,
    NEIGHBOR_LIST_INCOMPLETE,
    NEIGHBOR_LIST_ACTIVE,
    NEIGHBOR_LISTS
};
enum {
    NEIGHBOR_QUEUE_FRAMES = 64, /* RFC 1122 2.3.2.2 asks for at least one */
    NEIGHBOR_QUEUE_OCTETS = 131072,
};

struct neighbor {
    uint32_t free_link; /* the pool's */
    uint32_t index, chain, next, previous;
    uint8_t state, list, interface, requests;
    struct timer_link timer;
    struct berth_ip ip;
    uint8_t mac[ETHERNET_MAC];
    uint64_t reachable_until, used_at, updated_at;
    struct frame_queue queue;
};

struct neighbors {
    struct pool pool;
    struct timer_wheel wheel;
    struct siphash_key key;
    uint32_t *buckets; /* taken with the first entry */
    uint32_t bucket_count;
    uint32_t heads[NEIGHBOR_LISTS], tails[NEIGHBOR_LISTS];
    uint32_t used, limit;
};

void neighbors_init(struct ip *ip, uint32_t limit, uint64_t now);
void neighbors_clear(struct ip *ip);

/* The entry of that neighbour, made (and evicting another) if there is none. NULL when memory is
 * out. */
struct neighbor *neighbor_get(struct ip *ip, uint8_t interface, const struct berth_ip *address,
                              uint64_t now);
/* The way of a frame to a neighbour whose entry is not plainly reachable: true when entry->mac may
 * be used (and is being probed if it must be), false when the frame has to wait. */
bool neighbor_use(struct ip *ip, struct neighbor *entry, uint64_t now);
/* Queues a frame (given) until the neighbour answers; the oldest goes when too many wait. */
void neighbor_wait(struct ip *ip, struct neighbor *entry, struct berth_frame *frame);
void neighbors_advance(struct ip *ip, uint64_t now);

/* Writes up to `max` entries; returns how many there are. */
size_t neighbors_list(const struct ip *ip, struct berth_neighbor *list, size_t max, uint64_t now);

/* ---- for arp.c and nd.c ---- */
struct neighbor *neighbor_find(struct ip *ip, uint8_t interface, const struct berth_ip *address);
/* A STALE entry for who sent us something; NULL when there is no room for what others send. */
struct neighbor *neighbor_learn(struct ip *ip, uint8_t interface, const struct berth_ip *address,
                                const uint8_t *mac, uint64_t now);
/* Says where the neighbour is and what is known of that (REACHABLE or STALE); what waits goes out.
 */
void neighbor_set(struct ip *ip, struct neighbor *entry, const uint8_t *mac,
                  enum neighbor_state state, uint64_t now);

/* The same, or what changes in the entry that there is: STALE where the link address is new.
 * Returns it, or NULL. */
struct neighbor *neighbor_hear(struct ip *ip, uint8_t interface, const struct berth_ip *address,
                               const uint8_t *mac, uint64_t now);

/* ---- arp.c ---- */
/* An ARP packet that came in. */
void arp_input(struct ip *ip, uint8_t interface, const struct arp_packet *packet, uint64_t now);
/* Sends an ARP packet: to `target_mac`, or to everyone when it is NULL. */
void arp_send(struct ip *ip, uint8_t interface, uint16_t operation, uint32_t sender_ip,
              const uint8_t *target_mac, uint32_t target_ip);

/* ---- nd.c ---- */
/* A solicitation or advertisement that came in. */
void nd_input(struct ip *ip, const struct ip_packet *packet, uint64_t now);
/* Asks for `target`: the neighbour at `mac`, or its solicited-node group when it is NULL. */
void nd_solicit(struct ip *ip, uint8_t interface, const struct berth_ip *source, const uint8_t *mac,
                const struct berth_ip *target);
/* Asks for `target` to have it (RFC 4862 5.4.2), with a nonce. */
void nd_probe(struct ip *ip, uint8_t interface, const struct berth_ip *target,
              const uint8_t *nonce);
/* Tells all nodes on the link of an address of ours (RFC 4861 7.2.6). */
void nd_announce(struct ip *ip, uint8_t interface, const struct berth_ip *address);

#endif
