/* The words of the control protocol. tool/control/client.h lists them. */
#ifndef TOOL_DAEMON_REQUESTS_H
#define TOOL_DAEMON_REQUESTS_H

#include "tool/daemon/connection.h"

/* Deals with one line: a reply is sent, or an error, whatever the line is. */
void request_handle(struct connection *connection, const char *line);

/* One handler for each word; `request` is borrowed. */
void request_join(struct connection *connection, json_t *request);
void request_attach(struct connection *connection, json_t *request);
void request_up(struct connection *connection, json_t *request);
void request_route(struct connection *connection, json_t *request);
void request_host(struct connection *connection, json_t *request);
void request_log(struct connection *connection, json_t *request);
void request_ended(struct connection *connection, json_t *request);
void request_down(struct connection *connection, json_t *request);
void request_ps(struct connection *connection, json_t *request);
void request_hosts(struct connection *connection, json_t *request);
void request_ss(struct connection *connection, json_t *request);
void request_logs(struct connection *connection, json_t *request);
void request_dump(struct connection *connection, json_t *request);
void request_fault(struct connection *connection, json_t *request);
void request_starts(struct connection *connection, json_t *request);
void request_power(struct connection *connection, json_t *request);
void request_faults(struct connection *connection, json_t *request);
void request_tap(struct connection *connection, json_t *request);
void request_publish(struct connection *connection, json_t *request);
void request_ports(struct connection *connection, json_t *request);
void request_gateway(struct connection *connection, json_t *request);
void request_counters(struct connection *connection, json_t *request);
void request_ping(struct connection *connection, json_t *request);

#endif
