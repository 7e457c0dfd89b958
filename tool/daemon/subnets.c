#include "tool/daemon/subnets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool subnet_parse(const char *text, struct berth_ip *ip, unsigned *prefix) {
    char address[BERTH_IP_TEXT];
    const char *slash = strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) >= sizeof address)
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    size_t digits = strspn(slash + 1, "0123456789");
    *prefix = (unsigned)strtoul(slash + 1, NULL, 10);
    return digits > 0 && digits <= 3 && slash[1 + digits] == '\0' &&
           berth_ip_parse(address, ip) == 0 && *prefix <= (berth_ip_is_v4(ip) ? 32u : 128u);
}

static bool bits_equal(const struct berth_ip *a, const struct berth_ip *b, unsigned count) {
    for (unsigned bit = 0; bit < count; bit++)
        if (((a->bytes[bit / 8] ^ b->bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0)
            return false;
    return true;
}

bool subnet_has_hosts(const struct berth_ip *ip) {
    struct berth_ip none = {{0}};
    unsigned first = berth_ip_is_v4(ip) ? ip->bytes[12] : ip->bytes[0];
    return berth_ip_is_v4(ip) ? first != 0 && first != 127 && first < 224
                              : first < 0xfe && !bits_equal(ip, &none, 64);
}

bool subnet_has_more(const struct berth_ip *ip, unsigned prefix) {
    for (unsigned bit = prefix + (berth_ip_is_v4(ip) ? 96 : 0); bit < 128; bit++)
        if (ip->bytes[bit / 8] >> (7 - bit % 8) & 1)
            return true;
    return false;
}

bool subnet_contains(const char *text, const struct berth_ip *ip) {
    struct berth_ip first;
    unsigned prefix;
    return subnet_parse(text, &first, &prefix) && berth_ip_is_v4(&first) == berth_ip_is_v4(ip) &&
           bits_equal(&first, ip, prefix + (berth_ip_is_v4(ip) ? 96 : 0));
}

bool subnet_overlaps(const char *a, const char *b) {
    struct berth_ip first;
    unsigned prefix;
    return (subnet_parse(a, &first, &prefix) && subnet_contains(b, &first)) ||
           (subnet_parse(b, &first, &prefix) && subnet_contains(a, &first));
}

void subnet_derive(const struct berth_ip *v4, char text[SUBNET_TEXT]) {
    struct berth_ip v6;
    char address[BERTH_IP_TEXT];
    snprintf(address, sizeof address, "fd%02x:%u:%u:%u::", v4->bytes[15], v4->bytes[12],
             v4->bytes[13], v4->bytes[14]);
    berth_ip_parse(address, &v6); /* and back, in the shortest form */
    snprintf(text, SUBNET_TEXT, "%s/64", berth_ip_format(&v6, address));
}
