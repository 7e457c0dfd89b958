/* Two hosts back to back on one raw IP link, MTU 1500, in one process, in virtual time. */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <berth/host.h>
#include <berth/socket.h>

enum { PAIR_CLIENT, PAIR_SERVER };

struct pair {
    struct berth_host *hosts[2];
    int interfaces[2];
    uint64_t now;
};

/* Their addresses are 10.0.0.1 (the client's) and 10.0.0.2. */
void pair_open(struct pair *pair);
void pair_close(struct pair *pair);
/* Carries up to 64 frames from one host to the other. True if there were any. */
bool pair_carry(struct pair *pair, int from);
/* Carries frames both ways until there are none. */
void pair_settle(struct pair *pair);
/* Time passes; timers that are due fire. */
void pair_advance(struct pair *pair, uint64_t by);

#endif
