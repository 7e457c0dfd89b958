/* What a receiving call gives its program: octets, an address, control data, flags. */
#ifndef TOOL_DAEMON_RECEIPT_H
#define TOOL_DAEMON_RECEIPT_H

#include "tool/daemon/conduit.h"
#include "tool/daemon/message.h"

struct control {
    uint8_t data[192];
    size_t length, room; /* at most this much, as Linux's put_cmsg() cuts it: */
    bool cut;
};

struct receipt {
    const uint8_t *data;
    size_t length;
    struct berth_datagram meta;
    struct timespec arrived;
    struct control control;
    int family;
    int flags; /* more of those that recvmsg says */
};

/* The control data that the program has asked for by options, as far as the message has room. */
void receipt_control(struct receipt *receipt, const struct conduit *conduit,
                     const struct message *message);
/* All but the octets, of a report that MSG_ERRQUEUE is answered with. */
void receipt_of_report(struct receipt *receipt, const struct conduit *conduit,
                       const struct message *message, const struct berth_error_report *report);
/* Writes it into the program's memory; returns what the call shall return. */
long receipt_write(const struct message *message, struct reach *reach, pid_t thread, int number,
                   const struct receipt *receipt);

#endif
