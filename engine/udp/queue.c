/* What a socket has received and not yet been asked for. */
#include "engine/udp/internal.h"
#include <errno.h>
#include <string.h>

static struct udp_page *page_new(struct udp *udp) {
    struct udp_page *page = udp->spare;
    if (page) {
        udp->spare = page->next;
        udp->spare_count--;
    } else {
        page = udp->allocator.allocate(udp->allocator.context, sizeof *page);
        if (!page)
            return NULL;
    }
    page->next = NULL;
    page->read = page->write = 0;
    return page;
}

static void page_free(struct udp *udp, struct udp_page *page) {
    if (udp->spare_count >= UDP_PAGES_SPARE) {
        udp->allocator.release(udp->allocator.context, page, sizeof *page);
        return;
    }
    page->next = udp->spare;
    udp->spare = page;
    udp->spare_count++;
}

/* Room for a record in the last page, or in a new one. */
static struct udp_record *record_new(struct udp *udp, struct udp_socket *socket, uint32_t span) {
    struct udp_page *page = socket->tail;
    if (!page || page->write + span > sizeof page->data) {
        page = page_new(udp);
        if (!page)
            return NULL;
        if (socket->tail)
            socket->tail->next = page;
        else
            socket->head = page;
        socket->tail = page;
    }
    struct udp_record *record = (struct udp_record *)(void *)&page->data[page->write];
    page->write += span;
    record->span = span;
    return record;
}

static void parts_copy(uint8_t *to, const struct berth_part *parts, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        memcpy(to, parts[i].data, parts[i].length);
        to += parts[i].length;
    }
}

/* A long payload: the block it came in, or one that it is copied to. */
static bool payload_hold(struct udp *udp, const struct udp_arrival *arrival,
                         struct berth_part *payload) {
    if (arrival->part_count == 1 && arrival->parts[0].block) {
        *payload = arrival->parts[0];
        berth_block_hold(payload->block);
        return true;
    }
    payload->block = berth_block_new(udp->allocator, arrival->length);
    if (!payload->block)
        return false;
    parts_copy(payload->block->data, arrival->parts, arrival->part_count);
    payload->data = payload->block->data;
    payload->length = arrival->length;
    return true;
}

static uint32_t record_charge(const struct udp_record *record) {
    return record->span + (record->is_block ? record->length : 0);
}

bool udp_queue_push(struct udp *udp, struct udp_socket *socket, const struct udp_arrival *arrival) {
    bool is_block = arrival->length > UDP_INLINE_MAX;
    struct berth_part payload;
    uint32_t stored = is_block ? (uint32_t)sizeof payload : arrival->length;
    uint32_t span = ((uint32_t)sizeof(struct udp_record) + stored + 7) & ~UINT32_C(7);
    uint32_t charge = span + (is_block ? arrival->length : 0);
    /* The newest is dropped; one alone is taken whatever its size. */
    if (socket->queued + charge > socket->receive_buffer && socket->count != 0)
        return false;
    if (is_block && !payload_hold(udp, arrival, &payload))
        return false;
    struct udp_record *record = record_new(udp, socket, span);
    if (!record) {
        if (is_block)
            berth_block_drop(payload.block);
        return false;
    }
    record->length = arrival->length;
    record->source = arrival->tuple.remote;
    record->source_port = arrival->tuple.remote_port;
    record->destination = arrival->tuple.local;
    record->destination_port = arrival->tuple.local_port;
    record->interface = arrival->interface;
    record->ttl = arrival->ttl;
    record->tos = arrival->tos;
    record->is_block = is_block;
    if (is_block)
        memcpy(record + 1, &payload, sizeof payload);
    else
        parts_copy((uint8_t *)(record + 1), arrival->parts, arrival->part_count);
    socket->queued += charge;
    socket->count++;
    return true;
}

/* Takes the oldest record out. */
static void record_drop(struct udp *udp, struct udp_socket *socket) {
    struct udp_page *page = socket->head;
    struct udp_record *record = (struct udp_record *)(void *)&page->data[page->read];
    socket->queued -= record_charge(record);
    socket->count--;
    page->read += record->span;
    if (record->is_block) {
        struct berth_part payload;
        memcpy(&payload, record + 1, sizeof payload);
        berth_block_drop(payload.block);
    }
    if (page->read < page->write)
        return;
    socket->head = page->next;
    if (!socket->head)
        socket->tail = NULL;
    page_free(udp, page);
}

static void record_describe(const struct udp_record *record, struct berth_datagram *meta) {
    meta->source.ip = record->source;
    meta->source.port = record->source_port;
    meta->destination.ip = record->destination;
    meta->destination.port = record->destination_port;
    meta->length = record->length;
    meta->interface = record->interface;
    meta->ttl = record->ttl;
    meta->tos = record->tos;
}

ssize_t udp_queue_take(struct udp *udp, struct udp_socket *socket, void *data, size_t length,
                       struct berth_datagram *meta, bool peek) {
    struct udp_page *page = socket->head;
    if (!page)
        return -EAGAIN;
    const struct udp_record *record = (const struct udp_record *)(void *)&page->data[page->read];
    const uint8_t *payload = (const uint8_t *)(record + 1);
    if (record->is_block) {
        struct berth_part part;
        memcpy(&part, record + 1, sizeof part);
        payload = part.data;
    }
    size_t copied = record->length < length ? record->length : length;
    if (copied > 0)
        memcpy(data, payload, copied);
    if (meta)
        record_describe(record, meta);
    if (!peek)
        record_drop(udp, socket);
    return (ssize_t)copied;
}

void udp_queue_clear(struct udp *udp, struct udp_socket *socket) {
    while (socket->head)
        record_drop(udp, socket);
}
