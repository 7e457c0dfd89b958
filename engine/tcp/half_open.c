/* Half-open connections: the records between a SYN and the ACK that completes the handshake.
 *
 * Theory of operation. A record is 64 octets and has no timer: it stands in the FIFO of those that
 * had as many SYN-ACKs retransmitted as itself. All in one FIFO wait equally long, so its head is
 * always the first to be due, and time costs nothing for the others. A record that ends elsewhere
 * than at the head stays in its FIFO, dead (see handshake.h).
 *
 * SYN-ACKs go through the ring of answers. When a burst of SYNs or of timeouts would overflow it,
 * records wait for their turn: a new one in a FIFO of its own (retries "7"), one that is due where
 * it is; half_open_advance goes on as soon as the ring has room. */
#include "engine/tcp/handshake.h"

enum { HALF_OPEN_QUEUES = 8, RECYCLE_STEPS = 64 };

static bool is_dead(const void *record) {
    return ((const struct tcp_half_open *)record)->listener == 0;
}

uint32_t half_open_count(const struct tcp *tcp) {
    uint32_t count = 0;
    for (unsigned i = 0; i < HALF_OPEN_QUEUES; i++)
        count += tcp->half_open_queues[i].count;
    return count;
}

uint64_t half_open_patience(const struct tcp *tcp, unsigned retries) {
    uint64_t rto = tcp->config.tcp_rto_initial << retries; /* RFC 6298 5.5 */
    return rto < tcp->config.tcp_rto_max ? rto : tcp->config.tcp_rto_max;
}

/* ---- the SYN-ACK ---- */

uint32_t half_open_window(const struct tcp *tcp, const struct tcp_half_open *record) {
    bool v4 = berth_ip_is_v4(&record->tuple.remote);
    uint32_t mss = connection_mss_for(tcp, half_open_interface(record), v4);
    return tuning_first_window(tcp, tcp_at(tcp, record->listener), mss,
                               record->scale & HALF_OPEN_TIMESTAMPS ? TCP_TIMESTAMPS : 0);
}

void half_open_answer(struct tcp *tcp, uint32_t index) {
    const struct tcp_half_open *record = half_open_at(tcp, index);
    const struct tcp_connection *listener = tcp_at(tcp, record->listener);
    struct tcp_reply reply = {
        .tuple = record->tuple,
        .seq = record->iss,
        .ack = record->irs + 1,
        .flags = (uint16_t)(TCP_SYN | TCP_ACK | (record->ecn ? TCP_ECE : 0)), /* RFC 3168 6.1.1 */
        .window = (uint16_t)half_open_window(tcp, record),
        .interface = half_open_interface(record),
        .tos = (uint8_t)tcp_option(listener, BERTH_IP_TOS, 0), /* RFC 9293 MUST-48 */
        .ttl = (uint8_t)tcp_option(listener, BERTH_IP_TTL, 0), /* RFC 9293 MUST-49 */
        .half_open = index,
    };
    reply_queue(tcp, &reply);
}

bool half_open_synack(const struct tcp *tcp, const struct tcp_reply *reply,
                      struct tcp_options *options) {
    const struct tcp_half_open *record = half_open_at(tcp, reply->half_open);
    if (is_dead(record) || record->iss != reply->seq ||
        memcmp(&record->tuple, &reply->tuple, sizeof record->tuple) != 0)
        return false;
    bool v4 = berth_ip_is_v4(&record->tuple.remote);
    int asked = tcp_option(tcp_at(tcp, record->listener), BERTH_TCP_MAXSEG, 65535);
    options->has_mss = true; /* RFC 9293 3.7.1, MUST-14, SHLD-5 */
    options->mss = connection_mss_for(tcp, half_open_interface(record), v4);
    if (asked < options->mss)
        options->mss = (uint16_t)asked;
    options->has_wscale = (record->scale & HALF_OPEN_SCALE) != HALF_OPEN_SCALE;
    options->wscale = record->shift;
    options->sack_permitted = record->sack; /* RFC 2018 section 2 */
    options->has_timestamps = record->scale & HALF_OPEN_TIMESTAMPS;
    options->ts_value = tcp_ms(tcp) + isn_ts_offset(tcp, &record->tuple);
    options->ts_echo = record->ts_recent;
    return true;
}

/* Starts waiting for the answer to the SYN-ACK that is sent now. */
static void wait_for_ack(struct tcp *tcp, uint32_t index, unsigned retries) {
    struct tcp_half_open *record = half_open_at(tcp, index);
    record->state = (uint8_t)((record->state & ~HALF_OPEN_RETRIES) | retries);
    record->scale &= (uint8_t)~HALF_OPEN_CHALLENGES;
    record->due = record_due(tcp, half_open_patience(tcp, retries));
    record_push(&tcp->half_open_queues[retries], &tcp->half_opens, index);
}

/* ---- coming and going ---- */

/* A free record's index. Dead ones are swept out before they outnumber the living. */
static uint32_t take(struct tcp *tcp) {
    uint32_t dead = tcp->half_opens.used - half_open_count(tcp);
    bool full = tcp->half_opens.used >= tcp->half_opens.limit;
    if (dead > half_open_count(tcp) + RECORD_SWEEP_MIN || (full && dead > 0))
        for (unsigned i = 0; i < HALF_OPEN_QUEUES; i++)
            record_sweep(&tcp->half_open_queues[i], &tcp->half_opens, is_dead);
    return pool_take(&tcp->half_opens);
}

bool half_open_make(struct tcp *tcp, struct tcp_connection *listener,
                    const struct tcp_segment *segment, const struct tcp_options *options,
                    uint32_t iss) {
    uint32_t index = take(tcp);
    if (!index)
        return false;
    struct tcp_half_open *record = half_open_at(tcp, index);
    bool scaling = options->has_wscale && tcp->config.tcp_window_scaling;
    bool timestamps = options->has_timestamps && tcp->config.tcp_timestamps;
    unsigned retries = HALF_OPEN_RETRIES;
    *record = (struct tcp_half_open){
        .tuple = segment->tuple,
        .irs = segment->seq,
        .iss = iss,
        .ts_recent = options->ts_value,
        .listener = listener->self & TCP_RECORDS,
        .shift = tuning_scale(tcp) & 15u,
        .sack = options->sack_permitted && tcp->config.tcp_sack,
        .ecn = ecn_asked(tcp, segment),
        .due = record_due(tcp, 0),
        .mss = options->mss,
        .scale = (uint8_t)((scaling ? options->wscale : HALF_OPEN_SCALE) |
                           (timestamps ? HALF_OPEN_TIMESTAMPS : 0)),
        .state = (uint8_t)(retries | (unsigned)segment->interface << HALF_OPEN_INTERFACE_SHIFT),
    };
    if (ports_connect(tcp->ports, &record->tuple, tcp_reference(TCP_HALF_OPEN, index)) != 0) {
        pool_give(&tcp->half_opens, index);
        return false;
    }
    listener->extra->listener->half_open++;
    if (reply_has_room(tcp)) {
        wait_for_ack(tcp, index, 0);
        half_open_answer(tcp, index);
    } else {
        record_push(&tcp->half_open_queues[HALF_OPEN_RETRIES], &tcp->half_opens, index);
    }
    return true;
}

/* Marks it dead and takes it out of all counts; its FIFO holds it still. */
static void bury(struct tcp *tcp, uint32_t index, bool ported) {
    struct tcp_half_open *record = half_open_at(tcp, index);
    if (ported)
        ports_disconnect(tcp->ports, &record->tuple, tcp_reference(TCP_HALF_OPEN, index));
    tcp_at(tcp, record->listener)->extra->listener->half_open--;
    tcp->half_open_queues[half_open_retries(record)].count--;
    record->listener = 0;
}

static void trim(struct tcp *tcp) {
    for (unsigned i = 0; i < HALF_OPEN_QUEUES; i++)
        record_trim(&tcp->half_open_queues[i], &tcp->half_opens, is_dead);
}

void half_open_end(struct tcp *tcp, uint32_t index, bool ported) {
    bury(tcp, index, ported);
    trim(tcp);
}

/* The first record of the FIFO that is that listener's, or anybody's; 0 when *steps have found
 * none. The dead on the way are taken out. */
static uint32_t find_victim(struct tcp *tcp, struct tcp_queue *queue,
                            const struct tcp_connection *listener, unsigned *steps) {
    uint32_t previous = 0;
    for (uint32_t index = queue->head, next; index && *steps > 0; index = next) {
        const struct tcp_half_open *record = half_open_at(tcp, index);
        next = record->next;
        if (is_dead(record)) {
            record_remove(queue, &tcp->half_opens, previous, index);
            continue;
        }
        if (!listener || record->listener == listener->self)
            return index;
        previous = index;
        --*steps;
    }
    return 0;
}

/* RFC 4987 3.4, 4987-3 */
bool half_open_recycle(struct tcp *tcp, const struct tcp_connection *listener) {
    unsigned steps = RECYCLE_STEPS;
    for (int i = HALF_OPEN_QUEUES - 1; i >= 0; i--) {
        /* Those whose first SYN-ACK waits are the newest of all: the last to go. */
        struct tcp_queue *queue =
            &tcp->half_open_queues[(i + HALF_OPEN_RETRIES) % HALF_OPEN_QUEUES];
        uint32_t index = find_victim(tcp, queue, listener, &steps);
        if (index) {
            half_open_end(tcp, index, true);
            return true;
        }
    }
    return false;
}

void half_open_forget(struct tcp *tcp, const struct tcp_connection *listener) {
    const struct tcp_listener *l = listener->extra->listener;
    for (unsigned i = 0; i < HALF_OPEN_QUEUES; i++)
        for (uint32_t index = tcp->half_open_queues[i].head; index && l->half_open > 0;
             index = half_open_at(tcp, index)->next)
            if (half_open_at(tcp, index)->listener == listener->self)
                bury(tcp, index, true);
    trim(tcp);
}

/* RFC 9293 3.9.2.2, RFC 5927 4, 5927-1: only an error that quotes our SYN-ACK counts, and only a
 * hard one.
 */
void half_open_icmp(struct tcp *tcp, uint32_t index, uint32_t seq, bool hard) {
    if (!hard || seq != half_open_at(tcp, index)->iss)
        return;
    tcp->counters->tcp_attempt_fails++;
    half_open_end(tcp, index, true);
}

/* ---- time ---- */

/* Seconds before the next retransmission: 1 at first, twice as many each time, 120 at most. */
static int next_period(int period) {
    return period < 60 ? 2 * period : 120;
}

unsigned half_open_deferrals(int seconds) {
    unsigned deferrals = seconds > 0;
    for (int period = 1, sum = 1; seconds > sum && deferrals < UINT8_MAX; deferrals++) {
        period = next_period(period);
        sum += period;
    }
    return deferrals;
}

int half_open_defer_seconds(unsigned deferrals) {
    int sum = 0;
    for (int period = 1; deferrals > 0; deferrals--, period = next_period(period))
        sum += period;
    return sum;
}

/* The head of this FIFO has had no answer in time. */
static void time_out(struct tcp *tcp, unsigned retries) {
    struct tcp_queue *queue = &tcp->half_open_queues[retries];
    uint32_t index = queue->head;
    struct tcp_half_open *record = half_open_at(tcp, index);
    const struct tcp_connection *listener = tcp_at(tcp, record->listener);
    int most = tcp_option(listener, BERTH_TCP_SYNCNT, tcp->config.tcp_synack_retries);
    bool acked = record->scale & HALF_OPEN_ACKED;
    unsigned defer = half_open_deferrals(tcp_option(listener, BERTH_TCP_DEFER_ACCEPT, 0));
    tcp->counters->tcp_timeouts++;
    if ((retries >= (unsigned)most && (!acked || retries >= defer)) ||
        retries == HALF_OPEN_RETRIES_MAX) {
        tcp->counters->tcp_attempt_fails++;
        half_open_end(tcp, index, true);
        return;
    }
    record_shift(queue, &tcp->half_opens);
    queue->count--;
    wait_for_ack(tcp, index, retries + 1);
    if (acked && retries + 1 < defer)
        return; /* it answered, without octets, and TCP_DEFER_ACCEPT waits for some */
    tcp->counters->tcp_retrans_segs++;
    half_open_answer(tcp, index);
}

/* New records whose SYN-ACK found no room in the ring of answers. */
static void start_waiting(struct tcp *tcp) {
    struct tcp_queue *queue = &tcp->half_open_queues[HALF_OPEN_RETRIES];
    while (queue->head && reply_has_room(tcp)) {
        uint32_t index = record_shift(queue, &tcp->half_opens);
        if (is_dead(half_open_at(tcp, index))) {
            pool_give(&tcp->half_opens, index);
            continue;
        }
        queue->count--;
        wait_for_ack(tcp, index, 0);
        half_open_answer(tcp, index);
    }
}

void half_open_advance(struct tcp *tcp) {
    start_waiting(tcp);
    for (unsigned retries = 0; retries <= HALF_OPEN_RETRIES_MAX; retries++) {
        const struct tcp_queue *queue = &tcp->half_open_queues[retries];
        while (queue->head && reply_has_room(tcp) &&
               record_is_due(tcp, half_open_at(tcp, queue->head)->due)) {
            time_out(tcp, retries);
            trim(tcp);
        }
    }
}

uint64_t half_open_deadline(const struct tcp *tcp) {
    uint64_t deadline = BERTH_NEVER;
    if (!reply_has_room(tcp))
        return deadline; /* output comes first, and then this is asked again */
    for (unsigned i = 0; i < HALF_OPEN_QUEUES; i++) {
        uint32_t head = tcp->half_open_queues[i].head;
        uint64_t when = head ? record_when(tcp, half_open_at(tcp, head)->due) : BERTH_NEVER;
        if (when < deadline)
            deadline = when;
    }
    return deadline;
}
