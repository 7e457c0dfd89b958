/* The size of a connection's segments, as its path allows; see path.c. Sizes are as in
 * tcp_connection.mss. */
#ifndef ENGINE_TCP_PATH_H
#define ENGINE_TCP_PATH_H

#include <stdbool.h>
#include <stdint.h>

struct tcp;
struct tcp_connection;

/* Where segments became smaller than was agreed upon: the search for a larger size. */
struct path_search {
    uint16_t most;    /* what was agreed upon; 0: there is nothing to be searched for */
    uint16_t refused; /* the least that did not arrive */
    uint16_t next;    /* to be tried next... */
    uint32_t at;      /* ...not before this time, ms */
    uint16_t probe;   /* is being tried, by one segment; 0: none is */
    bool again;       /* without SACK: its octets go again */
    uint32_t seq, end;
};

/* What was agreed upon with the peer: tcp_mtu_probing 2 begins below it. */
void path_start(struct tcp *tcp, struct tcp_connection *c);
/* A router says what its next hop carries. */
void path_shrink(struct tcp *tcp, struct tcp_connection *c, uint32_t mtu);
/* The retransmission timer has expired again: are the segments too large? True if their size
 * changed. */
bool path_doubt(struct tcp *tcp, struct tcp_connection *c);
/* A larger size to be tried by the next segment, of `waiting` new octets of which the peer's window
 * takes `offered`; 0: none. */
uint16_t path_wants(struct tcp *tcp, struct tcp_connection *c, uint32_t waiting, uint32_t offered);
/* Octets [seq, end) went as one such segment. */
void path_tried(struct tcp_connection *c, uint32_t seq, uint32_t end);
/* SND.UNA has moved. */
void path_acked(struct tcp *tcp, struct tcp_connection *c);
/* Octets from seq on are sent again. */
void path_resent(const struct tcp *tcp, struct tcp_connection *c, uint32_t seq);
/* Without SACK, the third duplicate ACK: true if it says that such a segment is missing, whose
 * octets then go again, at no cost to cwnd. */
bool path_missed(struct tcp *tcp, struct tcp_connection *c);
/* So many octets have been found lost: true if they are those of such a segment and no others. */
bool path_lost(const struct tcp *tcp, struct tcp_connection *c, uint32_t octets);

#endif
