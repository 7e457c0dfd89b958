#include "engine/wire/udp.h"

#include <errno.h>

int udp_header_parse(const uint8_t *data, size_t length, size_t available,
                     struct udp_header *header) {
    if (length < UDP_HEADER)
        return -EINVAL;
    header->source_port = load_be16(data);
    header->destination_port = load_be16(data + 2);
    header->length = load_be16(data + 4);
    header->checksum = load_be16(data + 6);
    return header->length >= UDP_HEADER && header->length <= available ? 0 : -EINVAL;
}

void udp_header_write(uint8_t *to, const struct udp_header *header) {
    store_be16(to, header->source_port);
    store_be16(to + 2, header->destination_port);
    store_be16(to + 4, header->length);
    store_be16(to + 6, header->checksum);
}
