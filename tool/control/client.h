/* The commands' side of the daemon's control socket.
 *
 * The control socket speaks JSON, one object a line of at most CONTROL_LINE_MAX octets, both ways;
 * descriptors travel by SCM_RIGHTS on the octets of the line that needs them. The daemon greets
 * with {"berth":VERSION,"pid":PID,"ending":false}, which control_connect() reads. A request is
 * answered by one line: {"ok":true,...} or {"error":"text for a person"}; in order. What a run says
 * on its connection (tool/runner):
 *
 *   {"do":"join","host":"pc1","ip":"10.0.0.2","must_exist":true,"grace":5000,"program":"curl","argv":["curl",...]}
 *       host, ip, must_exist and grace (ms) may be missing. Answer:
 * {"ok":true,"host":"pc1","ip":"10.0.0.2","net":"default"}.
 *   {"do":"attach","pid":N} with the descriptors [seccomp listener, reach socket] (SCM_RIGHTS on
 * the line's octets). Answer: {"ok":true}. From then on calls are served, and the connection's end
 * is the end of the run.
 *
 * After the answer to attach the daemon may write, at any time:
 *
 *   {"note":"text"}  for the person who started the run; printed as "berth: text".
 *   {"end":"text"}   the run must end (`berth down`): SIGTERM for all its programs, and after five
 * seconds SIGKILL; the run's exit status is the program's own. text is printed.
 *
 * The daemon's hanging up without one is a failure: all programs are killed and the run's status is
 * 125.
 *
 * What the other commands say (the number in brackets: descriptors):
 *
 *   up {networks: [{name, subnet, subnet6?}]}, then for each computer host {host, plugs: [{network,
 * ip?, ip6?, link?, aliases?}], names?, ports?, sysctls?, command?}, route {host, routes: [{to,
 * via}]} and log {host, process?} [1], ended {host, status}: the connection that said up is a user
 * of the network until it closes. On it {"start":"host"} and {"fault":""} say that there is
 * something to ask for by starts: {hosts} whose commands begin anew, how many faults are left, and
 * which failed [[place, sentence]]; power {host} says whether it is on; faults {list?: [{at: ns,
 * fault: a request, place, text}], start?, over?} down {}          ends all runs; the connection
 * closes when the daemon has gone ps, hosts, ss {owners?}, logs {host?}   answer
 * {"ok":true,"document":true} and one descriptor with the document logs {host?, process?,
 * follow:true}   after the answer the connection carries the text itself dump {on?, filter?, snap?,
 * count?, buffer?}   answers as those with a document, a pipe of pcapng; then, on the connection,
 * {"dumped":N,"lost":N} at its end; dump {stop:true}, netem {host, network?, direction?, only?,
 * set?, replace?, del?}, link {host, to, up}, partition {groups: [[host]]}, heal, kill, pause,
 * unpause, restart {hosts}, tap {name} [1], ping */
#ifndef TOOL_CONTROL_CLIENT_H
#define TOOL_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { CONTROL_LINE_MAX = 65536, CONTROL_FDS_MAX = 8 };

/* A close-on-exec stream to the daemon of network `net`; the end of one that goes down is waited
 * for. start: starts the daemon when none runs, and waits until it answers. A negative errno, with
 * a line for a person in `error`, when there is none (-ENOENT: it does not run). Not for a process
 * with threads, and before PR_SET_CHILD_SUBREAPER: the daemon must become nobody's child. */
int control_connect(const char *net, bool start, char *error, size_t size);
/* As control_connect() without start; one that goes down is not waited for (-ESHUTDOWN). */
int control_connect_running(const char *net, char *error, size_t size);
/* As control_connect() without start; *pid is the daemon's. */
int control_connect_pid(const char *net, pid_t *pid, char *error, size_t size);

/* Writes one line (a newline is added) with `nfds` descriptors, which stay the caller's, and waits
 * for the one line that answers it: reply has it without the newline. Reads no octet past that
 * line, so that later lines stay in the stream. Returns the reply's length; -EMSGSIZE when it does
 * not fit; -ECONNRESET when the daemon hung up; or another negative errno. */
int control_request(int fd, const char *json_line, const int *fds, int nfds, char *reply,
                    size_t size);

/* Writes one line, as above, and does not wait. 0 or a negative errno. */
int control_send(int fd, const char *json_line, const int *fds, int nfds);
/* Waits for the next line; takes no octet after it. Returns its length without the newline, 0 at
 * the end of the stream, or a negative errno (-EMSGSIZE: it does not fit). got: gets the descriptor
 * that came with it, or -1; may be NULL. */
ssize_t control_next(int fd, char *line, size_t size, int *got);

#endif
