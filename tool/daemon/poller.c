#define _GNU_SOURCE
#include "tool/daemon/poller.h"

#include <errno.h>
#include <sys/epoll.h>

int poller_open(int *poller) {
    *poller = epoll_create1(EPOLL_CLOEXEC);
    return *poller < 0 ? -errno : 0;
}

static int poller_control(int poller, int operation, struct poll_source *source) {
    struct epoll_event event = {.events = source->events, .data.ptr = source};
    return epoll_ctl(poller, operation, source->fd, &event) < 0 ? -errno : 0;
}

int poller_add(int poller, struct poll_source *source) {
    return poller_control(poller, EPOLL_CTL_ADD, source);
}

int poller_change(int poller, struct poll_source *source, uint32_t events) {
    if (source->events == events)
        return 0;
    source->events = events;
    return poller_control(poller, EPOLL_CTL_MOD, source);
}

void poller_remove(int poller, struct poll_source *source) {
    epoll_ctl(poller, EPOLL_CTL_DEL, source->fd, &(struct epoll_event){.events = 0});
}

int poller_step(int poller, int milliseconds) {
    struct epoll_event event;
    int count = epoll_wait(poller, &event, 1, milliseconds);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    if (count == 1) {
        struct poll_source *source = event.data.ptr;
        source->ready(source, event.events);
    }
    return 0;
}
