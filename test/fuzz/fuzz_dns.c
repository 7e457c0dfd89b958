/* The responder of names, with queries of any kind. */
#include "network/dns.h"
#include "test/fuzz/input.h"

static bool zone_address(const void *context, const char *name, struct berth_ip *v4,
                         struct berth_ip *v6) {
    (void)context;
    CLAIM(strlen(name) < DNS_NAME);
    *v4 = berth_ip_v4(0x0a000001);
    *v6 = (struct berth_ip){{name[0] == 'y' ? 0x20 : 0, 1}};
    return name[0] != 'x';
}

static const char *zone_name(const void *context, const struct berth_ip *address) {
    return address->bytes[15] & 1 ? context : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char longest[DNS_NAME];
    for (size_t i = 0; i < DNS_NAME - 1; i++)
        longest[i] = i % 64 == 63 ? '.' : 'a';
    const struct dns_zone zone = {zone_address, zone_name, longest};
    uint8_t reply[DNS_REPLY];
    size_t length = dns_answer(&zone, data, size, reply);
    CLAIM(length <= sizeof reply);
    /* A reply, and to this query; and it is not answered itself, or two responders would talk for
     * ever. */
    if (length > 0) {
        CLAIM(length >= 12 && memcmp(reply, data, 2) == 0 && (reply[2] & 0x80) != 0);
        uint8_t second[DNS_REPLY];
        CLAIM(dns_answer(&zone, reply, length, second) == 0);
    }
    char *name = malloc(size + 1);
    CLAIM(name != NULL);
    memcpy(name, data, size);
    name[size] = '\0';
    if (dns_name_valid(name))
        CLAIM(strlen(name) < DNS_NAME);
    free(name);
    return 0;
}
