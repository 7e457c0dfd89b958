#include "engine/ip/ip.h"
#include <errno.h>

int ip_grow(struct berth_allocator allocator, void **items, uint32_t *size, size_t item_size,
            uint32_t max) {
    uint32_t wanted = *size ? *size * 2 : 4;
    if (*size >= max)
        return -ENOSPC;
    void *grown = allocator.allocate(allocator.context, wanted * item_size);
    if (!grown)
        return -ENOMEM;
    if (*items) {
        memcpy(grown, *items, *size * item_size);
        allocator.release(allocator.context, *items, *size * item_size);
    }
    *items = grown;
    *size = wanted;
    return 0;
}

void ip_set_config(struct ip *ip, const struct berth_host_config *config) {
    ip->default_ttl = config->default_ttl;
    ip->forward = config->ip_forward != 0;
    ip->forward6 = config->ip6_forward != 0;
    ip->dad_transmits = config->accept_dad ? config->dad_transmits : 0;
    ip->dad_disables = config->accept_dad == 2;
    bool deaf = ip->accept_ra == 0;
    ip->accept_ra = config->accept_ra;
    ip->autoconf = config->autoconf != 0;
    ip->router_solicitations = config->router_solicitations;
    ip->accept_redirects = config->accept_redirects != 0;
    ip->accept_redirects6 = config->accept_redirects6 != 0;
    ip->secure_redirects = config->secure_redirects != 0;
    ip->shared_media = config->shared_media != 0;
    ip->send_redirects = config->send_redirects != 0;
    if (ip->redirects) /* what was taken may be no more to be taken */
        redirects_clear(ip);
    for (unsigned i = 0; deaf && i < ip->interface_count; i++)
        router_start(ip, i);
    bool silent = ip->mld_robustness == 0;
    ip->mld_robustness = config->mld_robustness;
    for (unsigned i = 0; silent && i < ip->interface_count; i++)
        mld_join_all(ip, i);
}

int ip_init(struct ip *ip, const struct berth_host_config *config, struct random *random,
            struct berth_counters *counters, const struct ip_ops *ops) {
    memset(ip, 0, sizeof *ip);
    ip->allocator = config->allocator;
    ip->counters = counters;
    ip->random = random;
    ip->ops = *ops;
    ip_set_config(ip, config);
    ip->neighbor_reachable = config->neighbor_reachable;
    ip->neighbor_requests[0] = config->arp_requests;
    ip->neighbor_requests[1] = config->nd_requests;
    ip->path_lifetime = config->path_mtu_expires;
    ip->address_due = BERTH_NEVER;
    ip->version = 1; /* an empty cache entry has 0 */
    ip->id_key = random_key(random);
    ip->id_counter = (uint32_t)random_u64(random);
    ip->icmp_key = random_key(random);
    ip->reassembly.key = random_key(random);
    ip->reassembly.limit = config->reassembly_limit;
    ip->reassembly.timeout = config->reassembly_timeout;
    ip->reassembly6 = ip->reassembly;
    ip->reassembly6.timeout = config->reassembly6_timeout;
    ip->notify = config->ipv6_notify != 0;
    neighbors_init(ip, config->neighbor_max, 0);
    ip->interfaces[IP_LOOPBACK] = (struct ip_interface){
        .link = BERTH_LINK_RAW_IP,
        .mtu = IP_LOOPBACK_MTU,
        .offloads = BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT,
    };
    ip->interface_count = 1;
    struct berth_ip localhost = berth_ip_v4(0x7f000001), localhost6 = {.bytes = {[15] = 1}};
    int error = ip_add_address(ip, IP_LOOPBACK, &localhost, 8);
    return error ? error : ip_add_address(ip, IP_LOOPBACK, &localhost6, 128);
}

static void drop_all(struct ip *ip) {
    for (unsigned i = 0; i < ip->interface_count; i++) {
        frame_queue_clear(&ip->interfaces[i].ready, ip->allocator);
        ip->interfaces[i].mld_due = ip->interfaces[i].mld_change_due = 0;
    }
    memset(ip->mld_left, 0, sizeof ip->mld_left);
    ip->ready = 0;
    neighbors_clear(ip);
    redirects_clear(ip);
    reassembly_clear(ip, &ip->reassembly);
    reassembly_clear(ip, &ip->reassembly6);
}

void ip_reset(struct ip *ip, uint64_t now) {
    uint32_t limit = ip->neighbors.limit;
    drop_all(ip);
    memset(&ip->neighbors, 0, sizeof ip->neighbors);
    neighbors_init(ip, limit, now);
    memset(ip->paths, 0, sizeof ip->paths);
    for (unsigned i = 0; i < ip->interface_count; i++)
        mld_join_all(ip, i);
    address_reset(ip);
    ip->version++; /* hops that were looked up name neighbours */
}

void ip_clear(struct ip *ip) {
    drop_all(ip);
    if (ip->addresses)
        ip->allocator.release(ip->allocator.context, ip->addresses,
                              ip->address_size * sizeof *ip->addresses);
    if (ip->routes)
        ip->allocator.release(ip->allocator.context, ip->routes,
                              ip->route_size * sizeof *ip->routes);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t ip_deadline(const struct ip *ip) {
    uint64_t reassembly =
        earlier(reassembly_deadline(&ip->reassembly), reassembly_deadline(&ip->reassembly6));
    uint64_t first = earlier(timer_deadline(&ip->neighbors.wheel), reassembly);
    return earlier(first, earlier(mld_deadline(ip), ip->address_due));
}

void ip_advance(struct ip *ip, uint64_t now) {
    neighbors_advance(ip, now);
    address_advance(ip, now);
    mld_advance(ip, now);
    reassembly_advance(ip, &ip->reassembly, now);
    reassembly_advance(ip, &ip->reassembly6, now);
}

int ip_parts_to_keep(struct ip *ip, const struct frame_view *view, uint32_t offset, uint32_t length,
                     struct berth_part *own, const struct berth_part **parts,
                     struct berth_block **made) {
    *made = NULL;
    int count = view_slice(view, offset, length, own, VIEW_PARTS, parts);
    bool held = count >= 0 && count <= BERTH_FRAME_PARTS;
    for (int i = 0; i < count && held; i++)
        held = (*parts)[i].block != NULL;
    if (held)
        return count;
    *made = berth_block_new(ip->allocator, length);
    if (!*made)
        return -1;
    view_read(view, offset, length, (*made)->data);
    own[0] = (struct berth_part){.block = *made, .data = (*made)->data, .length = length};
    *parts = own;
    return 1;
}
