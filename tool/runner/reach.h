/* How the daemon reaches into a program it serves: its memory and its descriptors.
 *
 * Directly, where the kernel lets it; else (Yama's ptrace_scope 1, a container's profile) through
 * the program's guard, which is its ancestor and may. The guard answers these requests, one at a
 * time, on a SOCK_SEQPACKET socket pair. */
#ifndef TOOL_RUNNER_REACH_H
#define TOOL_RUNNER_REACH_H

#include <stdint.h>

enum reach_operation {
    REACH_READ = 1,  /* reply: result octets of the thread's memory follow */
    REACH_WRITE = 2, /* the octets follow the request; result: octets written */
    REACH_GET_FD = 3 /* address: its number there; the reply carries it by SCM_RIGHTS */
};
enum { REACH_MAX = 65536 }; /* octets of memory in one request */

struct reach_request {
    uint32_t operation;
    uint32_t thread; /* thread id as in seccomp_notif.pid */
    uint64_t address;
    uint32_t length;
    uint32_t spare;
};
struct reach_reply {
    int32_t result; /* >= 0, or a negative errno */
    uint32_t spare;
};

#endif
