#define _GNU_SOURCE
#include "tool/runner/setup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static int ascending(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* All descriptors above the standard streams but those. */
static void descriptors_close(int *keep, size_t count) {
    unsigned from = STDERR_FILENO + 1;
    qsort(keep, count, sizeof(*keep), ascending);
    for (size_t i = 0; i < count; i++) {
        if (keep[i] < (int)from)
            continue;
        if (keep[i] > (int)from)
            close_range(from, (unsigned)keep[i] - 1, 0);
        from = (unsigned)keep[i] + 1;
    }
    close_range(from, UINT_MAX, 0);
}

void setup_streams(int last) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; null >= 0 && fd <= last; fd++)
        dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
}

void setup_release(int *keep, size_t count) {
    descriptors_close(keep, count);
    setup_streams(STDOUT_FILENO);
}

void setup_detach(int *keep, size_t count) {
    descriptors_close(keep, count);
    setup_streams(STDERR_FILENO);
    if (chdir("/") < 0)
        return; /* it then only keeps a directory busy */
}
