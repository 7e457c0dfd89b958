#define _GNU_SOURCE
#include "tool/daemon/receipt.h"
#include "tool/daemon/options.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <sys/syscall.h>

/* What does not fit is cut, or left out where not even its header fits. */
static void control_put(struct control *control, int level, int type, const void *data,
                        size_t length) {
    struct cmsghdr header = {.cmsg_len = CMSG_LEN(length), .cmsg_level = level, .cmsg_type = type};
    size_t room = control->room - control->length;
    control->cut |= room < CMSG_LEN(length);
    if (room < sizeof header)
        return;
    if (header.cmsg_len > room)
        header.cmsg_len = room;
    memcpy(control->data + control->length, &header, sizeof header);
    memcpy(control->data + control->length + CMSG_LEN(0), data, header.cmsg_len - CMSG_LEN(0));
    control->length += CMSG_SPACE(length) < room ? CMSG_SPACE(length) : room;
}

/* When it came, as Linux says it: before all else. Who asks for microseconds and for nanoseconds is
 * told nanoseconds. */
static void control_time(struct control *control, const struct conduit *conduit,
                         const struct timespec *arrived) {
    struct timeval coarse = {.tv_sec = arrived->tv_sec, .tv_usec = arrived->tv_nsec / 1000};
    struct timespec stamps[3] = {*arrived}; /* by software; nothing by hardware */
    static const int fine[] = {SO_TIMESTAMPNS, SO_TIMESTAMPNS_NEW};
    static const int rough[] = {SO_TIMESTAMP, SO_TIMESTAMP_NEW};
    static const int flags[] = {SO_TIMESTAMPING, SO_TIMESTAMPING_NEW};
    const int software = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    for (int i = 0; i < 2; i++) {
        if (option_kept_at(conduit, SOL_SOCKET, fine[i]))
            control_put(control, SOL_SOCKET, fine[i], arrived, sizeof *arrived);
        else if (option_kept_at(conduit, SOL_SOCKET, rough[i]))
            control_put(control, SOL_SOCKET, rough[i], &coarse, sizeof coarse);
        if ((option_kept_at(conduit, SOL_SOCKET, flags[i]) & software) == software)
            control_put(control, SOL_SOCKET, flags[i], stamps, sizeof stamps);
    }
}

static void control_fill(struct control *control, const struct conduit *conduit,
                         const struct berth_datagram *meta) {
    int ttl = meta->ttl, class = meta->tos;
    bool v6 = conduit->family == 6;
    if ((conduit->option_bits & CONDUIT_PKTINFO) && !v6) {
        struct in_pktinfo info = {.ipi_ifindex = meta->interface + 1};
        info.ipi_addr.s_addr = htonl(berth_ip_to_v4(&meta->destination.ip));
        info.ipi_spec_dst = info.ipi_addr;
        control_put(control, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else if (conduit->option_bits & CONDUIT_PKTINFO) {
        struct in6_pktinfo info = {.ipi6_ifindex = (unsigned)meta->interface + 1};
        memcpy(&info.ipi6_addr, meta->destination.ip.bytes, sizeof info.ipi6_addr);
        control_put(control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
    if (conduit->option_bits & CONDUIT_RECVTTL)
        control_put(control, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_HOPLIMIT : IP_TTL, &ttl,
                    sizeof ttl);
    if ((conduit->option_bits & CONDUIT_2292HOPLIMIT) && v6)
        control_put(control, IPPROTO_IPV6, IPV6_2292HOPLIMIT, &ttl, sizeof ttl);
    if (conduit->option_bits & CONDUIT_RECVTOS)
        control_put(control, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS,
                    v6 ? (const void *)&class : &meta->tos, v6 ? sizeof class : 1);
}

static void control_room(struct control *control, const struct message *message) {
    size_t room = message->control ? message->control_length : 0;
    *control = (struct control){.room = room < sizeof control->data ? room : sizeof control->data};
}

void receipt_control(struct receipt *receipt, const struct conduit *conduit,
                     const struct message *message) {
    control_room(&receipt->control, message);
    if (receipt->arrived.tv_sec)
        control_time(&receipt->control, conduit, &receipt->arrived);
    control_fill(&receipt->control, conduit, &receipt->meta);
}

/* struct sock_extended_err and after it the address of who said so. */
static void control_report(struct control *control, int family,
                           const struct berth_error_report *report) {
    struct {
        struct sock_extended_err error;
        union {
            struct sockaddr_in in;
            struct sockaddr_in6 in6;
        } offender;
    } said = {.error = {.ee_errno = (uint32_t)report->error,
                        .ee_origin = report->origin,
                        .ee_type = report->type,
                        .ee_code = report->code,
                        .ee_info = report->info}};
    const struct berth_endpoint offender = {.ip = report->offender};
    union address address;
    bool v6 = family == 6;
    size_t length = v6 ? sizeof said.offender.in6 : sizeof said.offender.in;
    if (report->origin != BERTH_BY_HOST) {
        address_from_endpoint(&address, &offender, family);
        memcpy(&said.offender, &address, length);
    }
    if (v6 && IN6_IS_ADDR_LINKLOCAL(&said.offender.in6.sin6_addr))
        said.offender.in6.sin6_scope_id = (uint32_t)report->interface + 1;
    control_put(control, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &said,
                sizeof said.error + length);
}

/* As Linux's ip_recv_error: the name is that of what failed; what the options ask for is about the
 * message that said so. */
void receipt_of_report(struct receipt *receipt, const struct conduit *conduit,
                       const struct message *message, const struct berth_error_report *report) {
    receipt->length = report->length;
    receipt->meta = (struct berth_datagram){.source = report->remote,
                                            .destination.ip = report->local,
                                            .interface = report->interface,
                                            .ttl = report->ttl,
                                            .tos = report->tos};
    receipt->family = conduit->family;
    receipt->flags = MSG_ERRQUEUE;
    control_room(&receipt->control, message);
    if (report->origin != BERTH_BY_HOST)
        control_fill(&receipt->control, conduit, &receipt->meta);
    control_report(&receipt->control, conduit->family, report);
}

/* All that surrounds the octets, in one write. */
static int frame_write(const struct message *message, struct reach *reach, pid_t thread,
                       const struct receipt *receipt) {
    struct reach_piece pieces[REACH_PIECES];
    int count = 0, flags = receipt->flags;
    union address address;
    socklen_t full = address_from_endpoint(&address, &receipt->meta.source, receipt->family);
    uint64_t control_length = receipt->control.length;
    uint32_t octets = (uint32_t)(receipt->length < message->room ? receipt->length : message->room);
    if (message->name)
        pieces[count++] = (struct reach_piece){
            message->name, &address, message->name_length < full ? message->name_length : full};
    if (message->name_length_at && message->name)
        pieces[count++] = (struct reach_piece){message->name_length_at, &full, sizeof full};
    if (receipt->control.cut)
        flags |= MSG_CTRUNC;
    if (receipt->length > message->room)
        flags |= MSG_TRUNC;
    if (control_length)
        pieces[count++] =
            (struct reach_piece){message->control, receipt->control.data, control_length};
    if (message->control_length_at)
        pieces[count++] = (struct reach_piece){message->control_length_at, &control_length,
                                               sizeof control_length};
    if (message->flags_at)
        pieces[count++] = (struct reach_piece){message->flags_at, &flags, sizeof flags};
    if (message->length_at)
        pieces[count++] = (struct reach_piece){message->length_at, &octets, sizeof octets};
    return count ? reach_write(reach, thread, pieces, count) : 0;
}

long receipt_write(const struct message *message, struct reach *reach, pid_t thread, int number,
                   const struct receipt *receipt) {
    int r = message_scatter(message, reach, thread, receipt->data, receipt->length);
    if (r == 0)
        r = frame_write(message, reach, thread, receipt);
    if (r < 0)
        return r;
    if (number == SYS_recvmmsg)
        return 1;
    if (receipt->length > message->room && !(message->flags & MSG_TRUNC))
        return (long)message->room;
    return (long)receipt->length;
}
