/* Sockets in the states that a program may bring one to. */
#ifndef TEST_EXACT_STATES_H
#define TEST_EXACT_STATES_H

#include "test/exact/exact.h"

/* fd is the one that a call is tried on; the others are what holds it in its state. */
struct scene {
    int fd, other, third;
    int port;  /* of the peer, or of a listener nearby */
    bool busy; /* what a call sends may be answered a little later */
};

struct state {
    const char *name;
    void (*make)(struct scene *scene);
};

extern const struct state states[];
extern const size_t state_count;

void scene_close(struct scene *scene);

#endif
