/* Datagrams on their way out: a ring that the host empties. */
#include "engine/udp/internal.h"
#include <errno.h>
#include <string.h>

enum { OUT_FIRST = 64, OUT_MAX = 1 << 20, OUT_KEEP = 1024 };

static bool out_grow(struct udp *udp) {
    if (udp->out_size >= OUT_MAX)
        return false;
    uint32_t size = udp->out_size ? udp->out_size * 2 : OUT_FIRST;
    struct udp_emit *grown = udp->allocator.allocate(udp->allocator.context, size * sizeof *grown);
    if (!grown)
        return false;
    for (uint32_t i = 0; i < udp->out_count; i++)
        grown[i] = udp->out[(udp->out_head + i) & (udp->out_size - 1)];
    if (udp->out)
        udp->allocator.release(udp->allocator.context, udp->out, udp->out_size * sizeof *udp->out);
    udp->out = grown;
    udp->out_size = size;
    udp->out_head = 0;
    return true;
}

static void out_release(struct udp *udp) {
    if (udp->out)
        udp->allocator.release(udp->allocator.context, udp->out, udp->out_size * sizeof *udp->out);
    udp->out = NULL;
    udp->out_size = udp->out_head = 0;
}

/* Memory for an outgoing payload. Small ones share a block, which starts anew once no frame and no
 * waiting datagram points into it. */
static bool payload_new(struct udp *udp, uint32_t length, struct berth_part *payload) {
    payload->length = length;
    if (length > UDP_ARENA_MAX) {
        payload->block = berth_block_new(udp->allocator, length);
        if (!payload->block)
            return false;
        payload->data = payload->block->data;
        return true;
    }
    if (udp->arena && udp->arena->references == 1)
        udp->arena_used = 0;
    if (!udp->arena || udp->arena_used + length > UDP_ARENA) {
        struct berth_block *fresh = berth_block_new(udp->allocator, UDP_ARENA);
        if (!fresh)
            return false;
        if (udp->arena)
            berth_block_drop(udp->arena);
        udp->arena = fresh;
        udp->arena_used = 0;
    }
    payload->block = berth_block_hold(udp->arena);
    payload->data = udp->arena->data + udp->arena_used;
    udp->arena_used += (length + 15) & ~UINT32_C(15);
    return true;
}

/* The ring's next place, with a copy of the payload in it; NULL when memory is out. */
static struct udp_emit *out_add(struct udp *udp, const void *data, size_t length) {
    if (udp->out_count == udp->out_size && !out_grow(udp))
        return NULL;
    struct berth_part payload = {NULL, NULL, 0};
    if (length > 0) {
        if (!payload_new(udp, (uint32_t)length, &payload))
            return NULL;
        memcpy((uint8_t *)(uintptr_t)payload.data, data, length);
    }
    struct udp_emit *emit = &udp->out[(udp->out_head + udp->out_count) & (udp->out_size - 1)];
    emit->payload = payload;
    udp->out_count++;
    return emit;
}

ssize_t udp_send(struct udp *udp, uint32_t socket, const struct udp_way *way, int ttl, int tos,
                 const void *data, size_t length) {
    struct udp_socket *from = udp_at(udp, socket);
    if (from->sending >= from->send_buffer) {
        from->refused = true;
        return -EAGAIN;
    }
    struct udp_emit *emit = out_add(udp, data, length);
    if (!emit)
        return -ENOBUFS;
    emit->tuple.local = way->local;
    emit->tuple.local_port = from->local.port;
    emit->tuple.remote = way->remote.ip;
    emit->tuple.remote_port = way->remote.port;
    emit->socket = socket;
    emit->generation = from->generation;
    emit->interface = way->interface;
    emit->ttl = ttl < 0 ? from->ttl : (uint8_t)ttl;
    emit->tos = tos < 0 ? from->tos : (uint8_t)tos;
    emit->dont_fragment =
        from->mtu_discover != UDP_MTU_DONT && from->mtu_discover < UDP_MTU_INTERFACE;
    from->sending += (uint32_t)length + (uint32_t)sizeof *emit;
    return (ssize_t)length;
}

void udp_pass(struct udp *udp, const struct berth_endpoint *source,
              const struct berth_endpoint *destination, const void *data, size_t length,
              bool dont_fragment) {
    struct udp_emit *emit = out_add(udp, data, length);
    if (!emit)
        return;
    emit->tuple.local = source->ip;
    emit->tuple.local_port = source->port;
    emit->tuple.remote = destination->ip;
    emit->tuple.remote_port = destination->port;
    emit->socket = 0; /* nobody is charged for it */
    emit->generation = 0;
    emit->interface = 0xff;
    emit->ttl = 0;
    emit->tos = 0;
    emit->dont_fragment = dont_fragment;
}

bool udp_output(struct udp *udp, struct udp_emit *emit) {
    if (udp->out_count == 0)
        return false;
    *emit = udp->out[udp->out_head];
    udp->out_head = (udp->out_head + 1) & (udp->out_size - 1);
    udp->out_count--;
    udp->counters->udp_out_datagrams++;
    if (udp->out_count == 0 && udp->out_size > OUT_KEEP)
        out_release(udp);
    if (udp_alive(udp, emit->socket, emit->generation)) {
        struct udp_socket *from = udp_at(udp, emit->socket);
        from->sending -= emit->payload.length + (uint32_t)sizeof *emit;
        if (from->refused && from->sending <= from->send_buffer / 2) {
            from->refused = false;
            udp_event(udp, from, BERTH_WRITABLE);
        }
    }
    return true;
}

bool udp_has_output(const struct udp *udp) {
    return udp->out_count > 0;
}

void udp_output_clear(struct udp *udp) {
    struct udp_emit emit;
    while (udp_output(udp, &emit))
        if (emit.payload.block)
            berth_block_drop(emit.payload.block);
    out_release(udp);
    if (udp->arena)
        berth_block_drop(udp->arena);
    udp->arena = NULL;
}
