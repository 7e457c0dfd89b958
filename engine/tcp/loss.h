/* Loss recovery where SACK was negotiated: what it remembers, and who calls what of it.
 *
 *   output.c -> loss_sent, loss_room, loss_next      ack.c -> loss_hear, loss_act
 *   timers.c -> loss_due, loss_timeout               the rest -> loss_drop, loss_reset */
#ifndef ENGINE_TCP_LOSS_H
#define ENGINE_TCP_LOSS_H

#include "engine/tcp/congestion.h"
#include "engine/tcp/score.h"
#include "engine/wire/tcp_options.h"

enum loss_flags {
    LOSS_TIMEOUT = 1 << 0,    /* a retransmission timeout is being recovered from */
    LOSS_FRTO = 1 << 1,       /* ...and may have been spurious (RFC 5682) */
    LOSS_REORDERED = 1 << 2,  /* RACK.reordering_seen */
    LOSS_ROUND = 1 << 3,      /* dsack_round holds */
    LOSS_REORDER = 1 << 4,    /* timer_at is RACK's reordering timer, not the probe timeout */
    LOSS_PROBE_DUE = 1 << 5,  /* a tail loss probe is to be sent at the next output */
    LOSS_PROBE = 1 << 6,      /* one is out: TLP.end_seq holds */
    LOSS_PROBE_COPY = 1 << 7, /* ...and it is of what was sent before: TLP.is_retrans */
    LOSS_UNDO = 1 << 8,       /* undo_* hold */
    LOSS_UNDO_TS = 1 << 9,    /* and undo_ts: something was sent again */
};

struct loss {
    struct score score;
    uint16_t flags; /* enum loss_flags */
    uint8_t mult;   /* RACK.reo_wnd_mult less 1 */
    uint8_t persist;
    uint32_t min_rtt; /* us; 0: none yet */
    uint64_t sent_at; /* ns: when something was sent last, and where that ended... */
    uint32_t sent_end;
    uint64_t at;                                 /* RACK.xmit_ts; 0: nothing was delivered yet */
    uint64_t rtt;                                /* RACK.rtt, ns */
    uint32_t end;                                /* RACK.end_seq */
    uint32_t fack;                               /* RACK.fack */
    uint32_t dsack_round;                        /* RACK.dsack_round */
    uint32_t probe_end;                          /* TLP.end_seq */
    uint64_t timer_at;                           /* ns; 0: neither is set */
    uint32_t prr_delivered, prr_out, prr_flight; /* RFC 6937 */
    uint32_t undo_una, undo_cwnd, undo_ssthresh; /* as it was when this recovery began */
    uint32_t undo_end; /* once it is over: when this is acknowledged it is too late for D-SACKs */
    uint32_t undo_octets; /* sent again in it, and not reported as duplicates */
    uint32_t undo_ts;     /* the timestamp of the first of them */
    struct congestion_state undo_congestion;
};

/* What one ACK says, between loss_hear and loss_act. */
struct loss_news {
    struct score_news score;
    uint32_t una; /* before it */
    bool sack;    /* it has SACK blocks */
    bool dsack;   /* the first reports a duplicate... */
    uint32_t dsack_left, dsack_right;
    bool eifel; /* it moves SND.UNA, and echoes a time before anything was sent again */
};

/* ---- loss.c ---- */
/* True if this is how the connection recovers: else it is NewReno (recovery.c). */
bool loss_is_used(const struct tcp_connection *c);
/* Octets up to `end` were sent, from seq on; fresh: for the first time. */
void loss_sent(struct tcp *tcp, struct tcp_connection *c, uint32_t seq, uint32_t end, bool fresh);
/* Octets that cwnd allows in the network beside those that are there (RFC 6675 section 5, C). */
uint32_t loss_room(const struct tcp_connection *c);
/* The next octets to be sent again, [*seq, *end), if the windows allow; false: none now. */
bool loss_next(struct tcp_connection *c, uint32_t *seq, uint32_t *end);
/* An acceptable ACK at or above SND.UNA, before anything of it has been done... */
void loss_hear(struct tcp *tcp, struct tcp_connection *c, uint32_t ack,
               const struct tcp_options *options, struct loss_news *news);
/* ...and after SND.UNA has moved. */
void loss_act(struct tcp *tcp, struct tcp_connection *c, const struct loss_news *news);
/* A retransmission timeout. */
void loss_timeout(struct tcp *tcp, struct tcp_connection *c);
/* The reordering timer or the probe timeout has come. */
void loss_due(struct tcp *tcp, struct tcp_connection *c);
/* All that is known of what is in flight is forgotten, and recovery is over. */
void loss_reset(struct tcp *tcp, struct tcp_connection *c);

/* ---- rack.c: RFC 8985 section 6 ---- */
/* What was delivered says what is lost. Returns octets newly lost; sets the reordering timer if
 * more may become so. */
uint32_t rack_detect(struct tcp *tcp, struct tcp_connection *c);
void rack_hear(struct tcp *tcp, struct tcp_connection *c, const struct loss_news *news);
/* A recovery has ended. */
void rack_recovered(struct loss *l);
/* A timeout marks what must be lost. */
void rack_timeout(struct tcp *tcp, struct tcp_connection *c);

/* ---- tlp.c: RFC 8985 section 7 ---- */
/* Sets the probe timeout if what is in flight asks for it. */
void tlp_arm(struct tcp *tcp, struct tcp_connection *c);
void tlp_due(struct tcp *tcp, struct tcp_connection *c);
/* Where the last segment's octets begin, which a probe repeats. */
uint32_t tlp_last(const struct tcp_connection *c);
void tlp_sent(struct tcp *tcp, struct tcp_connection *c, bool fresh);
void tlp_hear(struct tcp *tcp, struct tcp_connection *c, const struct loss_news *news);

/* ---- undo.c ---- */
/* A recovery begins: what it will change is remembered. */
void undo_begin(struct tcp_connection *c);
void undo_resent(struct tcp *tcp, struct tcp_connection *c, uint32_t length);
/* True if the ACK shows that this recovery was for nothing; then all is as before it. */
bool undo_try(struct tcp *tcp, struct tcp_connection *c, const struct loss_news *news);

#endif
