/* The guard's side of reach.h. */
#ifndef TOOL_RUNNER_REACH_SERVER_H
#define TOOL_RUNNER_REACH_SERVER_H

struct reach_server; /* its buffer */
struct reach_server *reach_server_new(void);
void reach_server_free(struct reach_server *server);

/* Answers the request that waits at `fd`. 0; or a negative errno when the daemon is gone or talks
 * nonsense. */
int reach_server_answer(struct reach_server *server, int fd);

#endif
