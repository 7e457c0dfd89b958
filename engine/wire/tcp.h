/* The TCP header on the wire (RFC 9293, section 3.1). */
#ifndef ENGINE_WIRE_TCP_H
#define ENGINE_WIRE_TCP_H

#include "engine/base/bytes.h"

enum tcp_flags {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
};
enum { TCP_HEADER_MIN = 20, TCP_HEADER_MAX = 60 };

struct tcp_header {
    uint16_t source_port, destination_port;
    uint32_t seq, ack;
    uint8_t header_length; /* octets, 20..60 */
    uint16_t flags;
    uint16_t window, checksum, urgent;
    const uint8_t *options; /* into the parsed octets */
    uint8_t options_length;
};

/* Parses data[0..length), which begins with the header and holds all of it. 0, or -EINVAL (short,
 * data offset < 5 or past the end). */
int tcp_header_parse(const uint8_t *data, size_t length, struct tcp_header *header);
/* Writes the 20 fixed octets with checksum 0; header->header_length says the data offset. */
void tcp_header_write(uint8_t *to, const struct tcp_header *header);

#endif
