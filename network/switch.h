/* A switch with an IPv4 subnet, and perhaps an IPv6 one. Hosts' MAC addresses are made from their
 * IP addresses, so a frame to a host is switched without a table, and nobody can take a host's
 * place by sending under its address. What sits behind outside ports is learned, in a table of
 * fixed size. */
#ifndef NETWORK_SWITCH_H
#define NETWORK_SWITCH_H

#include <berth/addr.h>
#include <berth/frame.h>
#include <berth/network.h>
#include <stdbool.h>
#include <stdint.h>

struct network_port;

enum {
    LEARNED_SETS =
        256, /* of LEARNED_WAYS stations each; in a full set the one silent longest goes */
    LEARNED_WAYS = 4,
};
#define LEARNED_LIFE (300 * BERTH_SECOND) /* IEEE 802.1D's ageing time */

struct learned {
    struct network_port *port; /* NULL: free */
    uint64_t seen;
    uint8_t mac[6];
};

struct lan {
    struct berth_network *network;
    int number;
    uint32_t subnet; /* IPv4, host order */
    unsigned prefix;
    struct berth_ip subnet6; /* `::`: none */
    uint32_t mtu;
    uint32_t lowest; /* all host addresses below it are taken */
    struct network_port **ports;
    uint32_t port_count, port_size;
    struct network_port **stations; /* by the last bits of their IPv4 addresses; see switch.c */
    uint32_t station_size;
    struct learned *learned; /* LEARNED_SETS * LEARNED_WAYS; only with outside ports */
    char name[64];
};

/* -EADDRINUSE, -EADDRNOTAVAIL; address NULL: finds the lowest free one. */
int lan_choose_address(struct lan *lan, const struct berth_ip *wanted, struct berth_ip *address);
/* The host's IPv6 address: the one wanted, or the subnet's with the host's number in it. `::` where
 * the switch has no IPv6 subnet. -EADDRINUSE, -EADDRNOTAVAIL. */
int lan_choose_ipv6(const struct lan *lan, const struct berth_ip *wanted, const struct berth_ip *v4,
                    struct berth_ip *address);
void lan_release_address(struct lan *lan, const struct berth_ip *address);
/* A host's port has come with its address: frames to it find it. False when memory is out. */
bool lan_add_station(struct lan *lan, struct network_port *port);
void lan_remove_station(struct lan *lan, const struct network_port *port);
void lan_mac_of_address(const struct berth_ip *address, uint8_t mac[6]);
/* Frames (borrowed) have come to the switch from `from`: captures them and sends them on. */
void switch_forward(struct network_port *from, const struct berth_frame *frames, uint32_t count);
/* asked.c: the host on this switch whose address the frame asks for (ARP, neighbour discovery);
 * NULL if it asks for nobody's here. */
struct network_port *switch_asked(const struct lan *lan, const struct berth_frame *frame);
/* Forgets what was learned about the port. */
void switch_forget(struct network_port *port);

#endif
