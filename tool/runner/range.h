/* The descriptors whose reads and writes are notified: the runner's filter and the daemon, which
 * gives the numbers out, must mean the same ones. */
#ifndef TOOL_RUNNER_RANGE_H
#define TOOL_RUNNER_RANGE_H

/* The numbers that descriptors of datagram sockets get. Their reads and writes are notified (each
 * datagram has an address); a mask finds the range with one comparison, so that reads and writes of
 * everything else stay native. */
enum { CALLS_UDP_FIRST = 512, CALLS_UDP_LAST = 1023 };

#endif
