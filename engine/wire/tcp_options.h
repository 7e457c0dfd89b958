/* TCP options (RFC 9293 section 3.2, RFC 7323, RFC 2018): parsed from any segment, at any
 * alignment. */
#ifndef ENGINE_WIRE_TCP_OPTIONS_H
#define ENGINE_WIRE_TCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcp_options {
    bool has_mss, has_wscale, has_timestamps, sack_permitted;
    uint16_t mss;
    uint8_t wscale; /* as sent; RFC 7323 2.3: more than 14 counts as 14 */
    uint32_t ts_value, ts_echo;
    uint8_t sack_count; /* blocks, 0..4 */
    struct {
        uint32_t left, right;
    } sack[4];
};

/* Unknown options are skipped (MUST-6); an impossible length ends the parse (MUST-7) and gives
 * -EINVAL, what came before it stays. `syn`: MSS, window scale and SACK-permitted count only there
 * (MUST-65). */
int tcp_options_parse(const uint8_t *data, size_t length, bool syn, struct tcp_options *options);
/* Writes what is set, in Linux's order and padding: mss, sackOK, timestamps, nop, wscale in a SYN;
 * nop nop timestamps otherwise (nop nop sack after it). Returns octets, a multiple of 4, at
 * most 40. */
size_t tcp_options_write(uint8_t to[40], const struct tcp_options *options);

#endif
