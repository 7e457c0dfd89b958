/* The guard's connection to the daemon. */
#ifndef TOOL_RUNNER_DAEMON_LINE_H
#define TOOL_RUNNER_DAEMON_LINE_H

#include "tool/control/framing.h"
#include <sys/types.h>

struct daemon_line {
    int socket;
    struct control_reader reader;
};

enum daemon_said {
    DAEMON_NOTHING, /* no whole line, for now */
    DAEMON_OK,
    DAEMON_ERROR, /* with a text, as the next three */
    DAEMON_NOTE,
    DAEMON_END,
    DAEMON_KILL, /* the computer's power goes */
    DAEMON_PAUSE,
    DAEMON_UNPAUSE,
    DAEMON_GONE
};

/* socket: given. */
void daemon_line_init(struct daemon_line *line, int socket);
void daemon_line_clear(struct daemon_line *line);

/* Takes in what has arrived; then lines can be asked for. false: the daemon is gone, or talks
 * nonsense. */
bool daemon_line_fill(struct daemon_line *line);
enum daemon_said daemon_line_next(struct daemon_line *line, char *text, size_t size);

/* Hands over the listener and the reach socket (which stay ours to close) and waits, not for ever,
 * until the calls of `program` are served. Notes that come first are in no one's way: they are
 * skipped. false: text says why not. */
bool daemon_line_attach(struct daemon_line *line, pid_t program, int listener, int reach,
                        char *text, size_t size);

/* Asks for a sign of life: DAEMON_OK, after all that the daemon has to say so far. false: it is
 * gone. */
bool daemon_line_ping(struct daemon_line *line);

#endif
