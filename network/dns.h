/* A responder for the Domain Name System (RFC 1035), for names that somebody else knows: a query
 * in, a reply out. It keeps nothing, and reads nothing past the query. */
#ifndef NETWORK_DNS_H
#define NETWORK_DNS_H

#include <berth/addr.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    DNS_NAME =
        254, /* a name as text, "web" or "db.lan", with its NUL; lower case, no dot at the end */
    DNS_REPLY = 512, /* octets that a reply never exceeds, and that anybody takes by UDP (RFC 1035
                        4.2.1): none is ever truncated */
};

struct dns_zone {
    /* True if the name is known; *v4 and *v6 its addresses, *v6 `::` if it has none. */
    bool (*address)(const void *context, const char *name, struct berth_ip *v4,
                    struct berth_ip *v6);
    /* The name of an address, at most 253 characters, or NULL. */
    const char *(*name)(const void *context, const struct berth_ip *address);
    const void *context;
};

/* Writes the reply to query[0..length) into reply[DNS_REPLY]; returns its length, or 0 for what
 * must not be answered (replies, and what is too short to be a query). */
size_t dns_answer(const struct dns_zone *zone, const uint8_t *query, size_t length, uint8_t *reply);

/* True if that reply says that there is no such name (RFC 1035 4.1.1). */
static inline bool dns_is_unknown(const uint8_t *reply, size_t length) {
    return length > 3 && (reply[3] & 15) == 3;
}

/* True if `name` can be asked for: labels of 1..63 letters, digits, '-' and '_', 253 characters in
 * all. */
bool dns_name_valid(const char *name);

#endif
