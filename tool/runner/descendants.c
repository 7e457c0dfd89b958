/* One walk over /proc reads (process, parent) pairs; descendants are then found among the pairs.
 * /proc/PID/task/TID/children would be shorter, but not every kernel is built with it. */
#define _GNU_SOURCE
#include "tool/runner/descendants.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
    snprintf(path, sizeof(path), "%s/stat", pid);
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
static void mark_ours(struct processes *all) {
    pid_t self = getpid();
    if (all->count > 0)
        qsort(all->list, all->count, sizeof(*all->list), by_pid);
    for (bool found = true; found;) {
        found = false;
        for (size_t i = 0; i < all->count; i++) {
            struct process *process = &all->list[i];
            if (!process->ours && is_ours(all, process->parent, self))
                process->ours = found = true;
        }
    }
}

int descendants_signal(int signal) {
    struct processes all = {0};
    int r = processes_read(&all);
    if (r == 0) {
        mark_ours(&all);
        for (size_t i = 0; i < all.count; i++)
            if (all.list[i].ours && kill(all.list[i].pid, signal) == 0) {
                if (signal != SIGSTOP)
                    kill(all.list[i].pid, SIGCONT); /* one that is stopped would not hear it */
                r++;
            }
    }
    free(all.list);
    return r;
}

void descendants_end(void) {
    for (;;) {
        descendants_signal(SIGKILL);
        pid_t pid = waitpid(-1, NULL, 0);
        if (pid < 0 && errno == ECHILD)
            return;
        while (pid > 0)
            pid = waitpid(-1, NULL, WNOHANG);
    }
}
