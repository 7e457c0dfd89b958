/* Sockets that ask for an echo and hear the answers (RFC 1122 3.2.2.6; Linux's net/ipv4/ping.c): a
 * second space of datagram sockets, like UDP's in all but the header, whose ports are the
 * identifiers of the requests. It is made with a host's first such socket. */
#ifndef ENGINE_SOCKET_ECHO_H
#define ENGINE_SOCKET_ECHO_H

#include "engine/ip/ip.h"
#include "engine/udp/udp.h"

struct echo {
    struct udp *sockets;
    struct berth_counters counters; /* its own: the host's count UDP's datagrams */
};

/* NULL: memory. */
struct echo *echo_new(const struct berth_host_config *config, struct random *random);
void echo_free(struct echo *echo, struct berth_allocator allocator);
/* 0, or -EINVAL: `data` is no request of that family. */
int echo_check(int family, const void *data, size_t length);
/* The answer to a request that bore the identifier. `echo` may be NULL. */
void echo_input(struct echo *echo, const struct ip_packet *packet, uint16_t identifier);
/* Writes the header that the request goes out with; it is taken off the payload. */
void echo_header(struct udp_emit *emit, uint8_t octets[ICMP_HEADER]);

#endif
