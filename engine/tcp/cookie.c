/* SYN cookies (RFC 4987, section 3.6): what a half-open record would hold goes to the client in our
 * sequence number, and comes back in its ACK.
 *
 * THEORY. As on Linux, our ISN is
 *
 *     F(four numbers) + client's ISN + slot * 2^24 + (G(four numbers, client's ISN, slot) + index)
 * mod 2^24
 *
 * F and G are SipHash-2-4 under a key of the host's; a slot is a minute; the index (3 bits) chooses
 * an MSS no greater than the client's. An ACK is taken if G of its slot, this minute's or the one
 * before's, leaves an index: a guess is right once in 2^20. None is taken by a listener that has
 * sent no cookie for two minutes, so that nobody can guess in peace (Linux's
 * tcp_synq_no_recent_overflow).
 *
 * With timestamps the rest of what was agreed upon is in the low bits of ours, which the client
 * echoes: the window scale, SACK, ECN. The clock is turned back by less than 64 ms for it, never
 * forward (RFC 7323, section 4: it must not run back for what follows). Without timestamps there
 * are none of these options. Our own shift is what tcp_rmem asks for, which may change while the
 * ACK is on its way: G knows it too, and an ACK is tried with the one before the change as well. A
 * client that forges its echo cheats itself only.
 *
 * Any segment with the client's first octet or none validates a cookie, for its number says the
 * client's ISN. A later one that overtakes it says nothing of the kind, and would be reset, as
 * Linux does: the connection would die of a swap. But with timestamps it echoes what we said to
 * these four numbers a moment ago, by an offset that only we and the client know, and so it is
 * dropped without a word; it comes again.
 *
 * Nothing is retransmitted: a cookie's SYN-ACK that is lost is asked for by the client's next SYN.
 * So a SYN never has more than one answer, and that one has no option that the SYN had not, but for
 * the MSS's four octets (RFC 9293 SHLD-5): there is nothing to be amplified. */
#include "engine/tcp/handshake.h"

enum {
    INDEXES = 8,
    SLOTS = 2,       /* this minute and the one before */
    BITS_SCALE = 15, /* none */
    BIT_SACK = 1 << 4,
    BIT_ECN = 1 << 5,
    BITS = 6,
};
#define SLOT (60 * BERTH_SECOND)
/* For so long a segment may have overtaken: whoever sends it again later is reset, so that what is
 * left of a connection that is gone here does not stay. */
#define OVERTAKEN BERTH_SECOND

/* 48: the floor of any (connection_negotiate); 536 and 1220: who said none (RFC 9293 MUST-15). */
static const uint16_t sizes[INDEXES] = {48, 536, 1220, 1300, 1440, 1460, 8940, 65495};

static unsigned index_of(const struct tcp_segment *segment, const struct tcp_options *options) {
    uint16_t none = berth_ip_is_v4(&segment->tuple.remote) ? 536 : 1220;
    uint16_t mss = options->has_mss ? options->mss : none;
    unsigned index = INDEXES - 1;
    while (index > 0 && sizes[index] > mss)
        index--;
    return index;
}

static uint32_t base(const struct tcp *tcp, const struct tuple *tuple, uint32_t irs) {
    return (uint32_t)siphash(&tcp->cookie_key, tuple, sizeof *tuple) + irs;
}

static uint32_t mark(const struct tcp *tcp, const struct tuple *tuple, uint32_t irs, uint32_t slot,
                     unsigned shift) {
    struct {
        struct tuple tuple;
        uint32_t irs, slot;
    } all = {*tuple, irs, slot << 4 | shift};
    _Static_assert(sizeof all == sizeof(struct tuple) + 8, "no holes: it is hashed as octets");
    return (uint32_t)(siphash(&tcp->cookie_key, &all, sizeof all) >> 32);
}

static uint32_t slot_now(const struct tcp *tcp) {
    return (uint32_t)(tcp->now / SLOT);
}

/* ---- the SYN ---- */

/* Our clock of ms, its low bits replaced, not later than now. */
static uint32_t stamp(const struct tcp *tcp, uint32_t bits) {
    uint32_t clock = tcp_ms(tcp), mask = (1u << BITS) - 1;
    uint32_t marked = (clock & ~mask) | bits;
    return (clock & mask) < bits ? marked - (1u << BITS) : marked;
}

/* The shift that the cookie offers. */
static unsigned offer_shift(const struct tcp *tcp, struct tcp_listener *listener) {
    uint8_t shift = tuning_scale(tcp);
    if (shift != listener->cookie_shift) {
        listener->cookie_shift_before = listener->cookie_shift;
        listener->cookie_shift = shift;
    }
    return shift;
}

void cookie_answer(struct tcp *tcp, struct tcp_connection *listener,
                   const struct tcp_segment *segment, const struct tcp_options *options) {
    const struct tuple *tuple = &segment->tuple;
    bool v4 = berth_ip_is_v4(&tuple->remote);
    bool stamps = options->has_timestamps && tcp->config.tcp_timestamps;
    bool scaled = stamps && options->has_wscale && tcp->config.tcp_window_scaling;
    bool sack = stamps && options->sack_permitted && tcp->config.tcp_sack;
    bool ecn = stamps && ecn_asked(tcp, segment);
    uint32_t bits = (scaled ? options->wscale : (uint32_t)BITS_SCALE) |
                    (sack ? (uint32_t)BIT_SACK : 0) | (ecn ? (uint32_t)BIT_ECN : 0);
    uint32_t slot = slot_now(tcp);
    unsigned shift = offer_shift(tcp, listener->extra->listener);
    uint16_t ours = connection_mss_for(tcp, segment->interface, v4);
    int asked = tcp_option(listener, BERTH_TCP_MAXSEG, 65535);
    struct tcp_reply reply = {
        .tuple = *tuple,
        .seq =
            base(tcp, tuple, segment->seq) + (slot << 24) +
            ((mark(tcp, tuple, segment->seq, slot, shift) + index_of(segment, options)) & 0xffffff),
        .ack = segment->seq + 1,
        .flags = (uint16_t)(TCP_SYN | TCP_ACK | (ecn ? TCP_ECE : 0)),
        .window = (uint16_t)tuning_first_window(tcp, listener, ours, stamps ? TCP_TIMESTAMPS : 0),
        .interface = segment->interface,
        .tos = (uint8_t)tcp_option(listener, BERTH_IP_TOS, 0),
        .ttl = (uint8_t)tcp_option(listener, BERTH_IP_TTL, 0),
        .has_timestamps = stamps,
        .ts_value = stamp(tcp, bits) + isn_ts_offset(tcp, tuple),
        .ts_echo = options->ts_value,
        .mss = (uint16_t)(asked < ours ? asked : ours),
        .scaled = scaled,
        .sack = sack,
    };
    reply_queue(tcp, &reply);
    listener->extra->listener->cookies_sent_at = tcp->now;
    tcp->counters->tcp_cookies_sent++;
}

/* ---- the ACK ---- */

/* The index that the cookie holds; INDEXES or more: it is none of ours, or too old (4987-2).
 */
static uint32_t verify(const struct tcp *tcp, const struct tuple *tuple, uint32_t irs,
                       uint32_t cookie, unsigned shift) {
    uint32_t rest = cookie - base(tcp, tuple, irs), slot = slot_now(tcp);
    uint32_t age = (slot - (rest >> 24)) & 0xff;
    if (age >= SLOTS)
        return INDEXES;
    return (rest - mark(tcp, tuple, irs, slot - age, shift)) & 0xffffff;
}

static bool sent_lately(const struct tcp *tcp, const struct tcp_listener *listener) {
    return listener->cookies_sent_at && tcp->now - listener->cookies_sent_at < SLOTS * SLOT;
}

bool cookie_input(struct tcp *tcp, struct tcp_connection *listener,
                  const struct tcp_segment *segment, const struct tcp_options *options) {
    const struct tcp_listener *l = listener->extra->listener;
    uint32_t irs = segment->seq - 1, cookie = segment->ack - 1;
    /* 4987-2 */
    if (!tcp->config.tcp_syncookies || segment->flags & TCP_SYN || !sent_lately(tcp, l))
        return false;
    uint8_t shift = l->cookie_shift;
    uint32_t index = verify(tcp, &segment->tuple, irs, cookie, shift);
    if (index >= INDEXES && l->cookie_shift_before != shift) {
        shift = l->cookie_shift_before;
        index = verify(tcp, &segment->tuple, irs, cookie, shift);
    }
    if (index >= INDEXES) {
        tcp->counters->tcp_cookies_failed++;
        return false;
    }
    tcp->counters->tcp_cookies_received++;
    if (l->accept.count > (uint32_t)l->backlog) { /* as for any ACK of a SYN-ACK */
        tcp->counters->tcp_listen_overflows++;
        tcp->counters->tcp_listen_drops++;
        return true;
    }
    bool stamps = options->has_timestamps && tcp->config.tcp_timestamps;
    uint32_t bits = options->ts_echo - isn_ts_offset(tcp, &segment->tuple);
    struct tcp_half_open record = {
        .tuple = segment->tuple,
        .irs = irs,
        .iss = cookie,
        .ts_recent = options->ts_value,
        .listener = listener->self & TCP_RECORDS,
        .shift = shift & 15u,
        .sack = stamps && bits & BIT_SACK && tcp->config.tcp_sack,
        .ecn = stamps && bits & BIT_ECN && tcp->config.tcp_ecn,
        .mss = sizes[index],
        .state = (uint8_t)(segment->interface << HALF_OPEN_INTERFACE_SHIFT),
        .scale = (uint8_t)(stamps ? (bits & BITS_SCALE) | HALF_OPEN_TIMESTAMPS : HALF_OPEN_SCALE),
    };
    half_open_complete(tcp, &record, 0, segment, options);
    return true;
}

bool cookie_overtaken(const struct tcp *tcp, const struct tcp_connection *listener,
                      const struct tcp_segment *segment, const struct tcp_options *options) {
    if (!tcp->config.tcp_syncookies || segment->flags & TCP_SYN || !options->has_timestamps ||
        !tcp->config.tcp_timestamps || !sent_lately(tcp, listener->extra->listener))
        return false;
    uint32_t said = options->ts_echo - isn_ts_offset(tcp, &segment->tuple);
    return tcp_ms(tcp) - said < OVERTAKEN / BERTH_MS;
}
