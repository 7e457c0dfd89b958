#include "tool/daemon/memory.h"

#include <stdbool.h>
#include <stdlib.h>

struct memory_piece {
    struct memory_piece *next;
};

/* AddressSanitizer has to see what is given back, or it finds nothing that is used afterwards. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static bool is_kept(size_t size) {
    return !SANITIZED && size > 0 && size <= MEMORY_LARGEST;
}

static size_t list_of(size_t size) {
    return (size - 1) / MEMORY_STEP;
}

static size_t list_size(size_t list) {
    return (list + 1) * MEMORY_STEP;
}

static void *memory_take(void *context, size_t size) {
    struct memory *memory = context;
    if (!is_kept(size))
        return malloc(size);
    size_t list = list_of(size);
    struct memory_piece *piece = memory->lists[list];
    if (!piece)
        return malloc(list_size(list));
    memory->lists[list] = piece->next;
    memory->kept -= list_size(list);
    return piece;
}

static void memory_give(void *context, void *given, size_t size) {
    struct memory *memory = context;
    if (!given)
        return;
    if (!is_kept(size) || memory->kept + list_size(list_of(size)) > MEMORY_KEPT) {
        free(given);
        return;
    }
    struct memory_piece *piece = given;
    piece->next = memory->lists[list_of(size)];
    memory->lists[list_of(size)] = piece;
    memory->kept += list_size(list_of(size));
}

struct berth_allocator memory_allocator(struct memory *memory) {
    return (struct berth_allocator){memory_take, memory_give, memory};
}

void memory_clear(struct memory *memory) {
    for (size_t i = 0; i < MEMORY_LARGEST / MEMORY_STEP; i++)
        while (memory->lists[i]) {
            struct memory_piece *piece = memory->lists[i];
            memory->lists[i] = piece->next;
            free(piece);
        }
    memory->kept = 0;
}
