/* What the files of the gateway share. Nothing else includes it. */
#ifndef TOOL_DAEMON_GATEWAY_STATE_H
#define TOOL_DAEMON_GATEWAY_STATE_H

#include "tool/daemon/gateway.h"
#include "tool/daemon/server_state.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum {
    OUTLETS_MAX = 1 << 16,
    FLOWS_MAX = 4096,
    FLOW_SENT = 16,      /* echo requests that may wait for their replies */
    FLOW_LIFE = 120,     /* s without a datagram; RFC 4787 REQ-5 */
    ECHO_LIFE = 20,      /* s for the answers to echo requests */
    NAMESERVERS_MAX = 3, /* as in resolv.conf(5) */
    DATAGRAM_MAX = 65536,
};

/* A descriptor outside that epoll watches. */
struct outlet {
    void (*ready)(struct server *server, struct outlet *outlet, uint32_t events, uint64_t now);
    void (*drop)(struct server *server, struct outlet *outlet);
    uint32_t key; /* index and generation */
    uint32_t events;
    int fd;
    int host;         /* of the network: with it the outlet ends; -1: of none */
    uint64_t expires; /* BERTH_NEVER: it does not */
};

struct published {
    struct outlet outlet; /* first */
    struct published *next;
    struct gateway_port port;
    bool listening; /* TCP */
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* A conversation in datagrams between one endpoint inside and the world, or, for a published port,
 * between one client outside and a computer. */
struct flow {
    struct outlet outlet; /* first; a published port's flow has no descriptor of its own */
    struct flow *next;
    struct published *published;  /* NULL: it began inside */
    struct berth_endpoint inside; /* the computer's */
    struct berth_endpoint shown;  /* published: the client, as it is seen inside */
    union address client;         /* published: as it is outside */
    struct berth_ip asked;        /* published: the address of this machine that it wrote to */
    /* What went out last, of UDP the first place: what answers and errors are about. */
    struct berth_stray sent[FLOW_SENT];
    uint8_t protocol; /* 17: UDP; 1, 58: echoes */
    uint64_t used;
};

struct gateway {
    int host;
    bool open; /* for computers to go out by */
    bool all;  /* ... to wherever they like; else by these: */
    struct allow_rule rules[GATEWAY_RULES];
    size_t rule_count;
    struct outlet **outlets;
    uint8_t *generations;
    uint32_t outlet_size;
    uint32_t outlet_hint;
    struct published *published;
    struct flow *flows;
    unsigned flow_count;
    struct relay *relays; /* that are not open yet */
    struct door *doors;
    unsigned nameserver; /* that answered last */
    unsigned query_count;
    uint64_t now; /* of the call at hand */
    uint64_t next_tick;
    uint8_t buffer[DATAGRAM_MAX];
};

static inline struct berth_host *gateway_engine(const struct server *server) {
    return berth_network_host(server->network, server->gateway->host);
}
static inline void gateway_touch(struct server *server) {
    berth_network_touch(server->network, server->gateway->host);
}

/* ---- outlets: gateway.c ---- */

/* Watches outlet->fd for `events`. 0 or a negative errno; then the descriptor is closed. */
int outlet_add(struct server *server, struct outlet *outlet, uint32_t events);
int outlet_watch(struct server *server, struct outlet *outlet, uint32_t events);
/* Closes the descriptor; the caller frees the memory. */
void outlet_close(struct server *server, struct outlet *outlet);
struct outlet *outlet_find(const struct server *server, uint64_t key);

/* ---- addresses: gateway_address.c ---- */

socklen_t address_of(const struct berth_endpoint *endpoint, union address *address);
struct berth_endpoint endpoint_of(const union address *address);
/* The gateway's own address of that family on the network of the computer `near`; false without
 * one. */
bool gateway_address(const struct server *server, const struct berth_ip *near, bool v4,
                     struct berth_ip *address);
bool gateway_is_own(const struct server *server, const struct berth_ip *address);
/* How somebody outside is seen inside, by the computer at `near`. */
struct berth_endpoint address_inward(const struct server *server,
                                     const struct berth_endpoint *outside,
                                     const struct berth_ip *near);
/* Whom a computer means that sends to that address. */
struct berth_endpoint address_outward(const struct server *server,
                                      const struct berth_endpoint *inside);
/* The computer's first address of that family; false: it has none. */
bool computer_address(const struct server *server, int host, bool v4, struct berth_ip *ip);
/* May a computer reach it? port 0: by echo requests. */
bool gateway_allows(const struct server *server, const struct berth_endpoint *inside);
enum berth_refusal refusal_of(int error);

/* ---- TCP: relay.c ---- */

void relay_stray(struct server *server, struct berth_stray *stray, uint64_t now);
/* A client has come to a published port; `fd` is given. */
void relay_client(struct server *server, const struct published *published, int fd,
                  const struct berth_endpoint *client, uint64_t now);
void relay_event(struct server *server, const struct berth_event *event, uint64_t now);

/* ---- datagrams: flow.c ---- */

void flow_stray(struct server *server, struct berth_stray *stray, uint64_t now);
/* Takes one datagram from a published port. False: there is none. */
bool flow_client(struct server *server, struct published *published, uint64_t now);
/* Ends those that nobody has used for long. */
void flows_expire(struct server *server, uint64_t now);
/* Ends those of a published port; NULL: all. */
void flows_forget(struct server *server, const struct published *published);

/* ---- names: nameservers.c ---- */

/* This machine's nameservers, at most NAMESERVERS_MAX; returns how many. */
unsigned nameservers_read(struct berth_endpoint servers[NAMESERVERS_MAX]);
/* Asks them what a computer has asked. */
void nameservers_ask(struct server *server, const struct berth_name_query *asked, uint64_t now);

#endif
