/* The search for larger segments, after they had to become smaller (RFC 4821, RFC 8899; RFC 1191
 * 6.3, RFC 8201 4). */
#include "test/unit/tcp/opened.h"

enum { OCTETS = 150000, SIZES = 16, TEN_MINUTES = 600 };
#define RTT (10 * BERTH_MS)

/* A path and the peer at its end. */
struct path {
    struct peer p;
    uint32_t socket;
    uint32_t arrives; /* octets of payload; what has more does not */
    uint32_t also;    /* and so many segments after such a one do not either */
    uint32_t mtu;     /* what a router says about them; 0: nothing */
    bool there[OCTETS];
    uint32_t sizes[SIZES]; /* of the segments that were larger than the others, and new */
    unsigned count;
    uint32_t ends[1024]; /* of the segments of this flight that arrived */
    unsigned arrived;
};

static uint32_t size_now(const struct path *path) {
    return tcp_at(path->p.tcp, path->socket)->mss;
}

static uint32_t run_end(const struct path *path, uint32_t at, bool there) {
    while (at < OCTETS && path->there[at] == there)
        at++;
    return at;
}

/* Takes a segment, or loses it. */
static void takes(struct path *path, uint32_t first, uint32_t most, uint32_t *lost) {
    struct peer *p = &path->p;
    uint32_t at = p->got.seq - first;
    assert_true(at + p->got.length <= OCTETS);
    if (p->got.length > most) {
        assert_true(path->count < SIZES);
        path->sizes[path->count++] = p->got.length;
    }
    if (p->got.length > path->arrives && path->mtu)
        tcp_icmp_error(p->tcp, &p->tuple, p->got.seq, EMSGSIZE, false, path->mtu, p->now);
    if (p->got.length > path->arrives || (path->count && *lost && (*lost)--)) {
        *lost = p->got.length > path->arrives ? path->also : *lost;
        return;
    }
    memset(path->there + at, true, p->got.length);
    assert_true(path->arrived < 1024);
    path->ends[path->arrived++] = at + p->got.length;
}

/* Without SACK each segment beyond a gap is told of by a duplicate ACK. */
static void says_again(struct path *path, uint32_t ack) {
    for (unsigned i = 0; i < path->arrived; i++)
        if (path->ends[i] > ack)
            peer_sends(&path->p, "A");
}

/* So many octets flow, a round trip for each flight, acknowledged with SACK. */
static void flows(struct path *path) {
    struct peer *p = &path->p;
    const struct tcp_connection *c = tcp_at(p->tcp, path->socket);
    uint32_t first = c->snd_una, lost = 0;
    memset(path->there, false, sizeof path->there);
    path->count = 0;
    opened_writes(p, path->socket, OCTETS, 0);
    for (unsigned turns = 0; p->ack != first + OCTETS; turns++) {
        assert_true(turns < 1000);
        unsigned pulled = path->arrived = 0;
        uint32_t stamps = connection_timestamps_length(c);
        for (uint32_t most = c->mss - stamps; peer_pull(p); most = c->mss - stamps, pulled++)
            takes(path, first, most, &lost);
        if (pulled == 0 || run_end(path, 0, false) == OCTETS) { /* nothing arrives: timers */
            peer_waits_until(p, tcp_deadline(p->tcp));
            continue;
        }
        peer_waits(p, RTT);
        uint32_t ack = run_end(path, 0, true), left = run_end(path, ack, false),
                 right = run_end(path, left, true);
        char words[64] = "A", more[40] = "";
        if (stamps)
            snprintf(words, sizeof words, "A ts 9 %u", p->got.options.ts_value);
        if (left < right && c->sack)
            snprintf(more, sizeof more, " sack %u %u", first + left, first + right);
        strcat(words, more);
        bool moves = p->ack != first + ack;
        p->ack = first + ack;
        if (moves || c->sack)
            peer_sends(p, "%s", words);
        if (!c->sack)
            says_again(path, ack);
    }
    opened_drains(p);
}

static void tried(const struct path *path, const uint32_t *sizes, unsigned count) {
    for (unsigned i = 0; i < path->count && i < count; i++)
        assert_int_equal(path->sizes[i], sizes[i]);
    assert_int_equal(path->count, count);
}
#define TRIED(path, ...)                                                                           \
    tried(path, (const uint32_t[]){__VA_ARGS__},                                                   \
          sizeof(const uint32_t[]){__VA_ARGS__} / sizeof(uint32_t))

static struct path *path_open(struct path *path, int family, const char *options) {
    path->arrives = 65535;
    path->also = path->mtu = 0;
    path->socket = opened_start(&path->p, family, options);
    return path;
}

/* A router says that it carries no more. */
static void said(struct path *path, uint32_t mtu) {
    struct peer *p = &path->p;
    opened_writes(p, path->socket, 2000, 0);
    assert_true(peer_pull(p));
    tcp_icmp_error(p->tcp, &p->tuple, p->got.seq, EMSGSIZE, false, mtu, p->now);
    opened_drains(p);
    p->ack = tcp_snd_max(tcp_at(p->tcp, path->socket));
    peer_sends(p, p->got.options.has_timestamps ? "A ts 9 %u" : "A", p->got.options.ts_value);
}

/* What a router said holds for ten minutes; then one segment tries, and all are large when it has
 * arrived. [1191-2, 8201-2, 8899-2] */
static void after_ten_minutes(void **state) {
    (void)state;
    static struct path path;
    for (int family = 4; family <= 6; family += 2) {
        uint32_t whole = family == 4 ? 1460 : 1440, headers = family == 4 ? 40 : 60;
        peer_config(&path.p);
        path_open(&path, family, "mss 9000 sackok");
        said(&path, 1300);
        uint64_t until = path.p.now + TEN_MINUTES * BERTH_SECOND;
        assert_int_equal(size_now(&path), 1300 - headers);
        flows(&path);
        peer_waits_until(&path.p, until - 200 * BERTH_MS);
        flows(&path);
        assert_int_equal(path.count, 0);
        peer_waits_until(&path.p, until);
        flows(&path);
        TRIED(&path, whole);
        assert_int_equal(size_now(&path), whole);
        assert_int_equal(path.p.counters.tcp_retrans_segs, 2); /* what had been too large */
        flows(&path);
        assert_int_equal(path.count, 0);
        peer_end(&path.p);
    }
}

/* Those that do not arrive cost nothing but that they go again; the size is found to within eight
 * octets; ten minutes later it is looked for again. [8899-2, 8899-3] */
static void between(void **state) {
    (void)state;
    static struct path path;
    peer_config(&path.p);
    path.p.config.tcp_sack = 1;
    path_open(&path, 4, "mss 9000 sackok");
    said(&path, 1300);
    path.arrives = 1400;
    for (unsigned round = 0; round < 2; round++) {
        uint32_t again = (uint32_t)path.p.counters.tcp_retrans_segs;
        peer_waits(&path.p, TEN_MINUTES * BERTH_SECOND);
        flows(&path);
        if (round == 0)
            TRIED(&path, 1460, 1360, 1410, 1385, 1397);
        else
            TRIED(&path, 1460, 1428, 1412);
        assert_int_equal(size_now(&path), 1397);
        assert_int_equal(path.p.counters.tcp_retrans_segs - again, round ? 6 : 4);
        flows(&path);
        assert_int_equal(path.count, 0);
    }
    assert_int_equal(path.p.counters.tcp_timeouts, 0);
    assert_int_equal(path.p.counters.tcp_fast_retransmits, 0);
    assert_true(tcp_at(path.p.tcp, path.socket)->ssthresh > OCTETS);
    path.arrives = 65535;
    peer_waits(&path.p, TEN_MINUTES * BERTH_SECOND);
    flows(&path);
    TRIED(&path, 1460);
    assert_int_equal(size_now(&path), 1460);
    peer_end(&path.p);
}

/* A router says what it would have carried: that is tried next. Losses beside that of the larger
 * segment are congestion. [1191-1, 8899-3] */
static void told_and_lost(void **state) {
    (void)state;
    static struct path path;
    peer_config(&path.p);
    path_open(&path, 4, "mss 9000 sackok ts 1 0");
    said(&path, 1300);
    path.mtu = 1440;
    path.arrives = 1388;
    peer_waits(&path.p, TEN_MINUTES * BERTH_SECOND);
    flows(&path);
    TRIED(&path, 1448, 1388);
    assert_int_equal(size_now(&path), 1400);
    assert_int_equal(path.p.counters.tcp_fast_retransmits, 0);
    path.mtu = 0;
    path.also = 1;
    peer_waits(&path.p, TEN_MINUTES * BERTH_SECOND);
    flows(&path);
    assert_int_equal(path.sizes[0], 1448);
    assert_int_equal(path.p.counters.tcp_fast_retransmits > 0, 1);
    assert_int_equal(size_now(&path), 1400);
    peer_end(&path.p);
}

/* After a black hole was noticed it is looked for at once how far up it goes; and if the path was
 * only dead for a while, all the way. [8899-1, 8899-2] */
static void black_hole(void **state) {
    (void)state;
    static struct path path;
    peer_config(&path.p);
    path_open(&path, 4, "mss 9000 sackok");
    path.arrives = 1300;
    flows(&path);
    assert_int_equal(size_now(&path), 1296);
    assert_int_equal(path.p.counters.tcp_timeouts, 4);
    path.arrives = 65535;
    flows(&path);
    assert_int_equal(path.count, 0);
    peer_waits(&path.p, TEN_MINUTES * BERTH_SECOND);
    flows(&path);
    TRIED(&path, 1460);
    peer_end(&path.p);
}

/* Without SACK the same is found, at no cost to cwnd either; where more than the larger segment was
 * lost that is congestion. After a black hole, too, and from below. [8899-2, 8899-3] */
static void without_sack(void **state) {
    (void)state;
    static struct path path;
    peer_config(&path.p);
    path_open(&path, 4, "mss 9000");
    said(&path, 1300);
    path.arrives = 1400;
    peer_waits(&path.p, TEN_MINUTES * BERTH_SECOND);
    flows(&path); /* after one that was lost the next waits for a flight of new octets */
    TRIED(&path, 1460, 1360, 1410);
    flows(&path);
    TRIED(&path, 1385, 1397);
    assert_int_equal(size_now(&path), 1397);
    assert_int_equal(path.p.counters.tcp_timeouts, 0);
    assert_int_equal(path.p.counters.tcp_fast_retransmits, 0);
    flows(&path);
    assert_int_equal(path.count, 0);
    assert_true(tcp_at(path.p.tcp, path.socket)->cwnd >= 14600);
    path.also = 3;
    peer_waits(&path.p, TEN_MINUTES * BERTH_SECOND);
    flows(&path);
    assert_true(path.count > 0);
    assert_int_equal(size_now(&path), 1397);
    assert_true(tcp_at(path.p.tcp, path.socket)->ssthresh < OCTETS);
    path.also = 0;
    path.arrives = 65535;
    peer_waits(&path.p, TEN_MINUTES * BERTH_SECOND);
    flows(&path);
    TRIED(&path, 1460);
    assert_int_equal(size_now(&path), 1460);
    peer_end(&path.p);

    peer_config(&path.p);
    path_open(&path, 6, "mss 9000");
    path.arrives = 1300;
    flows(&path);
    assert_int_equal(path.p.counters.tcp_timeouts, 4);
    for (unsigned i = 0; i < 3; i++)
        flows(&path);
    assert_int_equal(path.p.counters.tcp_timeouts, 4);
    assert_int_equal(size_now(&path), 1288); /* to within eight octets */
    peer_end(&path.p);

    peer_config(&path.p);
    path.p.config.tcp_mtu_probing = 2;
    path_open(&path, 4, "mss 9000");
    assert_int_equal(size_now(&path), 1024);
    flows(&path);
    TRIED(&path, 1460);
    peer_end(&path.p);
}

/* Where nothing is to be tried what was said is forgotten after its time. A host
 * that begins small tries at once; one without memory for the search stays small. [1191-2, 8201-2]
 */
static void knobs(void **state) {
    (void)state;
    static struct path path;
    for (unsigned i = 0; i < 2; i++) {
        peer_config(&path.p);
        path.p.config.tcp_mtu_probing = 0;
        path.p.config.path_mtu_expires = 90 * BERTH_SECOND;
        path_open(&path, 4, i ? "mss 9000" : "mss 9000 sackok");
        said(&path, 1300);
        peer_waits(&path.p, 89 * BERTH_SECOND);
        flows(&path);
        assert_int_equal(path.count, 0);
        assert_int_equal(size_now(&path), 1260);
        peer_waits(&path.p, BERTH_SECOND);
        flows(&path);
        assert_int_equal(size_now(&path), 1460);
        peer_end(&path.p);
    }
    for (int family = 4; family <= 6; family += 2) {
        peer_config(&path.p);
        path.p.config.tcp_mtu_probing = 2;
        path_open(&path, family, "mss 9000 sackok");
        assert_int_equal(size_now(&path), family == 4 ? 1024 : 1220);
        flows(&path);
        TRIED(&path, family == 4 ? 1460 : 1440);
        peer_end(&path.p);
    }
    peer_config(&path.p);
    path_open(&path, 4, "mss 9000 sackok");
    opened_writes(&path.p, path.socket, 2000, 0);
    assert_true(peer_pull(&path.p));
    counting_fail_after(&path.p.counting, 0);
    tcp_icmp_error(path.p.tcp, &path.p.tuple, path.p.got.seq, EMSGSIZE, false, 1300, path.p.now);
    path.p.counting.fail_from = 0;
    opened_drains(&path.p);
    opened_acks(&path.p, path.socket);
    peer_waits(&path.p, TEN_MINUTES * BERTH_SECOND);
    flows(&path);
    assert_int_equal(path.count, 0);
    assert_int_equal(size_now(&path), 1260);
    peer_end(&path.p);
}

/* The peer, whose MSS is that, answers our SYN. */
static void accepted(struct peer *p, uint32_t mss) {
    peer_gets(p, "S");
    p->seq = 5000;
    p->ack = p->got.seq + 1;
    peer_sends(p, "SA mss %u", mss);
    p->seq++;
    opened_drains(p);
}

/* What one connection of a socket knows of its path and counted is nothing to the next one: its
 * peer may take less. Nor is what is said of a SYN, before the peer has said what it takes.
 * [MUST-14] */
static void connected_again(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct peer p;
        struct berth_tcp_info info;
        peer_setup(&p, i & 1 ? 6 : 4);
        uint32_t socket = peer_connects(&p), written = 20000;
        if (i & 2) {
            peer_gets(&p, "S");
            tcp_icmp_error(p.tcp, &p.tuple, p.got.seq, EMSGSIZE, false, 1300, p.now);
        } else {
            accepted(&p, 1440);
            opened_writes(&p, socket, 5000, 0);
            peer_gets(&p, "A len 1440");
            tcp_icmp_error(p.tcp, &p.tuple, p.got.seq, EMSGSIZE, false, 1300, p.now);
            opened_drains(&p);
            opened_acks(&p, socket);
            peer_sends(&p, "R");
            assert_int_equal(peer_error(&p, socket), ECONNRESET);
            struct berth_endpoint remote = {p.tuple.remote, p.tuple.remote_port}, local;
            assert_int_equal(tcp_connect(p.tcp, socket, &p.tuple.local, 1, &remote, p.now),
                             -EINPROGRESS);
            assert_int_equal(tcp_local(p.tcp, socket, &local), 0);
            p.tuple.local_port = local.port;
        }
        peer_waits(&p, BERTH_SECOND); /* the SYN again */
        accepted(&p, 536);
        tcp_info(p.tcp, socket, &info);
        assert_int_equal(info.bytes_sent, 0);
        peer_waits(&p, (TEN_MINUTES + 60) * BERTH_SECOND);
        opened_drains(&p);
        opened_writes(&p, socket, written, 0);
        for (uint32_t got = 0; got < written; opened_acks(&p, socket))
            while (peer_pull(&p)) {
                assert_in_range(p.got.length, 1, 536);
                got += p.got.length;
            }
        peer_end(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_ten_minutes), cmocka_unit_test(between),
        cmocka_unit_test(told_and_lost),     cmocka_unit_test(black_hole),
        cmocka_unit_test(without_sack),      cmocka_unit_test(knobs),
        cmocka_unit_test(connected_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
