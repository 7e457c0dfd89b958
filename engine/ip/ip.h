/* One host's IP layer, both families: interfaces, addresses and routes; what comes in is checked
 * and reduced to an ip_packet, what goes out gets its headers. Transport protocols sit on top and
 * are not known here: the host carries packets up to them, and errors through struct ip_ops. */
#ifndef ENGINE_IP_IP_H
#define ENGINE_IP_IP_H

#include "engine/ip/frame_queue.h"
#include "engine/ip/neighbor.h"
#include "engine/ip/reassembly.h"
#include "engine/ip/view.h"
#include "engine/wire/icmp.h"
#include "engine/wire/ipv4.h"
#include "engine/wire/ipv6.h"
#include <berth/host.h>

enum {
    IP_INTERFACES = 32,
    IP_ADDRESSES = 256,
    IP_ROUTES = 1024,
    IP_CACHE = 64,
    IP_PATHS = 64,
    IP_ICMP_SLOTS = 256,
    MLD_LEFT = 8,
    IP_LEARNED_ADDRESSES = 16, /* from routers, as all of these (Linux's max_addresses) */
    IP_LEARNED_PREFIXES = 16,
    IP_LEARNED_ROUTERS = 8,
    IP_LOOPBACK = 0,         /* the loopback's number */
    IP_ANY_INTERFACE = 0xff, /* wherever the routes lead */
    IP_READY_FRAMES = 4096,  /* that wait for one interface's pull */
    IP_LOOPBACK_MTU = 65535,
};

/* An ICMP error (or a neighbour that does not answer) about a datagram of ours. */
struct ip_error {
    struct berth_endpoint local, remote; /* local is the datagram's source */
    uint32_t seq;                        /* TCP: the quoted sequence number */
    uint32_t mtu;                        /* "fragmentation needed": the next hop's, else 0 */
    int error;                           /* errno, positive */
    uint8_t protocol;
    bool hard;
    uint8_t type, code, ttl, tos, interface; /* of the message */
    uint32_t info;                 /* what else it says: an MTU, the place of what is wrong */
    struct berth_ip from, to;      /* who says it, and which address of ours it came to */
    const struct frame_view *view; /* where the quoted datagram is, and in it its transport: */
    uint32_t quote_at, quote_length;
};

struct ip_ops {
    /* True when the quoted datagram is one that a socket of ours may have sent. */
    bool (*error)(void *context, const struct ip_error *error, uint64_t now);
    /* The same, and nothing comes of it. */
    bool (*sent)(void *context, const struct ip_error *error);
    /* An answer to an echo request with that identifier; a whole ICMP message. */
    void (*echoed)(void *context, const struct ip_packet *packet, uint16_t identifier);
    /* What fits on the interface has changed (mtu6). */
    void (*resized)(void *context, unsigned interface);
    void *context;
};

struct ip_interface {
    enum berth_link_type link;
    uint32_t mtu;
    uint8_t mac[ETHERNET_MAC];
    uint8_t offloads;
    bool mld_old;        /* the router that asked last speaks RFC 2710 */
    bool disabled;       /* IPv6: somebody else has our link address (dad.c) */
    uint64_t retransmit; /* IPv6: ns between solicitations (RFC 4861 10) */
    /* What routers say of IPv6 here (router.c); 0: nothing */
    uint64_t reachable;
    uint32_t reachable_said, mtu6;
    uint8_t hop_limit;
    uint8_t solicitations;    /* for routers that are still to be sent */
    bool solicited;           /* one was */
    uint64_t solicit_due;     /* 0: none is */
    uint64_t mld_due;         /* when to report our groups; 0: nobody has asked */
    uint64_t mld_change_due;  /* when to report those that were joined and left; 0: it is done */
    struct frame_queue ready; /* complete frames that wait for the pull */
};

/* RFC 4862 2, 5.4: only what is assigned is ours to use; a tentative address waits, then is tried;
 * one that somebody else has stays, and is of no use. */
enum ip_address_state {
    ADDRESS_ASSIGNED,
    ADDRESS_WAITING,
    ADDRESS_TRIED,
    ADDRESS_DUPLICATE,
};

struct ip_address {
    struct berth_ip ip;
    struct berth_ip broadcast; /* of its subnet; the address itself where there is none */
    uint8_t prefix;            /* 0..128: IPv4's count from 96 on */
    uint8_t interface;
    uint8_t reports; /* of its group that are owed unasked (mld.c) */
    uint8_t state;   /* enum ip_address_state */
    uint8_t probes;  /* solicitations for it that are still to be sent (dad.c) */
    bool learned;    /* from a router */
    bool deprecated; /* RFC 4862 5.5.4: no more for what is new */
    uint64_t due;    /* when the next solicitation is, or its being ours */
    uint64_t preferred_until, valid_until;
};

static inline bool address_is_own(const struct ip_address *address) {
    return address->state == ADDRESS_ASSIGNED;
}

/* A group that was left, until that has been said. */
struct mld_left {
    struct berth_ip group;
    uint8_t interface, reports;
};

struct ip_route {
    struct berth_ip prefix, gateway;
    uint8_t length; /* 0..128 */
    uint8_t interface;
    bool v4; /* of that family; IPv6's may be of any length, down to one that covers all */
    bool has_gateway;
    bool learned; /* from a router */
    uint64_t expires;
};

enum ip_kind { IP_LOCAL = 1, IP_UNICAST, IP_BROADCAST, IP_MULTICAST };

/* Where a datagram goes next. */
struct ip_hop {
    enum ip_kind kind;
    uint8_t interface;
    struct berth_ip next;
};

/* The last hops that were looked up, by destination. An entry holds while `version` is the IP's. */
struct ip_cached {
    struct berth_ip destination;
    struct neighbor *neighbor; /* NULL where no link address is needed */
    uint64_t version;
    uint8_t hint, kind, interface;
};

/* A path whose MTU is below its interface's (RFC 1191, RFC 8201). */
struct ip_path {
    struct berth_ip destination;
    uint32_t mtu;
    uint64_t expires;
};

struct ip {
    struct berth_allocator allocator;
    struct berth_counters *counters;
    struct random *random;
    struct ip_ops ops;
    uint8_t default_ttl;
    uint8_t interface_count;
    bool notify; /* new addresses are told to all (IPv6) */
    bool forward, forward6;
    bool takes_all;   /* a gateway: what is for any unicast address is for us */
    uint64_t version; /* counts what may change where a hop leads */
    uint32_t address_count, route_count, route_size, address_size;
    struct ip_address *addresses;
    struct ip_route *routes; /* longest prefix first */
    uint64_t neighbor_reachable, path_lifetime;
    uint8_t neighbor_requests[2]; /* of IPv4, IPv6 */
    uint8_t mld_robustness, dad_transmits;
    bool dad_disables, autoconf;
    bool accept_redirects, accept_redirects6, secure_redirects, shared_media, send_redirects;
    uint8_t accept_ra, router_solicitations;
    uint64_t address_due; /* the first of the addresses', routes' and redirects' times */
    struct mld_left mld_left[MLD_LEFT];
    uint32_t ready; /* frames in all ready queues */
    uint32_t id_counter;
    struct siphash_key id_key;
    struct ip_cached cache[IP_CACHE];
    struct ip_interface interfaces[IP_INTERFACES];
    struct neighbors neighbors;
    struct reassembly reassembly, reassembly6;
    struct ip_path paths[IP_PATHS];
    struct ip_redirect *redirects; /* IP_PATHS of them, taken with the first */
    uint64_t icmp_filled; /* the token bucket: when it was last filled, and how many are left */
    uint32_t icmp_tokens;
    struct siphash_key icmp_key;
    uint64_t icmp_slots[IP_ICMP_SLOTS]; /* per destination: when its bucket is full again */
};

/* A datagram that came in, whole and checked. */
struct ip_packet {
    struct berth_ip source, destination;
    struct frame_view view;
    uint32_t at;           /* where its payload begins in the view */
    uint32_t length;       /* octets of payload */
    const uint8_t *header; /* the IP header, IPv6's with its extensions, for quoting */
    uint16_t header_length;
    uint16_t next_at; /* IPv6: the octet of the header that names `protocol` */
    uint8_t protocol, tos, ttl, interface;
    uint8_t flags; /* enum berth_frame_flags */
    uint16_t segment_size;
    bool group; /* to a broadcast or multicast address, of the link or of IP */
};

static inline bool packet_is_v6(const struct ip_packet *packet) {
    return !berth_ip_is_v4(&packet->destination);
}

/* A datagram that is to go out. */
struct ip_send {
    const struct berth_ip *local, *remote;
    const uint8_t *header; /* of the transport, checksum field 0 */
    const struct berth_part *parts;
    uint32_t length; /* octets in parts */
    uint8_t part_count, header_length;
    uint8_t protocol, tos, ttl; /* ttl 0: the default */
    uint8_t interface;          /* that the route should take, or IP_ANY_INTERFACE */
    uint8_t checksum_at; /* the checksum's place in the header; IP_CHECKSUM_DONE: none to fill in */
    bool dont_fragment;  /* set DF while it fits (IPv4) */
    bool may_fragment;   /* may go in fragments when it does not */
    uint16_t segment_size;
};
enum { IP_CHECKSUM_DONE = 0xff };

static inline bool send_is_v6(const struct ip_send *send) {
    return !berth_ip_is_v4(send->remote);
}
/* Octets of its IP header. */
static inline uint32_t send_header(const struct ip_send *send) {
    return send_is_v6(send) ? IPV6_HEADER : IPV4_HEADER_MIN;
}

/* ---- ip.c ---- */
int ip_init(struct ip *ip, const struct berth_host_config *config, struct random *random,
            struct berth_counters *counters, const struct ip_ops *ops);
void ip_clear(struct ip *ip);
/* Takes over what of the configuration may change while the host is there. */
void ip_set_config(struct ip *ip, const struct berth_host_config *config);
/* Forgets neighbours, paths and all that waits; interfaces, addresses and routes stay. */
void ip_reset(struct ip *ip, uint64_t now);
uint64_t ip_deadline(const struct ip *ip);
void ip_advance(struct ip *ip, uint64_t now);

/* Doubles an array that is full, up to `max` items. 0, -ENOSPC or -ENOMEM. */
int ip_grow(struct berth_allocator allocator, void **items, uint32_t *size, size_t item_size,
            uint32_t max);

/* ---- interface.c ---- */
int ip_add_interface(struct ip *ip, const struct berth_interface_config *config);
int ip_set_interface(struct ip *ip, int interface, uint32_t mtu, uint8_t offloads);
int ip_add_address(struct ip *ip, int interface, const struct berth_ip *address, unsigned prefix);
/* Gives the interface its link-local address and nothing else. */
int ip_add_link_local(struct ip *ip, int interface);
/* An address that a router told of, with no route; or NULL, when memory is out. */
struct ip_address *ip_address_learn(struct ip *ip, unsigned interface,
                                    const struct berth_ip *address, unsigned prefix);
struct berth_ip ip_prefix_mask(const struct berth_ip *address, unsigned length);
bool ip_has_address(const struct ip *ip, const struct berth_ip *address);
/* True if what comes to that address is for us: it is our own, or we take all. */
bool ip_takes_address(const struct ip *ip, const struct berth_ip *address);
/* Given to that very interface. */
bool ip_has_address_on(const struct ip *ip, unsigned interface, const struct berth_ip *address);
/* All nodes, or the solicited-node group of an address of ours (RFC 4291 2.8). */
bool ip6_has_group(const struct ip *ip, unsigned interface, const struct berth_ip *group);
/* 255.255.255.255, or a subnet's broadcast address on that interface (IP_ANY_INTERFACE: on any). */
bool ip_is_broadcast(const struct ip *ip, unsigned interface, const struct berth_ip *address);
/* fe80::/10 (RFC 4291 2.5.6). */
static inline bool ip6_is_link_local(const struct berth_ip *ip) {
    return ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}
/* True if the prefix's first `length` bits are the address's. */
bool ip_prefix_covers(const struct berth_ip *prefix, unsigned length,
                      const struct berth_ip *address);
/* The hop limit or time to live of what goes out there. */
static inline uint8_t ip_ttl(const struct ip *ip, const struct ip_send *send,
                             const struct ip_interface *out) {
    if (send->ttl)
        return send->ttl;
    return send_is_v6(send) && out->hop_limit ? out->hop_limit : ip->default_ttl;
}
/* Octets of the largest IPv6 datagram there. */
static inline uint32_t ip6_mtu(const struct ip_interface *interface) {
    return interface->mtu6 && interface->mtu6 < interface->mtu ? interface->mtu6 : interface->mtu;
}
/* Octets of the largest datagram that may be handed to the interface whole. */
static inline uint32_t ip_segment_max(const struct ip_interface *interface) {
    const uint8_t both = BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT;
    return (interface->offloads & both) == both ? IPV4_LENGTH_MAX : interface->mtu;
}

/* ---- route.c ---- */
int ip_add_route(struct ip *ip, int interface, const struct berth_ip *prefix, unsigned length,
                 const struct berth_ip *gateway);
/* Behind those whose prefix is as long or longer. 0, -ENOSPC or -ENOMEM. */
int ip_route_insert(struct ip *ip, const struct ip_route *route);
void ip_route_remove(struct ip *ip, struct ip_route *route);
/* How many there are that were learned: routers, or prefixes. */
uint32_t ip_routes_learned(const struct ip *ip, bool routers);
/* The route with the longest prefix, of that interface or of any (IP_ANY_INTERFACE); or NULL. */
const struct ip_route *ip_route_find(const struct ip *ip, const struct berth_ip *destination,
                                     unsigned interface);
/* The next hop; `interface` is preferred when it has a route. 0 or -ENETUNREACH. */
int ip_route(const struct ip *ip, const struct berth_ip *destination, unsigned interface,
             struct ip_hop *hop);
/* True when `address` is on the link of `interface`. */
bool ip_on_link(const struct ip *ip, unsigned interface, const struct berth_ip *address);

/* ---- source.c ---- */
/* The source address for that hop. 0 or -EADDRNOTAVAIL. */
int ip_source(const struct ip *ip, const struct ip_hop *hop, const struct berth_ip *destination,
              struct berth_ip *source);

/* ---- path.c ---- */
/* Where among IP_PATHS what is learned of the path to that destination is kept. */
unsigned ip_path_slot(const struct berth_ip *destination);
uint32_t ip_path_mtu(const struct ip *ip, const struct berth_ip *destination, unsigned interface,
                     uint64_t now);
/* The MTU that "fragmentation needed" speaks of: what it says, or when it says 0 a guess from the
 * length of what did not pass; never below a floor. */
uint32_t ip_path_said(uint32_t mtu, uint32_t quoted_length);
/* The same of "packet too big". */
uint32_t ip6_path_said(uint32_t mtu);
/* Keeps the MTU of a path. */
void ip_path_learn(struct ip *ip, const struct berth_ip *destination, uint32_t mtu, uint64_t now);

/* ---- input.c ---- */
enum ip_input { IP_DROPPED, IP_PACKET, IP_FRAGMENT, IP_EXTENDED, IP_FORWARD };
/* Checks the IPv4 datagram at view[at..]; fills *packet, and *piece if it is a fragment. `group`:
 * the link's destination was a group address. */
enum ip_input ip_input(struct ip *ip, unsigned interface, struct ip_packet *packet, uint32_t at,
                       bool group, struct piece *piece, struct view_scratch *scratch);

/* ---- input6.c ---- */
/* The same for IPv6; IP_EXTENDED: ip6_walk is next. */
enum ip_input ip6_input(struct ip *ip, unsigned interface, struct ip_packet *packet, uint32_t at,
                        bool group, struct view_scratch *scratch);
/* Passes over the extension headers: IP_PACKET, IP_FRAGMENT (with *piece), or IP_DROPPED. */
enum ip_input ip6_walk(struct ip *ip, struct ip_packet *packet, struct piece *piece,
                       struct view_scratch *scratch, uint64_t now);
/* Adds a fragment. True when its datagram is whole, and *packet that, with its octets in *block,
 * which the caller drops. */
bool ip6_join(struct ip *ip, const struct piece *piece, struct ip_packet *packet,
              struct berth_block **block, struct view_scratch *scratch, uint64_t now);

/* ---- forward.c ---- */
/* True when this host is a router for such datagrams: not for itself, and to be carried beyond a
 * link. */
bool ip_may_forward(const struct ip *ip, const struct berth_ip *source,
                    const struct berth_ip *destination);
/* Sends the datagram on, or tells its source why not. */
void ip_forward(struct ip *ip, const struct ip_packet *packet, uint64_t now);

/* ---- output.c ---- */
/* The hop to a destination, from the cache of those looked up last; it holds until the next call.
 * NULL: *error says why. */
const struct ip_cached *ip_hop_find(struct ip *ip, const struct berth_ip *remote, uint8_t hint,
                                    uint64_t now, int *error);
/* The link address to send to by that hop; false when the frame must wait for it. */
bool ip_hop_mac(struct ip *ip, const struct ip_cached *hop, const struct berth_ip *remote,
                uint8_t mac[ETHERNET_MAC], uint64_t now);
/* Builds the frame of a datagram. Returns the interface that is to carry it, or, when *frame was
 * not filled: -EINPROGRESS (it waits for a neighbour or went into a ready queue in fragments), or
 * another negative errno (dropped and counted). */
int ip_output(struct ip *ip, const struct ip_send *send, struct berth_frame *frame, uint64_t now);
/* Fills in the checksum of the transport header `transport`, a copy of send->header. */
void ip_checksum(const struct ip_send *send, uint8_t *transport);
/* The same into the ready queue of its interface. */
void ip_post(struct ip *ip, const struct ip_send *send, uint64_t now);
/* Puts a finished frame (given) into the interface's ready queue. */
void ip_ready(struct ip *ip, unsigned interface, struct berth_frame *frame);
/* Takes the next ready frame of the interface, fit for what the interface now offers. */
bool ip_take_ready(struct ip *ip, unsigned interface, struct berth_frame *frame);

/* ---- fragment.c ---- */
/* Sends the datagram in pieces of at most `mtu` octets. 0 or negative errno. */
int ip_fragment(struct ip *ip, const struct ip_send *send, unsigned interface,
                struct neighbor *neighbor, const uint8_t *mac, uint32_t mtu);
/* An identification for datagrams that may be fragmented: unpredictable, and of 16 bits (IPv4) or
 * 32 it does not return before all others were used (RFC 6864 4.3, RFC 7739). */
uint32_t ip_identification(struct ip *ip, const struct berth_ip *source,
                           const struct berth_ip *destination, uint8_t protocol);

/* ---- dad.c ---- */
/* A new address: true if it has to be tried before it is ours. */
bool dad_start(struct ip *ip, struct ip_address *address);
/* The address is ours from now on. */
void dad_assign(struct ip *ip, struct ip_address *address);
/* Somebody on the link asks for an address to have it (with a nonce or NULL), or has it. */
void dad_solicited(struct ip *ip, unsigned interface, const struct berth_ip *target,
                   const uint8_t *nonce);
void dad_advertised(struct ip *ip, unsigned interface, const struct berth_ip *target);
/* Tries all addresses anew. */
void dad_restart(struct ip *ip);
/* That address is due. */
void dad_proceed(struct ip *ip, struct ip_address *address, uint64_t now);

/* ---- autoconf.c ---- */
struct router_prefix;
/* A router tells of a prefix; address_schedule() afterwards. */
void prefix_hear(struct ip *ip, unsigned interface, const struct router_prefix *said, uint64_t now);
/* Finds the first time at which address_advance() has something to do. */
void address_schedule(struct ip *ip);
void address_advance(struct ip *ip, uint64_t now);
/* Forgets what routers said, and begins anew with what was given. */
void address_reset(struct ip *ip);

/* ---- router.c ---- */
/* Asks for routers, if the host listens to them and has an address to ask from. */
void router_start(struct ip *ip, unsigned interface);
/* Our own link-local address there, or NULL. */
const struct berth_ip *ip6_link_local_of(const struct ip *ip, unsigned interface);
void router_advance(struct ip *ip, unsigned interface, uint64_t now);
/* An advertisement that came in. */
void router_input(struct ip *ip, const struct ip_packet *packet, uint64_t now);
/* That neighbour is no router any more (RFC 4861 7.2.5), or does not answer: others are before it
 * from now on (6.3.6). */
void router_lost(struct ip *ip, unsigned interface, const struct berth_ip *address);
void router_unreachable(struct ip *ip, unsigned interface, const struct berth_ip *address);

/* ---- redirect.c, redirect_send.c ---- */
/* A redirect that came in, its checksum verified. */
void redirect_input(struct ip *ip, const struct ip_packet *packet, uint64_t now);
void redirect6_input(struct ip *ip, const struct ip_packet *packet, uint64_t now);
/* A router's word to a neighbour, whose packet went back to the link that it came by, to `next`. */
void redirect_tell(struct ip *ip, const struct ip_packet *packet, const struct berth_ip *next,
                   uint64_t now);
/* The hop that the routes give, or the better one that is known. */
void redirect_apply(const struct ip *ip, const struct berth_ip *destination, struct ip_hop *hop,
                    uint64_t now);
/* That neighbour does not answer, or (as_router) is no router: it is no next hop any more. */
void redirect_lost(struct ip *ip, unsigned interface, const struct berth_ip *next, bool as_router);
/* Forgets those whose time is over; when the next one's is. */
uint64_t redirect_advance(struct ip *ip, uint64_t now);
void redirects_clear(struct ip *ip);

/* ---- mld.c ---- */
/* A query for listeners. */
void mld_query(struct ip *ip, const struct ip_packet *packet, uint64_t now);
/* The address is there now: its group is joined, unless it was. */
void mld_join(struct ip *ip, unsigned interface, const struct berth_ip *address);
/* It is not any more: a duplicate, or out of the list. */
void mld_leave(struct ip *ip, const struct ip_address *gone);
/* All groups of the interface are as good as new to the link. */
void mld_join_all(struct ip *ip, unsigned interface);
uint64_t mld_deadline(const struct ip *ip);
void mld_advance(struct ip *ip, uint64_t now);

/* ---- icmp.c, icmp_report.c, icmp_error.c ---- */
void icmp_input(struct ip *ip, const struct ip_packet *packet, uint64_t now);
void icmp6_input(struct ip *ip, const struct ip_packet *packet, uint64_t now);
/* A message about *packet, if the rules and the rate limit let it: nobody has that port, or knows
 * that protocol, or the fragments that were missing did not come in time. */
enum icmp_cause { ICMP_ABOUT_PORT, ICMP_ABOUT_PROTOCOL, ICMP_ABOUT_REASSEMBLY };
void icmp_report(struct ip *ip, const struct ip_packet *packet, enum icmp_cause cause,
                 uint64_t now);
/* The same about a field of an IPv6 datagram's headers (enum ipv6_problem, and the field's place).
 * tell_group: even if the datagram went to a group. */
void icmp6_problem(struct ip *ip, const struct ip_packet *packet, uint8_t code, uint32_t pointer,
                   bool tell_group, uint64_t now);
/* A message that quotes the packet, to its source. */
struct icmp_about {
    const struct berth_ip *local;
    const uint8_t *octets; /* before the quote; checksum 0 */
    uint8_t length, ttl;   /* ttl 0: the default */
    uint8_t interface;     /* that it should take, or IP_ANY_INTERFACE */
    uint32_t most;         /* octets of the quote */
};
void icmp_send_about(struct ip *ip, const struct ip_packet *packet, const struct icmp_about *about,
                     uint64_t now);
/* A message from a router about a datagram on its way, likewise. */
void icmp_about_forwarded(struct ip *ip, const struct ip_packet *packet,
                          const struct icmp_header *header, uint64_t now);
/* Octets of the packet's view from `offset` on as parts that may be kept: a part that is only
 * borrowed makes all one copied block. Returns the number of parts, at most BERTH_FRAME_PARTS; -1
 * when memory is out. *made: the block to drop afterwards, or NULL. */
int ip_parts_to_keep(struct ip *ip, const struct frame_view *view, uint32_t offset, uint32_t length,
                     struct berth_part *own, const struct berth_part **parts,
                     struct berth_block **made);
/* True, and charged, when the rate limits let a message to that destination go; NULL: only the
 * common one. */
bool icmp_may_send(struct ip *ip, const struct berth_ip *destination, uint64_t now);
/* Octets of a datagram that an error about it quotes at most: what passes everywhere (RFC 1812
 * 4.3.2.3; RFC 4443 3.1). */
static inline uint32_t icmp_quote_max(bool v6) {
    return v6 ? IPV6_MTU_MIN - IPV6_HEADER - ICMP_HEADER : 576 - IPV4_HEADER_MIN - ICMP_HEADER;
}
/* Fills in whose a quoted datagram of ours is; *total: its own length. False when it is none. */
bool ip_error_of_quote(const struct ip *ip, const uint8_t *data, size_t length,
                       struct ip_error *error, uint32_t *total);
/* Takes an error that quotes a datagram of ours. */
void icmp_error_input(struct ip *ip, const struct ip_packet *packet, uint64_t now);
/* Tells who sent the datagram of that frame (Ethernet header first), a socket of ours or another
 * host, that its neighbour is not there. */
void icmp_host_unreachable(struct ip *ip, const struct waiting_frame *frame, uint64_t now);

#endif
