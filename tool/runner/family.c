#define _GNU_SOURCE
#include "tool/runner/family.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int family_add(struct family *family, pid_t pid) {
    if (family->count == family->room) {
        size_t room = family->room ? family->room * 2 : 16;
        pid_t *list = realloc(family->list, room * sizeof(*list));
        if (!list)
            return -ENOMEM;
        family->list = list;
        family->room = room;
    }
    family->list[family->count++] = pid;
    return 0;
}

void family_clear(struct family *family) {
    free(family->list);
    *family = (struct family){0};
}

/* ---- by children ---- */

/* "17 23 42 ", in as many pieces as the kernel likes. */
static int numbers_add(struct family *family, int file) {
    char piece[4096];
    pid_t pid = 0;
    ssize_t n;
    int r = 0;
    while (r == 0 && (n = read(file, piece, sizeof(piece))) > 0)
        for (ssize_t i = 0; i < n && r == 0; i++) {
            if (piece[i] >= '0' && piece[i] <= '9') {
                pid = pid * 10 + (piece[i] - '0');
            } else if (pid > 0) {
                r = family_add(family, pid);
                pid = 0;
            }
        }
    return r;
}

/* Those that are gone, or that we may not look at, name no children; a failure is what may be
 * otherwise the next time. */
static int look_failed(void) {
    return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : 0;
}

/* The children of all threads of a process. */
static int children_add(struct family *family, pid_t parent) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)parent);
    DIR *threads = opendir(path);
    if (!threads)
        return look_failed();
    int r = 0;
    const struct dirent *entry;
    while (r == 0 && (entry = readdir(threads))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%.20s/children", entry->d_name);
        int file = openat(dirfd(threads), path, O_RDONLY | O_CLOEXEC);
        r = file < 0 ? look_failed() : numbers_add(family, file);
        if (file >= 0)
            close(file);
    }
    closedir(threads);
    return r;
}

int family_by_children(struct family *family) {
    if (access("/proc/thread-self/children", R_OK) < 0)
        return -ENOENT;
    int r = children_add(family, getpid());
    for (size_t i = 0; r == 0 && i < family->count; i++)
        r = children_add(family, family->list[i]);
    return r;
}

/* ---- by parents ---- */

struct process {
    pid_t pid, parent;
    bool ours;
};
struct processes {
    struct process *list;
    size_t count, room;
};

static int processes_add(struct processes *all, pid_t pid, pid_t parent) {
    if (all->count == all->room) {
        size_t room = all->room ? all->room * 2 : 256;
        struct process *list = realloc(all->list, room * sizeof(*list));
        if (!list)
            return -ENOMEM;
        all->list = list;
        all->room = room;
    }
    all->list[all->count++] = (struct process){.pid = pid, .parent = parent};
    return 0;
}

/* The parent of a process, or 0 when it is gone. */
static pid_t parent_of(int proc, const char *pid) {
    char path[64], line[512];
    snprintf(path, sizeof(path), "%.20s/stat", pid);
    int file = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t n = read(file, line, sizeof(line) - 1);
    close(file);
    if (n <= 0)
        return 0;
    line[n] = '\0';
    /* "pid (name) state parent ...": the name may hold anything, parentheses too. */
    const char *after = strrchr(line, ')');
    int parent;
    return after && sscanf(after, ") %*c %d", &parent) == 1 ? parent : 0;
}

static int processes_read(struct processes *all) {
    DIR *proc = opendir("/proc");
    if (!proc)
        return -errno;
    int r = 0;
    const struct dirent *entry;
    while (r == 0 && (entry = readdir(proc))) {
        pid_t pid = atoi(entry->d_name);
        pid_t parent = pid > 0 ? parent_of(dirfd(proc), entry->d_name) : 0;
        if (parent > 0)
            r = processes_add(all, pid, parent);
    }
    closedir(proc);
    return r;
}

static int by_pid(const void *a, const void *b) {
    const struct process *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

static bool is_ours(const struct processes *all, pid_t pid, pid_t self) {
    const struct process key = {.pid = pid};
    const struct process *found =
        pid == self ? NULL : bsearch(&key, all->list, all->count, sizeof(key), by_pid);
    return pid == self || (found && found->ours);
}

/* Parents mostly have the smaller number, so that one round does nearly always; the last one finds
 * nothing new. */
static int ours_add(struct processes *all, struct family *family) {
    pid_t self = getpid();
    int r = 0;
    if (all->count > 0)
        qsort(all->list, all->count, sizeof(*all->list), by_pid);
    for (bool found = true; found && r == 0;) {
        found = false;
        for (size_t i = 0; i < all->count && r == 0; i++) {
            struct process *process = &all->list[i];
            if (process->ours || !is_ours(all, process->parent, self))
                continue;
            process->ours = found = true;
            r = family_add(family, process->pid);
        }
    }
    return r;
}

int family_by_parents(struct family *family) {
    struct processes all = {0};
    int r = processes_read(&all);
    if (r == 0)
        r = ours_add(&all, family);
    free(all.list);
    return r;
}

int family_find(struct family *family) {
    int r = family_by_children(family);
    return r == -ENOENT ? family_by_parents(family) : r;
}
