#include "tool/daemon/netlink_writer.h"

#include <string.h>

void netlink_flush(struct netlink_writer *writer) {
    if (writer->used)
        writer->asker.give(writer->asker.context, writer->octets, writer->used);
    writer->used = 0;
}

static void append(struct netlink_writer *writer, const void *data, size_t length) {
    size_t padded = NLMSG_ALIGN(length);
    memset(writer->octets + writer->used, 0, padded);
    memcpy(writer->octets + writer->used, data, length);
    writer->used += padded;
}

void netlink_begin(struct netlink_writer *writer, uint16_t type, const void *body, size_t length) {
    if (writer->used + NETLINK_MESSAGE_MOST > sizeof writer->octets)
        netlink_flush(writer);
    struct nlmsghdr header = {.nlmsg_type = type,
                              .nlmsg_flags = writer->dump ? NLM_F_MULTI : 0,
                              .nlmsg_seq = writer->sequence,
                              .nlmsg_pid = writer->asker.port};
    writer->message = writer->used;
    append(writer, &header, sizeof header);
    append(writer, body, length);
}

void netlink_end(struct netlink_writer *writer) {
    uint32_t length = (uint32_t)(writer->used - writer->message);
    memcpy(writer->octets + writer->message, &length, sizeof length);
}

void netlink_attribute(struct netlink_writer *writer, uint16_t type, const void *data,
                       size_t length) {
    struct nlattr header = {.nla_len = (uint16_t)(NLA_HDRLEN + length), .nla_type = type};
    append(writer, &header, sizeof header);
    append(writer, data, length);
}

void netlink_number(struct netlink_writer *writer, uint16_t type, uint32_t number) {
    netlink_attribute(writer, type, &number, sizeof number);
}

void netlink_error(struct netlink_writer *writer, const struct nlmsghdr *request, int error) {
    struct nlmsgerr body = {.error = error, .msg = *request};
    writer->dump = false;
    netlink_begin(writer, NLMSG_ERROR, &body, sizeof body);
    netlink_end(writer);
    netlink_flush(writer);
}

void netlink_done(struct netlink_writer *writer) {
    int status = 0;
    netlink_begin(writer, NLMSG_DONE, &status, sizeof status);
    netlink_end(writer);
    netlink_flush(writer);
}

void netlink_requests(struct netlink_writer *writer, const uint8_t *request, size_t length,
                      netlink_answerer *answer) {
    while (length >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr header;
        memcpy(&header, request, sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > length)
            return;
        if (header.nlmsg_type >= NLMSG_MIN_TYPE && (header.nlmsg_flags & NLM_F_REQUEST)) {
            writer->sequence = header.nlmsg_seq;
            writer->dump = (header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
            answer(writer, &header, request + sizeof header, header.nlmsg_len - sizeof header);
        }
        size_t step = NLMSG_ALIGN(header.nlmsg_len);
        if (step >= length)
            return;
        request += step;
        length -= step;
    }
}

const uint8_t *netlink_attribute_find(const uint8_t *octets, size_t length, uint16_t type,
                                      size_t *value) {
    while (length >= sizeof(struct nlattr)) {
        struct nlattr header;
        memcpy(&header, octets, sizeof header);
        if (header.nla_len < sizeof header || header.nla_len > length)
            return NULL;
        size_t step = NLA_ALIGN(header.nla_len);
        *value = header.nla_len - sizeof header;
        if (header.nla_type == type)
            return octets + sizeof header;
        octets += step < length ? step : length;
        length -= step < length ? step : length;
    }
    return NULL;
}
