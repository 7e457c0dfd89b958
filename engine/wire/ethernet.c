#include "engine/wire/ethernet.h"

#include <errno.h>

int ethernet_header_parse(const uint8_t *data, size_t length, struct ethernet_header *header) {
    if (length < ETHERNET_HEADER)
        return -EINVAL;
    memcpy(header->destination, data, ETHERNET_MAC);
    memcpy(header->source, data + 6, ETHERNET_MAC);
    header->type = load_be16(data + 12);
    return 0;
}

void ethernet_header_write(uint8_t *to, const struct ethernet_header *header) {
    memcpy(to, header->destination, ETHERNET_MAC);
    memcpy(to + 6, header->source, ETHERNET_MAC);
    store_be16(to + 12, header->type);
}

bool ethernet_is_broadcast(const uint8_t mac[ETHERNET_MAC]) {
    static const uint8_t all[ETHERNET_MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    return memcmp(mac, all, sizeof all) == 0;
}
