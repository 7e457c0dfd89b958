/* Datagrams that come in fragments (RFC 791 3.2, RFC 1122 3.3.2), within a bound of memory.
 *
 * A datagram on its way together is a bitmap of the 8-octet units that are there and a list of the
 * fragments, in no order: each new fragment costs the same, however many there are. A fragment that
 * overlaps others costs the datagram (RFC 5722 for IPv6; Linux does so for IPv4 too), unless it is
 * one that is there already, twice delivered. All have the same time to live, so the oldest is the
 * first to go, for its age or for want of room. */
#ifndef ENGINE_IP_REASSEMBLY_H
#define ENGINE_IP_REASSEMBLY_H

#include "engine/base/siphash.h"
#include "engine/ip/view.h"
#include "engine/wire/ipv4.h"
#include <berth/addr.h>

struct ip;
struct ip_packet;

enum {
    REASSEMBLY_BUCKETS = 64,
    REASSEMBLY_WORDS = 8192 / 64,
    REASSEMBLY_FRAGMENTS = 1400, /* a 64 KiB datagram over the smallest MTU, 68, has 1365 */
};

struct fragment;

struct datagram {
    struct datagram *chain; /* of the bucket */
    struct datagram *older, *newer;
    struct fragment *fragments;
    uint64_t expires;
    uint32_t length;  /* of the whole payload; 0: the last fragment has not come */
    uint32_t highest; /* the end of what came so far */
    uint32_t units;   /* 8-octet units that are there */
    uint32_t charge;  /* octets of memory held */
    uint32_t fragment_count;
    struct berth_ip source, destination;
    uint16_t id;
    uint8_t protocol, interface, header_length;
    uint8_t header[IPV4_HEADER_MAX]; /* of the first fragment; header_length 0: it has not come */
    uint64_t bitmap[REASSEMBLY_WORDS];
};

struct reassembly {
    struct siphash_key key;
    struct datagram *buckets[REASSEMBLY_BUCKETS];
    struct datagram *oldest, *newest;
    uint32_t charge, limit; /* octets held, and at most */
    uint64_t timeout;
};

/* Adds a fragment. When its datagram is whole, makes *packet that datagram, whose octets are in
 * *block (the caller drops it when done), and returns true. `header`: room for the packet's header.
 */
bool reassembly_add(struct ip *ip, const struct ipv4_header *fragment, struct ip_packet *packet,
                    struct berth_block **block, uint8_t header[IPV4_HEADER_MAX], uint64_t now);
void reassembly_advance(struct ip *ip, uint64_t now);
void reassembly_clear(struct ip *ip);
uint64_t reassembly_deadline(const struct reassembly *reassembly);

#endif
