/* What a connection counts for TCP_INFO and `ss -i`. It stands in `active`, and so is forgotten by
 * an idle connection, unless it has a struct tcp_extra or the host is to make one for this
 * (tcp_keep_tallies): the record of an idle connection has no room for it. */
#ifndef ENGINE_TCP_TALLY_H
#define ENGINE_TCP_TALLY_H

#include <stdbool.h>
#include <stdint.h>

struct tcp;
struct tcp_connection;
struct tcp_segment;
struct berth_tcp_info;

/* What keeps octets that were written from being acknowledged. */
enum tally_hold {
    TALLY_IDLE,   /* there are none */
    TALLY_BUSY,   /* the network, and we */
    TALLY_WINDOW, /* the peer's window */
    TALLY_BUFFER, /* the application found no room for more, and all is sent */
    TALLY_HOLDS
};

struct tcp_tally {
    uint64_t bytes_sent, bytes_resent, bytes_acked, bytes_received;
    /* As on the wire: a large frame is as many as it becomes there. */
    uint32_t segments_out, segments_in, data_out, data_in;
    uint32_t resent;                     /* segments */
    uint32_t out_of_order;               /* segments that came so */
    uint32_t dsacks;                     /* duplicates that the peer has told of */
    uint32_t longest;                    /* octets of data in the longest segment that came */
    uint32_t min_rtt;                    /* us, from before it was idle; 0: no sample */
    uint32_t receive_rtt, receive_space; /* of struct tuning, from before it was idle */
    uint32_t sent_ms, received_ms;       /* data; 0: never */
    uint64_t held[TALLY_HOLDS];          /* ns of each... */
    uint64_t held_since;                 /* ...up to here */
    uint64_t rate;       /* octets a second that were delivered in a round trip... */
    uint64_t rate_from;  /* ...since so many were acknowledged */
    uint32_t marked;     /* segments whose ACK echoed a mark (ECN) */
    uint32_t reordered;  /* times that octets came after later ones */
    uint16_t reordering; /* segments that they were late by at most; 0: Linux's usual 3 */
    bool ecn_seen;       /* a segment that came could have been marked */
    uint8_t hold;        /* enum tally_hold */
    bool rate_limited;   /* it is no more for the application gave no more */
    bool round_limited;  /* the same of the round trip that is being timed */
};

/* A segment with `octets` of data went, in pieces of `mss`; fresh: for the first time. */
void tally_sent(struct tcp *tcp, struct tcp_connection *c, uint32_t octets, uint32_t mss,
                bool fresh);
/* An acceptable segment came. */
void tally_heard(struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment);
/* A round trip begins to be timed, or ends with so many octets newly acknowledged. */
void tally_round_begins(struct tcp_connection *c);
void tally_round_ends(struct tcp *tcp, struct tcp_connection *c, uint32_t acked);
/* That is what holds octets back now. */
void tally_hold(const struct tcp *tcp, struct tcp_connection *c, enum tally_hold hold);
/* Some came so many octets late. */
void tally_reordered(struct tcp_connection *c, uint32_t octets);
/* So many octets were acknowledged; all: nothing is left. */
void tally_acked(struct tcp *tcp, struct tcp_connection *c, uint32_t octets, bool all);
/* The connection becomes idle, or busy again. */
void tally_keep(struct tcp *tcp, struct tcp_connection *c);
void tally_restore(struct tcp_connection *c);
/* What of it is told. */
void tally_tell(const struct tcp *tcp, const struct tcp_connection *c, struct berth_tcp_info *info);

#endif
