/* One TCP under test, and its peer, played by the test: segments as text, in both directions.
 *
 *   struct peer p;
 *   peer_setup(&p, 4);
 *   peer_sends(&p, "S seq 100 mss 1460 ts 7 0");      a segment to the TCP under test
 *   peer_gets(&p, "SA ack 101 mss 1460 nowscale");    its next segment, which must be that
 *   peer_silent(&p);                                  it has nothing to send
 *   peer_waits(&p, 3 * BERTH_SECOND);                 time goes on, timers fire
 *
 * A segment is its flags (S F R P A U E C in any order, - for none), then words with their values:
 *   seq ack win urg len tos    numbers; len octets of payload, octet i of value (uint8_t)(seq + i)
 *   mss N  wscale N  ts VALUE ECHO  sackok    options;  raw HEX: these octets as options
 *   sack LEFT RIGHT    a block, in the option's order; peer_gets wants just those that are named
 *   nomss nowscale nots nosackok nosack    peer_gets only: the option must be missing
 * As a host does, pull until there is nothing more (peer_silent) before time goes on: only then are
 * timers set. The format is printf's. peer_gets checks flags exactly and else only what is named;
 * all it got is in p.got. peer_sends without seq, ack, win uses p.seq, p.ack, p.win. p.tuple is as
 * the TCP under test sees it. */
#ifndef TEST_TCP_PEER_H
#define TEST_TCP_PEER_H

#include "engine/tcp/connection.h"
#include "test/unit/base/counting_allocator.h"
#include "test/unit/base/unit.h"
#include <stdio.h>
#include <stdlib.h>

struct peer_segment {
    uint16_t flags;
    uint32_t seq, ack, length;
    uint16_t window, urgent;
    struct tcp_options options;
    uint8_t interface, tos, ttl;
};

struct peer {
    struct tcp *tcp;
    struct counting counting;
    struct berth_host_config config;
    struct berth_counters counters;
    struct random random;
    struct tuple tuple;
    uint64_t now;
    uint32_t seq, ack;
    uint16_t win;
    struct peer_segment got;
    uint8_t payload[65536]; /* of what was got last */
};

/* ---- flags ---- */

static inline uint16_t peer_flags(const char *text) {
    static const char letters[] = "FSRPAUEC"; /* in the order of the bits */
    uint16_t flags = 0;
    for (; *text; text++)
        for (unsigned i = 0; letters[i]; i++)
            if (*text == letters[i])
                flags |= (uint16_t)(1u << i);
    return flags;
}

static inline const char *peer_flags_text(uint16_t flags, char text[12]) {
    static const char letters[] = "FSRPAUEC";
    char *at = text;
    for (unsigned i = 0; letters[i]; i++)
        if (flags >> i & 1)
            *at++ = letters[i];
    *at = '\0';
    return text;
}

/* ---- the TCP under test ---- */

static inline void peer_config(struct peer *p) {
    memset(p, 0, sizeof *p);
    berth_host_config_init(&p->config);
    p->config.allocator = counting_allocator(&p->counting);
    memset(p->config.seed, 7, sizeof p->config.seed);
    p->config.tcp_send_buffer_default = 4u << 20; /* whatever a test writes */
    p->config.tcp_congestion = BERTH_NEWRENO;     /* whole numbers of segments: easy to foresee */
}

static inline struct berth_ip peer_ip(const char *text) {
    struct berth_ip ip;
    assert_int_equal(berth_ip_parse(text, &ip), 0);
    return ip;
}

/* Makes the TCP from p->config: for tests that change it after peer_config. */
static inline void peer_start(struct peer *p, int family) {
    static const struct tcp_interface ethernet = {1500, 1500, 0};
    p->now = 5 * BERTH_SECOND;
    random_init(&p->random, p->config.seed, 1);
    p->tcp = tcp_new(&p->config, &p->random, &p->counters, p->now);
    assert_non_null(p->tcp);
    tcp_set_interface(p->tcp, 1, &ethernet);
    p->tuple.local = peer_ip(family == 6 ? "fd00::1" : "10.0.0.1");
    p->tuple.remote = peer_ip(family == 6 ? "fd00::2" : "10.0.0.2");
    p->tuple.local_port = 80;
    p->tuple.remote_port = 40000;
    p->win = 65535;
}

static inline void peer_setup(struct peer *p, int family) {
    peer_config(p);
    peer_start(p, family);
}

/* Ends the TCP, and looks whether it gave all its memory back. */
static inline void peer_end(struct peer *p) {
    tcp_free(p->tcp);
    assert_int_equal(p->counting.blocks, 0);
}

/* ---- to the TCP under test ---- */

struct peer_sent {
    struct peer_segment segment;
    const uint8_t *raw;
    size_t raw_length;
    uint8_t raw_octets[40];
};

static inline void peer_read_raw(struct peer_sent *sent, const char *hex) {
    for (sent->raw_length = 0; hex[0] && hex[1]; hex += 2) {
        char octet[3] = {hex[0], hex[1], 0};
        assert_true(sent->raw_length < sizeof sent->raw_octets);
        sent->raw_octets[sent->raw_length++] = (uint8_t)strtoul(octet, NULL, 16);
    }
    sent->raw = sent->raw_octets;
}

/* The next word of the text, cut off; NULL at its end. */
static inline char *peer_word(char **at) {
    char *word = *at + strspn(*at, " ");
    *at = word + strcspn(word, " ");
    if (**at)
        *(*at)++ = '\0';
    return *word ? word : NULL;
}

static inline uint32_t peer_number(char **save) {
    const char *word = peer_word(save);
    char *end;
    assert_non_null(word);
    uint32_t number = (uint32_t)strtoul(word, &end, 10);
    assert_true(*end == '\0');
    return number;
}

static inline void peer_read_word(struct peer_sent *sent, const char *word, char **save) {
    struct peer_segment *s = &sent->segment;
    if (strcmp(word, "seq") == 0) {
        s->seq = peer_number(save);
    } else if (strcmp(word, "ack") == 0) {
        s->ack = peer_number(save);
    } else if (strcmp(word, "win") == 0) {
        s->window = (uint16_t)peer_number(save);
    } else if (strcmp(word, "urg") == 0) {
        s->urgent = (uint16_t)peer_number(save);
    } else if (strcmp(word, "len") == 0) {
        s->length = peer_number(save);
    } else if (strcmp(word, "tos") == 0) {
        s->tos = (uint8_t)peer_number(save);
    } else if (strcmp(word, "mss") == 0) {
        s->options.has_mss = true;
        s->options.mss = (uint16_t)peer_number(save);
    } else if (strcmp(word, "wscale") == 0) {
        s->options.has_wscale = true;
        s->options.wscale = (uint8_t)peer_number(save);
    } else if (strcmp(word, "ts") == 0) {
        s->options.has_timestamps = true;
        s->options.ts_value = peer_number(save);
        s->options.ts_echo = peer_number(save);
    } else if (strcmp(word, "sackok") == 0) {
        s->options.sack_permitted = true;
    } else if (strcmp(word, "sack") == 0) {
        assert_true(s->options.sack_count < 4);
        s->options.sack[s->options.sack_count].left = peer_number(save);
        s->options.sack[s->options.sack_count++].right = peer_number(save);
    } else if (strcmp(word, "raw") == 0) {
        peer_read_raw(sent, peer_word(save));
    } else {
        fail_msg("unknown word '%s'", word);
    }
}

static inline void peer_inject(struct peer *p, const struct peer_sent *sent) {
    const struct peer_segment *s = &sent->segment;
    uint8_t octets[40], *payload = malloc(s->length + 1);
    struct berth_part part = {NULL, payload, s->length};
    size_t length = tcp_options_write(octets, &s->options);
    assert_non_null(payload);
    for (uint32_t i = 0; i < s->length; i++)
        payload[i] = (uint8_t)(s->seq + i);
    struct tcp_segment segment = {
        .tuple = p->tuple,
        .seq = s->seq,
        .ack = s->ack,
        .flags = s->flags,
        .window = s->window,
        .urgent = s->urgent,
        .options = sent->raw ? sent->raw : octets,
        .options_length = (uint8_t)(sent->raw ? sent->raw_length : length),
        .interface = 1,
        .tos = s->tos,
        .ttl = 64,
        .part_count = s->length != 0,
        .length = s->length,
        .parts = &part,
        .hash = ports_hash(tcp_ports(p->tcp), &p->tuple),
    };
    tcp_input(p->tcp, &segment, p->now);
    free(payload);
}

__attribute__((format(printf, 2, 3))) static inline void peer_sends(struct peer *p,
                                                                    const char *format, ...) {
    struct peer_sent sent = {.segment = {.seq = p->seq, .ack = p->ack, .window = p->win}};
    char text[256], *save = text;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    sent.segment.flags = peer_flags(peer_word(&save));
    for (char *word; (word = peer_word(&save));)
        peer_read_word(&sent, word, &save);
    peer_inject(p, &sent);
}

/* ---- from it ---- */

/* Its next segment into p->got, with its payload; false when it has none. */
static inline bool peer_pull(struct peer *p) {
    struct tcp_emit emit;
    struct tcp_header header;
    if (!tcp_output(p->tcp, &emit, p->now))
        return false;
    assert_int_equal(tcp_header_parse(emit.header, emit.header_length, &header), 0);
    assert_int_equal(header.header_length, emit.header_length);
    assert_int_equal(header.source_port, p->tuple.local_port);
    assert_int_equal(header.destination_port, p->tuple.remote_port);
    assert_int_equal(header.checksum, 0);
    assert_memory_equal(&emit.local, &p->tuple.local, sizeof emit.local);
    assert_memory_equal(&emit.remote, &p->tuple.remote, sizeof emit.remote);
    p->got = (struct peer_segment){
        .flags = header.flags,
        .seq = header.seq,
        .ack = header.ack,
        .length = emit.length,
        .window = header.window,
        .urgent = header.urgent,
        .interface = emit.interface,
        .tos = emit.tos,
        .ttl = emit.ttl,
    };
    assert_int_equal(tcp_options_parse(header.options, header.options_length,
                                       (header.flags & TCP_SYN) != 0, &p->got.options),
                     0);
    uint32_t length = 0;
    for (unsigned i = 0; i < emit.part_count; length += emit.parts[i++].length)
        memcpy(p->payload + length, emit.parts[i].data, emit.parts[i].length);
    assert_int_equal(length, emit.length);
    return true;
}

static inline void peer_check(const char *word, uint32_t got, uint32_t want, const char *segment) {
    if (got != want)
        fail_msg("'%s': %s is %u", segment, word, got);
}

/* True if the word asks for an option to be missing; checks that it is. */
static inline bool peer_check_missing(const struct peer_segment *got, const char *word,
                                      const char *segment) {
    bool there;
    if (strcmp(word, "nomss") == 0)
        there = got->options.has_mss;
    else if (strcmp(word, "nowscale") == 0)
        there = got->options.has_wscale;
    else if (strcmp(word, "nots") == 0)
        there = got->options.has_timestamps;
    else if (strcmp(word, "nosackok") == 0)
        there = got->options.sack_permitted;
    else if (strcmp(word, "nosack") == 0)
        there = got->options.sack_count != 0;
    else
        return false;
    if (there)
        fail_msg("'%s': not %s", segment, word);
    return true;
}

static inline void peer_check_word(const struct peer_segment *got, const char *word,
                                   const struct peer_segment *want, const char *segment) {
    if (strcmp(word, "seq") == 0)
        peer_check(word, got->seq, want->seq, segment);
    else if (strcmp(word, "ack") == 0)
        peer_check(word, got->ack, want->ack, segment);
    else if (strcmp(word, "win") == 0)
        peer_check(word, got->window, want->window, segment);
    else if (strcmp(word, "urg") == 0)
        peer_check(word, got->urgent, want->urgent, segment);
    else if (strcmp(word, "len") == 0)
        peer_check(word, got->length, want->length, segment);
    else if (strcmp(word, "tos") == 0)
        peer_check(word, got->tos, want->tos, segment);
    else if (strcmp(word, "mss") == 0)
        peer_check(word, got->options.has_mss ? got->options.mss : 0, want->options.mss, segment);
    else if (strcmp(word, "wscale") == 0)
        peer_check(word, got->options.has_wscale ? got->options.wscale : 255, want->options.wscale,
                   segment);
    else if (strcmp(word, "ts") == 0) {
        peer_check("has ts", got->options.has_timestamps, true, segment);
        peer_check("ts value", got->options.ts_value, want->options.ts_value, segment);
        peer_check("ts echo", got->options.ts_echo, want->options.ts_echo, segment);
    } else if (strcmp(word, "sackok") == 0) {
        peer_check("sackok", got->options.sack_permitted, true, segment);
    }
}

static inline void peer_check_sack(const struct peer_segment *got, const struct peer_segment *want,
                                   const char *segment) {
    unsigned count = want->options.sack_count;
    if (count == 0)
        return;
    peer_check("number of SACK blocks", got->options.sack_count, count, segment);
    for (unsigned i = 0; i < count; i++) {
        peer_check("left edge", got->options.sack[i].left, want->options.sack[i].left, segment);
        peer_check("right edge", got->options.sack[i].right, want->options.sack[i].right, segment);
    }
}

__attribute__((format(printf, 2, 3))) static inline void peer_gets(struct peer *p,
                                                                   const char *format, ...) {
    struct peer_sent want = {.raw = NULL};
    char text[256], segment[256], flags[12], *save = text;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(segment, text, sizeof segment);
    if (!peer_pull(p))
        fail_msg("'%s': nothing came", segment);
    const char *letters = peer_word(&save);
    if (p->got.flags != peer_flags(letters))
        fail_msg("'%s': flags are %s, seq %u ack %u len %u", segment,
                 peer_flags_text(p->got.flags, flags), p->got.seq, p->got.ack, p->got.length);
    for (char *word; (word = peer_word(&save));) {
        if (peer_check_missing(&p->got, word, segment))
            continue;
        peer_read_word(&want, word, &save);
        peer_check_word(&p->got, word, &want.segment, segment);
    }
    peer_check_sack(&p->got, &want.segment, segment);
}

static inline void peer_silent(struct peer *p) {
    char flags[12];
    if (peer_pull(p))
        fail_msg("not silent: flags %s seq %u ack %u len %u", peer_flags_text(p->got.flags, flags),
                 p->got.seq, p->got.ack, p->got.length);
}

/* ---- time ---- */

/* Time goes on to `when`; timers fire at their times on the way. What is sent waits to be got. */
static inline void peer_waits_until(struct peer *p, uint64_t when) {
    for (uint64_t next; (next = tcp_deadline(p->tcp)) <= when;) {
        if (next < p->now)
            next = p->now;
        p->now = next;
        tcp_advance(p->tcp, p->now);
        if (tcp_deadline(p->tcp) <= p->now) /* it wants output first */
            break;
    }
    p->now = when;
    tcp_advance(p->tcp, p->now);
}
static inline void peer_waits(struct peer *p, uint64_t duration) {
    peer_waits_until(p, p->now + duration);
}
/* Time goes on to just before `when` (nothing may come), then to it. */
static inline void peer_silent_until(struct peer *p, uint64_t when) {
    peer_waits_until(p, when - BERTH_MS);
    peer_silent(p);
    peer_waits_until(p, when);
}

/* ---- sockets ---- */

static inline uint32_t peer_open(struct peer *p) {
    uint32_t socket, generation;
    int family = berth_ip_is_v4(&p->tuple.local) ? 4 : 6;
    assert_int_equal(tcp_open(p->tcp, family, &socket, &generation), 0);
    return socket;
}

/* A listener at the tuple's local port. */
static inline uint32_t peer_listener(struct peer *p, int backlog) {
    uint32_t socket = peer_open(p);
    struct berth_endpoint local = {p->tuple.local, p->tuple.local_port};
    assert_int_equal(tcp_bind(p->tcp, socket, &local), 0);
    assert_int_equal(tcp_listen(p->tcp, socket, backlog), 0);
    return socket;
}

static inline uint32_t peer_accepts(struct peer *p, uint32_t listener) {
    uint32_t socket = 0;
    assert_int_equal(tcp_accept(p->tcp, listener, &socket), 0);
    return socket;
}

/* Starts a connect to the peer; the port chosen goes to the tuple. */
static inline uint32_t peer_connects(struct peer *p) {
    uint32_t socket = peer_open(p);
    struct berth_endpoint remote = {p->tuple.remote, p->tuple.remote_port}, local;
    assert_int_equal(tcp_connect(p->tcp, socket, &p->tuple.local, 1, &remote, p->now),
                     -EINPROGRESS);
    assert_int_equal(tcp_local(p->tcp, socket, &local), 0);
    p->tuple.local_port = local.port;
    return socket;
}

/* A whole handshake, the peer opening with ISN `isn`, options as words; p.seq and p.ack then are
 * what the peer sends next and expects next. Returns the accepted socket. */
static inline uint32_t peer_establishes(struct peer *p, uint32_t listener, uint32_t isn,
                                        const char *options) {
    peer_sends(p, "S seq %u ack 0 %s", isn, options);
    peer_gets(p, "SA ack %u", isn + 1);
    p->seq = isn + 1;
    p->ack = p->got.seq + 1;
    if (p->got.options.has_timestamps)
        peer_sends(p, "A ts %u %u", 1u, p->got.options.ts_value);
    else
        peer_sends(p, "A");
    return peer_accepts(p, listener);
}

static inline unsigned peer_state(const struct peer *p, uint32_t socket) {
    return tcp_at(p->tcp, socket)->state;
}

/* The events of a socket since the last call; those of others are lost. */
static inline unsigned peer_events(struct peer *p, uint32_t socket) {
    struct berth_event events[16];
    unsigned bits = 0;
    for (size_t count; (count = tcp_events(p->tcp, events, 16)) > 0;)
        for (size_t i = 0; i < count; i++)
            if ((uint32_t)events[i].socket == socket)
                bits |= events[i].bits;
    return bits;
}

/* Its SO_ERROR. */
static inline int peer_error(struct peer *p, uint32_t socket) {
    int error = -1;
    assert_int_equal(tcp_get_option(p->tcp, socket, BERTH_SO_ERROR, &error), 0);
    return error;
}

#endif
