/* What the files of the handshake share among themselves: FIFOs of small records, and the step from
 * a SYN to a half-open record. Nobody else includes it. */
#ifndef ENGINE_TCP_HANDSHAKE_H
#define ENGINE_TCP_HANDSHAKE_H

#include "engine/tcp/connection.h"

/* ---- FIFOs of records whose first member is `next` ----
 * A record that ends in the middle of its FIFO is marked dead and leaves it later: at once when it
 * stands at the head, else when the head reaches it or a sweep finds that most are dead. So ending
 * one costs constant time, amortised, without a second link. */
enum { RECORD_SWEEP_MIN = 64 };

static inline uint32_t *record_next(const struct pool *pool, uint32_t index) {
    return pool_at(pool, index);
}

static inline void record_push(struct tcp_queue *queue, const struct pool *pool, uint32_t index) {
    *record_next(pool, index) = 0;
    if (queue->head)
        *record_next(pool, queue->tail) = index;
    else
        queue->head = index;
    queue->tail = index;
    queue->count++;
}

/* Takes the head off the list; the count is the caller's to lower, unless the record was dead. */
static inline uint32_t record_shift(struct tcp_queue *queue, const struct pool *pool) {
    uint32_t index = queue->head;
    queue->head = *record_next(pool, index);
    return index;
}

/* Takes a dead record out and frees it; previous: the one before it, 0 at the head. */
static inline void record_remove(struct tcp_queue *queue, struct pool *pool, uint32_t previous,
                                 uint32_t index) {
    uint32_t next = *record_next(pool, index);
    if (previous)
        *record_next(pool, previous) = next;
    else
        queue->head = next;
    if (!next)
        queue->tail = previous;
    pool_give(pool, index);
}

/* Takes all dead records out. */
static inline void record_sweep(struct tcp_queue *queue, struct pool *pool,
                                bool (*dead)(const void *record)) {
    uint32_t previous = 0;
    for (uint32_t index = queue->head, next; index; index = next) {
        next = *record_next(pool, index);
        if (dead(pool_at(pool, index)))
            record_remove(queue, pool, previous, index);
        else
            previous = index;
    }
}

/* Frees the dead at the head, so that a queue's deadline is always that of a living record. */
static inline void record_trim(struct tcp_queue *queue, struct pool *pool,
                               bool (*dead)(const void *record)) {
    while (queue->head && dead(pool_at(pool, queue->head)))
        pool_give(pool, record_shift(queue, pool));
}

/* ---- times in records: 32 bits of ms, rounded up, so that nothing fires early ---- */
static inline uint32_t record_due(const struct tcp *tcp, uint64_t duration) {
    return (uint32_t)((tcp->now + duration + BERTH_MS - 1) / BERTH_MS);
}
static inline bool record_is_due(const struct tcp *tcp, uint32_t due) {
    return seq_le(due, tcp_ms(tcp));
}
static inline uint64_t record_when(const struct tcp *tcp, uint32_t due) {
    int32_t left = seq_diff(due, tcp_ms(tcp));
    return left <= 0 ? tcp->now : (tcp->now / BERTH_MS + (uint64_t)left) * BERTH_MS;
}

/* Octets of sequence space that the segment takes: SYN and FIN count (RFC 9293 3.4). */
static inline uint32_t segment_span(const struct tcp_segment *segment) {
    return segment->length + (segment->flags & TCP_SYN ? 1 : 0) +
           (segment->flags & TCP_FIN ? 1 : 0);
}
/* The acceptability test's four cases (RFC 9293 3.10.7.4, first step). */
static inline bool segment_acceptable(const struct tcp_segment *segment, uint32_t rcv_nxt,
                                      uint32_t window) {
    uint32_t span = segment_span(segment);
    if (window == 0)
        return span == 0 && segment->seq == rcv_nxt;
    if (seq_in(segment->seq, rcv_nxt, window))
        return true;
    return span > 0 && seq_in(segment->seq + span - 1, rcv_nxt, window);
}

/* ---- reply.c ---- */
static inline bool reply_has_room(const struct tcp *tcp) {
    return tcp->reply_count < TCP_REPLIES;
}

/* ---- listen.c ---- */
/* A SYN for a listener. floor: the new ISN lies at or above it (RFC 6191); NULL: none. */
void listen_syn(struct tcp *tcp, struct tcp_connection *listener, const struct tcp_segment *segment,
                const struct tcp_options *options, const uint32_t *floor);

/* ---- cookie.c ---- */
/* Answers a SYN with a cookie: nothing of it is remembered. */
void cookie_answer(struct tcp *tcp, struct tcp_connection *listener,
                   const struct tcp_segment *segment, const struct tcp_options *options);
/* An ACK for a listener. True: it answers a cookie, and is done with. */
bool cookie_input(struct tcp *tcp, struct tcp_connection *listener,
                  const struct tcp_segment *segment, const struct tcp_options *options);
/* An ACK that answers no cookie: the one that does is on its way behind it. */
bool cookie_overtaken(const struct tcp *tcp, const struct tcp_connection *listener,
                      const struct tcp_segment *segment, const struct tcp_options *options);

/* ---- half_open.c: the records; half_open_input.c: what arrives for them ----
 * state: retries in 3 bits, interface in 5. scale: the peer's shift in 4 bits (15: it offered
 * none), timestamps in 1, whether the client's bare ACK was ignored (TCP_DEFER_ACCEPT) in 1,
 * challenges answered since the last SYN-ACK in 2. */
enum {
    HALF_OPEN_RETRIES = 7,     /* the bits; as a number of retries: the first SYN-ACK waits yet */
    HALF_OPEN_RETRIES_MAX = 6, /* 127 s with the usual 1 s at first */
    HALF_OPEN_INTERFACE_SHIFT = 3,
    HALF_OPEN_SCALE = 15, /* the bits; as a shift: none */
    HALF_OPEN_TIMESTAMPS = 1 << 4,
    HALF_OPEN_ACKED = 1 << 5,
    HALF_OPEN_CHALLENGE = 1 << 6, /* one of them */
    HALF_OPEN_CHALLENGES = 3 << 6,
};
_Static_assert(TCP_INTERFACES <= 32, "an interface fits the bits left beside the retries");

static inline unsigned half_open_retries(const struct tcp_half_open *record) {
    return record->state & HALF_OPEN_RETRIES;
}
static inline uint8_t half_open_interface(const struct tcp_half_open *record) {
    return record->state >> HALF_OPEN_INTERFACE_SHIFT;
}
static inline struct tcp_half_open *half_open_at(const struct tcp *tcp, uint32_t index) {
    return pool_at(&tcp->half_opens, index);
}
/* How long the SYN-ACK after so many retries is waited for, ns. */
uint64_t half_open_patience(const struct tcp *tcp, unsigned retries);
/* Makes the record and queues its SYN-ACK; false when there is no memory for it. */
bool half_open_make(struct tcp *tcp, struct tcp_connection *listener,
                    const struct tcp_segment *segment, const struct tcp_options *options,
                    uint32_t iss);
/* The handshake is complete: the connection joins the accept queue and gets the segment, whose
 * octets and FIN are its first. index: the record's, which ends; 0: it was made of a cookie. */
void half_open_complete(struct tcp *tcp, const struct tcp_half_open *record, uint32_t index,
                        const struct tcp_segment *segment, const struct tcp_options *options);
/* Half-open records of the whole host. */
uint32_t half_open_count(const struct tcp *tcp);
/* Ends the oldest record among those that were retried most; of that listener's, unless NULL. False
 * when none was found among the first few. */
bool half_open_recycle(struct tcp *tcp, const struct tcp_connection *listener);
/* Ends a record. ported: its four numbers are still its own. */
void half_open_end(struct tcp *tcp, uint32_t index, bool ported);
/* Queues its SYN-ACK. */
void half_open_answer(struct tcp *tcp, uint32_t index);
/* The window that its SYN-ACK offers, octets. */
uint32_t half_open_window(const struct tcp *tcp, const struct tcp_half_open *record);
/* What the SYN-ACK says besides its numbers; false when the record has ended meanwhile. */
bool half_open_synack(const struct tcp *tcp, const struct tcp_reply *reply,
                      struct tcp_options *options);

#endif
