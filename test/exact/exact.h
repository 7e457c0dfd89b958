/* The program that makes each socket call with good and bad arguments and prints one line a case:
 *
 *   group/case: what the call said
 *
 * It is run on the kernel's own loopback and on a virtual computer, and compare.py holds the two
 * side by side. So no line may depend on a port, a descriptor's number, a time, or luck. */
#ifndef TEST_EXACT_EXACT_H
#define TEST_EXACT_EXACT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

/* ---- saying ---- */

/* One case: its name, then its result. */
void say(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What follows is of this group. */
void group(const char *name);
/* "5", or the errno's name for -1. Several may be used in one line. */
const char *result_of(long r);
/* A result that is a descriptor: closed, and "fd". */
const char *descriptor_of(int fd);
/* "IN|OUT|HUP"; "0" for none. */
const char *bits_of(unsigned bits);

/* ---- sockets ---- */

struct sockaddr_in loopback(int port);
/* The port that it is bound to, network order aside; 0 for none. */
int port_of(int fd);
int tcp_new(void);
int udp_new(void);
/* Bound to a free port of the loopback. */
int bound_new(int type);
int listener_new(int backlog);
int connect_to(int fd, int port);
void nonblocking_set(int fd, bool on);

struct pair {
    int client, server, listener;
};
/* A connection. */
struct pair pair_new(void);
void pair_close(struct pair *pair);
/* A port at which nobody is. */
int dead_port(int type);

/* What poll() says now. */
unsigned poll_now(int fd);
/* ... once all of `wanted` is in it, at most two seconds later. */
unsigned poll_until(int fd, unsigned wanted);
/* Lets what is on its way arrive. */
void settle(void);

/* Until that thread sleeps: in the call that it is about to make. */
void sleep_await(int process, int thread);

/* How often the signal came since the last time this was asked. */
void signal_count(int number, int flags);
int signal_taken(int number);
/* The same without forgetting them; a child sees its parent's. */
int signal_seen(int number);
/* ... and if it has not come, gives it a moment. */
int signal_soon(int number);

/* ---- groups ---- */

void options_get(void);
void options_set(void);
void arguments_check(void);
void states_check(void);
void readiness_check(void);
void signals_check(void);
void blocking_check(void);
void datagrams_check(void);
void reports_check(void);
void processes_check(void);

#endif
