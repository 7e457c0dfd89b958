#define _GNU_SOURCE
#include "tool/outside/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

int tap_open(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (strlen(name) >= sizeof request.ifr_name)
        return -EINVAL;
    memcpy(request.ifr_name, name, strlen(name));
    int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0)
        return -errno;
    if (ioctl(tap, TUNSETIFF, &request) < 0) {
        int error = errno;
        close(tap);
        return -error;
    }
    return tap;
}

bool tap_is(int fd) {
    struct ifreq request = {0};
    return ioctl(fd, TUNGETIFF, &request) == 0 && (request.ifr_flags & IFF_TAP) != 0;
}

int tap_read(int tap, void *data, size_t size) {
    ssize_t length;
    do {
        length = read(tap, data, size);
    } while (length < 0 && errno == EINTR);
    if (length >= 0)
        return (int)length;
    return errno == EAGAIN ? 0 : -errno;
}

int tap_write(int tap, const struct berth_frame *frame) {
    struct iovec pieces[1 + BERTH_FRAME_PARTS];
    int count = 0;
    if (frame->header_length > 0)
        pieces[count++] = (struct iovec){(void *)(uintptr_t)frame->header, frame->header_length};
    for (unsigned i = 0; i < frame->part_count; i++)
        pieces[count++] =
            (struct iovec){(void *)(uintptr_t)frame->parts[i].data, frame->parts[i].length};
    ssize_t written;
    do {
        written = writev(tap, pieces, count);
    } while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : 0;
}
