/* A day of 1,000 computers in less than a minute: each asks another one something of 1 KiB by TCP
 * every 10 seconds, over links that lose 1 frame in 100 and take 1 ms, and nothing but this program
 * moves: time goes from one thing that happens to the next.
 *
 *   day [COMPUTERS [SECONDS [SEED]]] [new] [rough] [FILE.pcapng|-]
 *
 * A computer keeps its connection and asks on it all day, or (`new`) opens one to another computer
 * for each request. On `rough` links frames also come late, twice, spoilt or out of order. A
 * capture goes to the file; `-`: only its hash is printed, which is the same for the same seed,
 * whatever compiled this program and the library. */
#define _DEFAULT_SOURCE
#include <berth/network.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { REQUEST = 1024, ANSWER = 64, PORT = 80 };
static const uint64_t period = 10 * BERTH_SECOND;

/* What a socket is for goes with its events. */
enum { LISTENER, CLIENT, SERVER };
#define USER(kind, computer) ((uint64_t)(kind) << 32 | (uint32_t)(computer))

struct computer {
    struct berth_host *host;
    struct berth_ip address;
    berth_handle client;
    uint64_t asked; /* when it last did */
    int partner;    /* whom it asks */
    uint32_t wants; /* octets of the answers that are missing */
    bool up;        /* its connection */
};

static struct {
    struct berth_network *network;
    struct computer *computers;
    int count;
    bool anew;  /* a connection for each request */
    bool rough; /* links do all that they can do */
    uint64_t now, luck;
    uint64_t requests, answers, late, failed, longest;
    uint64_t hash, captured;
    FILE *file;
} day;

static int must(const char *what, long result) {
    if (result < 0 && result != -EINPROGRESS) {
        fprintf(stderr, "%s: %s\n", what, strerror((int)-result));
        exit(1);
    }
    return (int)result;
}

/* splitmix64: whom to ask. */
static uint64_t chance(void) {
    uint64_t z = day.luck += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* ---- memory ---- */

/* All of it comes from here: small pieces from lists by size, carved out of large pages. Nothing
 * else runs beside, so no lock is needed; and a thousand computers, each of which is looked at for
 * a moment every ten seconds, are more pages of 4 KiB than a processor knows by heart: a fifth of
 * the time goes into finding them. */
enum { GRAIN = 64, GRAINS = 512, CHUNK = 2 << 20 };
static struct arena {
    void *lists[GRAINS + 1];
    uint8_t *at;
    size_t left;
    void *chunks; /* each begins with a pointer to the one before */
} arena;

static bool arena_grow(void) {
    void *chunk = aligned_alloc(CHUNK, CHUNK);
    if (!chunk)
        return false;
    madvise(chunk, CHUNK, MADV_HUGEPAGE);
    memcpy(chunk, &arena.chunks, sizeof arena.chunks);
    arena.chunks = chunk;
    arena.at = (uint8_t *)chunk + GRAIN;
    arena.left = CHUNK - GRAIN;
    return true;
}

static void *arena_allocate(void *context, size_t size) {
    size_t grains = (size + GRAIN - 1) / GRAIN;
    (void)context;
    if (grains > GRAINS)
        return malloc(size);
    void *memory = arena.lists[grains];
    if (memory) {
        memcpy(&arena.lists[grains], memory, sizeof(void *));
        return memory;
    }
    if (grains * GRAIN > arena.left && !arena_grow())
        return NULL;
    memory = arena.at;
    arena.at += grains * GRAIN;
    arena.left -= grains * GRAIN;
    return memory;
}

static void arena_release(void *context, void *memory, size_t size) {
    size_t grains = (size + GRAIN - 1) / GRAIN;
    (void)context;
    if (grains > GRAINS) {
        free(memory);
        return;
    }
    memcpy(memory, &arena.lists[grains], sizeof(void *));
    arena.lists[grains] = memory;
}

static void arena_close(void) {
    while (arena.chunks) {
        void *chunk = arena.chunks;
        memcpy(&arena.chunks, chunk, sizeof arena.chunks);
        free(chunk);
    }
}

/* ---- the programs on the computers ---- */

static void ask(int number) {
    static const uint8_t request[REQUEST] = "What you want to know, 1 KiB of it.";
    struct computer *computer = &day.computers[number];
    if (berth_socket_send(computer->host, computer->client, request, REQUEST, 0, day.now) !=
        REQUEST)
        day.failed++;
    computer->wants += ANSWER;
    berth_network_touch(day.network, number);
}

static void call(int number) {
    struct computer *computer = &day.computers[number];
    struct berth_endpoint to = {day.computers[computer->partner].address, PORT};
    must("socket", berth_socket_open(computer->host, 4, BERTH_TCP, &computer->client));
    berth_socket_set_user(computer->host, computer->client, USER(CLIENT, number));
    must("connect", berth_socket_connect(computer->host, computer->client, &to, day.now));
    computer->up = false;
    computer->wants = 0;
    berth_network_touch(day.network, number);
}

static void hang_up(int number) {
    struct computer *computer = &day.computers[number];
    if (computer->client)
        berth_socket_close(computer->host, computer->client, day.now);
    computer->client = 0;
    berth_network_touch(day.network, number);
}

/* Its time has come. */
static void turn(int number) {
    struct computer *computer = &day.computers[number];
    day.requests++;
    if (computer->client && (day.anew || computer->wants > 0))
        day.late++;
    computer->asked = day.now;
    if (day.anew) {
        hang_up(number);
        computer->partner = (number + 1 + (int)(chance() % (uint64_t)(day.count - 1))) % day.count;
    }
    if (!computer->client)
        call(number);
    else if (computer->up)
        ask(number);
}

static void client_event(int number, uint32_t bits) {
    struct computer *computer = &day.computers[number];
    uint8_t answer[ANSWER];
    ssize_t got;
    if (bits & BERTH_CONNECTED) {
        computer->up = true;
        ask(number);
    }
    while (computer->client && (got = berth_socket_receive(computer->host, computer->client, answer,
                                                           ANSWER, 0, day.now)) != -EAGAIN) {
        if (got <= 0) {
            day.failed++;
            hang_up(number);
            return;
        }
        computer->wants -= (uint32_t)got;
        if (computer->wants % ANSWER != 0)
            continue;
        day.answers++;
        if (day.now - computer->asked > day.longest)
            day.longest = day.now - computer->asked;
        if (day.anew)
            hang_up(number);
    }
}

static void server_event(int number, berth_handle socket) {
    static const uint8_t answer[ANSWER] = "That is so.";
    struct berth_host *host = day.computers[number].host;
    uint8_t request[4 * REQUEST];
    for (;;) {
        /* Only whole requests are taken out. */
        ssize_t there =
            berth_socket_receive(host, socket, request, sizeof request, BERTH_MSG_PEEK, day.now);
        if (there == -EAGAIN || (there > 0 && there < REQUEST))
            break;
        if (there <= 0) {
            berth_socket_close(host, socket, day.now);
            break;
        }
        berth_socket_receive(host, socket, request, REQUEST, 0, day.now);
        berth_socket_send(host, socket, answer, ANSWER, 0, day.now);
    }
    berth_network_touch(day.network, number);
}

static void happened(const struct berth_network_event *event) {
    struct berth_host *host = day.computers[event->host].host;
    berth_handle socket;
    switch (event->event.user >> 32) {
    case LISTENER:
        while (berth_socket_accept(host, event->event.socket, &socket) == 0) {
            berth_socket_set_user(host, socket, USER(SERVER, event->host));
            server_event(event->host, socket);
        }
        break;
    case CLIENT:
        if (event->event.socket == day.computers[event->host].client)
            client_event(event->host, event->event.bits);
        break;
    default:
        server_event(event->host, event->event.socket);
    }
}

/* ---- the day ---- */

static void settle(void) {
    struct berth_network_event events[64];
    size_t count;
    bool more;
    do {
        more = berth_network_run(day.network, day.now);
        while ((count = berth_network_events(day.network, events, 64)) > 0)
            for (size_t i = 0; i < count; i++)
                happened(&events[i]);
    } while (more || berth_network_deadline(day.network) <= day.now);
}

static void computer_add(int number, int lan) {
    struct berth_impairment link = {.delay = BERTH_MS, .loss = 0.01};
    if (day.rough) {
        link.jitter = BERTH_MS;
        link.distribution = BERTH_NORMAL;
        link.loss_correlation = 0.25;
        link.duplicate = link.corrupt = 0.01;
        link.reorder = 0.05;
        link.rate = 10000000;
    }
    struct computer *computer = &day.computers[number];
    struct berth_endpoint any = {berth_ip_v4(0), PORT};
    berth_handle listener;
    char name[16];
    snprintf(name, sizeof name, "pc%d", number + 1);
    struct berth_host_config config;
    berth_host_config_init(&config);
    config.allocator = (struct berth_allocator){arena_allocate, arena_release, NULL};
    config.neighbor_reachable = 86400 * BERTH_SECOND; /* nobody moves: who is where is asked once */
    must("host", berth_network_add_host(day.network, name, lan, NULL, &config));
    must("link", berth_network_impair(day.network, number, BERTH_EGRESS, &link));
    computer->host = berth_network_host(day.network, number);
    struct berth_link links[1];
    berth_network_links(day.network, number, links, 1);
    computer->address = links[0].address;
    must("socket", berth_socket_open(computer->host, 4, BERTH_TCP, &listener));
    must("bind", berth_socket_bind(computer->host, listener, &any));
    must("listen", berth_socket_listen(computer->host, listener, 100));
    berth_socket_set_user(computer->host, listener, USER(LISTENER, number));
}

/* FNV-1a over words of 8 octets, as they come: quick, and enough to tell two captures apart. */
static void capture_write(void *context, const void *data, size_t length) {
    const uint8_t *at = data;
    uint64_t word;
    (void)context;
    day.captured += length;
    if (day.file && fwrite(data, 1, length, day.file) != length)
        must("capture", -errno);
    for (; length >= sizeof word; at += sizeof word, length -= sizeof word) {
        memcpy(&word, at, sizeof word);
        day.hash = (day.hash ^ word) * UINT64_C(0x100000001b3);
    }
    for (; length > 0; length--)
        day.hash = (day.hash ^ *at++) * UINT64_C(0x100000001b3);
}

static void capture_start(const char *path) {
    day.hash = UINT64_C(0xcbf29ce484222325);
    if (strcmp(path, "-") != 0 && !(day.file = fopen(path, "wb")))
        must(path, -errno);
    must("capture", berth_network_capture(day.network, capture_write, NULL, 0));
}

/* Computers take turns by their numbers, evenly spread over the ten seconds. */
static void live(uint64_t end) {
    uint64_t count = (uint64_t)day.count;
    for (uint64_t turns = 0;;) {
        uint64_t due = turns / count * period + turns % count * period / count;
        uint64_t deadline = berth_network_deadline(day.network);
        day.now = due < deadline ? due : deadline;
        if (day.now >= end)
            break;
        if (day.now == due)
            turn((int)(turns++ % count));
        settle();
    }
}

int main(int argc, char **argv) {
    uint64_t numbers[3] = {1000, 86400, 1};
    const char *capture = NULL;
    int given = 0;
    for (int i = 1; i < argc; i++) {
        char *end;
        uint64_t number = strtoull(argv[i], &end, 10);
        if (*end == '\0' && end > argv[i] && given < 3)
            numbers[given++] = number;
        else if (strcmp(argv[i], "new") == 0)
            day.anew = true;
        else if (strcmp(argv[i], "rough") == 0)
            day.rough = true;
        else if (argv[i][0] == '-' && argv[i][1] != '\0') {
            fputs("usage: day [COMPUTERS [SECONDS [SEED]]] [new] [rough] [FILE.pcapng|-]\n",
                  stderr);
            return 2;
        } else
            capture = argv[i];
    }
    day.count = (int)numbers[0];
    if (day.count < 2 || day.count > 60000 || numbers[1] > 1000000)
        must("computers or seconds", -EINVAL);
    struct berth_network_config config;
    berth_network_config_init(&config);
    config.allocator = (struct berth_allocator){arena_allocate, arena_release, NULL};
    memcpy(config.seed, &numbers[2], sizeof numbers[2]);
    day.luck = numbers[2];
    day.network = berth_network_new(&config);
    day.computers = calloc((size_t)day.count, sizeof *day.computers);
    struct berth_ip subnet = berth_ip_v4(0x0a000000);
    if (!day.network || !day.computers)
        must("network", -ENOMEM);
    int lan = must("switch", berth_network_add_switch(day.network, "lan", &subnet, 16, 0));
    for (int i = 0; i < day.count; i++) {
        computer_add(i, lan);
        day.computers[i].partner = (i + 1) % day.count;
    }
    if (capture)
        capture_start(capture);
    live(numbers[1] * BERTH_SECOND);
    printf("%d computers, %" PRIu64 " s: %" PRIu64 " requests of %d octets, %" PRIu64
           " answered, %" PRIu64 " still waiting when the next was due, %" PRIu64
           " failed; the longest took %" PRIu64 " ms\n",
           day.count, numbers[1], day.requests, REQUEST, day.answers, day.late, day.failed,
           day.longest / BERTH_MS);
    if (capture)
        printf("capture: %" PRIu64 " octets, hash %016" PRIx64 "\n", day.captured, day.hash);
    if (day.file && fclose(day.file) != 0)
        must("capture", -errno);
    berth_network_free(day.network);
    free(day.computers);
    arena_close();
    return 0;
}
