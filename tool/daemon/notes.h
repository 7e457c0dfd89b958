/* What the serving half's threads want said to the person who started a run: from any thread to the
 * main thread, without waiting. */
#ifndef TOOL_DAEMON_NOTES_H
#define TOOL_DAEMON_NOTES_H

#include "tool/daemon/daemon.h"

/* Watches for notes; daemon->notes is made. 0 or a negative errno. */
int notes_open(struct daemon *daemon);
void notes_close(struct daemon *daemon);
/* From any thread: `text` (cut to a sentence's length) for the connection of that id. Dropped when
 * too many wait already. */
void notes_post(struct notes *notes, uint64_t connection, const char *text);

#endif
