#include "engine/port/ports.h"
#include <errno.h>
#include <string.h>

/* RFC 6056, section 3.2: the range is as large as it can be without the system ports (RFC 6335,
 * section 6). */
enum { RANGE_FIRST = 1024, RANGE_LAST = 65535 };

void *ports_allocate(struct ports *ports, size_t size) {
    void *memory = ports->allocator.allocate(ports->allocator.context, size);
    if (memory)
        ports->memory += size;
    return memory;
}

void ports_release(struct ports *ports, void *memory, size_t size) {
    ports->allocator.release(ports->allocator.context, memory, size);
    ports->memory -= size;
}

struct ports *ports_new(struct berth_allocator allocator, struct random *random,
                        const struct ports_owner_ops *ops) {
    struct ports *ports = allocator.allocate(allocator.context, sizeof *ports);
    if (!ports)
        return NULL;
    memset(ports, 0, sizeof *ports);
    ports->allocator = allocator;
    ports->random = random;
    ports->ops = *ops;
    ports->first = RANGE_FIRST;
    ports->last = RANGE_LAST;
    demux_init(ports);
    places_init(ports);
    table_init(ports);
    spaces_init(ports);
    return ports;
}

void ports_free(struct ports *ports) {
    if (!ports)
        return;
    spaces_clear(ports);
    table_clear(ports);
    places_clear(ports);
    demux_clear(ports);
    ports->allocator.release(ports->allocator.context, ports, sizeof *ports);
}

int ports_set_range(struct ports *ports, uint16_t first, uint16_t last) {
    if (first == 0 || first > last)
        return -EINVAL;
    spaces_clear(ports); /* they know the old range */
    ports->first = first;
    ports->last = last;
    return 0;
}

static size_t pool_memory(const struct pool *pool) {
    return ((size_t)pool->chunk_count << pool->chunk_shift) * pool->item_size +
           pool->directory_size * sizeof(uint8_t *);
}

size_t ports_memory(const struct ports *ports) {
    return sizeof *ports + ports->memory + pool_memory(&ports->binds) +
           pool_memory(&ports->places.pool) + ref_index_memory(&ports->places.index) +
           ref_index_memory(&ports->connections);
}
