#include <berth/frame.h>
#include <stdlib.h>

static void *default_allocate(void *context, size_t size) {
    (void)context;
    return malloc(size);
}

static void default_release(void *context, void *memory, size_t size) {
    (void)context;
    (void)size;
    free(memory);
}

struct berth_allocator berth_allocator_default(void) {
    struct berth_allocator allocator = {default_allocate, default_release, NULL};
    return allocator;
}

struct berth_block *berth_block_new(struct berth_allocator allocator, uint32_t size) {
    struct berth_block *block = allocator.allocate(allocator.context, sizeof *block + size);
    if (!block)
        return NULL;
    block->references = 1;
    block->size = size;
    block->allocator = allocator;
    block->sealed = 0;
    return block;
}

void berth_block_drop(struct berth_block *block) {
    if (--block->references > 0)
        return;
    struct berth_allocator allocator = block->allocator;
    allocator.release(allocator.context, block, sizeof *block + block->size);
}
