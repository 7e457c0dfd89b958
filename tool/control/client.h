/* The commands' side of the daemon's control socket.
 *
 * The control socket speaks JSON, one object a line, both ways. A request is answered by one line: {"ok":true,...} or
 * {"error":"text for a person"}. What a run says on its connection (tool/runner):
 *
 *   {"do":"join","host":"pc1","ip":"10.0.0.2","must_exist":true,"program":"curl","argv":["curl",...]}
 *       host, ip and must_exist may be missing. Answer: {"ok":true,"host":"pc1","ip":"10.0.0.2","net":"default"}.
 *   {"do":"attach","pid":N} with the descriptors [seccomp listener, reach socket] (SCM_RIGHTS on the line's octets).
 *       Answer: {"ok":true}. From then on calls are served, and the connection's end is the end of the run.
 *
 * After the answer to attach the daemon may write, at any time:
 *
 *   {"note":"text"}  for the person who started the run; printed as "berth: text".
 *   {"end":"text"}   the run must end (`berth down`): SIGTERM for all its programs, and after five seconds SIGKILL; the run's
 *                    exit status is the program's own. text is printed.
 *
 * The daemon's hanging up without one is a failure: all programs are killed and the run's status is 125. */
#ifndef TOOL_CONTROL_CLIENT_H
#define TOOL_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

/* A close-on-exec stream to the daemon of network `net`. start: starts the daemon when none runs, and waits until it answers.
 * A negative errno, with a line for a person in `error`, when there is none. */
int control_connect(const char *net, bool start, char *error, size_t size);

/* Writes one line (a newline is added) with `nfds` descriptors, which stay the caller's, and waits for the one line that answers
 * it: reply has it without the newline. Reads no octet past that line, so that later lines stay in the stream. Returns the
 * reply's length; -EMSGSIZE when it does not fit; -ECONNRESET when the daemon hung up; or another negative errno. */
int control_request(int fd, const char *json_line, const int *fds, int nfds, char *reply, size_t size);

#endif
