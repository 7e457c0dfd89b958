/* The Internet checksum (RFC 1071). */
#ifndef ENGINE_WIRE_CHECKSUM_H
#define ENGINE_WIRE_CHECKSUM_H

#include <berth/addr.h>
#include <berth/frame.h>
#include <stddef.h>
#include <stdint.h>

/* A sum under way: pieces of any length are added in order. */
struct checksum {
    uint64_t sum;
    bool odd; /* an odd number of octets came so far */
};
void checksum_add(struct checksum *sum, const void *data, size_t length);
/* The folded one's complement of the sum, to be stored in network order by store_be16. Over octets
 * that hold a right checksum it is 0. */
uint16_t checksum_finish(const struct checksum *sum);
/* The pseudo-header of IPv4 (RFC 9293 3.1) or IPv6 (RFC 8200 8.1), by the addresses' family. */
void checksum_add_pseudo(struct checksum *sum, const struct berth_ip *source,
                         const struct berth_ip *destination, uint8_t protocol, uint32_t length);
void checksum_add_parts(struct checksum *sum, const struct berth_part *parts, size_t count);

#endif
