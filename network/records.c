/* Names that one host's programs know beside the network's: what /etc/hosts is on a computer of its
 * own. They come before all others. */
#include "network/dns.h"
#include "network/network.h"
#include <errno.h>
#include <string.h>

static struct record *record_find(const struct network_host *host, const char *key) {
    struct record *record = host->records;
    while (record && strcmp(record->key, key) != 0)
        record = record->next;
    return record;
}

int berth_network_add_record(struct berth_network *network, int host, const char *name,
                             const struct berth_ip *address) {
    char key[DNS_NAME];
    struct network_host *of = network_host_of(network, host);
    if (!of)
        return -ENOENT;
    if (!address || berth_ip_is_any(address) || names_key(name, key) < 0)
        return -EINVAL;
    struct record *record = record_find(of, key);
    if (!record) {
        struct berth_allocator *allocator = &network->allocator;
        record = allocator->allocate(allocator->context, sizeof *record);
        if (!record)
            return -ENOMEM;
        *record = (struct record){.next = of->records, .v4 = berth_ip_v4(0)};
        memcpy(record->key, key, strlen(key) + 1);
        of->records = record;
    }
    *(berth_ip_is_v4(address) ? &record->v4 : &record->v6) = *address;
    return 0;
}

bool record_address(const struct network_host *host, const char *key, struct berth_ip *v4,
                    struct berth_ip *v6) {
    const struct record *record = record_find(host, key);
    if (!record)
        return false;
    *v4 = record->v4;
    *v6 = record->v6;
    return true;
}

void records_free(struct network_host *host) {
    struct berth_allocator *allocator = &host->network->allocator;
    while (host->records) {
        struct record *record = host->records;
        host->records = record->next;
        allocator->release(allocator->context, record, sizeof *record);
    }
}
