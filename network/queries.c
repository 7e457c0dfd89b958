#include "network/queries.h"
#include "network/network.h"

struct query_node {
    struct query_node *next;
    struct berth_name_query query;
};

bool queries_put(struct queries *queries, struct berth_allocator allocator, int host,
                 const struct berth_diverted *query, berth_handle stream) {
    if (queries->count == QUERIES_MAX)
        return false;
    struct query_node *node = allocator.allocate(allocator.context, sizeof *node);
    if (!node)
        return false;
    *node = (struct query_node){.query = {host, *query, stream}};
    if (queries->tail)
        queries->tail->next = node;
    else
        queries->head = node;
    queries->tail = node;
    queries->count++;
    return true;
}

static bool query_take(struct queries *queries, struct berth_allocator allocator,
                       struct berth_name_query *query) {
    struct query_node *node = queries->head;
    if (!node)
        return false;
    queries->head = node->next;
    if (!queries->head)
        queries->tail = NULL;
    queries->count--;
    *query = node->query;
    allocator.release(allocator.context, node, sizeof *node);
    return true;
}

void queries_clear(struct queries *queries, struct berth_allocator allocator) {
    struct berth_name_query query;
    while (query_take(queries, allocator, &query))
        continue;
}

void berth_network_forward_names(struct berth_network *network, bool on) {
    network->queries.on = on;
    if (!on)
        queries_clear(&network->queries, network->allocator);
}

bool berth_network_take_query(struct berth_network *network, struct berth_name_query *query) {
    return query_take(&network->queries, network->allocator, query);
}
