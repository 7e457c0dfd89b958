#include "engine/host/host.h"
#include <errno.h>

_Static_assert(offsetof(struct berth_host, sockets) == 0, "sockets_of() casts");
_Static_assert((int)TCP_INTERFACES == (int)IP_INTERFACES, "one numbering");

void berth_host_config_init(struct berth_host_config *config) {
    *config = (struct berth_host_config){
        .size = sizeof *config,
        .allocator = berth_allocator_default(),
        .port_first = 1024,
        .port_last = 65535,
        .tcp_max_sockets = 16u << 20,
        .tcp_send_buffer = 4u << 20,
        .tcp_send_buffer_default = 16384,
        .tcp_send_buffer_min = 4096,
        .tcp_receive_buffer = 6u << 20,
        .tcp_receive_buffer_default = 131072,
        .tcp_receive_buffer_min = 4096,
        .tcp_moderate_rcvbuf = 1,
        .tcp_rto_initial = BERTH_SECOND,
        .tcp_rto_min = 200 * BERTH_MS,
        .tcp_rto_max = 120 * BERTH_SECOND,
        .tcp_delayed_ack = 40 * BERTH_MS,
        .tcp_time_wait = 60 * BERTH_SECOND,
        .tcp_fin_wait_2 = 60 * BERTH_SECOND,
        .tcp_time_wait_max = 262144,
        .tcp_syn_backlog_max = 65536,
        .tcp_syn_retries = 6,
        .tcp_synack_retries = 5,
        .tcp_retries_1 = 3,
        .tcp_retries_2 = 15,
        .tcp_initial_window = 10,
        .tcp_congestion = BERTH_CUBIC,
        .tcp_slow_start_after_idle = 1,
        .tcp_syncookies = 1,
        .tcp_ecn = 2,
        .tcp_timestamps = 1,
        .tcp_window_scaling = 1,
        .tcp_mtu_probing = 1,
        .tcp_sack = 1,
        .udp_receive_buffer = 212992,
        .keepalive_idle = 7200 * BERTH_SECOND,
        .keepalive_interval = 75 * BERTH_SECOND,
        .keepalive_probes = 9,
        .default_ttl = 64,
        .neighbor_max = 1024,
        .neighbor_reachable = 30 * BERTH_SECOND,
        .reassembly_limit = 4u << 20,
        .reassembly_timeout = 30 * BERTH_SECOND,
        .reassembly6_timeout = 60 * BERTH_SECOND,
        .tcp_probe_threshold = 8,
        .tcp_probe_interval = 600 * BERTH_SECOND,
        .path_mtu_expires = 600 * BERTH_SECOND,
        .arp_requests = 3,
        .nd_requests = 3,
        .accept_dad = 1,
        .autoconf = 1,
        .router_solicitations = 3,
        .accept_redirects = 1,
        .secure_redirects = 1,
        .shared_media = 1,
        .accept_redirects6 = 1,
        .send_redirects = 1,
    };
}

/* The caller's configuration, which may be of an older and shorter kind, over the defaults. */
static bool config_read(struct berth_host_config *to, const struct berth_host_config *from) {
    berth_host_config_init(to);
    if (!from)
        return true;
    if (from->size < offsetof(struct berth_host_config, port_first) || from->size > sizeof *to)
        return false;
    memcpy(to, from, from->size);
    to->size = sizeof *to;
    return to->allocator.allocate && to->allocator.release && to->port_first != 0 &&
           to->port_first <= to->port_last && to->default_ttl != 0 && to->neighbor_max != 0 &&
           to->neighbor_max < UINT32_MAX / 2 && to->tcp_rto_min != 0 &&
           to->tcp_rto_min <= to->tcp_rto_max && to->tcp_initial_window != 0 &&
           berth_congestion_name(to->tcp_congestion) && to->tcp_max_sockets != 0 &&
           to->tcp_send_buffer != 0 && to->tcp_receive_buffer != 0;
}

/* An error about a datagram of ours goes to the protocol that sent it. */
static bool host_error(void *context, const struct ip_error *error, uint64_t now) {
    struct berth_host *host = context;
    return socket_error_input(&host->sockets, error, now);
}

static bool host_sent(void *context, const struct ip_error *error) {
    struct berth_host *host = context;
    return socket_sent(&host->sockets, error);
}

/* RFC 1122 3.2.2.6, 1122-IC8, RFC 4443 4.2, 4443-7: the answer is for who asked. */
static void host_echoed(void *context, const struct ip_packet *packet, uint16_t identifier) {
    struct berth_host *host = context;
    echo_input(host->sockets.echo, packet, identifier);
}

static int host_start(struct berth_host *host) {
    struct sockets *sockets = &host->sockets;
    struct ip_ops ops = {.error = host_error,
                         .sent = host_sent,
                         .echoed = host_echoed,
                         .resized = host_resized,
                         .context = host};
    random_init(&host->random, host->config.seed, 1);
    random_init(&host->tcp_random, host->config.seed, 2);
    int error = ip_init(&sockets->ip, &host->config, &host->random, &host->counters, &ops);
    if (error)
        return error;
    sockets->config = &host->config;
    sockets->udp = udp_new(&host->config, &host->random, &host->counters);
    sockets->tcp = tcp_new(&host->config, &host->tcp_random, &host->counters, 0);
    if (!sockets->udp || !sockets->tcp)
        return -ENOMEM;
    const struct tcp_interface loopback = {.mtu = IP_LOOPBACK_MTU, .segment_max = IP_LOOPBACK_MTU};
    tcp_set_interface(sockets->tcp, IP_LOOPBACK, &loopback);
    return 0;
}

struct berth_host *berth_host_new(const struct berth_host_config *config) {
    struct berth_host_config read;
    if (!config_read(&read, config))
        return NULL;
    struct berth_host *host = read.allocator.allocate(read.allocator.context, sizeof *host);
    if (!host)
        return NULL;
    memset(host, 0, sizeof *host);
    host->config = read;
    if (host_start(host) != 0) {
        berth_host_free(host);
        return NULL;
    }
    return host;
}

void berth_host_free(struct berth_host *host) {
    if (!host)
        return;
    struct berth_allocator allocator = host->config.allocator;
    if (host->sockets.tcp)
        tcp_free(host->sockets.tcp);
    udp_free(host->sockets.udp);
    echo_free(host->sockets.echo, allocator);
    divert_clear(&host->sockets.divert, allocator);
    reports_clear(&host->sockets.reports, allocator);
    divert_clear(&host->sockets.openings, allocator);
    strays_clear(&host->strays, allocator);
    loop_clear(host);
    ip_clear(&host->sockets.ip);
    allocator.release(allocator.context, host, sizeof *host);
}

/* ---- time ---- */

uint64_t berth_host_deadline(const struct berth_host *host) {
    uint64_t tcp = tcp_deadline(host->sockets.tcp);
    uint64_t ip = ip_deadline(&host->sockets.ip), first = tcp < ip ? tcp : ip;
    uint64_t answerer = host->answerer ? tcp_deadline(host->answerer->sockets.tcp) : BERTH_NEVER;
    first = answerer < first ? answerer : first;
    if (host->sockets.suspended || first > BERTH_NEVER - 1 - host->sockets.behind)
        return BERTH_NEVER;
    return first + host->sockets.behind;
}

void berth_host_advance(struct berth_host *host, uint64_t now) {
    now = sockets_clock(&host->sockets, now);
    if (host->sockets.suspended)
        return;
    tcp_advance(host->sockets.tcp, now);
    if (host->answerer)
        tcp_advance(host->answerer->sockets.tcp, now);
    ip_advance(&host->sockets.ip, now);
}

/* ---- looking ---- */

const struct berth_counters *berth_host_counters(const struct berth_host *host) {
    return &host->counters;
}

enum { ROWS_UDP_SHIFT = 63 }; /* the cursor's top bit: TCP's rows are done */

size_t berth_host_sockets(const struct berth_host *host, uint64_t *cursor,
                          struct berth_socket_row *rows, size_t max) {
    const uint64_t udp_bit = UINT64_C(1) << ROWS_UDP_SHIFT;
    size_t count = 0;
    if ((*cursor & udp_bit) == 0) {
        count = tcp_rows(host->sockets.tcp, cursor, rows, max, host->sockets.now);
        if (count == max)
            return count;
        *cursor = udp_bit;
    }
    uint64_t at = *cursor & ~udp_bit;
    size_t more = udp_rows(host->sockets.udp, &at, rows + count, max - count);
    for (size_t i = count; i < count + more; i++)
        rows[i].socket |= SOCKET_UDP;
    *cursor = at | udp_bit;
    return count + more;
}
