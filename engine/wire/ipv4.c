#include "engine/wire/ipv4.h"

#include "engine/wire/checksum.h"
#include <errno.h>

enum { DONT_FRAGMENT = 0x4000, MORE_FRAGMENTS = 0x2000, OFFSET_MASK = 0x1fff };

static int header_read(const uint8_t *data, size_t length, struct ipv4_header *header) {
    if (length < IPV4_HEADER_MIN || data[0] >> 4 != 4)
        return -EINVAL;
    header->header_length = (uint8_t)((data[0] & 15) * 4);
    if (header->header_length < IPV4_HEADER_MIN || header->header_length > length)
        return -EINVAL;
    uint16_t fragment = load_be16(data + 6);
    header->tos = data[1];
    header->total_length = load_be16(data + 2);
    header->id = load_be16(data + 4);
    header->fragment_offset = (uint16_t)((fragment & OFFSET_MASK) * 8);
    header->dont_fragment = (fragment & DONT_FRAGMENT) != 0;
    header->more_fragments = (fragment & MORE_FRAGMENTS) != 0;
    header->ttl = data[8];
    header->protocol = data[9];
    header->source = load_be32(data + 12);
    header->destination = load_be32(data + 16);
    header->options = data + IPV4_HEADER_MIN;
    header->options_length = (uint8_t)(header->header_length - IPV4_HEADER_MIN);
    return 0;
}

/* RFC 1071 over a few whole words, written out: it is on each datagram's way in. */
static bool header_sum_is_right(const uint8_t *data, size_t length) {
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i += 4) {
        uint32_t word;
        memcpy(&word, data + i, sizeof word);
        sum += word;
    }
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return sum == 0xffff;
}

int ipv4_header_parse(const uint8_t *data, size_t length, size_t available,
                      struct ipv4_header *header) {
    if (header_read(data, length, header) < 0)
        return -EINVAL;
    if (header->total_length < header->header_length || header->total_length > available)
        return -EINVAL;
    if (header->fragment_offset + (uint32_t)header->total_length > IPV4_LENGTH_MAX)
        return -EINVAL;
    return header_sum_is_right(data, header->header_length) ? 0 : -EINVAL;
}

int ipv4_header_parse_quoted(const uint8_t *data, size_t length, struct ipv4_header *header) {
    return header_read(data, length, header);
}

void ipv4_header_write(uint8_t *to, const struct ipv4_header *header) {
    uint16_t fragment = (uint16_t)(header->fragment_offset / 8);
    fragment |= header->dont_fragment ? DONT_FRAGMENT : 0;
    fragment |= header->more_fragments ? MORE_FRAGMENTS : 0;
    memset(to, 0, header->header_length); /* the checksum, and EOL where options are shorter */
    to[0] = (uint8_t)(4 << 4 | header->header_length / 4);
    to[1] = header->tos;
    store_be16(to + 2, header->total_length);
    store_be16(to + 4, header->id);
    store_be16(to + 6, fragment);
    to[8] = header->ttl;
    to[9] = header->protocol;
    store_be32(to + 12, header->source);
    store_be32(to + 16, header->destination);
    if (header->options_length > 0)
        memcpy(to + IPV4_HEADER_MIN, header->options, header->options_length);
    struct checksum sum = {0};
    checksum_add(&sum, to, header->header_length);
    store_be16(to + 10, checksum_finish(&sum));
}
