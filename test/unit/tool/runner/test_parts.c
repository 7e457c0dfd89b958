/* The parts that guard and job are made of, without a program. */
#define _GNU_SOURCE
#include "tool/runner/descendants.h"
#include "tool/runner/family.h"
#include "tool/runner/link.h"
#include "tool/runner/pidfd.h"
#include "tool/runner/reach.h"
#include "tool/runner/reach_server.h"
#include "tool/runner/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- descendants ---------------------------------------------------------------------------- */

static void family_settle(int alive) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody */
    if (write(alive, "x", 1) != 1)
        _exit(1);
}

/* A child, stopped; a daemonised grandchild; one that ignores what can be ignored. Each keeps
 * `alive` open, and says when it is where it stays: the daemonised one when its parent is gone. */
static void family_start(const int alive[2]) {
    if (fork() == 0) {
        close(alive[0]);
        for (int i = 0; i < 3; i++)
            if (fork() == 0) {
                setsid();
                signal(SIGTERM, SIG_IGN);
                pid_t leader = getpid();
                if (i == 0 && fork() > 0)
                    _exit(0);
                while (i == 0 && getppid() == leader)
                    sched_yield();
                family_settle(alive[1]);
                if (i == 1)
                    raise(SIGSTOP);
                for (;;)
                    pause();
            }
        family_settle(alive[1]);
        for (;;)
            pause();
    }
    char octet;
    close(alive[1]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(read(alive[0], &octet, 1), 1);
}

static int pid_compare(const void *a, const void *b) {
    pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
    return (x > y) - (x < y);
}

static void *thread_start_child(void *pid) {
    *(pid_t *)pid = fork();
    while (*(pid_t *)pid == 0)
        pause();
    pause(); /* children of a thread that has ended become those of another */
    return NULL;
}

/* Both ways find the same, also what a thread has started, and more than one read of a file gives.
 */
static void test_a_family_is_found_both_ways(void **state) {
    (void)state;
    enum { MANY = 1000 };
    struct family by[2] = {{0}};
    pid_t of_thread = 0;
    pthread_t thread;
    int alive[2];
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(pipe(alive), 0);
    family_start(alive);
    close(alive[0]);
    for (int i = 0; i < MANY; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                pause();
        }
    assert_int_equal(pthread_create(&thread, NULL, thread_start_child, &of_thread), 0);
    while (*(volatile pid_t *)&of_thread == 0)
        sched_yield();
    assert_int_equal(family_by_parents(&by[0]), 0);
    int r = family_by_children(&by[1]);
    assert_true(r == 0 || r == -ENOENT);
    for (int i = 0; i < (r == 0 ? 2 : 1); i++) {
        assert_int_equal(by[i].count, MANY + 6);
        qsort(by[i].list, by[i].count, sizeof(pid_t), pid_compare);
        assert_non_null(bsearch(&of_thread, by[i].list, by[i].count, sizeof(pid_t), pid_compare));
    }
    if (r == 0)
        assert_memory_equal(by[0].list, by[1].list, by[0].count * sizeof(pid_t));
    family_clear(&by[0]);
    family_clear(&by[1]);
    descendants_end();
    assert_int_equal(pthread_cancel(thread), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_all_descendants_end(void **state) {
    (void)state;
    int alive[2];
    char octet;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(pipe(alive), 0);
    family_start(alive);
    assert_true(descendants_signal(0) >= 4);
    descendants_end();
    /* The end of file: nobody has the pipe any more. */
    assert_int_equal(read(alive[0], &octet, 1), 0);
    close(alive[0]);
    assert_int_equal(descendants_signal(0), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* --- link ----------------------------------------------------------------------------------- */

static void test_notes_leave_room(void **state) {
    (void)state;
    int link[2], notes = 0;
    struct link_message message;
    char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, link), 0);
    while (link_send(link[0], LINK_NOTE, 0, 0, text) == 0)
        notes++;
    assert_int_equal(link_send(link[0], LINK_NOTE, 0, 0, "y"), -EAGAIN);
    assert_int_equal(link_send(link[0], LINK_ENDED, -9, 1, NULL), 0);
    for (; notes > 0; notes--) {
        assert_int_equal(link_receive(link[1], &message), 1);
        assert_int_equal(message.kind, LINK_NOTE);
        assert_int_equal(strlen(message.text), sizeof(message.text) - 1); /* cut */
    }
    assert_int_equal(link_receive(link[1], &message), 1);
    assert_int_equal(message.kind, LINK_ENDED);
    assert_int_equal(message.value, -9);
    assert_string_equal(message.text, "");
    close(link[0]);
    assert_int_equal(link_receive(link[1], &message), 0);
    close(link[1]);
}

/* --- reach ---------------------------------------------------------------------------------- */

static char there[REACH_MAX]; /* the child's copy is reached into */

struct reach_fixture {
    struct reach_server *server;
    int daemon, guard;
    pid_t child;
};

static int reach_setup(void **state) {
    static struct reach_fixture fixture;
    int pair[2], ready[2];
    char octet;
    fixture.server = reach_server_new();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0 || pipe(ready) < 0)
        return -1;
    fixture.daemon = pair[0];
    fixture.guard = pair[1];
    fixture.child = fork();
    if (fixture.child == 0) {
        memset(there, 'c', sizeof(there));
        dup2(ready[1], 77);
        if (write(ready[1], "x", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    if (read(ready[0], &octet, 1) != 1)
        return -1;
    close(ready[0]);
    close(ready[1]);
    *state = &fixture;
    return 0;
}

static int reach_teardown(void **state) {
    struct reach_fixture *fixture = *state;
    kill(fixture->child, SIGKILL);
    waitpid(fixture->child, NULL, 0);
    close(fixture->daemon);
    close(fixture->guard);
    reach_server_free(fixture->server);
    return 0;
}

struct answer {
    struct reach_reply head;
    char memory[REACH_MAX];
};

static ssize_t ask(struct reach_fixture *fixture, struct reach_request request, const void *memory,
                   size_t octets, struct answer *answer, int *fd) {
    static char packet[sizeof(request) + REACH_MAX];
    union {
        struct cmsghdr align;
        char octets[CMSG_SPACE(sizeof(int))];
    } rights;
    struct iovec part = {answer, sizeof(*answer)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = rights.octets,
                             .msg_controllen = sizeof(rights.octets)};
    memcpy(packet, &request, sizeof(request));
    if (octets)
        memcpy(packet + sizeof(request), memory, octets);
    assert_int_equal(send(fixture->daemon, packet, sizeof(request) + octets, 0),
                     sizeof(request) + octets);
    assert_int_equal(reach_server_answer(fixture->server, fixture->guard), 0);
    ssize_t n = recvmsg(fixture->daemon, &message, 0);
    assert_true(n >= (ssize_t)sizeof(answer->head));
    *fd = -1;
    if (CMSG_FIRSTHDR(&message))
        memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    return n - (ssize_t)sizeof(answer->head);
}

static struct reach_request request_of(const struct reach_fixture *fixture, uint32_t operation,
                                       uint64_t address, uint32_t length) {
    return (struct reach_request){operation, (uint32_t)fixture->child, address, length, 0};
}

static void test_reach_memory(void **state) {
    struct reach_fixture *f = *state;
    static struct answer answer;
    static char expected[REACH_MAX];
    int fd;
    uint64_t address = (uint64_t)(uintptr_t)there;
    ssize_t n = ask(f, request_of(f, REACH_READ, address, REACH_MAX), NULL, 0, &answer, &fd);
    assert_int_equal(n, REACH_MAX);
    assert_int_equal(answer.head.result, REACH_MAX);
    memset(expected, 'c', sizeof(expected));
    assert_memory_equal(answer.memory, expected, REACH_MAX);

    n = ask(f, request_of(f, REACH_WRITE, address + 5, 3), "abc", 3, &answer, &fd);
    assert_int_equal(n, 0);
    assert_int_equal(answer.head.result, 3);
    ask(f, request_of(f, REACH_READ, address + 4, 5), NULL, 0, &answer, &fd);
    assert_memory_equal(answer.memory, "cabcc", 5);
    assert_int_equal(there[5], 0); /* ours is another */
}

static void test_reach_nonsense(void **state) {
    struct reach_fixture *f = *state;
    static struct answer answer;
    int fd;
    uint64_t address = (uint64_t)(uintptr_t)there;
    assert_int_equal(ask(f, request_of(f, REACH_READ, 8, 4), NULL, 0, &answer, &fd), 0);
    assert_int_equal(answer.head.result, -EFAULT);
    ask(f, request_of(f, REACH_READ, address, REACH_MAX + 1), NULL, 0, &answer, &fd);
    assert_int_equal(answer.head.result, -EINVAL);
    ask(f, request_of(f, REACH_WRITE, address, 8), "abc", 3, &answer, &fd); /* too few octets */
    assert_int_equal(answer.head.result, -EINVAL);
    ask(f, request_of(f, 99, address, 8), NULL, 0, &answer, &fd);
    assert_int_equal(answer.head.result, -EINVAL);
    ask(f, request_of(f, REACH_GET_FD, 76, 0), NULL, 0, &answer, &fd);
    assert_int_equal(answer.head.result, -EBADF);
    assert_int_equal(fd, -1);
    assert_int_equal(send(f->daemon, "short", 5, 0), 5);
    assert_true(reach_server_answer(f->server, f->guard) < 0);
    shutdown(f->daemon, SHUT_WR);
    assert_true(reach_server_answer(f->server, f->guard) < 0);
}

static void test_reach_descriptor(void **state) {
    struct reach_fixture *f = *state;
    static struct answer answer;
    struct stat status;
    int fd;
    ask(f, request_of(f, REACH_GET_FD, 77, 0), NULL, 0, &answer, &fd);
    assert_int_equal(answer.head.result, 0);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
    close(fd);
}

static void *thread_pidfd(void *result) {
    *(int *)result = pidfd_of_thread((pid_t)syscall(SYS_gettid));
    return NULL;
}

static void test_pidfd_of_thread(void **state) {
    (void)state;
    pthread_t thread;
    int fd = -1;
    assert_int_equal(pthread_create(&thread, NULL, thread_pidfd, &fd), 0);
    pthread_join(thread, NULL);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(pidfd_of_thread(INT_MAX), -ESRCH);
}

/* --- rights --------------------------------------------------------------------------------- */

static void file_make(const char *path, mode_t mode, const char *octets, size_t count) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, octets, count), count);
    close(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_programs_are_found(void **state) {
    (void)state;
    char folder[] = "/tmp/berth-rights-XXXXXX", path[PATH_MAX], search[PATH_MAX], wanted[64];
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(mkdir("a", 0700), 0);
    assert_int_equal(mkdir("a/tool", 0700), 0);
    assert_int_equal(mkdir("b", 0700), 0);
    file_make("b/tool", 0700, "#!", 2);
    file_make("b/plain", 0600, "", 0);
    file_make("here", 0700, "#!", 2);
    snprintf(search, sizeof(search), "%s/none:%s/a:%s/b", folder, folder, folder);
    setenv("PATH", search, 1);
    assert_true(
        program_find("tool", path, sizeof(path))); /* a directory of that name is no program */
    snprintf(wanted, sizeof(wanted), "%s/b/tool", folder);
    assert_string_equal(path, wanted);
    assert_false(program_find("plain", path, sizeof(path)));
    assert_true(program_exists("plain"));
    assert_false(program_find("here", path, sizeof(path)));
    assert_false(program_exists("here"));
    assert_false(program_find("", path, sizeof(path)));
    assert_true(program_find("./here", path, sizeof(path)));
    assert_false(program_find("tool", path, 8)); /* too long for its place */
    setenv("PATH", "", 1);                       /* the working directory, as to a shell */
    assert_true(program_find("here", path, sizeof(path)));
    unlink("here");
    unlink("b/tool");
    unlink("b/plain");
    rmdir("a/tool");
    rmdir("a");
    rmdir("b");
    assert_int_equal(chdir("/"), 0);
    rmdir(folder);
}

static void test_rights_are_explained(void **state) {
    (void)state;
    char path[] = "/tmp/berth-rights-XXXXXX", text[512] = "";
    static const char elf32[20] = {0x7f, 'E', 'L', 'F', 1}, elf64[20] = {0x7f, 'E', 'L', 'F', 2};
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    file_make(path, 0700, elf32, sizeof(elf32));
    assert_true(program_is_foreign(path));
    file_make(path, 0700, elf64, sizeof(elf64));
    assert_false(program_is_foreign(path));
    file_make(path, 0700, "#!/bin/sh", 9);
    assert_false(program_is_foreign(path));
    assert_false(rights_explain("it", path, text, sizeof(text)));
    assert_int_equal(chmod(path, 04755), 0); /* of our own: nothing to gain */
    assert_false(rights_explain("it", path, text, sizeof(text)));
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 65534, 0), 0);
        assert_int_equal(chmod(path, 04755), 0);
        assert_true(rights_explain("it", path, text, sizeof(text)));
        assert_non_null(strstr(text, "it is set-uid, but cannot gain rights"));
        assert_non_null(strstr(text, "no_new_privs"));
    }
    unlink(path);
    assert_false(rights_explain("it", path, text, sizeof(text)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_descendants_end),
        cmocka_unit_test(test_a_family_is_found_both_ways),
        cmocka_unit_test(test_notes_leave_room),
        cmocka_unit_test_setup_teardown(test_reach_memory, reach_setup, reach_teardown),
        cmocka_unit_test_setup_teardown(test_reach_nonsense, reach_setup, reach_teardown),
        cmocka_unit_test_setup_teardown(test_reach_descriptor, reach_setup, reach_teardown),
        cmocka_unit_test(test_pidfd_of_thread),
        cmocka_unit_test(test_programs_are_found),
        cmocka_unit_test(test_rights_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
