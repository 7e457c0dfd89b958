/* getsockname(), getpeername(), ioctl() about interfaces, and uname(). */
#define _GNU_SOURCE
#include "tool/daemon/addresses.h"
#include "tool/daemon/call.h"
#include "tool/daemon/netlink_answer.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>

/* ---- names of sockets ---- */

/* As the kernel copies an address out: cut to the room there is, its whole length told. */
static long name_write(struct call *call, const struct berth_endpoint *endpoint, int family) {
    struct reach *reach = call->run->reach;
    union address address;
    socklen_t full = address_from_endpoint(&address, endpoint, family), room;
    int r = reach_read(reach, call->thread, call->arguments[2], &room, sizeof room);
    if (r < 0)
        return r;
    if ((int)room < 0)
        return -EINVAL;
    struct reach_piece pieces[] = {{call->arguments[1], &address, room < full ? room : full},
                                   {call->arguments[2], &full, sizeof full}};
    return reach_write(reach, call->thread, pieces, 2);
}

long call_getsockname(struct call *call) {
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return CALL_CONTINUE;
    struct berth_endpoint local = conduit->last_local;
    struct berth_host *host = conduit_host(call->server, conduit);
    int family = conduit->family;
    long r = host ? berth_socket_local(host, conduit->socket, &local) : 0;
    call_unlock(call);
    return r < 0 ? r : name_write(call, &local, family);
}

long call_getpeername(struct call *call) {
    struct conduit *conduit = call_lock(call);
    if (!conduit)
        return CALL_CONTINUE;
    struct berth_endpoint remote;
    struct berth_host *host = conduit_host(call->server, conduit);
    int family = conduit->family;
    bool connected = conduit_is_datagram(conduit) || conduit->state == CONDUIT_CONNECTED;
    long r = host && connected ? berth_socket_remote(host, conduit->socket, &remote) : -ENOTCONN;
    call_unlock(call);
    return r < 0 ? r : name_write(call, &remote, family);
}

/* ---- interfaces ---- */

enum { ADDRESSES = 64 };

static size_t addresses_list(struct call *call, struct berth_address *list) {
    uint64_t now = server_enter(call->server);
    struct berth_host *host = berth_network_host(call->server->network, call->run->host);
    size_t count = host ? berth_host_addresses(host, list, ADDRESSES) : 0, kept = 0;
    server_leave(call->server, now);
    /* These requests are about IPv4 only, as on Linux. */
    for (size_t i = 0; i < count && i < ADDRESSES; i++)
        if (berth_ip_is_v4(&list[i].ip))
            list[kept++] = list[i];
    return kept;
}

static void sockaddr_write(struct sockaddr *to, uint32_t v4) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(v4)};
    memcpy(to, &in, sizeof in);
}

static uint32_t address_mask(const struct berth_address *address) {
    return address->prefix ? UINT32_MAX << (32 - address->prefix) : 0;
}

/* One answer of SIOCGIF...: the request with the part filled in that was asked for. */
static int interface_answer(unsigned request, const struct berth_address *address,
                            struct ifreq *answer) {
    uint32_t v4 = berth_ip_to_v4(&address->ip), mask = address_mask(address);
    bool loopback = address->interface == 0;
    switch (request) {
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR: /* no link here has but one other end */
        sockaddr_write(&answer->ifr_addr, v4);
        return 0;
    case SIOCGIFNETMASK:
        sockaddr_write(&answer->ifr_netmask, mask);
        return 0;
    case SIOCGIFBRDADDR:
        sockaddr_write(&answer->ifr_broadaddr, loopback ? 0 : v4 | ~mask);
        return 0;
    case SIOCGIFFLAGS:
        answer->ifr_flags = (short)(IFF_UP | IFF_RUNNING |
                                    (loopback ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST));
        return 0;
    case SIOCGIFMTU:
        answer->ifr_mtu = (int)address->mtu;
        return 0;
    case SIOCGIFINDEX:
        answer->ifr_ifindex = address->interface + 1;
        return 0;
    case SIOCGIFMETRIC:
        answer->ifr_metric = 0;
        return 0;
    case SIOCGIFTXQLEN:
        answer->ifr_qlen = 1000;
        return 0;
    case SIOCGIFMAP:
        memset(&answer->ifr_map, 0, sizeof answer->ifr_map); /* no interrupts, no memory */
        return 0;
    case SIOCGIFHWADDR:
        answer->ifr_hwaddr.sa_family = loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
        memcpy(answer->ifr_hwaddr.sa_data, address->mac, sizeof address->mac);
        return 0;
    default:
        return -EPERM; /* what a computer's interfaces are is the network's matter */
    }
}

static long interface_list(struct call *call, const struct berth_address *list, size_t count) {
    struct reach *reach = call->run->reach;
    struct ifconf wanted;
    struct ifreq found[ADDRESSES] = {0};
    int r = reach_read(reach, call->thread, call->arguments[2], &wanted, sizeof wanted);
    if (r < 0)
        return r;
    size_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        if (!berth_ip_is_v4(&list[i].ip)) /* this call knows no others */
            continue;
        netlink_link_name(list[i].interface, found[rows].ifr_name);
        sockaddr_write(&found[rows++].ifr_addr, berth_ip_to_v4(&list[i].ip));
    }
    size_t length = rows * sizeof found[0], room = wanted.ifc_len > 0 ? (size_t)wanted.ifc_len : 0;
    if (wanted.ifc_buf && length > room)
        length = room - room % sizeof found[0];
    uint64_t buffer = (uint64_t)(uintptr_t)wanted.ifc_buf;
    wanted.ifc_len = (int)length;
    struct reach_piece pieces[] = {{call->arguments[2], &wanted, sizeof wanted},
                                   {buffer, found, length}};
    return reach_write(reach, call->thread, pieces, buffer && length ? 2 : 1);
}

static long interface_by_index(struct call *call, const struct berth_address *list, size_t count,
                               struct ifreq *request) {
    for (size_t i = 0; i < count; i++)
        if (list[i].interface + 1 == request->ifr_ifindex) {
            netlink_link_name(list[i].interface, request->ifr_name);
            struct reach_piece piece = {call->arguments[2], request, sizeof *request};
            return reach_write(call->run->reach, call->thread, &piece, 1);
        }
    return -ENODEV;
}

long call_ioctl(struct call *call) {
    struct berth_address list[ADDRESSES];
    struct ifreq request;
    unsigned command = (unsigned)call->arguments[1];
    size_t count = addresses_list(call, list);
    if (command == SIOCGIFCONF)
        return interface_list(call, list, count);
    int r =
        reach_read(call->run->reach, call->thread, call->arguments[2], &request, sizeof request);
    if (r < 0)
        return r;
    if (command == SIOCGIFNAME)
        return interface_by_index(call, list, count, &request);
    request.ifr_name[IFNAMSIZ - 1] = '\0';
    for (size_t i = 0; i < count; i++) {
        char name[IFNAMSIZ];
        netlink_link_name(list[i].interface, name);
        if (strcmp(name, request.ifr_name) != 0)
            continue;
        r = interface_answer(command, &list[i], &request);
        struct reach_piece piece = {call->arguments[2], &request, sizeof request};
        return r < 0 ? r : reach_write(call->run->reach, call->thread, &piece, 1);
    }
    return -ENODEV;
}

/* The kernel's answer, with the computer's name. Who may not be looked into is told the machine's.
 */
long call_uname(struct call *call) {
    struct utsname name;
    if (uname(&name) < 0)
        return CALL_CONTINUE;
    server_take(call->server);
    const char *own = berth_network_host_name(call->server->network, call->run->host);
    if (own)
        snprintf(name.nodename, sizeof name.nodename, "%s", own);
    pthread_mutex_unlock(&call->server->lock);
    struct reach_piece piece = {call->arguments[0], &name, sizeof name};
    int r = reach_write(call->run->reach, call->thread, &piece, 1);
    return r == -EPERM ? CALL_CONTINUE : r;
}
