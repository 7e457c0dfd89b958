/* Congestion control behind one interface: NewReno is the first; CUBIC and BBR fit it.
 *
 * All counts are octets, times ns. The connection's cwnd and ssthresh are what an algorithm sets;
 * recovery (which segments are lost) is not its business. */
#ifndef ENGINE_TCP_CONGESTION_H
#define ENGINE_TCP_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

struct tcp;
struct tcp_connection;

/* What an algorithm remembers while the connection is busy. */
union congestion_state {
    struct {
        uint32_t acked; /* octets acknowledged toward the next increase (RFC 3465) */
    } newreno;
    uint64_t words[8]; /* room for algorithms to come */
};

struct congestion_algorithm {
    const char *name; /* as TCP_CONGESTION names it */
    /* The connection is established: sets the initial window (RFC 6928). syn_lost: our SYN was
     * retransmitted. */
    void (*start)(const struct tcp *tcp, struct tcp_connection *c, bool syn_lost);
    /* `acked` octets were newly acknowledged outside recovery; limited: the sender did not fill its
     * window (RFC 7661). */
    void (*on_ack)(const struct tcp *tcp, struct tcp_connection *c, uint32_t acked, bool limited);
    /* Loss found by duplicate ACKs with `flight` octets outstanding: sets ssthresh. */
    void (*on_loss)(const struct tcp *tcp, struct tcp_connection *c, uint32_t flight);
    /* Recovery is over. */
    void (*on_recovered)(const struct tcp *tcp, struct tcp_connection *c, uint32_t flight);
    /* A retransmission timeout; first: not a repeated one of the same segment. */
    void (*on_timeout)(const struct tcp *tcp, struct tcp_connection *c, uint32_t flight,
                       bool first);
    /* Nothing was sent for longer than the RTO (RFC 5681 4.1). */
    void (*on_idle)(const struct tcp *tcp, struct tcp_connection *c);
};

extern const struct congestion_algorithm congestion_newreno;

/* The algorithm of a connection. */
const struct congestion_algorithm *congestion_of(const struct tcp_connection *c);
/* RFC 6928: min(10 MSS, max(2 MSS, 14600)), the 10 settable. */
uint32_t congestion_initial_window(const struct tcp *tcp, const struct tcp_connection *c);

#endif
