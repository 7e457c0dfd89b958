#include "engine/wire/tcp.h"

#include <errno.h>

int tcp_header_parse(const uint8_t *data, size_t length, struct tcp_header *header) {
    if (length < TCP_HEADER_MIN)
        return -EINVAL;
    uint8_t header_length = (uint8_t)((data[12] >> 4) * 4);
    if (header_length < TCP_HEADER_MIN || header_length > length)
        return -EINVAL;
    header->source_port = load_be16(data);
    header->destination_port = load_be16(data + 2);
    header->seq = load_be32(data + 4);
    header->ack = load_be32(data + 8);
    header->header_length = header_length;
    header->flags = data[13]; /* the four reserved bits are ignored: RFC 9293 3.1 */
    header->window = load_be16(data + 14);
    header->checksum = load_be16(data + 16);
    header->urgent = load_be16(data + 18);
    header->options = data + TCP_HEADER_MIN;
    header->options_length = (uint8_t)(header_length - TCP_HEADER_MIN);
    return 0;
}

void tcp_header_write(uint8_t *to, const struct tcp_header *header) {
    store_be16(to, header->source_port);
    store_be16(to + 2, header->destination_port);
    store_be32(to + 4, header->seq);
    store_be32(to + 8, header->ack);
    to[12] = (uint8_t)(header->header_length / 4 << 4);
    to[13] = (uint8_t)header->flags;
    store_be16(to + 14, header->window);
    store_be16(to + 16, 0);
    store_be16(to + 18, header->urgent);
}
