/* The directory in which daemons are met: whose it must be, and who may take what away when. */
#define _GNU_SOURCE
#include "tool/control/place.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static int folder_make(void **state) {
    (void)state;
    strcpy(folder, "/tmp/berth-place-XXXXXX");
    return mkdtemp(folder) != NULL && setenv("XDG_RUNTIME_DIR", folder, 1) == 0 ? 0 : -1;
}

static int folder_remove(void **state) {
    (void)state;
    return rmdir(folder);
}

static void found(struct place *place) {
    char error[512];
    assert_int_equal(place_locate(place, "net", error, sizeof error), 0);
}

static void locked(struct place *place) {
    char error[512];
    found(place);
    assert_int_equal(place_lock(place, true, true, error, sizeof error), 0);
}

static void listens_and_is_met(void **state) {
    (void)state;
    struct place place;
    struct stat status;
    locked(&place);
    assert_int_equal(place_connect(&place), -ENOENT);
    int listener = place_listen(&place);
    assert_true(listener >= 0);
    assert_int_equal(fstatat(place.directory, "net.sock", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    int fd = place_connect(&place);
    assert_true(fd >= 0);
    close(fd);
    close(listener);
    assert_int_equal(place_connect(&place), -ECONNREFUSED); /* stale */
    listener = place_listen(&place);                        /* takes its place */
    assert_true(listener >= 0);
    close(listener);
    place_remove(&place);
    place_unlock(&place);
    assert_int_equal(access(place.path, F_OK), -1);
}

static void remove_leaves_other_networks(void **state) {
    (void)state;
    struct place place, other;
    char error[512];
    locked(&place);
    int a = place_listen(&place);
    assert_int_equal(place_locate(&other, "other", error, sizeof error), 0);
    other.directory = place.directory;
    int b = place_listen(&other);
    place_remove(&place);
    int fd = place_connect(&other);
    assert_true(fd >= 0);
    close(fd);
    close(a);
    close(b);
    place_remove(&other);
    place_unlock(&place);
}

static void lock_excludes(void **state) {
    (void)state;
    struct place place, second;
    char error[512];
    locked(&place);
    found(&second);
    assert_int_equal(place_lock(&second, true, false, error, sizeof error), -EWOULDBLOCK);
    place_unlock(&place);
    assert_int_equal(place_lock(&second, true, false, error, sizeof error), 0);
    place_remove(&second);
    /* Somebody who opened the directory before it was removed would lock a ghost: the next lock
     * makes it anew. */
    assert_int_equal(place_lock(&place, true, true, error, sizeof error), 0);
    place_unlock(&second);
    place_remove(&place);
    place_unlock(&place);
}

/* Many at once, each making and removing the directory: everyone gets the lock, nobody fails,
 * nothing stays. */
static void lock_under_contention(void **state) {
    (void)state;
    enum { PROCESSES = 8, ROUNDS = 100 };
    for (int i = 0; i < PROCESSES; i++) {
        if (fork() != 0)
            continue;
        char error[512];
        for (int round = 0; round < ROUNDS; round++) {
            struct place place;
            if (place_locate(&place, "net", error, sizeof error) < 0 ||
                place_lock(&place, true, true, error, sizeof error) < 0)
                _exit(1);
            int listener = place_listen(&place), fd = place_connect(&place);
            if (listener < 0 || fd < 0)
                _exit(2);
            close(fd);
            close(listener);
            place_remove(&place);
            place_unlock(&place);
        }
        _exit(0);
    }
    int status;
    for (int i = 0; i < PROCESSES; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
}

static void refuses_what_is_not_ours(void **state) {
    (void)state;
    struct place place;
    char error[512], path[128];
    snprintf(path, sizeof path, "%s/berth", folder);
    found(&place);
    assert_int_equal(place_lock(&place, false, true, error, sizeof error), -ENOENT);
    assert_int_equal(mkdir(path, 0755), 0); /* others may look in */
    assert_int_equal(chmod(path, 0755), 0);
    assert_int_equal(place_lock(&place, true, true, error, sizeof error), -EPERM);
    assert_non_null(strstr(error, "0700"));
    rmdir(path);
    assert_int_equal(symlink("/tmp", path), 0);
    assert_true(place_lock(&place, true, true, error, sizeof error) < 0);
    unlink(path);
    assert_int_equal(place_locate(&place, "../x", error, sizeof error), -EINVAL);
}

static void falls_back_to_tmp(void **state) {
    (void)state;
    struct place place;
    char expected[64];
    snprintf(expected, sizeof expected, "/tmp/berth-%lu", (unsigned long)geteuid());
    static const char *const unusable[] = {"", "relative", "/nonexistent/directory", "/proc"};
    for (size_t i = 0; i < 4; i++) {
        setenv("XDG_RUNTIME_DIR", unusable[i], 1);
        if (strcmp(unusable[i], "/proc") == 0 && geteuid() == 0)
            continue; /* root may write there, as far as access() knows */
        found(&place);
        assert_string_equal(place.path, expected);
    }
    setenv("XDG_RUNTIME_DIR", folder, 1);
    found(&place);
    assert_memory_equal(place.path, folder, strlen(folder));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listens_and_is_met),
        cmocka_unit_test(remove_leaves_other_networks),
        cmocka_unit_test(lock_excludes),
        cmocka_unit_test(lock_under_contention),
        cmocka_unit_test(refuses_what_is_not_ours),
        cmocka_unit_test(falls_back_to_tmp),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
