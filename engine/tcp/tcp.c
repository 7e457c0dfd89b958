/* One host's TCP: made and ended, segments handed to what they are for, segments pulled, time. */
#include "engine/tcp/connection.h"
#include "engine/tcp/handshake.h"

enum { TURNS = 16 }; /* segments one connection may give before the next one's turn */

/* ---- what the port table and the wheel see of the records ---- */

static void tuple_of(void *context, uint32_t reference, struct tuple *tuple) {
    const struct tcp *tcp = context;
    uint32_t index = tcp_index_of(reference);
    switch (tcp_kind_of(reference)) {
    case TCP_CONNECTION:
        *tuple = tcp_at(tcp, index)->tuple;
        break;
    case TCP_HALF_OPEN:
        *tuple = ((const struct tcp_half_open *)pool_at(&tcp->half_opens, index))->tuple;
        break;
    case TCP_TIME_WAIT:
        *tuple = ((const struct tcp_time_wait *)pool_at(&tcp->time_waits, index))->tuple;
        break;
    }
}

static void prefetch(void *context, uint32_t reference) {
    const struct tcp *tcp = context;
    if (tcp_kind_of(reference) == TCP_CONNECTION) {
        const char *record = (const char *)tcp_at(tcp, tcp_index_of(reference));
        __builtin_prefetch(record);
        __builtin_prefetch(record + 64);
        __builtin_prefetch(record + 128);
    }
}

static struct timer_link *link_of(void *context, uint32_t record) {
    return &tcp_at(context, record)->timer;
}

/* Small records: as many again may be dead and wait for a sweep (handshake.h). */
static uint32_t record_limit(uint32_t living) {
    return living < TCP_INDEX_MASK / 4 ? 2 * living + 128 : TCP_INDEX_MASK;
}

/* The keys of sequence numbers and timestamps outlive the host where its secret is given. */
static void make_keys(struct tcp *tcp, struct random *random) {
    struct random secret;
    uint8_t any = 0;
    for (size_t i = 0; i < sizeof tcp->config.tcp_secret; i++)
        any |= tcp->config.tcp_secret[i];
    if (any) {
        random_init(&secret, tcp->config.tcp_secret, 0);
        random = &secret;
    }
    tcp->isn_key = random_key(random);
    tcp->ts_key = random_key(random);
}

struct tcp *tcp_new(const struct berth_host_config *config, struct random *random,
                    struct berth_counters *counters, uint64_t now) {
    struct tcp *tcp = config->allocator.allocate(config->allocator.context, sizeof *tcp);
    if (!tcp)
        return NULL;
    memset(tcp, 0, sizeof *tcp);
    tcp->config = *config;
    tcp->counters = counters;
    tcp->now = now;
    make_keys(tcp, random);
    tcp->flow_key = random_key(random);
    tcp->cookie_key = random_key(random);
    struct ports_owner_ops ops = {tuple_of, prefetch, tcp};
    tcp->ports = ports_new(config->allocator, random, &ops);
    if (!tcp->ports || ports_set_range(tcp->ports, config->port_first, config->port_last) != 0) {
        ports_free(tcp->ports);
        config->allocator.release(config->allocator.context, tcp, sizeof *tcp);
        return NULL;
    }
    uint32_t most = config->tcp_max_sockets < TCP_RECORDS ? config->tcp_max_sockets : TCP_RECORDS;
    pool_init(&tcp->connections, config->allocator, sizeof(struct tcp_connection), most);
    pool_init(&tcp->actives, config->allocator, sizeof(struct tcp_active), most);
    pool_init(&tcp->half_opens, config->allocator, sizeof(struct tcp_half_open),
              record_limit(config->tcp_syn_backlog_max));
    pool_init(&tcp->time_waits, config->allocator, sizeof(struct tcp_time_wait),
              record_limit(config->tcp_time_wait_max));
    ring_init(&tcp->output, config->allocator);
    ring_init(&tcp->events, config->allocator);
    timer_wheel_init(&tcp->wheel, link_of, tcp, now);
    return tcp;
}

struct tcp *tcp_renewed(const struct tcp *old, struct random *random) {
    struct tcp *tcp = tcp_new(&old->config, random, old->counters, old->now);
    if (!tcp)
        return NULL;
    memcpy(tcp->interfaces, old->interfaces, sizeof tcp->interfaces);
    tcp->elder = old->elder;
    for (uint32_t i = 1; pool_has(&old->connections, i); i++)
        if (tcp_at(old, i)->generation > tcp->elder)
            tcp->elder = tcp_at(old, i)->generation;
    return tcp;
}

void tcp_free(struct tcp *tcp) {
    if (!tcp)
        return;
    struct berth_allocator allocator = tcp->config.allocator;
    for (uint32_t i = 1; pool_has(&tcp->connections, i); i++)
        if (tcp_at(tcp, i)->state != 0)
            connection_free(tcp, tcp_at(tcp, i));
    ports_free(tcp->ports);
    pool_clear(&tcp->connections);
    pool_clear(&tcp->actives);
    pool_clear(&tcp->half_opens);
    pool_clear(&tcp->time_waits);
    ring_clear(&tcp->output);
    ring_clear(&tcp->events);
    allocator.release(allocator.context, tcp, sizeof *tcp);
}

struct ports *tcp_ports(struct tcp *tcp) {
    return tcp->ports;
}

struct berth_host_config *tcp_config(struct tcp *tcp) {
    return &tcp->config;
}

void tcp_set_interface(struct tcp *tcp, unsigned interface, const struct tcp_interface *what) {
    if (interface < TCP_INTERFACES)
        tcp->interfaces[interface] = *what;
}

/* ---- segments ---- */

/* The usual options of a busy connection, NOP NOP timestamps, without the general parser. */
static void parse_options(const struct tcp_segment *segment, struct tcp_options *options) {
    const uint8_t *o = segment->options;
    if (segment->options_length == 12 && !(segment->flags & TCP_SYN) &&
        load_be32(o) == 0x0101080a) {
        options->has_mss = options->has_wscale = options->sack_permitted = false;
        options->sack_count = 0;
        options->has_timestamps = true;
        options->ts_value = load_be32(o + 4);
        options->ts_echo = load_be32(o + 8);
        return;
    }
    memset(options, 0, sizeof *options);
    if (segment->options_length) /* what stands before an impossible option still counts (MUST-7) */
        (void)tcp_options_parse(o, segment->options_length, (segment->flags & TCP_SYN) != 0,
                                options);
}

static void to_listener(struct tcp *tcp, const struct tcp_segment *segment,
                        const struct tcp_options *options) {
    uint32_t owner =
        ports_lookup(tcp->ports, &segment->tuple.local, segment->tuple.local_port, segment->hash);
    if (owner && tcp_at(tcp, owner)->state == BERTH_LISTEN) {
        listen_input(tcp, tcp_at(tcp, owner), segment, options);
        return;
    }
    reply_reset(tcp, segment); /* RFC 9293 3.10.7.1, 9293-E1 */
}

bool tcp_knows(struct tcp *tcp, const struct tuple *tuple) {
    uint32_t reference = ports_find(tcp->ports, tuple);
    return reference != 0 && tcp_kind_of(reference) != TCP_TIME_WAIT;
}

void tcp_input(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now) {
    struct tcp_options options;
    uint32_t reference = ports_find_hashed(tcp->ports, &segment->tuple, segment->hash);
    tcp_clock(tcp, now);
    tcp->counters->tcp_in_segs++;
    parse_options(segment, &options);
    if (reference == 0) {
        to_listener(tcp, segment, &options);
        return;
    }
    uint32_t index = tcp_index_of(reference);
    switch (tcp_kind_of(reference)) {
    case TCP_CONNECTION:
        if (tcp_at(tcp, index)->state == BERTH_SYN_SENT)
            syn_sent_input(tcp, tcp_at(tcp, index), segment, &options);
        else
            connection_input(tcp, tcp_at(tcp, index), segment, &options);
        break;
    case TCP_HALF_OPEN:
        half_open_input(tcp, index, segment, &options);
        break;
    case TCP_TIME_WAIT:
        time_wait_input(tcp, index, segment, &options);
        break;
    }
}

/* The connection whose turn it is to send; NULL when none has anything. */
static struct tcp_connection *next_sender(struct tcp *tcp) {
    while (tcp->sender == 0) {
        uint32_t index = ring_pop(&tcp->output);
        if (index == 0)
            return NULL;
        if (tcp_at(tcp, index)->flags & TCP_F_OUTPUT) {
            tcp->sender = index;
            tcp->sender_turns = TURNS;
        }
    }
    return tcp_at(tcp, tcp->sender);
}

bool tcp_output(struct tcp *tcp, struct tcp_emit *emit, uint64_t now) {
    tcp_clock(tcp, now);
    if (tcp->reply_count && reply_emit(tcp, emit))
        return true;
    for (;;) {
        struct tcp_connection *c = next_sender(tcp);
        if (!c)
            return false;
        bool owed = (c->flags & TCP_F_OUTPUT) != 0; /* a freed or reused record owes nothing */
        if (owed && tcp->sender_turns > 0 && connection_output(tcp, c, emit)) {
            tcp->sender_turns--;
            return true;
        }
        tcp->sender = 0;
        if (!owed)
            continue;
        c->flags &= (uint16_t)~TCP_F_OUTPUT;
        if (tcp->sender_turns == 0)
            connection_owes(tcp, c);
        else
            connection_settle(tcp, c);
    }
}

bool tcp_has_output(const struct tcp *tcp) {
    return tcp->reply_count || tcp->sender || tcp->output.count;
}

/* ---- time ---- */

uint64_t tcp_deadline(struct tcp *tcp) {
    uint64_t next = timer_deadline_kept(&tcp->wheel), other = half_open_deadline(tcp);
    next = other < next ? other : next;
    other = time_wait_deadline(tcp);
    return other < next ? other : next;
}

void tcp_advance(struct tcp *tcp, uint64_t now) {
    uint8_t kind;
    uint32_t index;
    tcp_clock(tcp, now);
    while ((index = timer_expired(&tcp->wheel, tcp->now, &kind)) != 0)
        timers_fire(tcp, tcp_at(tcp, index));
    half_open_advance(tcp);
    time_wait_advance(tcp);
}

/* ---- ICMP ---- */

/* Noted, and told if the connection fails (as on Linux); or at once to who asked for it by
 * IP_RECVERR. */
static void soft_error(struct tcp *tcp, struct tcp_connection *c, int error) {
    if (connection_extra(tcp, c)) {
        c->extra->soft_error = error;
        c->active->flags |= TCP_A_SOFT_ERROR;
    }
    if (tcp_option(c, BERTH_IP_RECVERR, 0) && c->state != BERTH_SYN_SENT) { /* MUST-47, SHLD-20 */
        c->timer.kind = (uint8_t)error;
        connection_raise(tcp, c, BERTH_ERROR);
    }
}

/* A segment without data bears the number that is next. */
bool tcp_may_have_sent(struct tcp *tcp, const struct tuple *tuple, uint32_t seq) {
    uint32_t reference = ports_find(tcp->ports, tuple);
    if (reference == 0 || tcp_kind_of(reference) == TCP_TIME_WAIT)
        return false;
    if (tcp_kind_of(reference) == TCP_HALF_OPEN)
        return half_open_at(tcp, tcp_index_of(reference))->iss == seq;
    const struct tcp_connection *c = tcp_at(tcp, tcp_index_of(reference));
    return seq_in(seq, c->snd_una, tcp_flight(c) + 1); /* RFC 5927 4, 5927-1 */
}

uint32_t tcp_icmp_error(struct tcp *tcp, const struct tuple *tuple, uint32_t seq, int error,
                        bool hard, uint32_t mtu, uint64_t now) {
    uint32_t reference = ports_find(tcp->ports, tuple);
    tcp_clock(tcp, now);
    if (reference == 0 || tcp_kind_of(reference) == TCP_TIME_WAIT)
        return 0;
    if (tcp_kind_of(reference) == TCP_HALF_OPEN) {
        half_open_icmp(tcp, tcp_index_of(reference), seq, hard);
        return 0;
    }
    struct tcp_connection *c = tcp_at(tcp, tcp_index_of(reference));
    if (!c->active || tcp_flight(c) == 0 || !seq_in(seq, c->snd_una, tcp_flight(c)))
        return 0; /* RFC 5927 4, 5927-1: it must quote what is in flight */
    bool attempt = c->state == BERTH_SYN_SENT && !mtu;
    uint32_t reporter = attempt && tcp_option(c, BERTH_IP_RECVERR, 0) ? reference : 0;
    if (mtu) {
        path_shrink(tcp, c, mtu);
    } else if (hard && attempt) { /* RFC 5927 5, 5927-2: only before it is synchronized */
        connection_abort(tcp, c, error);
        return reporter;
    } else {
        soft_error(tcp, c, error);
    }
    connection_settle(tcp, c);
    return reporter;
}
