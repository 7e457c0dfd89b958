/* The payload, the urgent pointer and the FIN of an acceptable segment (RFC 9293 3.10.7.4, sixth to
 * eighth check).
 *
 * THEORY. Octets in order go by reference into the receive stream; those ahead of a gap into
 * `runs`, sorted, none overlapping: what came first stays, so a peer cannot change octets it has
 * sent (RFC 2525 2.5 wants them kept). The gap's filling moves all runs that now are in order. Runs
 * are bounded in number and, with the stream, by the receive buffer; under memory pressure they go
 * first, for the peer still holds them. */
#include "engine/tcp/connection.h"

enum { RUNS_MAX = 8192 };

void receive_drop_runs(struct tcp *tcp, struct tcp_active *a) {
    struct berth_allocator *allocator = &tcp->config.allocator;
    for (uint32_t i = 0; i < a->run_count; i++)
        berth_block_drop(a->runs[i].part.block);
    if (a->runs)
        allocator->release(allocator->context, a->runs, a->run_size * sizeof *a->runs);
    a->runs = NULL;
    a->run_count = a->run_size = a->run_octets = 0;
    a->said.count = 0;
}

/* ---- out of order ---- */

static bool runs_grow(struct tcp *tcp, struct tcp_active *a) {
    struct berth_allocator *allocator = &tcp->config.allocator;
    uint32_t size = a->run_size ? a->run_size * 2 : 16;
    if (a->run_count < a->run_size)
        return true;
    struct tcp_run *runs =
        size > RUNS_MAX ? NULL : allocator->allocate(allocator->context, size * sizeof *runs);
    if (!runs)
        return false;
    if (a->runs) {
        memcpy(runs, a->runs, a->run_count * sizeof *runs);
        allocator->release(allocator->context, a->runs, a->run_size * sizeof *runs);
    }
    a->runs = runs;
    a->run_size = size;
    return true;
}

/* The first run that ends after `seq`: a binary search. */
static uint32_t run_after(const struct tcp_active *a, uint32_t seq) {
    uint32_t low = 0, high = a->run_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (seq_le(a->runs[middle].seq + a->runs[middle].part.length, seq))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Keeps `part`, which is inside no run, at index `at`. */
static bool run_insert(struct tcp *tcp, struct tcp_active *a, uint32_t at, uint32_t seq,
                       const struct berth_part *part) {
    struct berth_block *block = part->block;
    const uint8_t *data = part->data;
    if (!runs_grow(tcp, a))
        return false;
    if (block && (part->length >= block->size / 4 || block->sealed)) {
        berth_block_hold(block);
    } else { /* a borrowed or a small piece of a big block: its own copy pins no more than it needs
              */
        block = berth_block_new(tcp->config.allocator, part->length);
        if (!block)
            return false;
        memcpy(block->data, data, part->length);
        data = block->data;
    }
    memmove(&a->runs[at + 1], &a->runs[at], (a->run_count - at) * sizeof *a->runs);
    a->runs[at] = (struct tcp_run){seq, {block, data, part->length}};
    a->run_count++;
    a->run_octets += part->length;
    return true;
}

/* Keeps what of the part is new: the gaps between the runs that are there. False when not all of it
 * is held then; *end is where what is held ends, *twice what of it was there before. */
static bool run_add(struct tcp *tcp, struct tcp_active *a, uint32_t seq, struct berth_part part,
                    uint32_t *end, struct sack_block *twice) {
    uint32_t at = run_after(a, seq);
    while (part.length) {
        uint32_t skip = 0, take = part.length;
        if (at < a->run_count) {
            const struct tcp_run *next = &a->runs[at];
            if (seq_le(next->seq, seq)) { /* covered up to this run's end */
                skip = next->seq + next->part.length - seq;
                take = 0;
                at++;
            } else if (seq_lt(next->seq, seq + part.length)) {
                take = next->seq - seq;
            }
        }
        if (take) {
            struct berth_part piece = {part.block, part.data, take};
            if (!run_insert(tcp, a, at, seq, &piece))
                return false; /* not kept: the peer will send it again */
            at++;
            skip = take;
        }
        skip = skip < part.length ? skip : part.length;
        if (!take && (twice->left == twice->right || twice->right == seq))
            *twice =
                (struct sack_block){twice->left == twice->right ? seq : twice->left, seq + skip};
        seq += skip;
        part.data += skip;
        part.length -= skip;
        *end = seq;
    }
    return true;
}

/* Takes `*skip` octets off a segment's part and cuts it to `length`. False: it lies before them. */
static bool part_cut(struct berth_part *part, uint32_t *skip, uint32_t length) {
    if (*skip >= part->length) {
        *skip -= part->length;
        return false;
    }
    part->data += *skip;
    part->length -= *skip;
    *skip = 0;
    part->length = part->length < length ? part->length : length;
    return true;
}

static void out_of_order(struct tcp *tcp, struct tcp_connection *c,
                         const struct tcp_segment *segment, uint32_t seq, uint32_t skip,
                         uint32_t length) {
    struct tcp_active *a = c->active;
    tcp->counters->tcp_out_of_order++;
    if (tcp->config.memory_limit && tcp->memory > tcp->config.memory_limit) {
        tcp->counters->tcp_out_of_order_pruned++;
        receive_drop_runs(tcp, a);
        return;
    }
    struct sack_block twice = {0, 0};
    uint32_t held = seq, start = seq;
    for (unsigned i = 0; i < segment->part_count && length; i++) {
        struct berth_part part = segment->parts[i];
        if (!part_cut(&part, &skip, length))
            continue;
        if (!run_add(tcp, a, seq, part, &held, &twice))
            break;
        seq += part.length;
        length -= part.length;
    }
    if (held != start)
        sack_keep(&a->said, start, held);
    if (twice.left != twice.right) /* RFC 2883 section 4 (2): the first run of duplicate octets */
        sack_duplicate(&a->said, twice.left, twice.right);
}

/* ---- in order ---- */

/* Moves runs that are in order now to the stream. False when memory is out (they stay). */
static void runs_deliver(struct tcp *tcp, struct tcp_connection *c) {
    struct tcp_active *a = c->active;
    uint32_t done = 0;
    while (done < a->run_count && seq_le(a->runs[done].seq, c->rcv_nxt)) {
        struct berth_part part = a->runs[done].part;
        uint32_t old = c->rcv_nxt - a->runs[done].seq;
        if (old < part.length) {
            part.data += old;
            part.length -= old;
            if (stream_append(&a->receive, tcp->config.allocator, &part) != 0)
                break;
            c->rcv_nxt += part.length;
            a->tally.bytes_received += part.length;
        }
        a->run_octets -= a->runs[done].part.length;
        berth_block_drop(a->runs[done].part.block);
        done++;
    }
    if (done == 0)
        return;
    a->run_count -= done;
    sack_advance(&a->said, c->rcv_nxt);
    memmove(a->runs, a->runs + done, a->run_count * sizeof *a->runs);
    if (a->run_count == 0)
        receive_drop_runs(tcp, a);
}

/* Appends octets [skip, skip+length) of the segment. Returns how many (fewer when memory is out).
 */
static uint32_t in_order(struct tcp *tcp, struct tcp_connection *c,
                         const struct tcp_segment *segment, uint32_t skip, uint32_t length) {
    uint32_t taken = 0;
    for (unsigned i = 0; i < segment->part_count && taken < length; i++) {
        struct berth_part part = segment->parts[i];
        if (!part_cut(&part, &skip, length - taken))
            continue;
        if (stream_append(&c->active->receive, tcp->config.allocator, &part) != 0)
            break;
        taken += part.length;
    }
    c->rcv_nxt += taken;
    c->active->tally.bytes_received += taken;
    return taken;
}

/* The same, but what came before out of order stays as it came: it is taken in its place. */
static uint32_t deliver(struct tcp *tcp, struct tcp_connection *c,
                        const struct tcp_segment *segment, uint32_t skip, uint32_t length) {
    const struct tcp_active *a = c->active;
    uint32_t start = c->rcv_nxt, end = start + length;
    while (seq_lt(c->rcv_nxt, end)) {
        uint32_t at = c->rcv_nxt, want = end - at;
        if (a->run_count && seq_lt(a->runs[0].seq, end))
            want = a->runs[0].seq - at;
        if (in_order(tcp, c, segment, skip + (at - start), want) < want)
            break;
        runs_deliver(tcp, c);
        if (c->rcv_nxt == at)
            break; /* memory is out */
    }
    return c->rcv_nxt - start;
}

static void ack_at_once(struct tcp *tcp, struct tcp_connection *c) {
    c->flags |= TCP_F_ACK_NOW;
    connection_owes(tcp, c);
}

void receive_quicken(struct tcp_connection *c, unsigned acks) {
    uint8_t *left = &c->active->quick_acks;
    c->pingpong = 0;
    *left = *left > acks ? *left : (uint8_t)acks;
}

void receive_set_quick(struct tcp *tcp, struct tcp_connection *c, bool quick) {
    c->pingpong = !quick;
    if (!quick || !c->active)
        return;
    receive_quicken(c, TCP_QUICK_ACKS);
    if (c->active->delayed_ack_at) /* an ACK that waits for its time goes now */
        ack_at_once(tcp, c);
}

bool receive_read_acks(const struct tcp_connection *c) {
    const struct tcp_active *a = c->active;
    if (a->delayed_ack_at == 0 || a->receive.length != 0)
        return false;
    return (a->flags & TCP_A_PUSHED_TWICE) || ((a->flags & TCP_A_PUSHED) && !c->pingpong);
}

static void note_push(struct tcp_active *a, const struct tcp_segment *segment) {
    if (segment->flags & TCP_PSH)
        a->flags |= (uint16_t)(a->flags & TCP_A_PUSHED ? TCP_A_PUSHED_TWICE : TCP_A_PUSHED);
}

/* When to acknowledge what was received in order: what is more than a full segment at once, else
 * delayed (SHLD-18, SHLD-19, MUST-40).
 *
 * As on Linux, not while the peer's window may be small (it begins so, and does again after a gap
 * in time or in sequence): the first ACKs go at once, until an answer of ours has shown that they
 * can ride on answers (`pingpong`), or sixteen have gone. A peer that writes twice and then waits
 * for us, with Nagle's algorithm, would stand still for as long as our ACK waits; so where no
 * answers go, reading what was pushed acknowledges it, too. An ACK that was late for nothing ends
 * pingpong. */
static void ack_policy(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment,
                       uint32_t taken) {
    struct tcp_active *a = c->active;
    uint32_t full = segment->segment_size ? segment->segment_size : connection_payload_most(c);
    uint32_t last = a->tally.received_ms;
    if (last && tcp_ms(tcp) - last > rtt_rto(tcp, c) / BERTH_MS)
        a->quick_acks = TCP_QUICK_ACKS;
    a->ack_octets += taken;
    note_push(a, segment);
    if (a->ack_octets > full || (a->quick_acks && !c->pingpong))
        ack_at_once(tcp, c);
    else if (a->delayed_ack_at == 0)
        a->delayed_ack_at = tcp->now + tcp->config.tcp_delayed_ack;
}

/* True if nobody will read what comes: both directions were ended here, by close() or shutdown().
 * After shutdown(RD) alone it is kept, and may be read, as on Linux. */
static bool is_deaf(const struct tcp_connection *c) {
    return c->state != BERTH_ESTABLISHED && c->flags & (TCP_F_ORPHAN | TCP_F_RCV_SHUT);
}

enum tcp_verdict receive_payload(struct tcp *tcp, struct tcp_connection *c,
                                 const struct tcp_segment *segment) {
    if (segment->length == 0)
        return TCP_CONTINUE;
    if (c->state != BERTH_ESTABLISHED && c->state != BERTH_FIN_WAIT_1 &&
        c->state != BERTH_FIN_WAIT_2)
        return TCP_CONTINUE; /* the peer's FIN has been received: ignore */
    uint32_t seq = segment->seq, skip = 0, length = segment->length;
    if (is_deaf(c) && seq_gt(seq + length, c->rcv_nxt)) {
        /* RFC 9293 3.6.1, SHLD-3: octets after the application has closed are lost, and the peer is
         * told. */
        tcp->counters->tcp_abort_on_data++;
        reply_abort(tcp, c);
        connection_abort(tcp, c, ECONNRESET);
        return TCP_GONE;
    }
    struct tcp_active *a = connection_activate(tcp, c);
    if (!a)
        return TCP_DROP;           /* no memory: not acknowledged, so sent again */
    if (seq_lt(seq, c->rcv_nxt)) { /* trim what came before (3.10.7.4) */
        skip = c->rcv_nxt - seq;
        sack_duplicate(&a->said, seq, seq + (skip < length ? skip : length)); /* RFC 2883 4.1 */
        if (skip >= length) {
            receive_quicken(c, TCP_QUICK_ACKS);
            ack_at_once(tcp, c);
            return TCP_CONTINUE;
        }
        seq = c->rcv_nxt;
        length -= skip;
    }
    uint32_t window = seq_gt(c->rcv_edge, seq) ? c->rcv_edge - seq : 0;
    length = length < window ? length : window; /* and what is beyond the window */
    if (length == 0) {
        ack_at_once(tcp, c); /* a zero-window probe with octets (3.8.6.1): none is taken */
        return TCP_CONTINUE;
    }
    if (seq != c->rcv_nxt) {
        out_of_order(tcp, c, segment, seq, skip, length);
        receive_quicken(c, TCP_QUICK_ACKS);
        a->tally.out_of_order++;
        tuning_grow(tcp, c, segment);
        /* RFC 5681 4.2, 5681-7, MAY-13: at once, and one for each segment of a batch, for the peer
         * counts them. */
        if (a->duplicates < UINT8_MAX)
            a->duplicates++;
        ack_at_once(tcp, c);
        return TCP_CONTINUE;
    }
    bool filled = a->run_count != 0;
    uint32_t taken = deliver(tcp, c, segment, skip, length);
    c->unanswered = 1;
    a->duplicates = 0; /* what was missing is there, and the next ACK says so */
    tuning_heard(tcp, c, segment);
    if (filled)
        ack_at_once(tcp, c); /* RFC 5681 4.2, 5681-7: a gap was filled, all or in part */
    else
        ack_policy(tcp, c, segment, taken);
    if (taken)
        connection_raise(tcp, c, BERTH_READABLE);
    return TCP_CONTINUE;
}

void receive_urgent(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment) {
    if (!(segment->flags & TCP_URG) || segment->urgent == 0 || (c->flags & TCP_F_ORPHAN))
        return;
    if (c->state != BERTH_ESTABLISHED && c->state != BERTH_FIN_WAIT_1 &&
        c->state != BERTH_FIN_WAIT_2)
        return;
    /* MUST-62: the pointer is just after the urgent octet (RFC 6093 section 2.1, as all have it).
     */
    uint32_t octet = segment->seq + segment->urgent - 1;
    struct tcp_active *a = c->active;
    if (seq_lt(octet, c->rcv_nxt) ||
        (a && (a->flags & TCP_A_RCV_URGENT) && seq_le(octet, a->rcv_urgent)))
        return; /* behind, or known: only one that moves on counts */
    a = connection_activate(tcp, c);
    if (!a)
        return;
    a->rcv_urgent = octet;
    a->flags = (uint16_t)((a->flags & ~TCP_A_URGENT_READ) | TCP_A_RCV_URGENT);
    connection_raise(tcp, c, BERTH_URGENT); /* MUST-32: at once, whatever the window */
}

/* ---- the FIN ---- */

/* 9293-E9, 9293-E11 */
static enum tcp_verdict fin_in_sequence(struct tcp *tcp, struct tcp_connection *c) {
    c->rcv_nxt++;
    c->flags |= TCP_F_FIN_READ;
    if (c->active) {
        c->active->flags &= (uint16_t)~TCP_A_FIN_AHEAD;
        receive_drop_runs(tcp, c->active); /* there is nothing beyond a FIN */
    }
    ack_at_once(tcp, c);
    connection_raise(tcp, c, BERTH_READABLE | BERTH_PEER_CLOSED);
    switch (c->state) {
    case BERTH_SYN_RECEIVED:
    case BERTH_ESTABLISHED:
        c->state = BERTH_CLOSE_WAIT;
        return TCP_CONTINUE;
    case BERTH_FIN_WAIT_1:
        c->state = BERTH_CLOSING; /* ours is not acknowledged yet: ack.c has looked */
        return TCP_CONTINUE;
    case BERTH_FIN_WAIT_2:
        time_wait_enter(tcp, c);
        return TCP_GONE;
    default:
        return TCP_CONTINUE;
    }
}

enum tcp_verdict receive_fin(struct tcp *tcp, struct tcp_connection *c,
                             const struct tcp_segment *segment) {
    struct tcp_active *a = c->active;
    if (c->flags & TCP_F_FIN_READ)
        return TCP_CONTINUE;
    if (segment->flags & TCP_FIN) {
        uint32_t fin = segment->seq + segment->length;
        if (fin == c->rcv_nxt)
            return fin_in_sequence(tcp, c);
        if (seq_gt(fin, c->rcv_nxt) && seq_lt(fin, c->rcv_edge) &&
            (a = connection_activate(tcp, c))) {
            a->fin_seq = fin;
            a->flags |= TCP_A_FIN_AHEAD;
            sack_keep(&a->said, fin, fin + 1); /* it takes sequence space like an octet */
            ack_at_once(tcp, c);               /* RFC 5681 4.2 */
        }
    }
    if (a && (a->flags & TCP_A_FIN_AHEAD) && a->fin_seq == c->rcv_nxt)
        return fin_in_sequence(tcp, c);
    return TCP_CONTINUE;
}
