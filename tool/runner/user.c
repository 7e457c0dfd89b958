/* Whose rights a program is to have. */
#define _GNU_SOURCE
#include "tool/runner/run.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A number, or false. */
static bool id_read(const char *text, unsigned *id) {
    size_t length = strlen(text);
    if (length == 0 || length > 9 || strspn(text, "0123456789") != length)
        return false;
    *id = (unsigned)strtoul(text, NULL, 10);
    return true;
}

static bool refuse(char *why, size_t size, const char *what, const char *text) {
    snprintf(why, size, "%s \"%.64s\"", what, text);
    return false;
}

bool run_user_find(const char *text, struct run_user *user, char *why, size_t size) {
    char name[64];
    const char *colon = strchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : strlen(text);
    *user = (struct run_user){.gid = (unsigned)getgid()};
    if (length >= sizeof name)
        return refuse(why, size, "no user", text);
    memcpy(name, text, length);
    name[length] = '\0';
    bool number = id_read(name, &user->uid);
    const struct passwd *entry = number ? getpwuid(user->uid) : getpwnam(name);
    if (entry == NULL && !number)
        return refuse(why, size, "no user", name);
    if (entry != NULL) {
        user->uid = entry->pw_uid;
        user->gid = entry->pw_gid;
        snprintf(user->name, sizeof user->name, "%s", entry->pw_name);
        snprintf(user->home, sizeof user->home, "%s", entry->pw_dir);
    }
    if (colon != NULL && !id_read(colon + 1, &user->gid)) {
        const struct group *group = getgrnam(colon + 1);
        if (group == NULL)
            return refuse(why, size, "no group", colon + 1);
        user->gid = group->gr_gid;
    }
    if (geteuid() != 0 && (user->uid != geteuid() || user->gid != getegid()))
        return refuse(why, size, "only root can run a program as", text);
    return true;
}
