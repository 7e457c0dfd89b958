/* The ways in which a program's socket calls can be served, each measured beside the other that
 * would do; ARCHITECTURE.md, "How a program's calls are served", says what followed.
 *
 * A caller's calls are notified to this process, as a program's are to the daemon. All ways are
 * played in turn, and that several times, in one run; a row is the median of its rounds. "berth" is
 * the way that Berth goes. */
#define _GNU_SOURCE
#include "bench/bench.h"
#include "bench/supervisor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

enum { ROUNDS = 21, CALLS = 400, CONNECTIONS = 32, BINDINGS = 2000 };

static const char *const places[PLACEMENTS] = {"same core", "other core", "unpinned"};

/* What is measured: one number per round. */
enum way {
    NATIVE,
    BARE,
    BARE_SYNC,
    THREADS,
    THREADS_SYNC,
    TAKEN,
    READLINK,
    NAME_DIRECT,
    NAME_GUARD,
    OCTET_OFFER,
    OCTET_ACCEPT,
    OCTET_BOTH,
    REAL_OFFER,
    REAL_ACCEPT,
    REAL_BOTH,
    REAL_NATIVE,
    REAL_NATIVE_BOTH,
    SIGNALS,
    SIGNALS_WRONG,
    SIGNALS_REPLAY,
    REPLAY_WRONG,
    KILLABLE,
    WAIT,
    WAIT_KILLABLE,
    WAYS
};
static double samples[PLACEMENTS][WAYS][ROUNDS];

static double median(enum placement place, enum way way) {
    double copy[ROUNDS];
    memcpy(copy, samples[place][way], sizeof copy);
    for (int i = 0; i < ROUNDS; i++)
        if (isnan(copy[i]))
            return NAN;
    return bench_quantile(copy, ROUNDS, 0.5);
}

/* ---- one round ---- */

static void round_calls(struct supervisor *s, double (*to)[ROUNDS], int round) {
    bool can = supervisor_wake_synchronously(s, false);
    to[NATIVE][round] = supervisor_do(s, CALLER_NATIVE, s->end, CALLS, answer_bare);
    to[BARE][round] = supervisor_do(s, CALLER_CALLS, s->end, CALLS, answer_bare);
    to[THREADS][round] = supervisor_do(s, CALLER_THREADS, s->end, CALLS, answer_bare);
    supervisor_wake_synchronously(s, true); /* and so it stays, where the kernel can */
    double sync = supervisor_do(s, CALLER_CALLS, s->end, CALLS, answer_bare);
    double threads = supervisor_do(s, CALLER_THREADS, s->end, CALLS, answer_bare);
    to[BARE_SYNC][round] = can ? sync : NAN;
    to[THREADS_SYNC][round] = can ? threads : NAN;
    to[TAKEN][round] = supervisor_do(s, CALLER_CALLS, s->end, CALLS, answer_taken);
    to[READLINK][round] = supervisor_do(s, CALLER_CALLS, s->end, CALLS, answer_readlink);
    to[NAME_DIRECT][round] = supervisor_do(s, CALLER_CALLS, s->end, CALLS, answer_name);
    s->reach = s->by_guard;
    to[NAME_GUARD][round] = supervisor_do(s, CALLER_CALLS, s->end, CALLS, answer_name);
    s->reach = s->direct;
}

static void round_accepts(struct supervisor *s, double (*to)[ROUNDS], int round) {
    to[OCTET_OFFER][round] = offer_octets(s, CONNECTIONS);
    to[OCTET_ACCEPT][round] = supervisor_do(s, CALLER_ACCEPTS, s->end, CONNECTIONS, answer_octet);
    to[OCTET_BOTH][round] = to[OCTET_OFFER][round] + to[OCTET_ACCEPT][round];
    to[REAL_OFFER][round] = offer_connections(s, CONNECTIONS);
    to[REAL_ACCEPT][round] = supervisor_do(s, CALLER_ACCEPTS, s->real, CONNECTIONS, answer_real);
    to[REAL_BOTH][round] = to[REAL_OFFER][round] + to[REAL_ACCEPT][round];
    double offer = offer_connections(s, CONNECTIONS);
    to[REAL_NATIVE][round] =
        supervisor_do(s, CALLER_NATIVE_ACCEPTS, s->real, CONNECTIONS, answer_bare);
    to[REAL_NATIVE_BOTH][round] = offer + to[REAL_NATIVE][round];
}

static void bindings(struct supervisor *s, bool replaying, double *us, double *wrong) {
    s->replaying = replaying;
    s->bound = 0;
    *us = supervisor_do(s, CALLER_SIGNALS, s->end, BINDINGS, answer_bind);
    *wrong = 1000.0 * s->shared->wrong / BINDINGS;
}

static void round_signals(struct supervisor *s, struct supervisor *killable, double (*to)[ROUNDS],
                          int round) {
    to[KILLABLE][round] = to[WAIT_KILLABLE][round] = NAN;
    bindings(s, false, &to[SIGNALS][round], &to[SIGNALS_WRONG][round]);
    bindings(s, true, &to[SIGNALS_REPLAY][round], &to[REPLAY_WRONG][round]);
    to[WAIT][round] = supervisor_do(s, CALLER_WAIT, s->end, 1, answer_late) - CALLER_WAIT_US;
    if (!killable)
        return;
    double wrong;
    bindings(killable, false, &to[KILLABLE][round], &wrong);
    if (wrong > 0)
        bench_fail("a call was repeated although the kernel holds signals back");
    to[WAIT_KILLABLE][round] =
        supervisor_do(killable, CALLER_WAIT, killable->end, 1, answer_late) - CALLER_WAIT_US;
}

/* False: not on this machine. */
static bool round_play(struct supervisor *s, struct supervisor *killable, enum placement place,
                       int round) {
    double(*to)[ROUNDS] = samples[place];
    if (!supervisor_place(s, place)) {
        for (int way = 0; way < WAYS; way++)
            to[way][round] = NAN;
        return false;
    }
    if (killable) {
        supervisor_place(killable, place);
        supervisor_wake_synchronously(killable, true);
    }
    round_calls(s, to, round);
    round_accepts(s, to, round);
    round_signals(s, killable, to, round);
    return true;
}

/* ---- the table ---- */

static const struct comparison {
    const char *name, *unit;
    enum way ours, peer;
    const char *peer_name;
} comparisons[] = {
    {"a call, answered: SYNC_WAKE_UP", "us", BARE_SYNC, BARE, "off"},
    {"the same of 4 threads", "us", THREADS_SYNC, THREADS, "off"},
    {"and identified: getfd, cookie", "us", TAKEN, READLINK, "readlink"},
    {"a whole getsockname: directly", "us", NAME_DIRECT, NAME_GUARD, "by guard"},
    {"offer a connection: an octet", "us", OCTET_OFFER, REAL_OFFER, "listener"},
    {"accept, with address: octet", "us", OCTET_ACCEPT, REAL_ACCEPT, "listener"},
    {"offer and accept, with address", "us", OCTET_BOTH, REAL_BOTH, "listener"},
    {"the same, native accept(fd,0,0)", "us", OCTET_BOTH, REAL_NATIVE_BOTH, "listener"},
    {"bind under signals: replay", "us", SIGNALS_REPLAY, KILLABLE, "KILLABLE"},
    {"of it wrong: replay", "per 1000", REPLAY_WRONG, SIGNALS_WRONG, "none"},
    {"a signal ends a wait after", "us", WAIT, WAIT_KILLABLE, "KILLABLE"},
};

static void rows_add(struct bench *bench, enum placement place) {
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++) {
        const struct comparison *c = &comparisons[i];
        struct bench_row row = {.unit = c->unit,
                                .ours = median(place, c->ours),
                                .peer = median(place, c->peer),
                                .peer_name = c->peer_name,
                                .less_is_better = true,
                                .reach = NAN};
        snprintf(row.name, sizeof row.name, "%s, %s", c->name, places[place]);
        bench_add(bench, row);
    }
}

int main(int argc, char **argv) {
    struct bench bench;
    struct supervisor plain, killable;
    bench_begin(&bench, "ways", argc, argv);
    if (!supervisor_start(&plain, 0))
        bench_fail("this kernel has no user notification");
    bool has = supervisor_start(&killable, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    bool placed[PLACEMENTS] = {false};
    for (int round = 0; round < ROUNDS; round++)
        for (enum placement place = 0; place < PLACEMENTS; place++)
            placed[place] = round_play(&plain, has ? &killable : NULL, place, round);
    supervisor_stop(&killable);
    supervisor_stop(&plain);
    bench_add(&bench, (struct bench_row){.name = "a call that passes the filter",
                                         .unit = "us",
                                         .ours = median(SAME_CORE, NATIVE),
                                         .peer = NAN,
                                         .less_is_better = true,
                                         .reach = NAN});
    for (enum placement place = 0; place < PLACEMENTS; place++)
        if (placed[place])
            rows_add(&bench, place);
    return bench_end(&bench);
}
