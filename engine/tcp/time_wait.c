/* TIME-WAIT: the quiet time after a close, in which old segments die out (RFC 9293, sections 3.6.1
 * and 3.10.7.4).
 *
 * A record is 64 octets in one FIFO: all wait equally long. It answers what a peer that missed our
 * last ACK sends, ignores RSTs (RFC 1337), and gives way early to a SYN that cannot be old (RFC
 * 6191). A retransmitted FIN starts the wait anew: the record moves to the FIFO's end by way of a
 * copy. As on Linux, the connection's own record is done with at once, even if the application
 * holds it still: all that it can do is to read what it has not read. */
#include "engine/tcp/handshake.h"

/* When an empty segment was last answered is kept in steps of half a second, which come round after
 * the record's life. */
enum { ANSWERED_STEP = 512 /* ms */ };
#define ANSWERED_STEPS 127u
enum { ISN_AHEAD = 1 << 20 }; /* of all that the old connection's windows may hold still */

static bool is_dead(const void *record) {
    return ((const struct tcp_time_wait *)record)->due == 0;
}

static struct tcp_time_wait *time_wait_at(const struct tcp *tcp, uint32_t index) {
    return pool_at(&tcp->time_waits, index);
}

/* ---- coming and going ---- */

/* A free record's index; 0 at the bound (Linux's tcp_max_tw_buckets) or without memory. */
static uint32_t take(struct tcp *tcp) {
    struct tcp_queue *queue = &tcp->time_wait_queue;
    uint32_t dead = tcp->time_waits.used - queue->count;
    bool full = tcp->time_waits.used >= tcp->time_waits.limit;
    if (queue->count >= tcp->config.tcp_time_wait_max)
        return 0;
    if (dead > queue->count + RECORD_SWEEP_MIN || (full && dead > 0))
        record_sweep(queue, &tcp->time_waits, is_dead);
    return pool_take(&tcp->time_waits);
}

static void start_waiting(struct tcp *tcp, uint32_t index) {
    struct tcp_time_wait *record = time_wait_at(tcp, index);
    uint32_t due = record_due(tcp, tcp->config.tcp_time_wait);
    record->due = due ? due : 1; /* 0 marks the dead */
    record_push(&tcp->time_wait_queue, &tcp->time_waits, index);
}

/* Marks it dead; its four numbers are free. */
static void end(struct tcp *tcp, uint32_t index) {
    struct tcp_time_wait *record = time_wait_at(tcp, index);
    ports_disconnect(tcp->ports, &record->tuple, tcp_reference(TCP_TIME_WAIT, index));
    record->due = 0;
    tcp->time_wait_queue.count--;
    record_trim(&tcp->time_wait_queue, &tcp->time_waits, is_dead);
}

/* Where the next connection of these four numbers may begin (RFC 6191 2). */
static uint32_t next_isn(const struct tcp_time_wait *record) {
    return record->snd_nxt + ISN_AHEAD;
}

bool time_wait_reuse(struct tcp *tcp, uint32_t index, uint32_t *floor) {
    const struct tcp_time_wait *record = time_wait_at(tcp, index);
    if (!record->timestamps || !tcp->config.tcp_timestamps)
        return false;
    *floor = next_isn(record);
    end(tcp, index);
    return true;
}

static unsigned answer_step(const struct tcp *tcp) {
    return tcp_ms(tcp) / ANSWERED_STEP & ANSWERED_STEPS;
}

static struct tcp_time_wait record_of(const struct tcp *tcp, const struct tcp_connection *c) {
    uint32_t window = seq_gt(c->rcv_edge, c->rcv_nxt) ? c->rcv_edge - c->rcv_nxt : 0;
    window >>= c->scales >> 4;
    return (struct tcp_time_wait){
        .tuple = c->tuple,
        .snd_nxt = tcp_snd_max(c),
        .rcv_nxt = c->rcv_nxt,
        .ts_recent = c->ts_recent,
        .ts_offset = c->ts_offset,
        .window = (uint16_t)(window < 65535 ? window : 65535),
        .timestamps = (c->flags & TCP_F_TIMESTAMPS) != 0,
        .answered = (answer_step(tcp) - 1u) & ANSWERED_STEPS,
        .interface = c->interface,
    };
}

static void acknowledge(struct tcp *tcp, const struct tcp_time_wait *record) {
    struct tcp_reply reply = {
        .tuple = record->tuple,
        .seq = record->snd_nxt,
        .ack = record->rcv_nxt,
        .flags = TCP_ACK,
        .window = record->window,
        .interface = record->interface,
        .has_timestamps = record->timestamps, /* RFC 7323 3.2, 7323-T1 */
        .ts_value = tcp_ms(tcp) + record->ts_offset,
        .ts_echo = record->ts_recent,
    };
    reply_queue(tcp, &reply);
}

/* RFC 9293 3.6.1, MUST-13 */
void time_wait_enter(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_time_wait record = record_of(tcp, c);
    uint32_t index = take(tcp);
    if (c->flags & TCP_F_ACK_NOW)
        acknowledge(tcp, &record);
    if (index) {
        *time_wait_at(tcp, index) = record;
        ports_rename(tcp->ports, &c->tuple, tcp_reference(TCP_CONNECTION, c->self),
                     tcp_reference(TCP_TIME_WAIT, index));
        c->flags &= (uint16_t)~TCP_F_IN_PORTS;
        start_waiting(tcp, index);
        tcp->counters->tcp_time_wait++;
    } else {
        tcp->counters->tcp_time_wait_overflow++;
    }
    connection_abort(tcp, c, 0);
}

/* ---- a segment arrives ---- */

/* An empty segment may itself be an answer: two ends that disagree must not go on for ever, so one
 * in half a second is enough (Linux's tcp_invalid_ratelimit). */
static void acknowledge_empty(struct tcp *tcp, struct tcp_time_wait *record) {
    if (record->answered == answer_step(tcp))
        return;
    record->answered = answer_step(tcp) & ANSWERED_STEPS;
    acknowledge(tcp, record);
}

/* True if the SYN cannot be an old one of the connection that ended here: RFC 6191 2, RFC 9293
 * MAY-2, SHLD-4, 6191-1. */
static bool is_new(const struct tcp *tcp, const struct tcp_time_wait *record,
                   const struct tcp_segment *segment, const struct tcp_options *options) {
    bool later = seq_gt(segment->seq, record->rcv_nxt);
    if (!options->has_timestamps || !tcp->config.tcp_timestamps)
        return later;
    if (!record->timestamps || seq_gt(options->ts_value, record->ts_recent))
        return true;
    return options->ts_value == record->ts_recent && later;
}

/* A SYN: opens anew if it is new and somebody listens, else it is answered as any segment that is
 * out of place (RFC 5961 4.2). The new ISN and timestamps are beyond the old ones (RFC 6191 2). */
static void check_syn(struct tcp *tcp, uint32_t index, const struct tcp_segment *segment,
                      const struct tcp_options *options) {
    const struct tcp_time_wait *record = time_wait_at(tcp, index);
    const uint16_t flags = TCP_SYN | TCP_ACK | TCP_FIN;
    uint32_t listener = 0;
    if ((segment->flags & flags) == TCP_SYN && is_new(tcp, record, segment, options))
        listener = ports_lookup(tcp->ports, &segment->tuple.local, segment->tuple.local_port,
                                segment->hash);
    if (!listener) {
        acknowledge(tcp, record);
        return;
    }
    uint32_t floor = next_isn(record);
    end(tcp, index);
    listen_syn(tcp, tcp_at(tcp, tcp_index_of(listener)), segment, options, &floor);
}

/* The wait starts anew: the record moves to the end of the FIFO, where its time belongs. */
static void wait_again(struct tcp *tcp, uint32_t index) {
    uint32_t copy = pool_take(&tcp->time_waits);
    if (!copy)
        return; /* it ends when it would have */
    struct tcp_time_wait *record = time_wait_at(tcp, index);
    *time_wait_at(tcp, copy) = *record;
    ports_rename(tcp->ports, &record->tuple, tcp_reference(TCP_TIME_WAIT, index),
                 tcp_reference(TCP_TIME_WAIT, copy));
    record->due = 0;
    tcp->time_wait_queue.count--;
    start_waiting(tcp, copy);
    record_trim(&tcp->time_wait_queue, &tcp->time_waits, is_dead);
}

/* RFC 7323 5.3: a segment from the past says nothing of the present. */
static bool is_stale(const struct tcp_time_wait *record, const struct tcp_options *options) {
    return record->timestamps && options->has_timestamps &&
           seq_lt(options->ts_value, record->ts_recent);
}

void time_wait_input(struct tcp *tcp, uint32_t index, const struct tcp_segment *segment,
                     const struct tcp_options *options) {
    struct tcp_time_wait *record = time_wait_at(tcp, index);
    bool stale = is_stale(record, options), empty = segment_span(segment) == 0;
    tcp->counters->tcp_paws_drops += stale;
    if (segment->flags & TCP_RST)
        return; /* RFC 1337, 1337-1: else old duplicates could end the wait */
    if (segment->flags & TCP_SYN) {
        check_syn(tcp, index, segment, options);
        return;
    }
    if (empty && !stale && segment->seq == record->rcv_nxt)
        return; /* in its place, and nothing is asked */
    if (empty) {
        acknowledge_empty(tcp, record);
        return;
    }
    acknowledge(tcp, record);
    /* MUST-13, 9293-E12, and nothing else extends the wait: the peer's FIN, which ends where all
     * ended. */
    bool fin = segment->flags & TCP_FIN && segment->seq + segment_span(segment) == record->rcv_nxt;
    if (fin && !stale && segment->flags & TCP_ACK && segment->ack == record->snd_nxt)
        wait_again(tcp, index);
}

/* ---- time ---- */

void time_wait_advance(struct tcp *tcp) {
    const struct tcp_queue *queue = &tcp->time_wait_queue;
    while (queue->head && record_is_due(tcp, time_wait_at(tcp, queue->head)->due))
        end(tcp, queue->head);
}

uint64_t time_wait_deadline(const struct tcp *tcp) {
    uint32_t head = tcp->time_wait_queue.head;
    return head ? record_when(tcp, time_wait_at(tcp, head)->due) : BERTH_NEVER;
}
