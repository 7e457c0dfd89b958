/* The control half's wait: descriptors and what to do when they are ready, one at a time.
 *
 * One event a step: so a source may be removed, or freed, in any other's callback, and epoll's own
 * queue keeps them in turn. */
#ifndef TOOL_DAEMON_POLLER_H
#define TOOL_DAEMON_POLLER_H

#include <stdint.h>

struct poll_source {
    int fd;
    uint32_t events; /* EPOLLIN and so on; level-triggered */
    void (*ready)(struct poll_source *source, uint32_t events);
};

/* All return 0 or a negative errno. */
int poller_open(int *poller);
int poller_add(int poller, struct poll_source *source);
/* Waits for other events than before. */
int poller_change(int poller, struct poll_source *source, uint32_t events);
/* Stops watching; closes nothing. */
void poller_remove(int poller, struct poll_source *source);
/* Waits for one event at most `milliseconds` (-1: as long as it takes) and has it dealt with. */
int poller_step(int poller, int milliseconds);

#endif
