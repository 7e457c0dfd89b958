#define _GNU_SOURCE
#include "tool/runner/rights.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static bool is_file(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static bool is_program(const char *path) {
    return is_file(path) && access(path, X_OK) == 0;
}

/* The first path of that name that pleases. */
static bool path_search(const char *name, bool (*pleases)(const char *), char *path, size_t size) {
    if (strchr(name, '/')) {
        int n = snprintf(path, size, "%s", name);
        return n > 0 && (size_t)n < size && pleases(path);
    }
    const char *search = getenv("PATH");
    if (!search)
        search = "/bin:/usr/bin"; /* as execvp */
    for (const char *at = search; *name; at++) {
        int length = (int)strcspn(at, ":");
        int n = snprintf(path, size, "%.*s%s%s", length, at, length ? "/" : "./", name);
        if (n > 0 && (size_t)n < size && pleases(path))
            return true;
        at += length;
        if (!*at)
            return false;
    }
    return false;
}

bool program_find(const char *name, char *path, size_t size) {
    return path_search(name, is_program, path, size);
}

bool program_exists(const char *name) {
    char path[PATH_MAX];
    return path_search(name, is_file, path, sizeof(path));
}

/* Rights over the network concern the virtual computer only, where every program has them. */
static const uint32_t network_rights =
    1U << CAP_NET_BIND_SERVICE | 1U << CAP_NET_BROADCAST | 1U << CAP_NET_ADMIN | 1U << CAP_NET_RAW;

static bool has_capabilities(const char *path) {
    struct vfs_ns_cap_data data;
    ssize_t n = getxattr(path, "security.capability", &data, sizeof(data));
    if (n < (ssize_t)XATTR_CAPS_SZ_1)
        return false;
    uint32_t low = data.data[0].permitted;
    uint32_t high = n >= (ssize_t)XATTR_CAPS_SZ_2 ? data.data[1].permitted : 0;
    return (low & ~network_rights) != 0 || high != 0;
}

bool rights_explain(const char *name, const char *path, char *text, size_t size) {
    struct stat status;
    if (stat(path, &status) < 0)
        return false;
    const char *what = NULL;
    if ((status.st_mode & S_ISUID) && status.st_uid != geteuid())
        what = status.st_uid == 0 ? "is set-uid root" : "is set-uid";
    else if ((status.st_mode & S_ISGID) && (status.st_mode & S_IXGRP) && status.st_gid != getegid())
        what = "is set-gid";
    else if (geteuid() != 0 && has_capabilities(path))
        what = "has file capabilities";
    if (!what)
        return false;
    snprintf(
        text, size,
        "warning: %s %s, but cannot gain rights on a virtual computer: Linux lets an ordinary user "
        "answer a program's system calls only if it gives that up (no_new_privs)",
        name, what);
    return true;
}

bool program_is_foreign(const char *path) {
#ifdef __x86_64__
    unsigned char head[20] = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t n = read(file, head, sizeof(head));
    close(file);
    return n == sizeof(head) && memcmp(head, ELFMAG, SELFMAG) == 0 && head[EI_CLASS] == ELFCLASS32;
#else
    (void)path;
    return false;
#endif
}
