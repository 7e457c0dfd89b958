/* The octets that make a listener readable: none too late, none too many, whoever is sending. */
#define _GNU_SOURCE
#include "tool/daemon/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

/* A server of which only the lock and the list are used, and listeners with both of their ends. */
enum { LISTENERS = TELLS_MAX + 4 };
static struct server server;
static struct conduit listeners[LISTENERS];
static int ends[LISTENERS];

static int set_up(void **state) {
    (void)state;
    server = (struct server){0};
    pthread_mutex_init(&server.lock, NULL);
    for (int i = 0; i < LISTENERS; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        listeners[i] = (struct conduit){.held = pair[0]};
        ends[i] = pair[1];
    }
    pthread_mutex_lock(&server.lock);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (int i = 0; i < LISTENERS; i++) {
        close(listeners[i].held);
        close(ends[i]);
    }
    pthread_mutex_destroy(&server.lock);
    return 0;
}

static int readable(int i) {
    char octets[4096];
    ssize_t n = recv(ends[i], octets, sizeof octets, MSG_DONTWAIT | MSG_PEEK);
    return n > 0 ? (int)n : 0;
}

static void an_octet_for_each_connection_once_the_lock_is_let_go_of(void **state) {
    (void)state;
    listener_tell(&server, &listeners[0], 2);
    listener_tell(&server, &listeners[0], 3);
    assert_int_equal(readable(0), 0);
    server_unlock_telling(&server);
    assert_int_equal(readable(0), 3);
    assert_int_equal(pthread_mutex_trylock(&server.lock), 0);
    listener_hush(&server, &listeners[0], ends[0]);
    assert_int_equal(readable(0), 0);
    listener_tell(&server, &listeners[0], 1);
    server_unlock_telling(&server);
    assert_int_equal(readable(0), 1);
}

static void what_was_taken_before_it_was_told_is_not_told(void **state) {
    (void)state;
    listener_tell(&server, &listeners[0], 1);
    listener_tell(&server, &listeners[1], 1);
    listener_hush(&server, &listeners[0], ends[0]);
    server_unlock_telling(&server);
    assert_int_equal(readable(0), 0);
    assert_int_equal(readable(1), 1);
}

static void *send_late(void *listener) {
    struct conduit *conduit = listener;
    usleep(20000);
    send(conduit->held, "", 1, MSG_NOSIGNAL);
    atomic_fetch_sub(&conduit->telling, 1);
    return NULL;
}

/* Another thread has let go of the lock and is about to send to the first listener. */
static pthread_t octet_on_its_way(void) {
    pthread_t sender;
    listeners[0].ready_octets = 1;
    listeners[0].telling = 1;
    assert_int_equal(pthread_create(&sender, NULL, send_late, &listeners[0]), 0);
    return sender;
}

static void who_takes_octets_back_waits_for_those_on_their_way(void **state) {
    (void)state;
    pthread_t sender = octet_on_its_way();
    listener_hush(&server, &listeners[0], ends[0]);
    assert_int_equal(readable(0), 0);
    pthread_join(sender, NULL);
    assert_int_equal(readable(0), 0);
    assert_int_equal(listeners[0].ready_octets, 0);
}

static void who_closes_the_held_end_does_too(void **state) {
    (void)state;
    pthread_t sender = octet_on_its_way();
    listener_tell(&server, &listeners[0], 2);
    listener_told(&server, &listeners[0]);
    assert_int_equal(listeners[0].telling, 0);
    assert_int_equal(readable(0), 1);
    server_unlock_telling(&server); /* nothing is left for it to send */
    assert_int_equal(readable(0), 1);
    pthread_join(sender, NULL);
}

static void octets_without_room_are_sent_another_time(void **state) {
    (void)state;
    enum { MANY = 5000 };
    listener_tell(&server, &listeners[0], MANY);
    server_unlock_telling(&server);
    int sent = readable(0);
    assert_in_range(sent, 1, MANY - 1);
    assert_int_equal(listeners[0].unsent_octets, MANY - sent);
    pthread_mutex_lock(&server.lock);
    listener_tell(&server, &listeners[0], (unsigned)sent); /* they are there already */
    assert_int_equal(server.tells.count, 0);
    assert_int_equal(listeners[0].ready_octets, sent);
    listener_hush(&server, &listeners[0], ends[0]);
    listener_tell(&server, &listeners[0], 2);
    server_unlock_telling(&server);
    assert_int_equal(readable(0), 2);
}

static void more_listeners_than_the_list_holds(void **state) {
    (void)state;
    for (int i = 0; i < LISTENERS; i++)
        listener_tell(&server, &listeners[i], 1);
    server_unlock_telling(&server);
    for (int i = 0; i < LISTENERS; i++)
        assert_int_equal(readable(i), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_octet_for_each_connection_once_the_lock_is_let_go_of),
        TEST(what_was_taken_before_it_was_told_is_not_told),
        TEST(who_takes_octets_back_waits_for_those_on_their_way),
        TEST(who_closes_the_held_end_does_too),
        TEST(octets_without_room_are_sent_another_time),
        TEST(more_listeners_than_the_list_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
