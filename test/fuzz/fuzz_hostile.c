/* Two hosts and a link between them that loses, repeats, spoils and reorders frames as the input
 * says, while programs at both ends send and receive in pieces of any size. At any time what was
 * received is the beginning of what was sent; and when the input has come to its end, and the link
 * does its work from then on, all of it arrives, in both directions, and both ends see the end. The
 * first octet says by which IP, and whether the connection begins with a SYN cookie.
 *
 * A connection may give up if so many frames were lost, or were so late, that its retries were used
 * up; and one that was to begin with a SYN cookie is reset if the cookie came back neither in time
 * nor first. */
#include "engine/base/bytes.h"
#include "engine/wire/ethernet.h"
#include "test/fuzz/input.h"
#include "test/unit/base/counting_allocator.h"
#include <berth/socket.h>
#include <errno.h>

enum { WAITING = 64, FRAME = 65535 + 14, PORT = 80, SPOILT_MAX = 4 };
#define LATE_MAX (500 * BERTH_MS)
#define START BERTH_SECOND

struct end {
    struct counting counting;
    struct berth_host *host;
    berth_handle socket;
    uint64_t sent, received, whole; /* octets; `whole` are to be sent */
    bool finished, ended, failed;
};

struct link {
    struct end ends[2];
    struct input *input;
    uint64_t now, accepted; /* when the second end got its socket */
    int family;
    bool cookies;
    unsigned spoilt; /* frames that did not arrive as they were */
    uint64_t late;   /* time that passed while frames waited */
    struct {
        struct berth_frame frame;
        int to;
    } waiting[WAITING];
    unsigned count;
};

/* The octet of a stream at a place. */
static uint8_t octet_of(int end, uint64_t at) {
    uint64_t mixed = (at + (uint64_t)end * 77777) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint8_t)(mixed >> 56);
}

/* ---- the link ---- */

static void frame_deliver(struct link *link, struct berth_frame *frame, int to) {
    CLAIM(berth_host_input(link->ends[to].host, 1, frame, 1, link->now) == 0);
}

/* One bit of a datagram is turned, which its checksums tell. */
static void frame_spoil(struct link *link, const struct berth_frame *frame, int to) {
    static uint8_t octets[FRAME];
    struct berth_frame spoilt, whole;
    berth_frame_copy(&whole, frame);
    berth_frame_finish(&whole, ETHERNET_HEADER);
    size_t length = berth_frame_read(&whole, 0, octets, sizeof octets);
    berth_frame_clear(&whole);
    uint32_t at = ETHERNET_HEADER * 8 + input_16(link->input);
    link->spoilt++;
    octets[at / 8 % length] ^= (uint8_t)(1 << at % 8);
    CLAIM(berth_frame_from_bytes(&spoilt, berth_allocator_default(), octets, length) == 0);
    spoilt.segment_size = frame->segment_size;
    frame_deliver(link, &spoilt, to);
    berth_frame_clear(&spoilt);
}

static void waiting_release(struct link *link, unsigned which) {
    struct berth_frame frame = link->waiting[which].frame;
    int to = link->waiting[which].to;
    link->waiting[which] = link->waiting[--link->count];
    frame_deliver(link, &frame, to);
    berth_frame_clear(&frame);
}

/* Of a neighbour's search: ARP, or ICMPv6, which has no other use here. */
static bool is_search(const struct berth_frame *frame) {
    uint8_t start[21] = {0};
    berth_frame_read(frame, 0, start, sizeof start);
    uint16_t type = load_be16(start + 12);
    return type == ETHERNET_ARP || (type == ETHERNET_IPV6 && start[20] == 58);
}

/* What becomes of a frame: one of eight times something bad, while the input lasts. Not to the
 * search for a neighbour, whose few tries are used up soon. */
static void frame_carry(struct link *link, struct berth_frame *frame, int to) {
    uint8_t fate = input_more(link->input) && !is_search(frame) ? input_8(link->input) : 0;
    if (fate < 0xe0) {
        frame_deliver(link, frame, to);
    } else if (fate < 0xe8) {
        link->spoilt++;
    } else if (fate < 0xec) {
        frame_spoil(link, frame, to);
    } else if (fate < 0xf2) {
        frame_deliver(link, frame, to);
        frame_deliver(link, frame, to);
    } else if (link->count < WAITING) {
        berth_frame_copy(&link->waiting[link->count].frame, frame);
        link->waiting[link->count++].to = to;
    }
    berth_frame_clear(frame);
}

static size_t carry(struct link *link, int from, size_t max) {
    struct berth_frame frames[8];
    size_t count =
        berth_host_output(link->ends[from].host, 1, frames, max < 8 ? max : 8, link->now);
    for (size_t i = 0; i < count; i++)
        frame_carry(link, &frames[i], !from);
    return count;
}

static void carry_all(struct link *link) {
    for (int turns = 0; carry(link, 0, 8) + carry(link, 1, 8) > 0; turns++)
        CLAIM(turns < 100000);
}

/* ---- the programs ---- */

/* The ACK with the cookie was lost, and of the data that bring it again, more than a second after
 * the SYN, the second segment overtook the first: it says nothing that its receiver knows. */
static bool cookie_missed(const struct link *link) {
    uint64_t begun = link->ends[1].socket ? link->accepted : link->now;
    return link->cookies && link->spoilt > 0 && begun - START > BERTH_SECOND;
}

static void end_fails(struct link *link, struct end *end, ssize_t result) {
    if (result >= 0 || result == -EAGAIN || result == -ENOTCONN || result == -EINPROGRESS)
        return;
    CLAIM(link->spoilt > SPOILT_MAX || link->late > LATE_MAX || cookie_missed(link));
    end->failed = true;
}

static void transmit(struct link *link, int which, size_t length) {
    static uint8_t octets[8192];
    struct end *end = &link->ends[which];
    if (!end->socket || end->finished || end->failed)
        return;
    length = length < end->whole - end->sent ? length : (size_t)(end->whole - end->sent);
    for (size_t i = 0; i < length; i++)
        octets[i] = octet_of(which, end->sent + i);
    ssize_t taken = berth_socket_send(end->host, end->socket, octets, length, 0, link->now);
    end_fails(link, end, taken);
    end->sent += taken > 0 ? (uint64_t)taken : 0;
    /* Before it is connected, a shutdown would give the connection up, as on Linux. */
    struct berth_tcp_info info;
    if (end->sent == end->whole && !end->failed &&
        berth_socket_tcp_info(end->host, end->socket, &info) == 0 && info.state != BERTH_SYN_SENT)
        end->finished =
            berth_socket_shutdown(end->host, end->socket, BERTH_SHUT_WR, link->now) == 0;
}

static void receive(struct link *link, int which, size_t length) {
    static uint8_t octets[8192];
    struct end *end = &link->ends[which];
    if (!end->socket || end->ended || end->failed)
        return;
    ssize_t got = berth_socket_receive(end->host, end->socket, octets, length, 0, link->now);
    end_fails(link, end, got);
    end->ended = got == 0 && length > 0;
    for (ssize_t i = 0; i < got; i++)
        CLAIM(octets[i] == octet_of(!which, end->received + (uint64_t)i));
    end->received += got > 0 ? (uint64_t)got : 0;
    CLAIM(end->received <= link->ends[!which].sent);
    if (end->ended)
        CLAIM(link->ends[!which].finished && end->received == link->ends[!which].whole);
}

static void time_pass(struct link *link, uint64_t most) {
    uint64_t until = link->now + most;
    for (int i = 0; i < 2; i++) {
        uint64_t deadline = berth_host_deadline(link->ends[i].host);
        until = deadline < until ? deadline : until;
    }
    until = until > link->now ? until : link->now + 1;
    if (link->count > 0 || berth_host_has_output(link->ends[0].host) ||
        berth_host_has_output(link->ends[1].host))
        link->late += until - link->now;
    link->now = until;
    for (int i = 0; i < 2; i++)
        berth_host_advance(link->ends[i].host, link->now);
}

static void accept_if(struct link *link, berth_handle listener) {
    if (!link->ends[1].socket &&
        berth_socket_accept(link->ends[1].host, listener, &link->ends[1].socket) == 0)
        link->accepted = link->now;
}

/* ---- a game ---- */

static struct berth_ip address_of(const struct link *link, int which) {
    struct berth_ip address = berth_ip_v4(0x0a000001u + (uint32_t)which);
    if (link->family == 6)
        CLAIM(berth_ip_parse(which ? "fd00::2" : "fd00::1", &address) == 0);
    return address;
}

static void end_make(struct link *link, int which) {
    struct end *end = &link->ends[which];
    uint8_t how = input_8(link->input);
    static const uint32_t mtus[][4] = {{1500, 576, 9000, 300}, {1500, 1280, 9000, 1281}};
    struct berth_host_config config;
    berth_host_config_init(&config);
    config.allocator = counting_allocator(&end->counting);
    config.seed[0] = (uint8_t)which;
    config.tcp_congestion = how >> 2 & 1;
    config.tcp_sack = !(how & 8);
    config.tcp_timestamps = !(how & 0x10);
    config.tcp_window_scaling = !(how & 0x20);
    config.tcp_receive_buffer = how & 0x40 ? 4096 : 256 * 1024;
    /* Without timestamps a segment that overtakes the one with the cookie is answered by RST. */
    config.tcp_timestamps |= link->cookies;
    config.tcp_syncookies = link->cookies ? 2 : 0;
    config.tcp_slow_start_after_idle = how >> 7;
    end->host = berth_host_new(&config);
    struct berth_interface_config interface = {.link = BERTH_LINK_ETHERNET,
                                               .mtu = mtus[link->family == 6][how & 3],
                                               .mac = {2, 0, 0, 0, 0, (uint8_t)(1 + which)}};
    struct berth_ip address = address_of(link, which);
    CLAIM(end->host && berth_host_add_interface(end->host, &interface) == 1);
    CLAIM(berth_host_add_address(end->host, 1, &address, link->family == 6 ? 64 : 24) == 0);
    end->whole = input_16(link->input) / (which ? 8u : 1u);
}

static berth_handle connection_start(struct link *link) {
    struct berth_endpoint at = {address_of(link, 1), PORT};
    berth_handle listener;
    CLAIM(berth_socket_open(link->ends[1].host, link->family, BERTH_TCP, &listener) == 0);
    CLAIM(berth_socket_bind(link->ends[1].host, listener, &at) == 0);
    CLAIM(berth_socket_listen(link->ends[1].host, listener, 2) == 0);
    CLAIM(berth_socket_open(link->ends[0].host, link->family, BERTH_TCP, &link->ends[0].socket) ==
          0);
    CLAIM(berth_socket_connect(link->ends[0].host, link->ends[0].socket, &at, link->now) ==
          -EINPROGRESS);
    return listener;
}

static void step(struct link *link) {
    uint8_t what = input_8(link->input);
    int which = what & 1;
    size_t amount = (size_t)(what >> 3) * (what & 2 ? 200 : 3);
    switch (what % 7) {
    case 0:
        transmit(link, which, amount);
        break;
    case 1:
        receive(link, which, amount);
        break;
    case 2:
        time_pass(link, UINT64_C(1) << (what >> 3) % 34);
        break;
    case 3:
        if (link->count > 0)
            waiting_release(link, what / 7 % link->count);
        break;
    case 4:
        carry_all(link);
        break;
    default:
        carry(link, which, 1 + (what >> 5));
        break;
    }
}

static bool over(const struct link *link) {
    return link->ends[0].failed || link->ends[1].failed ||
           (link->ends[0].ended && link->ends[1].ended);
}

/* The link is a good one from here on; the retries may have become slow. */
static void settle(struct link *link, berth_handle listener) {
    uint64_t until = link->now + 2000 * BERTH_SECOND;
    while (link->count > 0)
        waiting_release(link, 0);
    while (!over(link) && link->now < until) {
        carry_all(link);
        accept_if(link, listener);
        for (int i = 0; i < 2; i++) {
            transmit(link, i, 8192);
            receive(link, i, 8192);
        }
        if (!berth_host_has_output(link->ends[0].host) &&
            !berth_host_has_output(link->ends[1].host))
            time_pass(link, BERTH_SECOND);
    }
    CLAIM(over(link));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct link link;
    struct input input = {data, size};
    memset(&link, 0, sizeof link);
    link.input = &input;
    link.now = START;
    uint8_t kind = input_8(&input);
    link.family = kind & 1 ? 6 : 4;
    link.cookies = kind & 2;
    for (int i = 0; i < 2; i++)
        end_make(&link, i);
    berth_handle listener = connection_start(&link);
    while (input_more(&input)) {
        accept_if(&link, listener);
        step(&link);
    }
    settle(&link, listener);
    for (int i = 0; i < 2; i++)
        berth_host_free(link.ends[i].host);
    for (int i = 0; i < 2; i++)
        CLAIM(link.ends[i].counting.blocks == 0);
    return 0;
}
