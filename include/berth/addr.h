/* Addresses and endpoints.
 *
 * One shape for both families: 16 bytes in network order. An IPv4 address a.b.c.d is held as the
 * IPv4-mapped IPv6 address ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2), so tables and sockets never
 * ask for the family; only wire formats do. The wildcard of IPv4 is ::ffff:0.0.0.0, of IPv6 `::`.
 */
#ifndef BERTH_ADDR_H
#define BERTH_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct berth_ip {
    uint8_t bytes[16]; /* network order; see above */
};

/* An address and a port: with the protocol, a socket's name. */
struct berth_endpoint {
    struct berth_ip ip;
    uint16_t port; /* host order, 0..65535 */
};

/* Room for any address as text with its terminating NUL. */
enum { BERTH_IP_TEXT = 46 };

/* The address whose 32 bits are `v4`, in host order (10.0.0.1 is 0x0a000001). */
static inline struct berth_ip berth_ip_v4(uint32_t v4) {
    struct berth_ip ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (uint8_t)(v4 >> 24),
                           (uint8_t)(v4 >> 16), (uint8_t)(v4 >> 8), (uint8_t)v4}};
    return ip;
}

static inline bool berth_ip_is_v4(const struct berth_ip *ip) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(ip->bytes, mapped, sizeof mapped) == 0;
}

/* The 32 bits of an IPv4 address, host order. Only for addresses that are IPv4. */
static inline uint32_t berth_ip_to_v4(const struct berth_ip *ip) {
    return (uint32_t)ip->bytes[12] << 24 | (uint32_t)ip->bytes[13] << 16 |
           (uint32_t)ip->bytes[14] << 8 | (uint32_t)ip->bytes[15];
}

static inline bool berth_ip_equal(const struct berth_ip *a, const struct berth_ip *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* 0.0.0.0 or `::`. */
static inline bool berth_ip_is_any(const struct berth_ip *ip) {
    static const uint8_t zero[16] = {0};
    return berth_ip_is_v4(ip) ? berth_ip_to_v4(ip) == 0 : memcmp(ip->bytes, zero, 16) == 0;
}

/* 127.0.0.0/8 or ::1. */
bool berth_ip_is_loopback(const struct berth_ip *ip);
/* 224.0.0.0/4 or ff00::/8. */
bool berth_ip_is_multicast(const struct berth_ip *ip);

/* Reads dotted-quad IPv4 or RFC 4291 IPv6 text. `text`: borrowed, NUL-terminated.
 * Returns 0, or -EINVAL and leaves *ip as it was. */
int berth_ip_parse(const char *text, struct berth_ip *ip);

/* Writes the address as text (RFC 5952 for IPv6) into text[BERTH_IP_TEXT]; returns `text`. */
char *berth_ip_format(const struct berth_ip *ip, char text[BERTH_IP_TEXT]);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
