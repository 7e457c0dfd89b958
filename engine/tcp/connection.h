/* What a connection is made of, and what the files of engine/tcp offer one another.
 *
 * THEORY. One record per socket, struct tcp_connection, 144 octets: all that an idle connection
 * needs. What a busy one needs beside (streams, out-of-order octets, retransmission and recovery
 * state, pending acknowledgments) is its struct tcp_active, which hangs off it only while something
 * is queued, in flight, unread or unacknowledged; what few sockets need (a listener's queues,
 * options that were changed, a bind) is its struct tcp_extra. Half-open connections (SYN-RECEIVED
 * after LISTEN) and those in TIME-WAIT are records of 64 octets in pools
 * of their own. A *reference* is a record's kind in the top two bits and its index in the rest; it
 * is what the demultiplexer holds.
 *
 * Sequence space. snd_una <= snd_nxt <= snd_max; snd_nxt falls back to snd_una after a
 * retransmission timeout (go back N) and snd_max, in `active`, stays the highest ever sent + 1.
 * Without `active` nothing is in flight: all three are equal. The send stream starts at snd_una
 * (the SYN and the FIN take sequence space but no octet of the stream).
 *
 * Invariants: active == NULL implies state ESTABLISHED, CLOSE-WAIT, FIN-WAIT-2, LISTEN or CLOSED
 * with nothing to send, acknowledge or read. A connection that owes a segment has
 * TCP_F_OUTPUT set and stands in tcp->output once. */
#ifndef ENGINE_TCP_CONNECTION_H
#define ENGINE_TCP_CONNECTION_H

#include "engine/base/pool.h"
#include "engine/base/ring.h"
#include "engine/base/seq.h"
#include "engine/base/timer_wheel.h"
#include "engine/buffer/stream.h"
#include "engine/tcp/congestion.h"
#include "engine/tcp/loss.h"
#include "engine/tcp/path.h"
#include "engine/tcp/sack.h"
#include "engine/tcp/tally.h"
#include "engine/tcp/tcp.h"
#include "engine/tcp/tuning.h"
#include "engine/wire/tcp.h"
#include "engine/wire/tcp_options.h"
#include <errno.h>

enum tcp_kind { TCP_CONNECTION = 0, TCP_HALF_OPEN = 1, TCP_TIME_WAIT = 2 };
/* TCP_RECORDS: a listener's index fits a half-open record beside the shift that it offered. */
enum { TCP_RECORDS = (1 << 26) - 1 };
enum { TCP_KIND_SHIFT = 30, TCP_INDEX_MASK = (1 << 30) - 1 };

static inline uint32_t tcp_reference(enum tcp_kind kind, uint32_t index) {
    return (uint32_t)kind << TCP_KIND_SHIFT | index;
}
static inline enum tcp_kind tcp_kind_of(uint32_t reference) {
    return (enum tcp_kind)(reference >> TCP_KIND_SHIFT);
}
static inline uint32_t tcp_index_of(uint32_t reference) {
    return reference & TCP_INDEX_MASK;
}

enum tcp_connection_flags {
    TCP_F_OUTPUT = 1u << 0,  /* stands in tcp->output */
    TCP_F_EVENT = 1u << 1,   /* stands in tcp->events */
    TCP_F_ORPHAN = 1u << 2,  /* the application has closed it */
    TCP_F_IPV6 = 1u << 3,    /* opened with family 6 */
    TCP_F_NODELAY = 1u << 4, /* RFC 9293 MUST-17 */
    TCP_F_KEEPALIVE = 1u << 5,
    TCP_F_OOBINLINE = 1u << 6,
    TCP_F_TIMESTAMPS = 1u << 7,  /* negotiated */
    TCP_F_RCV_SHUT = 1u << 8,    /* shutdown(RD) */
    TCP_F_SND_SHUT = 1u << 9,    /* shutdown(WR) or close: a FIN follows the queued octets */
    TCP_F_ACK_NOW = 1u << 11,    /* an ACK is owed at once */
    TCP_F_WAS_FULL = 1u << 12,   /* the application met a full send buffer: tell it of room */
    TCP_F_IN_PORTS = 1u << 13,   /* its tuple is in the demultiplexer */
    TCP_F_CONNECTING = 1u << 14, /* a connect() has not been told its outcome yet */
    TCP_F_FIN_READ = 1u << 15,   /* the peer's FIN is in sequence: nothing more comes */
};

struct tcp_active;
struct tcp_extra;

struct tcp_connection {
    uint32_t self; /* its index; the pool's link while free */
    uint32_t generation;
    struct tuple tuple;
    uint16_t mss; /* octets of payload and options that one segment to the peer may hold: the peer's
                     MSS within our path's */
    uint16_t flags; /* enum tcp_connection_flags */
    uint64_t user;
    struct tcp_active *active;
    struct tcp_extra *extra;
    uint32_t snd_una, snd_nxt;
    uint32_t snd_wnd; /* octets, scaled */
    uint32_t snd_wl1; /* SEG.SEQ of the last window update */
    uint32_t rcv_nxt;
    uint32_t rcv_edge;   /* the right edge advertised last: never moves left (SHLD-14) */
    uint32_t ts_recent;  /* RFC 7323 TS.Recent */
    uint32_t last_heard; /* ms: when the last acceptable segment came; the age of ts_recent, of cwnd
                            and of silence */
    uint32_t ts_offset;  /* added to the clock of ms, keyed per tuple (RFC 7323 7.1) */
    uint32_t srtt;       /* us << 3; 0: no sample yet */
    uint32_t rttvar;     /* us << 2 */
    uint32_t cwnd, ssthresh; /* octets */
    uint8_t state : 4;       /* enum berth_tcp_state */
    uint8_t congestion : 2;  /* enum berth_congestion: what survives idleness of the algorithm */
    uint8_t ecn : 1;         /* both ends are capable of ECN (RFC 3168) */
    uint8_t sack : 1;        /* both ends permitted SACK (RFC 2018) */
    uint8_t scales; /* theirs (for snd_wnd) | ours << 4; until the peer's SYN: what ours offers */
    uint8_t interface : 5;
    uint8_t pingpong : 1;   /* requests and answers take turns: ACKs ride on them (Linux's word) */
    uint8_t unanswered : 1; /* octets came, and none were sent since */
    uint8_t events;         /* enum berth_event_bits not yet reported */
    struct timer_link
        timer; /* .kind holds the pending error (errno), for SO_ERROR: a connection has one timer */
};
_Static_assert(sizeof(struct tcp_connection) <= 144, "an idle connection's record");
_Static_assert(TCP_INTERFACES <= 32, "an interface fits its bits");

/* RFC 3168; see ecn.c. */
struct ecn_state {
    uint32_t reduced_at; /* snd_max when the window was reduced last */
    bool reduced;        /* the peer is to be told (CWR) */
    bool echo;           /* it is to be told of its octets' marks (ECE) */
};

/* See pacing.c. */
struct pacing {
    uint64_t at; /* ns: what was sent has left by then, at its rate */
    bool held;   /* octets wait for it */
};

/* One run of octets that arrived ahead of a gap. */
struct tcp_run {
    uint32_t seq;
    struct berth_part part;
};

struct tcp_active {
    uint32_t self;         /* its index in tcp->actives; the pool's link while free */
    struct stream send;    /* from snd_una on */
    struct stream receive; /* from the application's read position on */
    /* sending */
    uint32_t snd_max;       /* highest sequence number sent + 1 */
    uint32_t snd_wnd_max;   /* the largest window the peer has offered (SWS avoidance) */
    uint32_t recover;       /* RFC 6582 */
    uint32_t cwnd_seq;      /* with TCP_A_CWND_FULL: up to here cwnd was what held octets back */
    uint32_t rtt_seq;       /* the timed octet... */
    uint64_t rtt_at;        /* ...and when it was sent; 0: none timed */
    uint64_t rto_at;        /* retransmission or persist time, ns; 0: not running */
    uint64_t stalled_since; /* ns: when what is unacknowledged (or probed) was first sent; for R2
                               and the user timeout */
    uint64_t sent_at;       /* ns: the last segment with data */
    uint32_t push_seq;      /* PSH goes on the segment that ends here: the end of the last write */
    uint32_t small_seq;  /* the end of the last small segment (Nagle as Minshall changed it, as in
                            Linux) */
    uint32_t more_seq;   /* with TCP_A_MORE: what ends here may wait for more (MSG_MORE) */
    uint32_t urgent_seq; /* with TCP_A_SND_URGENT: just after the urgent octet */
    uint16_t dup_acks;
    uint8_t backoff, retransmits, probes;
    uint8_t
        resend; /* segments at snd_una to be retransmitted at once (fast retransmit, partial ACK) */
    uint16_t flags;      /* enum tcp_active_flags */
    uint16_t mss_before; /* while smaller segments are tried: the size to go back to; see path.c */
    uint16_t limited;    /* segments that limited transmit allows beyond cwnd (RFC 3042) */
    struct congestion_state congestion;
    struct loss loss; /* where SACK was negotiated */
    struct ecn_state ecn;
    struct pacing pacing;
    /* receiving */
    struct tcp_run *runs; /* out-of-order octets, by sequence number, none overlapping */
    uint32_t run_count, run_size, run_octets;
    struct tuning tuning;
    struct sack_said said;   /* of them, with TCP's option SACK */
    uint32_t last_ack_sent;  /* RFC 7323 Last.ACK.sent */
    uint32_t ack_octets;     /* received since, not yet acknowledged */
    uint64_t delayed_ack_at; /* ns; 0: none owed later */
    uint32_t rcv_urgent;     /* with TCP_A_RCV_URGENT: the sequence number of the urgent octet */
    uint32_t read_seq;       /* the sequence number of receive's first octet */
    uint32_t fin_seq;        /* with TCP_A_FIN_AHEAD: the peer's FIN came ahead of a gap */
    uint64_t retry_at;       /* ns: when to stand in a ring again that had no memory; 0 */
    uint64_t challenge_at;   /* ns: the next time a challenge ACK may be sent */
    struct tcp_tally tally;
    uint32_t charged;   /* octets counted in tcp->memory */
    uint8_t quick_acks; /* ACKs that still go at once: see receive.c */
    uint8_t keepalive_probes;
    uint8_t duplicates; /* bare ACKs owed for segments that came out of order, one each */
};

enum { TCP_QUICK_ACKS = 16 }; /* Linux's TCP_MAX_QUICKACKS */

enum tcp_active_flags {
    TCP_A_RECOVERY = 1u << 1, /* fast recovery (RFC 6582) */
    TCP_A_PERSIST = 1u << 2,  /* rto_at is the zero-window probe's */
    TCP_A_PROBE = 1u << 3,    /* a probe is to be sent at the next output */
    TCP_A_SND_URGENT = 1u << 4,
    TCP_A_RCV_URGENT = 1u << 5,
    TCP_A_FIN_AHEAD = 1u << 6,
    TCP_A_MORE = 1u << 7,
    TCP_A_KEEPALIVE = 1u << 8,   /* a keep-alive probe is to be sent at the next output */
    TCP_A_SOFT_ERROR = 1u << 10, /* soft_error holds an errno that a timeout will report */
    TCP_A_FORCE =
        1u
        << 0, /* the override timer fired: send what the window holds, however little (MUST-38) */
    TCP_A_CWND_FULL = 1u << 9,
    TCP_A_URGENT_READ = 1u << 11,  /* the urgent octet was read out of band */
    TCP_A_PUSHED = 1u << 12,       /* a segment with PSH came that is not acknowledged yet */
    TCP_A_PUSHED_TWICE = 1u << 13, /* another one */
};

struct tcp_listener {
    struct ring accept; /* indices of connections that wait for accept */
    uint32_t half_open; /* half-open records that name this listener */
    int backlog;
    uint64_t cookies_sent_at;                  /* ns: the last SYN cookie; 0: none yet */
    uint8_t cookie_shift, cookie_shift_before; /* that they offered last, and before it changed */
};

struct tcp_extra {
    uint32_t bind;               /* reference into the port table; 0 none */
    struct berth_endpoint bound; /* what bind() was given, port filled in */
    struct tcp_listener *listener;
    uint32_t
        options_set; /* bit i: option i (enum berth_option) was set, and its value is values[i] */
    int values[BERTH_V6ONLY + 1];
    int soft_error;
    struct path_search search;
    struct tcp_tally tally; /* of an idle connection */
};

struct tcp_half_open {
    uint32_t next; /* in the queue of its retry count; the pool's link while free */
    struct tuple tuple;
    uint32_t irs, iss;
    uint32_t ts_recent;     /* low bit kept; valid if timestamps */
    uint32_t listener : 26; /* index of its connection record; 0: dead, to be freed by its queue */
    uint32_t shift : 4;     /* of our windows, as the SYN-ACK offers it */
    uint32_t sack : 1;      /* the client's SYN permitted SACK, and we do */
    uint32_t ecn : 1;       /* the same with ECN */
    uint32_t due;           /* ms */
    uint16_t mss;           /* the peer's; 0: it named none */
    uint8_t scale;          /* the peer's shift and what else fits: see half_open.c */
    uint8_t state;          /* retries | interface << 3 */
};
_Static_assert(sizeof(struct tcp_half_open) <= 64, "a half-open record");

struct tcp_time_wait {
    uint32_t next; /* in the queue, oldest first; the pool's link while free */
    struct tuple tuple;
    uint32_t snd_nxt, rcv_nxt;
    uint32_t ts_recent, ts_offset;
    uint32_t due;           /* ms; 0: dead, to be freed by the queue */
    uint16_t window;        /* as last advertised on the wire */
    uint8_t timestamps : 1; /* were in use */
    uint8_t answered : 7;   /* when an empty segment was: see time_wait.c */
    uint8_t interface;
};
_Static_assert(sizeof(struct tcp_time_wait) <= 64, "a TIME-WAIT record");

/* An answer that belongs to no connection: RST to strangers, SYN-ACK of a half-open one, ACK of
 * TIME-WAIT, challenge. */
struct tcp_reply {
    struct tuple tuple; /* local is ours */
    uint32_t seq, ack;
    uint16_t flags, window;
    uint8_t interface, tos, ttl;
    bool has_timestamps;
    uint32_t ts_value, ts_echo;
    uint32_t half_open; /* the record whose SYN-ACK this is: options are made from it; 0 none */
    /* A SYN-ACK that is a cookie */
    uint16_t mss; /* 0: it is none */
    bool scaled, sack;
};
enum { TCP_REPLIES = 256 };

struct tcp_queue { /* FIFO of small records by `next`; the dead among them are not counted */
    uint32_t head, tail, count;
};

struct tcp {
    struct berth_host_config config;
    struct berth_counters *counters;
    struct random random;
    struct siphash_key isn_key, ts_key, flow_key, cookie_key;
    struct ports *ports;
    struct pool connections, half_opens, time_waits;
    struct pool actives;
    struct timer_wheel wheel;
    struct ring output, events;
    struct tcp_queue
        half_open_queues[8]; /* by retries: each has one duration, so each is in order of time */
    struct tcp_queue time_wait_queue;
    uint32_t sender, sender_turns; /* the connection whose segments are being pulled, and how many
                                      more it may give */
    struct tcp_reply replies[TCP_REPLIES];
    uint32_t reply_head, reply_count;
    struct tcp_interface interfaces[TCP_INTERFACES];
    uint64_t now;    /* ns, never goes back */
    uint64_t memory; /* octets of buffers held by all connections */
    uint32_t elder;  /* the highest generation before the host was reset */
};

static inline struct tcp_connection *tcp_at(const struct tcp *tcp, uint32_t index) {
    return pool_at(&tcp->connections, index);
}
/* Moves the clock on; time that goes back stands still. */
static inline void tcp_clock(struct tcp *tcp, uint64_t now) {
    if (now > tcp->now)
        tcp->now = now;
}
static inline uint32_t tcp_ms(const struct tcp *tcp) {
    return (uint32_t)(tcp->now / BERTH_MS);
}
/* The timestamp clock of a connection: ms plus its offset. */
static inline uint32_t tcp_ts_now(const struct tcp *tcp, const struct tcp_connection *c) {
    return tcp_ms(tcp) + c->ts_offset;
}
static inline uint32_t tcp_snd_max(const struct tcp_connection *c) {
    return c->active ? c->active->snd_max : c->snd_nxt;
}
static inline uint32_t tcp_flight(const struct tcp_connection *c) {
    return tcp_snd_max(c) - c->snd_una;
}
static inline int tcp_error(const struct tcp_connection *c) {
    return c->timer.kind;
}
/* The value of an option that was set, or `otherwise`. */
static inline int tcp_option(const struct tcp_connection *c, enum berth_option option,
                             int otherwise) {
    return c->extra && (c->extra->options_set >> option & 1) ? c->extra->values[option] : otherwise;
}

/* ---- connection.c: records and what hangs off them ---- */
/* A new record in CLOSED, its generation one higher; NULL when the limit or memory is reached. */
struct tcp_connection *connection_new(struct tcp *tcp, int family);
/* Frees the record and all that hangs off it: out of the demultiplexer, the port table, timers.
 * Rings skip what is free. */
void connection_free(struct tcp *tcp, struct tcp_connection *c);
/* The connection's active state, made if there is none; NULL when memory is out. */
struct tcp_active *connection_activate(struct tcp *tcp, struct tcp_connection *c);
struct tcp_extra *connection_extra(struct tcp *tcp, struct tcp_connection *c);
/* Gives `active` back if nothing needs it any more, and sets the timer to the earliest thing that
 * waits for time. Called once at the end of whatever changed a connection. */
void connection_settle(struct tcp *tcp, struct tcp_connection *c);
/* Its second half: sets the timer. */
void connection_wake(struct tcp *tcp, struct tcp_connection *c);
/* Drops streams, runs and active state at once. */
void connection_drop_active(struct tcp *tcp, struct tcp_connection *c);
/* Puts it into the output ring: it may have a segment to send. */
void connection_owes(struct tcp *tcp, struct tcp_connection *c);
/* Tells the application (unless it has closed the socket). */
void connection_raise(struct tcp *tcp, struct tcp_connection *c, unsigned bits);
/* The end by an error (0: none): buffers dropped, out of the demultiplexer, state CLOSED,
 * BERTH_ERROR|BERTH_CLOSED raised; an orphan is freed. */
void connection_abort(struct tcp *tcp, struct tcp_connection *c, int error);
/* The MSS to advertise for an interface: MTU less IP and TCP headers (RFC 9293 MUST-67). */
uint16_t connection_mss_for(const struct tcp *tcp, unsigned interface, bool v4);
/* Octets of a segment's header that the timestamps option takes, with its padding. */
enum { TCP_TIMESTAMPS = 12 };
static inline uint32_t connection_timestamps_length(const struct tcp_connection *c) {
    return c->flags & TCP_F_TIMESTAMPS ? TCP_TIMESTAMPS : 0;
}
/* Octets of payload in a full segment (RFC 6691): never 0, for mss is 48 at the least. */
static inline uint32_t connection_payload_most(const struct tcp_connection *c) {
    return c->mss - connection_timestamps_length(c);
}
/* Sets mss, scales (which hold our offer), timestamps, cwnd and the edge from what both SYNs said.
 * options: the peer's. agreed: those that our SYN-ACK has taken up; else our settings are asked. */
void connection_negotiate(struct tcp *tcp, struct tcp_connection *c,
                          const struct tcp_options *options, bool agreed);

/* ---- input.c and its steps (the lead) ---- */
enum tcp_verdict {
    TCP_CONTINUE,
    TCP_DROP, /* nothing more of this segment counts */
    TCP_GONE, /* and the connection has been freed */
};
/* A segment for a connection in SYN-RECEIVED (active) or a synchronized state. May free it. */
void connection_input(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment,
                      const struct tcp_options *options);
/* Answers what is not acceptable, at most every 500 ms a connection (RFC 5961 section 7). */
void ack_challenge(struct tcp *tcp, struct tcp_connection *c);
enum tcp_verdict ack_process(struct tcp *tcp, struct tcp_connection *c,
                             const struct tcp_segment *segment, const struct tcp_options *options);
void ack_window(struct tcp_connection *c, const struct tcp_segment *segment);
enum tcp_verdict receive_payload(struct tcp *tcp, struct tcp_connection *c,
                                 const struct tcp_segment *segment);
void receive_urgent(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment);
enum tcp_verdict receive_fin(struct tcp *tcp, struct tcp_connection *c,
                             const struct tcp_segment *segment);
/* The peer's window may be small: so many ACKs go at once (Linux's tcp_enter_quickack_mode). */
void receive_quicken(struct tcp_connection *c, unsigned acks);
/* What TCP_QUICKACK says (1: the same; 0: ACKs wait for an answer to ride on). */
void receive_set_quick(struct tcp *tcp, struct tcp_connection *c, bool quick);
/* The application has read all there was: does it set an ACK off? */
bool receive_read_acks(const struct tcp_connection *c);
/* Drops out-of-order runs: under memory pressure, at the end. */
void receive_drop_runs(struct tcp *tcp, struct tcp_active *a);

/* ---- output.c, window.c ---- */
/* The next segment that the connection may send now; false when there is none. */
bool connection_output(struct tcp *tcp, struct tcp_connection *c, struct tcp_emit *emit);
/* The window to advertise, octets from rcv_nxt on (RFC 9293 3.8.6.2.2, never left of rcv_edge). */
uint32_t window_to_offer(const struct tcp *tcp, const struct tcp_connection *c);
/* True if reading has opened the window enough to be told (MUST-39). */
bool window_update_due(const struct tcp *tcp, const struct tcp_connection *c);

/* ---- ecn.c ---- */
/* A SYN asks for ECN, and we do it. */
bool ecn_asked(const struct tcp *tcp, const struct tcp_segment *segment);
/* What our SYN says of it. */
uint16_t ecn_syn_flags(const struct tcp *tcp, const struct tcp_connection *c);
/* The SYN,ACK that answers our SYN agrees. */
bool ecn_agreed(const struct tcp *tcp, const struct tcp_segment *segment);
/* An acceptable segment: its mark, and whether it ends our echo. */
void ecn_receive(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment);
/* The same, before its ACK is looked at: does it echo a mark of ours? */
void ecn_echoed(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment);
/* The congestion window was reduced, for whatever reason. */
void ecn_reduced(struct tcp_connection *c);
/* Marks a segment that is about to go; fresh: its octets go for the first time. */
void ecn_mark(struct tcp_connection *c, struct tcp_emit *emit, bool fresh);

/* ---- pacing.c ---- */
/* Octets a second that cwnd asks for; 0: no round trip has been measured. */
uint64_t pacing_wish(const struct tcp_connection *c);
/* True if new octets are to wait. */
bool pacing_holds(const struct tcp *tcp, struct tcp_connection *c);
/* The octets that one segment may carry, of `most`. */
uint32_t pacing_most(const struct tcp_connection *c, uint32_t most, uint32_t mss);
/* So many went. */
void pacing_sent(const struct tcp *tcp, struct tcp_connection *c, uint32_t octets);

/* ---- transfer.c ---- */
/* Octets that the application has written and that were not sent yet. */
static inline uint32_t connection_unsent(const struct tcp_connection *c) {
    uint32_t ahead = c->snd_nxt - c->snd_una, held = c->active ? c->active->send.length : 0;
    return held > ahead ? held - ahead : 0;
}
/* Octets that it may write now. */
uint32_t transfer_room(const struct tcp *tcp, const struct tcp_connection *c);
/* Tells it, if it found no room, of what has become free. */
void transfer_tell_of_room(struct tcp *tcp, struct tcp_connection *c);

/* ---- rtt.c, recovery.c, timers.c ---- */
void rtt_sample(struct tcp *tcp, struct tcp_connection *c, uint64_t rtt);
uint64_t rtt_rto(const struct tcp *tcp, const struct tcp_connection *c); /* ns, backoff included */
/* When the retransmission timer that is started now expires: after the RTO, or when the user
 * timeout ends. */
uint64_t rtt_expiry(const struct tcp *tcp, const struct tcp_connection *c);
void rtt_after_lost_syn(struct tcp_connection *c);
void recovery_dup_ack(struct tcp *tcp, struct tcp_connection *c);
void recovery_new_ack(struct tcp *tcp, struct tcp_connection *c, uint32_t ack, uint32_t acked);
void recovery_timeout(struct tcp *tcp, struct tcp_connection *c);
/* All in flight counts as never sent, and recovery is over. */
void recovery_go_back(struct tcp *tcp, struct tcp_connection *c);
void timers_fire(struct tcp *tcp, struct tcp_connection *c);
/* When the connection wants to be looked at next, ns; BERTH_NEVER. */
uint64_t timers_next(const struct tcp *tcp, const struct tcp_connection *c);
/* When its cwnd, beyond the initial one, has not been used for an RTO (RFC 5681 4.1), or for
 * another one; BERTH_NEVER. */
uint64_t timers_rest_at(const struct tcp *tcp, const struct tcp_connection *c);

/* ---- handshake: isn.c, reply.c, listen.c, half_open.c, syn_sent.c, time_wait.c ---- */
/* RFC 6528: clock of 4 us plus a keyed hash of the four numbers. */
uint32_t isn_of(const struct tcp *tcp, const struct tuple *tuple);
uint32_t isn_ts_offset(const struct tcp *tcp, const struct tuple *tuple);
/* Queues an answer; when the ring is full the oldest is dropped. */
void reply_queue(struct tcp *tcp, const struct tcp_reply *reply);
/* The RST that RFC 9293 3.10.7.1 prescribes for a segment without a connection (none for a RST). */
void reply_reset(struct tcp *tcp, const struct tcp_segment *segment);
/* The oldest answer as a segment; false when there is none. */
bool reply_emit(struct tcp *tcp, struct tcp_emit *emit);
/* A RST for a live connection: SEQ = SND.NXT, ACK = RCV.NXT. */
void reply_abort(struct tcp *tcp, const struct tcp_connection *c);
/* A segment for a listener (3.10.7.2): makes a half-open record, or answers with RST. */
void listen_input(struct tcp *tcp, struct tcp_connection *listener,
                  const struct tcp_segment *segment, const struct tcp_options *options);
/* A segment for a half-open record: completes it into a connection on the listener's accept queue
 * and hands the segment on to connection_input. */
void half_open_input(struct tcp *tcp, uint32_t index, const struct tcp_segment *segment,
                     const struct tcp_options *options);
/* TCP_DEFER_ACCEPT's seconds as retransmissions of a SYN-ACK, and back, as Linux counts them. */
unsigned half_open_deferrals(int seconds);
int half_open_defer_seconds(unsigned deferrals);
/* Forgets all half-open records of a listener that closes. */
void half_open_forget(struct tcp *tcp, const struct tcp_connection *listener);
void half_open_advance(struct tcp *tcp);
uint64_t half_open_deadline(const struct tcp *tcp); /* ns */
void half_open_icmp(struct tcp *tcp, uint32_t index, uint32_t seq, bool hard);
/* A segment in SYN-SENT (3.10.7.3). May free the connection. */
void syn_sent_input(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment,
                    const struct tcp_options *options);
/* The connection enters TIME-WAIT: its four numbers become a small record's, which acknowledges
 * what is owed. What the application still holds is CLOSED with what it has not read, as on Linux;
 * an orphan is freed. Enforces the bound. */
void time_wait_enter(struct tcp *tcp, struct tcp_connection *c);
void time_wait_input(struct tcp *tcp, uint32_t index, const struct tcp_segment *segment,
                     const struct tcp_options *options);
void time_wait_advance(struct tcp *tcp);
uint64_t time_wait_deadline(const struct tcp *tcp); /* ns */
/* A connect() of ours wants the four numbers: the record makes way if timestamps keep old segments
 * out (RFC 6191; Linux's tcp_tw_reuse). *floor: the new ISN lies at or above it. */
bool time_wait_reuse(struct tcp *tcp, uint32_t index, uint32_t *floor);

#endif
