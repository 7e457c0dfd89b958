/* Queries for names that the network does not know, until the caller takes them. */
#ifndef NETWORK_QUERIES_H
#define NETWORK_QUERIES_H

#include <berth/network.h>

enum { QUERIES_MAX = 1024 };

struct query_node;

struct queries {
    struct query_node *head, *tail;
    uint32_t count;
    bool on;
};

/* Keeps it. False when too many wait or memory is out. stream: see struct berth_name_query. */
bool queries_put(struct queries *queries, struct berth_allocator allocator, int host,
                 const struct berth_diverted *query, berth_handle stream);
void queries_clear(struct queries *queries, struct berth_allocator allocator);

#endif
