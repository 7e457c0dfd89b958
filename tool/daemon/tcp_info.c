#include "tool/daemon/tcp_info.h"

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

void tcp_info_translate(const struct berth_tcp_info *from, uint64_t now, struct tcp_info *to) {
    to->tcpi_state = from->state;
    to->tcpi_retransmits = from->retransmits;
    to->tcpi_probes = from->probes;
    to->tcpi_backoff = from->backoff;
    to->tcpi_options = from->options & 0xf;
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
    to->tcpi_rcv_space = from->receive_window;
    to->tcpi_rcv_ssthresh = from->receive_window;
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
    to->tcpi_dsack_dups = from->dsacks;
    to->tcpi_rcv_ooopack = from->out_of_order;
    to->tcpi_delivered = delivered(from, to->tcpi_unacked);
    to->tcpi_bytes_acked = from->bytes_acked;
    to->tcpi_bytes_received = from->bytes_received;
    to->tcpi_notsent_bytes =
        from->send_queue > from->unacked ? from->send_queue - from->unacked : 0;
    to->tcpi_snd_wnd = from->send_window;
    if (from->state == BERTH_LISTEN) { /* Linux's use of the two for a listener */
        to->tcpi_unacked = from->receive_queue;
        to->tcpi_sacked = from->send_queue;
    }
}

/* ---- iproute2's words ---- */

/* As ss does it: what is 0 is not said. */
static void number(json_t *object, const char *word, uint64_t value) {
    if (value != 0)
        json_object_set_new(object, word, json_integer((json_int_t)value));
}

static void real(json_t *object, const char *word, double value) {
    if (value > 0)
        json_object_set_new(object, word, json_real(value));
}

static void flag(json_t *object, const char *word, bool holds) {
    if (holds)
        json_object_set_new(object, word, json_true());
}

static void pack_sending(json_t *object, const struct tcp_info *info) {
    number(object, "cwnd", info->tcpi_snd_cwnd);
    number(object, "ssthresh", info->tcpi_snd_ssthresh < 0xffff ? info->tcpi_snd_ssthresh : 0);
    number(object, "bytes_sent", info->tcpi_bytes_sent);
    number(object, "bytes_retrans", info->tcpi_bytes_retrans);
    number(object, "bytes_acked", info->tcpi_bytes_acked);
    number(object, "bytes_received", info->tcpi_bytes_received);
    number(object, "segs_out", info->tcpi_segs_out);
    number(object, "segs_in", info->tcpi_segs_in);
    number(object, "data_segs_out", info->tcpi_data_segs_out);
    number(object, "data_segs_in", info->tcpi_data_segs_in);
    if (info->tcpi_rtt != 0)
        number(object, "send",
               (uint64_t)info->tcpi_snd_cwnd * info->tcpi_snd_mss * 8000000 / info->tcpi_rtt);
    number(object, "lastsnd", info->tcpi_last_data_sent);
    number(object, "lastrcv", info->tcpi_last_data_recv);
    number(object, "lastack", info->tcpi_last_ack_recv);
    number(object, "pacing_rate", info->tcpi_pacing_rate * 8);
    if (info->tcpi_max_pacing_rate != UINT64_MAX)
        number(object, "max_pacing_rate", info->tcpi_max_pacing_rate * 8);
    number(object, "delivery_rate", info->tcpi_delivery_rate * 8);
    number(object, "delivered", info->tcpi_delivered);
    flag(object, "app_limited", info->tcpi_delivery_rate_app_limited);
    number(object, "busy", info->tcpi_busy_time / 1000);
}

static void pack_queues(json_t *object, const struct tcp_info *info) {
    number(object, "unacked", info->tcpi_unacked);
    number(object, "retrans", info->tcpi_retrans);
    number(object, "retrans_total", info->tcpi_total_retrans);
    number(object, "lost", info->tcpi_lost);
    number(object, "sacked", info->tcpi_sacked);
    number(object, "dsack_dups", info->tcpi_dsack_dups);
    number(object, "rcv_space", info->tcpi_rcv_space);
    number(object, "rcv_ssthresh", info->tcpi_rcv_ssthresh);
    number(object, "notsent", info->tcpi_notsent_bytes);
    real(object, "minrtt", info->tcpi_min_rtt / 1000.0);
    number(object, "rcv_ooopack", info->tcpi_rcv_ooopack);
    number(object, "snd_wnd", info->tcpi_snd_wnd);
}

json_t *tcp_info_pack(const struct berth_tcp_info *from, uint64_t now) {
    struct tcp_info info = {0};
    json_t *object = json_object();
    const char *algorithm = berth_congestion_name(from->congestion);
    tcp_info_translate(from, now, &info);
    flag(object, "ts", info.tcpi_options & TCPI_OPT_TIMESTAMPS);
    flag(object, "sack", info.tcpi_options & TCPI_OPT_SACK);
    flag(object, "ecn", info.tcpi_options & TCPI_OPT_ECN);
    json_object_set_new(object, "congestion", json_string(algorithm != NULL ? algorithm : ""));
    if (info.tcpi_options & TCPI_OPT_WSCALE)
        json_object_set_new(
            object, "wscale",
            json_pack("[i,i]", (int)info.tcpi_snd_wscale, (int)info.tcpi_rcv_wscale));
    if (from->state == BERTH_LISTEN) {
        number(object, "cwnd", info.tcpi_snd_cwnd);
        return object;
    }
    real(object, "rto", info.tcpi_rto / 1000.0);
    number(object, "backoff", info.tcpi_backoff);
    real(object, "rtt", info.tcpi_rtt / 1000.0);
    real(object, "rttvar", info.tcpi_rttvar / 1000.0);
    real(object, "ato", info.tcpi_ato / 1000.0);
    number(object, "mss", info.tcpi_snd_mss);
    number(object, "pmtu", info.tcpi_pmtu);
    number(object, "rcvmss", info.tcpi_rcv_mss);
    number(object, "advmss", info.tcpi_advmss);
    pack_sending(object, &info);
    pack_queues(object, &info);
    return object;
}
