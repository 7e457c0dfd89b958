/* Every call on a socket in every state: its result, whether SIGPIPE came, and for those that
 * change the socket what poll() and SO_ERROR say afterwards. */
#define _GNU_SOURCE
#include "test/exact/states.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Each writes its result into text. */
typedef void call(const struct scene *scene, char *text, size_t size);

static void number(char *text, size_t size, long r) {
    snprintf(text, size, "%s", result_of(r));
}

/* ---- names ---- */

static void do_bind(const struct scene *scene, char *text, size_t size) {
    struct sockaddr_in in = loopback(0);
    number(text, size, bind(scene->fd, (struct sockaddr *)&in, sizeof in));
}
static void do_bind_taken(const struct scene *scene, char *text, size_t size) {
    struct sockaddr_in in = loopback(scene->port);
    number(text, size, bind(scene->fd, (struct sockaddr *)&in, sizeof in));
}
static void do_bind_strange(const struct scene *scene, char *text, size_t size) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc6336401)};
    number(text, size, bind(scene->fd, (struct sockaddr *)&in, sizeof in));
}
static void do_listen(const struct scene *scene, char *text, size_t size) {
    number(text, size, listen(scene->fd, 3));
}
static void do_connect(const struct scene *scene, char *text, size_t size) {
    number(text, size, connect_to(scene->fd, scene->port));
}
static void do_connect_twice(const struct scene *scene, char *text, size_t size) {
    const char *first = result_of(connect_to(scene->fd, scene->port));
    settle();
    snprintf(text, size, "%s, %s", first, result_of(connect_to(scene->fd, scene->port)));
}
static void do_connect_nowhere(const struct scene *scene, char *text, size_t size) {
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    number(text, size, connect(scene->fd, &none, sizeof none));
}
static void do_accept(const struct scene *scene, char *text, size_t size) {
    snprintf(text, size, "%s", descriptor_of(accept(scene->fd, NULL, NULL)));
}
static void do_accept_name(const struct scene *scene, char *text, size_t size) {
    struct sockaddr_in in = {0};
    socklen_t length = sizeof in;
    int fd = accept4(scene->fd, (struct sockaddr *)&in, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL) & O_NONBLOCK;
    const char *result = descriptor_of(fd);
    snprintf(text, size, "%s %d %u family %d", result, flags != 0, length, in.sin_family);
}
static void do_accept_bad(const struct scene *scene, char *text, size_t size) {
    number(text, size, accept4(scene->fd, NULL, NULL, 1));
}
static void do_getsockname(const struct scene *scene, char *text, size_t size) {
    struct sockaddr_in in = {0};
    socklen_t length = sizeof in;
    const char *result = result_of(getsockname(scene->fd, (struct sockaddr *)&in, &length));
    snprintf(text, size, "%s %u %#x %s", result, length, ntohl(in.sin_addr.s_addr),
             in.sin_port ? "port" : "no port");
}
static void do_getpeername(const struct scene *scene, char *text, size_t size) {
    struct sockaddr_in in = {0};
    socklen_t length = sizeof in;
    const char *result = result_of(getpeername(scene->fd, (struct sockaddr *)&in, &length));
    snprintf(text, size, "%s %u %#x %s", result, length, ntohl(in.sin_addr.s_addr),
             in.sin_port ? "port" : "no port");
}

/* ---- sending ---- */

static void do_send(const struct scene *scene, char *text, size_t size) {
    number(text, size, send(scene->fd, "s", 1, 0));
}
static void do_send_empty(const struct scene *scene, char *text, size_t size) {
    number(text, size, send(scene->fd, "", 0, 0));
}
static void do_send_quiet(const struct scene *scene, char *text, size_t size) {
    number(text, size, send(scene->fd, "q", 1, MSG_NOSIGNAL));
}
static void do_send_urgent(const struct scene *scene, char *text, size_t size) {
    number(text, size, send(scene->fd, "u", 1, MSG_OOB));
}
static void do_send_more(const struct scene *scene, char *text, size_t size) {
    number(text, size, send(scene->fd, "m", 1, MSG_MORE | MSG_DONTWAIT));
}
static void do_sendto(const struct scene *scene, char *text, size_t size) {
    struct sockaddr_in in = loopback(scene->port);
    number(text, size, sendto(scene->fd, "t", 1, 0, (struct sockaddr *)&in, sizeof in));
}
static void do_sendto_short(const struct scene *scene, char *text, size_t size) {
    struct sockaddr_in in = loopback(scene->port);
    number(text, size, sendto(scene->fd, "t", 1, 0, (struct sockaddr *)&in, 3));
}
static void do_sendmsg(const struct scene *scene, char *text, size_t size) {
    struct iovec parts[] = {{(void *)(uintptr_t) "ab", 2}, {(void *)(uintptr_t) "c", 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    number(text, size, sendmsg(scene->fd, &message, 0));
}
static void do_sendmmsg(const struct scene *scene, char *text, size_t size) {
    struct iovec part = {(void *)(uintptr_t) "ab", 2};
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}},
                                  {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}}};
    const char *result = result_of(sendmmsg(scene->fd, messages, 2, MSG_NOSIGNAL));
    snprintf(text, size, "%s, of %u %u", result, messages[0].msg_len, messages[1].msg_len);
}
static void do_write(const struct scene *scene, char *text, size_t size) {
    number(text, size, write(scene->fd, "wr", 2));
}
static void do_write_empty(const struct scene *scene, char *text, size_t size) {
    number(text, size, write(scene->fd, "", 0));
}
static void do_writev(const struct scene *scene, char *text, size_t size) {
    struct iovec parts[] = {{(void *)(uintptr_t) "ab", 2}, {(void *)(uintptr_t) "c", 1}};
    number(text, size, writev(scene->fd, parts, 2));
}
static void do_sendfile(const struct scene *scene, char *text, size_t size) {
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    number(text, size, sendfile(scene->fd, file, NULL, 10));
    close(file);
}

/* ---- receiving ---- */

static void received(char *text, size_t size, long r, const char *data) {
    snprintf(text, size, "%s %.*s", result_of(r), r > 0 ? (int)r : 0, data);
}
static void do_recv_one(const struct scene *scene, char *text, size_t size) {
    char data[16];
    received(text, size, recv(scene->fd, data, 1, 0), data);
}
static void do_recv(const struct scene *scene, char *text, size_t size) {
    char data[16];
    received(text, size, recv(scene->fd, data, sizeof data, 0), data);
}
static void do_recv_nothing(const struct scene *scene, char *text, size_t size) {
    char data[16];
    received(text, size, recv(scene->fd, data, 0, 0), data);
}
static void do_recv_peek(const struct scene *scene, char *text, size_t size) {
    char data[16];
    received(text, size, recv(scene->fd, data, sizeof data, MSG_PEEK), data);
}
static void do_recv_cut(const struct scene *scene, char *text, size_t size) {
    char data[16];
    long r = recv(scene->fd, data, 2, MSG_TRUNC | MSG_DONTWAIT);
    number(text, size, r);
}
static void do_recv_urgent(const struct scene *scene, char *text, size_t size) {
    char data[16];
    received(text, size, recv(scene->fd, data, 1, MSG_OOB), data);
}
static void do_recv_errors(const struct scene *scene, char *text, size_t size) {
    char data[16];
    number(text, size, recv(scene->fd, data, sizeof data, MSG_ERRQUEUE));
}
static void do_read(const struct scene *scene, char *text, size_t size) {
    char data[16];
    received(text, size, read(scene->fd, data, sizeof data), data);
}
static void do_readv(const struct scene *scene, char *text, size_t size) {
    char data[8];
    struct iovec parts[] = {{data, 3}, {data + 3, 5}};
    received(text, size, readv(scene->fd, parts, 2), data);
}
static void do_recvfrom(const struct scene *scene, char *text, size_t size) {
    char data[16];
    struct sockaddr_in in = {0};
    socklen_t length = sizeof in;
    long r = recvfrom(scene->fd, data, sizeof data, 0, (struct sockaddr *)&in, &length);
    snprintf(text, size, "%s, name of %u", result_of(r), r < 0 ? 0 : length);
}
static void do_recvmsg(const struct scene *scene, char *text, size_t size) {
    char data[3];
    struct sockaddr_in in = {0};
    struct iovec part = {data, sizeof data};
    struct msghdr message = {
        .msg_name = &in, .msg_namelen = sizeof in, .msg_iov = &part, .msg_iovlen = 1};
    long r = recvmsg(scene->fd, &message, 0);
    snprintf(text, size, "%s, name of %u, flags %#x", result_of(r), r < 0 ? 0 : message.msg_namelen,
             r < 0 ? 0 : (unsigned)message.msg_flags);
}

/* ---- ending ---- */

static void do_shutdown_read(const struct scene *scene, char *text, size_t size) {
    number(text, size, shutdown(scene->fd, SHUT_RD));
}
static void do_shutdown_write(const struct scene *scene, char *text, size_t size) {
    number(text, size, shutdown(scene->fd, SHUT_WR));
}
static void do_shutdown_both(const struct scene *scene, char *text, size_t size) {
    number(text, size, shutdown(scene->fd, SHUT_RDWR));
}
static void do_shutdown_bad(const struct scene *scene, char *text, size_t size) {
    const char *low = result_of(shutdown(scene->fd, -1));
    snprintf(text, size, "%s, %s", low, result_of(shutdown(scene->fd, 3)));
}

/* ---- asking ---- */

static void option_ask(const struct scene *scene, int level, int name, char *text, size_t size) {
    int value = -1;
    socklen_t length = sizeof value;
    const char *result = result_of(getsockopt(scene->fd, level, name, &value, &length));
    snprintf(text, size, "%s, %d", result, value);
}
static void do_error(const struct scene *scene, char *text, size_t size) {
    option_ask(scene, SOL_SOCKET, SO_ERROR, text, size);
}
static void do_acceptconn(const struct scene *scene, char *text, size_t size) {
    option_ask(scene, SOL_SOCKET, SO_ACCEPTCONN, text, size);
}
static void do_type(const struct scene *scene, char *text, size_t size) {
    option_ask(scene, SOL_SOCKET, SO_TYPE, text, size);
}
static void do_maxseg_set(const struct scene *scene, char *text, size_t size) {
    int value = 600;
    number(text, size, setsockopt(scene->fd, IPPROTO_TCP, TCP_MAXSEG, &value, sizeof value));
}
static void do_reuse_set(const struct scene *scene, char *text, size_t size) {
    int value = 1;
    number(text, size, setsockopt(scene->fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof value));
}
/* The last ACK may be delayed by 40 ms. */
static void acks_await(void) {
    for (int i = 0; i < 4; i++)
        settle();
}
static void do_tcp_state(const struct scene *scene, char *text, size_t size) {
    acks_await();
    struct tcp_info info = {.tcpi_state = 99};
    socklen_t length = sizeof info;
    const char *result = result_of(getsockopt(scene->fd, IPPROTO_TCP, TCP_INFO, &info, &length));
    snprintf(text, size, "%s, state %d", result, info.tcpi_state);
}
static void ioctl_ask(const struct scene *scene, unsigned long request, char *text, size_t size) {
    int value = -1;
    const char *result = result_of(ioctl(scene->fd, request, &value));
    snprintf(text, size, "%s, %d", result, value);
}
static void do_inq(const struct scene *scene, char *text, size_t size) {
    ioctl_ask(scene, FIONREAD, text, size);
}
static void do_outq(const struct scene *scene, char *text, size_t size) {
    acks_await();
    ioctl_ask(scene, SIOCOUTQ, text, size);
}
static void do_at_mark(const struct scene *scene, char *text, size_t size) {
    ioctl_ask(scene, SIOCATMARK, text, size);
}
static void do_ioctl_bad(const struct scene *scene, char *text, size_t size) {
    ioctl_ask(scene, 0x5401, text, size); /* TCGETS: is it a terminal? */
}
static void flags_ask(const struct scene *scene, int request, long argument, char *text,
                      size_t size) {
    const char *result = result_of(fcntl(scene->fd, request, argument));
    snprintf(text, size, "%s, %#x", result, (unsigned)fcntl(scene->fd, F_GETFL));
}
static void do_getfl(const struct scene *scene, char *text, size_t size) {
    flags_ask(scene, F_GETFL, 0, text, size);
}
static void do_setfl(const struct scene *scene, char *text, size_t size) {
    flags_ask(scene, F_SETFL, 0, text, size);
}
static void do_getown(const struct scene *scene, char *text, size_t size) {
    flags_ask(scene, F_GETOWN, 0, text, size);
}
static void do_setown_bad(const struct scene *scene, char *text, size_t size) {
    flags_ask(scene, F_SETOWN, 0x7ffffff0, text, size);
}
static void do_dup(const struct scene *scene, char *text, size_t size) {
    int fd = dup(scene->fd);
    const char *result = result_of(listen(fd, 1));
    snprintf(text, size, "%s, %s", result, descriptor_of(fd));
}
static void option_set(const struct scene *scene, int level, int name, char *text, size_t size) {
    int value = 1, got = -1;
    socklen_t length = sizeof got;
    const char *result = result_of(setsockopt(scene->fd, level, name, &value, sizeof value));
    const char *then = result_of(getsockopt(scene->fd, level, name, &got, &length));
    snprintf(text, size, "%s, %s, %d", result, then, got);
}
static void do_keepalive_set(const struct scene *scene, char *text, size_t size) {
    option_set(scene, SOL_SOCKET, SO_KEEPALIVE, text, size);
}
static void do_broadcast_set(const struct scene *scene, char *text, size_t size) {
    option_set(scene, SOL_SOCKET, SO_BROADCAST, text, size);
}
static void do_nodelay_set(const struct scene *scene, char *text, size_t size) {
    option_set(scene, IPPROTO_TCP, TCP_NODELAY, text, size);
}
static void do_ttl_set(const struct scene *scene, char *text, size_t size) {
    option_set(scene, IPPROTO_IP, IP_TTL, text, size);
}
static void do_v6only_set(const struct scene *scene, char *text, size_t size) {
    option_set(scene, IPPROTO_IPV6, IPV6_V6ONLY, text, size);
}
static void do_domain(const struct scene *scene, char *text, size_t size) {
    option_ask(scene, SOL_SOCKET, SO_DOMAIN, text, size);
}
static void do_protocol(const struct scene *scene, char *text, size_t size) {
    option_ask(scene, SOL_SOCKET, SO_PROTOCOL, text, size);
}
static void do_stat(const struct scene *scene, char *text, size_t size) {
    struct stat status;
    const char *result = result_of(fstat(scene->fd, &status));
    snprintf(text, size, "%s, socket %d, size %ld", result, S_ISSOCK(status.st_mode),
             (long)status.st_size);
}
static void do_lseek(const struct scene *scene, char *text, size_t size) {
    number(text, size, lseek(scene->fd, 0, SEEK_CUR));
}
static void do_truncate(const struct scene *scene, char *text, size_t size) {
    number(text, size, ftruncate(scene->fd, 0));
}

/* ---- waiting ---- */

static void do_poll(const struct scene *scene, char *text, size_t size) {
    struct pollfd one = {.fd = scene->fd, .events = POLLIN};
    long r = poll(&one, 1, 0);
    snprintf(text, size, "%s, %s", result_of(r), bits_of((unsigned)one.revents));
}
static void do_select(const struct scene *scene, char *text, size_t size) {
    fd_set sets[3];
    struct timeval now = {0, 0};
    for (int i = 0; i < 3; i++) {
        FD_ZERO(&sets[i]);
        FD_SET(scene->fd, &sets[i]);
    }
    long r = select(scene->fd + 1, &sets[0], &sets[1], &sets[2], &now);
    snprintf(text, size, "%s, read %d write %d except %d", result_of(r),
             FD_ISSET(scene->fd, &sets[0]) != 0, FD_ISSET(scene->fd, &sets[1]) != 0,
             FD_ISSET(scene->fd, &sets[2]) != 0);
}
static void do_epoll(const struct scene *scene, char *text, size_t size) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    struct epoll_event told = {0};
    epoll_ctl(epoll, EPOLL_CTL_ADD, scene->fd, &wanted);
    const char *first = result_of(epoll_wait(epoll, &told, 1, 0));
    snprintf(text, size, "%s %s, %s", first, bits_of(told.events),
             result_of(epoll_wait(epoll, &told, 1, 0)));
    close(epoll);
}

/* The last: whether it may leave the socket in another state, so that this is told, too. */
#define CALL(name)                                                                                 \
    { #name, do_##name, false }
#define CHANGE(name)                                                                               \
    { #name, do_##name, true }
static const struct {
    const char *name;
    call *make;
    bool changes;
} calls[] = {
    CALL(bind),
    CALL(bind_taken),
    CALL(bind_strange),
    CHANGE(listen),
    CHANGE(connect),
    CHANGE(connect_twice),
    CHANGE(connect_nowhere),
    CHANGE(accept),
    CALL(accept_name),
    CALL(getsockname),
    CALL(getpeername),
    CHANGE(send),
    CALL(send_empty),
    CALL(send_quiet),
    CALL(send_urgent),
    CHANGE(send_more),
    CHANGE(sendto),
    CALL(sendto_short),
    CALL(sendmsg),
    CALL(write),
    CALL(write_empty),
    CALL(writev),
    CALL(sendfile),
    CALL(recv_one),
    CHANGE(recv),
    CALL(recv_nothing),
    CHANGE(recv_peek),
    CALL(recv_cut),
    CHANGE(recv_urgent),
    CALL(recv_errors),
    CALL(read),
    CALL(readv),
    CALL(recvfrom),
    CALL(recvmsg),
    CHANGE(shutdown_read),
    CHANGE(shutdown_write),
    CHANGE(shutdown_both),
    CALL(shutdown_bad),
    CHANGE(error),
    CALL(acceptconn),
    CALL(type),
    CALL(maxseg_set),
    CALL(reuse_set),
    CALL(tcp_state),
    CALL(inq),
    CALL(outq),
    CALL(at_mark),
    CALL(ioctl_bad),
    CALL(accept_bad),
    CALL(sendmmsg),
    CALL(getfl),
    CALL(setfl),
    CALL(getown),
    CALL(setown_bad),
    CALL(dup),
    CALL(keepalive_set),
    CALL(broadcast_set),
    CALL(nodelay_set),
    CALL(ttl_set),
    CALL(v6only_set),
    CALL(domain),
    CALL(protocol),
    CALL(stat),
    CALL(lseek),
    CALL(truncate),
    CALL(poll),
    CALL(select),
    CALL(epoll),
};

static int error_of(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
}

static void case_say(const struct state *state, size_t index) {
    struct scene scene = {.fd = -1, .other = -1, .third = -1};
    char text[128], name[96];
    state->make(&scene);
    nonblocking_set(scene.fd, true);
    unsigned before = poll_now(scene.fd);
    signal_taken(SIGPIPE);
    calls[index].make(&scene, text, sizeof text);
    bool broken = strncmp(text, "EPIPE", 5) == 0;
    int pipes = broken ? signal_soon(SIGPIPE) : signal_taken(SIGPIPE);
    if (scene.busy)
        settle();
    unsigned after = poll_now(scene.fd);
    int error = error_of(scene.fd);
    snprintf(name, sizeof name, "%s, %s", state->name, calls[index].name);
    say(name, "%s%s", text, pipes ? " SIGPIPE" : "");
    if (calls[index].changes) {
        snprintf(name, sizeof name, "%s, after %s", state->name, calls[index].name);
        say(name, "%s, %s", after == before ? "as before" : bits_of(after),
            error ? strerrorname_np(error) : "no error");
    }
    scene_close(&scene);
}

void states_check(void) {
    group("state");
    signal_count(SIGPIPE, 0);
    for (size_t i = 0; i < state_count; i++)
        for (size_t j = 0; j < sizeof calls / sizeof calls[0]; j++)
            case_say(&states[i], j);
}
