/* Datagrams through the gateway: UDP and echo requests.
 *
 * A computer's UDP socket is one flow, with one socket of this machine, whomever it talks to; so
 * answers find it from wherever they come (RFC 4787 REQ-1, REQ-8). An error that the machine's
 * socket hears of is told about the last datagram that went to where it happened. A client of a
 * published port is a flow, too; its datagrams go by the published port's own socket. */
#define _GNU_SOURCE
#include "tool/daemon/gateway_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BATCH = 64, ECHO_HEADER = 8 };

static bool endpoint_equal(const struct berth_endpoint *a, const struct berth_endpoint *b) {
    return a->port == b->port && berth_ip_equal(&a->ip, &b->ip);
}

/* ---- beginning and end ---- */

static void flow_drop(struct server *server, struct outlet *outlet) {
    struct flow *flow = (struct flow *)(void *)outlet;
    struct flow **link = &server->gateway->flows;
    while (*link != flow)
        link = &(*link)->next;
    *link = flow->next;
    server->gateway->flow_count--;
    outlet_close(server, outlet);
    for (int i = 0; i < FLOW_SENT; i++)
        berth_stray_drop(&flow->sent[i]);
    free(flow);
}

void flows_forget(struct server *server, const struct published *published) {
    struct flow *next;
    for (struct flow *flow = server->gateway->flows; flow; flow = next) {
        next = flow->next;
        if (!published || flow->published == published)
            flow_drop(server, &flow->outlet);
    }
}

void flows_expire(struct server *server, uint64_t now) {
    struct flow *next;
    for (struct flow *flow = server->gateway->flows; flow; flow = next) {
        next = flow->next;
        if (flow->outlet.expires <= now)
            flow_drop(server, &flow->outlet);
    }
}

/* The one that was used longest ago makes room. */
static void room_make(struct server *server) {
    struct flow *oldest = server->gateway->flows;
    if (server->gateway->flow_count < FLOWS_MAX)
        return;
    for (struct flow *flow = oldest; flow; flow = flow->next)
        if (flow->used < oldest->used)
            oldest = flow;
    flow_drop(server, &oldest->outlet);
}

static void flow_ready(struct server *server, struct outlet *outlet, uint32_t events, uint64_t now);

/* fd: given; -1 for a published port's. NULL: it cannot be. */
static struct flow *flow_new(struct server *server, int fd, uint8_t protocol, int host) {
    room_make(server);
    struct flow *flow = calloc(1, sizeof *flow);
    if (!flow) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    flow->protocol = protocol;
    flow->outlet = (struct outlet){
        .ready = flow_ready, .drop = flow_drop, .fd = fd, .host = host, .expires = BERTH_NEVER};
    if (fd >= 0 && outlet_add(server, &flow->outlet, EPOLLIN) < 0) {
        free(flow);
        return NULL;
    }
    flow->next = server->gateway->flows;
    server->gateway->flows = flow;
    server->gateway->flow_count++;
    return flow;
}

static void flow_use(struct flow *flow, uint64_t now) {
    flow->used = now;
    flow->outlet.expires = now + (flow->protocol == 17 ? FLOW_LIFE : ECHO_LIFE) * BERTH_SECOND;
}

static struct flow *flow_find(const struct server *server, uint8_t protocol,
                              const struct berth_endpoint *inside) {
    struct flow *flow = server->gateway->flows;
    while (flow && !(flow->protocol == protocol && !flow->published &&
                     endpoint_equal(&flow->inside, inside)))
        flow = flow->next;
    return flow;
}

/* Where a request with that number is kept until it is answered. */
static struct berth_stray *sent_place(struct flow *flow, uint16_t number) {
    return &flow->sent[flow->protocol == 17 ? 0 : number % FLOW_SENT];
}

/* ---- published ports ---- */

static struct flow *client_find(const struct server *server, const struct published *published,
                                const struct berth_endpoint *shown,
                                const struct berth_endpoint *inside) {
    struct flow *flow = server->gateway->flows;
    while (flow && !(flow->published && (!published || flow->published == published) &&
                     endpoint_equal(&flow->shown, shown) && endpoint_equal(&flow->inside, inside)))
        flow = flow->next;
    return flow;
}

/* Room for one piece of ancillary data. */
union control {
    struct cmsghdr header;
    char space[128];
};

static struct berth_ip asked_read(struct msghdr *message) {
    struct berth_ip asked = {{0}};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        struct in_pktinfo v4;
        struct in6_pktinfo v6;
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&v4, CMSG_DATA(c), sizeof v4);
            asked = berth_ip_v4(ntohl(v4.ipi_addr.s_addr));
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(&v6, CMSG_DATA(c), sizeof v6);
            memcpy(asked.bytes, &v6.ipi6_addr, 16);
        }
    }
    return asked;
}

bool flow_client(struct server *server, struct published *published, uint64_t now) {
    union address client;
    union control control;
    uint8_t *buffer = server->gateway->buffer;
    struct iovec piece = {buffer, DATAGRAM_MAX};
    struct msghdr message = {.msg_name = &client,
                             .msg_namelen = sizeof client,
                             .msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    memset(&client, 0, sizeof client);
    ssize_t got = recvmsg(published->outlet.fd, &message, MSG_DONTWAIT);
    if (got < 0)
        return false;
    struct berth_link link;
    struct berth_endpoint from = endpoint_of(&client), inside = {.port = published->port.inside};
    if (berth_network_links(server->network, published->port.host, &link, 1) == 0)
        return true;
    bool v4 = berth_ip_is_v4(&from.ip) || berth_ip_is_any(&link.ipv6);
    inside.ip = v4 ? link.address : link.ipv6;
    struct berth_endpoint shown = address_inward(server, &from, &inside.ip);
    struct flow *flow = client_find(server, published, &shown, &inside);
    if (!flow) {
        flow = flow_new(server, -1, 17, published->port.host);
        if (!flow)
            return true;
        flow->published = published;
        flow->inside = inside;
        flow->shown = shown;
    }
    flow->client = client;
    flow->asked = asked_read(&message);
    flow_use(flow, now);
    berth_host_send_udp(gateway_engine(server), &shown, &inside, buffer, (size_t)got, now);
    gateway_touch(server);
    return true;
}

/* The computer's answer, from the address that the client wrote to. */
static void answer_client(struct flow *flow, const struct berth_stray *stray) {
    union control control;
    struct iovec piece = {(void *)(uintptr_t)stray->data, stray->length};
    bool v4 = flow->client.any.sa_family == AF_INET;
    struct msghdr message = {.msg_name = &flow->client,
                             .msg_namelen = v4 ? sizeof flow->client.v4 : sizeof flow->client.v6,
                             .msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control};
    struct in_pktinfo info4 = {.ipi_ifindex = 0};
    struct in6_pktinfo info6 = {.ipi6_ifindex = 0};
    size_t size = v4 ? sizeof info4 : sizeof info6;
    memset(&control, 0, sizeof control);
    info4.ipi_spec_dst.s_addr = htonl(berth_ip_to_v4(&flow->asked));
    memcpy(&info6.ipi6_addr, flow->asked.bytes, 16);
    message.msg_controllen = CMSG_SPACE(size);
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
    c->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), v4 ? (const void *)&info4 : (const void *)&info6, size);
    sendmsg(flow->published->outlet.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- outward ---- */

/* The machine's socket for a kind of flow; -1 when there is none to be had (errno). */
static int socket_open(uint8_t protocol, bool v4) {
    int kind = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, on = 1;
    int fd = socket(v4 ? AF_INET : AF_INET6, kind,
                    protocol == 17 ? 0
                    : v4           ? IPPROTO_ICMP
                                   : IPPROTO_ICMPV6);
    if (fd < 0)
        return -1;
    setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof on);
    return fd;
}

/* An echo request as the machine's socket takes it; its identifier becomes the socket's own. */
static size_t echo_build(const struct berth_stray *stray, bool v4, uint8_t *to) {
    size_t length =
        stray->length < DATAGRAM_MAX - ECHO_HEADER ? stray->length : DATAGRAM_MAX - ECHO_HEADER;
    uint16_t number = htons(stray->destination.port);
    memset(to, 0, ECHO_HEADER);
    to[0] = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    memcpy(to + 6, &number, 2);
    memcpy(to + ECHO_HEADER, stray->data, length);
    return ECHO_HEADER + length;
}

static bool send_out(struct server *server, const struct flow *flow,
                     const struct berth_stray *stray) {
    bool v4 = berth_ip_is_v4(&stray->destination.ip), echo = stray->protocol != 17;
    struct berth_endpoint target = address_outward(server, &stray->destination);
    union address address;
    const uint8_t *data = stray->data;
    size_t length = stray->length;
    if (echo) {
        target.port = 0;
        data = server->gateway->buffer;
        length = echo_build(stray, v4, server->gateway->buffer);
    }
    socklen_t size = address_of(&target, &address);
    /* An error that waits is told by the first try. */
    for (int i = 0; i < 2; i++)
        if (sendto(flow->outlet.fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL, &address.any,
                   size) >= 0 ||
            errno == EAGAIN)
            return true;
    return false;
}

static void outward(struct server *server, struct berth_stray *stray, uint64_t now) {
    struct berth_endpoint inside = stray->source;
    struct flow *flow = flow_find(server, stray->protocol, &inside);
    int error = 0;
    if (!flow) {
        int fd = socket_open(stray->protocol, berth_ip_is_v4(&stray->destination.ip));
        error = fd < 0 ? errno : 0;
        if (fd >= 0)
            flow = flow_new(server, fd, stray->protocol,
                            berth_network_find_address(server->network, &inside.ip));
    }
    if (!flow) {
        if (error == EACCES || error == EPERM) /* net.ipv4.ping_group_range */
            berth_host_refuse_stray(gateway_engine(server), stray, BERTH_REFUSE_PROHIBITED, now);
        else
            berth_stray_drop(stray);
        return;
    }
    flow->inside = inside;
    flow_use(flow, now);
    if (!send_out(server, flow, stray)) {
        error = errno;
        if (error == EMSGSIZE)
            berth_stray_drop(stray);
        else
            berth_host_refuse_stray(gateway_engine(server), stray, refusal_of(error), now);
        return;
    }
    struct berth_stray *sent = sent_place(flow, stray->destination.port);
    berth_stray_drop(sent);
    *sent = *stray;
}

void flow_stray(struct server *server, struct berth_stray *stray, uint64_t now) {
    struct flow *flow = stray->protocol == 17
                            ? client_find(server, NULL, &stray->destination, &stray->source)
                            : NULL;
    struct berth_endpoint target = stray->destination;
    if (flow) {
        flow_use(flow, now);
        answer_client(flow, stray);
        berth_stray_drop(stray);
        return;
    }
    if (stray->protocol != 17)
        target.port = 0;
    /* The gateway's own addresses answer to echo requests themselves. */
    if (stray->protocol != 17 && gateway_is_own(server, &target.ip))
        berth_host_admit_stray(gateway_engine(server), stray, now);
    else if (gateway_allows(server, &target))
        outward(server, stray, now);
    else
        berth_host_refuse_stray(gateway_engine(server), stray,
                                server->gateway->open ? BERTH_REFUSE_PROHIBITED : BERTH_REFUSE_NET,
                                now);
}

/* ---- inward ---- */

static void bring(struct server *server, struct flow *flow, const union address *from,
                  const uint8_t *data, size_t length, uint64_t now) {
    struct berth_endpoint source = endpoint_of(from);
    if (flow->protocol == 17) {
        source = address_inward(server, &source, &flow->inside.ip);
        berth_host_send_udp(gateway_engine(server), &source, &flow->inside, data, length, now);
        gateway_touch(server);
        return;
    }
    /* The gateway's own echo server has the answer: to the request that is still here. */
    uint16_t number = 0;
    if (length < ECHO_HEADER)
        return;
    memcpy(&number, data + 6, 2);
    number = ntohs(number);
    struct berth_stray *sent = sent_place(flow, number);
    if (sent->block && number == sent->destination.port &&
        berth_ip_equal(&source.ip, &sent->destination.ip)) {
        berth_host_admit_stray(gateway_engine(server), sent, now);
        gateway_touch(server);
    }
}

/* Refuses what went there, if it is still here. */
static void refuse_sent(struct server *server, struct flow *flow,
                        const struct berth_endpoint *about, int error, uint64_t now) {
    for (int i = 0; i < FLOW_SENT; i++) {
        struct berth_stray *sent = &flow->sent[i];
        struct berth_endpoint target = address_outward(server, &sent->destination);
        if (sent->block && berth_ip_equal(&target.ip, &about->ip) &&
            (flow->protocol != 17 || target.port == about->port))
            berth_host_refuse_stray(gateway_engine(server), sent, refusal_of(error), now);
    }
    gateway_touch(server);
}

/* An error of the machine's socket. False: there is none left. */
static bool error_take(struct server *server, struct flow *flow, uint64_t now) {
    union address to;
    union {
        struct cmsghdr header;
        char space[512];
    } control;
    struct msghdr message = {.msg_name = &to,
                             .msg_namelen = sizeof to,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    memset(&to, 0, sizeof to);
    if (recvmsg(flow->outlet.fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        struct sock_extended_err error;
        bool known = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                     (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
        if (!known)
            continue;
        memcpy(&error, CMSG_DATA(c), sizeof error);
        struct berth_endpoint about = endpoint_of(&to);
        if (error.ee_errno != EMSGSIZE)
            refuse_sent(server, flow, &about, (int)error.ee_errno, now);
    }
    return true;
}

static void flow_ready(struct server *server, struct outlet *outlet, uint32_t events,
                       uint64_t now) {
    struct flow *flow = (struct flow *)(void *)outlet;
    uint8_t *buffer = server->gateway->buffer;
    (void)events;
    for (int i = 0; i < BATCH; i++) {
        union address from;
        socklen_t length = sizeof from;
        memset(&from, 0, sizeof from);
        ssize_t got = recvfrom(outlet->fd, buffer, DATAGRAM_MAX, MSG_DONTWAIT, &from.any, &length);
        if (got < 0)
            break;
        flow_use(flow, now);
        bring(server, flow, &from, buffer, (size_t)got, now);
    }
    for (int i = 0; i < BATCH && error_take(server, flow, now); i++)
        continue;
}
