#include "tool/daemon/tcp_info.h"

#include <stddef.h>
#include <string.h>

/* ---- Linux's layout ---- */

static uint32_t microseconds(uint64_t nanoseconds) {
    return (uint32_t)(nanoseconds / 1000);
}

static uint32_t segments(uint32_t octets, uint32_t mss) {
    return mss ? (octets + mss - 1) / mss : 0;
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* The host's time has stood still since it did something last. */
static uint32_t ago(const struct berth_tcp_info *from, uint64_t now, uint64_t since) {
    uint64_t still = now > from->now ? now - from->now : 0;
    return since == BERTH_NEVER ? 0 : (uint32_t)((since + still) / BERTH_MS);
}

/* Segments that the peer has, and our SYN, which Linux counts. */
static uint32_t delivered(const struct berth_tcp_info *from, uint32_t unacked) {
    uint32_t fresh = from->data_segments_out - from->retransmitted;
    return fresh + 1 > unacked ? fresh + 1 - unacked : 0;
}

/* All that Linux tells of a listener, and its use of two fields for its queue. */
enum { LISTENER_CWND = 10 }; /* segments: Linux's TCP_INIT_CWND */
static void listener_translate(const struct berth_tcp_info *from, struct tcp_info *to) {
    *to = (struct tcp_info){.tcpi_state = to->tcpi_state,
                            .tcpi_snd_cwnd = LISTENER_CWND,
                            .tcpi_reordering = to->tcpi_reordering,
                            .tcpi_pacing_rate = to->tcpi_pacing_rate,
                            .tcpi_max_pacing_rate = to->tcpi_max_pacing_rate,
                            .tcpi_unacked = from->receive_queue,
                            .tcpi_sacked = from->send_queue};
}

void tcp_info_translate(const struct berth_tcp_info *from, uint64_t now, struct tcp_info *to) {
    to->tcpi_state = from->state;
    to->tcpi_retransmits = from->retransmits;
    to->tcpi_probes = from->probes;
    to->tcpi_backoff = from->backoff;
    to->tcpi_options = from->options & 0x1f;
    to->tcpi_snd_wscale = from->send_wscale & 0xfu;
    to->tcpi_rcv_wscale = from->receive_wscale & 0xfu;
    to->tcpi_rto = microseconds(from->rto);
    to->tcpi_snd_mss = from->send_mss;
    /* Until something came Linux expects little. */
    to->tcpi_rcv_mss = from->received_mss ? from->received_mss : least(from->receive_mss, 536);
    to->tcpi_advmss = from->receive_mss - (from->options & TCPI_OPT_TIMESTAMPS ? 12 : 0);
    to->tcpi_ato = from->data_segments_in ? microseconds(from->delayed_ack) : 0;
    to->tcpi_pmtu = from->mtu;
    to->tcpi_rtt = microseconds(from->srtt);
    to->tcpi_rttvar = microseconds(from->rttvar);
    to->tcpi_min_rtt = microseconds(from->min_rtt ? from->min_rtt : from->srtt);
    to->tcpi_last_data_sent = ago(from, now, from->since_sent);
    to->tcpi_last_data_recv = ago(from, now, from->since_received);
    to->tcpi_last_ack_recv = ago(from, now, from->since_heard);
    to->tcpi_snd_ssthresh =
        from->ssthresh == UINT32_MAX ? INT32_MAX : segments(from->ssthresh, from->send_mss);
    to->tcpi_snd_cwnd = segments(from->cwnd, from->send_mss);
    to->tcpi_unacked = segments(from->unacked, from->send_mss);
    to->tcpi_total_retrans = from->retransmitted;
    to->tcpi_ca_state = from->recovery;
    to->tcpi_sacked = segments(from->sacked, from->send_mss);
    to->tcpi_lost = segments(from->lost, from->send_mss);
    to->tcpi_retrans = segments(from->resent, from->send_mss);
    to->tcpi_reordering = from->reordering_degree;
    to->tcpi_reord_seen = from->reordering_seen;
    to->tcpi_rcv_rtt = microseconds(from->receive_rtt);
    to->tcpi_rcv_space = from->receive_space;
    to->tcpi_rcv_ssthresh = from->receive_clamp;
    to->tcpi_pacing_rate = from->pacing_rate;
    to->tcpi_max_pacing_rate =
        from->pacing_rate_max == UINT32_MAX ? UINT64_MAX : from->pacing_rate_max;
    to->tcpi_bytes_sent = from->bytes_sent;
    to->tcpi_bytes_retrans = from->bytes_retransmitted;
    to->tcpi_segs_out = from->segments_out;
    to->tcpi_segs_in = from->segments_in;
    to->tcpi_data_segs_out = from->data_segments_out;
    to->tcpi_data_segs_in = from->data_segments_in;
    to->tcpi_delivery_rate = from->delivery_rate;
    to->tcpi_delivery_rate_app_limited = from->application_limited & 1u;
    to->tcpi_busy_time = from->busy / 1000;
    to->tcpi_rwnd_limited = from->window_limited / 1000;
    to->tcpi_sndbuf_limited = from->buffer_limited / 1000;
    to->tcpi_dsack_dups = from->dsacks;
    to->tcpi_rcv_ooopack = from->out_of_order;
    to->tcpi_delivered_ce = from->marked;
    to->tcpi_delivered = delivered(from, to->tcpi_unacked);
    to->tcpi_bytes_acked = from->bytes_acked;
    to->tcpi_bytes_received = from->bytes_received;
    to->tcpi_notsent_bytes =
        from->send_queue > from->unacked ? from->send_queue - from->unacked : 0;
    to->tcpi_snd_wnd = from->send_window;
    if (from->state == BERTH_LISTEN)
        listener_translate(from, to);
}

/* ---- iproute2's words ---- */

enum unit {
    OCTET,        /* 8 bits */
    NUMBER,       /* 32 bits */
    LONG,         /* 64 bits */
    MICROSECONDS, /* 32 bits, told in ms with a fraction */
    WHOLE_MS,     /* 64 bits of microseconds, told in whole ms */
    BITS,         /* 64 bits of octets a second, told in bits; all ones: there is none */
    PART,         /* as WHOLE_MS, with how much of `busy` it is in percent */
};

/* As ss does it: what is 0 is not said. */
static const struct row {
    const char *word;
    size_t offset;
    enum unit unit;
} rows[] = {
#define ROW(word, field, unit)                                                                     \
    { word, offsetof(struct tcp_info, tcpi_##field), unit }
    ROW("rto", rto, MICROSECONDS),
    ROW("backoff", backoff, OCTET),
    ROW("rtt", rtt, MICROSECONDS),
    ROW("rttvar", rttvar, MICROSECONDS),
    ROW("ato", ato, MICROSECONDS),
    ROW("mss", snd_mss, NUMBER),
    ROW("pmtu", pmtu, NUMBER),
    ROW("rcvmss", rcv_mss, NUMBER),
    ROW("advmss", advmss, NUMBER),
    ROW("cwnd", snd_cwnd, NUMBER),
    ROW("bytes_sent", bytes_sent, LONG),
    ROW("bytes_retrans", bytes_retrans, LONG),
    ROW("bytes_acked", bytes_acked, LONG),
    ROW("bytes_received", bytes_received, LONG),
    ROW("segs_out", segs_out, NUMBER),
    ROW("segs_in", segs_in, NUMBER),
    ROW("data_segs_out", data_segs_out, NUMBER),
    ROW("data_segs_in", data_segs_in, NUMBER),
    ROW("lastsnd", last_data_sent, NUMBER),
    ROW("lastrcv", last_data_recv, NUMBER),
    ROW("lastack", last_ack_recv, NUMBER),
    ROW("pacing_rate", pacing_rate, BITS),
    ROW("max_pacing_rate", max_pacing_rate, BITS),
    ROW("delivery_rate", delivery_rate, BITS),
    ROW("delivered", delivered, NUMBER),
    ROW("delivered_ce", delivered_ce, NUMBER),
    ROW("busy", busy_time, WHOLE_MS),
    ROW("rwnd_limited", rwnd_limited, PART),
    ROW("sndbuf_limited", sndbuf_limited, PART),
    ROW("unacked", unacked, NUMBER),
    ROW("retrans", retrans, NUMBER),
    ROW("retrans_total", total_retrans, NUMBER),
    ROW("lost", lost, NUMBER),
    ROW("sacked", sacked, NUMBER),
    ROW("dsack_dups", dsack_dups, NUMBER),
    ROW("reord_seen", reord_seen, NUMBER),
    ROW("rcv_rtt", rcv_rtt, MICROSECONDS),
    ROW("rcv_space", rcv_space, NUMBER),
    ROW("rcv_ssthresh", rcv_ssthresh, NUMBER),
    ROW("notsent", notsent_bytes, NUMBER),
    ROW("minrtt", min_rtt, MICROSECONDS),
    ROW("rcv_ooopack", rcv_ooopack, NUMBER),
    ROW("snd_wnd", snd_wnd, NUMBER),
#undef ROW
};

static void say(json_t *object, const char *word, json_t *value) {
    json_object_set_new(object, word, value);
}

static void number(json_t *object, const char *word, uint64_t value) {
    if (value != 0)
        say(object, word, json_integer((json_int_t)value));
}

static void flag(json_t *object, const char *word, bool holds) {
    if (holds)
        say(object, word, json_true());
}

static uint64_t row_value(const struct row *row, const struct tcp_info *info) {
    const uint8_t *at = (const uint8_t *)info + row->offset;
    uint64_t whole = 0;
    uint32_t half = 0;
    switch (row->unit) {
    case OCTET:
        return *at;
    case NUMBER:
    case MICROSECONDS:
        memcpy(&half, at, sizeof half);
        return half;
    default:
        memcpy(&whole, at, sizeof whole);
        return whole;
    }
}

static void row_pack(json_t *object, const struct row *row, const struct tcp_info *info) {
    uint64_t value = row_value(row, info);
    if (value == 0)
        return;
    switch (row->unit) {
    case OCTET:
    case NUMBER:
    case LONG:
        number(object, row->word, value);
        break;
    case MICROSECONDS:
        say(object, row->word, json_real((double)value / 1000.0));
        break;
    case WHOLE_MS:
        say(object, row->word, json_integer((json_int_t)(value / 1000)));
        break;
    case BITS:
        if (value != UINT64_MAX)
            number(object, row->word, value * 8);
        break;
    case PART:
        say(object, row->word,
            json_pack("[I,f]", (json_int_t)(value / 1000),
                      100.0 * (double)value / (double)info->tcpi_busy_time));
        break;
    }
}

json_t *tcp_info_pack(const struct berth_tcp_info *from, uint64_t now) {
    struct tcp_info info = {0};
    json_t *object = json_object();
    const char *algorithm = berth_congestion_name(from->congestion);
    tcp_info_translate(from, now, &info);
    flag(object, "ts", info.tcpi_options & TCPI_OPT_TIMESTAMPS);
    flag(object, "sack", info.tcpi_options & TCPI_OPT_SACK);
    flag(object, "ecn", info.tcpi_options & TCPI_OPT_ECN);
    flag(object, "ecnseen", info.tcpi_options & TCPI_OPT_ECN_SEEN);
    say(object, "congestion", json_string(algorithm != NULL ? algorithm : ""));
    if (info.tcpi_options & TCPI_OPT_WSCALE)
        say(object, "wscale",
            json_pack("[i,i]", (int)info.tcpi_snd_wscale, (int)info.tcpi_rcv_wscale));
    if (from->state == BERTH_LISTEN) {
        number(object, "cwnd", info.tcpi_snd_cwnd);
        return object;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        row_pack(object, &rows[i], &info);
    if (info.tcpi_rtt != 0)
        number(object, "send",
               (uint64_t)info.tcpi_snd_cwnd * info.tcpi_snd_mss * 8000000 / info.tcpi_rtt);
    number(object, "ssthresh", info.tcpi_snd_ssthresh < 0xffff ? info.tcpi_snd_ssthresh : 0);
    number(object, "reordering", info.tcpi_reordering != 3 ? info.tcpi_reordering : 0);
    flag(object, "app_limited", info.tcpi_delivery_rate_app_limited);
    return object;
}
