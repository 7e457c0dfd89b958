/* Neighbours: the link addresses of the hosts on our links (ARP, RFC 826; RFC 1122 2.3.2).
 *
 *   state       link address   leaves it
 *   INCOMPLETE  none yet       a broadcast request at 0, 1 and 2 s; given up at 3 s
 *   REACHABLE   confirmed      30 s after the answer it counts as STALE (seen at the next use)
 *   STALE       not confirmed  the next use sends it on and probes it
 *   PROBE       in use         a unicast request at 0, 1 and 2 s; given up at 3 s
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
#include <berth/addr.h>

struct ip;

enum neighbor_state { NEIGHBOR_INCOMPLETE = 1, NEIGHBOR_REACHABLE, NEIGHBOR_STALE, NEIGHBOR_PROBE };
enum neighbor_list {
    NEIGHBOR_LIST_PASSIVE,
    NEIGHBOR_LIST_INCOMPLETE,
    NEIGHBOR_LIST_ACTIVE,
    NEIGHBOR_LISTS
};
enum {
    NEIGHBOR_REQUESTS = 3,      /* RFC 1122 2.3.2.1: at most one a second */
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
/* An ARP packet that came in. */
void neighbor_input(struct ip *ip, uint8_t interface, const struct arp_packet *packet,
                    uint64_t now);
void neighbors_advance(struct ip *ip, uint64_t now);

/* Sends an ARP packet: to `target_mac`, or to everyone when it is NULL. */
void arp_send(struct ip *ip, uint8_t interface, uint16_t operation, uint32_t sender_ip,
              const uint8_t *target_mac, uint32_t target_ip);

#endif
