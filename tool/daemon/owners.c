/* Whose is a socket: every process that has the program's end open shows it in /proc/PID/fd as
 * socket:[inode]. */
#define _GNU_SOURCE
#include "tool/daemon/server_state.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct entry {
    uint64_t inode;
    struct server_owner owner;
};

struct server_owners {
    struct entry *entries; /* sorted by inode */
    size_t count, capacity;
    struct {
        uint64_t user, inode;
    } * sockets; /* sorted by user */
    size_t socket_count;
};

/* ---- the walk ---- */

static void name_read(pid_t process, char name[16]) {
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)process);
    FILE *file = fopen(path, "re");
    name[0] = '\0';
    if (!file)
        return;
    if (fgets(name, 16, file))
        name[strcspn(name, "\n")] = '\0';
    fclose(file);
}

/* Calls found() for every socket descriptor of a process until it returns true. */
typedef bool found_function(void *context, pid_t process, int fd, uint64_t inode);

static bool process_walk(pid_t process, found_function *found, void *context) {
    char path[300], target[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)process);
    DIR *directory = opendir(path);
    if (!directory)
        return false;
    bool done = false;
    struct dirent *item;
    while (!done && (item = readdir(directory))) {
        ssize_t n = readlinkat(dirfd(directory), item->d_name, target, sizeof target - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        unsigned long long inode;
        if (sscanf(target, "socket:[%llu]", &inode) == 1)
            done = found(context, process, atoi(item->d_name), inode);
    }
    closedir(directory);
    return done;
}

static void processes_walk(found_function *found, void *context) {
    DIR *directory = opendir("/proc");
    if (!directory)
        return;
    struct dirent *item;
    bool done = false;
    while (!done && (item = readdir(directory))) {
        pid_t process = (pid_t)atoi(item->d_name);
        if (process > 0 && process != getpid())
            done = process_walk(process, found, context);
    }
    closedir(directory);
}

/* ---- one socket ---- */

struct search {
    uint64_t inode;
    pid_t process;
    int fd;
};

static bool search_found(void *context, pid_t process, int fd, uint64_t inode) {
    struct search *search = context;
    if (inode != search->inode)
        return false;
    search->process = process;
    search->fd = fd;
    return true;
}

bool owner_find(uint64_t inode, pid_t *process, int *fd) {
    struct search search = {.inode = inode};
    processes_walk(search_found, &search);
    *process = search.process;
    *fd = search.fd;
    return search.process != 0;
}

void owner_describe(uint64_t inode, char *text, size_t size) {
    pid_t process;
    int fd;
    char name[16];
    if (owner_find(inode, &process, &fd)) {
        name_read(process, name);
        snprintf(text, size, "%s (pid %d)", name, (int)process);
    } else {
        snprintf(text, size, "a program");
    }
}

/* ---- all sockets ---- */

static int entry_compare(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    return (x->owner.pid > y->owner.pid) - (x->owner.pid < y->owner.pid);
}

static bool owners_found(void *context, pid_t process, int fd, uint64_t inode) {
    struct server_owners *owners = context;
    if (owners->count == owners->capacity) {
        size_t capacity = owners->capacity ? owners->capacity * 2 : 256;
        void *larger = realloc(owners->entries, capacity * sizeof *owners->entries);
        if (!larger)
            return true;
        owners->entries = larger;
        owners->capacity = capacity;
    }
    struct entry *entry = &owners->entries[owners->count++];
    *entry = (struct entry){.inode = inode, .owner = {.pid = process, .fd = fd}};
    return false;
}

static int user_compare(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool sockets_list(struct server_owners *owners, struct server *server) {
    uint64_t now = server_enter(server);
    owners->sockets = calloc(server->conduits.count + 1, sizeof *owners->sockets);
    for (uint32_t i = 0; owners->sockets && i < server->conduits.slot_count; i++) {
        const struct conduit *conduit = server->conduits.slots[i];
        if (conduit) {
            owners->sockets[owners->socket_count].user = conduit->id;
            owners->sockets[owners->socket_count++].inode = conduit->inode;
        }
    }
    server_leave(server, now);
    if (owners->sockets)
        qsort(owners->sockets, owners->socket_count, sizeof *owners->sockets, user_compare);
    return owners->sockets != NULL;
}

static void names_read(struct server_owners *owners) {
    for (size_t i = 0; i < owners->count; i++)
        name_read(owners->entries[i].owner.pid, owners->entries[i].owner.name);
}

/* Keeps only the entries that belong to a socket of the network. */
static void entries_choose(struct server_owners *owners) {
    uint64_t *inodes = calloc(owners->socket_count + 1, sizeof *inodes);
    if (!inodes)
        return;
    for (size_t i = 0; i < owners->socket_count; i++)
        inodes[i] = owners->sockets[i].inode;
    qsort(inodes, owners->socket_count, sizeof *inodes, user_compare);
    size_t kept = 0;
    for (size_t i = 0; i < owners->count; i++)
        if (bsearch(&owners->entries[i].inode, inodes, owners->socket_count, sizeof *inodes,
                    user_compare))
            owners->entries[kept++] = owners->entries[i];
    owners->count = kept;
    free(inodes);
}

struct server_owners *server_owners_find(struct server *server) {
    struct server_owners *owners = calloc(1, sizeof *owners);
    if (!owners || !sockets_list(owners, server)) {
        server_owners_free(owners);
        return NULL;
    }
    processes_walk(owners_found, owners);
    entries_choose(owners);
    names_read(owners);
    if (owners->count)
        qsort(owners->entries, owners->count, sizeof *owners->entries, entry_compare);
    return owners;
}

void server_owners_free(struct server_owners *owners) {
    if (!owners)
        return;
    free(owners->entries);
    free(owners->sockets);
    free(owners);
}

size_t server_owners_of(const struct server_owners *owners, uint64_t user,
                        struct server_owner *found, size_t max) {
    size_t size = sizeof *owners->sockets, count = 0;
    const uint64_t *socket =
        bsearch(&user, owners->sockets, owners->socket_count, size, user_compare);
    if (!socket)
        return 0;
    uint64_t inode = socket[1];
    size_t low = 0, high = owners->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (owners->entries[middle].inode < inode)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < owners->count && owners->entries[i].inode == inode; i++, count++)
        if (count < max)
            found[count] = owners->entries[i].owner;
    return count;
}
