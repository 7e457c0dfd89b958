/* Ports of a switch whose other end is a device of the machine: frames are read from and written to
 * its descriptor. */
#define _GNU_SOURCE
#include "tool/daemon/server_state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FRAME_MAX = 65536 + 64, BATCH = 16, RECEIVES = 64 };

int server_add_outside(struct server *server, int outside_port, int fd) {
    uint64_t now = server_enter(server);
    int index = server->outside_count;
    int r = index < OUTSIDE_MAX ? 0 : -ENOSPC;
    if (r == 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
        r = -errno;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = EPOLL_OUTSIDE + (uint64_t)index};
    if (r == 0 && epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        r = -errno;
    if (r == 0)
        server->outside[server->outside_count++] = (struct outside){outside_port, fd};
    else
        close(fd);
    server_leave(server, now);
    return r;
}

void outside_receive(struct server *server, int index, uint64_t now) {
    struct berth_frame frame;
    uint8_t data[FRAME_MAX];
    if (index >= server->outside_count)
        return;
    const struct outside *outside = &server->outside[index];
    for (int i = 0; i < RECEIVES; i++) {
        ssize_t n = read(outside->fd, data, sizeof data);
        if (n <= 0)
            return;
        if (berth_frame_from_bytes(&frame, berth_allocator_default(), data, (size_t)n) < 0)
            continue;
        berth_network_outside_input(server->network, outside->port, &frame, 1, now);
        berth_frame_clear(&frame);
        server->counters.frames++;
    }
}

static void frame_write(int fd, const struct berth_frame *frame) {
    struct iovec vectors[1 + BERTH_FRAME_PARTS];
    vectors[0] = (struct iovec){(void *)(uintptr_t)frame->header, frame->header_length};
    for (int i = 0; i < frame->part_count; i++)
        vectors[i + 1] =
            (struct iovec){(void *)(uintptr_t)frame->parts[i].data, frame->parts[i].length};
    /* A device whose queue is full loses the frame, as a wire would. */
    ssize_t ignored = writev(fd, vectors, 1 + frame->part_count);
    (void)ignored;
}

void outside_flush(struct server *server) {
    struct berth_frame frames[BATCH];
    for (int i = 0; i < server->outside_count; i++) {
        size_t count;
        do {
            count = berth_network_outside_output(server->network, server->outside[i].port, frames,
                                                 BATCH);
            for (size_t j = 0; j < count; j++) {
                frame_write(server->outside[i].fd, &frames[j]);
                berth_frame_clear(&frames[j]);
            }
            server->counters.frames += count;
        } while (count == BATCH);
    }
}
