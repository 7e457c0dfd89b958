/* Starting a network's daemon: a process of its own session that nobody has to wait for. */
#ifndef TOOL_CONTROL_START_H
#define TOOL_CONTROL_START_H

/* Runs `berth daemon NET` with the listening socket as its descriptor 3; the caller keeps
 * `listener`. 0 or a negative errno. */
int daemon_start(const char *net, int listener);

#endif
