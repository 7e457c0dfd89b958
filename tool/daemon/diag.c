#include "tool/daemon/diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* ---- questions ---- */

static int protocol_read(struct diag_query *query, const uint8_t *attributes, size_t length) {
    size_t size;
    const uint8_t *value =
        netlink_attribute_find(attributes, length, INET_DIAG_REQ_PROTOCOL, &size);
    query->protocol = query->request.sdiag_protocol;
    if (value && size == sizeof query->protocol)
        memcpy(&query->protocol, value, size);
    switch (query->protocol) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE: /* there are these, but no socket of them */
    case IPPROTO_RAW:
        return 0;
    default:
        return -ENOENT;
    }
}

int diag_read(struct diag_query *query, const struct nlmsghdr *header, const uint8_t *body,
              size_t length) {
    *query = (struct diag_query){0};
    if (header->nlmsg_type == SOCK_DESTROY)
        return -EPERM;
    if (header->nlmsg_type == TCPDIAG_GETSOCK || header->nlmsg_type == DCCPDIAG_GETSOCK)
        return -ENOENT; /* the way of before Linux 3.3, which ss tries last */
    if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return -EINVAL;
    if (length < sizeof(struct sock_diag_req))
        return -EINVAL;
    if (body[0] != AF_INET && body[0] != AF_INET6)
        return body[0] < AF_MAX ? -ENOENT : -EINVAL;
    if (length < sizeof query->request)
        return -EINVAL;
    memcpy(&query->request, body, sizeof query->request);
    query->exact = (header->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP;
    const uint8_t *attributes = body + sizeof query->request;
    length -= sizeof query->request;
    int r = protocol_read(query, attributes, length);
    if (r < 0)
        return r;
    query->filter =
        netlink_attribute_find(attributes, length, INET_DIAG_REQ_BYTECODE, &query->filter_length);
    return !query->filter || diag_filter_valid(query->filter, query->filter_length) ? 0 : -EINVAL;
}

bool diag_wanted(const struct diag_query *query, const struct diag_socket *socket) {
    const struct inet_diag_req_v2 *request = &query->request;
    if (socket->protocol != query->protocol || socket->family != request->sdiag_family ||
        !(request->idiag_states >> socket->state & 1))
        return false;
    if ((request->id.idiag_sport && ntohs(request->id.idiag_sport) != socket->local.port) ||
        (request->id.idiag_dport && ntohs(request->id.idiag_dport) != socket->remote.port))
        return false;
    return !query->filter || diag_filter_passes(query->filter, query->filter_length, socket);
}

static bool address_is(const struct diag_socket *socket, const struct berth_ip *ip,
                       const uint32_t words[4]) {
    uint8_t octets[16];
    diag_address(socket, ip, octets);
    return memcmp(octets, words, socket->family == AF_INET ? 4 : 16) == 0;
}

int diag_fit(const struct diag_query *query, const struct diag_socket *socket) {
    const struct inet_diag_sockid *id = &query->request.id;
    static const uint32_t any[4];
    if (socket->protocol != query->protocol || socket->family != query->request.sdiag_family ||
        socket->local.port != ntohs(id->idiag_sport))
        return 0;
    bool local = address_is(socket, &socket->local.ip, id->idiag_src);
    if (socket->remote.port != 0)
        return local && socket->remote.port == ntohs(id->idiag_dport) &&
                       address_is(socket, &socket->remote.ip, id->idiag_dst)
                   ? 2
                   : 0;
    return local || address_is(socket, &socket->local.ip, any) ? 1 : 0;
}

/* ---- answers ---- */

void diag_address(const struct diag_socket *socket, const struct berth_ip *ip, uint8_t octets[16]) {
    memset(octets, 0, 16);
    if (socket->family == AF_INET)
        memcpy(octets, ip->bytes + 12, 4);
    else if (!berth_ip_is_any(ip)) /* IPv4's wildcard is its own family's here */
        memcpy(octets, ip->bytes, 16);
}

static bool asks(const struct diag_query *query, int extension) {
    return query->request.idiag_ext >> (extension - 1) & 1;
}

bool diag_asks_details(const struct diag_query *query) {
    return query->request.idiag_ext != 0 || query->request.sdiag_family == AF_INET6;
}

static void memory_write(struct netlink_writer *writer, const struct diag_query *query,
                         const struct diag_socket *socket, const struct diag_details *details) {
    bool listens = socket->state == BERTH_LISTEN; /* its queues are numbers of connections */
    uint32_t received = listens ? 0 : socket->receive_queue,
             sent = listens ? 0 : socket->send_queue;
    struct inet_diag_meminfo memory = {.idiag_rmem = received, .idiag_wmem = sent};
    uint32_t all[SK_MEMINFO_VARS] = {[SK_MEMINFO_RMEM_ALLOC] = received,
                                     [SK_MEMINFO_RCVBUF] = details->receive_buffer,
                                     [SK_MEMINFO_SNDBUF] = details->send_buffer,
                                     [SK_MEMINFO_WMEM_QUEUED] = sent};
    if (asks(query, INET_DIAG_MEMINFO))
        netlink_attribute(writer, INET_DIAG_MEMINFO, &memory, sizeof memory);
    if (asks(query, INET_DIAG_SKMEMINFO))
        netlink_attribute(writer, INET_DIAG_SKMEMINFO, all, sizeof all);
}

static void details_write(struct netlink_writer *writer, const struct diag_query *query,
                          const struct diag_socket *socket, const struct diag_details *details) {
    bool six = socket->family == AF_INET6;
    if (asks(query, INET_DIAG_TOS))
        netlink_attribute(writer, INET_DIAG_TOS, &details->tos, 1);
    if (six && asks(query, INET_DIAG_TCLASS))
        netlink_attribute(writer, INET_DIAG_TCLASS, &details->tos, 1);
    if (six && (socket->state == BERTH_LISTEN || socket->state == BERTH_TCP_CLOSED))
        netlink_attribute(writer, INET_DIAG_SKV6ONLY, &details->v6only, 1);
    memory_write(writer, query, socket, details);
    if (socket->protocol == IPPROTO_TCP && asks(query, INET_DIAG_INFO))
        netlink_attribute(writer, INET_DIAG_INFO, &details->info, sizeof details->info);
    if (details->congestion && asks(query, INET_DIAG_CONG))
        netlink_attribute(writer, INET_DIAG_CONG, details->congestion,
                          strlen(details->congestion) + 1);
}

void diag_write(struct netlink_writer *writer, const struct diag_query *query,
                const struct diag_socket *socket, const struct diag_details *details) {
    struct inet_diag_msg body = {
        .idiag_family = socket->family,
        .idiag_state = socket->state,
        .idiag_timer = socket->timer,
        .idiag_retrans = details->info.tcpi_retransmits,
        .id = {.idiag_sport = htons(socket->local.port),
               .idiag_dport = htons(socket->remote.port),
               .idiag_cookie = {(uint32_t)socket->cookie, (uint32_t)(socket->cookie >> 32)}},
        .idiag_expires = socket->expires,
        .idiag_rqueue = socket->receive_queue,
        .idiag_wqueue = socket->send_queue,
        .idiag_uid = socket->uid,
        .idiag_inode = socket->inode};
    uint8_t octets[16];
    diag_address(socket, &socket->local.ip, octets);
    memcpy(body.id.idiag_src, octets, sizeof octets);
    diag_address(socket, &socket->remote.ip, octets);
    memcpy(body.id.idiag_dst, octets, sizeof octets);
    netlink_begin(writer, SOCK_DIAG_BY_FAMILY, &body, sizeof body);
    netlink_attribute(writer, INET_DIAG_SHUTDOWN, &details->shutdown, 1);
    if (details->known)
        details_write(writer, query, socket, details);
    netlink_end(writer);
}
