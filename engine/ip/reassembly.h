/* Datagrams that come in fragments (RFC 791 3.2, RFC 1122 3.3.2; RFC 8200 4.5), within a bound of
 * memory.
 *
 * A datagram on its way together is a bitmap of the 8-octet units that are there and a list of the
 * fragments, in no order: each new fragment costs the same, however many there are. A fragment that
 * overlaps others costs the datagram (RFC 5722 for IPv6; Linux does so for IPv4 too), unless it is
 * one that is there already, twice delivered. Each family has its own, where all have the same time
 * to live, so the oldest is the first to go, for its age or for want of room. */
#ifndef ENGINE_IP_REASSEMBLY_H
#define ENGINE_IP_REASSEMBLY_H

#include "engine/base/siphash.h"
#include "engine/ip/view.h"
#include <berth/addr.h>

struct ip;
struct ip_packet;

enum {
    REASSEMBLY_BUCKETS = 64,
    REASSEMBLY_WORDS = 8192 / 64,
    REASSEMBLY_FRAGMENTS = 1400, /* a 64 KiB datagram over the smallest MTU, 68, has 1365 */
};

struct fragment;

/* Where a fragment belongs in its datagram. */
struct piece {
    uint32_t id;
    uint16_t offset;  /* octets, a multiple of 8 */
    uint16_t next_at; /* IPv6: the octet of the header that names the fragment header; IPv4: 0 */
    uint8_t protocol; /* IPv4; for IPv6 the source, destination and id alone name a datagram: 0 */
    bool more;
};

struct datagram {
    struct datagram *chain; /* of the bucket */
    struct datagram *older, *newer;
    struct fragment *fragments;
    struct fragment *header; /* of the first fragment: its IP header, IPv6's with all extensions up
                                to the fragment header; NULL: it has not come */
    uint64_t expires;
    uint32_t length;  /* of the whole payload; 0: the last fragment has not come */
    uint32_t highest; /* the end of what came so far */
    uint32_t units;   /* 8-octet units that are there */
    uint32_t charge;  /* octets of memory held */
    uint32_t fragment_count;
    uint32_t id;
    struct berth_ip source, destination;
    uint16_t next_at;
    uint8_t protocol, interface;
    uint8_t tos;   /* of the first fragment */
    uint8_t marks; /* bit i: a fragment has come whose ECN field is i */
    bool refused;  /* IPv6: what still comes of it is dropped (RFC 5722 4) */
    uint64_t bitmap[REASSEMBLY_WORDS];
};

struct reassembly {
    struct siphash_key key;
    struct datagram *buckets[REASSEMBLY_BUCKETS];
    struct datagram *oldest, *newest;
    uint32_t charge, limit; /* octets held, and at most */
    uint64_t timeout;
};

/* Adds a fragment, whose payload *packet is. When its datagram is whole, makes *packet that
 * datagram, whose octets, the header first, are in *block (the caller drops it when done), and
 * returns true. */
bool reassembly_add(struct ip *ip, struct reassembly *reassembly, const struct piece *piece,
                    struct ip_packet *packet, struct berth_block **block, uint64_t now);
void reassembly_advance(struct ip *ip, struct reassembly *reassembly, uint64_t now);
void reassembly_clear(struct ip *ip, struct reassembly *reassembly);
uint64_t reassembly_deadline(const struct reassembly *reassembly);

#endif
