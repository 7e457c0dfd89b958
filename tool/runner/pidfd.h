/* Processes as descriptors. glibc 2.36 has no names for all of it, and older kernels lack some. */
#ifndef TOOL_RUNNER_PIDFD_H
#define TOOL_RUNNER_PIDFD_H

#include <sys/types.h>

/* Each returns a close-on-exec descriptor, or a negative errno. */
int pidfd_of(pid_t process);
int pidfd_of_thread(
    pid_t thread); /* of the process, where the kernel knows no descriptors of threads */
int pidfd_take(int process, int number); /* a duplicate of that process's descriptor `number` */

int pidfd_kill(int process, int signal); /* 0 or a negative errno */

#endif
