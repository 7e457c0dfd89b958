#define _GNU_SOURCE
#include "tool/control/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOCK_TRIES = 1000, BACKLOG = 4096 };

bool place_name_valid(const char *name) {
    size_t length = strlen(name);
    if (length == 0 || length > PLACE_NAME || name[0] == '-' || name[0] == '.')
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
           length;
}

/* XDG's directory counts only if it is the user's own: after `su` it may still be somebody else's.
 */
static bool runtime_directory_usable(const char *path) {
    struct stat status;
    return path != NULL && path[0] == '/' && strlen(path) < PLACE_PATH - 64 &&
           stat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           access(path, W_OK | X_OK) == 0;
}

int place_locate(struct place *place, const char *net, char *error, size_t size) {
    place->directory = -1;
    if (!place_name_valid(net)) {
        snprintf(error, size,
                 "\"%.80s\" is no name for a network: use letters, digits, - _ and ., at most %d",
                 net, PLACE_NAME);
        return -EINVAL;
    }
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime_directory_usable(runtime))
        snprintf(place->path, sizeof place->path, "%s/berth", runtime);
    else
        snprintf(place->path, sizeof place->path, "/tmp/berth-%lu", (unsigned long)geteuid());
    snprintf(place->socket, sizeof place->socket, "%s.sock", net);
    return 0;
}

/* The directory's descriptor, checked to be ours alone; /tmp is everybody's. */
static int directory_open(const struct place *place, bool make, char *error, size_t size) {
    if (make && mkdir(place->path, 0700) < 0 && errno != EEXIST) {
        int cause = errno;
        snprintf(error, size, "cannot make %s: %s (XDG_RUNTIME_DIR may say where else)",
                 place->path, strerror(cause));
        return -cause;
    }
    int directory = open(place->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) {
        int cause = errno;
        snprintf(error, size,
                 "cannot open the directory %s: %s (XDG_RUNTIME_DIR may say where else)",
                 place->path, strerror(cause));
        return -cause;
    }
    struct stat status;
    if (fstat(directory, &status) < 0 || status.st_uid != geteuid() ||
        (status.st_mode & 077) != 0) {
        snprintf(
            error, size,
            "%s is not a directory of yours alone (mode 0700): remove it, or set XDG_RUNTIME_DIR",
            place->path);
        close(directory);
        return -EPERM;
    }
    return directory;
}

int place_lock(struct place *place, bool make, bool wait, char *error, size_t size) {
    /* Who held the lock before may have removed the directory: then it is made again. Each round
     * means that somebody else got on. */
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        int directory = directory_open(place, make, error, size);
        if (directory == -ENOENT && make)
            continue;
        if (directory < 0)
            return directory;
        int result;
        do
            result = flock(directory, LOCK_EX | (wait ? 0 : LOCK_NB));
        while (result < 0 && errno == EINTR);
        if (result < 0) {
            int cause = errno;
            snprintf(error, size, "cannot lock %s: %s", place->path, strerror(cause));
            close(directory);
            return -cause;
        }
        struct stat held, named;
        if (fstat(directory, &held) == 0 && lstat(place->path, &named) == 0 &&
            held.st_dev == named.st_dev && held.st_ino == named.st_ino) {
            place->directory = directory;
            return 0;
        }
        close(directory);
    }
    snprintf(error, size, "%s keeps vanishing", place->path);
    return -EBUSY;
}

void place_unlock(struct place *place) {
    if (place->directory < 0)
        return;
    /* Said out loud: a child between fork() and exec() still holds the same lock. */
    flock(place->directory, LOCK_UN);
    close(place->directory);
    place->directory = -1;
}

/* By way of the descriptor: short enough for sun_path whatever the directory's path, and surely the
 * directory that is locked. */
static socklen_t socket_address(const struct place *place, struct sockaddr_un *address) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%.71s",
             place->directory, place->socket);
    return (socklen_t)sizeof *address;
}

int place_connect(const struct place *place) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    struct sockaddr_un address;
    socklen_t length = socket_address(place, &address);
    if (connect(fd, (struct sockaddr *)&address, length) < 0) {
        int cause = errno;
        close(fd);
        return -cause;
    }
    fcntl(fd, F_SETFL, 0);
    return fd;
}

int place_listen(const struct place *place) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    struct sockaddr_un address;
    socklen_t length = socket_address(place, &address);
    unlinkat(place->directory, place->socket, 0);
    mode_t mask = umask(0177);
    int result = bind(fd, (struct sockaddr *)&address, length);
    int cause = errno;
    umask(mask);
    if (result == 0 && listen(fd, BACKLOG) < 0) {
        result = -1;
        cause = errno;
    }
    if (result < 0) {
        close(fd);
        return -cause;
    }
    return fd;
}

void place_remove(struct place *place) {
    unlinkat(place->directory, place->socket, 0);
    rmdir(place->path);
}
