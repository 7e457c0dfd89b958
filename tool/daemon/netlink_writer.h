/* Writes the answers of netlink (RFC 3549 2.3.2): messages with attributes, several in a datagram,
 * which is given away when it is full. No I/O. */
#ifndef TOOL_DAEMON_NETLINK_WRITER_H
#define TOOL_DAEMON_NETLINK_WRITER_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An answer's datagram: at most this, as the kernel's. No message of ours is longer than MOST. */
enum { NETLINK_DATAGRAM = 8192, NETLINK_MESSAGE_MOST = 1024 };

/* Who asks, and takes the answer, datagram by datagram. */
struct netlink_asker {
    uint32_t port; /* the asking socket's number, which answers carry */
    void (*give)(void *context, const uint8_t *datagram, size_t length);
    void *context;
};

struct netlink_writer {
    struct netlink_asker asker;
    const void *subject; /* what is asked about: the answerer's matter */
    uint32_t sequence;
    bool dump;
    size_t used, message; /* of octets; where the message begins */
    _Alignas(NLMSG_ALIGNTO) uint8_t octets[NETLINK_DATAGRAM];
};

/* A message: begun with its body, then attributes, then ended. */
void netlink_begin(struct netlink_writer *writer, uint16_t type, const void *body, size_t length);
void netlink_attribute(struct netlink_writer *writer, uint16_t type, const void *data,
                       size_t length);
void netlink_number(struct netlink_writer *writer, uint16_t type, uint32_t number);
void netlink_end(struct netlink_writer *writer);
void netlink_flush(struct netlink_writer *writer);
/* NLMSG_ERROR; 0 acknowledges. */
void netlink_error(struct netlink_writer *writer, const struct nlmsghdr *request, int error);
/* Closes a dump. */
void netlink_done(struct netlink_writer *writer);

/* Calls `answer` for each request of a datagram, with the writer ready for its answers. What is cut
 * short or malformed ends it; what asks for nothing is passed over. */
typedef void netlink_answerer(struct netlink_writer *writer, const struct nlmsghdr *header,
                              const uint8_t *body, size_t length);
void netlink_requests(struct netlink_writer *writer, const uint8_t *request, size_t length,
                      netlink_answerer *answer);
/* The attribute of that type among octets[0..length): its value and length, or NULL. */
const uint8_t *netlink_attribute_find(const uint8_t *octets, size_t length, uint16_t type,
                                      size_t *value);

#endif
