/* Congestion control behind one interface: NewReno (RFC 5681) and CUBIC (RFC 9438); BBR fits it.
 *
 * All counts are octets, times ns. The connection's cwnd and ssthresh are what an algorithm sets;
 * recovery (which segments are lost) is not its business. What it remembers lives in `active` and
 * is zeroes after a time of idleness: an algorithm starts afresh from cwnd and ssthresh then. */
#ifndef ENGINE_TCP_CONGESTION_H
#define ENGINE_TCP_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

struct tcp;
struct tcp_connection;

/* HyStart++ (RFC 9406): when slow start should end. Zeroes: no round has begun. Times in us. */
struct hystart {
    uint32_t round_end; /* a round ends when this sequence number is acknowledged */
    uint32_t last_min;  /* the smallest RTT of the round before; 0: none */
    uint32_t min;       /* of this round; 0: none yet */
    uint32_t baseline;  /* conservative slow start: the RTT that began it; 0: not in it */
    uint8_t samples;    /* of this round, 255 at most */
    uint8_t rounds;     /* of conservative slow start that are over */
    bool running;       /* a round has begun */
};

struct cubic {
    uint64_t epoch;      /* when this stage of congestion avoidance began, time at rest left out; 0:
                            it has not */
    uint64_t seen;       /* the last ACK in it */
    uint64_t credit;     /* what growth of cwnd is left over, less than an octet: in cwnds' parts */
    uint64_t est_credit; /* and of w_est's: in parts of 17 cwnds */
    uint32_t w_max;      /* cwnd before the last reduction; 0: unknown */
    uint32_t prior;      /* cwnd_prior of RFC 9438 4.3 */
    uint32_t k;          /* ms */
    uint32_t origin;     /* the plateau: W_max, or cwnd at the epoch's begin if that is unknown */
    uint32_t w_est;
    bool quiet; /* all was acknowledged at `seen` */
};

/* What is remembered while the connection is busy; `union`: by its algorithm. */
struct congestion_state {
    struct hystart hystart;
    uint64_t unused_since; /* ns: since then cwnd was never used up (or since it was reduced for
                              that); 0: it is */
    uint32_t used;         /* the most that was in flight since */
    uint8_t rests;         /* RTOs without a segment that cwnd has shrunk for */
    union {
        struct {
            uint32_t acked; /* octets acknowledged toward the next increase (RFC 3465) */
        } newreno;
        struct cubic cubic;
    };
};

struct congestion_algorithm {
    const char *name; /* as TCP_CONGESTION names it */
    /* `acked` octets were newly acknowledged outside recovery and cwnd, which was used up, is at or
     * above ssthresh. */
    void (*avoid)(const struct tcp *tcp, struct tcp_connection *c, uint32_t acked);
    /* The same, but the sender did not fill its window: no sign that it may grow. NULL: nothing to
     * be done. */
    void (*rest)(const struct tcp *tcp, struct tcp_connection *c);
    /* A congestion event, loss or ECN's echo, with `flight` octets outstanding: gives the new
     * ssthresh. */
    uint32_t (*reduce)(struct tcp_connection *c, uint32_t flight);
    /* What it remembers of how cwnd grew holds no more. timeout: nor what it was before. */
    void (*restart)(struct tcp_connection *c, bool timeout);
};

extern const struct congestion_algorithm congestion_newreno, congestion_cubic;

/* ---- congestion.c: what recovery and the connection's life call ---- */

/* The algorithm of a connection. */
const struct congestion_algorithm *congestion_of(const struct tcp_connection *c);
/* The algorithm of that number (enum berth_congestion); NULL: there is none. */
const struct congestion_algorithm *congestion_at(unsigned number);
/* Makes it another one; it goes on from cwnd and ssthresh. -ENOENT: there is none. */
int congestion_choose(struct tcp_connection *c, int number);
/* RFC 6928: min(10 MSS, max(2 MSS, 14600)), the 10 settable. */
uint32_t congestion_initial_window(const struct tcp *tcp, const struct tcp_connection *c);
/* The connection is established: sets the initial window (RFC 6928). syn_lost: our SYN was
 * retransmitted. */
void congestion_start(const struct tcp *tcp, struct tcp_connection *c, bool syn_lost);
/* `acked` octets were newly acknowledged outside recovery; limited: the sender did not fill its
 * window (RFC 7661). */
void congestion_on_ack(const struct tcp *tcp, struct tcp_connection *c, uint32_t acked,
                       bool limited);
/* An ACK told of a round trip of `us`. */
void congestion_on_rtt(struct tcp_connection *c, uint32_t us);
/* A congestion event with `flight` octets outstanding: sets ssthresh; cwnd is the caller's. */
void congestion_on_loss(struct tcp_connection *c, uint32_t flight);
/* Recovery is over: cwnd is ssthresh, and no burst when little is in flight. */
void congestion_on_recovered(struct tcp_connection *c, uint32_t flight);
/* A retransmission timeout; first: not a repeated one of the same segment. */
void congestion_on_timeout(struct tcp_connection *c, uint32_t flight, bool first);
/* Nothing was sent for an RTO (RFC 5681 4.1), or for another one. */
void congestion_on_idle(const struct tcp *tcp, struct tcp_connection *c);

/* ---- hystart.c ---- */
void hystart_sample(struct hystart *h, uint32_t us);
/* Slow start's increase for `acked` octets; sets ssthresh when it is over. */
uint32_t hystart_increase(struct tcp_connection *c, uint32_t acked);

#endif
