/* A computer that is suspended, and one whose power goes.
 *
 * While it is suspended its clock stands still; afterwards it runs behind the caller's by as long
 * as that was. So no timer knows of it, as none of Linux's does that goes by CLOCK_MONOTONIC.
 *
 * Power off and on leaves what a computer has in its files: interfaces, addresses, routes,
 * settings. TCP and UDP are made anew. Their records' generations go on from the old ones', so that
 * handles from before stay stale. */
#include "engine/host/host.h"

void berth_host_suspend(struct berth_host *host, uint64_t now) {
    sockets_clock(&host->sockets, now);
    host->sockets.suspended = true;
}

void berth_host_resume(struct berth_host *host, uint64_t now) {
    struct sockets *sockets = &host->sockets;
    if (!sockets->suspended)
        return;
    sockets->suspended = false;
    if (now > sockets->now)
        sockets->behind = now - sockets->now;
}

bool berth_host_is_suspended(const struct berth_host *host) {
    return host->sockets.suspended;
}

int berth_host_reset(struct berth_host *host, uint64_t now) {
    struct sockets *sockets = &host->sockets;
    sockets_clock(sockets, now);
    struct tcp *tcp = tcp_renewed(sockets->tcp, &host->tcp_random);
    struct udp *udp = udp_renewed(sockets->udp, &host->config, &host->random);
    struct echo *echo = sockets->echo;
    struct udp *asking = echo ? udp_renewed(echo->sockets, &host->config, &host->random) : NULL;
    if (!tcp || !udp || (echo && !asking)) {
        tcp_free(tcp);
        udp_free(udp);
        udp_free(asking);
        return -ENOMEM;
    }
    tcp_free(sockets->tcp);
    udp_free(sockets->udp);
    sockets->tcp = tcp;
    sockets->udp = udp;
    if (echo) {
        udp_free(echo->sockets);
        echo->sockets = asking;
    }
    loop_clear(host);
    divert_clear(&sockets->divert, host->config.allocator);
    reports_clear(&sockets->reports, host->config.allocator);
    divert_clear(&sockets->openings, host->config.allocator);
    ip_reset(&sockets->ip, sockets->now);
    return 0;
}
