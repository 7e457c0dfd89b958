/* Into a served program: its memory and its descriptors.
 *
 * Directly, with process_vm_readv, process_vm_writev and pidfd_getfd, where the kernel lets this
 * process; else through the program's guard, which is its ancestor (tool/runner/reach.h). Any
 * thread may call; a round trip to the guard is serialised. */
#ifndef TOOL_DAEMON_REACH_H
#define TOOL_DAEMON_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct reach;

/* guard: socket to the guard (given), -1 for none. program: a process of the tree, asked whether
 * the direct way is open. NULL: memory. */
struct reach *reach_new(int guard, pid_t program);
void reach_free(struct reach *reach);
/* True when the direct way is open. */
bool reach_is_direct(const struct reach *reach);

/* All `length` octets or -EFAULT, -ESRCH, -EPERM. */
int reach_read(struct reach *reach, pid_t thread, uint64_t address, void *to, size_t length);

/* Up to eight runs of octets written by one system call. */
enum { REACH_PIECES = 8 };
struct reach_piece {
    uint64_t address;
    const void *from;
    size_t length;
};
/* All pieces or -EFAULT and so on. */
int reach_write(struct reach *reach, pid_t thread, const struct reach_piece *pieces, int count);

/* A close-on-exec duplicate of the program's descriptor; -EBADF when it has none of that number. */
int reach_descriptor(struct reach *reach, pid_t thread, int fd);

#endif
