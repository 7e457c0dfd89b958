#include "tool/daemon/addresses.h"

#include <errno.h>
#include <stddef.h>

/* Up to and with the address: what RFC 2133 had, which Linux still takes. */
#define IN6_LEAST (offsetof(struct sockaddr_in6, sin6_addr) + sizeof(struct in6_addr))

/* A computer's one link, as SIOCGIFINDEX numbers it: link-local addresses are of that. */
enum { ETH0_INDEX = 2 };

static int endpoint_from_in(const struct sockaddr_in *in, struct berth_endpoint *endpoint) {
    endpoint->ip = berth_ip_v4(ntohl(in->sin_addr.s_addr));
    endpoint->port = ntohs(in->sin_port);
    return 0;
}

static int endpoint_from_in6(const struct sockaddr_in6 *in6, struct berth_endpoint *endpoint) {
    memcpy(endpoint->ip.bytes, &in6->sin6_addr, sizeof endpoint->ip.bytes);
    endpoint->port = ntohs(in6->sin6_port);
    return 0;
}

static int address_to_v4(const union address *address, socklen_t length, enum address_use use,
                         struct berth_endpoint *endpoint) {
    if (length < sizeof address->in)
        return -EINVAL;
    /* Old programs leave the family out. */
    bool unspecified = address->any.sa_family == AF_UNSPEC;
    if (unspecified && use == ADDRESS_BIND && address->in.sin_addr.s_addr != INADDR_ANY)
        return -EAFNOSUPPORT;
    if (address->any.sa_family != AF_INET && !unspecified)
        return -EAFNOSUPPORT;
    return endpoint_from_in(&address->in, endpoint);
}

static int address_to_v6(const union address *address, socklen_t length, enum address_use use,
                         struct berth_endpoint *endpoint) {
    /* A dual-stack datagram socket may name IPv4 addresses as such. */
    if (address->any.sa_family == AF_INET && (use == ADDRESS_CONNECT || use == ADDRESS_SEND))
        return address_to_v4(address, length, use, endpoint);
    if (length < IN6_LEAST)
        return -EINVAL;
    if (address->any.sa_family != AF_INET6)
        return -EAFNOSUPPORT;
    return endpoint_from_in6(&address->in6, endpoint);
}

int address_to_endpoint(const union address *address, socklen_t length, int family,
                        enum address_use use, struct berth_endpoint *endpoint) {
    if (length < sizeof(sa_family_t))
        return -EINVAL;
    bool connects = use == ADDRESS_CONNECT || use == ADDRESS_CONNECT_STREAM;
    if (connects && address->any.sa_family == AF_UNSPEC)
        return 1;
    return family == 4 ? address_to_v4(address, length, use, endpoint)
                       : address_to_v6(address, length, use, endpoint);
}

socklen_t address_from_endpoint(union address *address, const struct berth_endpoint *endpoint,
                                int family) {
    memset(address, 0, sizeof *address);
    if (family == 4) {
        address->in.sin_family = AF_INET;
        address->in.sin_port = htons(endpoint->port);
        address->in.sin_addr.s_addr = htonl(berth_ip_to_v4(&endpoint->ip));
        return sizeof address->in;
    }
    address->in6.sin6_family = AF_INET6;
    address->in6.sin6_port = htons(endpoint->port);
    memcpy(&address->in6.sin6_addr, endpoint->ip.bytes, sizeof endpoint->ip.bytes);
    if (IN6_IS_ADDR_LINKLOCAL(&address->in6.sin6_addr))
        address->in6.sin6_scope_id = ETH0_INDEX;
    return sizeof address->in6;
}
