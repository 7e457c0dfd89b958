/* A test driver in small, as packetdrill is one: it plays the peer with raw IP datagrams, decides
 * what time it is, and says which segment must come, when, and in which state that leaves us. */
#include <berth/socket.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, HEADERS = 40, MSS = 536, WINDOW = 4 };
enum { OURS = 0x0a000001, PEERS = 0x0a000002, PORT = 8080, PEER_PORT = 40000, PEER_ISN = 1000 };
static struct berth_host *host;
static berth_handle listener, connection;
static uint64_t now;
static uint32_t isn; /* the computer's; segments below are told relative to both */

static void must(const char *what, bool holds) {
    printf("%12.6f s  %-62s %s\n", (double)now / 1e9, what, holds ? "yes" : "NO");
    if (!holds)
        exit(1);
}

static uint32_t get(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The peer sends a segment with so many octets. */
static void in(unsigned flags, uint32_t seq, uint32_t ack, uint32_t length) {
    uint32_t ports = (uint32_t)PEER_PORT << 16 | PORT, total = HEADERS + length;
    uint32_t checksum = ~(0x9909u + total) & 0xffff; /* the rest sums up to 0x9909 */
    uint32_t words[] = {0x45000000 | total,
                        0,
                        0x40060000 | checksum,
                        PEERS,
                        OURS,
                        ports,
                        PEER_ISN + seq,
                        flags & ACK ? isn + ack : 0,
                        0x50000000 | flags << 16 | 65535};
    struct berth_frame frame = {.header_length = (uint16_t)total,
                                .flags = BERTH_FRAME_CHECKSUM_OK}; /* TCP's is not made */
    for (unsigned i = 0; i < sizeof words; i++)
        frame.header[i] = (uint8_t)(words[i / 4] >> (24 - i % 4 * 8));
    berth_host_input(host, 1, &frame, 1, now);
}

/* The computer's next segment is this one; a length of -1: there is none. */
static void out(const char *what, unsigned flags, uint32_t seq, uint32_t ack, int length) {
    struct berth_frame frame = {0};
    const uint8_t *tcp = frame.header + 20;
    bool came = berth_host_output(host, 1, &frame, 1, now) == 1;
    int got = came ? (int)berth_frame_length(&frame) - 20 - (tcp[12] >> 4) * 4 : -1;
    if (came && flags == (SYN | ACK))
        isn = get(tcp + 4);
    must(what, got == length && (!came || (tcp[13] == flags && get(tcp + 4) == isn + seq &&
                                           get(tcp + 8) == (flags & ACK ? PEER_ISN + ack : 0))));
    berth_frame_clear(&frame);
}

static void wait_until_due(const char *what, uint64_t time) {
    must(what, berth_host_deadline(host) == now + time); /* to the nanosecond */
    berth_host_advance(host, (now += time));
}

static void state_is(const char *what, enum berth_tcp_state state, uint32_t in_flight) {
    struct berth_tcp_info info = {0};
    berth_socket_tcp_info(host, connection, &info);
    must(what, info.state == state && info.unacked == in_flight);
}

static void start(void) {
    struct berth_host_config config;
    struct berth_interface_config raw = {.link = BERTH_LINK_RAW_IP, .mtu = 1500};
    struct berth_endpoint own = {berth_ip_v4(OURS), PORT};
    berth_host_config_init(&config);
    config.tcp_rto_min = 300 * BERTH_MS;
    config.tcp_delayed_ack = 70 * BERTH_MS;
    config.tcp_time_wait = 5 * BERTH_SECOND;
    config.tcp_initial_window = WINDOW;
    host = berth_host_new(&config);
    must("a computer listens", host && berth_host_add_interface(host, &raw) == 1 &&
                                   berth_host_add_address(host, 1, &own.ip, 24) == 0 &&
                                   berth_socket_open(host, 4, BERTH_TCP, &listener) == 0 &&
                                   berth_socket_bind(host, listener, &own) == 0 &&
                                   berth_socket_listen(host, listener, 1) == 0);
}

int main(void) {
    static const uint8_t data[8 * MSS];
    start();
    in(SYN, 0, 0, 0);
    out("SYN: SYN,ACK", SYN | ACK, 0, 1, 0);
    now += 20 * BERTH_MS; /* the round trip */
    in(ACK, 1, 1, 0);
    must("accepted", berth_socket_accept(host, listener, &connection) == 0);
    berth_socket_send(host, connection, data, sizeof data, 0, now);
    for (uint32_t i = 0; i < WINDOW; i++)
        out("a segment of the initial window", ACK, 1 + i * MSS, 1, MSS);
    out("no more", 0, 0, 0, -1);
    state_is("the initial window is in flight", BERTH_ESTABLISHED, WINDOW * MSS);
    wait_until_due("the RTO: the round trip and its least variance", 320 * BERTH_MS);
    out("the first segment again", ACK, 1, 1, MSS);
    in(ACK, 1, 1 + WINDOW * MSS, 0);
    out("slow start: the next", ACK, 1 + 4 * MSS, 1, MSS);
    out("two segments", ACK, 1 + 5 * MSS, 1, MSS);
    in(PSH | ACK, 1, 1 + 6 * MSS, 100);
    out("its octets are acknowledged with ours", ACK, 1 + 6 * MSS, 101, MSS);
    out("the last octets, pushed", PSH | ACK, 1 + 7 * MSS, 101, MSS);
    in(PSH | ACK, 101, 1 + 8 * MSS, 100);
    out("no more", 0, 0, 0, -1);
    wait_until_due("the delayed ACK", 70 * BERTH_MS);
    out("an ACK", ACK, 1 + 8 * MSS, 201, 0);
    berth_socket_shutdown(host, connection, BERTH_SHUT_WR, now);
    out("shutdown: FIN", FIN | ACK, 1 + 8 * MSS, 201, 0);
    in(FIN | ACK, 201, 2 + 8 * MSS, 0);
    out("an ACK of the peer's FIN", ACK, 2 + 8 * MSS, 202, 0);
    wait_until_due("the end of TIME-WAIT", 5 * BERTH_SECOND);
    in(ACK, 202, 2 + 8 * MSS, 0);
    out("nobody is there any more: RST", RST, 2 + 8 * MSS, 0, 0);
    berth_host_free(host);
    return 0;
}
