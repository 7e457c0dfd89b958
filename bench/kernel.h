/* The kernel's side of the ports benchmark: the same calls, in a network namespace of its own. */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one level of occupancy gave, ns. */
struct port_times {
    double connect, connect_p99, bind, bind_p99;
    bool full; /* connect said EADDRNOTAVAIL */
};

/* Takes the process into a new user and network namespace with loopback up and a destination that
 * never answers. False, with the reason in *why, where that is not allowed. */
bool kernel_enter(const char **why);
/* The times at each of the levels (ports used of 64,512), `order` telling in which order the ports
 * are taken. */
void kernel_measure(const uint32_t *levels, size_t count, const uint16_t *order,
                    struct port_times *times);

#endif
