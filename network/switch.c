#include "network/switch.h"
#include "engine/base/bytes.h"
#include "network/network.h"
#include <errno.h>
#include <string.h>

/* ---- addresses ---- */

static uint32_t host_bits(const struct lan *lan) {
    return lan->prefix == 0 ? UINT32_MAX : (uint32_t)((UINT64_C(1) << (32 - lan->prefix)) - 1);
}

/* The first and last number that a host may have; a /31 has two (RFC 3021), a /32 one. */
static void host_range(const struct lan *lan, uint32_t *first, uint32_t *last) {
    uint32_t bits = host_bits(lan);
    *first = bits > 1 ? lan->subnet + 1 : lan->subnet;
    *last = bits > 1 ? (lan->subnet | bits) - 1 : lan->subnet | bits;
}

static bool is_taken(const struct lan *lan, uint32_t v4) {
    struct berth_ip ip = berth_ip_v4(v4);
    return directory_find(&lan->network->addresses, &ip, sizeof ip) >= 0;
}

int lan_choose_address(struct lan *lan, const struct berth_ip *wanted, struct berth_ip *address) {
    uint32_t first, last;
    host_range(lan, &first, &last);
    if (wanted) {
        uint32_t v4 = berth_ip_is_v4(wanted) ? berth_ip_to_v4(wanted) : 0;
        if (v4 < first || v4 > last)
            return -EADDRNOTAVAIL;
        if (is_taken(lan, v4))
            return -EADDRINUSE;
        *address = *wanted;
        return 0;
    }
    uint32_t v4 = lan->lowest > first ? lan->lowest : first;
    while (v4 <= last && is_taken(lan, v4))
        v4++;
    lan->lowest = v4;
    if (v4 > last)
        return -EADDRNOTAVAIL;
    *address = berth_ip_v4(v4);
    return 0;
}

static bool is_taken6(const struct lan *lan, const struct berth_ip *ip) {
    return directory_find(&lan->network->addresses, ip, sizeof *ip) >= 0;
}

int lan_choose_ipv6(const struct lan *lan, const struct berth_ip *wanted, const struct berth_ip *v4,
                    struct berth_ip *address) {
    struct berth_ip any = {{0}};
    *address = lan->subnet6;
    if (wanted) {
        /* The address of the subnet itself is every router's (RFC 4291 2.6.1). */
        if (berth_ip_is_any(address) || memcmp(wanted->bytes, address->bytes, 8) != 0 ||
            memcmp(wanted->bytes + 8, any.bytes, 8) == 0)
            return -EADDRNOTAVAIL;
        *address = *wanted;
        return is_taken6(lan, wanted) ? -EADDRINUSE : 0;
    }
    if (berth_ip_is_any(address))
        return 0;
    store_be32(address->bytes + 12, berth_ip_to_v4(v4) - lan->subnet);
    /* A /31's first host has number 0; and another host may have chosen this address. */
    for (uint32_t more = 0; is_taken6(lan, address) || berth_ip_equal(address, &lan->subnet6);)
        store_be32(address->bytes + 8, ++more);
    return 0;
}

void lan_release_address(struct lan *lan, const struct berth_ip *address) {
    uint32_t v4 = berth_ip_to_v4(address);
    if (v4 < lan->lowest)
        lan->lowest = v4;
}

/* ---- stations ---- */

/* 02: locally administered; then the IPv4 address. So a computer that comes back at the address of
 * one that has gone is found by all who knew that one: no neighbour's cache points at nobody. */
void lan_mac_of_address(const struct berth_ip *address, uint8_t mac[6]) {
    mac[0] = 0x02;
    mac[1] = 0x00;
    memcpy(mac + 2, address->bytes + 12, 4);
}

/* A table by the number that a host has in its subnet, as far as there are hosts, so that a frame's
 * way costs one look. Where subnets are large and hosts far up in them, the directory has them. */
enum { STATIONS_MOST = 1 << 16 };

static uint32_t station_number(const struct lan *lan, const uint8_t mac[6]) {
    return load_be32(mac + 2) - lan->subnet;
}

bool lan_add_station(struct lan *lan, struct network_port *port) {
    uint32_t number = station_number(lan, port->mac), size = lan->station_size;
    if (number >= STATIONS_MOST)
        return true;
    if (number >= size) {
        size = size ? size : 16;
        while (number >= size)
            size *= 2;
        struct berth_allocator allocator = lan->network->allocator;
        struct network_port **stations =
            allocator.allocate(allocator.context, size * sizeof(struct network_port *));
        if (!stations)
            return false;
        memset(stations, 0, size * sizeof(struct network_port *));
        if (lan->stations) {
            memcpy(stations, lan->stations, lan->station_size * sizeof(struct network_port *));
            allocator.release(allocator.context, lan->stations,
                              lan->station_size * sizeof(struct network_port *));
        }
        lan->stations = stations;
        lan->station_size = size;
    }
    lan->stations[number] = port;
    return true;
}

void lan_remove_station(struct lan *lan, const struct network_port *port) {
    uint32_t number = station_number(lan, port->mac);
    if (number < lan->station_size)
        lan->stations[number] = NULL;
}

/* The port of the host with that MAC, on this switch; NULL if there is none. */
static struct network_port *port_of_mac(const struct lan *lan, const uint8_t mac[6]) {
    if (mac[0] != 0x02 || mac[1] != 0x00)
        return NULL;
    uint32_t number = station_number(lan, mac);
    if (number < STATIONS_MOST)
        return number < lan->station_size ? lan->stations[number] : NULL;
    struct berth_ip address = berth_ip_v4(load_be32(mac + 2));
    struct network_port *port = network_port_at(lan->network, &address);
    return port && port->lan == lan ? port : NULL;
}

static struct learned *learned_set(const struct lan *lan, const uint8_t mac[6]) {
    uint64_t word = (uint64_t)load_be16(mac) << 32 | load_be32(mac + 2);
    uint64_t hash = siphash13_words(&lan->network->addresses.key, &word, 1);
    return &lan->learned[hash % LEARNED_SETS * LEARNED_WAYS];
}

static void learn(struct network_port *from, const uint8_t mac[6]) {
    struct lan *lan = from->lan;
    if (mac[0] & 1 || port_of_mac(lan, mac))
        return;
    struct learned *set = learned_set(lan, mac), *entry = &set[0];
    for (int i = 0; i < LEARNED_WAYS; i++) {
        if (set[i].port && memcmp(set[i].mac, mac, 6) == 0) {
            entry = &set[i];
            break;
        }
        if (entry->port && (!set[i].port || set[i].seen < entry->seen))
            entry = &set[i];
    }
    entry->port = from;
    entry->seen = lan->network->now;
    memcpy(entry->mac, mac, 6);
}

static struct network_port *find_station(const struct lan *lan, const uint8_t mac[6]) {
    struct network_port *port = port_of_mac(lan, mac);
    if (port)
        return port;
    if (!lan->learned)
        return NULL;
    const struct learned *set = learned_set(lan, mac);
    for (int i = 0; i < LEARNED_WAYS; i++)
        if (set[i].port && memcmp(set[i].mac, mac, 6) == 0 &&
            lan->network->now - set[i].seen < LEARNED_LIFE)
            return set[i].port;
    return NULL;
}

void switch_forget(struct network_port *port) {
    struct learned *learned = port->lan->learned;
    for (int i = 0; learned && i < LEARNED_SETS * LEARNED_WAYS; i++)
        if (learned[i].port == port)
            learned[i].port = NULL;
}

/* ---- forwarding ---- */

/* One link out of many: its drops cannot be told on the frame's own line in the capture. */
static void flood_one(struct network_port *to, const struct berth_frame *frame) {
    const char *cause = link_carry(&to->ingress, frame);
    if (cause)
        capture_frame(NULL, to, frame, cause);
}

static bool is_apart(const struct network_port *from, const struct network_port *to,
                     const struct berth_frame *frame) {
    return walls_any(&from->network->walls) && walls_between(from, to, frame);
}

/* To all for a group address. An address that the switch does not know can only be outside: it
 * knows all of its hosts. */
static void flood(struct network_port *from, const struct berth_frame *frame, bool group) {
    struct lan *lan = from->lan;
    capture_frame(from, NULL, frame, NULL);
    for (uint32_t i = 0; i < lan->port_count; i++)
        if (lan->ports[i] != from && (group || !lan->ports[i]->host) &&
            !is_apart(from, lan->ports[i], frame))
            flood_one(lan->ports[i], frame);
}

static void forward_singly(struct network_port *from, struct network_port *to,
                           const struct berth_frame *frame) {
    if (frame->segment_size != 0 && !to->ingress.takes_large) {
        /* Captured whole; the pieces that are lost follow. */
        capture_frame(from, to, frame, NULL);
        flood_one(to, frame);
        return;
    }
    capture_frame(from, to, frame, link_carry(&to->ingress, frame));
}

/* Whom the frame is for; NULL for a group address, but for a question that only one can answer, and
 * for a station not known. */
static struct network_port *destination(struct network_port *from, const struct berth_frame *frame,
                                        bool *group) {
    uint8_t scratch[12];
    const uint8_t *macs = frame->header;
    if (frame->header_length < sizeof scratch) {
        berth_frame_read(frame, 0, scratch, sizeof scratch);
        macs = scratch;
    }
    if (!from->host)
        learn(from, macs + 6);
    *group = macs[0] & 1;
    return *group ? switch_asked(from->lan, frame) : find_station(from->lan, macs);
}

/* Runs of frames to one port whose link decides nothing are handed over together, by pointer. */
void switch_forward(struct network_port *from, const struct berth_frame *frames, uint32_t count) {
    struct network_port *run_to = NULL;
    uint32_t run = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool group;
        struct network_port *to = destination(from, &frames[i], &group);
        bool walled = to && to != from && is_apart(from, to, &frames[i]);
        bool direct = to && to != from && !walled && link_is_direct(&to->ingress, &frames[i]);
        if (run > 0 && (!direct || to != run_to)) {
            link_arrive(&run_to->ingress, &frames[i - run], run);
            run = 0;
        }
        if (direct) {
            capture_frame(from, to, &frames[i], NULL);
            run_to = to;
            run++;
        } else if (!to) {
            flood(from, &frames[i], group);
        } else if (walled) {
            capture_frame(from, to, &frames[i], "dropped: partition");
        } else if (to != from) {
            forward_singly(from, to, &frames[i]);
        } else {
            capture_frame(from, from, &frames[i], NULL); /* it is where it came from */
        }
    }
    if (run > 0)
        link_arrive(&run_to->ingress, &frames[count - run], run);
}
