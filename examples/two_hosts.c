/* Two computers and the wire between them, all in this program: no socket of the machine, no
 * thread, no clock. A server waits at port 80; a client, whose computer gives it a port of its own,
 * connects and the two talk. */
#include <berth/socket.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t now; /* in nanoseconds; passes when we say so */

static int must(const char *what, long result) {
    if (result < 0 && result != -EINPROGRESS) {
        fprintf(stderr, "%s: %s\n", what, strerror((int)-result));
        exit(1);
    }
    return (int)result;
}

static struct berth_host *computer(struct berth_ip address, uint8_t number) {
    struct berth_host_config config;
    berth_host_config_init(&config);
    config.seed[0] = number; /* a real program fills it from getrandom() */
    struct berth_interface_config port = {BERTH_LINK_ETHERNET, 1500, {2, 0, 0, 0, 0, number}, 0};
    struct berth_host *host = berth_host_new(&config);
    int interface = must("interface", host ? berth_host_add_interface(host, &port) : -ENOMEM);
    must("address", berth_host_add_address(host, interface, &address, 24));
    return host;
}

/* Carries what one computer sends to the other. Returns how many frames that were. */
static size_t carry(struct berth_host *from, struct berth_host *to) {
    struct berth_frame frames[16];
    size_t count = berth_host_output(from, 1, frames, 16, now);
    berth_host_input(to, 1, frames, count, now);
    for (size_t i = 0; i < count; i++)
        berth_frame_clear(&frames[i]);
    return count;
}

static void wire(struct berth_host *a, struct berth_host *b) {
    while (carry(a, b) + carry(b, a) > 0)
        now += BERTH_MS;
}

static void say(struct berth_host *host, berth_handle socket, const char *text) {
    must("send", berth_socket_send(host, socket, text, strlen(text), 0, now));
}

static void hear(const char *who, struct berth_host *host, berth_handle socket) {
    char text[100];
    int length = must("receive", berth_socket_receive(host, socket, text, sizeof text, 0, now));
    printf("%s hears: %.*s\n", who, length, text);
}

int main(void) {
    struct berth_endpoint http = {berth_ip_v4(0x0a000001), 80}, client_end;
    struct berth_host *server = computer(http.ip, 1),
                      *client = computer(berth_ip_v4(0x0a000002), 2);
    berth_handle listener, from_client, to_server;
    must("open", berth_socket_open(server, 4, BERTH_TCP, &listener));
    must("bind", berth_socket_bind(server, listener, &http));
    must("listen", berth_socket_listen(server, listener, 5));
    must("open", berth_socket_open(client, 4, BERTH_TCP, &to_server));
    must("connect", berth_socket_connect(client, to_server, &http, now));
    wire(client, server);
    must("accept", berth_socket_accept(server, listener, &from_client));
    must("remote", berth_socket_remote(server, from_client, &client_end));
    printf("connected from port %u to port %u\n", client_end.port, http.port);
    say(client, to_server, "Who is at port 80?");
    wire(client, server);
    hear("server", server, from_client);
    say(server, from_client, "I am. What you read came back to your port.");
    wire(client, server);
    hear("client", client, to_server);
    berth_host_free(client);
    berth_host_free(server);
    return 0;
}
