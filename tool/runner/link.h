/* What the job (the process that the shell knows) and the guard of its program say to each other,
 * over a SOCK_SEQPACKET pair. The pair also tells each of them when the other has died. */
#ifndef TOOL_RUNNER_LINK_H
#define TOOL_RUNNER_LINK_H

#include <stdint.h>

enum link_kind {
    /* guard to job */
    LINK_STARTED = 1, /* the program runs (sent to a detached job only) */
    LINK_STOPPED,     /* the job will be stopped; serial: which stop */
    LINK_ENDED, /* value: exit code, or minus the signal; serial: 1 when no other process is left */
    LINK_FAILED, /* it could not be run, or was ended by force; text says why */
    LINK_NOTE,   /* text for the person */
    /* job to guard */
    LINK_SIGNAL,   /* value: a signal for the program */
    LINK_CONTINUED /* the job goes on; serial: the last stop it heard of */
};

struct link_message {
    uint32_t kind;
    int32_t value;
    uint32_t serial;
    char text[500]; /* NUL-terminated */
};

/* 0 or a negative errno. The link is never waited for: what does not fit is dropped with -EAGAIN. A
 * note does not wait for a job that does not read (it may be stopped): it is dropped with -EAGAIN,
 * in time to leave room for what matters. */
int link_send(int fd, enum link_kind kind, int value, uint32_t serial, const char *text);
/* 1 for a message; 0 when the other side is gone; or a negative errno. */
int link_receive(int fd, struct link_message *message);

#endif
