/* Socket addresses of the kernel's shape, and the engine's. The rules and errors are Linux's. */
#ifndef TOOL_DAEMON_ADDRESSES_H
#define TOOL_DAEMON_ADDRESSES_H

#include <berth/addr.h>
#include <netinet/in.h>
#include <sys/socket.h>

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_storage storage;
};

enum address_use { ADDRESS_BIND, ADDRESS_CONNECT, ADDRESS_CONNECT_STREAM, ADDRESS_SEND };

/* family: the socket's, 4 or 6. 0, -EINVAL, -EAFNOSUPPORT. For connect with AF_UNSPEC: 1
 * (dissolve). */
int address_to_endpoint(const union address *address, socklen_t length, int family,
                        enum address_use use, struct berth_endpoint *endpoint);
/* Returns the length. */
socklen_t address_from_endpoint(union address *address, const struct berth_endpoint *endpoint,
                                int family);

#endif
