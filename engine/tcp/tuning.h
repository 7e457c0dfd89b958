/* How large a connection's buffers are: they tune themselves, as Linux's do. See tuning.c. */
#ifndef ENGINE_TCP_TUNING_H
#define ENGINE_TCP_TUNING_H

#include <stdbool.h>
#include <stdint.h>

struct tcp;
struct tcp_connection;
struct tcp_segment;
struct tcp_options;

/* What a busy connection knows of how fast its application reads. */
struct tuning {
    uint32_t buffer;   /* octets, as SO_RCVBUF counts them, where that is not set */
    uint32_t clamp;    /* the window opens so far: Linux's rcv_ssthresh */
    uint32_t space;    /* octets that were read in a receive RTT; ss's rcv_space */
    uint32_t seq;      /* the application's read position when this RTT began... */
    uint64_t since;    /* ...and when that was */
    uint32_t rtt;      /* receive RTT, us << 3; 0: no sample yet */
    uint32_t rtt_seq;  /* without timestamps: one has passed when this is received... */
    uint64_t rtt_from; /* ...counted from here; 0: not yet */
    uint32_t echo;     /* with them: the echo that was looked at last */
    uint64_t until;    /* ns: what was learned is kept so long; 0: nothing was */
};

/* The connection has become busy, or has heard the peer's SYN. */
void tuning_begin(const struct tcp *tcp, struct tcp_connection *c);
/* A segment with octets is about to be taken. options: its own. */
void tuning_echo(const struct tcp *tcp, struct tcp_connection *c, const struct tcp_segment *segment,
                 const struct tcp_options *options);
/* Octets of it were in order. */
void tuning_heard(const struct tcp *tcp, struct tcp_connection *c,
                  const struct tcp_segment *segment);
/* The application has read. */
void tuning_read(const struct tcp *tcp, struct tcp_connection *c);
/* The window may open further for what that segment has brought. */
void tuning_grow(const struct tcp *tcp, struct tcp_connection *c,
                 const struct tcp_segment *segment);

/* The buffers' sizes of now, octets as SO_SNDBUF and SO_RCVBUF tell them. */
uint32_t tuning_send_buffer(const struct tcp *tcp, const struct tcp_connection *c);
uint32_t tuning_receive_buffer(const struct tcp *tcp, const struct tcp_connection *c);
/* Octets of the stream that they hold: less under memory pressure. */
uint32_t tuning_send_limit(const struct tcp *tcp, const struct tcp_connection *c);
uint32_t tuning_receive_limit(const struct tcp *tcp, const struct tcp_connection *c);
/* How far the window may be open. */
uint32_t tuning_clamp(const struct tcp *tcp, const struct tcp_connection *c);
/* The window that a SYN offers; options: what a full segment to us has of them. */
uint32_t tuning_first_window(const struct tcp *tcp, const struct tcp_connection *c, uint32_t mss,
                             uint32_t options);
/* The window shift that the largest receive buffer asks for (0..14). */
uint8_t tuning_scale(const struct tcp *tcp);
/* The scales of a connection that offers such a shift, or (false) none. The offer is kept, for the
 * largest buffer may change before the answer comes. */
static inline uint8_t tuning_offer(bool scales, unsigned shift) {
    return scales ? (uint8_t)(15 | shift << 4) : 0;
}

#endif
