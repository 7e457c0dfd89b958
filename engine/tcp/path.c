/* How large the segments may be that a connection's path carries: less when a router says so
 * (RFC 1191), and less when nobody says so but large ones do not arrive.
 *
 * THEORY. Where ICMP is filtered a large segment vanishes without a word, for ever (RFC 2923 2.1).
 * From the fourth expiry of the retransmission timer on the segments shrink, step by step, to
 * sizes that nearly every path carries, as Linux's do with tcp_mtu_probing 1. If octets are
 * acknowledged then, the size stays for the connection's life; if the smallest do not arrive
 * either, the path is dead at all sizes, and the old one comes back. */
#include "engine/tcp/connection.h"

/* RFC 1191, 1191-1: segments shrink to the next hop's MTU, never below 552 (or 1280), never grow.
 * What was too big goes again. */
void path_shrink(struct tcp *tcp, struct tcp_connection *c, uint32_t mtu) {
    bool v4 = berth_ip_is_v4(&c->tuple.remote);
    uint32_t floor = v4 ? 552 : 1280, headers = v4 ? 40 : 60;
    mtu = mtu < floor ? floor : mtu;
    if (mtu - headers >= c->mss)
        return;
    c->mss = (uint16_t)(mtu - headers);
    if (c->active) {
        c->active->mss_before = 0;
        recovery_go_back(tcp, c);
        connection_owes(tcp, c);
    }
}

/* What to try below the present size; 0: nothing. 1024 is Linux's tcp_base_mss; 1220 is what any
 * IPv6 link carries. */
static uint16_t mss_below(const struct tcp_connection *c) {
    if (!berth_ip_is_v4(&c->tuple.remote))
        return c->mss > 1220 ? 1220 : 0;
    return c->mss > 1024 ? 1024 : c->mss > 536 ? 536 : 0;
}

/* RFC 8899 4.3, 8899-1 */
bool path_doubt(const struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    uint16_t before = c->mss, next = mss_below(c);
    if (!tcp->config.tcp_mtu_probing || a->retransmits < tcp->config.tcp_retries_1 ||
        c->state == BERTH_SYN_SENT || c->state == BERTH_SYN_RECEIVED)
        return false;
    if (a->retransmits == tcp->config.tcp_retries_1)
        a->mss_before = c->mss;
    if (a->mss_before == 0)
        return false; /* all was tried */
    if (next != 0 && tcp_flight(c) > next) {
        c->mss = next;
    } else { /* it is not the size */
        c->mss = a->mss_before;
        a->mss_before = 0;
    }
    return c->mss != before;
}
