/* How large the segments may be that a connection's path carries: less when a router says so
 * (RFC 1191), less when nobody says so but large ones do not arrive, and more when larger ones are
 * found to arrive (RFC 4821, RFC 8899).
 *
 * THEORY. Where ICMP is filtered a large segment vanishes without a word, for ever (RFC 2923 2.1).
 * From the fourth expiry of the retransmission timer on the segments shrink, step by step, to
 * sizes that nearly every path carries, as Linux's do with tcp_mtu_probing 1. If the smallest do
 * not arrive either, the path is dead at all sizes, and the old one comes back.
 *
 * Upward it goes by single segments that are larger than the others. One that is acknowledged sets
 * the size. One that is lost costs its octets a round trip, and nothing else: they go again at the
 * size that is known, and cwnd stays. The size that was agreed upon is tried first, for a path that
 * was dead for a while or changed back is the likely one; then the middle between what arrived and
 * what did not, until they are near one another. Then the search rests. Where routers said what
 * they carry it begins with a rest: what they say is true for ten minutes (RFC 1191 6.3, RFC 8201
 * 4).
 *
 * With SACK it is seen which segments were lost. Without it three duplicate ACKs say that the first
 * one was; where that was the larger one, it alone is taken as lost, as Linux does: its octets go
 * again from there, at the size that is known, and cwnd opens again as far as it was, for the ACK
 * of all that followed opens it in slow start. If that ACK stops short of what had been sent by
 * then, others were lost too, and that is congestion.
 *
 * Where probing is switched off what routers said is forgotten after its time, as Linux does. */
#include "engine/tcp/connection.h"

static struct path_search *search_of(const struct tcp_connection *c) {
    return c->extra && c->extra->search.most ? &c->extra->search : NULL;
}

/* The size agreed upon is to be tried from then on. */
static void search_from(const struct tcp *tcp, struct path_search *s, uint64_t wait) {
    s->refused = (uint16_t)(s->most + 1);
    s->next = s->most;
    s->at = tcp_ms(tcp) + (uint32_t)(wait / BERTH_MS);
}

/* Segments become smaller than they are. Without memory they stay so. */
static void search_begin(struct tcp *tcp, struct tcp_connection *c, uint64_t wait) {
    struct tcp_extra *extra = connection_extra(tcp, c);
    if (!extra)
        return;
    if (extra->search.most < c->mss)
        extra->search.most = c->mss;
    extra->search.probe = 0;
    search_from(tcp, &extra->search, wait);
}

/* The base size, Linux's tcp_base_mss, and what is left of any IPv6 link's. */
static uint16_t base_of(const struct tcp_connection *c) {
    return berth_ip_is_v4(&c->tuple.remote) ? 1024 : 1220;
}

void path_start(struct tcp *tcp, struct tcp_connection *c) {
    if (tcp->config.tcp_mtu_probing < 2 || c->mss <= base_of(c))
        return;
    search_begin(tcp, c, 0);
    if (c->extra)
        c->mss = base_of(c);
}

/* ---- down ---- */

/* RFC 1191, 1191-1: segments shrink to the next hop's MTU, never below 552 (or 1280), never grow.
 * What was too big goes again. */
void path_shrink(struct tcp *tcp, struct tcp_connection *c, uint32_t mtu) {
    bool v4 = berth_ip_is_v4(&c->tuple.remote);
    uint32_t floor = v4 ? 552 : 1280, headers = v4 ? 40 : 60;
    struct path_search *s = search_of(c);
    mtu = mtu < floor ? floor : mtu;
    if (s && s->probe && mtu - headers < s->probe && mtu - headers >= c->mss) {
        s->next = (uint16_t)(mtu - headers); /* the segment that is larger was; this may arrive */
        s->refused = (uint16_t)(s->next + 1);
    }
    if (mtu - headers >= c->mss)
        return;
    /* 1191-2, 8201-2 */
    search_begin(tcp, c, tcp->config.path_mtu_expires);
    c->mss = (uint16_t)(mtu - headers);
    if (c->active) {
        c->active->mss_before = 0;
        recovery_go_back(tcp, c);
        connection_owes(tcp, c);
    }
}

/* What to try below the present size; 0: nothing. */
static uint16_t mss_below(const struct tcp_connection *c) {
    uint16_t base = base_of(c);
    return c->mss > base ? base : c->mss > 536 && base == 1024 ? 536 : 0;
}

/* RFC 8899 4.3 */
bool path_doubt(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    uint16_t before = c->mss, next = mss_below(c);
    if (!tcp->config.tcp_mtu_probing || a->retransmits < tcp->config.tcp_retries_1 ||
        c->state == BERTH_SYN_SENT || c->state == BERTH_SYN_RECEIVED)
        return false;
    if (a->retransmits == tcp->config.tcp_retries_1)
        a->mss_before = c->mss;
    if (a->mss_before == 0)
        return false;                        /* all was tried */
    if (next != 0 && tcp_flight(c) > next) { /* 8899-1 */
        search_begin(tcp, c, 0);             /* 8899-2 */
        c->mss = next;                       /* 8899-1 */
    } else {                                 /* it is not the size */
        c->mss = a->mss_before;
        a->mss_before = 0;
    }
    return c->mss != before;
}

/* ---- up ---- */

/* The next size to be tried is set, or the search rests. */
static void search_settle(const struct tcp *tcp, struct tcp_connection *c, struct path_search *s) {
    uint16_t ours = connection_mss_for(tcp, c->interface, berth_ip_is_v4(&c->tuple.remote));
    if (s->next > ours)
        s->next = ours; /* the link itself carries less than when it was agreed upon */
    if (c->mss >= s->most)
        s->most = 0;
    else if (s->next < c->mss + tcp->config.tcp_probe_threshold)
        search_from(tcp, s, tcp->config.tcp_probe_interval);
}

/* Waits for its turn while the segments that are out make room for it in cwnd; and, without SACK,
 * until duplicate ACKs speak of it and not of what went again before (RFC 6582 3.2). */
static bool is_time(const struct tcp *tcp, const struct tcp_connection *c,
                    const struct path_search *s) {
    const struct tcp_active *a = c->active;
    return !s->probe && seq_ge(tcp_ms(tcp), s->at) && a->retransmits == 0 && a->dup_acks == 0 &&
           c->snd_nxt == a->snd_max && !(a->flags & (TCP_A_RECOVERY | TCP_A_SND_URGENT)) &&
           !(a->loss.flags & LOSS_TIMEOUT) && a->loss.score.waiting == 0 &&
           (c->sack || seq_gt(c->snd_una, a->recover));
}

uint16_t path_wants(struct tcp *tcp, struct tcp_connection *c, uint32_t waiting, uint32_t offered) {
    struct path_search *s = search_of(c);
    if (!s || !is_time(tcp, c, s))
        return 0;
    if (!tcp->config.tcp_mtu_probing) { /* 1191-2, 8201-2 */
        c->mss = s->most;
        s->most = 0;
        return 0;
    }
    search_settle(tcp, c, s);
    /* RFC 4821 7.3: enough must follow for its loss to be seen at once, and fit the windows. */
    uint32_t needed = s->next + 4u * c->mss;
    if (s->most == 0 || seq_lt(tcp_ms(tcp), s->at) || waiting < needed || offered < needed ||
        c->cwnd < needed)
        return 0;
    return s->next;
}

void path_tried(struct tcp_connection *c, uint32_t seq, uint32_t end) {
    struct path_search *s = &c->extra->search;
    uint32_t size = end - seq + connection_timestamps_length(c);
    if (size <= c->mss)
        return; /* the octets were in too many pieces */
    s->probe = (uint16_t)size;
    s->seq = seq;
    s->end = end;
}

/* RFC 8899 5.3 */
void path_acked(struct tcp *tcp, struct tcp_connection *c) {
    struct path_search *s = search_of(c);
    if (!s || seq_lt(c->snd_una, s->end))
        return;
    if (s->again && seq_lt(c->snd_una, c->active->recover)) {
        congestion_on_loss(c, c->cwnd);
        c->cwnd = c->cwnd < c->ssthresh ? c->cwnd : c->ssthresh;
    }
    s->again = false;
    if (!s->probe)
        return;
    c->mss = s->probe > c->mss ? s->probe : c->mss; /* 8899-2 */
    s->probe = 0;
    if (s->next <= c->mss) /* 8899-2 */
        s->next = (uint16_t)((c->mss + s->refused) / 2);
    search_settle(tcp, c, s);
}

static void refuse(const struct tcp *tcp, struct tcp_connection *c, struct path_search *s) {
    if (s->refused > s->probe)
        s->refused = s->probe;
    if (s->next >= s->refused)
        s->next = (uint16_t)((c->mss + s->refused) / 2);
    s->probe = 0;
    search_settle(tcp, c, s);
}

void path_resent(const struct tcp *tcp, struct tcp_connection *c, uint32_t seq) {
    struct path_search *s = search_of(c);
    if (s && s->probe && seq_in(seq, s->seq, s->end - s->seq))
        refuse(tcp, c, s);
}

bool path_missed(struct tcp *tcp, struct tcp_connection *c) {
    struct path_search *s = search_of(c);
    if (!s || !s->probe || c->snd_una != s->seq)
        return false;
    refuse(tcp, c, s);
    recovery_go_back(tcp, c);
    if (c->ssthresh < c->cwnd)
        c->ssthresh = c->cwnd;
    c->cwnd = s->end - s->seq + c->mss;
    s->again = true;
    return true;
}

/* RFC 8899 3 (7), 8899-3: it says nothing of congestion. */
bool path_lost(const struct tcp *tcp, struct tcp_connection *c, uint32_t octets) {
    struct path_search *s = search_of(c);
    uint32_t seq, end;
    if (!s || !s->probe || octets != s->end - s->seq ||
        !score_next(&c->active->loss.score, &seq, &end) || seq != s->seq || end != s->end)
        return false;
    refuse(tcp, c, s);
    return true;
}
