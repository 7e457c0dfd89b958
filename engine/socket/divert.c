#include "engine/socket/divert.h"
#include <string.h>

struct divert_node {
    struct divert_node *next;
    struct berth_endpoint source, destination;
    size_t length;
    uint8_t data[];
};

static size_t node_size(size_t length) {
    return sizeof(struct divert_node) + length;
}

void divert_put(struct divert *divert, struct berth_allocator allocator,
                const struct berth_endpoint *source, const struct berth_endpoint *destination,
                const void *data, size_t length) {
    if (divert->count >= DIVERT_MAX)
        return;
    struct divert_node *node = allocator.allocate(allocator.context, node_size(length));
    if (!node)
        return;
    node->next = NULL;
    node->source = *source;
    node->destination = *destination;
    node->length = length;
    if (length > 0)
        memcpy(node->data, data, length);
    if (divert->tail)
        divert->tail->next = node;
    else
        divert->head = node;
    divert->tail = node;
    divert->count++;
}

bool divert_take(struct divert *divert, struct berth_allocator allocator,
                 struct berth_diverted *datagram) {
    struct divert_node *node = divert->head;
    if (!node)
        return false;
    divert->head = node->next;
    if (!divert->head)
        divert->tail = NULL;
    divert->count--;
    datagram->source = node->source;
    datagram->destination = node->destination;
    datagram->length = node->length;
    memcpy(datagram->data, node->data, node->length);
    allocator.release(allocator.context, node, node_size(node->length));
    return true;
}

void divert_clear(struct divert *divert, struct berth_allocator allocator) {
    struct berth_diverted datagram;
    while (divert_take(divert, allocator, &datagram))
        continue;
}
